"""Watch: hourly. Say so when a source fails or falls silent, an alert is stuck, or the judgement drifts."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import wait

from flows.listen import SIDE_BY_SIDE, send
from flows.setup import Setup
from pipeline.drift import PERIOD, Drift, Month, drifts
from pipeline.errors import SettingsError, TemporaryError, told
from pipeline.route import Alert, alert_key
from storage.store import LastVisit, Store

log = logging.getLogger(__name__)


@flow(name="watch", task_runner=SIDE_BY_SIDE, validate_parameters=False, persist_result=False)
def watch(settings: Path = Path("earful.toml")) -> list[State]:
    """Tell the sinks of [watch] what is wrong, each thing once, and send what still waits."""
    setup = Setup.read(Path(settings))
    with setup.store() as store:
        store.migrate()
        store.put_alerts(list(troubles(setup, store, setup.now())))
    sent = [send.submit(setup, sink) for sink in setup.sinks]
    wait(sent)
    return [future.state for future in sent]


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


def drifted(setup: Setup, store: Store, now: datetime) -> list[Drift]:
    """What changed between the last 30 days and the 30 before them, as the present version judges both.

    Nothing while it has not judged all yet: what it judged first need not be like the rest. SettingsError where nothing
    can be judged: a lesson is damaged.
    """
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


def _tell(setup: Setup, now: datetime, occasion: tuple[str, str, str], title: str, text: str) -> Iterator[Alert]:
    log.warning("%s: %s", occasion[0], occasion[1])
    for sink in setup.watch.sinks:
        key = alert_key("watch", *occasion, sink)
        yield Alert(key=key, sink=sink, kind="watch", title=f"{setup.brand.name}: {title}", text=text, made_at=now)
