"""GitHub: searches that break off, comments that wait for their turn, refusals that mean "later", and replies."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.client import open_client
from connectors.contract import Batch, fetch
from connectors.sources.github import FOUNDED, LOOKED_UP, THREADS, GitHub
from pipeline.errors import ChangedError, RefusedError, SettingsError, TemporaryError
from tests.connectors.answers import answering
from tests.connectors.replay import Replay

SOURCE = GitHub(name="g", phrase="Hike shoes", token="pat-secret")
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def issue(number: int, at: datetime = NOON, **more: object) -> dict[str, Any]:
    told = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": number,
        "html_url": f"https://github.com/a/b/issues/{number}",
        "title": "Hike shoes",
        "body": "squeak",
        "user": {"login": "ann", "id": 7},
        "comments": 0,
        "created_at": told,
        "updated_at": told,
        **more,
    }


def hits(*issues: object, incomplete: bool = False, **headers: str) -> httpx.Response:
    told = {"total_count": len(issues), "incomplete_results": incomplete, "items": list(issues)}
    return httpx.Response(200, json=told, headers=headers)


def hear(transport: httpx.BaseTransport, since: str | None = None, source: GitHub = SOURCE) -> list[Batch]:
    with open_client(attempts=1, transport=transport, sleep=lambda _: None) as http:
        return list(fetch(source, http, since))


def heard(batches: list[Batch]) -> list[str]:
    return [mention.key for batch in batches for mention in batch.mentions]


def test_the_search_says_phrase_kind_place_and_order_as_documented() -> None:
    transport, asked = answering(hits())
    source = SOURCE.model_copy(update={"within": ("repo:hike/app", "org:trail"), "first_day": date(2026, 9, 1)})
    hear(transport, None, source)
    query = dict(asked[0].url.params)
    wanted = '"Hike shoes" type:issue in:title,body repo:hike/app org:trail updated:>=2026-09-01T00:00:00Z'
    assert asked[1].url.params["q"] == wanted.replace("title,body", "comments")
    assert query == {"q": wanted, "sort": "updated", "order": "desc", "per_page": "100", "page": "1"}
    assert asked[0].headers["authorization"] == "Bearer pat-secret"
    assert asked[0].headers["accept"] == "application/vnd.github+json"


def test_without_a_token_nobody_is_named() -> None:
    transport, asked = answering(hits())
    hear(transport, None, GitHub(name="g", phrase="Hike"))
    assert "authorization" not in asked[0].headers


@pytest.mark.parametrize("within", ["hike", "repo:hike", "is:open", "repo:a/b c"])
def test_only_places_narrow_the_search(within: str) -> None:
    with pytest.raises(ValidationError):
        GitHub(name="g", phrase="Hike", within=(within,))


def test_a_search_that_broke_off_is_asked_again_for_halves_until_it_is_whole() -> None:
    there = [issue(n, FOUNDED + timedelta(days=400 * n)) for n in range(1, 16)]
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        query = request.url.params["q"]
        asked.append(query)
        _, _, updated = query.partition("updated:")
        low, high = "2008-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
        if ".." in updated:
            low, _, high = updated.partition("..")
        elif updated.startswith(">="):
            low = updated[2:]
        elif updated.startswith("<="):
            high = updated[2:]
        fitting = [each for each in reversed(there) if low <= each["updated_at"] <= high]
        return hits(*fitting[:2], incomplete=True) if len(fitting) > 6 else hits(*fitting)

    batches = hear(httpx.MockTransport(answer))
    assert sorted(heard(batches)) == sorted(f"github:a/b#{n}" for n in range(1, 16))
    assert batches[-1].gaps == []
    assert len(asked) < 30


def test_a_search_that_always_breaks_off_is_told_as_a_gap() -> None:
    transport, _ = answering(hits(issue(1), incomplete=True))
    batches = hear(transport)
    assert heard(batches) == ["github:a/b#1"]
    assert "broke off" in batches[-1].gaps[0].why
    before = json.dumps({"newest": (NOON - timedelta(days=9)).isoformat(), "waiting": {}})
    cursors = [batch.cursor for batch in hear(transport, before) if batch.cursor]
    newest = {json.loads(cursor)["newest"] for cursor in cursors}
    assert newest == {(NOON - timedelta(days=9)).isoformat()}, "what it did not see is searched again"


def test_a_search_that_only_repeats_itself_is_told_as_a_gap() -> None:
    more = '<https://api.github.com/search/issues?page=2>; rel="next"'
    batches = hear(answering(hits(issue(1), link=more))[0])
    assert heard(batches) == ["github:a/b#1"]
    assert "again and again" in batches[-1].gaps[-1].why
    assert batches[-1].gaps[-1].start is None


def test_an_issue_of_which_only_a_comment_says_it_is_not_said_itself() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/search/issues":
            silent = issue(1, comments=1, title="Which shoes?")
            return hits(silent) if "in:comments" in request.url.params["q"] else hits()
        return httpx.Response(200, json=[{**issue(9), "body": "Hike shoes!"}])

    assert heard(hear(httpx.MockTransport(answer))) == ["github:a/b#1/9"]


@pytest.mark.parametrize("code", [403, 451])
def test_a_thread_that_github_refuses_deafens_no_other_and_is_given_up_in_the_end(code: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/search/issues":
            first = "updated:>=" not in request.url.params["q"]
            return hits(issue(1, comments=1), issue(2, comments=1)) if first else hits()
        if request.url.path == "/repos/a/b/issues/1/comments":
            return httpx.Response(code, json={"message": "Repository access blocked"})
        return httpx.Response(200, json=[{**issue(9), "body": "Hike shoes!"}])

    cursor, batches = None, list[Batch]()
    for _ in range(2):
        with (
            open_client(attempts=1, transport=httpx.MockTransport(answer), sleep=lambda _: None) as http,
            pytest.raises(RefusedError, match=str(code)),
        ):
            batches.extend(fetch(SOURCE, http, cursor))
        cursor = next(batch.cursor for batch in reversed(batches) if batch.cursor)
        assert json.loads(cursor)["waiting"] == {"a/b#1": None}, "it may be shown again"
        assert "github:a/b#2/9" in heard(batches)
    end = hear(httpx.MockTransport(answer), cursor)
    assert end[-1].gaps[0].why == "GitHub does not show the comments of one issue"
    assert json.loads(end[-2].cursor or "")["waiting"] == {}


def test_a_time_of_the_future_makes_no_place() -> None:
    later = datetime(2099, 1, 1, tzinfo=UTC)
    batches = hear(answering(hits(issue(1, later), issue(2)))[0])
    assert len(set(heard(batches))) == 2
    cursor = next(batch.cursor for batch in batches if batch.cursor)
    assert json.loads(cursor)["newest"] == NOON.isoformat()


def test_gone_is_what_github_itself_says_and_few_are_asked_for_without_a_token() -> None:
    keys = [f"github:a/b#{n}" for n in range(100)]
    transport, asked = answering(httpx.Response(404, json={"message": "Not Found"}))
    with open_client(transport=transport, sleep=lambda _: None) as http:
        assert SOURCE.gone(http, keys) == set(keys)
        asked.clear()
        gone = GitHub(name="g", phrase="Hike").gone(http, keys)
    assert len(asked) == len(gone) == LOOKED_UP, "60 requests an hour are all there is"
    for body in ("<html>404</html>", "{}"):
        proxy = answering(httpx.Response(404, text=body))[0]
        with open_client(transport=proxy, sleep=lambda _: None) as http, pytest.raises(ChangedError):
            SOURCE.gone(http, keys[:1])


def test_a_refused_reply_says_nothing_of_a_search() -> None:
    transport, _ = answering(httpx.Response(422, json={"message": "Validation Failed"}))
    with open_client(transport=transport) as http, pytest.raises(RefusedError, match="locked") as caught:
        SOURCE.reply(http, SOURCE.parse(issue(1)), "Hi")
    assert "search" not in str(caught.value)


def test_a_body_of_null_leaves_the_title_and_hidden_hints_of_a_form_are_no_words() -> None:
    silent, hinted = SOURCE.parse(issue(1, body=None)), SOURCE.parse(issue(2, body="<!-- fill\nin -->a < b & c"))
    assert (silent.text, silent.title) == ("Hike shoes", "Hike shoes")
    assert hinted.text == "a < b & c"
    assert SOURCE.parse(issue(3, user=None)).author is None, "a deleted account"


def test_pictures_of_people_are_dropped() -> None:
    user = {"login": "ann", "id": 7, "avatar_url": "https://x.example/a.png", "gravatar_id": "8"}
    batches = hear(answering(hits(issue(1, user=user)))[0])
    assert batches[0].raws[0]["user"] == {"login": "ann", "id": 7}


def test_threads_beyond_what_one_call_bears_wait_and_that_is_told() -> None:
    many = THREADS[False] + 5
    source = GitHub(name="g", phrase="Hike")
    read: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/search/issues":
            old = "updated:>=" in request.url.params["q"]
            return hits(*([] if old else [issue(n, comments=2) for n in range(1, many + 1)]))
        read.append(request.url.path)
        comment = {"id": len(read), "body": "my hike was long", "created_at": "2026-10-05T12:00:00Z"}
        return httpx.Response(200, json=[comment, {**comment, "id": 99, "body": "+1"}])

    transport = httpx.MockTransport(answer)
    first = hear(transport, None, source)
    assert len(read) == THREADS[False]
    assert "comments of 5 issues" in first[-1].gaps[0].why
    cursor = next(batch.cursor for batch in reversed(first) if batch.cursor)
    second = hear(transport, cursor, source)
    assert len(read) == len(set(read)) == many
    assert second[-1].gaps == []
    keys = [key for key in heard([*first, *second]) if "/" in key.partition("#")[2]]
    assert len(set(keys)) == many, "of each thread the comment that says it"


def test_a_thread_that_moved_or_was_deleted_meanwhile_is_passed_over() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/search/issues":
            return hits(issue(1, comments=1), issue(2, comments=1), issue(3, comments=1))
        number = request.url.path.removesuffix("/comments").rpartition("/")[2]
        return httpx.Response({"1": 301, "2": 404, "3": 410}[number], json={"message": "no"})

    batches = hear(httpx.MockTransport(answer))
    assert heard(batches) == ["github:a/b#1", "github:a/b#2", "github:a/b#3"]
    assert json.loads(batches[-2].cursor or "")["waiting"] == {}


def test_comments_that_are_missing_where_their_issue_is_not_wait_for_another_day() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/search/issues":
            return hits(issue(1, comments=1))
        there = not request.url.path.endswith("/comments")
        return httpx.Response(200 if there else 404, json=issue(1))

    batches: list[Batch] = []
    with (
        open_client(attempts=1, transport=httpx.MockTransport(answer), sleep=lambda _: None) as http,
        pytest.raises(RefusedError),
    ):
        batches.extend(fetch(SOURCE, http, None))
    assert json.loads(batches[-1].cursor or "{}")["waiting"] == {"a/b#1": None}


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (httpx.Response(403, headers={"retry-after": "30"}, json={"message": "secondary rate limit"}), 30),
        (httpx.Response(429, headers={"retry-after": "45"}, text="<html>"), 45),
        (httpx.Response(403, json={"message": "You have exceeded a secondary rate limit."}), 60),
    ],
)
def test_a_limit_is_temporary_and_its_wait_is_kept(answer: httpx.Response, wait: int) -> None:
    with pytest.raises(TemporaryError) as caught:
        hear(answering(answer)[0])
    assert caught.value.retry_after == timedelta(seconds=wait)


def test_a_used_up_limit_waits_for_its_reset() -> None:
    headers = {
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": "1790000600",
        "date": "Mon, 21 Sep 2026 14:13:20 GMT",
    }
    with pytest.raises(TemporaryError) as caught:
        hear(answering(httpx.Response(403, headers=headers, json={"message": "API rate limit exceeded"}))[0])
    assert caught.value.retry_after == timedelta(minutes=10)


def test_a_refused_search_names_the_settings_and_not_the_query() -> None:
    refused = httpx.Response(422, json={"message": "Validation Failed", "errors": [{"message": "pat-secret"}]})
    with pytest.raises(RefusedError, match="`phrase`") as caught:
        hear(answering(refused)[0])
    assert "Hike" not in str(caught.value)
    assert "pat-secret" not in str(caught.value)


def test_a_403_that_is_no_limit_is_refused() -> None:
    with pytest.raises(RefusedError):
        hear(answering(httpx.Response(403, json={"message": "Resource not accessible"}))[0])


def test_a_reply_is_a_comment_on_the_issue_of_the_mention() -> None:
    url = "https://github.com/a/b/issues/7#issuecomment-3"
    transport, asked = answering(httpx.Response(201, json={"id": 3, "html_url": url}))
    mention = SOURCE.parse({**issue(5), "thread": "a/b#7"})
    with open_client(transport=transport) as http:
        assert SOURCE.reply(http, mention, "We are on it.") == url
    assert (asked[0].method, asked[0].url.path) == ("POST", "/repos/a/b/issues/7/comments")
    assert json.loads(asked[0].content) == {"body": "We are on it."}


@pytest.mark.parametrize(("token", "text"), [(None, "Hi"), ("pat", ""), ("pat", "x" * 65_537)])
def test_a_reply_that_cannot_be_sent_is_not_sent(token: str | None, text: str) -> None:
    transport, asked = answering(httpx.Response(201, json={}))
    source = GitHub(name="g", phrase="Hike", token=token)
    with open_client(transport=transport) as http, pytest.raises(SettingsError):
        source.reply(http, source.parse(issue(1)), text)
    assert asked == []


def test_the_recorded_search_brings_every_issue(shared: Path) -> None:
    replay = Replay(recorded(shared, "search_issues"), in_order=True)
    source = GitHub(name="g", phrase="compile", comments=False)
    batches = hear(replay, None, source)
    mentions = [mention for batch in batches for mention in batch.mentions]
    assert [mention.author for mention in mentions] == [
        "oioitff", "wenqing", "gregsfortytwo", "blipi", "jpavel", "agorajek", "kiyoto", "CPkmn",
    ]  # fmt: skip
    assert mentions[0].key == "github:hrydgard/ppsspp#997"
    assert mentions[0].url == "https://github.com/hrydgard/ppsspp/pull/997"
    assert mentions[0].said_at == datetime(2013, 3, 15, 15, 46, 16, tzinfo=UTC)
    assert (mentions[0].replies, mentions[0].author_id) == (1017, "3243757")
    assert not any(batch.rejected for batch in batches)


def test_recorded_comments_and_an_empty_search(shared: Path) -> None:
    (exchange,) = recorded(shared, "issue_comments_since")
    source = GitHub(name="g", phrase="PyGithub")
    comments = exchange["response"]["json"]
    mentions = [source.parse({**comment, "thread": "PyGithub/PyGithub#28"}) for comment in comments]
    assert [mention.key for mention in mentions] == [
        "github:PyGithub/PyGithub#28/5449237",
        "github:PyGithub/PyGithub#28/5518272",
    ]
    assert mentions[1].said_at == datetime(2012, 5, 4, 19, 23, 57, tzinfo=UTC)
    assert mentions[0].author == "jacquev6"
    (empty,) = recorded(shared, "search_no_results")
    assert heard(hear(answering(httpx.Response(200, json=empty["response"]["json"]))[0])) == []


def test_every_recorded_error_has_its_class(shared: Path) -> None:
    wanted = {422: RefusedError, 404: RefusedError, 401: RefusedError, 503: TemporaryError, 500: TemporaryError}
    errors = [*recorded(shared, "errors"), recorded(shared, "error_500_then_ok")[0]]
    for exchange in errors:
        answer = exchange["response"]
        said = json.dumps(answer["json"]) if "json" in answer else answer["text"]
        with pytest.raises(wanted[answer["status"]]) as caught:
            hear(answering(httpx.Response(answer["status"], text=said))[0])
        assert type(caught.value) is wanted[answer["status"]]
    with pytest.raises(ChangedError):
        hear(answering(httpx.Response(200, text=said))[0])


def recorded(shared: Path, name: str) -> list[dict[str, Any]]:
    told = json.loads((shared / f"fixtures/github/{name}.json").read_text(encoding="utf-8"))
    exchanges: list[dict[str, Any]] = told["interactions"]
    return exchanges
