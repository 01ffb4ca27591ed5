"""What a bad sink does wrong costs points, and the reason names it."""

from threading import Lock
from typing import Any, ClassVar

import httpx
import pytest

from connectors.conform.counter import UPDATE, AtDesk, Counter, times
from connectors.conform.delivery import delivered
from connectors.conform.grade import Failing, Grade, Severity
from connectors.conform.stage import Stage
from connectors.conform.world import Found
from connectors.contract import Sink
from pipeline.route import Alert
from tests.connectors.conform.help_desk import BareHelp, Diary, Help, HelpDesk, Honest
from tests.connectors.conform.toy import Bell, BellDesk

TWICE, DELETED, ITSELF = "the same alert twice", "a ticket that a person deleted", "what it says of itself"


def grade(flaw: str, only: str, sink: type[Sink] = Help, desk: type[HelpDesk] = HelpDesk) -> Grade:
    class Flawed(desk):
        def settings(self, address: str) -> dict[str, Any]:
            return {**super().settings(address), "flaw": flaw}

    return delivered(sink, Flawed, {only})


def the_failing(found: Grade, fault: str) -> Failing:
    (failing,) = [each for each in found.failings if each.fault == fault]
    return failing


def test_a_sink_that_keeps_a_ticket_and_every_rule_keeps_all_points() -> None:
    found = delivered(Help, HelpDesk)
    assert found.failings == []
    assert (found.letter, found.points, found.untried) == ("A", 100, None)
    assert {TWICE, DELETED, ITSELF, "a case that is settled"} <= {*found.passed}


@pytest.mark.parametrize("occasion", ["an update", "a solve", "a reopening"])
@pytest.mark.parametrize(
    "fault",
    ["500, broken", "429 with seconds to wait", "a connection reset between two pages", "a slow first byte"],
)
def test_an_alert_lost_later_than_the_first_costs_everything(occasion: str, fault: str) -> None:
    found = grade(f"swallows {occasion}", fault)
    told = the_failing(found, fault)
    assert (told.severity, found.letter) == (Severity.LOST, "F")
    assert f"of {occasion}: counted as sent though" in told.happened


def test_a_state_that_is_left_out_at_the_second_try_is_lost() -> None:
    told = the_failing(grade("words before the state", "500, broken"), "500, broken")
    assert told.severity is Severity.LOST
    assert "request 3 of a solve: after another try the case is still open there" in told.happened


def test_a_case_that_is_never_opened_again_is_lost() -> None:
    told = the_failing(grade("never opens it again", "a case that is settled"), "a case that is settled")
    assert (told.severity, told.happened) == (Severity.LOST, "a case that is open again is not to be seen")


def test_a_case_that_opens_again_without_what_was_said_of_it_is_lost() -> None:
    told = the_failing(grade("opens it without a word", "a case that is settled"), "a case that is settled")
    assert (told.severity, told.happened) == (Severity.LOST, "what was said when the case opened again is nowhere")


def test_an_alert_that_goes_to_a_deleted_ticket_is_lost() -> None:
    told = the_failing(grade("forgets what was deleted", DELETED), DELETED)
    assert told.severity is Severity.LOST
    assert told.happened == "deleted before request 2 of an update: counted as sent though its words are nowhere"


def test_a_key_that_is_declared_and_not_honoured_is_found_out() -> None:
    told = the_failing(grade("says it twice", TWICE), TWICE)
    assert told.severity is Severity.REPEATED
    assert "an update: it declares honours_key, and a person finds twice" in told.happened

    class Boasting(Bell, frozen=True):
        honours_key = True

    told = the_failing(delivered(Boasting, BellDesk, {TWICE}), TWICE)
    assert told.severity is Severity.REPEATED
    assert "a delivery: it declares honours_key, and a person finds twice" in told.happened
    reset = "a connection reset between two pages"
    assert the_failing(delivered(Boasting, BellDesk, {reset}), reset).happened.endswith("a person finds it twice")


