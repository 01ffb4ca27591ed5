"""The cache of public pages at a real server: it saves sending, and never hides anything new."""

import os
import sqlite3
import stat
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread

import httpx
import pytest

from connectors import cache
from connectors.client import json_of, open_client
from pipeline.errors import TemporaryError
from tests.connectors.answers import never, raising
from tests.connectors.serving import Answer, reply

CACHE = {"cache": True}


class Host:
    """A page that may change, and what the host was asked and sent."""

    def __init__(self) -> None:
        self.body = b'{"reviews": 1}'
        self.code = 200
        self.headers: dict[str, str] = {"Cache_Control": "public, max-age=3600, immutable"}
        self.more: dict[str, str] = {}  # with "304 Not Modified"
        self.asked: list[tuple[str | None, str | None]] = []
        self.sent: list[int] = []

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        tag = f'W/"{abs(hash(self.body))}"'
        self.asked.append((handler.headers["if-none-match"], handler.headers["cache-control"]))
        same = handler.headers["if-none-match"] == tag
        self.sent.append(304 if same else self.code)
        if same:
            handler.send_response_only(304)
            handler.send_header("ETag", tag)
            handler.send_header("Date", "Sun, 22 Nov 2026 12:00:00 GMT")
            for name, value in self.more.items():
                handler.send_header(name, value)
            handler.end_headers()
        else:
            reply(handler, self.code, self.body, ETag=tag, **self.headers)


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    return tmp_path / "pages.db"


def test_a_page_that_is_as_it_was_is_not_sent_again_and_the_host_is_always_asked(
    host: Host, pages: Path, serve: Callable[[Answer], str]
) -> None:
    address = serve(host.answer)
    for _ in range(2):  # the second client finds what the first kept
        with open_client(cache=pages, sleep=never) as http:
            for _ in range(2):
                answer = http.get(address, extensions=CACHE)
                assert (answer.status_code, json_of(answer)) == (200, {"reviews": 1})
    assert host.sent == [200, 304, 304, 304]
    assert {control for _, control in host.asked} == {None}, "nothing but the validators is added to what we ask"
    assert answer.headers["date"] == "Sun, 22 Nov 2026 12:00:00 GMT", "the time of the last answer, not of the first"
    assert not [name for name in answer.headers if "earful" in name]


def test_what_is_new_comes_at_once_and_takes_the_place_of_the_old(
    host: Host, pages: Path, serve: Callable[[Answer], str]
) -> None:
    address = serve(host.answer)
    with open_client(cache=pages, sleep=never) as http:
        for number in (1, 2, 3, 3, 1):
            host.body = b'{"reviews": %d}' % number
            assert json_of(http.get(address, extensions=CACHE)) == {"reviews": number}
    assert host.sent == [200, 200, 200, 304, 200]


def test_a_failing_host_is_a_failure_however_fresh_the_kept_page_is(
    host: Host, pages: Path, serve: Callable[[Answer], str]
) -> None:
    address = serve(host.answer)
    with open_client(cache=pages, attempts=1) as http:
        http.get(address, extensions=CACHE)
        host.code, host.body = 503, b"down"
        with pytest.raises(TemporaryError, match="503"):
            http.get(address, extensions=CACHE)
    lost = raising(httpx.ReadError("lost"))
    with (
        open_client(cache=pages, attempts=1, transport=lost) as http,
        pytest.raises(TemporaryError, match="ReadError"),
    ):
        http.get(address, extensions=CACHE)


@pytest.mark.parametrize(
    "more",
    [
        {"extensions": {}},
        {"headers": {"Authorization": "Bearer sesame"}},
        {"headers": {"Cookie": "key=sesame"}},
        {"headers": {"X-Api-Key": "sesame"}},
        {"params": {"key": "sesame"}},
        {"auth": ("me", "sesame")},
        {"extensions": {"cache": True, "secret_path": True}},
        {"headers": {"If-None-Match": '"sesame"'}},
    ],
)
def test_nothing_is_kept_but_what_anybody_would_get(
    host: Host, pages: Path, serve: Callable[[Answer], str], more: dict[str, object]
) -> None:
    with open_client(cache=pages, sleep=never) as http:
        http.get(serve(host.answer), **{"extensions": CACHE, **more})  # type: ignore[arg-type] - options of one test
    assert not pages.exists()


def test_the_file_is_for_its_owner_only_and_tells_no_address_and_no_cookie(
    host: Host, pages: Path, serve: Callable[[Answer], str]
) -> None:
    host.headers["Set_Cookie"] = "session=sesame"
    address = serve(host.answer).replace("/here", "/whom-we-hear")
    before = os.umask(0)
    try:
        with open_client(cache=pages, sleep=never) as http:
            http.get(address, extensions=CACHE)
            modes = {stat.S_IMODE(path.stat().st_mode) for path in pages.parent.iterdir()}
            written = b"".join(path.read_bytes() for path in pages.parent.iterdir())
    finally:
        os.umask(before)
    assert modes == {0o600}
    assert b"reviews" in written
    for secret in (b"whom-we-hear", b"127.0.0.1", b"sesame", b"Earful/"):
        assert secret not in written
    assert {path.name for path in pages.parent.iterdir()} == {"pages.db"}


