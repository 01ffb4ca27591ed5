"""Every help desk keeps one ticket for a case, whatever goes wrong between two requests."""

from collections.abc import Callable
from typing import Any, Protocol

import httpx
import pytest
from pydantic import TypeAdapter

from connectors import AnySink
from connectors.client import open_client
from connectors.conform.desks.freshdesk import FreshdeskDesk
from connectors.conform.desks.jira import JiraDesk
from connectors.conform.desks.zendesk_ticket import ZendeskDesk
from connectors.conform.world import Desk
from connectors.contract import Sink
from pipeline.errors import ChangedError, EarfulError, RefusedError, TemporaryError
from pipeline.route import Alert
from pipeline.triage import Urgency
from tests.connectors.sinks.receivers import NOON, an_alert

ADDRESS = "http://127.0.0.1:9"
CASE = "C-7H2QK4MZ5P"
OPENED = an_alert(case=CASE, key="alert_1", urgency=Urgency.NORMAL)
GRAVE = an_alert(
    case=CASE, key="alert_2", urgency=Urgency.CRITICAL, text="It cut my ankle.", title="Hike: injury (now grave)"
)
SOLVED = an_alert(
    case=CASE, key="alert_3", kind="solved", urgency=None, reply_by=None, text="All is well, thanks!", why=["refunded"]
)
AGAIN = an_alert(case=CASE, key="alert_4", text="It broke again.", title="Hike: delivery (the author is back)")
STORY = (OPENED, GRAVE, SOLVED, AGAIN)


class _HelpDesk(Protocol):
    def __call__(self) -> Desk: ...


DESKS: list[_HelpDesk] = [ZendeskDesk, JiraDesk, FreshdeskDesk]
Spoil = Callable[[int, httpx.Request, httpx.Response], httpx.Response]


def client(
    desk: Desk, spoil: Spoil = lambda _, __, answer: answer, asked: list[httpx.Request] | None = None
) -> httpx.Client:
    """A client of the desk; `spoil` gets each answer, with its number from 0, after the desk has taken the request."""
    heard = [] if asked is None else asked

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        return spoil(len(heard) - 1, request, desk.answer(request, NOON))

    return open_client(attempts=1, transport=httpx.MockTransport(answer), sleep=lambda _: None)


def sink_of(desk: Desk, **more: Any) -> Sink:  # noqa: ANN401 - any setting
    sink: Sink = TypeAdapter(AnySink).validate_python({"name": "out", **desk.settings(ADDRESS), **more})
    return sink


def outcome(sink: Sink, http: httpx.Client, *alerts: Alert) -> str:
    """What came of it, in words: the last receipt, or the error with how many seconds it asks to wait."""
    try:
        return [sink.send(http, alert) for alert in alerts][-1]
    except EarfulError as error:
        wait = error.retry_after if isinstance(error, TemporaryError) else None
        return f"{type(error).__name__}: {error}" + (f" [{wait.total_seconds():.0f} s]" if wait else "")


@pytest.fixture(params=DESKS, ids=lambda desk: desk.kind)
def desk(request: pytest.FixtureRequest) -> Desk:
    made: Desk = request.param()
    return made


def test_a_case_is_one_ticket_from_its_opening_to_its_return(desk: Desk) -> None:
    sink, states = sink_of(desk), []
    with client(desk) as http:
        receipts = set()
        for alert in STORY:
            receipts.add(sink.send(http, alert))
            (found,) = desk.found()
            assert found.key == CASE
            assert alert.text.split("\n")[0] in found.text
            states.append(found.open)
    assert states == [True, True, False, True]
    assert len(receipts) == 1
    assert receipts.pop().startswith("ticket ")


def test_what_is_told_twice_stands_there_once(desk: Desk) -> None:
    sink = sink_of(desk)
    with client(desk) as http:
        for alert in (OPENED, OPENED, GRAVE, OPENED, GRAVE, SOLVED, SOLVED):
            sink.send(http, alert)
    (found,) = desk.found()
    assert [found.text.count(alert.key) for alert in (OPENED, GRAVE, SOLVED)] == [1, 1, 1]
    assert not found.open


