"""The client at a real server on the loopback: what sockets do cannot be told by a mock."""

import gzip
import json
import socket
import struct
import time
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from connectors import wire
from connectors.client import json_of, open_client
from pipeline.errors import RefusedError, SettingsError, TemporaryError
from tests.connectors.answers import never
from tests.connectors.serving import Answer, reply
from tests.connectors.sinks.receivers import certificate


def test_a_slow_answer_is_temporary(serve: Callable[[Answer], str]) -> None:
    def slowly(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.5)  # on purpose: slowness is what is tested
        reply(handler, 200)

    with open_client(attempts=1) as http, pytest.raises(TemporaryError, match="ReadTimeout"):
        http.get(serve(slowly), timeout=0.1)


def test_a_body_that_drips_for_ever_is_given_up(
    serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LONGEST_ANSWER", timedelta(seconds=0.1))

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b".")
            time.sleep(0.02)  # on purpose: never slow enough for a timeout

    with open_client(attempts=1) as http, pytest.raises(TemporaryError, match="takes for ever"):
        http.get(serve(drip))


def test_a_cut_body_is_temporary_and_asked_for_again(serve: Callable[[Answer], str]) -> None:
    asked: list[str] = []

    def cut(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        reply(handler, 200, b'{"whole": true}', **({"Content_Length": "1000"} if len(asked) == 1 else {}))

    with open_client(sleep=lambda _: None) as http:
        assert json_of(http.get(serve(cut))) == {"whole": True}
    assert len(asked) == 2


def test_a_reset_connection_is_temporary(serve: Callable[[Answer], str]) -> None:
    def reset(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        handler.close_connection = True
        handler.wfile = handler.rfile = open("/dev/null", "wb")  # noqa: SIM115, PTH123 - closed by the handler

    with open_client(attempts=1) as http, pytest.raises(TemporaryError, match="no whole answer"):
        http.get(serve(reset))


def test_nobody_listening_is_temporary() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with open_client(attempts=1) as http, pytest.raises(TemporaryError, match="ConnectError"):
            http.get(address)


def test_a_gzipped_answer_is_read_and_a_broken_one_is_temporary(serve: Callable[[Answer], str]) -> None:
    packed = gzip.compress(json.dumps({"text": "ä" * 1000}).encode())

    def gzipped(handler: BaseHTTPRequestHandler) -> None:
        body = b"\x1f\x8bbroken" if "broken" in handler.path else packed
        reply(handler, 200, body, Content_Encoding="gzip")

    address = serve(gzipped)
    with open_client(attempts=1) as http:
        answer = http.get(address)
        assert json_of(answer, dict) == {"text": "ä" * 1000}
        with pytest.raises(TemporaryError, match="DecodingError"):
            http.get(f"{address}/broken")


def test_a_redirect_is_an_answer(serve: Callable[[Answer], str]) -> None:
    address = serve(lambda handler: reply(handler, 301, Location="/there"))
    with open_client() as http:
        answer = http.get(address)
        assert (answer.status_code, answer.headers["location"]) == (301, "/there")
        with pytest.raises(RefusedError, match="in circles"):
            http.get(address, follow_redirects=True)


def test_a_server_that_asks_for_patience_gets_it(serve: Callable[[Answer], str]) -> None:
    slept: list[float] = []

    def busy(handler: BaseHTTPRequestHandler) -> None:
        reply(handler, *((200, b"{}") if slept else (503,)), **({} if slept else {"Retry_After": "2"}))

    with open_client(sleep=slept.append) as http:
        assert json_of(http.get(serve(busy))) == {}
    assert slept == [2]


def test_a_key_that_cannot_be_a_header_is_the_operators_matter(serve: Callable[[Answer], str]) -> None:
    address = serve(lambda handler: reply(handler, 200))
    for broken in ("säsame", "sesame\n"):
        with open_client(sleep=never) as http, pytest.raises(SettingsError) as caught:
            http.get(address, headers={"Authorization": f"Bearer {broken}"})
        assert broken.strip() not in str(caught.value)


def test_a_certificate_nobody_vouches_for_is_refused(serve: Callable[..., str], tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    address = serve(lambda handler: reply(handler, 200), context)
    with open_client(sleep=never) as http, pytest.raises(RefusedError, match="certificate is not trusted"):
        http.get(address)
