"""The client: every failure is one of ours, and no message tells a secret."""

import gzip
import logging
import pickle
import re
from datetime import timedelta

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError

from connectors import wire
from connectors.client import Address, SecureAddress, items_of, json_of, open_client
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError
from tests.connectors.answers import URL, answering, raising, status


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


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_what_was_told_may_have_been_done_where_the_answer_is_lost(method: str) -> None:
    with (
        open_client(attempts=1, transport=raising(httpx.ReadTimeout("?"))) as http,
        pytest.raises(TemporaryError) as caught,
    ):
        http.request(method, URL)
    assert caught.value.unsure is (method == "POST")


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


def test_an_impossible_address_is_the_operators_matter() -> None:
    with open_client() as http, pytest.raises(SettingsError, match="address"):
        http.get("http://example.org:port/")


def test_we_say_who_we_are() -> None:
    transport, asked = answering(status(200))
    with open_client(transport=transport, contact="mailto:care@hike.example") as http:
        http.get(URL)
    assert re.fullmatch(r"Earful/[\d.]+ \(\+mailto:care@hike\.example\)", asked[0].headers["user-agent"])


def test_no_answer_fills_our_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LARGEST_BODY", 1000)
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


def test_an_address_a_key_is_sent_to_is_read_by_nobody_on_the_way() -> None:
    adapter = TypeAdapter(SecureAddress)
    for right in ("https://example.org", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:9"):
        assert adapter.validate_python(right + "/") == right
    for wrong in ("http://example.org", "http://localhost.example.org", "http://127.0.0.1@example.org"):
        with pytest.raises(ValidationError, match="starts with https"):
            adapter.validate_python(wrong)
