"""The client: every failure is one of ours, patience has an end, and no message tells a secret."""

import gzip
import json
import logging
import pickle
import socket
import struct
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError

from connectors import client
from connectors.client import Address, items_of, json_of, open_client
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError

URL = "https://example.org/v1/things?key=sesame"


def _all(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(each for below in kind.__subclasses__() for each in _all(below))]


ALL_OF_HTTPX = [
    each
    for top in (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
    for each in _all(top)
    if each.__module__ == "httpx"
]


def made(kind: type[Exception]) -> Exception:
    """One error of a kind, with a secret in its own words."""
    words = "https://example.org/?key=sesame failed"
    if kind is httpx.HTTPStatusError:
        request = httpx.Request("GET", URL)
        return httpx.HTTPStatusError(words, request=request, response=httpx.Response(503, request=request))
    try:
        return kind(words)
    except TypeError:
        return kind()


def raising(error: Exception) -> httpx.MockTransport:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    return httpx.MockTransport(answer)


def answering(*answers: httpx.Response) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """A transport that gives the answers in turn, the last for ever; and what it was asked."""
    left, asked = list(answers), list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return left.pop(0) if len(left) > 1 else left[0]

    return httpx.MockTransport(answer), asked


def status(code: int, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(code, headers=named, text="key=sesame")


def expected(code: int) -> type[EarfulError]:
    if code in {408, 425, 429} or code >= 500:
        return TemporaryError
    return ChangedError if code == 400 else RefusedError


@pytest.mark.parametrize("kind", ALL_OF_HTTPX, ids=lambda kind: kind.__name__)
def test_everything_httpx_can_raise_becomes_one_of_our_errors(kind: type[Exception]) -> None:
    with (
        open_client(attempts=1, transport=raising(made(kind))) as http,
        pytest.raises(EarfulError, match=r"^GET example\.org/v1/things: ") as caught,
    ):
        http.get(URL)
    assert "sesame" not in str(caught.value)


def test_the_walk_over_httpx_errors_sees_them_all() -> None:
    exported = {each for name in httpx.__all__ if isinstance(each := getattr(httpx, name), type)}
    errors = {each for each in exported if issubclass(each, Exception)}
    assert errors <= set(ALL_OF_HTTPX)
    assert len(ALL_OF_HTTPX) > 20


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        (httpx.ReadTimeout, TemporaryError),
        (httpx.ConnectTimeout, TemporaryError),
        (httpx.PoolTimeout, TemporaryError),
        (httpx.ConnectError, TemporaryError),
        (httpx.ReadError, TemporaryError),
        (httpx.RemoteProtocolError, TemporaryError),
        (httpx.DecodingError, TemporaryError),
        (httpx.LocalProtocolError, SettingsError),
        (httpx.UnsupportedProtocol, SettingsError),
        (httpx.InvalidURL, SettingsError),
        (httpx.TooManyRedirects, RefusedError),
        (httpx.StreamConsumed, ChangedError),
    ],
)
def test_an_error_is_named_for_who_must_act(kind: type[Exception], ours: type[EarfulError]) -> None:
    with open_client(attempts=1, transport=raising(made(kind))) as http, pytest.raises(EarfulError) as caught:
        http.get(URL)
    assert type(caught.value) is ours


def test_every_status_from_400_becomes_its_error() -> None:
    for code in range(400, 601):
        transport, _ = answering(status(code))
        with open_client(attempts=1, transport=transport) as http, pytest.raises(EarfulError) as caught:
            http.get(URL)
        assert type(caught.value) is expected(code)
        assert str(caught.value).startswith(f"GET example.org/v1/things: {code}")
        assert caught.value.who_acts in str(caught.value), "the message says who must act"
        assert "sesame" not in str(caught.value)


def test_an_untrusted_certificate_is_the_operators_matter_and_not_tried_again() -> None:
    error = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate")
    with open_client(transport=raising(error)) as http, pytest.raises(RefusedError, match="certificate"):
        http.get(URL)


def test_what_is_below_400_is_an_answer() -> None:
    for code in (200, 204, 301, 302, 304):
        transport, asked = answering(status(code, location="https://elsewhere.example/"))
        with open_client(transport=transport) as http:
            assert http.get(URL).status_code == code
        assert len(asked) == 1, "redirects are not followed"


def test_errors_survive_pickling() -> None:
    transport, _ = answering(status(429, retry_after="90"))
    with open_client(transport=transport) as http, pytest.raises(TemporaryError) as caught:
        http.get(URL)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.retry_after == timedelta(seconds=90)


def test_a_secret_path_is_never_named() -> None:
    transport, _ = answering(status(404))
    with open_client(transport=transport) as http, pytest.raises(RefusedError) as caught:
        http.post("https://hooks.example.org/T0/sesame", extensions={"secret_path": True})
    assert str(caught.value).startswith("POST hooks.example.org: 404 Not Found; the operator must act")
    assert "sesame" not in str(caught.value)


