"""Stack Exchange: pauses it asks for, errors that are all a 400, whole posts behind excerpts, addresses of sites."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.circuits import Circuits
from connectors.client import open_client
from connectors.contract import Batch, fetch
from connectors.sources.stackexchange import StackExchange
from pipeline.errors import ChangedError, EarfulError, RefusedError, TemporaryError
from pipeline.mention import Mention, MentionKind
from tests.connectors.answers import answering
from tests.connectors.replay import Replay

SOURCE = StackExchange(name="s", phrase="Hike shoes", key="stack-secret")
NOON = 1_790_000_000


def question(native: int, at: object = NOON, **more: object) -> dict[str, Any]:
    told = {"item_type": "question", "question_id": native, "creation_date": at, "title": "Hike?", "excerpt": "hike"}
    return told | more


def wrapped(*items: object, **more: object) -> httpx.Response:
    return httpx.Response(200, json={"items": list(items), "has_more": False, "quota_remaining": 9, **more})


def hear(
    transport: httpx.BaseTransport,
    source: StackExchange = SOURCE,
    since: str | None = None,
) -> list[Batch]:
    with open_client(attempts=1, transport=transport, sleep=lambda _: None) as http:
        return list(fetch(source, http, since))


def heard(batches: list[Batch]) -> list[Mention]:
    return [mention for batch in batches for mention in batch.mentions]


def test_the_search_asks_as_documented_and_only_from_the_overlap_on() -> None:
    transport, asked = answering(wrapped())
    since = datetime(2026, 10, 5, 12, tzinfo=UTC)
    (batch,) = hear(transport, since=json.dumps({"newest": since.isoformat(), "read": {}}))[-1:]
    start = since - timedelta(days=1)
    assert dict(asked[0].url.params) == {
        "q": '"Hike shoes"',
        "sort": "creation",
        "order": "desc",
        "page": "1",
        "pagesize": "100",
        "fromdate": str(int(start.timestamp())),
        "site": "stackoverflow",
        "key": "stack-secret",
    }
    assert (json.loads(batch.cursor or "")["newest"], batch.reach) == (since.isoformat(), start)


@dataclass
class Clock:
    """Tells the time that was slept."""

    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.fromtimestamp(NOON, UTC) + timedelta(seconds=sum(self.slept))

    def client(self, circuits: Circuits, transport: httpx.BaseTransport) -> httpx.Client:
        return open_client(attempts=1, transport=transport, circuits=circuits, sleep=self.slept.append)


def test_a_backoff_is_kept_before_the_next_call_whoever_makes_it() -> None:
    clock = Clock()
    circuits = Circuits(clock.now)
    transport, asked = answering(wrapped(question(1), backoff=10), wrapped(backoff=20), wrapped())
    with clock.client(circuits, transport) as http:
        list(fetch(SOURCE, http, None))
    assert 10 <= sum(clock.slept) <= 11
    with clock.client(circuits, transport) as http:
        assert SOURCE.gone(http, ["stackexchange:stackoverflow/1"])
    assert 30 <= sum(clock.slept) <= 32, "another walk of another source in the same process waits as well"
    assert [request.url.path.split("/")[2] for request in asked] == ["search", "questions", "posts"]


def test_a_long_backoff_ends_the_walk_with_a_plea_to_wait() -> None:
    for backoff, wait in ((600, timedelta(minutes=10)), (10**11, timedelta(days=1))):
        clock = Clock()
        transport, asked = answering(wrapped(question(1), backoff=backoff))
        with clock.client(Circuits(clock.now), transport) as http, pytest.raises(TemporaryError) as caught:
            list(fetch(SOURCE, http, None))
        assert caught.value.retry_after == wait
        assert len(asked) == 1
    assert len(hear(answering(wrapped(question(1), backoff=10**30), wrapped())[0])) > 1


def test_what_was_read_whole_and_did_not_change_costs_no_further_request() -> None:
    excerpts = [question(1, score=3), question(2, NOON - 60)]
    whole = [{"question_id": each["question_id"], "body": "<p>whole</p>"} for each in excerpts]
    transport, asked = answering(wrapped(*excerpts), wrapped(*whole), wrapped(*excerpts))
    first = hear(transport)
    again = hear(transport, since=first[-1].cursor)
    assert [request.url.path.split("/")[2] for request in asked] == ["search", "questions", "search"]
    assert heard(again) == []
    assert again[-1].cursor == first[-1].cursor
    excerpts[1] = question(2, NOON - 60, last_activity_date=NOON + 9)
    transport, asked = answering(wrapped(*excerpts), wrapped(whole[1]))
    assert [mention.text for mention in heard(hear(transport, since=first[-1].cursor))] == ["whole"]
    assert asked[1].url.path == "/2.3/questions/2"


def test_a_strange_excerpt_is_asked_for_again_until_its_post_makes_it_readable() -> None:
    untitled = {key: said for key, said in question(1).items() if key != "title"}
    undated = question(2, "yesterday")
    transport, _ = answering(wrapped(question(3), untitled, undated), wrapped())
    first = hear(transport)
    assert [mention.key.rpartition("/")[2] for mention in heard(first)] == ["3"]
    assert len([each for batch in first for each in batch.rejected]) == 2
    post = {"question_id": 1, "title": "Hike?", "body": "<p>whole</p>"}
    transport, asked = answering(wrapped(untitled, undated), wrapped(post))
    (mention,) = heard(hear(transport, since=first[-1].cursor))
    assert (mention.title, mention.text) == ("Hike?", "whole")
    assert asked[1].url.path == "/2.3/questions/1", "no post makes the other readable: once is enough"


def test_a_time_that_cannot_be_costs_no_walk_and_makes_no_place() -> None:
    strange = [question(1, 10**15), question(2, 4_102_444_800), question(3)]
    batches = hear(answering(wrapped(*strange), wrapped())[0])
    assert [mention.key.rpartition("/")[2] for mention in heard(batches)] == ["2", "3"]
    assert json.loads(batches[-1].cursor or "")["newest"] == datetime.fromtimestamp(NOON, UTC).isoformat()


def test_a_post_is_read_whole_and_its_name_and_words_are_decoded_once() -> None:
    owner = {"user_id": 4, "display_name": "J&#246;rg &amp;lt;", "profile_image": "https://x.example/j.png"}
    post = {"question_id": 1, "owner": owner, "link": "https://stackoverflow.com/questions/1/x", "last_edit_date": NOON}
    post |= {"title": "a &lt; b?", "body": "<p>It is &lt;b&gt; &amp;amp; so</p>"}
    batches = hear(answering(wrapped(question(1)), wrapped(post))[0])
    (mention,) = heard(batches)
    assert (mention.title, mention.text, mention.author) == ("a < b?", "It is <b> &amp; so", "Jörg &lt;")
    assert mention.edited_at == datetime.fromtimestamp(NOON, UTC)
    assert "profile_image" not in json.dumps(batches[0].raws)


def test_a_post_that_is_not_given_is_heard_as_its_excerpt_and_links_to_its_place() -> None:
    shown = '&hellip; my <span class="highlight">Hike</span> shoes &#39;squeak&#39;'
    answer = {"item_type": "answer", "question_id": 1, "answer_id": 9, "creation_date": NOON, "title": "t"}
    (mention,) = heard(hear(answering(wrapped({**answer, "excerpt": shown}), wrapped())[0]))
    assert mention.text == "… my Hike shoes 'squeak'"
    assert (mention.kind, mention.url) == (MentionKind.COMMENT, "https://stackoverflow.com/a/9")
    assert mention.parent == mention.thread == "stackexchange:stackoverflow/1"


@pytest.mark.parametrize(
    ("site", "host"),
    [
        ("stackoverflow", "stackoverflow.com"),
        ("es.stackoverflow", "es.stackoverflow.com"),
        ("meta.serverfault", "meta.serverfault.com"),
        ("mathoverflow", "mathoverflow.net"),
        ("mathoverflow.net", "mathoverflow.net"),
        ("gaming", "gaming.stackexchange.com"),
        ("outdoors.meta", "outdoors.meta.stackexchange.com"),
    ],
)
def test_every_site_has_its_address(site: str, host: str) -> None:
    source = StackExchange(name="s", phrase="Hike", site=site)
    assert source.parse(question(5)).url == f"https://{host}/q/5"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"error_id": 502, "error_message": "too many requests from this IP"}, TemporaryError),
        ({"error_id": 503, "error_message": "x"}, TemporaryError),
        ({"error_id": 400, "error_message": "site stack-secret"}, RefusedError),
        ({"error_id": 403, "error_message": "page above 25 requires access token or app key"}, RefusedError),
        ({"something": "else"}, ChangedError),
    ],
)
def test_an_error_means_what_its_number_says(said: dict[str, Any], error: type[EarfulError]) -> None:
    with pytest.raises(error) as caught:
        hear(answering(httpx.Response(400, json=said))[0])
    assert type(caught.value) is error
    assert "stack-secret" not in str(caught.value)


def test_gone_is_only_what_an_answer_leaves_out() -> None:
    transport, asked = answering(wrapped({"post_id": 2, "post_type": "answer"}))
    keys = [f"stackexchange:stackoverflow/{native}" for native in (1, 2)]
    with open_client(transport=transport) as http:
        assert SOURCE.gone(http, [*keys, "stackexchange:other/3", "mastodon:x/4"]) == {keys[0]}
    assert asked[0].url.path == "/2.3/posts/1;2"
    for answer in (httpx.Response(404, text="no"), httpx.Response(200, text="<html>"), httpx.Response(200, json={})):
        with open_client(attempts=1, transport=answering(answer)[0]) as http, pytest.raises(EarfulError):
            SOURCE.gone(http, keys)


def test_recorded_excerpts_are_read_with_links_of_their_own(shared: Path) -> None:
    first, second, *_ = recorded(shared)
    missing = [
        {
            "request": {"method": "GET", "url": f"https://api.stackexchange.com/2.3/{what}/1"},
            "response": {"status": 404},
        }
        for what in ("questions", "answers")
    ]
    source = StackExchange(name="s", phrase="acme")
    mentions = heard(hear(Replay([first, second, *missing], in_order=True), source))
    assert [mention.key.rpartition("/")[2] for mention in mentions] == ["79000011", "79000001", "79000002"]
    assert [mention.title for mention in mentions] == [
        'How to fix Acme SDK 401 "expired token"?',
        'How to fix Acme SDK 401 "expired token"?',
        "Acme ist langsam & stürzt ab",
    ]
    assert mentions[0].text == "… Acme token 'expired' …"
    assert mentions[2].text == "Warum ist Acme so langsam? 🐌"
    assert [mention.likes for mention in mentions] == [3, 4, -2]
    assert mentions[0].said_at == datetime.fromtimestamp(1_758_690_000, UTC)


def test_a_recorded_question_gives_its_author(shared: Path) -> None:
    *_, whole = recorded(shared)
    post = whole["response"]["json"]["items"][0]
    mention = SOURCE.parse({**question(79000001), "whole": post})
    assert (mention.author, mention.author_id, mention.text) == ("Jörg", "10", "After the update …")
    assert mention.url == "https://stackoverflow.com/questions/79000001/how-to-fix-acme-sdk-401"
    assert mention.edited_at == datetime.fromtimestamp(1_758_685_000, UTC)


def test_every_recorded_error_has_its_class(shared: Path) -> None:
    errors = [exchange["response"] for exchange in recorded(shared) if exchange["response"]["status"] == 400]
    wanted = [TemporaryError, RefusedError, RefusedError]
    for answer, error in zip(errors, wanted, strict=True):
        with pytest.raises(error) as caught:
            hear(answering(httpx.Response(400, json=answer["json"]))[0])
        if isinstance(caught.value, TemporaryError):
            assert caught.value.retry_after == timedelta(seconds=84_716)


def recorded(shared: Path) -> list[dict[str, Any]]:
    told = json.loads((shared / "fixtures/stackexchange/excerpts_and_errors.json").read_text(encoding="utf-8"))
    exchanges: list[dict[str, Any]] = told["interactions"]
    return exchanges
