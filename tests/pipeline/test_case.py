from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.analysis import Analysis
from pipeline.case import DELETED, Case, CaseState, Decision, Step, carry_out, case_key, concerns, decide, fingerprint
from pipeline.mention import Mention

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
WITHIN = timedelta(days=3)
LONG = "I ordered two pairs of the Talus 3 a month ago and nobody tells me where they are."


@pytest.fixture
def opened(mention: Callable[..., Mention], analysis: Callable[..., Analysis]) -> Callable[..., Case]:
    """The case that a mention opens."""

    def make(**said: object) -> Case:
        return step(Decision(Step.OPEN), mention(**said), analysis())[0]

    return make


def step(decision: Decision, mention: Mention, analysis: Analysis) -> tuple[Case, str | None]:
    return carry_out(decision, mention, analysis, route="r", team="t", reply_within=timedelta(hours=1), now=NOON)


def test_a_complaint_opens_a_case_with_a_deadline(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis]
) -> None:
    decision = decide(mention(), analysis(), [], join_within=WITHIN)
    assert decision == Decision(Step.OPEN)
    case, occasion = step(decision, mention(), analysis())
    assert occasion == "opened"
    assert case.reply_by == NOON + timedelta(hours=1)
    assert (case.category, case.first_mention, case.thread) == ("delivery", "mastodon:1", "mastodon:1")


def test_praise_opens_nothing(mention: Callable[..., Mention], thanks: Analysis) -> None:
    assert decide(mention(), thanks, [], join_within=WITHIN).step is Step.NOTHING


def test_the_same_author_complaining_again_joins_the_waiting_case_and_alerts_nobody_twice(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis], opened: Callable[..., Case]
) -> None:
    again = mention("mastodon:2", text="Hello? Anybody?", said_at=NOON + timedelta(hours=5))
    decision = decide(again, analysis(urgency="high"), [opened()], join_within=WITHIN)
    assert decision.step is Step.JOIN
    case, occasion = step(decision, again, analysis(urgency="high"))
    assert occasion is None
    assert case.urgency == "high"
    assert case.last_said_at == again.said_at


def test_a_grave_word_in_a_joined_case_alerts_at_once(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis], opened: Callable[..., Case]
) -> None:
    again = mention("mastodon:2", text="and it cut my foot open")
    grave = analysis(grave=["injury"], urgency="critical")
    case, occasion = step(decide(again, grave, [opened()], join_within=WITHIN), again, grave)
    assert occasion == "grave:mastodon:2"
    assert case.grave == ["injury"]


def test_another_author_in_the_same_thread_has_a_case_of_their_own(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis], opened: Callable[..., Case]
) -> None:
    me_too = mention("mastodon:2", author="ben", thread="mastodon:1", text="Same here, no parcel")
    assert decide(me_too, analysis(), [opened()], join_within=WITHIN).step is Step.OPEN


def test_a_repost_joins_the_case_of_the_first(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis], opened: Callable[..., Case]
) -> None:
    repost = mention("mastodon:2", author="ben", text=f"RT @mia: {LONG.upper()} https://x.example/1")
    assert decide(repost, analysis(), [opened(text=LONG)], join_within=WITHIN).step is Step.JOIN


def test_two_people_saying_the_same_few_words_are_two_cases(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis], opened: Callable[..., Case]
) -> None:
    other = mention("mastodon:2", author="ben", text="It crashes every time")
    assert decide(other, analysis(), [opened(text="It crashes every time")], join_within=WITHIN).step is Step.OPEN


def test_a_case_too_long_ago_is_not_joined(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis], opened: Callable[..., Case]
) -> None:
    later = mention("mastodon:2", said_at=NOON + WITHIN + timedelta(minutes=1))
    assert decide(later, analysis(), [opened()], join_within=WITHIN).step is Step.OPEN


def test_the_brands_own_reply_answers_the_case_and_the_author_coming_back_opens_it_again(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis], opened: Callable[..., Case], thanks: Analysis
) -> None:
    reply = mention("mastodon:2", author="hike", by_brand=True, parent="mastodon:1", said_at=NOON + timedelta(hours=1))
    decision = decide(reply, thanks, [opened()], join_within=WITHIN)
    assert decision.step is Step.ANSWER
    answered, occasion = step(decision, reply, thanks)
    assert occasion is None
    assert answered.answered_at == reply.said_at
    back = mention("mastodon:3", parent="mastodon:1", text="That did not help")
    decision = decide(back, analysis(), [answered], join_within=WITHIN)
    assert decision.step is Step.REOPEN
    waiting, occasion = step(decision, back, analysis())
    assert str(occasion).startswith("again:mastodon:3:2")
    assert waiting.answered_at is None


def test_what_opened_a_case_and_is_shown_again_after_it_was_deleted_opens_that_case_again(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis], opened: Callable[..., Case]
) -> None:
    gone = {"author": None, "fingerprint": "", "state": CaseState.CLOSED, "closed_at": NOON, "closed_because": DELETED}
    empty = opened(text=LONG).model_copy(update=gone)
    decision = decide(mention(text=LONG), analysis(), [empty], join_within=WITHIN)
    assert decision == Decision(Step.REOPEN, empty)
    case, occasion = step(decision, mention(text=LONG), analysis())
    assert occasion == f"shown:mastodon:1:{NOON.isoformat()}"
    assert case == opened(text=LONG)
    waiting = opened().model_copy(update={"author": None})
    assert decide(mention(), analysis(), [waiting], join_within=WITHIN).step is Step.JOIN
    assert step(Decision(Step.JOIN, waiting), mention(), analysis()) == (opened(), None)


