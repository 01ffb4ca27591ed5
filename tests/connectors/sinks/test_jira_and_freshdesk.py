"""Jira Service Management and Freshdesk: what their APIs ask for, and what only they can do."""

import json
from pathlib import Path

import httpx
import pytest

from connectors.conform.desks.freshdesk import FreshdeskDesk
from connectors.conform.desks.jira import JiraDesk
from connectors.sinks.jira import document
from pipeline.errors import RefusedError
from tests.connectors.sinks.receivers import an_alert
from tests.connectors.sinks.test_tickets import AGAIN, CASE, GRAVE, OPENED, SOLVED, client, outcome, sink_of

ATTACK = "{noformat} [~admin] !http://x/y.png! h1. *b* {{ticket.url}} <b>"


def test_a_request_is_made_as_documented_and_the_words_stand_inside() -> None:
    desk, asked = JiraDesk(), list[httpx.Request]()
    with client(desk, asked=asked) as http:
        assert sink_of(desk).send(http, an_alert(case=CASE, key="alert_1", text=ATTACK)) == "ticket SD-5"
    where, looked, made, labelled, said = asked
    assert where.url.path == "/rest/servicedeskapi/servicedesk/1"
    assert looked.url.params["jql"] == (
        'project = "SD" AND creator = currentUser() AND '
        f'(labels = "earful-{CASE}" OR summary ~ "\\"{CASE}\\"") ORDER BY created DESC'
    )
    assert json.loads(made.content) == {
        "serviceDeskId": "1",
        "requestTypeId": "25",
        "requestFieldValues": {
            "summary": f"Hike: delivery [{CASE}]",
            "description": "What was said stands in an internal comment of Earful.",
        },
    }
    assert (labelled.method, labelled.url.path) == ("PUT", "/rest/api/3/issue/SD-5")
    comment = json.loads(said.content)
    assert comment["properties"] == [{"key": "sd.public.comment", "value": {"internal": True}}]
    assert {"type": "text", "text": ATTACK} in comment["body"]["content"][2]["content"][0]["content"]


def test_every_node_of_a_comment_is_one_the_format_knows() -> None:
    for alert in (OPENED, GRAVE, SOLVED, an_alert(text="", who=None, url=None, why=[], kind="watch", title="")):
        nodes = [document(alert)]
        while nodes:
            node = nodes.pop()
            assert node["type"] in {"doc", "paragraph", "text", "blockquote", "bulletList", "listItem"}
            assert node.get("text") != ""  # the format allows no empty text
            assert node.get("content") != []
            nodes += node.get("content", [])


