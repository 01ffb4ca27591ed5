"""Deadline: how long one answer may take and how much may come before it begins, kept where bytes are read."""

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import httpcore

LARGEST_HEAD = 1_000_000
"""Bytes before a body begins, interim answers among them: without end they would keep us busy until the deadline."""

SocketOptions = Iterable[
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
]  # as httpcore


class Deadline:
    """When one answer must be whole."""

    def __init__(self, within: timedelta) -> None:
        self._ends = time.monotonic() + within.total_seconds()
        self._before_body: int | None = 0

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() > self._ends

    def begun(self) -> None:
        """The head has come: from now on the body comes, of which others keep count."""
        self._before_body = None

    def rest(self, timeout: float | None) -> float:
        """How long one read may take, if it would have `timeout` by itself."""
        rest = self._ends - time.monotonic()
        if rest <= 0:
            raise httpcore.ReadTimeout
        return rest if timeout is None else min(timeout, rest)

    def came(self, count: int) -> None:
        """So many bytes were read."""
        if self._before_body is not None:
            self._before_body += count
            if self._before_body > LARGEST_HEAD:
                raise httpcore.RemoteProtocolError("too much came before the answer")


_deadline: ContextVar[Deadline | None] = ContextVar("_deadline", default=None)


@contextmanager
def deadline(within: timedelta) -> Iterator[Deadline]:
    """All that this thread reads inside, through `Timed`, keeps one deadline."""
    made = Deadline(within)
    token = _deadline.set(made)
    try:
        yield made
    finally:
        _deadline.reset(token)


class Timed(httpcore.NetworkBackend):
    """Plain sockets that keep the deadline: a timeout of theirs bounds one read only, however many an answer takes."""

    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.NetworkStream:
        """As httpcore asks for it."""
        return _Stream(self._sockets.connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    """A stream around a stream: no read ends after the deadline of whoever reads."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        ends = _deadline.get()
        if ends is None:
            return self._inner.read(max_bytes, timeout)
        data = self._inner.read(max_bytes, ends.rest(timeout))
        ends.came(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore
        return self._inner.get_extra_info(info)
