"""Watch: hourly. Say so when a source fails or falls silent, or an alert is stuck."""

import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import wait

from flows.listen import SIDE_BY_SIDE, send
from flows.setup import Setup
from pipeline.errors import TemporaryError, told
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


def _lasting(setup: Setup, last: LastVisit, now: datetime) -> bool:
    """Whether a failure is for a person: at once if somebody must act, after `stuck_after` if it may pass by itself."""
    passing = last.visit.who_acts == TemporaryError.who_acts and last.success_at is not None
    return not passing or now - (last.success_at or now) >= setup.watch.stuck_after


def _tell(setup: Setup, now: datetime, occasion: tuple[str, str, str], title: str, text: str) -> Iterator[Alert]:
    log.warning("%s: %s", occasion[0], occasion[1])
    for sink in setup.watch.sinks:
        key = alert_key("watch", *occasion, sink)
        yield Alert(key=key, sink=sink, kind="watch", title=f"{setup.brand.name}: {title}", text=text, made_at=now)
