"""What people said of our judgements: it holds, it outlives other versions, and it goes with the words it was about."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from pipeline.analysis import Analysis
from pipeline.case import Case
from pipeline.correction import ANSWERS, SAID_SO, Correction, Question, confirmations, corrections
from pipeline.errors import SettingsError
from pipeline.mention import Mention
from pipeline.sentiment import Feeling
from pipeline.triage import Category, Lane, Urgency
from pipeline.triage.lesson import Example, Lesson, learn
from storage.store import Store

Say = Callable[..., Mention]
Judge = Callable[..., Analysis]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hear(store: Store, *mentions: Mention) -> None:
    store.save("forum", mentions, [{}] * len(mentions), [], None, heard_at=NOON)


def say_of(
    store: Store, key: str = "forum:1", *, at: datetime = NOON, by: str = "Ann", **answers: str
) -> list[Correction]:
    """What a person says of the judgement in the store."""
    analysis = store.analysis(key)
    assert analysis is not None
    asked = {Question(name): answer for name, answer in answers.items()}
    held = store.held([key]).get(key, [])
    return corrections(analysis, held, asked, by=by, at=at, wording=store.wording(key))


def lesson_of(words: str = "sole came loose") -> Lesson:
    return learn([Example(words, "lane", "service", (0.1, 0.8, 0.1))])


def test_a_correction_counts_at_once_and_the_case_step_looks_at_the_mention_again(
    store: Store, say: Say, judge: Judge
) -> None:
    hear(store, say())
    store.save_analyses([judge(lane="experience", category=None, urgency=None, needs_reply=False)])
    store.mark_handled([judge(lane="experience", needs_reply=False)])
    latest = store.correct(say_of(store, lane="service", category="delivery"))
    assert latest == store.analysis("forum:1")
    assert latest is not None
    assert (latest.lane, latest.category, latest.urgency) == (Lane.SERVICE, Category.DELIVERY, Urgency.NORMAL)
    assert latest.needs_reply
    assert latest.lane_probabilities == {"service": 1.0, "experience": 0.0, "noise": 0.0}
    assert latest.reasons[0].text == SAID_SO
    assert store.counts().by_lane == {"service": 1}
    assert [mention.key for mention, _ in store.unhandled(NOON, 9)] == ["forum:1"]
    assert [analysis.lane for _, analysis in store.judged(NOON, NOON + HOUR)] == [Lane.SERVICE]


def test_a_persons_word_wins_over_every_later_version(store: Store, say: Say, judge: Judge) -> None:
    hear(store, say())
    store.save_analyses([judge()])
    store.correct(say_of(store, lane="noise", sentiment="neutral"))
    assert [mention.key for mention in store.unanalysed("v2", 9)] == ["forum:1"]
    store.save_analyses([judge(version="v2")])
    latest = store.analysis("forum:1")
    assert latest is not None
    assert (latest.version, latest.lane, latest.sentiment) == ("v2", Lane.NOISE, Feeling.NEUTRAL)
    assert (latest.category, latest.urgency, latest.needs_reply) == (None, None, False)
    assert store.unanalysed("v2", 9) == []


def test_a_later_correction_replaces_the_former_which_stays_on_record(store: Store, say: Say, judge: Judge) -> None:
    hear(store, say())
    store.save_analyses([judge()])
    first = say_of(store, lane="noise")
    store.correct(first)
    second = say_of(store, lane="experience", by="Bob", at=NOON + HOUR)
    store.correct(second)
    assert second[0].said == "service"  # what the classifiers had said, not what Ann said
    assert store.corrections("forum:1") == first + second
    assert store.held(["forum:1"]) == {"forum:1": second}
    latest = store.analysis("forum:1")
    assert latest is not None
    assert latest.lane is Lane.EXPERIENCE


def test_saying_it_twice_is_saying_it_once(store: Store, say: Say, judge: Judge) -> None:
    hear(store, say())
    store.save_analyses([judge()])
    told = say_of(store, lane="noise")
    assert store.correct(told) == store.correct(told)
    assert store.corrections("forum:1") == told
    assert say_of(store, lane="noise", at=NOON + HOUR) == []
    assert store.corrected_of("v1", NOON, NOON + HOUR) == 1


def test_an_older_correction_that_comes_again_does_not_replace_the_later_one(
    store: Store, say: Say, judge: Judge
) -> None:
    hear(store, say())
    store.save_analyses([judge()])
    first = say_of(store, lane="noise")
    store.correct(first)
    second = say_of(store, lane="experience", at=NOON + HOUR)
    store.correct(second)
    store.correct(first)
    assert store.held(["forum:1"]) == {"forum:1": second}
    latest = store.analysis("forum:1")
    assert latest is not None
    assert latest.lane is Lane.EXPERIENCE


def test_an_edit_makes_the_corrections_of_the_old_words_stale_but_keeps_them(
    store: Store, say: Say, judge: Judge
) -> None:
    hear(store, say())
    store.save_analyses([judge()])
    told = say_of(store, lane="noise")
    store.correct(told)
    hear(store, say(text="My shoes fell apart, and I want my money back."))
    store.unanalysed("v1", 9)
    store.save_analyses([judge()])
    latest = store.analysis("forum:1")
    assert latest is not None
    assert latest.lane is Lane.SERVICE
    assert store.held(["forum:1"]) == {}
    assert store.taught(9) == []
    assert store.corrections("forum:1") == told
    assert [seen.key for seen in store.unreviewed(NOON, NOON + HOUR)] == ["forum:1"]
    again = say_of(store, lane="experience", at=NOON + HOUR)
    store.correct(again)
    assert store.held(["forum:1"]) == {"forum:1": again}


def test_a_correction_of_words_edited_meanwhile_is_not_kept(store: Store, say: Say, judge: Judge) -> None:
    hear(store, say())
    store.save_analyses([judge()])
    told = say_of(store, lane="noise")
    hear(store, say(text="It was mended."))
    assert store.correct(told) is None
    for version in ("v1", "v2"):  # whoever judges the new words, and though the answer is the same
        store.unanalysed(version, 9)
        store.save_analyses([judge(version=version)])
        assert store.correct(told) is None
    assert store.corrections("forum:1") == []


def test_a_correction_of_a_judgement_made_again_with_another_answer_is_not_kept(
    store: Store, say: Say, judge: Judge
) -> None:
    hear(store, say())
    store.save_analyses([judge()])
    told = say_of(store, lane="noise")
    store.unanalysed("v2", 9)
    store.save_analyses([judge(version="v2", lane="experience", category=None, urgency=None)])
    assert store.correct(told) is None
    assert store.corrections("forum:1") == []


def test_a_correction_of_a_judgement_made_again_with_the_same_answer_holds(
    store: Store, say: Say, judge: Judge
) -> None:
    hear(store, say())
    store.save_analyses([judge()])
    told = say_of(store, lane="noise")
    store.unanalysed("v2", 9)
    store.save_analyses([judge(version="v2")])
    assert store.correct(told) is not None


def test_a_mention_that_is_forgotten_takes_its_corrections_with_it(store: Store, say: Say, judge: Judge) -> None:
    hear(store, say())
    store.save_analyses([judge()])
    store.correct(say_of(store, lane="noise"))
    with store._write() as connection:  # noqa: SLF001 - no door of the store forgets
        connection.execute(text("DELETE FROM mention"))
    assert store.corrections("forum:1") == []


def test_what_was_corrected_or_confirmed_is_reviewed(store: Store, say: Say, judge: Judge) -> None:
    hear(store, *(say(f"forum:{n}") for n in range(3)), say("forum:3", by_brand=True), say("mail:1", source="mail"))
    store.save_analyses([judge(f"forum:{n}") for n in range(4)] + [judge("mail:1")])
    store.correct(say_of(store, "forum:0", lane="noise"))
    analysis = store.analysis("forum:1")
    assert analysis is not None
    store.correct(confirmations(analysis, [], by="Ann", at=NOON))
    left = [seen.key for seen in store.unreviewed(NOON, NOON + HOUR)]
    assert left == ["forum:2", "mail:1"]
    assert [seen.key for seen in store.unreviewed(NOON, NOON + HOUR, "mail")] == ["mail:1"]
    assert store.analysis("forum:1") == analysis
    assert store.corrected_of("v1", NOON, NOON + HOUR) == 1
    assert store.lanes("v1", NOON, NOON + HOUR) == {"service": 4, "noise": 1}
    assert [(mention.key, len(told)) for mention, told in store.taught(9)] == [("forum:0", 1), ("forum:1", 4)]
    assert len(store.taught(1)) == 1


def test_the_case_that_a_mention_opened_is_about_what_the_person_says(
    store: Store, say: Say, judge: Judge, complain: Callable[..., Case]
) -> None:
    hear(store, say())
    store.save_analyses([judge()])
    store.write(complain(urgency="critical"), judge(), [])
    store.correct(say_of(store, category="delivery"))
    case = store.case("C-1")
    assert case is not None
    assert (case.category, case.urgency, case.team) == (Category.DELIVERY, Urgency.CRITICAL, "care")
    store.correct(say_of(store, lane="noise"))
    assert store.case("C-1") == case


def test_the_case_of_words_nobody_could_read_is_about_what_the_mention_is_now(
    store: Store, say: Say, judge: Judge, complain: Callable[..., Case]
) -> None:
    unread = judge(lane="unscored", category=None, urgency=None)
    hear(store, say(), say("forum:2"))
    store.save_analyses([unread, judge("forum:2")])
    store.write(complain(category=None, urgency=None), unread, [])
    store.write(complain("C-2", "forum:2"), judge("forum:2"), [])
    store.correct(say_of(store, lane="service", category="delivery"))
    case, other = store.case("C-1"), store.case("C-2")
    assert case is not None
    assert other is not None
    assert (case.category, case.urgency) == (Category.DELIVERY, Urgency.NORMAL)
    assert other.category is Category.PRODUCT_DEFECT


def test_correcting_what_only_fills_a_place_records_that_the_classifiers_were_not_asked(
    store: Store, say: Say, judge: Judge
) -> None:
    hear(store, say())
    store.save_analyses([judge(lane="experience", category=None, urgency=None)])
    store.correct(say_of(store, lane="service"))
    told = say_of(store, category="other", at=NOON + HOUR)
    assert told[0].said is None
    store.unanalysed("v2", 9)
    store.save_analyses([judge(version="v2", lane="experience", category=None, urgency=None)])
    assert store.correct(told) is not None


def test_a_period_counts_the_corrected_among_its_own_mentions_as_this_version_judged_them(
    store: Store, say: Say, judge: Judge
) -> None:
    hear(store, say("forum:1"), say("forum:2"), say("forum:3", said_at=NOON - HOUR), say("forum:4"))
    keys = [f"forum:{number}" for number in range(1, 5)]
    store.save_analyses([judge(key, "v2" if key == "forum:2" else "v1") for key in keys])
    for key in keys[:3]:
        store.correct(say_of(store, key, at=NOON + 9 * HOUR, lane="noise"))
    assert store.corrected_of("v1", NOON, NOON + HOUR) == 1
    assert sum(store.lanes("v1", NOON, NOON + HOUR).values()) == 2


@pytest.mark.parametrize("question", Question)
def test_every_answer_that_may_be_said_comes_out_as_it_went_in(
    store: Store, say: Say, judge: Judge, question: Question
) -> None:
    for at, answer in enumerate(ANSWERS[question]):
        hear(store, say(f"forum:{at}"))
        store.save_analyses([judge(f"forum:{at}")])
        told = say_of(store, f"forum:{at}", **{str(question): answer})
        latest = store.correct(told)
        assert store.corrections(f"forum:{at}") == told
        assert getattr(latest, question) == answer


def test_the_lesson_adopted_last_is_the_one_in_use(store: Store) -> None:
    assert store.lesson() is None
    assert store.adopted() is None
    first, second = lesson_of(), lesson_of("the zip broke")
    assert store.adopt(first, at=NOON, learnt_until=NOON, since=None)
    assert not store.adopt(first, at=NOON + HOUR, learnt_until=NOON + HOUR, since=store.adopted())
    assert store.adopt(second, at=NOON + HOUR, learnt_until=NOON + HOUR, since=store.adopted())
    lesson, adopted = store.lesson(), store.adopted()
    assert lesson is not None
    assert adopted is not None
    assert (lesson.version, lesson.content) == (second.version, second.content)
    assert (adopted.version, adopted.adopted_at) == (second.version, NOON + HOUR)


def test_of_two_who_learn_at_once_the_one_that_knew_the_later_corrections_stays(store: Store) -> None:
    store.adopt(lesson_of(), at=NOON, learnt_until=NOON, since=None)
    both = store.adopted()
    assert store.adopt(lesson_of("the zip broke"), at=NOON, learnt_until=NOON + 2 * HOUR, since=both)
    assert not store.adopt(lesson_of("the lace tore"), at=NOON, learnt_until=NOON + HOUR, since=both)
    assert store.adopt(lesson_of("the heel fell off"), at=NOON, learnt_until=NOON + 3 * HOUR, since=both)


def test_a_lesson_from_older_corrections_is_adopted_where_nobody_adopted_another_meanwhile(store: Store) -> None:
    """The latest correction rests once its words are edited or forgotten, or came from a clock that runs ahead."""
    store.adopt(lesson_of(), at=NOON + 9 * HOUR, learnt_until=NOON + 9 * HOUR, since=None)
    assert store.adopt(lesson_of("the zip broke"), at=NOON, learnt_until=NOON, since=store.adopted())


def test_a_damaged_lesson_is_named_with_its_place_and_can_be_learnt_again(store: Store) -> None:
    lesson = lesson_of()
    store.adopt(lesson, at=NOON, learnt_until=NOON + HOUR, since=None)
    with store._write() as connection:  # noqa: SLF001 - no door of the store damages
        connection.execute(text("UPDATE lesson SET content = replace(content, 'sole', 'soul')"))
    with pytest.raises(SettingsError, match=r"lesson 1 in the database .* is damaged; `earful learn`"):
        store.lesson()
    assert store.adopt(lesson, at=NOON, learnt_until=NOON, since=store.adopted())  # from fewer corrections, too
    mended = store.lesson()
    assert mended is not None
    assert mended.content == lesson.content


def test_a_correction_holds_though_the_mention_is_judged_at_the_same_moment(
    store: Store, say: Say, judge: Judge
) -> None:
    for key in (f"forum:{number}" for number in range(10)):
        hear(store, say(key))
        store.save_analyses([judge(key)])
        told = say_of(store, key, lane="noise")
        with ThreadPoolExecutor(2) as both:
            judged = both.submit(store.save_analyses, [judge(key, "v2")])
            kept = both.submit(store.correct, told)
        assert judged.result() == 1
        assert kept.result() is not None
        latest = store.analysis(key)
        assert latest is not None
        assert (latest.lane, latest.version) == (Lane.NOISE, "v2")
