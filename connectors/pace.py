"""Pace: the pause that a host's terms ask for between two requests, whichever thread makes them."""

import math
import time
from collections.abc import Callable
from threading import Lock

Gate = Callable[[str, float], None]
"""Holds the caller up until a host may be asked again, so many seconds after the last time."""


class Pace:
    """A gate for the threads of one process. Where many wait for one host, they go one by one."""

    def __init__(
        self, sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sleep = sleep
        self._clock = clock
        self._lock = Lock()
        self._turns: dict[str, Lock] = {}
        self._asked_at: dict[str, float] = {}

    def __call__(self, host: str, pause: float) -> None:
        """Wait for our turn at a host."""
        with self._lock:
            turn = self._turns.setdefault(host, Lock())
        with turn:
            rest = self._asked_at.get(host, -math.inf) + pause - self._clock()
            if rest > 0:
                self._sleep(rest)
            self._asked_at[host] = self._clock()
