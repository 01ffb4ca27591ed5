"""Leaks: whether a text tells a secret of the settings, however it is written there, and what is logged meanwhile."""

import json
import logging
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from pydantic import BaseModel, SecretStr

from connectors.contract import Sink, Source

TOO_SHORT = 4
"""What is not longer is found in any text."""
LEAST_LINE = 16
"""A line of a longer secret, such as a key file, is one by itself from so many characters; so is a value in a query."""
LEAST_WAY = 12
"""So is the way on a host, and its last part."""

_KEYS = "api|access|private|secret|signing|auth|routing|integration"
_NAMED = re.compile(rf"(?:^|_)(?:token|secret|password|passwd|passphrase|credentials?|(?:{_KEYS})_?key)$|^key$")
_SIGNED = {"sig", "signature", "code"}
"""Other names of what opens an address."""
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|bot|apikey|key)[ =:]+(\S+)")
_URL_SAFE = str.maketrans("+/", "-_")


def secrets_of(connector: Source | Sink) -> list[str]:
    """All secrets in the settings, wherever they stand; also what is named like one and is held as plain text."""
    return [secret for secret in dict.fromkeys(_secrets(connector)) if len(secret) > TOO_SHORT]


def leaked(secrets: Iterable[str], words: str) -> str | None:
    """How these words tell one of the secrets: as it is, for a URL, in JSON or in base64; None: they keep them."""
    if not words:
        return None
    return next((how for secret in secrets for form, how in _forms(secret) if form in words), None)


def words_of(error: BaseException) -> str:
    """All that is printed of an error, with what caused it."""
    told, seen = list[str](), set[int]()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        told += [repr(one), str(one)]
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return "\n".join(told)


@dataclass(eq=False)
class Overheard(logging.Handler):
    """Reads every log line while a connector is tried, and keeps the names of the loggers that told a secret."""

    secrets: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def emit(self, record: logging.LogRecord) -> None:
        """Look for secrets in one line and in the error that goes with it."""
        try:
            words = record.getMessage()
        except Exception:  # noqa: BLE001 - a line that cannot be written tells nobody anything
            words = ""
        error = record.exc_info[1] if record.exc_info else None
        if how := leaked(self.secrets, words + (words_of(error) if error else "")):
            self.told.append(f"the logger {record.name} at level {record.levelname}, {how}")


@contextmanager
def overhearing(secrets: list[str]) -> Iterator[Overheard]:
    """Whoever logs anything meanwhile is heard here and nowhere else: under trial everything goes wrong."""
    root, ours = logging.getLogger(), logging.getLogger("connectors")
    usual = root.handlers[:], root.level, ours.level
    heard = Overheard(secrets)
    root.handlers[:] = [heard]
    root.setLevel(logging.DEBUG)
    ours.setLevel(logging.NOTSET)
    try:
        yield heard
    finally:
        root.handlers[:] = usual[0]
        root.setLevel(usual[1])
        ours.setLevel(usual[2])


@lru_cache(maxsize=256)
def _forms(secret: str) -> tuple[tuple[str, str], ...]:
    """How a secret may be written, and what that is called."""
    parts = [secret, *_SCHEME.findall(secret)]
    lines = [line.strip() for line in re.split(r"\n|\\n", secret)]
    if len(lines) > 1:
        parts += [line for line in lines if len(line) >= LEAST_LINE and not line.startswith("-----")]
    if "://" in secret:
        parts += _hidden(secret)
    forms = dict[str, str]()
    for part in parts:
        if len(part) > TOO_SHORT:
            forms.setdefault(part, "as it is")
            for written in (quote(part), quote(part, safe=""), quote_plus(part)):
                forms.setdefault(written, "encoded for a URL")
            for written in (json.dumps(part)[1:-1], repr(part)[1:-1]):
                forms.setdefault(written, "escaped")
    return (*forms.items(), *((core, "in base64") for form in forms for core in _base64(form)))


def _hidden(address: str) -> list[str]:
    """What opens an address: values of its query, a password; where it has none, its way, as a webhook's."""
    url = urlsplit(address)
    found = [
        value
        for name, value in parse_qsl(url.query)
        if _NAMED.search(name.lower()) or name.lower() in _SIGNED or len(value) >= LEAST_LINE
    ]
    found += [url.password] if url.password else []
    way = url.path.strip("/")
    return found or [part for part in (way, way.rpartition("/")[2]) if len(part) >= LEAST_WAY]


def _base64(form: str) -> set[str]:
    """The middle of it in base64, wherever in a longer text it stands, in both alphabets."""
    cores = set[str]()
    for before in range(3):
        said = form.encode()
        first, end = -(-8 * before // 6), 8 * (before + len(said)) // 6
        core = b64encode(bytes(before) + said).decode()[first:end]
        cores |= {core, core.translate(_URL_SAFE)}
    return cores


def _secrets(value: object, name: str = "") -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, str):
        if _NAMED.search(name.lower()) and "://" not in value:
            yield value
    elif isinstance(value, dict):
        for key, held in value.items():
            yield from _secrets(held, str(key))
    elif isinstance(value, list | tuple | set | frozenset):
        for held in value:
            yield from _secrets(held, name)
    elif isinstance(value, BaseModel):
        yield from _secrets(dict(value))