def test_a_key_that_is_honoured_and_not_declared_is_found_out() -> None:
    told = the_failing(grade("none", TWICE, Honest), TWICE)
    assert told.severity is Severity.TOLD
    assert "a person finds once what was sent twice" in told.happened


def test_what_is_said_twice_where_nobody_can_know_costs_nothing_if_the_sink_owns_up_to_it() -> None:
    assert grade("says it twice", TWICE, Honest, Diary).failings == []
    told = the_failing(grade("none", TWICE, Honest, Diary), TWICE)
    assert (told.severity, "a person finds once what was sent twice" in told.happened) == (Severity.TOLD, True)


def test_a_message_that_a_person_deletes_may_be_rung_twice_by_a_sink_without_keys() -> None:
    class Wiped(BellDesk):
        def delete(self) -> bool:
            return bool(self.rung and self.rung.pop())

    class Boasting(Bell, frozen=True):
        honours_key = True

    found = delivered(Bell, Wiped, {DELETED})
    assert (found.failings, DELETED in found.passed) == ([], True)
    told = the_failing(delivered(Boasting, Wiped, {DELETED}), DELETED)
    assert told.severity is Severity.REPEATED
    assert told.happened == "deleted before request 1 of an update: a person finds it twice"


def test_what_came_before_is_counted_to_no_occasion_where_a_desk_cannot_be_copied() -> None:
    class Locked(HelpDesk):
        def __init__(self) -> None:
            super().__init__()
            self.lock = Lock()

    class Marked(HelpDesk):
        """Its mark is another thing in a copy."""

        def __init__(self) -> None:
            super().__init__()
            self.marks = [Marked.mark]

        def found(self) -> list[Found]:
            return super().found() if self.marks[0] is Marked.mark else []

        mark: ClassVar[list[str]] = []

    counts = []
    for desk in (HelpDesk, Locked, Marked):
        stage = Stage(AtDesk(desk()))
        with stage.serving() as address:
            sink = Help.model_validate({"name": "conform", **desk().settings(address)})
            counter = Counter(sink, stage, desk, address, [])
            counts.append((counter.clean(UPDATE).requests, len(counter.clean(UPDATE).found)))
            counter.begin(UPDATE)
            assert [times(counter.found(), number) for number in (1, 2)] == [1, 0]
    assert counts == [(2, 1)] * 3


@pytest.mark.parametrize(
    ("flaw", "fault", "where"),
    [
        ("logs what it sends", "500, broken", "the logger help at level INFO, in base64"),
        ("logs it encoded", "500, broken", "the logger help at level DEBUG, encoded for a URL"),
        ("raises it", "500, broken", "a secret of the settings"),
        ("raises it from another", "500, broken", "a secret of the settings"),
        ("writes it on the receipt", TWICE, "a receipt, as it is"),
    ],
)
def test_a_secret_that_is_told_is_found_in_every_form(flaw: str, fault: str, where: str) -> None:
    told = the_failing(grade(flaw, fault), fault)
    assert told.severity is Severity.SECRET
    assert where in told.happened


def test_a_secret_that_stands_openly_in_the_settings_is_found() -> None:
    told = the_failing(grade("none", ITSELF, BareHelp), ITSELF)
    assert (told.severity, told.happened) == (Severity.SECRET, "repr() tells a secret, as it is")


def test_where_it_fails_when_nothing_goes_wrong_there_is_no_grade_to_be_proud_of() -> None:
    class Mumbling(Bell, frozen=True):
        def send(self, http: httpx.Client, alert: Alert) -> str:
            return super().send(http, alert.model_copy(update={"text": "Wordnumber1 says the pair"}))

    found = delivered(Mumbling, BellDesk)
    assert [each.severity for each in found.failings] == [Severity.DISTORTED]
    assert (found.letter, found.points, found.passed) == (None, None, [])
    assert found.untried == "it fails even where nothing goes wrong, and every fault would find the same again"
    assert not found.conforms