def test_a_project_that_lets_nobody_set_labels_knows_its_case_by_the_summary() -> None:
    desk = JiraDesk()

    def spoil(_: int, request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.method != "PUT":
            return answer
        desk.issues[0]["fields"]["labels"] = []
        said = "Field 'labels' cannot be set. It is not on the appropriate screen, or unknown."
        return httpx.Response(400, json={"errorMessages": [], "errors": {"labels": said}})

    with client(desk, spoil) as http:
        for alert in (OPENED, GRAVE, SOLVED):
            sink_of(desk).send(http, alert)
    (found,) = desk.found()
    assert GRAVE.text in found.text
    assert not found.open


def test_without_transitions_a_request_is_only_commented_on() -> None:
    desk = JiraDesk()
    sink = sink_of(desk, solved=None, reopened=None)
    with client(desk) as http:
        for alert in (OPENED, SOLVED):
            sink.send(http, alert)
    (found,) = desk.found()
    assert found.open
    assert SOLVED.text in found.text


def test_a_transition_that_does_not_exist_is_named_before_anything_is_said() -> None:
    desk = JiraDesk()
    with client(desk) as http:
        sink_of(desk).send(http, OPENED)
        with pytest.raises(RefusedError, match='no transition "Done" leads on'):
            sink_of(desk, solved="Done").send(http, SOLVED)
        assert SOLVED.text not in desk.found()[0].text
        sink_of(desk, solved="resolve this ISSUE").send(http, SOLVED)
        assert not desk.found()[0].open


def test_an_issue_that_only_looks_like_the_cases_is_not_taken_for_it() -> None:
    desk = JiraDesk()

    def spoil(number: int, _: httpx.Request, answer: httpx.Response) -> httpx.Response:
        other = {"key": "SD-1", "fields": {"summary": f"About {CASE}", "labels": None, "status": None}}
        return httpx.Response(200, json={"issues": [other, None, {"key": "SD-2"}]}) if number == 1 else answer

    with client(desk, spoil) as http:
        assert sink_of(desk).send(http, OPENED) == "ticket SD-5"


def test_a_request_a_stranger_made_for_the_case_is_not_taken_for_it_nor_one_of_another_desk() -> None:
    desk = JiraDesk()
    theirs = {"summary": f"[{CASE}]", "labels": [f"earful-{CASE}"], "creator": {"accountId": "mallory"}}
    elsewhere = {**theirs, "creator": {"accountId": "5b10ac8d82e05b22cc7d4ef5"}}
    status = {"name": "Open", "statusCategory": {"key": "new"}}
    for key, fields in (("SD-1", theirs), ("OTHER-1", elsewhere)):
        desk.issues.append({"key": key, "fields": {**fields, "status": status}})
        said = {"type": "text", "text": OPENED.key}
        desk.comments[key] = [{"author": fields["creator"], "body": {"type": "doc", "content": [said]}}]
    with client(desk) as http:
        assert sink_of(desk).send(http, OPENED) == "ticket SD-7"
    assert OPENED.text.split("\n")[0] in desk.found()[-1].text


def test_an_alerts_key_in_a_comment_of_somebody_else_does_not_stop_the_alert() -> None:
    desk = JiraDesk()
    with client(desk) as http:
        sink_of(desk).send(http, OPENED)
        body = {"type": "doc", "content": [{"type": "text", "text": GRAVE.key}]}
        desk.comments["SD-5"].append({"author": {"accountId": "mallory"}, "body": body})
        sink_of(desk).send(http, GRAVE)
    assert GRAVE.text in desk.found()[0].text


def test_each_documented_answer_of_jira_is_understood(shared: Path) -> None:
    came = []
    recorded = json.loads((shared / "fixtures/jira_service_management/request.json").read_text(encoding="utf-8"))
    for exchange in recorded["interactions"]:
        told, desk = exchange["response"], JiraDesk()
        answer = httpx.Response(told["status"], json=told["json"], headers=told["headers"])

        def spoil(
            number: int, _: httpx.Request, usual: httpx.Response, answer: httpx.Response = answer
        ) -> httpx.Response:
            return answer if number == 2 else usual

        with client(desk, spoil) as http:
            came.append(outcome(sink_of(desk), http, OPENED))
    assert came[0] == "ticket SD-5"
    assert came[1].startswith("TemporaryError")
    assert came[1].endswith("[12 s]")
    assert came[2].startswith("RefusedError")
    assert "sd.request.create.error.failed" in came[2]


def test_a_freshdesk_ticket_is_made_as_documented() -> None:
    desk, asked = FreshdeskDesk(), list[httpx.Request]()
    with client(desk, asked=asked) as http:
        sink_of(desk, group_id=7).send(http, an_alert(case=CASE, key="alert_1", text=ATTACK))
    sought, listed, made = asked
    assert sought.url.params["query"] == f"\"tag:'{CASE}'\""
    assert dict(listed.url.params) == {"per_page": "100", "order_by": "created_at"}
    ticket = json.loads(made.content)
    html = ticket.pop("description")
    assert "&lt;b&gt;" in html
    assert "{{" not in html
    assert ticket == {
        "subject": "Hike: delivery",
        "email": "ears@example.com",
        "status": 2,
        "priority": 3,
        "source": 2,
        "tags": ["earful", CASE],
        "group_id": 7,
    }


def test_a_note_of_freshdesk_is_private_and_what_is_grave_becomes_urgent() -> None:
    desk, asked = FreshdeskDesk(), list[httpx.Request]()
    with client(desk, asked=asked) as http:
        for alert in (OPENED, GRAVE):
            sink_of(desk).send(http, alert)
    assert json.loads(asked[-1].content)["private"] is True
    assert (asked[-2].method, json.loads(asked[-2].content)) == ("PUT", {"priority": 4})


def test_spam_and_deleted_tickets_are_not_added_to() -> None:
    desk = FreshdeskDesk()
    with client(desk) as http:
        sink_of(desk).send(http, OPENED)
        desk.tickets[0]["spam"] = True
        assert sink_of(desk).send(http, AGAIN) == "ticket 22"


@pytest.mark.parametrize("gone", ["deleted", "spam", "404"])
def test_a_ticket_that_is_gone_though_the_search_still_knows_it_is_not_added_to(gone: str) -> None:
    desk = FreshdeskDesk()
    with client(desk) as http:
        sink_of(desk).send(http, OPENED)

    def spoil(_: int, request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path != "/api/v2/tickets/21":
            return answer
        return httpx.Response(404) if gone == "404" else httpx.Response(200, json={**desk.tickets[0], gone: True})

    with client(desk, spoil) as http:
        assert sink_of(desk).send(http, AGAIN) == "ticket 22"
    assert AGAIN.text in desk.found()[1].text


def test_each_documented_answer_of_freshdesk_is_understood(shared: Path) -> None:
    came = []
    recorded = json.loads((shared / "fixtures/freshdesk/tickets_and_ratings.json").read_text(encoding="utf-8"))
    for exchange in recorded["interactions"][2:5]:
        told, desk = exchange["response"], FreshdeskDesk()
        answer = httpx.Response(told["status"], json=told["json"], headers=told["headers"])

        def spoil(
            number: int, _: httpx.Request, usual: httpx.Response, answer: httpx.Response = answer
        ) -> httpx.Response:
            return answer if number == 2 else usual

        with client(desk, spoil) as http:
            came.append(outcome(sink_of(desk), http, OPENED))
    assert came[0] == "ticket 21"
    assert came[1].startswith("TemporaryError")
    assert came[1].endswith("[41 s]")
    assert "does not take these fields: email (invalid_value)" in came[2]
