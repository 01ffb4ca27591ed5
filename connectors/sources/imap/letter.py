"""What a mail says: its newest words without what they quote, and who wrote it without an address."""

import codecs
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.policy import default
from email.utils import getaddresses, parsedate_to_datetime
from hashlib import sha256
from typing import Any

from connectors import values
from connectors.sources.imap.quoted import MARK, unquoted
from pipeline.text import plain, tidy

_ATTRIBUTION = re.compile(
    r"\s*(?:on|am|le|el|il|op|em|den|w dniu|kl)\b.{4,300}?"
    r"\b(?:wrote|schrieb[^:\n]*|a écrit|escribió|ha scritto|schreef[^:\n]*|escreveu|skrev[^:\n]*|napisał(?:\(a\))?)"
    r"\s*:?[ \t]*",
    re.IGNORECASE | re.DOTALL,
)
"""How a program begins what it quotes: "On Tue, 24 Sep 2026 Support wrote:"."""
_CUT = re.compile(
    r"^[ \t]*(?:-{2,}|_{5,})[ \t]*(?:original message|original appointment|forwarded message|ursprüngliche nachricht|"
    r"originalnachricht|weitergeleitete nachricht|message d'origine|message transféré|mensaje original|"
    r"messaggio originale|oorspronkelijk bericht)[ \t]*-*[ \t]*$"
    r"|^_{20,}[ \t]*$(?=\s*^(?:from|von|de|da|van|från|fra)\s*:)"
    r"|^[ \t>*]*(?:from|von|de|da|van)[ \t]*:[ \t*].*\n(?:[ \t>*]*\w[\w -]{1,20}:.*\n){0,2}?"
    r"[ \t>*]*(?:sent|date|gesendet|datum|envoyé|enviado|inviato|verzonden)[ \t]*:.*\n"
    r"(?=(?:.*\n){0,4}[ \t>*]*(?:subject|betreff|objet|asunto|oggetto|onderwerp)[ \t]*:)",
    re.IGNORECASE | re.MULTILINE,
)
"""Where some programs put the whole mail they answer, unmarked."""
_SIGNATURE = re.compile(r"^--[ \t]*$", re.MULTILINE)
_PHONE = re.compile(
    r"^[ \t]*(?:sent from my .{2,40}|von meinem .{2,40} gesendet|gesendet von .{2,40}|envoyé de mon .{2,40}|"
    r"enviado desde mi .{2,40}|inviato da .{2,40}|get outlook for .{2,20}|"
    r"outlook für .{2,20} (?:beziehen|herunterladen))[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_CHARSET = re.compile(
    r"utf[-_]\S+|ascii|iso8859\S+|cp\d+|koi8\S+|mac\S+|gb\S+|big5\S*|euc_\S+|shift_jis\S*|iso2022\S+|hz|tis-620|johab"
)
"""What mails are written in. Others that are known here are none, and some take quadratic time."""
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_MACHINES = {"bulk", "junk", "auto_reply"}
LONGEST_TEXT = 200_000
"""Characters; nobody writes more by hand."""
LONGEST_PART = 1_000_000
"""Bytes of a part; HTML takes more of them than its text."""


def letter(raw: bytes, own: Sequence[str]) -> dict[str, Any]:
    """What is kept of a mail: no address of anybody. `own`: the brand's addresses, or @domains.

    `machine` says that a program wrote it: an answer by itself, a bounce, mail in bulk.
    """
    mail = message_from_bytes(raw, policy=default)
    name, address = _sender(mail)
    native = _ids(mail, "Message-ID")
    before = _ids(mail, "In-Reply-To")
    thread = [*_ids(mail, "References"), *before]
    subject = _header(mail, "Subject")
    text = newest(_text(mail, whole=False))
    if not text.strip("> \n"):  # of HTML nothing was left but the marks
        text = newest(_text(mail, whole=True))
    return {
        "native": digest(native[0]) if native else digest(f"{_header(mail, 'Date')}\n{address}\n{subject}\n{text}"),
        "parent": digest((before or thread)[-1]) if thread else None,
        "thread": digest(thread[0]) if thread else None,
        "date": _date(_header(mail, "Date")),
        "received": _date(_header(mail, "Received").rpartition(";")[2]),
        "author": name,
        "author_id": digest(address) if address else None,
        "own": _is_own(address, own),
        "subject": tidy(subject) or None,
        "text": text,
        "language": values.language(_header(mail, "Content-Language").partition(",")[0].strip()),
        "machine": _is_machine(mail),
    }