def test_thanks_of_the_author_in_the_same_thread_close_the_case(
    mention: Callable[..., Mention], opened: Callable[..., Case], thanks: Analysis
) -> None:
    happy = mention("mastodon:3", thread="mastodon:1", text="All sorted, thank you!", said_at=NOON + timedelta(hours=2))
    answered = opened().model_copy(update={"answered_at": NOON + timedelta(hours=1)})
    closed, occasion = step(decide(happy, thanks, [answered], join_within=WITHIN), happy, thanks)
    assert closed.state is CaseState.CLOSED
    assert closed.closed_because == "the author says it is settled"
    assert occasion is None


def test_a_cheerful_word_closes_nothing_unanswered_and_nothing_grave(
    mention: Callable[..., Mention], opened: Callable[..., Case], thanks: Analysis
) -> None:
    happy = mention(
        "mastodon:3", thread="mastodon:1", text="Great forum by the way!", said_at=NOON + timedelta(hours=2)
    )
    assert decide(happy, thanks, [opened()], join_within=WITHIN).step is Step.NOTHING
    grave = opened().model_copy(update={"answered_at": NOON + timedelta(hours=1), "grave": ["injury"]})
    assert decide(happy, thanks, [grave], join_within=WITHIN).step is Step.NOTHING
    before = mention("mastodon:3", thread="mastodon:1", text="Great!", said_at=NOON - timedelta(minutes=30))
    answered = opened().model_copy(update={"answered_at": NOON + timedelta(hours=1)})
    assert decide(before, thanks, [answered], join_within=WITHIN).step is Step.NOTHING


def test_a_reply_answers_the_case_it_replies_to_and_no_other(
    mention: Callable[..., Mention], opened: Callable[..., Case], thanks: Analysis
) -> None:
    ann = opened(key="hn:2", author="ann", thread="hn:1")
    bob = opened(key="hn:3", author="bob", thread="hn:1")
    reply = mention(
        "hn:4", author="hike", by_brand=True, parent="hn:2", thread="hn:1", said_at=NOON + timedelta(hours=1)
    )
    assert decide(reply, thanks, [bob, ann], join_within=WITHIN, replied_to=ann) == Decision(Step.ANSWER, ann)
    to_all = reply.model_copy(update={"parent": "hn:1"})
    assert decide(to_all, thanks, [bob, ann], join_within=WITHIN).step is Step.NOTHING
    assert decide(to_all, thanks, [ann], join_within=WITHIN) == Decision(Step.ANSWER, ann)


def test_what_the_brand_said_before_the_complaint_answers_nothing(
    mention: Callable[..., Mention], opened: Callable[..., Case], thanks: Analysis
) -> None:
    earlier = mention("x:0", author="hike", by_brand=True, thread="mastodon:1", said_at=NOON - timedelta(hours=1))
    assert decide(earlier, thanks, [opened()], join_within=WITHIN).step is Step.NOTHING


def test_a_complaint_about_another_brand_is_another_case(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis], opened: Callable[..., Case]
) -> None:
    rival = mention("mastodon:2", brand="Rival", text="And Rival is no better")
    assert decide(rival, analysis(), [opened(brand="Hike")], join_within=WITHIN).step is Step.OPEN


def test_a_repost_of_an_answered_complaint_is_a_case_of_its_own(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis], opened: Callable[..., Case]
) -> None:
    answered = opened(text=LONG).model_copy(update={"answered_at": NOON})
    repost = mention("mastodon:2", author="ben", text=LONG)
    assert decide(repost, analysis(), [answered], join_within=WITHIN).step is Step.OPEN


def test_praise_elsewhere_does_not_close_the_case(
    mention: Callable[..., Mention], opened: Callable[..., Case], thanks: Analysis
) -> None:
    elsewhere = mention("mastodon:3", text="Love the new colours")
    assert decide(elsewhere, thanks, [opened()], join_within=WITHIN).step is Step.NOTHING


def test_nameless_authors_share_a_case_only_within_a_thread(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis], opened: Callable[..., Case]
) -> None:
    nameless = opened(author=None, thread="file:t1")
    same = mention("file:2", author=None, thread="file:t1")
    other = mention("file:3", author=None, thread="file:t2")
    assert decide(same, analysis(), [nameless], join_within=WITHIN).step is Step.JOIN
    assert decide(other, analysis(), [nameless], join_within=WITHIN).step is Step.OPEN


def test_what_changes_no_case_concerns_none(mention: Callable[..., Mention], analysis: Callable[..., Analysis]) -> None:
    assert not concerns(mention(), analysis(lane="noise", needs_reply=False))
    assert concerns(mention(by_brand=True), analysis(lane="noise", needs_reply=False))


@given(st.text())
def test_a_fingerprint_does_not_see_case_handles_or_links(text: str) -> None:
    letters = "".join(letter for letter in text if letter.isascii() and letter.isalpha())
    dressed = f"RT @somebody: {letters.upper()} https://example.com/{len(text)}"
    assert fingerprint(dressed) == fingerprint(letters.lower())


@given(st.text(min_size=1), st.text(min_size=1))
def test_case_keys_are_the_same_for_the_same_mention_only(one: str, other: str) -> None:
    def keyed(native: str) -> str:
        return case_key(Mention(key=f"k:{native}"[:500], source="s", kind="post", text="", said_at=NOON))

    assert keyed(one) == keyed(one)
    if Mention(key=f"k:{one}"[:500], source="s", kind="post", text="", said_at=NOON).key != f"k:{other}":
        assert (keyed(one) == keyed(other)) == (one == other) or len(one) + len(other) > 400
