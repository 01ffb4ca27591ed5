"""A folder of a mail server, opened for reading only: nothing in it is ever marked, moved or deleted."""

import base64
import imaplib
import re
import ssl
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from pipeline.errors import ChangedError, EarfulError, RefusedError, TemporaryError

TIMEOUT = 60.0
"""Seconds without a word, after which a server is given up."""
SEARCHED = 50_000
"""Mails looked through by one search: its answer is one line, and the library takes none above a million bytes."""
_LATER = re.compile(r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\]|too many|try again|temporar", re.IGNORECASE)
"""How a server says that it will do it later: https://www.rfc-editor.org/rfc/rfc5530"""
_SHORT = re.compile(rb'BODY\[\]<\d+> "((?:[^"\\]|\\.)*)"')
"""A mail of one short line may come in quotes."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Encryption = Literal["tls", "starttls", "none"]


@dataclass(frozen=True, slots=True)
class Sent:
    """One mail: its number in the folder, when the server got it, its first bytes."""

    uid: int
    arrived_at: datetime | None
    raw: bytes


class Mailbox:
    """A folder that is open: `validity` names its numbering, `many` mails are in it."""

    def __init__(self, server: imaplib.IMAP4, where: str, validity: int, many: int) -> None:
        self._server = server
        self._where = where
        self.validity = validity
        self.many = many

    def newest(self, most: int) -> dict[int, datetime | None]:
        """The numbers of the newest mails, in order, and when each came."""
        if not self.many:
            return {}
        told = self._ask("FETCH", self._server.fetch, f"{max(1, self.many - most + 1)}:*", "(UID INTERNALDATE)")
        parts = [_bytes(part) for part in told]
        found = {int(number[1]): _arrived(part) for part in parts if (number := re.search(rb"UID (\d+)", part))}
        return dict(sorted(found.items()))

    def since(self, day: date) -> list[int]:
        """The numbers of the mails that came on this day or later."""
        return sorted({uid for found in self._searched("SINCE", _day(day)) for uid in found})

    def after(self, uid: int) -> list[int]:
        """The numbers above this one. A server names its last mail whatever is asked for."""
        above = list[int]()
        for found in self._searched("UID", f"{uid + 1}:*"):
            new = [each for each in found if each > uid]
            if not new:
                break  # numbers grow with their place, so there are none below
            above += new
        return sorted({*above})

    def whole_since(self, known: Mapping[int, datetime | None]) -> date | None:
        """The first of the days on which these mails came since which no other came; None where there is no such."""
        days = sorted({at.date() for at in known.values() if at})
        first = bisect_left(days, True, key=lambda day: {*self.since(day)} <= {*known})  # noqa: FBT003 - from then on
        return days[first] if first < len(days) else None

    def mails(self, uids: Sequence[int], most: int) -> list[Sent]:
        """These mails, each up to `most` bytes; what was deleted meanwhile is missing."""
        wanted = f"(UID INTERNALDATE BODY.PEEK[]<0.{most}>)"
        told = self._ask("FETCH", self._server.uid, "FETCH", ",".join(map(str, uids)), wanted)
        found: dict[int, Sent] = {}
        for place, part in enumerate(told):
            if isinstance(part, tuple):
                after = told[place + 1] if place + 1 < len(told) else b""
                head, raw = part[0] + b" " + (after if isinstance(after, bytes) else b""), part[1]
            elif short := _SHORT.search(part):
                head, raw = _SHORT.sub(b"", part), re.sub(rb"\\(.)", rb"\1", short[1])
            else:
                continue
            number = re.search(rb"UID (\d+)", head)  # some tell it behind the mail
            if number and int(number[1]) in uids:
                found[int(number[1])] = Sent(int(number[1]), _arrived(head), raw)
        return [found[uid] for uid in sorted(found)]

    def _searched(self, *criteria: str) -> Iterator[list[int]]:
        """What fits, `SEARCHED` mails at a time, the newest first: a mail that is deleted meanwhile hides no other."""
        for start in reversed(range(1, self.many + 1, SEARCHED)):
            last = start + SEARCHED - 1
            yield self._found(f"{start}:{last if last < self.many else '*'}", *criteria)

    def _found(self, *criteria: str) -> list[int]:
        told = self._ask("SEARCH", self._server.uid, "SEARCH", *criteria)
        words = b" ".join(_bytes(part) for part in told).split()
        if not all(word.isdigit() for word in words):
            raise ChangedError(f"{self._where}: answered a search with something else than numbers")
        return sorted({int(word) for word in words})

    def _ask(self, name: str, how: Callable[..., tuple[str, list[Any]]], *words: str) -> list[Any]:
        with _named(self._where, f"does not do what is asked of it ({name})"):
            said, told = how(*words)
        if said != "OK":
            raise _error(self._where, f"does not do what is asked of it ({name})", _text(told))
        return [part for part in told if part is not None]


@contextmanager
def opened(
    host: str, port: int, encryption: Encryption, *, username: str, password: str | None, token: str | None, folder: str
) -> Iterator[Mailbox]:
    """The folder, to be read. RefusedError where login or folder are refused, TemporaryError where nobody answers."""
    where = f"imap {host}:{port}"
    with _named(where, "is no mail server that can be talked to"):
        server = _connected(host, port, encryption)
    try:
        with _named(where, "refuses the login; check `username` and `password`, or the `token`"):
            if token is not None:
                answers = iter([f"user={username}\x01auth=Bearer {token}\x01\x01".encode()])
                server.authenticate("XOAUTH2", lambda _: next(answers, b""))  # after a refusal an empty answer is due
            elif f"{username}{password}".isascii():
                # the library puts only the password in quotes
                bare = re.fullmatch(r"[\w.@+-]+", username)
                server.login(username if bare else _string(username), password or "")
            else:
                server.authenticate("PLAIN", lambda _: f"\0{username}\0{password}".encode())
        with _named(where, "refuses the folder; check `folder`"):
            said, told = server.select(_quoted(folder), readonly=True)
        if said != "OK":
            raise _error(where, "refuses the folder; check `folder`", _text(told))
        validity = server.response("UIDVALIDITY")[1]
        if not validity or not _bytes(validity[0]).isdigit():
            raise ChangedError(f"{where}: does not say how it numbers its mails (UIDVALIDITY)")
        yield Mailbox(server, where, int(validity[0]), int(_bytes(told[0]) or 0))
    finally:
        try:
            server.logout()
        except (OSError, imaplib.IMAP4.error):
            with suppress(OSError):
                server.shutdown()  # logging out closes only what still answers


def _connected(host: str, port: int, encryption: Encryption) -> imaplib.IMAP4:
    if encryption == "tls":
        return imaplib.IMAP4_SSL(host, port, ssl_context=ssl.create_default_context(), timeout=TIMEOUT)
    server = imaplib.IMAP4(host, port, timeout=TIMEOUT)
    if encryption == "starttls":
        try:
            server.starttls(ssl.create_default_context())
        except BaseException:
            server.shutdown()
            raise
    return server


@contextmanager
def _named(where: str, what: str) -> Iterator[None]:
    """Our errors instead of the library's; none of the server's own words, which may repeat what it was asked."""
    try:
        yield
    except imaplib.IMAP4.abort:
        raise TemporaryError(f"{where}: broke off; {TemporaryError.who_acts}") from None
    except imaplib.IMAP4.error as error:
        raise _error(where, what, str(error)) from None
    except ssl.SSLCertVerificationError:
        raise RefusedError(
            f"{where}: its certificate is not trusted; the operator must act: check the address"
        ) from None
    except (OSError, EOFError) as error:
        raise TemporaryError(f"{where}: no whole answer ({type(error).__name__}); {TemporaryError.who_acts}") from None


def _error(where: str, what: str, told: str) -> EarfulError:
    if _LATER.search(told):
        return TemporaryError(f"{where}: has no time now; {TemporaryError.who_acts}")
    return RefusedError(f"{where}: {what}; the operator must act")


def _quoted(folder: str) -> str:
    """A folder's name as IMAP writes it: modified UTF-7 (RFC 3501, 5.1.3) between quotes."""
    written, foreign = "", ""
    for letter in f"{folder}\x00":
        if letter.isascii():
            if foreign:
                told = base64.b64encode(foreign.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
                written, foreign = f"{written}&{told}-", ""
            written += "&-" if letter == "&" else letter
        else:
            foreign += letter
    return _string(written.removesuffix("\x00"))


def _string(told: str) -> str:
    """A text between quotes."""
    escaped = told.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _day(day: date) -> str:
    return f"{day.day:02}-{_MONTHS[day.month - 1]}-{day.year}"


def _arrived(head: bytes) -> datetime | None:
    """INTERNALDATE, such as "24-Sep-2026 10:11:12 +0200"; without the library's way over local time."""
    found = re.search(rb'INTERNALDATE "\s?(\d\d?)-(\w{3})-(\d{4}) (\d\d:\d\d:\d\d) ([+-]\d{4})"', head)
    if not found:
        return None
    day, month, year, clock, offset = (part.decode() for part in found.groups())
    try:
        told = f"{year}-{_MONTHS.index(month.capitalize()) + 1:02}-{int(day):02}T{clock}{offset[:3]}:{offset[3:]}"
        return datetime.fromisoformat(told).astimezone(UTC)
    except ValueError:
        return None


def _bytes(part: object) -> bytes:
    if isinstance(part, tuple):
        return b" ".join(each for each in part if isinstance(each, bytes))
    return part if isinstance(part, bytes) else b""


def _text(told: Sequence[object]) -> str:
    return b" ".join(map(_bytes, told)).decode("latin-1")
