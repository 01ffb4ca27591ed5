from bench.answers import Row, analysed, answer, asked, bare, given_lane, mention, readings
from bench.faithful import measured
from pipeline.classifier import Reading
from pipeline.triage import Category, Factor, Urgency
from pipeline.triage.judge import Effort

SAID = (
    "My parcel was due on Monday and the tracking page still shows nothing, can you tell me where it is?",
    "The app crashes every time I open the camera since the last update, please fix it.",
    "We had dinner there on Friday and the pasta was wonderful, warm staff and lovely music all night.",
    "Giveaway! Follow us and repost this picture to win two tickets for the final on Saturday.",
    "I was charged twice for the same order in March and nobody on the phone could help me.",
    "These running shoes are light, comfortable and worth every penny, my third pair already.",
)


def _rows() -> list[Row]:
    return [
        {"id": str(at), "dataset": "own", "text": text, "kind": "post", "rating": None} for at, text in enumerate(SAID)
    ]


def test_without_the_words_named_the_answer_is_less_sure_than_without_others() -> None:
    found = measured(_rows(), Effort.FAST)
    assert found.texts + found.left == len(SAID)
    assert found.texts >= 4
    assert found.named.value > 0.05
    assert found.named.value > found.others.value
    assert found.named.value > found.telling.value
    assert found.more.value > 0.5


def test_the_same_texts_get_the_same_faith() -> None:
    assert measured(_rows(), Effort.FAST) == measured(_rows(), Effort.FAST)


def test_a_question_of_one_lane_is_answered_whatever_the_lane() -> None:
    said = readings(_rows())
    told = given_lane(said, Effort.FAST)
    for one, analysis in zip(told, analysed(said, Effort.FAST), strict=True):
        assert one["category"] in set(Category)
        assert one["urgency"] in set(Urgency)
        assert one["factor"] in set(Factor)
        for head, given in one.items():
            assert answer(analysis, head) in {given, ""}


def test_what_cannot_be_read_has_no_answer() -> None:
    analysis = analysed([Reading(key="1", text="荷物が届きません。どうなっていますか")], Effort.FAST)[0]
    assert [answer(analysis, head) for head in ("lane", "category", "complaint", "stage")] == [
        "unscored",
        "",
        "",
        "none",
    ]


def test_a_second_opinion_is_counted_where_it_is_asked() -> None:
    found = asked(
        [*bare(["ok", "hm, well, so they changed it, didn't they"]), Reading(key="3", text="荷物が届きません")]
    )
    assert set(found) <= {0.0, 1.0}
    assert found[1] == 1.0
    assert found[2] == 0.0


def test_a_gold_row_becomes_the_mention_it_was() -> None:
    row = {"id": "7", "dataset": "own", "text": "Good.", "kind": "review", "rating": "8/10"}
    heard = mention(row)
    assert (heard.source, heard.rating, heard.rating_max) == ("own", 8.0, 10.0)
    assert Reading.of(heard).stars == readings([row])[0].stars == 0.8
