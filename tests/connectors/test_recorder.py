"""A recording can be shared: it replays as the walk went, and holds no secret and nobody's name."""

import json
from html import escape
from itertools import islice
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from pydantic import SecretStr, TypeAdapter

from connectors import AnySource
from connectors.client import open_client
from connectors.contract import Source, fetch
from connectors.recorder import SECRET, Recorder, replayed
from connectors.sources.facebook import FacebookPage
from connectors.sources.hackernews import HackerNews
from connectors.sources.mastodon import Mastodon
from pipeline.mention import Mention
from tests.connectors.replay import FIXTURES, Replay, exchanges

KINDS = sorted(folder.name for folder in FIXTURES.iterdir() if exchanges(folder.name))


def walked(source: Source, transport: httpx.BaseTransport, recorder: Recorder | None = None) -> list[Mention]:
    with open_client(attempts=1, transport=transport, sleep=lambda _: None) as http:
        if recorder:
            http.event_hooks = {"response": [recorder.note]}
        return [mention for batch in fetch(source, http, None) for mention in batch.mentions]


def recorded(source: Source, transport: httpx.BaseTransport) -> tuple[list[Mention], list[dict[str, object]], Recorder]:
    recorder = Recorder(source)
    heard = walked(source, transport, recorder)
    return heard, recorder.exchanges(heard), recorder


def mastodon(**more: object) -> Mastodon:
    return Mastodon.model_validate(
        {"name": "fedi", "instance": "https://social.example", "tag": "hikeshoes", "token": SecretStr("hush-hush")}
        | more
    )


def test_a_recording_replays_as_the_walk_went() -> None:
    heard, told, recorder = recorded(mastodon(), Replay(exchanges("mastodon"), in_order=True))
    source = Mastodon.model_validate(recorder.settings() | {"name": "fedi"})
    again = walked(source, replayed(told))
    assert heard
    assert [mention.key for mention in again] == [mention.key for mention in heard]
    assert [mention.said_at for mention in again] == [mention.said_at for mention in heard]


def test_a_recording_names_nobody_and_everybody_keeps_one_number() -> None:
    heard, told, _ = recorded(mastodon(), Replay(exchanges("mastodon"), in_order=True))
    text = json.dumps(told, ensure_ascii=False)
    for handle in {mention.author for mention in heard if mention.author}:
        assert handle not in text
    assert "person-1" in text


def test_a_recording_holds_no_secret_of_ours_or_theirs() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        said = {"access_token": "theirs-1", "api_key": "theirs-2", "nextPageToken": "page-2", "echo": "hush-hush"}
        headers = {"set-cookie": "session=theirs-3", "x-ratelimit-remaining": "3", "x-request-id": "theirs-4"}
        return httpx.Response(200, json=[] if "timelines" in request.url.path else said, headers=headers)

    source = mastodon()
    recorder = Recorder(source)
    with open_client(attempts=1, transport=httpx.MockTransport(answer)) as http:
        http.event_hooks = {"response": [recorder.note]}
        http.get("https://social.example/me", params={"access_token": "hush-hush", "key": "ours-2", "page": "4"})
    (told,) = recorder.exchanges([])
    text = json.dumps([told, recorder.settings()])
    assert [one for one in ("hush-hush", "ours-2", "theirs-1", "theirs-2", "theirs-3", "theirs-4") if one in text] == []
    assert told["response"]["json"]["nextPageToken"] == "page-2"
    assert "page=4" in told["request"]["url"]
    assert told["response"]["headers"]["x-ratelimit-remaining"] == "3"
    assert recorder.settings()["token"] == SECRET


