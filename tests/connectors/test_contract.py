"""What every listed source keeps, answered from its fixture folder only. `replay.py` says what lies there."""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, TypeAdapter

from connectors import SOURCES, AnySource
from connectors.client import open_client
from connectors.contract import Page, Source, fetch
from pipeline.errors import ChangedError, EarfulError, RefusedError, TemporaryError
from pipeline.mention import Mention
from tests.connectors.mailbox import standing
from tests.connectors.replay import FIXTURES, Exchange, Replay, exchanges

KINDS = sorted(source.model_fields["kind"].default for source in SOURCES)
WITH_NETWORK = [kind for kind in KINDS if (FIXTURES / kind / "exchanges.json").exists() and exchanges(kind)]
STATUSES = {400: ChangedError, 401: RefusedError, 403: RefusedError, 404: RefusedError, 410: RefusedError}
STATUSES |= dict.fromkeys((408, 429, 500, 502, 503, 504), TemporaryError)


NO_ANSWERS = ("<!doctype html><html><p>Just a moment...</html>", "null", "[]", "{}", "", '{"hits": [{"obj', "7", '"x"')


@pytest.fixture
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """The source of a kind with the settings of its folder; relative paths in them start there."""
    folder = FIXTURES / request.param
    monkeypatch.chdir(folder)
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    with standing(request.param, folder) as found:
        yield TypeAdapter[Any](AnySource).validate_python({**settings, **found})


every_source = pytest.mark.parametrize("source", KINDS, indirect=True)
every_asking_source = pytest.mark.parametrize("source", WITH_NETWORK, indirect=True)


class Memory:
    """A listener: keeps what it hears and how far it heard, a batch at a time."""

    def __init__(self, cursor: str | None = None) -> None:
        self.said: dict[str, Mention] = {}
        self.raws: list[dict[str, Any]] = []
        self.cursor = cursor

    def walk(self, source: Source, transport: httpx.BaseTransport, batches: int | None = None) -> int:
        """Hear one walk, or only its first batches; how many batches there were."""
        heard = 0
        with open_client(attempts=1, transport=transport, sleep=lambda _: None) as http:
            for batch in fetch(source, http, self.cursor):
                self.said |= {mention.key: mention for mention in batch.mentions}
                self.raws += batch.raws
                self.cursor = batch.cursor or self.cursor
                heard += 1
                if heard == batches:
                    break
        return heard

    def settle(self, source: Source, transport: httpx.BaseTransport) -> "Memory":
        """Walk until the place no longer moves."""
        for _ in range(10):
            before = self.cursor
            self.walk(source, transport)
            if self.cursor == before:
                return self
        pytest.fail("the place never stops moving")


class Failing(httpx.BaseTransport):
    """Serves some requests, then is down."""

    def __init__(self, inner: httpx.BaseTransport, served: int) -> None:
        self.inner = inner
        self.left = served

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.left -= 1
        return self.inner.handle_request(request) if self.left >= 0 else httpx.Response(503)


def recorded(source: Source) -> list[Exchange]:
    return exchanges(source.kind)


def answering(code: int = 200, **said: Any) -> httpx.MockTransport:  # noqa: ANN401 - as httpx
    return httpx.MockTransport(lambda _: httpx.Response(code, **said))


def expected(source: Source) -> dict[str, Mention]:
    told = json.loads((FIXTURES / source.kind / "expected.json").read_text(encoding="utf-8"))
    return {mention["key"]: Mention.model_validate(mention) for mention in told}


def as_told(mentions: Iterable[Mention]) -> list[dict[str, Any]]:
    return sorted(
        (each.model_dump(mode="json", exclude_defaults=True) for each in mentions), key=lambda each: each["key"]
    )


def test_every_source_has_a_folder_and_every_folder_a_source() -> None:
    assert sorted(folder.name for folder in FIXTURES.iterdir()) == KINDS


def test_every_source_says_who_it_is_and_describes_its_settings() -> None:
    for kind in SOURCES:
        assert kind.label
        assert kind.docs.startswith("https://")
        assert kind.quiet_after.total_seconds() > 0
        undescribed = [name for name, field in kind.model_fields.items() if name != "kind" and not field.description]
        assert not undescribed, f"{kind.__name__}: {undescribed}"


@every_source
def test_recorded_answers_become_exactly_the_expected_mentions_and_every_recording_is_used(source: Source) -> None:
    replay = Replay(recorded(source))
    heard = Memory().settle(source, replay)
    assert as_told(heard.said.values()) == as_told(expected(source).values())
    assert replay.unused == []


@every_source
def test_every_walk_gives_the_same_mentions_and_each_belongs_to_its_source(source: Source) -> None:
    first, second = (Memory().settle(source, Replay(recorded(source))) for _ in range(2))
    assert list(first.said) == list(second.said)
    for key, mention in first.said.items():
        assert key.startswith(f"{source.kind}:")
        assert mention.source == source.name
        assert source.brand in {None, mention.brand}


@every_source
def test_going_on_brings_nothing_unheard_and_does_not_move_the_place(source: Source) -> None:
    replay = Replay(recorded(source))
    before = Memory().settle(source, replay)
    assert before.cursor is not None
    after = Memory(before.cursor)
    after.walk(source, replay)
    assert after.cursor == before.cursor
    assert set(after.said) <= set(before.said)


@every_asking_source
def test_stopping_at_any_request_and_going_on_later_loses_nothing(source: Source) -> None:
    everything = set(expected(source))
    asked = Replay(recorded(source))
    Memory().settle(source, asked)
    for served in range(len(asked.asked)):
        replay = Replay(recorded(source))
        heard, down = Memory(), Failing(replay, served)
        with pytest.raises(TemporaryError):
            heard.settle(source, down)
        heard.settle(source, replay)
        assert set(heard.said) == everything, f"after {served} requests"


