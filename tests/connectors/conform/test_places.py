"""What a place may be, and hold, and be asked by chance, without a connector's points hanging on it."""

import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, ClassVar, Self

import httpx
import pytest

from connectors.conform import bench as benches
from connectors.conform.bench import world_bench
from connectors.conform.faults import FAULTS
from connectors.conform.killed import begun, spread
from connectors.conform.recorded import Recorded
from connectors.conform.server import Wire, _Door, serving, whole
from connectors.conform.step import PlaceError
from connectors.conform.trial import tried
from connectors.conform.verdict import Verdict
from connectors.conform.world import Said
from connectors.conform.worlds.zendesk import ZendeskWorld
from connectors.contract import Item
from connectors.sources.zendesk import Zendesk
from pipeline.errors import RefusedError, TemporaryError
from pipeline.mention import Mention
from tests.connectors.conform.toy import Toy, ToyWorld
from tests.connectors.conform.trials import WELL, opened


class Frozen(datetime):
    """A quick machine: all begins in one second."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls(2026, 10, 22, 12, tzinfo=tz)


def test_a_world_forgets_one_story_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benches, "datetime", Frozen)
    with world_bench(Zendesk, ZendeskWorld()) as bench:
        found = tried("zendesk", bench, {"one that is taken back", "an id that is used again"})
    assert found.failings == []


@dataclass
class LockedWorld(ToyWorld):
    """Holds what cannot be copied."""

    lock: Any = field(default_factory=threading.Lock)


def test_a_world_that_cannot_be_copied_costs_the_connector_nothing() -> None:
    with opened(Toy, LockedWorld()) as bench:
        found = tried("toy", bench, {"killed at any request"})
    assert found.failings == []
    assert "killed at any request" in found.passed


def test_the_walk_that_is_killed_is_the_one_whose_requests_were_counted() -> None:
    assert spread(9, 1) == [1]

    class LargeWorld(ToyWorld):
        page: ClassVar[int] = 40

    with opened(Toy, LargeWorld()) as bench:
        tried("toy", bench, {WELL})
        for again in (0, 1):
            listener = begun(bench, WELL, again)
            bench.stage.disturb()
            bench.walk(listener)
            assert len(bench.stage.asked) == bench.requests[again]


class ThreadWorld(ToyWorld):
    """Tells which note is answered."""

    def truth(self, said: Said) -> dict[str, Any]:
        del said
        return {"parent": "7"}


class Answering(Toy, frozen=True):
    """Says so, with the key it is given."""

    parent: ClassVar[str] = "toy:7"

    def parse(self, item: Item) -> Mention:
        return super().parse(item).model_copy(update={"parent": self.parent})


@pytest.mark.parametrize(("key", "right"), [("toy:7", True), ("toy:t3_7", True), ("toy:17", False), ("toy:a7", False)])
def test_a_thread_is_known_by_its_whole_id(key: str, *, right: bool) -> None:
    class Keyed(Answering, frozen=True):
        parent: ClassVar[str] = key

    with opened(Keyed, ThreadWorld()) as bench:
        found = tried("toy", bench, {WELL})
    assert (found.failings == []) is right


def test_a_field_that_no_mention_has_is_the_worlds_own_fault() -> None:
    class Misspelt(ToyWorld):
        def truth(self, said: Said) -> dict[str, Any]:
            del said
            return {"auhtor": "ann"}

    with opened(Toy, Misspelt()) as bench, pytest.raises(PlaceError, match=r"Misspelt\.truth\(\) tells of 'auhtor'"):
        tried("toy", bench, {WELL})


class TextWorld(ToyWorld):
    """Shows no edits, and speaks no JSON that a lens could read."""

    edits: ClassVar[timedelta | None] = None

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        told = super().answer(request, said, now)
        return httpx.Response(told.status_code, text=f"<notes>{told.text}</notes>")


class Reader(Toy, frozen=True):
    """Reads what it says."""

    def _notes(self, http: httpx.Client, start: datetime | None, number: int) -> list[Any]:
        asked = {"page": str(number)} | ({"since": start.isoformat()} if start else {})
        said = http.get(f"{self.api}/notes", params=asked).text.removeprefix("<notes>").removesuffix("</notes>")
        notes: list[Any] = httpx.Response(200, text=said).json()["notes"]
        return notes


def test_what_cannot_happen_there_is_left_out_with_its_reason() -> None:
    edited, larger = "one edited to the front between two pages", "a page larger than asked for"
    with opened(Reader, TextWorld()) as bench:
        found = tried("toy", bench, {edited, larger})
    assert found.skipped == {edited: "the place shows no edits", larger: "it fits none of the place's answers"}


@pytest.mark.parametrize(
    "url", ["http://toy.example/notes", "https://toy.example:8443/notes", "https://other.example/notes"]
)
def test_a_recording_answers_at_its_own_address_only(url: str) -> None:
    exchange = {"request": {"url": "https://toy.example/notes"}, "response": {"text": "well"}}
    assert Recorded([exchange], {}).answer(httpx.Request("GET", "https://toy.example/notes")).text == "well"
    assert Recorded([exchange], {}).answer(httpx.Request("GET", url)).status_code == 404


def test_an_error_says_itself_where_it_happened() -> None:
    with opened(Toy) as bench:
        bench.walk(bench.fresh())
        host = bench.stage.asked[0].url.host
        verdict = Verdict(bench.stage, "conform", [])
        silent = RefusedError("no")
        silent.__cause__ = ValueError(f"at {host}")
        (failing,) = verdict.named("401", silent)
        assert failing.happened.startswith("does not say where")
        assert verdict.named("401", RefusedError(f"no, at {host}")) == []


def test_a_wait_may_be_told_a_little_late() -> None:
    fault = next(fault for fault in FAULTS if fault.name == "429 with seconds to wait")
    with opened(Toy) as bench:
        bench.stage.disturb(fault)
        bench.walk(bench.fresh())
        for late, kept in ((20, True), (60, False)):
            told = TemporaryError("conform", retry_after=timedelta(seconds=90 - late))
            assert (bench.verdict.expected(fault, told) == []) is kept


def test_a_request_whose_client_gave_up_is_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, late, usual = list[str](), threading.Event(), _Door.handle_one_request

    def starved(door: _Door) -> None:
        late.wait(30)
        usual(door)

    def answer(request: httpx.Request) -> Wire:
        asked.append(request.url.path)
        return whole(httpx.Response(200, text="well"))

    monkeypatch.setattr(_Door, "handle_one_request", starved)
    with serving(answer) as address, httpx.Client() as http:
        url = httpx.URL(address)
        with socket.create_connection((url.host, url.port or 0)) as one:
            one.sendall(b"POST /given-up HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n{}")
        late.set()
        for path in ("/first", "/second"):
            assert http.get(f"{address}{path}").text == "well"
    assert asked == ["/first", "/second"]
