"""Zendesk as a source: the export and its cursor, ratings, what is left out, looking up, and replies."""

import json
from base64 import b64encode
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.conform.worlds.zendesk import ZendeskWorld
from connectors.contract import fetch
from connectors.sources.zendesk import PAUSE, RATED_LATE, Zendesk
from pipeline.errors import ChangedError, RecordError, RefusedError, SettingsError, TemporaryError
from pipeline.mention import Mention, MentionKind
from tests.connectors.replay import FIXTURES, Replay, exchanges
from tests.connectors.test_recordings import hear, recording
from tests.connectors.worldly import (
    Town,
    client,
    forgets_nothing_when_killed,
    hears_everything,
    knows_what_is_gone,
    refusal,
    sent,
)

SETTINGS = json.loads((FIXTURES / "zendesk/settings.json").read_text(encoding="utf-8"))
SOURCE = Zendesk.model_validate(SETTINGS)
KEY = "zendesk:hike.zendesk.example"
TICKET = {
    "id": 11,
    "subject": "Sole",
    "description": "It came off",
    "created_at": "2026-10-05T09:00:00Z",
    "status": "new",
}
RATING = {"id": 61, "score": "bad", "comment": None, "reason": "No reason provided", "reason_id": 0, "ticket_id": 11}
ANN = Mention(
    key=f"{KEY}/11", source="help", kind=MentionKind.MESSAGE, text="?", said_at=datetime(2026, 10, 5, tzinfo=UTC),
    thread=f"{KEY}/11",
)  # fmt: skip


def export(*tickets: Any, ended: bool = True, after: str | None = "c1") -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"tickets": list(tickets), "end_of_stream": ended, "after_cursor": after}


def heard(said: dict[str, Any], **more: Any) -> list[Any]:  # noqa: ANN401 - settings
    source = SOURCE.model_copy(update={"listen_to": ("tickets",), **more})
    with client(lambda _: httpx.Response(200, json=said)) as http:
        return list(fetch(source, http, None))


def test_a_busy_help_desk_is_heard_whole() -> None:
    hears_everything(ZendeskWorld(), Zendesk)


def test_ratings_of_a_busy_help_desk_are_heard_whole_though_their_pages_name_another_host() -> None:
    town = hears_everything(ZendeskWorld(rated=True), Zendesk)
    assert {mention.kind for mention in town.heard.values()} == {MentionKind.SURVEY}
    assert {request.url.host for request in town.asked} == {"world.example"}


def test_a_rating_that_is_made_long_after_it_was_offered_is_heard() -> None:
    town = Town(ZendeskWorld(rated=True), Zendesk)
    town.say(3)
    town.listen()
    town.say(1, at=town.now - RATED_LATE + timedelta(seconds=1))
    town.listen()
    assert town.texts() == town.living()


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(ZendeskWorld(), Zendesk)
    forgets_nothing_when_killed(ZendeskWorld(rated=True), Zendesk)


def test_only_what_was_deleted_is_gone() -> None:
    knows_what_is_gone(ZendeskWorld(), Zendesk)


def test_a_deleted_ticket_is_told_by_the_export() -> None:
    town = Town(ZendeskWorld(), Zendesk)
    town.say(3)
    town.listen()
    town.change(town.said[1], deleted=True)
    assert [key for batch in town.listen() for key in batch.gone] == ["zendesk:world.example/2"]


def test_a_list_without_a_ticket_is_not_enough_to_call_it_gone() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("show_many.json"):
            return httpx.Response(200, json={"tickets": []})
        if request.url.path.endswith("/11.json"):
            return httpx.Response(404, json={"error": "RecordNotFound", "description": "Not found"})
        return httpx.Response(200, json={"ticket": {**TICKET, "id": 12}})

    with client(answer) as http:
        assert SOURCE.gone(http, [f"{KEY}/11", f"{KEY}/12", f"{KEY}/rating/5", "zendesk:other.example/13"]) == {
            f"{KEY}/11"
        }
    with client(refusal(401, {"error": "Couldn't authenticate you"})) as http, pytest.raises(RefusedError):
        SOURCE.gone(http, [f"{KEY}/11"])


