"""Circuits: which hosts are left alone for a while, since when they fail, and who may try again first."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from threading import Lock

from pipeline.circuit import Circuit
from pipeline.errors import TemporaryError

FAILURES = 5
"""Temporary failures in a row after which a host is left alone."""
FIRST_REST = timedelta(minutes=1)
"""For so long at first, doubled after each trial that fails."""
LONGEST_REST = timedelta(hours=1)


class Circuits:
    """How it stands with each host that failed last, shared by all threads of a process.

    A host that failed FAILURES times in a row is left alone; when its rest is over one request tries it, and the
    others follow if that succeeds. A host that asked for a time to wait is left alone for that time. `now` is the
    clock.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self._lock = Lock()
        self._known: dict[str, Circuit] = {}
        self._trials: set[str] = set()
        self._changed: set[str] = set()

    def learn(self, circuits: Iterable[Circuit]) -> None:
        """What an earlier run, or one beside this, found out: of two, the more failures and the longer rest."""
        with self._lock:
            for circuit in circuits:
                if circuit.host in self._changed:  # what changed here is newer still
                    continue
                known = self._known.get(circuit.host, circuit)
                worse = circuit if known.failures < circuit.failures else known
                until = _later(known.open_until, circuit.open_until)
                self._known[circuit.host] = worse.model_copy(update={"open_until": until})

    def changed(self) -> list[Circuit]:
        """What changed since this was asked last; one without failures is closed."""
        with self._lock:
            hosts, self._changed = self._changed, set()
            return [self._known.get(host) or Circuit(host=host, failures=0) for host in sorted(hosts)]

    def unkept(self, circuits: Iterable[Circuit]) -> None:
        """What was told as changed could not be kept: it is told again."""
        with self._lock:
            self._changed |= {circuit.host for circuit in circuits}

    def ask(self, host: str, where: str, patience: timedelta, *, trying: bool = True) -> timedelta:
        """How long to wait before a host is asked; TemporaryError, naming `where`, if it is left alone.

        A wait that the host itself asked for is waited for, if it is within `patience`. Who is not yet `trying` only
        looks whether it is worth to wait for a turn.
        """
        with self._lock:
            circuit, now = self._known.get(host), self.now()
            if circuit is None or circuit.open_until is None:
                return timedelta(0)
            broken, rest = circuit.failures >= FAILURES, circuit.open_until - now
            if rest <= timedelta(0):
                if broken and trying:  # one tries; who comes meanwhile waits for how that ends
                    self._trials.add(host)
                    self._put(circuit.model_copy(update={"open_until": now + FIRST_REST}))
                return timedelta(0)
            if not broken and rest <= patience:
                return rest
        raise TemporaryError(f"{where}: {told(circuit)}; {TemporaryError.who_acts}", rest)

    def heard(self, host: str) -> None:
        """A host answered: its failures are forgotten. In its rest only if it was tried; others asked before that."""
        with self._lock:
            circuit = self._known.get(host)
            resting = circuit and circuit.open_until and circuit.open_until > self.now()
            if circuit and (host in self._trials or not resting):
                self._trials.discard(host)
                del self._known[host]
                self._changed.add(host)

    def failed(self, host: str, why: str, wait: timedelta | None) -> None:
        """A host failed, and asked to be left alone for `wait`, if it did. A longer wait it asked for before holds."""
        with self._lock:
            circuit, now = self._known.get(host) or Circuit(host=host, failures=0), self.now()
            before = circuit.open_until if circuit.open_until and circuit.open_until > now else None
            until = _later(before, now + wait if wait else None)
            if before and circuit.failures >= FAILURES and host not in self._trials:
                # asked before it was left alone: it counts already
                if until != before:
                    self._put(circuit.model_copy(update={"open_until": until, "why": why}))
                return
            self._trials.discard(host)
            failures = circuit.failures + 1
            if failures >= FAILURES:
                until = _later(until, now + min(FIRST_REST * 2 ** min(failures - FAILURES, 10), LONGEST_REST))
            self._put(Circuit(host=host, failures=failures, open_until=until, why=why))

    def rest(self, host: str, wait: timedelta) -> None:
        """A good answer said that there will be no other for `wait`. Too soon forgotten to be worth keeping."""
        with self._lock:
            circuit, until = self._known.get(host) or Circuit(host=host, failures=0), self.now() + wait
            if _later(circuit.open_until, until) == until:
                spent = {"open_until": until, "why": "its limit is used up"}
                self._known[host] = circuit.model_copy(update=spent)

    def broken(self, host: str) -> bool:
        """Whether a host failed so often that it must not be asked again at once."""
        with self._lock:
            circuit = self._known.get(host)
            return circuit is not None and circuit.failures >= FAILURES

    def _put(self, circuit: Circuit) -> None:
        self._known[circuit.host] = circuit
        self._changed.add(circuit.host)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment), default=None)


def told(circuit: Circuit) -> str:
    """A circuit in words: which host, until when, and why."""
    until = f"{circuit.open_until:%d %b %H:%M:%S} UTC" if circuit.open_until else "it is asked again"
    times = f" after {circuit.failures} failures in a row" if circuit.failures > 1 else ""
    return f"{circuit.host} is left alone until {until}{times} ({circuit.why})"
