"""Mishaps: what happens to all that a place says, to the listener, and to the way between them."""

from connectors.conform.bench import NO_WORLD, Bench, Story, WorldOpening, make
from connectors.conform.grade import Failing, Severity
from connectors.conform.killed import killed
from connectors.conform.lenses import EVERY, Change, Lens, drifting, drifts
from connectors.conform.listener import Listener
from connectors.conform.scene import Scene
from connectors.conform.stage import Stage
from connectors.conform.verdict import said
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError

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
    """The form of the items drifts: those with an odd field may be lost, and no other."""

    def story(bench: Bench) -> list[Failing] | str:
        for turn in range(1 if bench.heavy else EVERY):
            listener = bench.fresh()
            for again in (False, True):
                if again:
                    bench.opening.go_on(bench.place)
                bench.stage.disturb(lens=drifting(change, turn))
                for _ in range(2):
                    error = bench.walk(listener)
                    if isinstance(error, ChangedError):
                        told = f"strange items stopped the walk: {said(error)}"
                        return [Failing(name, Severity.UNNAMED, told, "each costs itself at most")]
                    if error is not None:
                        return bench.verdict.named(name, error) or [
                            Failing(name, Severity.UNNAMED, f"raised {said(error)}", "each costs itself at most")
                        ]
                if not bench.stage.hit:
                    return "it fits none of the place's answers"
            place = bench.place
            strange = (
                {each.number for each in place.said if drifts(each.number, turn)} if isinstance(place, Scene) else set()
            )
            if isinstance(place, Scene) and (failings := bench.judged(name, listener, strange)):
                return failings
        return []

    return story


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


def unreachable(name: str, address: str | None, errors: tuple[type[EarfulError], ...], *, tls: bool = False) -> Story:
    """The place at an address where nothing answers as it should; None: at a server that speaks TLS, or none at all."""

    def story(bench: Bench) -> list[Failing] | str:
        opening = bench.opening
        if not isinstance(opening, WorldOpening):
            return NO_WORLD
        stage = Stage(opening.fresh())
        with stage.serving(tls=tls) as there:
            where = address or (there if tls else there.replace("http:", "https:"))
            source = make(type(bench.source), opening.world, where)
            try:
                Listener().walk(source, bench.client(timeout=5))
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


FAR: tuple[type[EarfulError], ...] = (TemporaryError, SettingsError, RefusedError)