def test_a_first_day_is_where_the_export_begins_and_both_lists_are_asked_slowly() -> None:
    town = Town(ZendeskWorld(), Zendesk, {"first_day": date(2026, 10, 1)})
    town.say(1)
    town.listen()
    export, ratings = town.asked
    assert export.url.params["start_time"] == ratings.url.params["start_time"] == "1790812800"
    assert town.reach == datetime(2026, 10, 1, tzinfo=UTC)
    assert export.extensions["pause"] == PAUSE == 6.0


@pytest.mark.parametrize("ours", ["C-ABCDEFGH23", "alert_0123456789abcdef01234567", "C-0123456789abcdef01234567"])
def test_a_ticket_of_our_own_is_not_heard(ours: str) -> None:
    first, _ = heard(export({**TICKET, "external_id": ours}, {**TICKET, "id": 12, "external_id": "order-77"}))
    assert [mention.key for mention in first.mentions] == [f"{KEY}/12"]


def test_no_address_of_anybody_is_kept() -> None:
    via = {"channel": "email", "source": {"from": {"address": "ann@example.com"}}}
    people = [{"id": 701, "name": "Ann", "email": "ann@example.com", "role": "end-user"}]
    first, _ = heard(
        {**export({**TICKET, "requester_id": 701, "via": via, "recipient": "x@y.example"}), "users": people}
    )
    assert "example.com" not in json.dumps(first.raws)
    assert first.mentions[0].author == "Ann"
    assert not first.mentions[0].by_brand


@pytest.mark.parametrize("users", [None, {}, "odd", [None, {"name": "no id"}, {"id": {"odd": 1}}]])
def test_people_in_another_form_cost_only_their_names(users: object) -> None:
    first, _ = heard({**export({**TICKET, "requester_id": 701}), "users": users})
    assert [(mention.author, mention.author_id) for mention in first.mentions] == [(None, "701")]


@pytest.mark.parametrize(
    "envelope",
    [{"tickets": {}}, {"tickets": []}, {"tickets": [], "end_of_stream": False}, export(ended=False, after=None)],
)
def test_an_export_that_does_not_say_how_it_goes_on_is_named(envelope: dict[str, Any]) -> None:
    with pytest.raises(ChangedError):
        heard(envelope)


def test_an_export_that_goes_in_circles_is_named() -> None:
    with pytest.raises(ChangedError, match="the same page twice"):
        heard(export(TICKET, ended=False))


@pytest.mark.parametrize(("score", "rating"), [("good", 1), ("bad", 0), ("bad_with_comment", 0)])
def test_a_rating_is_on_a_scale_of_two(score: str, rating: int) -> None:
    mention = SOURCE.parse({**RATING, "score": score, "created_at": "2026-10-06T10:00:00Z"})
    assert (mention.rating, mention.rating_min, mention.rating_max, mention.text) == (rating, 0, 1, "")
    assert (mention.key, mention.parent, mention.kind) == (f"{KEY}/rating/61", f"{KEY}/11", MentionKind.SURVEY)


def test_what_was_only_offered_says_nothing_and_old_accounts_page_by_number() -> None:
    rating = {**RATING, "created_at": "2026-10-06T10:00:00Z"}
    second = f"{SOURCE.api}/api/v2/satisfaction_ratings.json?page=2"

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("page") == "2":
            return httpx.Response(200, json={"satisfaction_ratings": [rating], "next_page": None, "count": 2})
        offered = {**rating, "id": 60, "score": "offered"}
        return httpx.Response(200, json={"satisfaction_ratings": [offered], "next_page": second, "count": 2})

    with client(answer) as http:
        batches = list(fetch(SOURCE.model_copy(update={"listen_to": ("ratings",)}), http, None))
    assert [mention.key for batch in batches for mention in batch.mentions] == [f"{KEY}/rating/61"]


