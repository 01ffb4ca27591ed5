"""Worldly: walks through a world of the kit, for tests of single sources."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connectors.client import open_client
from connectors.conform.world import Said, World
from connectors.contract import Batch, Source, fetch
from pipeline.coverage import Gap
from pipeline.mention import Mention

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
HERE = "https://world.example"


def client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return open_client(attempts=1, transport=httpx.MockTransport(answer), sleep=lambda _: None)


def refusal(code: int, body: Any, **headers: str) -> Callable[[httpx.Request], httpx.Response]:  # noqa: ANN401 - JSON
    """A place that answers nothing else."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(code, json=body, headers=named)


@dataclass
class Town:
    """A world with people in it, and a listener who keeps what a store would keep."""

    world: World
    kind: type[Source]
    more: dict[str, Any] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    now: datetime = NOON
    heard: dict[str, Mention] = field(default_factory=dict)
    cursor: str | None = None
    asked: list[httpx.Request] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    reach: datetime | None = None

    @property
    def source(self) -> Source:
        return self.kind.model_validate({"name": "town", **self.world.settings(HERE), **self.more})

    def say(self, many: int, *, at: datetime | None = None, step: timedelta = timedelta(seconds=20)) -> list[Said]:
        """So many are said, the first at `at` or now."""
        first = self.now if at is None else at
        new = []
        for n in range(many):
            number = len(self.said) + 1
            new.append(Said(number, first + n * step, f"Hike {number} pinches & squeaks, 5 < 6 #hike"))
            self.said.append(new[-1])
        self.now = max([self.now, *(each.at for each in new)])
        return new

    def change(self, said: Said, **more: Any) -> Said:  # noqa: ANN401 - fields of Said
        changed = replace(said, **more)
        self.said[said.number - 1] = changed
        return changed

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.world.answer(request, tuple(self.said), self.now)
        answer.headers.setdefault("date", self.now.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        return answer

    def listen(self, batches: int | None = None) -> list[Batch]:
        """One walk, or its first batches."""
        self.asked.clear()
        self.gaps, self.reach = [], None
        came = []
        with client(self.answer) as http:
            for batch in fetch(self.source, http, self.cursor):
                came.append(batch)
                self.heard |= {mention.key: mention for mention in batch.mentions}
                self.cursor = batch.cursor or self.cursor
                self.gaps += batch.gaps
                self.reach = batch.reach or self.reach
                if len(came) == batches:
                    break
        return came

    def texts(self) -> list[str]:
        """What was heard of people, sorted, each key once."""
        return sorted(each.text for each in self.heard.values() if not each.by_brand)

    def living(self) -> list[str]:
        return sorted(each.text for each in self.said if not each.deleted)


def hears_everything(world: World, kind: type[Source], **more: Any) -> Town:  # noqa: ANN401 - settings
    """A busy place: many at first, many in one second, a late one, an edited and a deleted one; none lost or twice."""
    town = Town(world, kind, more)
    town.say(world.page + 3)
    town.listen()
    assert town.texts() == town.living()
    town.now += timedelta(hours=1)
    town.say(world.same_second, step=timedelta(0))
    town.say(world.page * 2 + 1)
    town.listen()
    assert town.texts() == town.living()
    assert town.gaps == []
    town.say(1, at=town.now - world.late + timedelta(seconds=1))
    town.listen()
    assert town.texts() == town.living()
    if world.edits is not None:
        edited = town.change(town.said[-2], text="Hike mended it! #hike", edited_at=town.now + timedelta(minutes=1))
        town.now += timedelta(minutes=2)
        town.listen()
        assert town.texts() == town.living()
        assert edited.text in town.texts()
    before = town.cursor
    town.listen()
    assert town.cursor == before
    return town


def forgets_nothing_when_killed(world: World, kind: type[Source]) -> None:
    """Killed after any batch, and called again."""
    whole = Town(world, kind)
    whole.say(world.page * 2 + 3)
    for batches in range(1, len(whole.listen()) + 1):
        town = Town(world, kind, said=list(whole.said), now=whole.now)
        town.listen(batches)
        town.listen()
        assert town.texts() == town.living(), f"after {batches} batches"


def knows_what_is_gone(world: World, kind: type[Source]) -> None:
    """Looks up what was heard: only what was deleted is gone, and nothing if the place itself cannot be seen."""
    town = Town(world, kind)
    town.say(3)
    town.listen()
    keys = list(town.heard)
    town.change(town.said[1], deleted=True)
    with client(town.answer) as http:
        gone = town.source.gone(http, keys)
    assert {town.heard[key].text for key in gone if not town.heard[key].by_brand} == {town.said[1].text}
    assert len(gone) == 1


def sent(requests: Sequence[httpx.Request], method: str) -> httpx.Request:
    """The only request that writes."""
    (request,) = [each for each in requests if each.method == method]
    return request
