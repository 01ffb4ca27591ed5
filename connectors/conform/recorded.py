"""Recorded: a place made of recordings, for a connector that comes with a folder of them and no world."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from connectors.conform.bench import Bench
from connectors.conform.grade import Severity
from connectors.conform.leaks import overhearing
from connectors.conform.listener import MOST_WALKS, Listener
from connectors.conform.scene import Judged, some
from connectors.conform.stage import Place, Stage
from connectors.contract import Source
from pipeline.errors import SettingsError
from pipeline.mention import Mention

Exchange = dict[str, Any]


@dataclass(slots=True)
class Recorded:
    """Answers what was recorded for a request, and knows what must be heard of it."""

    exchanges: list[Exchange]
    expected: dict[str, Mention]
    told: bool = True
    """Whether somebody wrote down what is expected; else it is what one walk brought."""

    @property
    def many(self) -> int:
        """How many things are said."""
        return len(self.expected)

    def fresh(self) -> "Recorded":
        """Recordings do not wear out."""
        return self

    def go_on(self, place: Place, *, little: bool = False) -> None:
        """Nothing more was recorded."""

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The recording that fits best: one that names headers is preferred. None: 404."""
        fitting = [each for each in self.exchanges if _fits(each["request"], request)]
        if not fitting:
            return httpx.Response(404, text="nobody recorded this")
        told = max(fitting, key=lambda each: len(each["request"].get("headers", {})))["response"]
        body = json.dumps(told["json"]) if "json" in told else told.get("text", "")
        return httpx.Response(told.get("status", 200), headers=told.get("headers", {}), content=body.encode())

    def judge(self, listener: Listener) -> Judged:
        """What is expected and was not heard, or otherwise."""
        lost = [key for key in self.expected if key not in listener.kept]
        more = [key for key in listener.kept if key not in self.expected]
        gone = [key for key in self.expected if key in listener.gone]
        other = [
            (key, name)
            for key, said in self.expected.items()
            if key in listener.kept and (name := _differs(said, listener.kept[key]))
        ]
        told: Judged = []
        if lost:
            told.append((Severity.LOST, f"{len(lost)} of {self.many} were never heard ({some(lost)})"))
        if more:
            told.append((Severity.REPEATED, f"{len(more)} were heard that nobody expects ({some(more)})"))
        if gone:
            told.append((Severity.LOST, f"{len(gone)} that are expected are called gone ({some(gone)})"))
        if other:
            (key, name), *_ = other
            was, now = getattr(self.expected[key], name), getattr(listener.kept[key], name)
            told.append((Severity.DISTORTED, f"{len(other)} read otherwise: {name} of {key}, {was!r} as {now!r}"))
        return told


def _differs(said: Mention, heard: Mention) -> str | None:
    """The first field that is not as somebody wrote it down; what was not written down may be anything."""
    return next((name for name in said.model_fields_set if getattr(said, name) != getattr(heard, name)), None)


def _fits(recorded: dict[str, Any], request: httpx.Request) -> bool:
    url = httpx.URL(recorded["url"])
    return (
        recorded.get("method", "GET") == request.method
        and (url.scheme, url.netloc, url.path) == (request.url.scheme, request.url.netloc, request.url.path)
        and sorted(url.params.multi_items()) == sorted(request.url.params.multi_items())
        and all(request.headers.get(name) == value for name, value in recorded.get("headers", {}).items())
    )


@contextmanager
def recorded_bench(kind: type[Source], folder: Path) -> Iterator[Bench]:
    """The bench of a source before its recordings: settings.json, exchanges.json and, if it is there, expected.json.

    Where nobody wrote down what is expected, a walk's own outcome must do, which costs points: see `sound`.
    """
    source = kind.model_validate(_read(folder / "settings.json"))
    place = Recorded(_read(folder / "exchanges.json"), {})
    stage = Stage(place)
    with stage.serving() as address:
        bench = Bench(source, place, stage, address)
        told = folder / "expected.json"
        if told.exists():
            said = [Mention.model_validate(each) for each in _read(told)]
            place.expected = {mention.key: mention for mention in said}
        else:
            place.told = False
            listener = Listener()
            for _ in range(MOST_WALKS):
                before = listener.cursor
                listener.walk(source, bench.client())
                if listener.cursor == before:
                    break
            place.expected = dict(listener.kept)
        with overhearing(bench.verdict.secrets) as heard:
            bench.overheard = heard.told
            yield bench


def _read(file: Path) -> Any:  # noqa: ANN401 - JSON is anything
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{file}: {type(error).__name__}; recordings are settings.json and exchanges.json"
        ) from None
