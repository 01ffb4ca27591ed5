"""The wire at real servers: HTTP/2, proxies, and bodies that are too large, too short or too tightly packed."""

import gzip
import logging
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread

import httpx
import pytest

from connectors.client import json_of, open_client
from connectors.wire import LARGEST_BODY
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError
from tests.connectors.answers import never
from tests.connectors.serving import Answer, reply, serving_http2
from tests.connectors.sinks.receivers import certificate


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_http2_is_spoken_where_it_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with serving_http2(tls, ("content-type", "application/json")) as address, open_client(sleep=never) as http:
        for _ in range(3):
            answer = http.get(address)
            assert (json_of(answer), answer.http_version) == ({}, "HTTP/2")


def test_each_client_believes_whom_the_environment_names_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, trusted = certificate(tmp_path)
    with serving_http2(tls, ("content-type", "application/json")) as address:
        for _ in range(2):  # what was read before for another is not taken
            monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
            with open_client(attempts=1, sleep=never) as http:
                assert json_of(http.get(address)) == {}
            monkeypatch.delenv("SSL_CERT_FILE")
            with open_client(attempts=1, sleep=never) as http, pytest.raises(EarfulError, match="certificate"):
                http.get(address)


def test_over_http2_a_short_body_is_temporary_and_a_broken_key_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with serving_http2(tls, ("content-length", "100")) as address, open_client(attempts=1) as http:
        with pytest.raises(TemporaryError, match="no whole answer"):
            http.get(address)
        with pytest.raises(SettingsError, match="the key"):
            http.get(address, headers={"Authorization": "Bearer sesame\r\nX-Other: 1"})


def test_a_body_that_says_it_is_too_large_is_not_read(serve: Callable[[Answer], str]) -> None:
    sent: list[int] = []

    def large(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "50000000")
        handler.end_headers()
        try:
            for _ in range(50):
                handler.wfile.write(b" " * 1_000_000)
                sent.append(1_000_000)
        except OSError:
            handler.close_connection = True

    with open_client(sleep=never) as http, pytest.raises(ChangedError, match="answered more than 20,000,000 bytes"):
        http.get(serve(large))
    assert sum(sent) < LARGEST_BODY / 2, "nobody listened"


def test_a_body_that_does_not_say_so_is_read_as_far_as_it_may_be(serve: Callable[[Answer], str]) -> None:
    sent: list[int] = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            for _ in range(50):
                handler.wfile.write(b"f4240\r\n" + b" " * 1_000_000 + b"\r\n")
                sent.append(1_000_000)
        except OSError:
            handler.close_connection = True

    with open_client(sleep=never) as http, pytest.raises(ChangedError, match="more than 20,000,000 bytes"):
        http.get(serve(endless))
    assert LARGEST_BODY <= sum(sent) < 50_000_000


def test_a_small_body_that_unpacks_into_a_large_one_is_given_up(serve: Callable[[Answer], str]) -> None:
    bomb = gzip.compress(b" " * 30_000_000)
    assert len(bomb) < 100_000
    address = serve(lambda handler: reply(handler, 200, bomb, Content_Encoding="gzip"))
    with open_client(sleep=never) as http, pytest.raises(ChangedError, match="more than 20,000,000 bytes"):
        http.get(address)


def test_what_is_packed_twice_is_not_unpacked_at_all(serve: Callable[[Answer], str]) -> None:
    bomb = gzip.compress(gzip.compress(b"{}"))
    address = serve(lambda handler: reply(handler, 200, bomb, Content_Encoding="gzip, gzip"))
    with open_client(sleep=never) as http, pytest.raises(ChangedError, match="packed twice"):
        http.get(address)


def test_a_proxy_of_the_environment_is_asked_for_everything_but_this_machine(
    serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []

    def forward(handler: BaseHTTPRequestHandler) -> None:
        asked.append((handler.path, handler.headers["proxy-authorization"]))
        reply(handler, 200, b'"by the proxy"')

    proxy = serve(forward).removesuffix("/here")
    direct = serve(lambda handler: reply(handler, 200, b'"by itself"'))
    monkeypatch.setenv("HTTP_PROXY", proxy.replace("http://", "http://me:sesame@"))
    monkeypatch.setenv("NO_PROXY", "inside.example")
    with open_client(allowed=["127.0.0.1"], sleep=never) as http:
        assert json_of(http.get("http://hike.example/x?q=1")) == "by the proxy"
        assert json_of(http.get(direct)) == "by itself"
    assert asked == [("http://hike.example/x?q=1", "Basic bWU6c2VzYW1l")]
    with open_client(allowed=(), attempts=1) as http:
        with pytest.raises(TemporaryError, match="ConnectError"):
            http.get("http://inside.example/")
        with pytest.raises(RefusedError, match="private address"):
            http.get("http://169.254.169.254/latest/meta-data")
    assert len(asked) == 1, "neither went to the proxy"


def test_a_proxys_tunnel_leads_to_the_host_and_its_refusal_is_the_operators_matter(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tls, trusted = certificate(tmp_path)
    host = serve(lambda handler: reply(handler, 200), tls)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    asked: list[str] = []

    def tunnel(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        if handler.path.startswith("closed"):
            reply(handler, 407)
            return
        handler.send_response(200)
        handler.end_headers()
        with socket.create_connection(("127.0.0.1", httpx.URL(host).port or 0)) as far:
            Thread(target=pump, args=(far, handler.connection), daemon=True).start()
            pump(handler.connection, far)

    monkeypatch.setenv("HTTPS_PROXY", serve(tunnel).removesuffix("/here"))
    with open_client(allowed=(), sleep=never) as http:
        with pytest.raises(RefusedError, match="its certificate is not trusted"):
            http.get("https://hike.example/")  # reached, and shows the certificate of another
        with pytest.raises(RefusedError, match=r"the proxy refuses it \(407\)"):
            http.get("https://closed.example/")
    assert asked == ["hike.example:443", "closed.example:443"]


def pump(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65_535):
            other.sendall(data)
    except OSError:
        return


@pytest.mark.parametrize("proxy", ["socks9://me:sesame@127.0.0.1:1", "http://me:sesame@127.0.0.1:port"])
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with open_client(sleep=never) as http, pytest.raises(SettingsError, match="write HTTP_PROXY") as caught:
        http.get("http://hike.example/")
    assert "sesame" not in str(caught.value)


def test_no_library_below_logs_a_word_whatever_level_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, serve: Callable[[Answer], str]
) -> None:
    libraries = ("httpx", "httpcore", "h2", "hpack", "hishel")
    tls, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    plain = serve(lambda handler: reply(handler, 200, b"{}"))
    caplog.set_level(logging.DEBUG)
    with (
        serving_http2(tls, ("etag", '"sesame"')) as address,
        open_client(cache=tmp_path / "pages.db") as http,
    ):
        for name in [each for each in logging.root.manager.loggerDict if each.startswith(libraries)]:
            caplog.set_level(logging.DEBUG, logger=name)
        for url in (address, plain):
            http.get(url, extensions={"cache": True})
            http.get(url, params={"key": "sesame"}, headers={"Authorization": "Bearer sesame"})
    assert [record.name for record in caplog.records if record.name.startswith(libraries)] == []
    assert "sesame" not in caplog.text
