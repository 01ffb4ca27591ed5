"""The wire at servers that never end, or end too soon: packed bodies, heads that drip, more than the answer."""

import gzip
import socket
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from itertools import chain, repeat
from threading import Thread

import httpx
import pytest

from connectors import deadline, wire
from connectors.client import json_of, open_client
from pipeline.errors import TemporaryError
from tests.connectors.answers import URL
from tests.connectors.serving import Answer

SAID = b'{"text": "' + bytes(range(97, 123)) * 40 + b'"}'
Talk = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class Pieces(httpx.SyncByteStream):
    """A body that comes in pieces; how many were taken."""

    def __init__(self, *pieces: bytes, then: Iterable[bytes] = ()) -> None:
        self._pieces = chain(pieces, then)
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.taken += 1
            yield piece


def read(body: Pieces, packing: str = "gzip") -> bytes:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": packing}, stream=body)

    with open_client(attempts=1, transport=httpx.MockTransport(answer)) as http:
        return http.get(URL).content


def bare(said: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(said) + packer.flush()


@pytest.fixture
def talk() -> Iterator[Callable[[Talk], str]]:
    """A server that says to each connection what a function says; its address."""
    servers: list[socket.socket] = []

    def begin(say: Talk) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        say(connection)
                    except OSError:
                        continue

        Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/"

    yield begin
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    ("packing", "packed"),
    [
        ("gzip", gzip.compress(SAID, mtime=0)),
        ("X-GZIP", gzip.compress(SAID, mtime=0)),
        ("gzip", gzip.compress(SAID[:9], mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(SAID[9:], mtime=0)),
        ("gzip", gzip.compress(SAID, mtime=0) + bytes(100)),
        ("deflate", zlib.compress(SAID)),
        ("deflate", bare(SAID)),
        ("utf-8", SAID),
        ("", SAID),
    ],
)
def test_a_packed_body_is_read_to_its_end_however_it_is_cut_into_pieces(packing: str, packed: bytes) -> None:
    for size in (1, 7, len(packed)):
        assert read(Pieces(*(packed[at : at + size] for at in range(0, len(packed), size))), packing) == SAID


def test_a_packed_answer_without_a_body_is_an_empty_one() -> None:
    assert read(Pieces()) == read(Pieces(b"")) == read(Pieces(), "deflate") == b""


@pytest.mark.parametrize(
    ("packing", "packed"),
    [
        ("gzip", gzip.compress(SAID, mtime=0)[:-1]),
        ("gzip", gzip.compress(SAID, mtime=0)[:5]),
        ("gzip", gzip.compress(SAID, mtime=0) + gzip.compress(SAID, mtime=0)[:30]),
        ("gzip", gzip.compress(SAID, mtime=0) + b"more"),
        ("gzip", SAID),
        ("deflate", zlib.compress(SAID)[:-1]),
        ("deflate", zlib.compress(SAID)[:1]),
        ("deflate", bare(SAID)[:-1]),
        ("deflate", zlib.compress(SAID) + b"more"),
    ],
)
def test_a_packed_body_that_is_cut_or_goes_on_after_its_end_is_not_whole(packing: str, packed: bytes) -> None:
    for size in (1, len(packed)):
        with pytest.raises(TemporaryError, match="no whole answer"):
            read(Pieces(*(packed[at : at + size] for at in range(0, len(packed), size))), packing)


def test_what_comes_after_a_packed_bodys_end_is_not_taken_in() -> None:
    body = Pieces(gzip.compress(b"{}"), then=repeat(b"A" * 64_000, 800))
    with pytest.raises(TemporaryError):
        read(body)
    assert body.taken == 2


def test_packed_pieces_that_hold_nothing_are_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LONGEST_ANSWER", timedelta(seconds=0.1))
    packer = zlib.compressobj(wbits=31)
    start = packer.compress(b"hi") + packer.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(TemporaryError, match="takes for ever"):
        read(Pieces(start, then=(time.sleep(0.01) or b"\0\0\0\xff\xff" for _ in range(500))))


def test_packed_pieces_that_hold_nothing_are_too_many_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LARGEST_BODY", 1000)
    with pytest.raises(Exception, match="answered more than 1,000 bytes"):
        read(Pieces(*[gzip.compress(b"")] * 100))


def test_a_cut_packed_body_that_told_no_length_is_not_whole(talk: Callable[[Talk], str]) -> None:
    half = gzip.compress(SAID)[:60]

    def say(connection: socket.socket) -> None:
        connection.recv(9999)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + half)

    with open_client(attempts=1) as http, pytest.raises(TemporaryError, match="DecodingError"):
        http.get(talk(say))


@pytest.mark.parametrize("piece", [b"HTTP/1.1 103 Early Hints\r\n\r\n", b"a"])
def test_a_head_that_drips_for_ever_is_given_up(
    talk: Callable[[Talk], str], piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LONGEST_ANSWER", timedelta(seconds=0.2))

    def say(connection: socket.socket) -> None:
        connection.recv(9999)
        connection.sendall(b"" if piece.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\nX-A: ")
        for _ in range(200):
            connection.sendall(piece)
            time.sleep(0.02)  # on purpose: never slow enough for a timeout

    began = time.monotonic()
    with open_client(attempts=1) as http, pytest.raises(TemporaryError, match="takes for ever"):
        http.get(talk(say))
    assert time.monotonic() - began < 2


def test_interim_answers_without_end_are_given_up_before_the_deadline(
    talk: Callable[[Talk], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "LARGEST_HEAD", 20_000)

    def say(connection: socket.socket) -> None:
        connection.recv(9999)
        for _ in range(5000):
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10)

    with open_client(attempts=1) as http, pytest.raises(TemporaryError, match="no whole answer"):
        http.get(talk(say))


@pytest.mark.parametrize("proxied", [False, True])
def test_what_comes_after_an_answer_is_not_taken_for_the_next_one(
    talk: Callable[[Talk], str], monkeypatch: pytest.MonkeyPatch, *, proxied: bool
) -> None:
    connections: list[int] = []

    def say(connection: socket.socket) -> None:
        connections.append(0)
        while connection.recv(9999):
            connections[-1] += 1
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 500 Not asked\r\n\r\n")
            time.sleep(0.01)

    address = talk(say)
    if proxied:
        monkeypatch.setenv("HTTP_PROXY", address)
        address = "http://hike.example/"
    with open_client(attempts=1) as http:
        for _ in range(3):
            assert json_of(http.get(address)) == {}
    assert connections == [1, 1, 1], "each was closed after its answer"


def test_a_connection_that_said_no_more_than_its_answer_is_used_again(serve: Callable[[Answer], str]) -> None:
    clients: list[object] = []

    def say(handler: BaseHTTPRequestHandler) -> None:
        clients.append(handler.client_address)
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    address = serve(say)
    with open_client(attempts=1) as http:
        for _ in range(3):
            assert json_of(http.get(address)) == {}
    assert len(set(clients)) == 1


def test_a_host_that_no_proxy_names_with_its_port_is_asked_directly(
    talk: Callable[[Talk], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(connection: socket.socket) -> None:
        connection.recv(9999)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"proxy"')

    monkeypatch.setenv("HTTP_PROXY", talk(say))
    monkeypatch.setenv("NO_PROXY", "inside.example:8080, other.example:80")
    with open_client(allowed=(), attempts=1) as http:
        for direct in ("http://inside.example:8080/", "http://other.example/"):
            with pytest.raises(TemporaryError, match="ConnectError"):
                http.get(direct)
        assert json_of(http.get("http://inside.example:8081/")) == "proxy"
