"""Delivery: one sink through every fault and story, one after the other, and the grade it gets."""

import time
from collections.abc import Callable, Collection
from functools import partial

from connectors.conform.alerts import MINE
from connectors.conform.counter import FIRST, AtDesk, Clean, Counter, Occasion
from connectors.conform.faults import FAULTS, LEISURE, PATIENCE, Fault
from connectors.conform.grade import Failing, Grade, Severity
from connectors.conform.leaks import overhearing
from connectors.conform.sendings import STORIES, well
from connectors.conform.stage import Stage
from connectors.conform.step import FAILS_WELL, LONGEST_WELL, WELL, take
from connectors.conform.verdict import said
from connectors.conform.world import Desk
from connectors.contract import Sink

AGAIN = frozenset(
    {
        "401 once, the key ran out",
        "404, nothing there",
        "429 with seconds to wait",
        "500, broken",
        "a slow first byte",
        "a connection reset between two pages",
        "an empty body",
    }
)
"""Faults that are shown at an update, a solve and a reopening of a case too; the others at a first alert only."""

Came = list[Failing] | str | None


def delivered(kind: type[Sink], desk: type[Desk], only: Collection[str] | None = None) -> Grade:
    """The grade of a sink at its desk, for all faults and stories or `only` those named."""
    grade = Grade(kind.model_fields["kind"].get_default() or kind.__name__)
    started = time.perf_counter()
    stage = Stage(AtDesk(desk()))
    with stage.serving() as address:
        sink = kind.model_validate({"name": MINE, **desk().settings(address)})
        with overhearing([]) as heard:
            counter = Counter(sink, stage, desk, address, heard.told)
            heard.secrets = counter.verdict.secrets
            take(grade, WELL, _kept(counter, WELL, partial(well, counter)), longest=LONGEST_WELL, gravity=Severity.LOST)
            if any(each.severity not in {Severity.TOLD, Severity.SECRET} for each in grade.failings):
                grade.untried = grade.untried or FAILS_WELL
            for name, story in STORIES.items():
                if only is None or name in only:
                    take(grade, name, _kept(counter, name, partial(story, counter, name)))
            for fault in FAULTS:
                if only is None or fault.name in only:
                    take(grade, fault.name, _kept(counter, fault.name, partial(_shown, counter, fault)))
    if stage.broken:
        grade.failings.append(Failing("the desk", Severity.TOLD, f"broke: {stage.broken}", "answers always"))
    grade.seconds = time.perf_counter() - started
    return grade


def _kept(counter: Counter, name: str, work: Callable[[], Came]) -> Callable[[], Came]:
    """The work, and whether a secret was told meanwhile: in an error, a receipt or a log."""

    def done() -> Came:
        came = work()
        if not (leaks := counter.leaks()):
            return came
        told = f"a secret of the settings is told by {'; '.join(leaks)}"
        failings = came if isinstance(came, list) else []
        return [*failings, Failing(name, Severity.SECRET, told, "nobody but the desk sees it")]

    return done


def _shown(counter: Counter, fault: Fault) -> list[Failing] | None:
    """The fault on every occasion that it is for; None: it fits none."""
    fitted = False
    for occasion in counter.occasions():
        if occasion is FIRST or fault.name in AGAIN:
            came = _spoilt(counter, fault, occasion)
            if came:
                return came
            fitted = fitted or came is not None
    return [] if fitted else None


def _spoilt(counter: Counter, fault: Fault, occasion: Occasion) -> list[Failing] | None:
    """The fault at each request, and the same alert once more when it is mended; None: it fits none."""
    clean, fitted = counter.clean(occasion), False
    for at in range(1, clean.requests + 1):
        counter.begin(occasion)
        counter.stage.disturb(fault, at)
        first = counter.send(occasion.sent, PATIENCE if fault.slow else LEISURE, fault.attempts)
        if not counter.stage.hit:
            continue
        fitted, failings = True, list[Failing]()
        taken = occasion.done(counter.found())
        if isinstance(first, Exception):
            failings += counter.verdict.expected(fault, first)
        elif not taken:
            told = f"counted as sent though {occasion.undone}"
            failings.append(Failing(fault.name, Severity.LOST, told, "an error, and another try"))
        elif fault.must and fault.refuses and at == 1:
            failings.append(Failing(fault.name, Severity.UNNAMED, "went on as if all were well", "an error"))
        counter.stage.disturb()
        failings += _again(counter, fault, occasion, clean, accepted=taken)
        if failings:
            where = f"request {at} of {occasion.name}"
            return [Failing(each.fault, each.severity, f"{where}: {each.happened}", each.expected) for each in failings]
    return [] if fitted else None


def _again(counter: Counter, fault: Fault, occasion: Occasion, clean: Clean, *, accepted: bool) -> list[Failing]:
    """The same alert once more: it is there now, as once as the desk can know."""
    second = counter.send(occasion.sent)
    found = counter.found()
    if isinstance(second, Exception):
        return [Failing(fault.name, Severity.LOST, f"does not recover: {said(second)}", "is sent as before")]
    if not occasion.done(found):
        return [
            Failing(fault.name, Severity.LOST, f"after another try {occasion.undone}", "as if nothing had happened")
        ]
    if missing := occasion.missing(found, clean.found):
        told = f"the words of alert {missing[0]} of the case are nowhere"
        return [Failing(fault.name, Severity.LOST, told, "all that was told stands there")]
    if len({each.key for each in found}) > len({each.key for each in clean.found}):
        return [Failing(fault.name, Severity.REPEATED, "another key at the second try", "the same key on every try")]
    if counter.repeated(occasion, found, accepted=accepted):
        return [Failing(fault.name, Severity.REPEATED, "a person finds it twice", "once, after two tries")]
    return []
