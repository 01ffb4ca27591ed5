"""Cache: public pages kept with their ETag, so that a host that has nothing new need not send everything again."""

import hashlib
import logging
import os
import sqlite3
import stat
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import httpx
from hishel import CacheOptions, Entry, Request, Response, SqliteStorage
from hishel.httpx import CacheTransport

KEPT = timedelta(days=7)
"""A page older than this is asked for as if it were new: what people deleted must not lie here for ever."""
LARGEST_CACHE = 50_000_000
"""Bytes on disk; the page read longest ago goes first."""
OURS = 0x45617266
"""What SQLite calls the application of a file. Another's file must neither be written to nor thrown away."""

_DIGEST = "x-earful-digest"
_PLAIN = {"host", "accept", "accept-encoding", "connection", "user-agent"}
"""Headers of a request that anybody would send."""

log = logging.getLogger(__name__)


class Cached(httpx.BaseTransport):
    """A transport around a transport of whole bodies: asks with the validators of what it kept.

    Only where the request says `extensions={"cache": True}`, and is a GET without a query, a password, a secret path,
    or a header that others would not send. The host is always asked; only its own 304 brings a kept page out. The file
    is for its owner's eyes, and holds no address and no header of ours. A damaged file is thrown away; one that Earful
    did not make is left as it is, and nothing is kept.
    """

    def __init__(self, inner: httpx.BaseTransport, path: Path) -> None:
        self._inner = inner
        self._path = path
        self._storage: _Pages | None = None
        self._barred = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask, with validators if there are any."""
        if self._barred or not (request.extensions.get("cache") and _public(request)):
            return self._inner.handle_request(request)
        asking = _Asking(self._inner, request)
        try:
            return self._kept(asking, request)
        except _BarredError as error:
            log.warning("%s; no page is kept; the operator must act: name another file as [http] cache", error)
            self._barred = True
            return self._inner.handle_request(request)
        except Exception as error:
            if asking.failed:
                raise
            log.warning("the cache of pages is damaged (%s) and thrown away", type(error).__name__)
            self._throw_away()
            return asking.answer or self._inner.handle_request(request)

    def close(self) -> None:
        """Close the file, and what is inside."""
        if self._storage is not None:
            self._storage.close()
        self._inner.close()

    def _kept(self, asking: "_Asking", request: httpx.Request) -> httpx.Response:
        if self._storage is None:
            self._storage = _Pages(self._path)
        # hishel keeps the address with the page: it is given a name for it instead. "no-cache" means: ask first.
        name = hashlib.sha256(str(request.url).encode()).hexdigest()
        known = httpx.Request("GET", f"https://{name}.invalid/", headers={"Cache-Control": "no-cache"})
        cache = CacheTransport(asking, storage=self._storage, rfc=CacheOptions(shared=False))
        answer = cache.handle_request(known)
        answer.read()
        headers = httpx.Headers(answer.headers)
        if headers.pop(_DIGEST, None) != hashlib.sha256(answer.content).hexdigest():
            raise sqlite3.DatabaseError
        return httpx.Response(answer.status_code, headers=headers, content=answer.content, request=request)

    def _throw_away(self) -> None:
        if self._storage is not None:
            self._storage.close()
            self._storage = None
        for end in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self._path}{end}").unlink()


class _Asking(httpx.BaseTransport):
    """What hishel asks: sends the true request with the validators that hishel adds."""

    def __init__(self, inner: httpx.BaseTransport, request: httpx.Request) -> None:
        self._inner = inner
        self._request = request
        self.failed = False
        self.answer: httpx.Response | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the host."""
        true = self._request
        headers = httpx.Headers(true.headers)
        for validator in ("if-none-match", "if-modified-since"):
            if validator in request.headers:
                headers[validator] = request.headers[validator]
        self.answer = None
        try:
            came = self._inner.handle_request(
                httpx.Request("GET", true.url, headers=headers, extensions=true.extensions)
            )
        except Exception:
            self.failed = True
            raise
        kept = httpx.Headers(came.headers)
        for never in ("set-cookie", _DIGEST):  # the digest of a 304 would take the place of ours
            kept.pop(never, None)
        if came.status_code != httpx.codes.NOT_MODIFIED:
            self.answer = came
            kept[_DIGEST] = hashlib.sha256(came.content).hexdigest()
        return httpx.Response(came.status_code, headers=kept, content=came.content)


class _BarredError(Exception):
    """The file is not ours, or cannot be made."""


class _Pages(SqliteStorage):
    """hishel's storage in a file of our own making, with one page for each address."""

    def __init__(self, path: Path) -> None:
        connection = _opened(path)
        try:
            connection.execute("PRAGMA secure_delete = ON")  # what is gone must not stay readable in the file
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError
        except sqlite3.Error:
            connection.close()
            raise
        super().__init__(
            connection=connection,
            default_ttl=KEPT.total_seconds(),
            max_size=LARGEST_CACHE,
            max_stream_size=LARGEST_CACHE // 10,
        )

    def create_entry(
        self, request: Request, response: Response, key: str, *, ttl: float | None = None, tti: float | None = None
    ) -> Entry:
        """Keep a page, instead of the one that was kept before."""
        for entry in self.get_entries(key):
            self.remove_entry(entry.id)
        return super().create_entry(request, response, key, ttl=ttl, tti=tti)


def _opened(path: Path) -> sqlite3.Connection:
    """The file, ours by its mark, and readable by its owner only; it is made where there is none."""
    try:
        with suppress(FileExistsError):  # by us first: SQLite would let everybody read it
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        found = path.lstat()  # not opened again: to close it would end the locks of this process on it
        if not stat.S_ISREG(found.st_mode):
            raise _BarredError(f"{path}: is no file")
        if found.st_size and not _is_ours(path):
            raise _BarredError(f"{path}: is a database that Earful's cache did not make")
        path.chmod(0o600)  # before it is opened: SQLite gives its journal the same rights
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5)
        if not found.st_size:
            connection.execute(f"PRAGMA application_id = {OURS}")
    except (OSError, sqlite3.Error) as error:
        raise _BarredError(f"{path}: cannot be a cache of pages ({type(error).__name__})") from error
    return connection


def _is_ours(path: Path) -> bool:
    """Whether a database bears our mark; no lock is taken, and nothing beside it is made."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as connection:
        (mark,) = connection.execute("PRAGMA application_id").fetchone()
    return bool(mark == OURS)


def _public(request: httpx.Request) -> bool:
    """Whether the page is one that anybody gets, as far as the request shows."""
    plain = request.method == "GET" and not request.url.query and not request.url.userinfo
    return plain and not request.extensions.get("secret_path") and {*request.headers} <= _PLAIN
