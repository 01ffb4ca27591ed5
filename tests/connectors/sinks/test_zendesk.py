"""Zendesk: what the API asks for, and what only it can do."""

import json
from pathlib import Path

import httpx
import pytest

from connectors.client import open_client
from connectors.conform.desks.zendesk_ticket import ZendeskDesk
from connectors.sinks.zendesk import ZendeskTicket
from pipeline.errors import ChangedError, RefusedError, TemporaryError
from pipeline.triage import Urgency
from tests.connectors.sinks.receivers import NOON, an_alert
from tests.connectors.sinks.test_tickets import AGAIN, CASE, OPENED, SOLVED, client, outcome, sink_of


def test_a_ticket_is_made_as_documented_and_mails_nobody() -> None:
    desk, asked = ZendeskDesk(), list[httpx.Request]()
    with client(desk, asked=asked) as http:
        sink_of(desk, group_id=7, tags=["earful", "social"]).send(http, OPENED)
    looked, made = asked
    assert looked.url.raw_path == f"/api/v2/tickets.json?external_id={CASE}".encode()
    assert (made.method, made.url.path, made.headers["idempotency-key"]) == ("POST", "/api/v2/tickets.json", "alert_1")
    ticket = json.loads(made.content)["ticket"]
    assert ticket.pop("comment")["public"] is False
    assert ticket == {
        "subject": "Hike: delivery",
        "external_id": CASE,
        "tags": ["earful", "social"],
        "priority": "normal",
        "group_id": 7,
    }


def test_a_strangers_words_are_no_markup_and_no_placeholder() -> None:
    desk, asked = ZendeskDesk(), list[httpx.Request]()
    with client(desk, asked=asked) as http:
        sink_of(desk).send(
            http, an_alert(text="<img src=x> {{ticket.requester.email}} {{{ticket.id}}} {{{% x %}", title="{{x}}")
        )
    body = json.loads(asked[1].content)["ticket"]
    assert "{{" not in json.dumps(body)
    assert "{%" not in json.dumps(body)
    assert "&lt;img src=x&gt;" in body["comment"]["html_body"]


def test_what_becomes_grave_becomes_urgent_and_nothing_else_changes_what_people_set() -> None:
    desk = ZendeskDesk()
    with client(desk) as http:
        sink_of(desk).send(http, OPENED)
        desk.tickets[0]["priority"] = "high"
        sink_of(desk).send(http, an_alert(case=CASE, key="alert_5", urgency=Urgency.LOW))
        assert desk.tickets[0]["priority"] == "high"
        sink_of(desk).send(http, an_alert(case=CASE, key="alert_6", urgency=Urgency.CRITICAL))
        assert desk.tickets[0]["priority"] == "urgent"


def test_a_ticket_put_away_for_good_is_followed_up_by_another() -> None:
    desk = ZendeskDesk()
    with client(desk) as http:
        sink_of(desk).send(http, OPENED)
        desk.tickets[0]["status"] = "closed"
        assert sink_of(desk).send(http, SOLVED) == "no ticket that is open"
        assert sink_of(desk).send(http, AGAIN) == "ticket 4015"
        assert desk.tickets[1]["after"] == 4014
        assert sink_of(desk).send(http, SOLVED) == "ticket 4015"


def test_a_ticket_that_is_nobodys_is_solved_by_our_agent_and_anothers_stays_theirs() -> None:
    desk = ZendeskDesk()
    with client(desk) as http:
        for alert in (OPENED, SOLVED):
            sink_of(desk).send(http, alert)
        assert (desk.tickets[0]["status"], desk.tickets[0]["assignee_id"]) == ("solved", 135)
        desk.tickets[0].update(status="open", assignee_id=7)
        sink_of(desk).send(http, an_alert(case=CASE, key="alert_9", kind="solved"))
        assert (desk.tickets[0]["status"], desk.tickets[0]["assignee_id"]) == ("solved", 7)


def test_where_a_form_lets_no_ticket_be_solved_the_words_stand_there_and_somebody_hears_of_it_once() -> None:
    desk = ZendeskDesk()
    demands = {"error": "RecordInvalid", "details": {"Order number": [{"error": "BlankValue"}]}}

    def form(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content or b"{}").get("ticket", {})
        return httpx.Response(422, json=demands) if asked.get("status") == "solved" else desk.answer(request, NOON)

    with open_client(attempts=1, transport=httpx.MockTransport(form), sleep=lambda _: None) as http:
        assert outcome(sink_of(desk), http, OPENED) == "ticket 4014"
        assert "does not take these fields: Order number" in outcome(sink_of(desk), http, SOLVED)
        assert outcome(sink_of(desk), http, SOLVED) == "ticket 4014"
    (found,) = desk.found()
    assert found.text.count(SOLVED.key) == 1
    assert found.open


