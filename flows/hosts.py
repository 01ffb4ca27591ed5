"""Hosts: what all runs share about other people's servers: which are left alone, and how often one may be asked."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Lock

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import rate_limit
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import PREFECT_API_URL

from connectors.circuits import Circuits
from connectors.pace import Gate, Pace
from flows.setup import Setup
from storage.store import Store

log = logging.getLogger(__name__)

TURN_WITHIN = timedelta(minutes=2)
"""A turn that the Prefect server does not give within this is taken without it."""
SERVER_TRIED_AFTER = timedelta(minutes=1)
"""So long after the Prefect server failed us, or a host's queue there was too long, it is asked again."""

_circuits: dict[str, Circuits] = {}
_lock = Lock()


@contextmanager
def asking(setup: Setup, store: Store) -> Iterator[httpx.Client]:
    """The HTTP client, knowing what earlier runs found out about each host; what this one finds out is kept."""
    with _lock:
        circuits = _circuits.setdefault(setup.database.get_secret_value(), Circuits())
    circuits.now = setup.now
    circuits.learn(store.circuits())
    try:
        with setup.http(circuits, _turn) as http:
            yield http
    finally:
        _keep(circuits, store)


def _keep(circuits: Circuits, store: Store) -> None:
    changed = circuits.changed()
    try:
        if changed:
            store.keep_circuits(changed)
    except Exception as error:  # noqa: BLE001 - it must not hide why a source failed
        circuits.unkept(changed)
        log.warning("which hosts failed could not be stored (%s)", type(error).__name__)


class Turns:
    """A gate for all workers: the Prefect server gives the turns where there is one, this process where there is none.

    Each host has a global concurrency limit `earful-HOST` whose one slot comes free after the pause. It is made when it
    is needed and not there; one that is there already is used as it is, so that an operator may go slower.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._made: set[str] = set()
        self._down_until = 0.0
        self._crowded_until: dict[str, float] = {}

    def __call__(self, host: str, pause: float) -> None:
        """Wait for our turn; of this process's own turns in any case, for the limit may know a shorter pause."""
        if PREFECT_API_URL.value() and time.monotonic() >= max(self._down_until, self._crowded_until.get(host, 0)):
            try:
                self._of_the_server(host, pause)
            except TimeoutError:  # many wait for this host; the others' queues may be short
                self._crowded_until[host] = time.monotonic() + SERVER_TRIED_AFTER.total_seconds()
                log.warning("%s: the Prefect server gives no turn in time; each process keeps its own", host)
            except Exception as error:  # noqa: BLE001 - Prefect's, of many kinds: a pause is no reason not to listen
                self._down_until = time.monotonic() + SERVER_TRIED_AFTER.total_seconds()
                log.warning("the Prefect server gives no turns (%s); each process keeps its own", type(error).__name__)
        self._gate(host, pause)

    def _of_the_server(self, host: str, pause: float) -> None:
        name = f"earful-{host}"
        known = name in self._made
        try:
            self._take(name, pause)
        except ConcurrencySlotAcquisitionError:
            self._made.discard(name)
            if not known:
                raise
            self._take(name, pause)  # somebody has deleted it since

    def _take(self, name: str, pause: float) -> None:
        if name not in self._made:
            with get_client(sync_client=True) as client:
                try:
                    client.read_global_concurrency_limit_by_name(name)
                except ObjectNotFound:
                    limit = GlobalConcurrencyLimitCreate(name=name, limit=1, slot_decay_per_second=1 / pause)
                    with suppress(ObjectAlreadyExists):  # another worker was faster
                        client.create_global_concurrency_limit(limit)
            self._made.add(name)
        rate_limit(name, timeout_seconds=TURN_WITHIN.total_seconds(), strict=True)


_turn = Turns(Pace())