def test_mail_addresses_telephone_numbers_and_pictures_are_taken_out() -> None:
    said = "Write to ann.b@mail.example or call +44 20 7946 0958 from 10.1.2.3, said Annabel."
    body = {"hits": [{"objectID": "1", "text": said, "author": "Annabel", "avatar_url": "https://x.example/a.png"}]}
    recorder = Recorder(HackerNews(name="hn", phrase="hike"))
    with open_client(attempts=1, transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body))) as http:
        http.event_hooks = {"response": [recorder.note]}
        http.get("https://example.org/")
    (told,) = recorder.exchanges([])
    (hit,) = told["response"]["json"]["hits"]
    assert hit == {
        "objectID": "1",
        "text": "Write to person@example.com or call +49 30 000000 from 192.0.2.1, said person-1.",
        "author": "person-1",
    }


def test_an_answer_that_is_no_json_is_kept_as_text() -> None:
    page = "<feed><author>Ann Bee</author></feed>"
    recorder = Recorder(HackerNews(name="hn", phrase="hike"))
    with open_client(attempts=1, transport=httpx.MockTransport(lambda _: httpx.Response(200, text=page))) as http:
        http.event_hooks = {"response": [recorder.note]}
        http.get("https://example.org/")
    mention = Mention(key="k", source="s", kind="post", text="t", said_at="2026-01-01T00:00:00Z", author="Ann Bee")
    (told,) = islice(recorder.exchanges([mention]), 1)
    assert told["response"]["text"] == "<feed><author>person-1</author></feed>"


@pytest.mark.parametrize("kind", KINDS)
def test_every_sources_recording_fits_its_settings_and_replays_without_a_secret_or_a_name(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FIXTURES / kind)
    settings = json.loads((FIXTURES / kind / "settings.json").read_text(encoding="utf-8"))
    source: Source = TypeAdapter[Any](AnySource).validate_python(settings)
    heard, told, recorder = recorded(source, Replay(exchanges(kind)))
    cleaned = recorder.settings()
    assert type(source).model_validate({**cleaned, "name": source.name}).kind == kind
    assert len(walked(source, replayed(told))) == len(heard) > 0
    text = json.dumps([told, cleaned], ensure_ascii=False)
    for secret in (value.get_secret_value() for _, value in source if isinstance(value, SecretStr)):
        assert secret not in text
    kept = json.dumps(cleaned, ensure_ascii=False)
    names = {name for mention in heard for name in (mention.author, mention.author_id) if name and name not in kept}
    assert [name for name in names if len(name) > 4 and name in text] == []  # shorter ones stand in other words


def test_a_page_that_speaks_on_its_own_keeps_its_id_in_the_settings() -> None:
    own = {"id": "20531316728_1", "created_time": "2026-10-05T12:00:00+0000", "from": {"id": "20531316728"}}
    source = FacebookPage(name="page", page="20531316728", token="fb-sesame", ratings=False)
    place = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": [own]}))
    _, _, recorder = recorded(source, place)
    assert recorder.settings()["page"] == source.page


def test_no_form_of_a_secret_or_a_name_is_left() -> None:
    token, author = "to|k/en+&1", 'Ann & "Bob" O\'Hara'
    forms = (quote(token), quote(token, safe=""), quote(token, safe="").lower(), quote_plus(token), escape(token))
    body = {
        "paging": {"previous": [f"https://x.example/?access_token={form}&limit=1" for form in forms]},
        "authorName": "Cleo Dee",
        "from": {"name": "Eli Fay"},
        "text": f"Dear {escape(author)}, {author.replace('&', '&amp;')} and Cleo Dee, says Eli Fay",
        "user": author,
    }
    source = mastodon(token=SecretStr(token))
    recorder = Recorder(source)
    with open_client(attempts=1, transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body))) as http:
        http.event_hooks = {"response": [recorder.note]}
        http.get("https://social.example/", params={"appsecret_proof": "made-of-one", "limit": "1"})
    mention = Mention(key="k", source="s", kind="post", text="t", said_at="2026-01-01T00:00:00Z", author=author)
    text = json.dumps(recorder.exchanges([mention]))
    assert [form for form in (*forms, "made-of-one", "Cleo", "Eli", "Ann", "Hara", "%7C", "%7c") if form in text] == []
