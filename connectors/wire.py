"""Wire: real sockets. HTTP/2 where it is offered, one pool, the environment's proxies, whole and bounded bodies."""

import os
import re
import ssl
import zlib
from collections.abc import Collection, Iterable
from datetime import timedelta
from functools import lru_cache
from threading import Lock
from urllib.request import getproxies, proxy_bypass

import h2.exceptions
import httpcore
import httpx

from connectors.deadline import Deadline, Timed, deadline
from connectors.failures import place
from connectors.guard import Guard, is_this_machine, port_of
from connectors.unpack import Unpacker
from pipeline.errors import ChangedError, SettingsError, TemporaryError

LARGEST_BODY = 20_000_000
"""Bytes, packed and unpacked; no documented answer comes near it."""
LONGEST_ANSWER = timedelta(minutes=2)
"""An answer that drips for longer than this is given up, its head or its body, however lively it drips."""
LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=30)
"""One client serves one source or sink, which asks one thing after another."""

_FIT = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
"""What may stand in a header's value."""


class Wire(httpx.BaseTransport):
    """Asks directly, through the guard, or through the proxy that the environment names for a host.

    HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY are honoured; this machine is never asked through a proxy. A proxy
    looks names up by itself, so that of a host behind it only an address written out can be checked.
    """

    def __init__(self, allowed: Collection[str] | None = None) -> None:
        self._guard = Guard(allowed)
        self._direct = _Sockets(self._guard)
        self._proxied: dict[str, _Sockets] = {}
        self._proxies = getproxies()
        self._lock = Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask, by the way that is meant for the host."""
        proxy = self._proxies.get(request.url.scheme) or self._proxies.get("all")
        host, port = request.url.host, port_of(request.url)
        meant = proxy_bypass(host) or proxy_bypass(f"{host}:{port}")  # NO_PROXY may name a port
        if proxy is None or meant or is_this_machine(host):
            return self._direct.handle_request(request)
        self._guard.check_literal(host, port)
        return self._through(proxy).handle_request(request)

    def close(self) -> None:
        """Close every connection."""
        for transport in (self._direct, *self._proxied.values()):
            transport.close()

    def _through(self, proxy: str) -> "_Sockets":
        with self._lock:
            if proxy not in self._proxied:
                address = proxy if "://" in proxy else f"http://{proxy}"
                try:
                    self._proxied[proxy] = _Sockets(Timed(), address)
                except (ValueError, ImportError, httpx.InvalidURL):
                    mend = "the operator must act: write HTTP_PROXY and HTTPS_PROXY like http://host:port"
                    # "from None": the address may hold a password
                    raise SettingsError(f"the proxy of the environment cannot be used; {mend}") from None
            return self._proxied[proxy]


class _Sockets(httpx.HTTPTransport):
    """httpx's own transport, on a network of ours: it has no setting for that."""

    def __init__(self, network: httpcore.NetworkBackend, proxy: str | None = None) -> None:
        trusted = _trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        super().__init__(verify=trusted, http2=True, limits=LIMITS, proxy=proxy)
        self._pool._network_backend = network  # noqa: SLF001 - tests on real sockets fail if it goes

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask, but not where more came than the last answer: it would be taken for the beginning of this one."""
        for connection in self._pool.connections:
            if connection.is_idle() and _surplus(connection):
                connection.close()
        return super().handle_request(request)


@lru_cache(maxsize=4)
def _trusted(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Whose certificates are believed; the environment names them. Read once: it takes longer than most answers.

    All may share it, since all connections offer the same protocols.
    """
    del file, folder  # httpx reads them by itself
    return httpx.create_ssl_context()


class Whole(httpx.BaseTransport):
    """A transport around a transport: answers with the whole body, decoded, and never with a larger one."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask, and read to the end."""
        if not all(_FIT.fullmatch(value) for _, value in request.headers.raw):  # HTTP/2 would send it
            raise httpx.LocalProtocolError("a header that cannot be sent", request=request)
        try:
            with deadline(LONGEST_ANSWER) as ends:
                answer, body = self._ask(request, ends)
        except h2.exceptions.H2Error as error:  # httpcore lets them through while a body comes
            raise httpx.RemoteProtocolError(type(error).__name__, request=request) from error
        except httpx.LocalProtocolError as error:
            if _of_theirs(error):
                raise httpx.RemoteProtocolError(type(error).__name__, request=request) from error
            raise
        headers = httpx.Headers(answer.headers)
        for told in ("content-encoding", "content-length", "transfer-encoding"):
            headers.pop(told, None)  # of the body as it was sent; ours is decoded and whole
        return httpx.Response(
            answer.status_code, headers=headers, content=body, request=request, extensions=_version(answer)
        )

    def close(self) -> None:
        """Close what is inside."""
        self._inner.close()

    def _ask(self, request: httpx.Request, ends: Deadline) -> tuple[httpx.Response, bytes]:
        try:
            answer = self._inner.handle_request(request)
            ends.begun()
            try:
                return answer, _body(answer, request, ends)
            finally:
                answer.close()
        except httpx.ReadTimeout as error:
            if ends.over:
                raise _for_ever(request) from error
            raise


def _body(answer: httpx.Response, request: httpx.Request, ends: Deadline) -> bytes:
    """The body, unpacked, read piece by piece as it comes, so that no answer can fill our memory or our day."""
    too_large = ChangedError(f"{place(request)}: answered more than {LARGEST_BODY:,} bytes")
    declared = answer.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > LARGEST_BODY:
        raise too_large
    packing = answer.headers.get("content-encoding", "").strip().lower()
    if "," in packing:  # each layer packs a thousand times: ours is one
        raise ChangedError(f"{place(request)}: answered something packed twice")
    pieces: Iterable[bytes] = answer.iter_raw()
    if answer.is_stream_consumed:  # made of bytes, without a wire; httpx has unpacked it
        pieces, packing = (answer.content,), ""
    unpacker, came, read = Unpacker(packing), 0, bytearray()
    try:
        for piece in pieces:
            came += len(piece)
            read += unpacker.feed(piece, LARGEST_BODY - len(read))
            if max(came, len(read)) > LARGEST_BODY:
                raise too_large
            if ends.over:
                raise _for_ever(request)
        unpacker.end()
    except zlib.error as error:
        raise httpx.DecodingError(str(error), request=request) from error
    return bytes(read)


def _for_ever(request: httpx.Request) -> TemporaryError:
    return TemporaryError(f"{place(request)}: its answer takes for ever; {TemporaryError.who_acts}")


def _surplus(connection: object) -> bool:
    """Whether bytes came over HTTP/1.1 that belong to no answer: httpcore keeps them for the next one."""
    while inner := getattr(connection, "_connection", None):
        connection = inner
    protocol = getattr(connection, "_h11_state", None)
    return protocol is not None and bool(protocol.trailing_data[0])


def _of_theirs(error: httpx.LocalProtocolError) -> bool:
    """Whether it was the other side that broke HTTP/2: httpcore calls that our fault."""
    cause = error.__cause__
    return bool(cause and cause.args and isinstance(cause.args[0], h2.exceptions.ProtocolError))


def _version(answer: httpx.Response) -> dict[str, bytes]:
    told = answer.extensions.get("http_version")
    return {"http_version": told} if isinstance(told, bytes) else {}