def test_the_token_goes_to_no_other_host() -> None:
    asked: list[str] = []
    evil = "https://evil.example/api/v2/satisfaction_ratings.json"

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(200, json={"satisfaction_ratings": [], "next_page": f"{evil}?page={len(asked)}"})

    source = SOURCE.model_copy(update={"listen_to": ("ratings",)})
    ends = client(lambda request: answer(request) if len(asked) < 3 else httpx.Response(503))
    with ends as http, pytest.raises(TemporaryError):
        list(fetch(source, http, None))
    assert asked == ["hike.zendesk.example"] * 3


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"meta": {"has_more": True}, "links": {}}, "does not say where"),
        ({"meta": {"has_more": True, "after_cursor": "x"}}, "the same page twice"),
        ({"next_page": "https://[", "count": 2}, "the same page twice"),
    ],
)
def test_ratings_that_do_not_say_how_they_go_on_are_named(said: dict[str, Any], why: str) -> None:
    with client(refusal(200, {"satisfaction_ratings": [], **said})) as http, pytest.raises(ChangedError, match=why):
        list(fetch(SOURCE.model_copy(update={"listen_to": ("ratings",)}), http, None))


PEOPLE = [{"id": 701, "name": "Ann", "role": "end-user"}, {"id": 1, "name": "Cy", "role": "agent"}]


@pytest.mark.parametrize(
    ("requester", "submitter", "told"),
    [
        (701, 701, ("Ann", "701", False)),
        (701, 1, ("Cy", "1", True)),
        (1, 1, ("Cy", "1", True)),
        (701, 55, ("Ann", "701", False)),
        (701, None, ("Ann", "701", False)),
    ],
)
def test_first_words_that_an_agent_wrote_to_a_customer_are_the_brands(
    requester: int, submitter: int | None, told: tuple[str, str, bool]
) -> None:
    ticket = {**TICKET, "requester_id": requester, "submitter_id": submitter}
    first, _ = heard({**export(ticket), "users": PEOPLE})
    assert [(each.author, each.author_id, each.by_brand) for each in first.mentions] == [told]


def test_an_account_without_ratings_is_told_how_to_leave_them_out() -> None:
    source = SOURCE.model_copy(update={"listen_to": ("ratings",)})
    with client(refusal(403, {"error": "Forbidden"})) as http, pytest.raises(RefusedError, match="listen_to"):
        list(fetch(source, http, None))


def test_a_reply_is_a_public_comment_on_the_ticket_that_was_meant() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"ticket": TICKET, "audit": {"id": 1}})

    rated = ANN.model_copy(update={"key": f"{KEY}/rating/61"})
    with client(answer) as http:
        receipts = [SOURCE.reply(http, mention, "We are sorry.") for mention in (ANN, ANN, rated)]
    assert receipts == ["https://hike.zendesk.example/agent/tickets/11"] * 3
    assert {str(each.url) for each in asked} == {"https://hike.zendesk.example/api/v2/tickets/11.json"}
    assert json.loads(asked[0].content) == {"ticket": {"comment": {"body": "We are sorry.", "public": True}}}
    keys = [each.headers["idempotency-key"] for each in asked]
    assert keys[0] == keys[1] != keys[2]
    basic = b64encode(b"agent@hike.example/token:zd-token-0815-secret").decode()
    assert sent(asked[:1], "PUT").headers["authorization"] == f"Basic {basic}"


def test_a_reply_that_cannot_be_sent_says_why() -> None:
    invalid = {
        "error": "RecordInvalid",
        "details": {"status": [{"description": "Status: closed prevents ticket update"}]},
    }
    with client(refusal(422, invalid)) as http:
        with pytest.raises(RefusedError, match=r"422.*a closed one never does"):
            SOURCE.reply(http, ANN, "We are sorry.")
        with pytest.raises(SettingsError, match="65,535"):
            SOURCE.reply(http, ANN, "x" * 65_536)
        with pytest.raises(SettingsError, match="of no ticket"):
            SOURCE.reply(http, ANN.model_copy(update={"thread": "zendesk:other.example/11"}), "We are sorry.")


