"""The ground: a fake world on loopback that remembers all it ever said and all it was ever told."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import httpx
from sqlalchemy import select

from connectors.conform.desks.slack import SlackDesk
from connectors.conform.desks.webhook import WebhookDesk
from connectors.conform.scene import numbers
from connectors.conform.server import Answer, Wire, serving, whole
from connectors.conform.world import Desk, Said
from connectors.conform.worlds.rest import RestWorld
from flows.setup import Setup
from storage.store import Store
from storage.tables import ALERT
from tests.town import PLAINT, PRAISE

PAGE = 4
"""Things on one page: so few that every walk turns several pages."""
STEP = timedelta(minutes=15)
"""Between two things said: the hour that each walk reads again holds few of them."""
LATE = timedelta(minutes=30)
AGAIN = 3
"""So many things that were heard before are surely among them."""
DESKS: dict[str, type[Desk]] = {"desk": WebhookDesk, "chat": SlackDesk}
"""Where alerts go over HTTP: `desk` knows an alert by its key when it comes again, `chat` does not."""
LOG = "log"
"""The sink that writes a file; it knows what stands there."""
KEYED, UNKEYED = ("desk", LOG), "chat"

SETTINGS = """\
database = {database}

[brand]
name = "Hike"

[[source]]
name = "shop"
{source}
[[sink]]
kind = "file"
name = "log"
path = "alerts.jsonl"

{sinks}
[grave]
team = "Safety"
sinks = ["log", "desk", "chat"]

[[route]]
name = "rest"
team = "Support"
reply_within = "4h"
sinks = ["log", "desk", "chat"]

[cases]
open_within = "3650d"

[judgement]
effort = "fast"

[http]
attempts = 1
cache = false
"""

Hook = Callable[[str, str], Wire | None]
"""Asked with a port's name and the moment, "asked" or "taken"; a Wire it gives goes out instead of the answer."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One alert that somebody can read at a sink: which thing it tells of (None if of deleted words), and its key."""

    sink: str
    key: str
    number: int | None