def test_two_cases_are_two_tickets_and_so_are_two_alerts_about_none(desk: Desk) -> None:
    sink = sink_of(desk)
    with client(desk) as http:
        sink.send(http, OPENED)
        sink.send(http, an_alert(case="C-AAAAAAAAAA", key="alert_9"))
        sink.send(http, an_alert(case=None, key="alert_w1", kind="watch"))
        sink.send(http, an_alert(case=None, key="alert_w2", kind="watch"))
        sink.send(http, an_alert(case=None, key="alert_w1", kind="watch"))
    assert [found.key for found in desk.found()] == [CASE, "C-AAAAAAAAAA", "alert_w1", "alert_w2"]


def test_the_end_of_a_case_nobody_made_a_ticket_of_makes_none(desk: Desk) -> None:
    with client(desk) as http:
        assert sink_of(desk).send(http, SOLVED) == "no ticket that is open"
    assert desk.found() == []


def requests_of(desk: Desk) -> list[httpx.Request]:
    """What the whole story asks of a desk."""
    asked: list[httpx.Request] = []
    with client(desk, asked=asked) as http:
        for alert in STORY:
            sink_of(desk).send(http, alert)
    return asked


@pytest.mark.parametrize("taken", [True, False], ids=["the answer is lost", "the request is lost"])
@pytest.mark.parametrize("kind", DESKS, ids=lambda desk: desk.kind)
def test_cut_off_at_any_request_and_sent_again_there_is_one_ticket_with_everything_once(
    kind: _HelpDesk, *, taken: bool
) -> None:
    for cut in range(len(requests_of(kind()))):
        desk, left = kind(), [cut]

        def answer(request: httpx.Request, desk: Desk = desk, left: list[int] = left) -> httpx.Response:
            left[0] -= 1
            if left[0] == -1:
                if taken:
                    desk.answer(request, NOON)
                raise httpx.ReadTimeout("cut", request=request)
            return desk.answer(request, NOON)

        with open_client(attempts=1, transport=httpx.MockTransport(answer), sleep=lambda _: None) as http:
            for alert in STORY:
                try:
                    sink_of(desk).send(http, alert)
                except TemporaryError:
                    sink_of(desk).send(http, alert)
        (found,) = desk.found()
        assert found.open, f"cut at request {cut}"
        told = [found.text.count(alert.key) for alert in STORY]
        # A comment whose answer was lost is looked for before it is written again.
        assert told == [1, 1, 1, 1], f"cut at request {cut}"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *[(status, ChangedError) for status in (400,)],
        *[(status, RefusedError) for status in (301, 302, 401, 403, 404, 405, 410, 422)],
        *[(status, TemporaryError) for status in (408, 429, 500, 502, 503, 504)],
    ],
)
@pytest.mark.parametrize("kind", DESKS, ids=lambda desk: desk.kind)
def test_each_status_at_each_request_becomes_its_error_and_names_no_secret(
    kind: _HelpDesk, status: int, error: type[EarfulError]
) -> None:
    for at in range(len(asked := requests_of(kind()))):
        if asked[at].method == "PUT" and isinstance(kind(), JiraDesk) and error is not TemporaryError:
            continue  # a label is nice to have: see below
        desk = kind()

        def spoil(number: int, _: httpx.Request, answer: httpx.Response, at: int = at) -> httpx.Response:
            return httpx.Response(status, html="<p>conform-hush</p>") if number == at else answer

        with client(desk, spoil) as http:
            said = outcome(sink_of(desk), http, *STORY)
        assert said.startswith(error.__name__)
        assert "127.0.0.1" in said
        assert "conform-hush" not in said
        assert "parcel" not in said


@pytest.mark.parametrize("body", ["<html>Log in</html>", "null", "[]", "{}", "", '{"ticket": 4}'])
def test_an_answer_of_another_form_is_named_and_counts_for_nothing(desk: Desk, body: str) -> None:
    with (
        client(desk, lambda *_: httpx.Response(200, text=body)) as http,
        pytest.raises(ChangedError),
    ):
        sink_of(desk).send(http, OPENED)


def test_a_ticket_a_person_closed_is_not_reopened_by_an_old_alert(desk: Desk) -> None:
    sink = sink_of(desk)
    with client(desk) as http:
        for alert in (OPENED, SOLVED, OPENED):
            sink.send(http, alert)
    assert not desk.found()[0].open
