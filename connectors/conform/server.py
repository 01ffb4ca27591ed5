"""A server on loopback that can answer in any way, down to single bytes and broken connections."""

import datetime as dt
import os
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, Literal

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = "127.0.0.1"
ASKED = "x-earful-asked"
"""Names the address that was really asked, where a request was led here by a `Detour`."""

_LINGER = "hh" if sys.platform == "win32" else "ii"
_OF_THE_WIRE = {"content-length", "transfer-encoding", "content-encoding", "connection", "date"}


@dataclass(frozen=True, slots=True)
class Wire:
    """What goes over the wire: some pieces, a rest after each, and how it ends."""

    pieces: tuple[bytes, ...]
    pause: float = 0.0
    end: Literal["keep", "close", "reset"] = "keep"


Answer = Callable[[httpx.Request], Wire]


def head(answer: httpx.Response, **more: str) -> bytes:
    """Status line and headers of an answer, but for those that say how its body is sent: these are `more`."""
    lines = [f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.multi_items() if name not in _OF_THE_WIRE]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
    if "date" in answer.headers:
        lines.append(f"date: {answer.headers['date']}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def whole(answer: httpx.Response) -> Wire:
    """The answer as it is."""
    return Wire((head(answer, content_length=str(len(answer.content))) + answer.content,))


class _Door(BaseHTTPRequestHandler):
    """Reads a request, asks the server's owner for the answer and puts that on the wire."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    server: "_Server"

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, ValueError):  # the client hung up, which is its right
            self.close_connection = True

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        url = self.headers.get(ASKED) or f"http://{self.headers['host']}{self.path}"
        headers = [(name, value) for name, value in self.headers.items() if name.lower() != ASKED]
        if self._hung_up():
            self.close_connection = True
            return
        wire = self.server.answer(httpx.Request(self.command, url, headers=headers, content=body))
        for number, piece in enumerate(wire.pieces):
            if number or not piece:
                time.sleep(wire.pause)
            self.connection.sendall(piece)
        if wire.end == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
            os.close(self.connection.detach())  # at once, though files still hold the socket
        self.close_connection = wire.end != "keep"

    def _hung_up(self) -> bool:
        """Whether nobody waits for the answer any more: a request that comes to light so late is no one's.

        It would count in what happens after it. Under TLS a socket cannot be asked.
        """
        if isinstance(self.connection, ssl.SSLSocket):
            return False
        self.connection.settimeout(0)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        finally:
            self.connection.settimeout(self.timeout)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as http.server
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    answer: Answer

    def handle_error(self, *_: Any) -> None:  # noqa: ANN401 - as socketserver
        """Say nothing: a client that was let down goes away in the middle of things."""


@contextmanager
def serving(answer: Answer, *, tls: bool = False) -> Iterator[str]:
    """The address of a server that answers so; with `tls`, under a certificate that nobody trusts."""
    with _Server((HERE, 0), _Door) as server:
        server.answer = answer
        if tls:
            server.socket = _context().wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://{HERE}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _context() -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HERE)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:  # ssl reads certificates from files only
        file = Path(folder) / "both.pem"
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, form, plain)
        file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(file)
    return context


class Detour(httpx.BaseTransport):
    """Leads every request to one address, with the one it was meant for in a header: for recordings of other hosts."""

    def __init__(self, address: str, inner: httpx.BaseTransport) -> None:
        self._address = httpx.URL(address)
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer from here, as if it came from there."""
        here = request.url.copy_with(
            scheme=self._address.scheme, host=self._address.host, port=self._address.port, username=None, password=None
        )
        led = httpx.Request(
            request.method,
            here,
            headers={**request.headers, ASKED: str(request.url)},
            stream=request.stream,
            extensions=request.extensions,
        )
        return self._inner.handle_request(led)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
