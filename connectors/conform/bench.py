"""Bench: one source, its place and the ways to walk it, for one trial after the other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import httpx

from connectors.conform.faults import LEISURE
from connectors.conform.grade import Failing, Severity
from connectors.conform.leaks import overhearing, secrets_of
from connectors.conform.listener import MOST_WALKS, Listener, patient, wire
from connectors.conform.scene import REST, STEP, Scene
from connectors.conform.server import Detour
from connectors.conform.stage import Place, Stage, copied
from connectors.conform.verdict import Verdict, said
from connectors.conform.world import World
from connectors.contract import Source

SMALL = 25
"""A page of so many is filled more than twice; larger ones a little more than once."""
MANY_THINGS, MANY_REQUESTS = 150, 40
"""Above so many things or requests a fault is shown at one of three requests instead of at each."""


class Opening(Protocol):
    """How a place begins, and what is new when the listener calls again."""

    @property
    def many(self) -> int:
        """How many things are said at the beginning."""

    def fresh(self) -> Place:
        """The place at its beginning."""

    def go_on(self, place: Place, *, little: bool = False) -> None:
        """More is said there, or a little more."""


@dataclass(slots=True)
class WorldOpening:
    """A world in which somewhat more than a page was said, and then that much again."""

    world: World
    ahead: timedelta | None = None
    """How far its clock is ahead of ours when all is said; less than nothing: behind it; None: as it suits a trial."""

    @property
    def many(self) -> int:
        """How many things are said at the beginning."""
        page = self.world.page
        return page * 2 + 3 if page <= SMALL else page + page // 5 + 3

    def fresh(self) -> Scene:
        """Usually its clock is days behind ours, so that all that a trial makes happen is past for us too.

        The world is a copy: what one remembers of a trial is unknown to the next.
        """
        usual = timedelta(days=3) + self.world.late + (self.world.edits or timedelta(0))
        back = usual if self.ahead is None else STEP * self.many + REST - self.ahead
        scene = Scene(copied(self.world) or self.world, datetime.now(UTC).replace(microsecond=0) - back)
        scene.say(self.many)
        return scene

    def go_on(self, place: Place, *, little: bool = False) -> None:
        """A page and two, or of a large page a quarter."""
        if isinstance(place, Scene):
            page = self.world.page
            place.say(2 + (page // 4 if little and page > SMALL else page))


@dataclass(slots=True)
class Bench:
    """The source under trial, on a stage."""

    source: Source
    opening: Opening
    stage: Stage
    detour: str | None = None
    requests: tuple[int, int] = (1, 1)
    notes: dict[str, str] = field(default_factory=dict)
    """What a story did less of than its name says, for the grade."""
    overheard: list[str] = field(default_factory=list)
    """Who logged a secret of the settings."""
    verdict: Verdict = field(init=False)

    def __post_init__(self) -> None:
        self.verdict = Verdict(self.stage, self.source.name, secrets_of(self.source))

    @property
    def heavy(self) -> bool:
        """Whether each walk takes so long that fewer of them must do."""
        return self.opening.many > MANY_THINGS or sum(self.requests) > MANY_REQUESTS

    @property
    def place(self) -> Place:
        """What stands on the stage."""
        return self.stage.place

    def fresh(self) -> Listener:
        """A new listener before a place at its beginning, and nothing goes wrong."""
        self.stage.place = self.opening.fresh()
        self.stage.disturb()
        return Listener()

    def client(self, timeout: float = LEISURE, attempts: int = 1) -> httpx.Client:
        """A client for one walk."""
        return patient(timeout, attempts, Detour(self.detour, wire()) if self.detour else None)

    def walk(
        self, listener: Listener, most: int | None = None, *, timeout: float = LEISURE, attempts: int = 1
    ) -> Exception | None:
        """One walk; what it raised, if anything."""
        try:
            listener.walk(self.source, self.client(timeout, attempts), most)
        except Exception as error:  # noqa: BLE001 - what is not ours is judged, too
            return error
        return None

    def settle(self, fault: str, listener: Listener) -> list[Failing]:
        """Walk on, nothing going wrong, until all is heard or the place no longer moves; and what is missing then."""
        self.stage.disturb()
        failings = list[Failing]()
        for _ in range(MOST_WALKS):
            before = listener.cursor
            error = self.walk(listener)
            if self.stage.endless:
                return [Failing(fault, Severity.ENDLESS, "never comes to an end", "a walk ends")]
            if error is not None:
                return [Failing(fault, Severity.LOST, f"does not recover: {said(error)}", "walks on as before")]
            failings = self.judged(fault, listener)
            if not failings or listener.cursor == before:
                break
        return failings

    def judged(self, fault: str, listener: Listener, excused: set[int] | None = None) -> list[Failing]:
        """What is missing, twice or otherwise, as failings."""
        place = self.place
        told = place.judge(listener, excused or ()) if isinstance(place, Scene) else place.judge(listener)
        return [
            Failing(fault, severity, happened, "all is heard, each once, word for word") for severity, happened in told
        ]


@contextmanager
def world_bench(kind: type[Source], world: World) -> Iterator[Bench]:
    """The bench of a source in its world."""
    opening = WorldOpening(world)
    stage = Stage(opening.fresh())
    with stage.serving() as address:
        source = make(kind, world, address)
        bench = Bench(source, opening, stage)
        with overhearing(bench.verdict.secrets) as heard:
            bench.overheard = heard.told
            yield bench


def make(kind: type[Source], world: World, address: str) -> Source:
    """A source that listens at this address."""
    return kind.model_validate({"name": "conform", **world.settings(address)})


Story = Callable[[Bench], list[Failing] | str]
"""Something that happens in a place; what was not kept, or why it does not apply."""
NO_WORLD = "recordings cannot tell it"
