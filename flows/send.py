"""Send: alerts leave the outbox, each once, and what fails waits for its next try."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from threading import Event, Thread
from types import TracebackType
from typing import Self, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Failed

from connectors import AnySink
from flows.ended import discreet
from flows.events import alert_dead
from flows.hosts import asking
from flows.setup import Setup
from flows.solved import overtaken
from pipeline.errors import EarfulError, RefusedError, TemporaryError, told
from pipeline.text import shorten
from storage.outbox import LONGEST_PAUSE, Delivery
from storage.store import Store

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
"""How long one run keeps an alert to itself. A run killed while sending loses it to the next run after this."""
RENEWED_EVERY = timedelta(minutes=1)
"""While an alert is being sent its lease is renewed, so that a slow sink takes as long as it takes."""
LONGEST_SEND = timedelta(hours=2)
"""Whoever takes longer hangs: then the alert is for the next run."""
BACK_OFF = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
"""Waits after the first, second, third and every later failure of one alert."""
GIVE_UP_AFTER = 3
"""A sink that is down this often in a row is left alone until the next run; its alerts wait."""
DEAD_AFTER, DEAD_TRIES = timedelta(days=3), 10
"""An alert as old as this that failed as often is a dead letter: nobody tries it until a person says so."""
MARKED_WITHIN = (0.5, 2.0, 8.0)
"""Seconds to wait for a database that goes away just when a receipt must be stored: losing it means sending twice."""

Noted = TypeVar("Noted")


@task(cache_policy=NO_CACHE, task_run_name="send {sink.name}")
@discreet()
def send(setup: Setup, sink: AnySink) -> int:
    """Deliver what waits for one sink, the new and grave first. Each alert is marked when it is out: none goes twice.

    A failing alert waits for its next try and the rest goes on: whatever is wrong with one, it holds up no other. Only
    a sink that is down again and again is left for this run. The outbox is the retry: Prefect must not try again.
    """
    sent, in_a_row, died = 0, 0, 0
    failure: Exception | None = None
    with setup.store() as store, asking(setup, store) as http:
        while in_a_row < GIVE_UP_AFTER and (hold := _take(setup, store, sink)):
            alert = hold.alert
            if why := overtaken(store, alert, sink):
                store.drop(alert, f"not sent: {why}", setup.now(), held=True)
                continue
            if hold.deadly:
                failure = RefusedError("whoever sends it dies")
                died += hold.failed(failure)
                continue
            with hold:
                try:
                    receipt = sink.send(http, alert.model_copy(update={"text": shorten(alert.text, sink.text_limit)}))
                except Exception as error:  # noqa: BLE001 - raised below, once every other alert was tried
                    failure, in_a_row = error, in_a_row + 1 if isinstance(error, TemporaryError) else 0
                    died += hold.failed(error)
                else:
                    _keep(partial(store.mark_sent, alert, receipt, setup.now()))
                    sent, in_a_row = sent + 1, 0
                    log.info("%s: %s sent", sink.name, alert.key, extra={"step": "send", "done": 1})
    if failure is not None and died:
        raise RefusedError(_given_up(sink, died, failure)) from failure
    if failure is not None:
        raise failure
    return sent


class Hold:
    """An alert in our hands: ours until it is sent, or has failed, however slow its sink is.

    The lease is short, for the sake of the next run if we die, and is renewed by a thread meanwhile.
    """

    def __init__(self, setup: Setup, store: Store, known: Delivery, until: datetime) -> None:
        self.alert = known.alert
        self._setup, self._store, self._known = setup, store, known
        self._untils = [until]  # more than one while it is not known whether a renewal was kept
        self._over = Event()
        self._keeper = Thread(target=self._renew, name=f"lease {self.alert.key}", daemon=True)

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()

    @property
    def deadly(self) -> bool:
        """Whether nobody should try it any more because of what became of who did last: the dead cannot say so."""
        unknown = self._known.given - self._known.attempts
        return self._known.error is None and unknown > DEAD_TRIES and self._aged(self._setup.now())

    def failed(self, error: Exception) -> bool:
        """Put the alert back for its next try. True if there is none: it is a dead letter now."""
        self._let_go()
        now, unsure = self._setup.now(), isinstance(error, TemporaryError) and error.unsure
        why, who = type(error).__name__, EarfulError.who_acts  # another's words may hold a secret
        if isinstance(error, EarfulError):
            why, who = str(error), error.who_acts
        log.error("%s: %s", self.alert.sink, told(why, who))
        dead = self._known.given >= DEAD_TRIES and self._aged(now)
        if dead and who == TemporaryError.who_acts:
            why, who = why.removesuffix(f"; {who}"), RefusedError.who_acts
        next_at, dead_at = now + pause(self._known.given - 1, error), now if dead else None
        mark = partial(self._store.mark_failed, self.alert, why, who, next_at, unsure=unsure, dead_at=dead_at)
        marked = _keep(lambda: any(mark(held_until=until) for until in self._untils))
        if dead and marked:
            log.error("%s: %s is a dead letter", self.alert.sink, self.alert.key)
            alert_dead(self.alert)
        return dead and marked

    def _aged(self, now: datetime) -> bool:
        return now - self.alert.made_at >= DEAD_AFTER

    def _let_go(self) -> None:
        self._over.set()
        if self._keeper.is_alive():
            self._keeper.join()

    def _renew(self) -> None:
        for _ in range(LONGEST_SEND // RENEWED_EVERY):
            if self._over.wait(RENEWED_EVERY.total_seconds()):
                return
            until = self._setup.now() + LEASE
            try:
                renewed = any(self._store.renew(self.alert, held, until) for held in self._untils)
            except EarfulError:  # the next time may be soon enough, and this one may have been kept all the same
                self._untils.append(until)
                continue
            if not renewed:
                log.warning("%s: the lease of %s ran out while it was sent", self.alert.sink, self.alert.key)
                return
            self._untils = [until]


def orphans(setup: Setup) -> list[State]:
    """A failure for each sink that is named no more while alerts still wait for it."""
    with setup.store() as store:
        waiting = {name: wait for name, (wait, _) in store.counts().alerts.items() if wait}
    lost = sorted(waiting.keys() - {sink.name for sink in setup.sinks})
    mend = "which is no sink any more; name a sink so again in the settings"
    return [Failed(message=f'{waiting[name]} alerts wait for "{name}", {mend}') for name in lost]


def pause(attempts: int, error: Exception) -> timedelta:
    """How long an alert waits after `attempts` failures and this one; never less than the other side asked."""
    usual = BACK_OFF[min(attempts, len(BACK_OFF) - 1)]
    asked = error.retry_after if isinstance(error, TemporaryError) else None
    return max(usual, min(asked or usual, LONGEST_PAUSE))


def _take(setup: Setup, store: Store, sink: AnySink) -> Hold | None:
    now = setup.now()
    for alert in store.claim(sink.name, now, LEASE, 1):
        (known,) = store.known(alert.key, alert.sink)
        return Hold(setup, store, known, now + LEASE)
    return None


def _keep(note: Callable[[], Noted]) -> Noted:
    """Note how a try ended, also where the database goes away at that moment: else nobody knows that it did."""
    for wait in MARKED_WITHIN:
        try:
            return note()
        except TemporaryError:
            time.sleep(wait)
    return note()


def _given_up(sink: AnySink, died: int, failure: Exception) -> str:
    many = "1 alert is a dead letter" if died == 1 else f"{died} alerts are dead letters"
    last = failure if isinstance(failure, EarfulError) else type(failure).__name__
    act = "the operator must act: `earful alerts --dead` shows why, `earful alerts send` tries again"
    return f"{sink.name}: {many} now, tried in vain for {DEAD_AFTER.days} days; {act}; the last error: {last}"
