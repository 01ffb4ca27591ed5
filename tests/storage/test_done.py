from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.analysis import Analysis
from pipeline.case import Case, CaseState
from pipeline.correction import Question, corrections
from pipeline.mention import Mention
from pipeline.route import Alert
from storage.store import Store

Complain = Callable[..., Case]
Tell = Callable[..., Alert]
Judge = Callable[..., Analysis]
Say = Callable[..., Mention]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def judged(store: Store, say: Say, judge: Judge) -> Store:
    """Five judged mentions, an hour apart."""
    mentions = [say(f"forum:{hour}", said_at=NOON + hour * HOUR) for hour in range(5)]
    store.save("forum", mentions, [{}] * 5, [], None, heard_at=NOON)
    store.save_analyses([judge(mention.key) for mention in mentions])
    return store


def left(store: Store, since: datetime = NOON, limit: int = 9) -> list[str]:
    return [mention.key for mention, _ in store.unhandled(since, limit)]


def test_the_case_step_is_given_recent_judgements_until_it_has_seen_them(judged: Store, judge: Judge) -> None:
    assert left(judged, since=NOON + HOUR, limit=3) == ["forum:1", "forum:2", "forum:3"]
    judged.mark_handled([judge("forum:0"), judge("forum:1"), judge("forum:2"), judge("forum:4")])
    judged.mark_handled([judge("forum:3", "v0")])
    assert left(judged) == ["forum:3"]
    judged.mark_handled([])
    judged.mark_handled([judge("forum:3")])
    assert left(judged) == []


def test_the_case_step_is_given_what_any_version_judged_the_oldest_first(judged: Store, judge: Judge) -> None:
    judged.save_analyses([judge("forum:1", "v0"), judge("forum:2", "v2"), judge("forum:3", "v0")])
    assert left(judged, limit=3) == ["forum:0", "forum:1", "forum:2"]
    assert left(judged, since=NOON + 2 * HOUR) == ["forum:2", "forum:3", "forum:4"]


@pytest.mark.parametrize(
    ("seen", "said", "due"),
    [
        ({"lane": "noise", "needs_reply": False, "category": None, "urgency": None}, {Question.LANE: "service"}, True),
        ({"lane": "experience", "needs_reply": False}, {Question.SENTIMENT: "positive"}, True),
        ({}, {Question.LANE: "noise"}, True),
        ({}, {}, False),
    ],
)
def test_what_a_person_corrected_while_the_case_step_ran_has_not_been_seen(
    store: Store, say: Say, judge: Judge, seen: dict[str, Any], said: dict[Question, str], *, due: bool
) -> None:
    store.save("forum", [say()], [{}], [], None, heard_at=NOON)
    store.save_analyses([judge(**seen)])
    ((_, analysis),) = store.unhandled(NOON, 9)
    if said:
        store.correct(corrections(analysis, [], said, by="Ann", at=NOON))
    store.mark_handled([analysis])
    assert bool(left(store)) == due


@pytest.mark.parametrize(
    "said",
    [{Question.LANE: "noise"}, {Question.CATEGORY: "delivery"}, {Question.URGENCY: "low"}],
)
def test_no_case_is_made_of_answers_that_a_person_corrected_while_it_was_decided(
    store: Store, say: Say, judge: Judge, complain: Complain, said: dict[Question, str]
) -> None:
    store.save("forum", [say()], [{}], [], None, heard_at=NOON)
    store.save_analyses([judge()])
    ((_, analysis),) = store.unhandled(NOON, 9)
    store.correct(corrections(analysis, [], said, by="Ann", at=NOON))
    assert not store.write(complain(), analysis, [])
    assert store.counts().cases == 0
    assert left(store) == ["forum:1"]


def test_a_step_keeps_the_case_links_the_mention_and_puts_its_alerts_out(
    judged: Store, complain: Complain, tell: Tell, judge: Judge
) -> None:
    assert judged.case_of("forum:0") is None
    told = [tell(sink="chat", case="C-1"), tell(sink="mail", case="C-1")]
    assert judged.write(complain(mention="forum:0"), judge("forum:0"), told)
    assert judged.case_of("forum:0") == complain(mention="forum:0")
    assert left(judged) == ["forum:1", "forum:2", "forum:3", "forum:4"]
    assert [one.alert for one in judged.alerts_of("C-1")] == told


def test_the_same_step_taken_twice_is_taken_once(judged: Store, complain: Complain, tell: Tell, judge: Judge) -> None:
    case = complain(mention="forum:0")
    assert judged.write(case, judge("forum:0"), [tell()])
    judged.close("C-1", "answered", NOON)
    assert not judged.write(case, judge("forum:0"), [tell("A-2")])
    assert (judged.counts().waiting, judged.counts().cases) == (0, 1)
    assert judged.counts().alerts == {"chat": (1, 0)}