def test_a_token_without_a_name_is_an_oauth_token() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=export())

    with client(answer) as http:
        list(fetch(SOURCE.model_copy(update={"username": None, "listen_to": ("tickets",)}), http, None))
    assert asked[0].headers["authorization"] == "Bearer zd-token-0815-secret"


def test_a_ticket_without_a_time_or_an_id_is_refused_alone() -> None:
    for broken in ({**TICKET, "id": None}, {**TICKET, "created_at": "soon"}, {"strange": 1}):
        with pytest.raises((RecordError, TypeError, ValueError)):
            SOURCE.parse(broken)
    first, last = heard(export(TICKET, {**TICKET, "id": "x"}, None))
    assert (len(first.mentions), len(first.rejected), json.loads(last.cursor)) == (1, 2, {"tickets": "c1"})


def test_the_recorded_export_is_heard(shared: Path) -> None:
    recorded = recording(shared / "fixtures/zendesk/incremental_tickets.json")
    cursored = [each for each in recorded if "/cursor.json" in each["request"]["url"]]
    source = Zendesk.model_validate({**SETTINGS, "api": "https://example.zendesk.com", "listen_to": ["tickets"]})
    mentions, cursor, refused = hear(source, Replay(cursored[:1], in_order=True))
    assert [mention.key for mention in mentions][:3] == [f"zendesk:example.zendesk.com/{n}" for n in (28, 29, 30)]
    assert (len(mentions), refused) == (6, 0)
    assert json.loads(str(cursor)) == {"tickets": "MTcwNzI3MTc0MS4wfHw0MDQ1fA=="}
    first = mentions[0]
    assert (first.text, first.title, first.author_id) == ("test", "test", "6130907993114")
    assert first.said_at == datetime(2023, 9, 18, 15, 57, 42, tzinfo=UTC)
    assert first.url == "https://example.zendesk.com/agent/tickets/28"


def test_the_documented_ratings_and_errors_are_understood(shared: Path) -> None:
    documented = recording(shared / "fixtures/zendesk/errors_and_satisfaction.json")
    by_status = {each["response"]["status"]: each["response"] for each in documented}
    source = Zendesk.model_validate({**SETTINGS, "api": "https://example.zendesk.com", "listen_to": ["ratings"]})
    with client(refusal(200, by_status[200]["json"])) as http:
        batches = list(fetch(source, http, None))
    bad, good = [mention for batch in batches for mention in batch.mentions]
    assert (bad.key, bad.rating, bad.title) == (
        "zendesk:example.zendesk.com/rating/62", 0, "The issue took too long to resolve",
    )  # fmt: skip
    assert bad.text == "Waited four days & got a copy-paste answer 😠"
    assert bad.edited_at == datetime(2023, 7, 20, 22, 19, 29, tzinfo=UTC)
    assert (good.rating, good.text, good.title, good.edited_at) == (1, "", None, None)
    for status, error in ((429, TemporaryError), (401, RefusedError), (422, RefusedError)):
        body, headers = by_status[status]["json"], by_status[status]["headers"]
        told = refusal(status, body, **{name.replace("-", "_"): value for name, value in headers.items()})
        with client(told) as http, pytest.raises(error, match=str(status)) as caught:
            list(fetch(source, http, None))
        if isinstance(caught.value, TemporaryError):
            assert caught.value.retry_after is not None
            assert caught.value.retry_after.total_seconds() == 27


def test_the_fixture_says_who_answered_for_the_brand() -> None:
    mentions, _, _ = hear(SOURCE, Replay(exchanges("zendesk")))
    assert [mention.key for mention in mentions if mention.by_brand] == [f"{KEY}/15"]
