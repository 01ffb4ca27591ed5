"""Trial: one source through every fault and story, one after the other, and the grade it gets."""

import time
from collections.abc import Collection
from functools import partial

from connectors.conform.bench import Bench
from connectors.conform.faults import FAULTS, LEISURE, PATIENCE, Fault
from connectors.conform.grade import Failing, Grade, Severity
from connectors.conform.listener import Listener
from connectors.conform.scene import Scene
from connectors.conform.step import FAILS_WELL, LONGEST_WELL, WELL, take
from connectors.conform.stories import STORIES
from connectors.conform.verdict import said

NOTHING_ASKED = "it asked the server nothing, so nothing could be spoilt on the way"
NOTHING_SAID = "nothing is said there, so nothing could be lost"


def tried(kind: str, bench: Bench, only: Collection[str] | None = None) -> Grade:
    """The grade of the source on this bench, for all faults and stories or `only` those named."""
    grade = Grade(kind)
    started = time.perf_counter()
    take(grade, WELL, lambda: _well(bench), longest=LONGEST_WELL, gravity=Severity.LOST)
    grade.untried = grade.untried or _useless(bench, grade)
    for number, fault in enumerate(FAULTS):
        if only is None or fault.name in only:
            take(grade, fault.name, partial(_shown, bench, fault, number))
    for name, story in STORIES.items():
        if only is None or name in only:
            take(grade, name, partial(story, bench))
    if bench.stage.broken:
        grade.failings.append(Failing("the world", Severity.TOLD, f"broke: {bench.stage.broken}", "answers always"))
    grade.notes = bench.notes
    grade.seconds = time.perf_counter() - started
    return grade


def _useless(bench: Bench, grade: Grade) -> str | None:
    """Why no fault would tell anything."""
    if not bench.opening.many:
        return NOTHING_SAID
    if any(each.severity not in {Severity.TOLD, Severity.SECRET} for each in grade.failings):
        return FAILS_WELL
    return None if bench.requests[0] else NOTHING_ASKED


def _well(bench: Bench) -> list[Failing]:
    """All is heard at the first call and at the next, and calling again changes nothing."""
    listener = bench.fresh()
    counts, claims = list[int](), list[Failing]()
    for again in (False, True):
        if again:
            bench.opening.go_on(bench.place, little=True)
        bench.stage.disturb()
        error = bench.walk(listener)
        if error is not None:
            return [Failing(WELL, Severity.LOST, f"raised {said(error)}", "a walk to its end")]
        counts.append(len(bench.stage.asked))
        claims = claims or _claims(bench, listener)
        if failings := bench.settle(WELL, listener):
            return [*failings, *claims]
    bench.requests = (counts[0], counts[1])
    before, kept = listener.cursor, dict(listener.kept)
    if (error := bench.walk(listener)) is not None:
        return [Failing(WELL, Severity.LOST, f"raised {said(error)}", "a walk to its end"), *claims]
    if before is None or (listener.cursor, listener.kept) != (before, kept):
        told = "calling again changed the place or the words"
        return [Failing(WELL, Severity.MOVED, told, "nothing new, no change"), *claims]
    return claims


def _claims(bench: Bench, listener: Listener) -> list[Failing]:
    place = bench.place
    if not isinstance(place, Scene):
        return []
    return [
        Failing(WELL, severity, words, "reach says what was heard") for severity, words in place.overclaimed(listener)
    ]


def _shown(bench: Bench, fault: Fault, number: int) -> list[Failing] | None:
    """The fault at the first, the middle and the last request of the first walk and of the next; None: it fits none.

    After each phase the place is mended, and all must be heard. Where a walk takes long, a fault has one of these six
    positions, and the next fault the next.
    """
    shares: tuple[float, ...] = (0.0, 0.5, 1.0)
    phases = {0, 1}
    if bench.heavy:
        shares, phases = (shares[number % 3],), {number // 3 % 2}
    listener, fitted = bench.fresh(), False
    for phase in range(max(phases) + 1):
        walk = ("the first walk", "the next walk")[phase]
        if phase:
            bench.opening.go_on(bench.place, little=True)
        start, requests = listener.copy(), bench.requests[phase]
        for at in dict.fromkeys(1 + round((requests - 1) * share) for share in shares if phase in phases):
            failings = _spoilt(bench, fault, at, listener)
            fitted = fitted or bench.stage.hit
            if listener.cursor != start.cursor:  # it went on from page to page: what follows must begin anew
                failings = failings or bench.settle(fault.name, listener)
                listener = start.copy()
            if failings:
                return _at(failings, f"request {at} of {walk}")
        if failings := bench.settle(fault.name, listener):
            return _at(failings, f"after {walk}, mended")
    return [] if fitted else None


def _spoilt(bench: Bench, fault: Fault, at: int, listener: Listener) -> list[Failing]:
    """One walk that is spoilt from a request on."""
    before = listener.cursor
    bench.stage.disturb(fault, at)
    error = bench.walk(listener, timeout=PATIENCE if fault.slow else LEISURE, attempts=fault.attempts)
    failings = bench.verdict.expected(fault, error, at)
    if error is not None and at == 1 and listener.cursor != before:
        failings.append(Failing(fault.name, Severity.MOVED, "the place moved though nothing was read", "it stays"))
    if bench.stage.endless:
        failings.append(Failing(fault.name, Severity.ENDLESS, "the walk never ends", "it ends, or says what is wrong"))
    return failings


def _at(failings: list[Failing], where: str) -> list[Failing]:
    return [Failing(each.fault, each.severity, f"{where}: {each.happened}", each.expected) for each in failings]