@pytest.mark.parametrize("damage", ["a torn page", "a changed text"])
def test_a_damaged_file_is_thrown_away_and_no_error(
    host: Host, pages: Path, serve: Callable[[Answer], str], damage: str
) -> None:
    address = serve(host.answer)
    with open_client(cache=pages, sleep=never) as http:
        http.get(address, extensions=CACHE)
    whole = pages.read_bytes()
    if damage == "a torn page":
        pages.write_bytes(whole[:4096] + b"\0" * (len(whole) - 4096))
    else:
        assert whole.count(b'{"reviews": 1}') == 1
        pages.write_bytes(whole.replace(b'{"reviews": 1}', b'{"reviews": 7}'))
    for _ in range(2):
        with open_client(cache=pages, sleep=never) as http:
            assert json_of(http.get(address, extensions=CACHE)) == {"reviews": 1}
            assert json_of(http.get(address, extensions=CACHE)) == {"reviews": 1}
    assert host.sent[-1] == 304, "a new file is kept"


@pytest.mark.parametrize("what", ["settings", "a database", "an older cache", "a link", "a folder", "no folder around"])
def test_what_is_no_cache_of_ours_is_neither_written_to_nor_thrown_away(
    host: Host, pages: Path, serve: Callable[[Answer], str], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = pages.with_name("other")
    if what == "settings":
        pages.write_text("[brand]\n" * 1000)
    elif what in {"a database", "an older cache"}:
        with sqlite3.connect(pages) as database:
            database.execute(f"CREATE TABLE {'mention' if what == 'a database' else 'entries'} (id INTEGER)")
        database.close()
    elif what == "a link":
        other.write_text("")
        pages.symlink_to(other)
    elif what == "a folder":
        pages.mkdir()
    else:
        pages = pages / "deeper" / "pages.db"
    before = pages.read_bytes() if pages.is_file() else None
    address = serve(host.answer)
    with open_client(cache=pages, sleep=never) as http:
        for _ in range(2):
            assert json_of(http.get(address, extensions=CACHE)) == {"reviews": 1}
    assert host.sent == [200, 200], "it is asked as if there were no cache"
    assert (pages.read_bytes() if pages.is_file() else None) == before
    assert caplog.text.count("the operator must act: name another file as [http] cache") == 1


def test_a_file_that_others_could_read_is_closed_to_them(
    host: Host, pages: Path, serve: Callable[[Answer], str]
) -> None:
    address = serve(host.answer)
    for _ in range(2):
        with open_client(cache=pages, sleep=never) as http:
            http.get(address, extensions=CACHE)
            assert {stat.S_IMODE(path.stat().st_mode) for path in pages.parent.iterdir()} == {0o600}
        pages.chmod(0o644)


@pytest.mark.parametrize("code", [200, 304])
def test_a_host_that_speaks_of_our_digest_spoils_nothing(
    host: Host, pages: Path, serve: Callable[[Answer], str], caplog: pytest.LogCaptureFixture, code: int
) -> None:
    address = serve(host.answer)
    host.headers |= {"X_Earful_Digest": "none"} if code == 200 else {}
    host.more |= {"X-Earful-Digest": "none"} if code == 304 else {}
    with open_client(cache=pages, sleep=never) as http:
        for _ in range(3):
            answer = http.get(address, extensions=CACHE)
            assert json_of(answer) == {"reviews": 1}
            assert "x-earful-digest" not in answer.headers
    assert host.sent == [200, 304, 304]
    assert caplog.text == ""


def test_the_file_stays_small_and_forgets(
    host: Host, pages: Path, serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "LARGEST_CACHE", 400_000)
    address = serve(host.answer)
    with open_client(cache=pages, sleep=never) as http:
        for number in range(60):
            host.body = b'"%d%s"' % (number, b"x" * 30_000)
            http.get(f"{address}/{number}", extensions=CACHE)
        host.body = b'"%s"' % (b"y" * 50_000)
        for _ in range(2):
            http.get(f"{address}/large", extensions=CACHE)
        assert host.sent[-1] == 200, "a tenth of the file is the most for one page"
    assert pages.stat().st_size < 600_000
    monkeypatch.setattr("hishel._core._storages._sync_sqlite.time.time", lambda: 4_000_000_000.0)
    with open_client(cache=pages, sleep=never) as http:
        host.body = b'"0%s"' % (b"x" * 30_000)
        http.get(f"{address}/0", extensions=CACHE)
    assert host.sent[-1] == 200, "kept for a week at most"


def test_many_clients_use_one_file_side_by_side(host: Host, pages: Path, serve: Callable[[Answer], str]) -> None:
    address = serve(host.answer)
    failed: list[Exception] = []

    def work(number: int) -> None:
        try:
            with open_client(cache=pages, sleep=never) as http:
                for turn in range(5):
                    json_of(http.get(f"{address}/{number % 3}/{turn}", extensions=CACHE), dict)
        except Exception as error:  # noqa: BLE001 - whatever it is fails the test
            failed.append(error)

    workers = [Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failed == []
