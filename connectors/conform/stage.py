"""Stage: a place behind its server, with the fault that stands between it and the listener."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import httpx

from connectors.conform.faults import Fault
from connectors.conform.lenses import Lens
from connectors.conform.listener import Listener
from connectors.conform.scene import Judged
from connectors.conform.server import Wire, serving, whole

T = TypeVar("T")

MOST_REQUESTS = 2_000
"""A walk that asks more often than this goes round in a circle."""


class Place(Protocol):
    """What stands behind the server: a scene of a world, or recordings."""

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What it says."""

    def judge(self, listener: Listener) -> Judged:
        """What the listener lacks, or has too often."""


def copied(place: T) -> T | None:
    """Another that stands as it does; None where a stranger's holds what cannot be copied, such as a lock."""
    try:
        return deepcopy(place)
    except Exception:  # noqa: BLE001 - whatever it holds, it is begun anew instead
        return None


@dataclass(slots=True)
class Stage:
    """Counts requests and lets the fault happen at those it is for.

    `meddle` is called before each answer, with the request's number. `hit`: whether the fault fitted any answer.
    """

    place: Place
    fault: Fault | None = None
    at: int = 1
    lens: Lens | None = None
    meddle: Callable[[int], None] | None = None
    asked: list[httpx.Request] = field(default_factory=list)
    hit: bool = False
    endless: bool = False
    broken: str | None = None
    _before: httpx.Response | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def disturb(
        self,
        fault: Fault | None = None,
        at: int = 1,
        *,
        lens: Lens | None = None,
        meddle: Callable[[int], None] | None = None,
    ) -> None:
        """From now on this goes wrong, from the request number `at`; nothing, if nothing is named."""
        with self._lock:
            self.fault, self.at, self.lens, self.meddle = fault, at, lens, meddle
            self.asked, self.hit, self.endless, self._before = [], False, False, None

    def serving(self, *, tls: bool = False) -> AbstractContextManager[str]:
        """The address where it answers."""
        return serving(self.wire, tls=tls)

    def wire(self, request: httpx.Request) -> Wire:
        """What goes over the wire."""
        with self._lock:
            self.asked.append(request)
            number = len(self.asked)
            if number > MOST_REQUESTS:
                self.endless = True
                return whole(httpx.Response(503))
            if self.meddle:
                self.meddle(number)
            fault = self._falling(number)
            try:
                answer = httpx.Response(200) if fault and fault.refuses else self.place.answer(request)
            except Exception as error:  # noqa: BLE001 - a stranger's world may break; its owner is told
                self.broken = f"{type(error).__name__}: {error} at {request.method} {request.url.path}"
                return whole(httpx.Response(500))
            answer.request = request
            if self._before is not None:
                answer.extensions["before"] = self._before
            if self.fault is None or number < self.at:
                self._before = httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
            if self.lens:
                answer = self.lens(answer)
                self.hit = self.hit or "altered" in answer.extensions
            wire = fault.spoil(answer) if fault else None
            self.hit = self.hit or wire is not None
            return wire or whole(answer)

    def _falling(self, number: int) -> Fault | None:
        """The fault, if it is for this request."""
        fault = self.fault
        return fault if fault and (number == self.at or (number > self.at and fault.lasts)) else None