@every_source
def test_dying_after_any_batch_and_going_on_later_loses_nothing(source: Source) -> None:
    everything = set(expected(source))
    for batches in range(1, Memory().walk(source, Replay(recorded(source))) + 1):
        replay = Replay(recorded(source))
        heard = Memory()
        heard.walk(source, replay, batches)
        heard.settle(source, replay)
        assert set(heard.said) == everything, f"after {batches} batches"


@every_asking_source
def test_every_status_becomes_its_error_and_leaves_the_place_alone(source: Source) -> None:
    settled = Memory().settle(source, Replay(recorded(source))).cursor
    for code, error in STATUSES.items():
        for since in (None, settled):
            heard = Memory(since)
            with pytest.raises(error, match=str(code)) as caught:
                heard.walk(source, answering(code, text="<html>no</html>"))
            assert type(caught.value) is error
            assert heard.cursor == since


@every_asking_source
def test_what_is_no_answer_is_named_or_says_nothing_and_leaves_the_place_alone(source: Source) -> None:
    settled = Memory().settle(source, Replay(recorded(source))).cursor
    for text in (*NO_ANSWERS, '{"feed": {}}', '{"hits": []}', '{"hits": {}}', '{"feed": []}'):
        for since in (None, settled):
            heard = Memory(since)
            with suppress(ChangedError):
                heard.walk(source, answering(text=text))
            assert heard.said == {}
            assert since is None or heard.cursor == since, text


def spoiled(value: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON is anything
    """The value without each field anywhere in it, and with null instead."""
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, held in list(places):
        for change in ("remove", "null", *spoiled(held)):
            copy = deepcopy(value)
            if change == "remove":
                del copy[place]
            else:
                copy[place] = None if change == "null" else change
            yield copy


def items(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON is anything
    """Where objects stand in lists, and how to get there."""
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, held in places:
        if isinstance(value, list) and isinstance(held, dict):
            yield (*path, place)
        else:
            yield from items(held, (*path, place))


def at(value: Any, path: Sequence[Any]) -> Any:  # noqa: ANN401 - JSON is anything
    """What stands there."""
    for step in path:
        value = value[step]
    return value


@every_source
def test_a_field_missing_anywhere_in_an_item_costs_that_item_at_most(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    raws = Memory().settle(source, Replay(recorded(source))).raws
    good = raws[0]
    for item in [spoilt for raw in raws for spoilt in spoiled(raw)]:
        with monkeypatch.context() as patch:
            patch.setattr(type(source), "pages", lambda *_, item=item: iter([Page([good, item])]))
            with open_client(transport=answering(500)) as http:
                (batch,) = fetch(source, http, None)
        of_people = [mention for mention in batch.mentions if not mention.key.endswith("/reply")]
        assert (len(of_people), len(batch.rejected)) in {(2, 0), (1, 1), (2, 1)}  # the last: only its answer is strange
        assert batch.mentions[0] == source.parse(good)


@every_asking_source
def test_an_answer_with_one_spoilt_item_costs_that_item_at_most(source: Source) -> None:
    whole = recorded(source)
    everything = {mention["key"]: mention for mention in as_told(expected(source).values())}
    seen: list[Any] = []
    for place, exchange in enumerate(whole):
        for path in items(exchange["response"].get("json", {})):
            item, beside = (at(exchange["response"]["json"], way) for way in (path, path[:-1]))
            if item in seen or path[-1] not in {0, len(beside) - 1}:
                continue  # seen in another answer, or not at an end of its page, where a walk looks for its place
            seen.append(item)
            for change in one_field_at_a_time(exchange["response"]["json"], path):
                altered = [*whole[:place], {**exchange, "response": {**exchange["response"], "json": change}}]
                heard = Memory().settle(source, Replay([*altered, *whole[place + 1 :]], in_order=True))
                told = {mention["key"]: mention for mention in as_told(heard.said.values())}
                # a review and the answer inside it are one item
                lost = {key.removesuffix("/reply") for key, mention in everything.items() if told.get(key) != mention}
                assert len(lost) <= 1, (path, lost)


def one_field_at_a_time(answer: Any, path: tuple[Any, ...]) -> Iterator[Any]:  # noqa: ANN401 - JSON is anything
    """The answer with the object at the path spoilt: each field missing once, and no object at all."""
    *above, last = path

    def with_item(change: Any) -> Any:  # noqa: ANN401 - JSON is anything
        copy = deepcopy(answer)
        holder = at(copy, above)
        holder[last] = change(holder[last])
        return copy

    for name in at(answer, path):
        yield with_item(lambda held, name=name: {field: value for field, value in held.items() if field != name})
    for nothing in (None, "strange", []):
        yield with_item(lambda _, nothing=nothing: nothing)


@every_source
def test_no_secret_stands_in_a_repr_a_log_or_an_error(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    replay = Replay(recorded(source))
    Memory().settle(source, replay)
    secrets = [str(request.url.query.decode()) for request in replay.asked if request.url.query]
    secrets += [
        value.get_secret_value()
        for name in type(source).model_fields
        if isinstance(value := getattr(source, name), SecretStr)
    ]
    told = [repr(source), str(source)]
    for transport in (answering(401), answering(429), answering(500), answering(text=secrets[0] if secrets else "")):
        try:
            Memory().walk(source, transport)
        except EarfulError as error:
            told.append(repr(error))
    for secret in secrets:
        assert not any(secret in words for words in (*told, caplog.text))