@dataclass(slots=True)
class Ground:
    """A shop that says things, three sinks that are told of them, and what stands between them and a run."""

    folder: Path
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) - timedelta(days=300))
    said: list[Said] = field(default_factory=list)
    due: set[int] = field(default_factory=set)
    """The things whose words somebody has to hear of."""
    shown: set[int] = field(default_factory=set)
    """Those of them that the shop ever showed to a run: what was taken back before that, nobody can know of."""
    heard: list[Heard] = field(default_factory=list)
    excused: Counter[str] = field(default_factory=Counter)
    """The keys that came to `chat` once more, because a run died, or was not answered, before it marked them."""
    known_again: int = 0
    """Requests at `desk` with a key that it took before, for the same reason."""
    requests: Counter[str] = field(default_factory=Counter)
    hook: Hook | None = None
    lock: Lock = field(default_factory=Lock)
    _may: set[tuple[str, str]] = field(default_factory=set)
    """The sinks and keys that may come once more in the next run."""

    @property
    def settings(self) -> Path:
        return self.folder / "earful.toml"

    def store(self) -> Store:
        return Setup.read(self.settings).store()

    # What happens in the shop.

    def say(self, many: int = 1, *, plaints: bool = True, step: timedelta = STEP) -> None:
        """So many new things."""
        for _ in range(many):
            self.now += step
            self.arrive(self.now, plaint=plaints)

    def arrive(self, at: datetime, *, plaint: bool = True) -> None:
        """One thing is there that was said then."""
        number = len(self.said) + 1
        if plaint:
            self.due.add(number)
        self.said.append(Said(number, at, words(number, plaint=plaint)))

    def happen(self, chance: random.Random) -> None:
        """A little of everything: complaints, praise, several in one second, a late one.

        And of what was there before, and was heard: an edit, a deletion.
        """
        known = len(self.said)
        self.say(1)
        self.say(1, plaints=False)
        what = chance.randrange(6)
        if what == 0:
            self.arrive(self.now - LATE)
        if what == 1:
            self.say(PAGE + 1, plaints=False, step=timedelta(0))
        if what in {2, 3}:
            self.regret(chance, known, delete=what == 3)

    def regret(self, chance: random.Random, known: int, *, delete: bool) -> None:
        """One of the last of so many things gets other words or is taken back; a walk reads these few again."""
        for one in chance.sample(self.said[:known][-AGAIN:], min(known, 1)):
            if delete:
                self.delete(one.number)
            else:
                self.edit(one.number)

    def edit(self, number: int) -> None:
        """Its author gives it other words: a complaint, whatever it was before."""
        one = self.said[number - 1]
        if not one.deleted:
            self.due.add(number)
            self.said[number - 1] = replace(one, text=words(number, edited=True), edited_at=self.now)

    def delete(self, number: int) -> None:
        """Its author takes it back."""
        self.said[number - 1] = replace(self.said[number - 1], deleted=True)

    # What a run finds there.

    def answers(self, request: httpx.Request) -> Wire:
        """The shop's answer."""
        if wire := self._asked("shop", "asked"):
            return wire
        answer = RestWorld().answer(request, tuple(self.said), self.now)
        self.shown |= {number for number in numbers(answer.text) & self.due if not self.said[number - 1].deleted}
        return whole(answer)

    def takes(self, sink: str) -> Answer:
        """The answer of one of the desks, which is a new one for each request: the ground is its memory."""

        def answer(request: httpx.Request) -> Wire:
            if wire := self._asked(sink, "asked"):
                return wire
            desk = DESKS[sink]()
            said = whole(desk.answer(request, self.now))
            for found in desk.found():
                self._take(Heard(sink, found.key, next(iter(numbers(found.text)), None)))
            return self._asked(sink, "taken") or said

        return answer

    def _asked(self, where: str, moment: str) -> Wire | None:
        self.requests[f"{where} {moment}"] += 1
        return self.hook(where, moment) if self.hook else None

    def _take(self, one: Heard) -> None:
        place = one.sink, one.key
        with self.lock:
            if place in self._may and any((each.sink, each.key) == place for each in self.heard):
                self._may.remove(place)
                if one.sink in KEYED:
                    self.known_again += 1
                    return
                self.excused[one.key] += 1
            self.heard.append(one)

    # What is remembered of a run.

    def begin(self, hook: Hook | None = None) -> None:
        """A run begins."""
        self.requests.clear()
        self.hook = hook

    def ended(self, *, spoilt: bool = False) -> None:
        """It has ended. If it died or heard no answer, what is not marked now may come once more in the next run."""
        self.hook = None
        self._may = set()
        if spoilt:
            with self.store() as store, store._read() as connection:  # noqa: SLF001 - looks behind the store
                unmarked = connection.execute(select(ALERT.c.sink, ALERT.c.key).where(ALERT.c.sent_at.is_(None)))
                self._may = {(row.sink, row.key) for row in unmarked}

    def read(self) -> list[Heard]:
        """All that somebody can read at the sinks."""
        return [*self.heard, *self.logged()]

    def logged(self) -> list[Heard]:
        """What stands in the file; a line that is broken is a ValueError."""
        path = self.folder / "alerts.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        found = [json.loads(line) for line in lines]
        return [Heard(LOG, each["key"], next(iter(numbers(each["text"])), None)) for each in found]


def words(number: int, *, plaint: bool = True, edited: bool = False) -> str:
    """The words of one thing, with its number where `numbers` finds it."""
    said = (PLAINT if plaint or edited else PRAISE).format(number=number)
    return f"Hike {number} {'(edited) ' if edited else ''}#hike {said}"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_toml(each)}" for name, each in value.items()) + " }"
    return json.dumps(value)


def _table(settings: dict[str, Any]) -> str:
    return "".join(f"{name} = {_toml(value)}\n" for name, value in settings.items())


@contextmanager
def open_ground(folder: Path, database: str) -> Iterator[Ground]:
    """A server for the shop and one for each desk, so that what fails at one says nothing of another."""
    ground = Ground(folder)
    with ExitStack() as stack:
        shop = RestWorld().settings(stack.enter_context(serving(ground.answers)))
        sinks = ""
        for name, desk in DESKS.items():
            address = stack.enter_context(serving(ground.takes(name)))
            sinks += f'[[sink]]\nname = "{name}"\n{_table(desk().settings(address))}\n'
        source = _table(shop | {"params": {"per_page": str(PAGE)}})
        text = SETTINGS.format(database=json.dumps(database), source=source, sinks=sinks)
        ground.settings.write_text(text, encoding="utf-8")
        yield ground