def test_where_the_token_may_not_read_who_it_is_the_words_stand_there_and_somebody_hears_of_it_once() -> None:
    desk = ZendeskDesk()

    def shut(request: httpx.Request) -> httpx.Response:
        me = request.url.path.endswith("/users/me.json")
        return httpx.Response(403, json={"error": "Forbidden"}) if me else desk.answer(request, NOON)

    with open_client(attempts=1, transport=httpx.MockTransport(shut), sleep=lambda _: None) as http:
        assert outcome(sink_of(desk), http, OPENED) == "ticket 4014"
        assert "does not take these fields: base" in outcome(sink_of(desk), http, SOLVED)
        assert outcome(sink_of(desk), http, SOLVED) == "ticket 4014"
    (found,) = desk.found()
    assert found.text.count(SOLVED.key) == 1
    assert found.open


def test_a_deleted_ticket_and_one_of_another_id_are_not_this_cases() -> None:
    desk = ZendeskDesk()
    with client(desk) as http:
        sink_of(desk).send(http, OPENED)
        desk.tickets[0]["status"] = "deleted"
        desk.tickets.append({**desk.tickets[0], "id": 1, "status": "open", "external_id": "C-OTHER"})

    def spoil(number: int, _: httpx.Request, answer: httpx.Response) -> httpx.Response:
        return httpx.Response(200, json={"tickets": desk.tickets}) if number == 0 else answer

    with client(desk, spoil) as http:
        assert sink_of(desk).send(http, AGAIN) == "ticket 4016"


def test_without_a_username_the_token_is_a_bearers() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(401, json={"error": "Couldn't authenticate you"})

    sink = ZendeskTicket.model_validate({"name": "out", "api": "https://example.zendesk.com", "token": "hush"})
    with (
        open_client(transport=httpx.MockTransport(answer)) as http,
        pytest.raises(RefusedError, match="missing, wrong or revoked"),
    ):
        sink.send(http, OPENED)
    assert asked[0].headers["authorization"] == "Bearer hush"


def test_a_ticket_changed_in_the_same_moment_is_tried_again_later() -> None:
    conflict = httpx.Response(409, json={"error": "conflict", "description": "Ticket was updated"})
    with client(ZendeskDesk(), lambda *_: conflict) as http, pytest.raises(TemporaryError, match="same moment"):
        sink_of(ZendeskDesk()).send(http, OPENED)


def test_each_recorded_answer_is_understood(shared: Path) -> None:
    came = []
    for file in ("create_ticket", "error_404", "errors_and_satisfaction"):
        recorded = json.loads((shared / f"fixtures/zendesk/{file}.json").read_text(encoding="utf-8"))
        for exchange in recorded["interactions"]:
            told = exchange["response"]
            if "satisfaction" in exchange["request"]["url"]:
                continue
            answer = httpx.Response(told["status"], json=told["json"], headers=told["headers"])

            def spoil(
                number: int, _: httpx.Request, usual: httpx.Response, answer: httpx.Response = answer
            ) -> httpx.Response:
                return answer if number else usual

            with client(ZendeskDesk(), spoil) as http:
                came.append(outcome(sink_of(ZendeskDesk()), http, OPENED))
    assert came[0] == "ticket 4014"
    kinds = [said.partition(":")[0] for said in came[1:]]
    assert kinds == ["RefusedError", "TemporaryError", "RefusedError", "RefusedError"]
    assert "does not take these fields: base" in came[3]
    assert "blank" not in came[3]
    assert came[2].endswith("[27 s]")


def test_an_answer_without_a_ticket_is_named() -> None:
    def spoil(number: int, _: httpx.Request, usual: httpx.Response) -> httpx.Response:
        return httpx.Response(201, json={"ticket": None}) if number else usual

    with client(ZendeskDesk(), spoil) as http, pytest.raises(ChangedError, match="without a ticket's id"):
        sink_of(ZendeskDesk()).send(http, OPENED)