def test_a_password_in_the_address_is_never_named() -> None:
    transport, _ = answering(status(403))
    with open_client(transport=transport) as http, pytest.raises(RefusedError) as caught:
        http.get("https://me:sesame@example.org:8443/x")
    assert str(caught.value).startswith("GET example.org:8443/x: 403 Forbidden")


def test_no_log_holds_an_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    transport, _ = answering(status(200))
    with open_client(transport=transport) as http:
        http.get(URL)
    assert "sesame" not in caplog.text


def test_a_key_that_cannot_be_a_header_is_the_operators_matter() -> None:
    for broken in ("säsame", "sesame\n"):
        with open_client(sleep=pytest.fail) as http, pytest.raises(SettingsError) as caught:
            http.get("http://127.0.0.1:9/", headers={"Authorization": f"Bearer {broken}"})
        assert broken.strip() not in str(caught.value)


def test_an_impossible_address_is_the_operators_matter() -> None:
    with open_client() as http, pytest.raises(SettingsError, match="address"):
        http.get("http://example.org:port/")


def test_temporary_failures_of_a_get_are_tried_again_with_growing_waits() -> None:
    slept: list[float] = []
    transport, asked = answering(status(503), status(503), status(200))
    with open_client(transport=transport, sleep=slept.append) as http:
        assert http.get(URL).status_code == 200
    assert len(asked) == 3
    first, second = slept
    assert 0.5 <= first <= 1
    assert 1 <= second <= 2


def test_after_the_last_attempt_the_error_is_raised() -> None:
    slept: list[float] = []
    transport, asked = answering(status(503))
    with open_client(attempts=2, transport=transport, sleep=slept.append) as http, pytest.raises(TemporaryError):
        http.get(URL)
    assert (len(asked), len(slept)) == (2, 1)


def test_what_is_not_temporary_is_asked_once() -> None:
    for code in (400, 401, 403, 404, 410, 451):
        transport, asked = answering(status(code))
        with open_client(transport=transport, sleep=pytest.fail) as http, pytest.raises(EarfulError):
            http.get(URL)
        assert len(asked) == 1


@pytest.mark.parametrize(
    ("failure", "times"), [(httpx.ConnectError, 3), (httpx.ConnectTimeout, 3), (httpx.ReadTimeout, 1)]
)
def test_a_post_is_only_repeated_if_it_never_arrived(failure: type[Exception], times: int) -> None:
    slept: list[float] = []
    transport = raising(failure("lost"))
    with open_client(transport=transport, sleep=slept.append) as http, pytest.raises(TemporaryError):
        http.post(URL)
    assert len(slept) == times - 1


def test_a_refused_post_is_not_repeated() -> None:
    transport, asked = answering(status(503))
    with open_client(transport=transport, sleep=pytest.fail) as http, pytest.raises(TemporaryError):
        http.post(URL)
    assert len(asked) == 1


def test_retry_after_wins_over_our_own_waits() -> None:
    slept: list[float] = []
    transport, _ = answering(status(429, retry_after="7"), status(200))
    with open_client(transport=transport, sleep=slept.append) as http:
        http.get(URL)
    assert slept == [7]


def test_a_longer_retry_after_than_our_patience_is_raised_at_once() -> None:
    transport, asked = answering(status(429, retry_after="3600"))
    with open_client(transport=transport, sleep=pytest.fail) as http, pytest.raises(TemporaryError) as caught:
        http.get(URL)
    assert caught.value.retry_after == timedelta(hours=1)
    assert len(asked) == 1


def test_all_waits_of_one_request_together_stay_within_patience() -> None:
    slept: list[float] = []
    transport, _ = answering(status(429, retry_after="4"))
    with (
        open_client(attempts=10, patience=timedelta(seconds=10), transport=transport, sleep=slept.append) as http,
        pytest.raises(TemporaryError),
    ):
        http.get(URL)
    assert slept == [4, 4]


def asked_to_wait(**headers: str) -> timedelta | None:
    transport, _ = answering(status(429, **headers))
    with open_client(attempts=1, transport=transport) as http, pytest.raises(TemporaryError) as caught:
        http.get(URL)
    return caught.value.retry_after


def test_every_way_to_ask_for_patience_is_understood() -> None:
    later = datetime.now(UTC) + timedelta(minutes=10)
    for headers in (
        {"retry_after": "600"},
        {"retry_after": " 600.0 "},
        {"retry_after": format_datetime(later, usegmt=True)},
        {"x_ratelimit_reset": later.isoformat().replace("+00:00", "Z")},
        {"x_ratelimit_reset": str(int(later.timestamp()))},
        {"x_ratelimit_reset": "600"},
        {"retry_after": "600", "x_ratelimit_reset": "5"},
    ):
        wait = asked_to_wait(**headers)
        assert wait is not None
        assert wait.total_seconds() == pytest.approx(600, abs=5), headers


