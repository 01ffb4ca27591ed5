"""Watch: hourly. Say so when a source fails, falls silent or missed something, an alert is stuck, judgement drifts."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.ended import all_of, discreet, ended
from flows.listen import SIDE_BY_SIDE
from flows.send import send
from flows.setup import Setup
from pipeline.coverage import Coverage, Unheard, spoken
from pipeline.drift import PERIOD, Drift, Month, drifts
from pipeline.errors import SettingsError, TemporaryError, told
from pipeline.route import Alert, alert_key
from storage.outbox import Fate
from storage.store import LastVisit, Store

log = logging.getLogger(__name__)

UNSURE_TOLD = timedelta(days=7)
"""So long after it went out, watch may still tell that an alert may have gone out twice."""
MOST_TOLD = 5
"""Stretches of time named in one message about what was missed."""


@flow(name="watch", task_runner=SIDE_BY_SIDE, persist_result=False)
@discreet()
def watch(settings: Path = Path("earful.toml")) -> State[Any]:
    """Tell the sinks of [watch] what is wrong, each thing once, and send what still waits."""
    setup = Setup.read(settings)
    with setup.store() as store:
        store.migrate()
        store.put_alerts(list(troubles(setup, store, setup.now())))
    return ended(all_of(setup.sinks, [send.submit(setup, sink) for sink in setup.sinks]))


def troubles(setup: Setup, store: Store, now: datetime) -> Iterator[Alert]:
    """What a person should look at, an alert for each sink of [watch]. The key rests on when the trouble began."""
    visits = store.last_visits()
    for source in setup.sources:
        last = visits.get(source.name)
        if last is None:
            continue
        if last.visit.error and _lasting(setup, last, now):
            since = last.success_at.isoformat() if last.success_at else "the start"
            title = f"{source.name} cannot be heard"
            yield from _tell(
                setup,
                now,
                ("failing", source.name, since),
                title,
                told(last.visit.error, last.visit.who_acts),
            )
        elif not last.visit.error and last.new_at is not None and now - last.new_at > source.quiet_after:
            title = f"{source.name} has been silent since {last.new_at:%d %B %Y %H:%M} UTC"
            usual = (
                f"{source.label} is rarely silent for more than {source.quiet_after}. Try it: earful try {source.name}"
            )
            yield from _tell(setup, now, ("silent", source.name, last.new_at.isoformat()), title, usual)
        unable_since = last.visit.unchecked_at
        if unable_since is not None and now - unable_since >= setup.watch.stuck_after:
            title = f"what was deleted at {source.name} cannot be looked up"
            yield from _tell(
                setup, now, ("unchecked", source.name, unable_since.isoformat()), title, last.visit.unchecked or ""
            )
    yield from _missed(setup, store, now)
    stuck = store.stuck(now - setup.watch.stuck_after)
    for sink in sorted({alert.sink for alert in stuck}):
        waiting = [alert for alert in stuck if alert.sink == sink]
        title = f"{len(waiting)} alerts for {sink} are stuck"
        yield from _tell(
            setup,
            now,
            ("stuck", sink, waiting[0].key),
            title,
            "earful status shows why. None is lost: they go out as soon as this sink takes them.",
        )
    yield from _undelivered(setup, store, now)
    try:
        changed = drifted(setup, store, now)
    except SettingsError as error:  # a lesson that is damaged, or weights: every other trouble is told all the same
        adopted = store.adopted()
        began = f"{error} {adopted.id if adopted else ''}"
        yield from _tell(
            setup, now, ("unjudged", "no mention can be judged", began), "no mention can be judged", str(error)
        )
        return
    for drift in changed:
        yield from _tell_of(setup, store, drift, now)


def _undelivered(setup: Setup, store: Store, now: datetime) -> Iterator[Alert]:
    """What failed to go out and cannot wait, what was given up, and what may have gone out twice; each time it happens.

    Told where it can be heard: by another sink, if [watch] names one. That a message of ours died starts no other.
    """
    urgent, dead = store.urgent(), store.counts().dead
    for sink in sorted({*dead, *(one.alert.sink for one in urgent)}):
        others = [name for name in setup.watch.sinks if name != sink] or setup.watch.sinks
        failing = [one for one in urgent if one.alert.sink == sink]
        if failing:
            title = f"{_alerts(len(failing), 'critical ')} for {sink} could not be sent"
            why = told(failing[-1].error or "", failing[-1].who_acts)
            yield from _tell(setup, now, ("urgent", sink, failing[-1].alert.key), title, why, sinks=others)
        latest = [one for one in store.deliveries(Fate.DEAD, sink=sink) if one.alert.kind != "watch"]
        if latest:
            maybe = "may have " if any(one.given > one.attempts for one in latest) else ""
            title = f"{_alerts(dead[sink])} for {sink} {maybe}reached nobody, and will not be tried again"
            why = told(latest[0].error or "", latest[0].who_acts)
            advice = "earful alerts --dead shows them, earful alerts send sends them again."
            died_at = str(latest[0].dead_at)
            yield from _tell(setup, now, ("dead", sink, died_at), title, f"{why}\n{advice}", sinks=others)
    keyless = {sink.name for sink in setup.sinks if not sink.honours_key}
    twice = [alert for alert in store.unsure_since(now - UNSURE_TOLD) if alert.sink in keyless]
    for sink in sorted({alert.sink for alert in twice}):
        again = [alert for alert in twice if alert.sink == sink]
        title = f"{_alerts(len(again))} for {sink} may have gone out twice"
        text = (
            "A run died, or an answer was lost, just as they went out, so they were sent again; this place knows no "
            "keys. None is lost. Where the same key (alert_…) stands below two messages, one of them is superfluous."
        )
        yield from _tell(setup, now, ("twice", sink, again[-1].key), title, text)


def _alerts(number: int, kind: str = "") -> str:
    return f"{number} {kind}alert{'' if number == 1 else 's'}"


def _missed(setup: Setup, store: Store, now: datetime) -> Iterator[Alert]:
    """What no later walk will bring by itself, once; all that one walk told of at one time together."""
    coverage = store.coverage()
    for source in setup.sources:
        known = coverage.get(source.name, Coverage())
        lost: dict[datetime, list[Unheard]] = {}
        for gap in known.unheard:
            if known.lasting(gap):
                lost.setdefault(gap.first_at, []).append(gap)
        for first_at, gaps in lost.items():
            title = f"something said at {source.name} may not have been heard"
            lines = [f"{spoken(gap.start, gap.end, setup.zone)}: {gap.why}" for gap in gaps[-MOST_TOLD:]]
            since = min((gap.start or gap.end for gap in gaps), default=now)
            advice = (
                f"Where the place still has it, this brings it: earful backfill {source.name} --from {since:%Y-%m-%d}"
            )
            text = "\n".join([*lines, advice])
            yield from _tell(setup, now, ("missed", source.name, first_at.isoformat()), title, text)


def drifted(setup: Setup, store: Store, now: datetime) -> list[Drift]:
    """What changed between the last 30 days and the 30 before them, as the present version judges both.

    Nothing while it has not judged all yet: what it judged first need not be like the rest; nor where [keep] forgets
    the month before. SettingsError where nothing can be judged: a lesson is damaged.
    """
    if setup.keep.forgets(now - 2 * PERIOD, now):
        return []  # of the month before only what awaits a reply is left: nothing to compare with
    version = setup.analyst().version
    if store.unanalysed(version, 1):
        return []

    def month(end: datetime) -> Month:
        start = end - PERIOD
        return Month(lanes=store.lanes(version, start, end), corrected=store.corrected_of(version, start, end))

    return drifts(month(now), month(now - PERIOD))


def _tell_of(setup: Setup, store: Store, drift: Drift, now: datetime) -> Iterator[Alert]:
    """A change is seen for as long as it lies between the two periods; it is told on the first day of these only."""

    def occasion(day: datetime) -> tuple[str, str, str]:
        return "drift", f"{drift.what} {drift.direction}", f"{day:%Y-%m-%d}"

    days = [now - timedelta(days=back) for back in range(1, PERIOD.days + 1)]
    if store.put_before(alert_key("watch", *occasion(day), sink) for day in days for sink in setup.watch.sinks):
        return
    title = drift.told
    advice = (
        "People say other things than before, or Earful reads them otherwise. `earful review` shows what it doubts; "
        "correct what is wrong, and `earful learn` learns from it."
    )
    yield from _tell(setup, now, occasion(now), title, advice)


def _lasting(setup: Setup, last: LastVisit, now: datetime) -> bool:
    """Whether a failure is for a person: at once if somebody must act, after `stuck_after` if it may pass by itself."""
    passing = last.visit.who_acts == TemporaryError.who_acts and last.success_at is not None
    return not passing or now - (last.success_at or now) >= setup.watch.stuck_after


def _tell(
    setup: Setup,
    now: datetime,
    occasion: tuple[str, str, str],
    title: str,
    text: str,
    *,
    sinks: Sequence[str] | None = None,
) -> Iterator[Alert]:
    log.warning("%s: %s", occasion[0], occasion[1])
    for sink in setup.watch.sinks if sinks is None else sinks:
        key = alert_key("watch", *occasion, sink)
        yield Alert(key=key, sink=sink, kind="watch", title=f"{setup.brand.name}: {title}", text=text, made_at=now)