def newest(text: str) -> str:
    """What its writer added: without quoted lines, the mail below, signature and a telephone's own line.

    Answers between quoted lines stay. Where nothing is left, all of it is what they say.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")[:LONGEST_TEXT]
    cut = _CUT.search(text)
    kept: list[str] = []
    for line in (text[: cut.start()] if cut else text).split("\n"):
        if line.lstrip().startswith(">"):
            _drop_attribution(kept)
        else:
            kept.append(line)
    if cut is not None:
        _drop_attribution(kept)
    own = "\n".join(kept)
    own = _PHONE.sub("", own[: end.start()] if (end := _SIGNATURE.search(own)) else own)
    return tidy(own) or tidy(text)


def _drop_attribution(kept: list[str]) -> None:
    """Take back the line, or three of them, that say whose words are quoted next."""
    while kept and not kept[-1].strip():
        kept.pop()
    for many in (1, 2, 3):
        if len(kept) >= many and _ATTRIBUTION.fullmatch("\n".join(kept[-many:])):
            del kept[-many:]
            return
    kept.append("")


def _below_attribution(text: str) -> str:
    """HTML made plain has no marks before quoted lines: what stands below "… wrote:" is quoted."""
    lines = text.split("\n")
    for at in range(len(lines)):
        for many in (1, 2, 3):
            if _ATTRIBUTION.fullmatch("\n".join(lines[at : at + many])) and lines[at + many - 1].rstrip().endswith(":"):
                return "\n".join(lines[:at])
    return text


def digest(told: str) -> str:
    """A name for what must not be told itself."""
    return sha256(told.strip().lower().encode("utf-8", "replace")).hexdigest()[:32]


def _text(mail: Message, *, whole: bool) -> str:
    """The body, each text in it under the other, with or without (`whole`) a mark for what HTML quotes."""
    return "\n\n".join(said for said in _texts(mail, whole=whole) if said.strip())


def _texts(part: Message, *, whole: bool) -> Iterator[str]:
    """What stands in a part, and is no attachment. Of several ways to say the same the plain one, if it says anything.

    Pictures cut a text in pieces, so there may be many.
    """
    inner = part.get_payload() if part.is_multipart() else []
    parts = [each for each in inner if isinstance(each, Message)] if isinstance(inner, list) else []
    kind = part.get_content_type()
    if kind == "multipart/alternative":
        ways = (
            _text(each, whole=whole) for each in sorted(parts, key=lambda each: "plain" not in each.get_content_type())
        )
        yield next((way for way in ways if way.strip()), "")
    elif kind.startswith("multipart/"):
        for each in parts:
            yield from _texts(each, whole=whole)
    elif part.get_content_disposition() != "attachment" and part.get_filename() is None:
        if kind == "text/plain":
            yield _decoded(part)
        elif kind == "text/html":
            yield _of_html(_decoded(part), whole=whole)


def _of_html(html: str, *, whole: bool) -> str:
    if whole:
        return plain(html)
    marked = unquoted(html)
    own = plain(marked)
    return own if MARK in marked else _below_attribution(own) or own or plain(html)


def _decoded(part: Message) -> str:
    """A part in its charset; in a usual one where that is unknown or wrong."""
    content = part.get_payload(decode=True)
    raw = content[:LONGEST_PART] if isinstance(content, bytes) else b""
    for charset in (part.get_content_charset() or "utf-8", "utf-8", "cp1252"):
        try:
            if _CHARSET.fullmatch(codecs.lookup(charset).name):
                # a letter that is cut in two at the end is no sign of a wrong charset
                return codecs.getincrementaldecoder(charset)().decode(raw, final=len(raw) < LONGEST_PART)
        except (LookupError, UnicodeError):
            continue
    return raw.decode("latin-1")


def _sender(mail: EmailMessage) -> tuple[str | None, str]:
    """Name and address of who wrote it; a name that is an address is none."""
    # the raw words, decoded after they were taken apart: an encoded name may hold a comma
    pairs = [pair for pair in getaddresses([_raw(mail, "From")]) if pair[1]]
    if not pairs:
        return None, ""
    name = " ".join(_words(pairs[0][0]).split())
    return (name if name and "@" not in name else None), pairs[0][1].lower()


def _header(mail: EmailMessage, name: str) -> str:
    return _words(_raw(mail, name))


def _raw(mail: EmailMessage, name: str) -> str:
    """A header as it was sent: the library's own reading of it fails on some that are not as they should be."""
    told = next((value for key, value in mail.raw_items() if key.lower() == name.lower()), "")
    return re.sub(r"\r?\n[ \t]+", " ", str(told)).encode("ascii", "surrogateescape").decode("utf-8", "replace")


def _words(told: str) -> str:
    try:
        return str(make_header(decode_header(told)))
    except (HeaderParseError, LookupError, ValueError):
        return told


def _ids(mail: EmailMessage, name: str) -> list[str]:
    return _MESSAGE_ID.findall(_raw(mail, name))


def _date(told: str) -> str | None:
    try:
        at = parsedate_to_datetime(told)
        return at.isoformat() if at.tzinfo else f"{at.isoformat()}+00:00"
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _is_own(address: str, own: Sequence[str]) -> bool:
    named = {each.strip().lower() for each in own}
    return bool(address) and (address in named or f"@{address.rpartition('@')[2]}" in named)


def _is_machine(mail: EmailMessage) -> bool:
    """Mailing lists are no machines: many a support address is one."""
    automatic = _raw(mail, "Auto-Submitted").partition(";")[0].strip().lower()
    return (
        automatic not in {"", "no"}
        or _raw(mail, "Precedence").strip().lower() in _MACHINES
        or bool(_raw(mail, "X-Autoreply") or _raw(mail, "X-Autorespond"))
        or _raw(mail, "Return-Path").strip() == "<>"
        or mail.get_content_type() == "multipart/report"
    )


def as_time(told: str | None) -> datetime | None:
    """The time that `date` tells."""
    return datetime.fromisoformat(told) if told else None
