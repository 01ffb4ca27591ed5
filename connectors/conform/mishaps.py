"""Mishaps: what happens to all that a place says, to the listener, and to the way between them."""

import json
from dataclasses import dataclass, field

from connectors.conform.bench import NO_WORLD, Bench, Story, WorldOpening, make
from connectors.conform.faults import Errors
from connectors.conform.grade import Failing, Severity
from connectors.conform.killed import killed
from connectors.conform.lenses import EVERY, Change, Drifting, Lens, drifts
from connectors.conform.listener import Listener
from connectors.conform.scene import Scene, heard_of, numbers, some
from connectors.conform.stage import Stage, copied
from connectors.conform.verdict import said
from connectors.contract import reason
from pipeline.errors import ChangedError

MOST_STOPS, FEW_STOPS = 8, 3
"""After so many of its batches, spread evenly, a walk is given up; the few where a walk takes long."""


def with_lens(name: str, lens: Lens) -> Story:
    """A look of the place that stands through both walks."""

    def story(bench: Bench) -> list[Failing] | str:
        listener = bench.fresh()
        for again in (False, True):
            if again:
                bench.opening.go_on(bench.place)
            bench.stage.disturb(lens=lens)
            for _ in range(2):
                error = bench.walk(listener)
                if error is not None:
                    return [Failing(name, Severity.LOST, f"raised {said(error)}", "all is heard, each once")]
            if not bench.stage.hit:
                return "it fits none of the place's answers"
        return bench.judged(name, listener)

    return story


def drift(name: str, change: Change) -> Story:
    """The form of the items drifts: what is odd may be rejected, but it may not vanish, and nothing else be lost."""

    def story(bench: Bench) -> list[Failing] | str:
        for turn in range(1 if bench.heavy else EVERY):
            lens, tally = Drifting(change, turn), _Tally()
            listener = bench.fresh()
            for again in (False, True):
                if again:
                    bench.opening.go_on(bench.place)
                bench.stage.disturb(lens=lens)
                if failings := _walked_twice(bench, name, listener, tally):
                    return failings
                if not bench.stage.hit:
                    return "it fits none of the place's answers"
            place = bench.place
            if isinstance(place, Scene):
                strange = {each.number for each in place.said if drifts(each.number, turn)}
                failings = bench.judged(name, listener, strange)
                failings = failings or tally.missing(name, listener, lens, place.world.skips)
                if failings:
                    return failings
        return []

    return story


def _walked_twice(bench: Bench, name: str, listener: Listener, tally: "_Tally") -> list[Failing]:
    for _ in range(2):
        error = bench.walk(listener)
        tally.count(listener)
        if isinstance(error, ChangedError):
            told = f"strange items stopped the walk: {said(error)}"
            return [Failing(name, Severity.UNNAMED, told, "each costs itself at most")]
        if error is not None:
            unnamed = Failing(name, Severity.UNNAMED, f"raised {said(error)}", "each costs itself at most")
            return bench.verdict.named(name, error) or [unnamed]
    return []


@dataclass(slots=True)
class _Tally:
    """Which things were heard, whatever of their words, each key with its things; and what came without a name."""

    keys: dict[str, set[int]] = field(default_factory=dict)
    nameless: set[str] = field(default_factory=set)

    def count(self, listener: Listener) -> None:
        """Count one walk."""
        for key, raw in listener.raws:
            words = json.dumps(raw, ensure_ascii=False, default=str)
            found = numbers(words)
            if len(found) == 1:
                self.keys.setdefault(key, set()).update(found)
            elif not found:
                self.nameless.add(words)

    def missing(self, name: str, listener: Listener, lens: Drifting, skips: frozenset[str]) -> list[Failing]:
        """Strange items that became neither a mention of their own nor a rejected item: nobody will look for them."""
        wanted = "each is a mention or is rejected with a reason"
        for key, found in self.keys.items():
            if len(found) > 1:
                told = f"{len(found)} strange items are mentions of one key, {key} ({some(sorted(found))})"
                return [Failing(name, Severity.LOST, told, wanted)]
        named = set(heard_of(listener)).union(*self.keys.values(), *map(numbers, listener.aside))
        lost = {number: field for number, field in lens.spoilt.items() if number not in named and field not in skips}
        unnamed = {lens.nameless[number]: number for number in lost if number in lens.nameless}
        came = self.nameless | {raw for raw in listener.aside if not numbers(raw)}
        gone = sorted(lost.keys() - lens.nameless.keys()) or sorted(unnamed.values())[len(came) :]
        told = f"{len(gone)} strange items vanished, such as one with an odd {lost[gone[0]]!r}" if gone else ""
        return [Failing(name, Severity.UNNAMED, f"{told} ({some(gone)})", wanted)] if gone else []


def stopped(name: str) -> Story:
    """A walk is given up after any of its batches, and another goes on."""

    def story(bench: Bench) -> list[Failing] | str:
        whole = bench.fresh()
        bench.walk(whole)
        first = whole.batches
        bench.settle(name, whole)
        bench.opening.go_on(bench.place)
        bench.walk(whole)
        for again, batches in ((False, first), (True, whole.batches)):
            for stop in range(1, batches + 1, -(-batches // (FEW_STOPS if bench.heavy else MOST_STOPS)) or 1):
                listener = bench.fresh()
                if again:
                    bench.settle(name, listener)
                    bench.opening.go_on(bench.place)
                bench.walk(listener, stop)
                if failings := bench.settle(name, listener):
                    return failings
        return []

    return story


def shot(name: str) -> Story:
    """A process that walks is killed at a request, and another goes on."""

    def story(bench: Bench) -> list[Failing] | str:
        return killed(bench, name)

    return story


def unreachable(name: str, address: str | None, errors: Errors, *, tls: bool = False) -> Story:
    """The place at an address where nothing answers as it should; None: at a server that speaks TLS, or none at all."""

    def story(bench: Bench) -> list[Failing] | str:
        opening = bench.opening
        if not isinstance(opening, WorldOpening):
            return NO_WORLD
        stage = Stage(opening.fresh())
        with stage.serving(tls=tls) as there:
            where = address or (there if tls else there.replace("http:", "https:"))
            try:
                source = make(type(bench.source), copied(opening.world) or opening.world, where)
            except ValueError as error:
                return [Failing(name, Severity.TOLD, f"its settings refuse {where}: {reason(error)}", "takes it")]
            try:
                Listener().walk(source, bench.client())
            except Exception as error:  # noqa: BLE001 - what is not ours is judged, too
                if not isinstance(error, errors):
                    wanted = " or ".join(each.__name__ for each in errors)
                    return [Failing(name, Severity.UNNAMED, f"raised {said(error)}", wanted)]
                host = where.partition("://")[2].partition(":")[0]
                if host not in str(error) and source.name not in str(error):
                    return [Failing(name, Severity.TOLD, f"does not say where: {said(error)}", "names the host")]
                return []
        return [Failing(name, Severity.UNNAMED, "went on as if all were well", errors[0].__name__)]

    return story