def test_nonsense_in_retry_after_is_no_wait() -> None:
    for nonsense in ("", "soon", "nan", "inf", "-inf", "1e300", "Thu, 99 Foo 2026"):
        assert asked_to_wait(retry_after=nonsense) in {None, timedelta(0)}, nonsense
    assert asked_to_wait(retry_after="-5") == timedelta(0)
    assert asked_to_wait(retry_after="Sun, 06 Nov 1994 08:49:37 GMT") == timedelta(0), "long past"


def test_a_reset_time_says_nothing_where_nothing_was_throttled() -> None:
    transport, _ = answering(status(503, x_ratelimit_reset="600"))
    with open_client(attempts=1, transport=transport) as http, pytest.raises(TemporaryError) as caught:
        http.get(URL)
    assert caught.value.retry_after is None


def test_a_polite_pause_is_kept_between_two_requests_to_one_host() -> None:
    slept: list[float] = []
    transport, _ = answering(status(200))
    with open_client(transport=transport, sleep=slept.append) as http:
        for host in ("one.example", "two.example", "one.example"):
            http.get(f"https://{host}/", extensions={"pause": 1.0})
        http.get("https://one.example/")
    assert len(slept) == 1
    assert 0.9 < slept[0] <= 1


def test_we_say_who_we_are() -> None:
    transport, asked = answering(status(200))
    with open_client(transport=transport) as http:
        http.get(URL)
    assert asked[0].headers["user-agent"].startswith("Earful/")
    assert "+https://" in asked[0].headers["user-agent"]


def test_no_answer_fills_our_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LARGEST_BODY", 1000)
    bomb = httpx.Response(200, headers={"content-encoding": "gzip"}, content=gzip.compress(b" " * 100_000))
    for answer in (httpx.Response(200, content=b" " * 1001), bomb):
        transport, _ = answering(answer)
        with open_client(transport=transport) as http, pytest.raises(ChangedError, match="more than 1,000 bytes"):
            http.get(URL)


def test_an_answer_that_is_no_json_is_named() -> None:
    said = {
        "<!DOCTYPE html><p>Just a moment": "HTML",
        " <html>": "HTML",
        "": "nothing",
        '{"hits": [{"a": ': "a cut or broken text",
        "Too many": "some other text",
        "[" * 200_000: "a cut or broken text",
    }
    for text, named in said.items():
        answer = httpx.Response(200, text=text, request=httpx.Request("GET", URL))
        with pytest.raises(ChangedError, match=f"^GET example.org/v1/things: answered {named} instead of JSON"):
            json_of(answer)
    moved = httpx.Response(301, headers={"location": "/new"}, request=httpx.Request("GET", URL))
    with pytest.raises(ChangedError, match="301, a way to another address"):
        json_of(moved)


def test_json_of_another_shape_is_named() -> None:
    def said(text: str) -> httpx.Response:
        return httpx.Response(200, text=text, request=httpx.Request("GET", URL))

    assert json_of(said("[1]"), list) == [1]
    assert json_of(said("null")) is None
    with pytest.raises(ChangedError, match="answered nothing"):
        json_of(said("null"), dict)
    with pytest.raises(ChangedError, match="list, not dict"):
        json_of(said("[]"), dict)


def test_json_with_a_byte_order_mark_or_in_utf_16_is_read() -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        answer = httpx.Response(200, content='{"ä": 1}'.encode(encoding), request=httpx.Request("GET", URL))
        assert json_of(answer, dict) == {"ä": 1}


def test_what_is_no_object_becomes_an_item_that_can_only_be_refused() -> None:
    assert items_of([{"id": 1}, None, "x"]) == [{"id": 1}, {"strange": None}, {"strange": "x"}]


def test_an_address_in_the_settings_is_one() -> None:
    adapter = TypeAdapter(Address)
    assert adapter.validate_python("https://example.org/v1/") == "https://example.org/v1"
    for wrong in ("example.org", "ftp://example.org", "https://", "http://a:b:c"):
        with pytest.raises(ValidationError, match="write an address like"):
            adapter.validate_python(wrong)


# From here on a real server on the loopback: what sockets do cannot be told by a mock.

Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """Starts a server that answers every GET by a function; its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(respond: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                respond(self)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        servers.append(server)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/here"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def reply(handler: BaseHTTPRequestHandler, code: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(code)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def test_a_slow_answer_is_temporary(serve: Callable[[Answer], str]) -> None:
    def slowly(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.5)  # on purpose: slowness is what is tested
        reply(handler, 200)

    with open_client(attempts=1) as http, pytest.raises(TemporaryError, match="ReadTimeout"):
        http.get(serve(slowly), timeout=0.1)


def test_a_body_that_drips_for_ever_is_given_up(
    serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LONGEST_BODY", timedelta(seconds=0.1))

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