def test_a_step_decided_on_a_case_that_has_changed_since_is_not_taken(
    judged: Store, complain: Complain, tell: Tell, judge: Judge
) -> None:
    case = complain(mention="forum:0")
    judged.write(case, judge("forum:0"), [])
    joined = case.model_copy(update={"last_said_at": NOON + HOUR})
    judged.close("C-1", "a person answered", NOON + HOUR)

    assert not judged.write(joined, judge("forum:1"), [tell()], was=case)
    assert left(judged)[0] == "forum:1"
    assert judged.case_of("forum:1") is None
    assert judged.counts().alerts == {}

    now = judged.case("C-1")
    assert now is not None
    assert judged.write(now.model_copy(update={"state": CaseState.OPEN}), judge("forum:1"), [], was=now)
    assert judged.counts().waiting == 1


def test_related_cases_are_those_of_the_author_the_thread_or_the_words(
    judged: Store, complain: Complain, judge: Judge
) -> None:
    words = "f" * 32
    for hour, said in enumerate(
        [{"author": "ann"}, {"author": "bob", "thread": "t"}, {"author": "cy", "fingerprint": words}, {"author": "dan"}]
    ):
        case = complain(f"C-{hour}", f"forum:{hour}", last_said_at=NOON + hour * HOUR, **said)
        judged.write(case, judge(f"forum:{hour}"), [])
    judged.close("C-1", "settled", NOON)

    def related(
        author: str | None = None, thread: str | None = None, fingerprint: str = "", since: int = 0
    ) -> list[str]:
        found = judged.related(
            author=author, source="forum", thread=thread, fingerprint=fingerprint, since=NOON + since * HOUR
        )
        return [case.key for case in found]

    assert related("ann", "t", words) == ["C-2", "C-1", "C-0"]
    assert related("ann", "t", words, since=1) == ["C-2", "C-1"]
    assert related() == related("nobody", "nowhere", "0") == []
    assert judged.related(author="ann", source="mail", thread=None, fingerprint="", since=NOON) == []


def test_an_author_or_a_thread_of_any_length_can_have_a_case(judged: Store, complain: Complain, judge: Judge) -> None:
    long = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(20_000))
    assert judged.write(complain(author=long, thread=long), judge("forum:0"), [])
    assert judged.related(author=long, source="forum", thread=None, fingerprint="", since=NOON)


def test_cases_come_with_what_was_said_the_nearest_deadline_first(
    judged: Store, complain: Complain, say: Say, judge: Judge
) -> None:
    judged.write(complain("C-late", "forum:0", reply_by=NOON + 9 * HOUR), judge("forum:0"), [])
    judged.write(complain("C-soon", "forum:1", reply_by=NOON + HOUR, opened_at=NOON + HOUR), judge("forum:1"), [])
    soon = judged.case("C-soon")
    assert soon is not None
    judged.write(soon, judge("forum:2"), [], was=soon)
    judged.write(complain("C-done", "forum:3"), judge("forum:3"), [])
    judged.save("forum", [say("forum:2", text="edited")], [{}], [], None, heard_at=NOON)
    assert judged.close("C-done", "answered", NOON + HOUR)

    files = judged.cases()
    assert [file.case.key for file in files] == ["C-soon", "C-late"]
    assert [(mention.key, analysis) for mention, analysis in files[0].said] == [
        ("forum:2", None),
        ("forum:1", judge("forum:1")),
    ]
    assert [file.case.key for file in judged.cases(everything=True)] == ["C-soon", "C-late", "C-done"]
    assert [file.case.key for file in judged.cases(1, everything=True)] == ["C-soon"]
    assert [case.key for case in judged.cases_between(NOON, NOON + HOUR)] == ["C-done", "C-late"]


def test_a_case_is_closed_once_with_a_reason(judged: Store, complain: Complain, judge: Judge) -> None:
    judged.write(complain(mention="forum:0"), judge("forum:0"), [])
    assert judged.close("C-1", "refunded", NOON + HOUR)
    assert not judged.close("C-1", "again", NOON + 2 * HOUR)
    assert not judged.close("C-none", "again", NOON)
    closed = judged.case("C-1")
    assert closed is not None
    assert (closed.state, closed.closed_because, closed.closed_at) == (CaseState.CLOSED, "refunded", NOON + HOUR)


def test_who_holds_something_of_a_case_hears_with_its_closing_that_it_is_over(
    judged: Store, complain: Complain, tell: Tell, judge: Judge
) -> None:
    told = [tell("A-1", "pager", case="C-1"), tell("A-1", "mail", case="C-1")]
    judged.write(complain(mention="forum:0"), judge("forum:0"), told)
    assert judged.close("C-1", "refunded", NOON + HOUR, settling=["pager", "helpdesk"])
    (end,) = [one.alert for one in judged.alerts_of("C-1") if one.alert.kind == "solved"]
    assert (end.sink, end.why, end.made_at) == ("pager", ["refunded"], NOON + HOUR)
    assert not judged.close("C-1", "again", NOON + 2 * HOUR, settling=["pager"])
    assert len(judged.alerts_of("C-1")) == 3
