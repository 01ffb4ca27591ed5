"""Setup: all that is decided before a run, read once from one TOML file, earful.toml."""

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from connectors import AnySink, AnySource
from connectors.client import open_client
from connectors.contract import Sink
from pipeline.analysis import Analyst
from pipeline.errors import SettingsError
from pipeline.route import Duration, Route, When
from storage.store import Store

GRAVE = "grave signals"
"""Name of the built-in first route."""


class _Settings(BaseModel, frozen=True, extra="forbid"):
    pass


class Brand(_Settings):
    """Whose mentions we hear."""

    name: str = Field(min_length=1, description="As people know it; shown in alerts and reports.")
    authors: tuple[str, ...] = Field(default=(), description="Accounts of the brand: what they say is never a complaint.")
    time_zone: str = Field(default="UTC", description="IANA name, such as Europe/Berlin: where a day begins in reports.")

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("no such time zone; write an IANA name such as Europe/Berlin") from error
        return value


class Grave(_Settings):
    """Who hears of injury, fraud, legal threats, discrimination, self-harm and the press, before any route is asked."""

    team: str = Field(description="Who answers for grave signals.")
    reply_within: Duration = Field(default=timedelta(minutes=30), description="Deadline of the first reply.")
    sinks: tuple[str, ...] = Field(description="Names of the sinks that are told at once.")


class Cases(_Settings):
    """When a complaint becomes a case, and when it joins one."""

    open_within: Duration = Field(default=timedelta(days=7), description="Older mentions open no case.")
    join_within: Duration = Field(default=timedelta(days=3), description="The same author within this time: the same case.")


class Watch(_Settings):
    """Who hears that a source fell silent or an alert is stuck."""

    sinks: tuple[str, ...] = Field(default=(), description="Names of the sinks to tell.")
    stuck_after: Duration = Field(default=timedelta(hours=1), description="An alert unsent for longer is stuck.")


class Digest(_Settings):
    """Where the weekly report goes."""

    sinks: tuple[str, ...] = Field(default=(), description="Names of the sinks that hear of a new report.")
    folder: Path = Field(default=Path("reports"), description="Folder the reports are written to.")


class Http(_Settings):
    """How patient we are with other people's servers."""

    attempts: int = Field(default=3, ge=1, le=10, description="Times one request is tried before the source has to wait.")
    patience: Duration = Field(default=timedelta(seconds=30), description="The longest wait between two tries.")


class Setup(BaseModel):
    """All that is decided before a run. The only place where real things are chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    path: Path
    database: SecretStr = SecretStr("sqlite:///earful.db")
    brand: Brand
    sources: tuple[AnySource, ...] = Field(default=(), alias="source")
    sinks: tuple[AnySink, ...] = Field(default=(), alias="sink")
    routes: tuple[Route, ...] = Field(default=(), alias="route")
    grave: Grave
    cases: Cases = Cases()
    watch: Watch = Watch()
    digest: Digest = Digest()
    http_settings: Http = Field(default=Http(), alias="http")

    @classmethod
    def read(cls, path: Path) -> Self:
        """The settings in `path`; SettingsError names every fault with its line and its mend."""
        text = _text(path)
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path}: this is not TOML: {error}") from error
        faults = list(_fill_in(raw, path.resolve().parent))
        try:
            setup = cls.model_validate({**raw, "path": path.resolve()})
        except ValidationError as error:
            unset = {where for where, _ in faults}
            found = [_fault(detail["loc"], detail["msg"], detail["type"]) for detail in error.errors()]
            faults += [(where, what) for where, what in found if where not in unset]
        else:
            faults += setup._faults()
        if faults:
            lines = [f"{path}{_line(text, where)}: {what}" for where, what in faults]
            raise SettingsError("\n".join(dict.fromkeys(lines)))
        return setup

    def store(self) -> Store:
        """The memory; use it as a context manager."""
        return Store(self.database.get_secret_value())

    def http(self) -> httpx.Client:
        """The one HTTP client; use it as a context manager."""
        return open_client(attempts=self.http_settings.attempts, patience=self.http_settings.patience)

    def analyst(self) -> Analyst:
        """Who judges."""
        return Analyst()

    def now(self) -> datetime:
        """The time, aware."""
        return datetime.now(UTC)

    @property
    def zone(self) -> ZoneInfo:
        """Where the brand's days begin."""
        return ZoneInfo(self.brand.time_zone)

    @property
    def grave_route(self) -> Route:
        """The route asked first, for grave signals only."""
        grave = self.grave
        return Route(name=GRAVE, team=grave.team, reply_within=grave.reply_within, sinks=grave.sinks)

    def source(self, name: str) -> AnySource:
        """The source of that name; SettingsError names those there are."""
        return _named(self.sources, name, "source")

    def place(self, source: str) -> str:
        """Where a mention was heard, for people: "Mastodon (hashtag)"; the bare name if the source is no longer listed."""
        labels = {listed.name: listed.label for listed in self.sources}
        return f"{labels[source]} ({source})" if source in labels else source

    def sink(self, name: str) -> Sink:
        """The sink of that name; SettingsError names those there are."""
        return _named(self.sinks, name, "sink")

    def _faults(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """What is wrong between the parts, each part being right by itself."""
        for kind, named in (("source", self.sources), ("sink", self.sinks), ("route", self.routes)):
            counts = Counter(part.name for part in named)
            for place, part in enumerate(named):
                if counts[part.name] > 1:
                    yield (kind, place, "name"), f'{counts[part.name]} {kind}s are named "{part.name}"; give each its own name'
        known = {sink.name for sink in self.sinks}
        told: list[tuple[tuple[str | int, ...], tuple[str, ...]]] = [
            (("grave", "sinks"), self.grave.sinks),
            (("watch", "sinks"), self.watch.sinks),
            (("digest", "sinks"), self.digest.sinks),
            *((("route", place, "sinks"), route.sinks) for place, route in enumerate(self.routes)),
        ]
        for where, names in told:
            for name in names:
                if name not in known:
                    yield where, f'no sink is named "{name}"; {_there_are(known)}'
        if not self.grave.sinks:
            yield ("grave", "sinks"), "name at least one sink: a grave signal must reach somebody"
        heard = {source.name for source in self.sources}
        for place, route in enumerate(self.routes):
            for name in route.when.source:
                if name not in heard:
                    yield ("route", place, "when"), f'no source is named "{name}"; {_there_are(heard)}'
            if route.when == When() and place + 1 < len(self.routes):
                yield ("route", place), f'"{route.name}" takes everything, so the routes below it are never asked; put it last'
        if not self.routes or self.routes[-1].when != When():
            yield ("route", max(0, len(self.routes) - 1)), (
                "the last [[route]] must have no `when`: a complaint that no route takes would be heard by nobody"
            )


def _named(parts: tuple[Any, ...], name: str, kind: str) -> Any:
    for part in parts:
        if part.name == name:
            return part
    raise SettingsError(f'no {kind} is named "{name}"; {_there_are({part.name for part in parts})}')


def _there_are(names: set[str]) -> str:
    return f"there are: {', '.join(sorted(names))}" if names else "there is none"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: no such file; `earful init` writes one to start from") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as UTF-8 text ({type(error).__name__})") from error


def _fill_in(raw: dict[str, Any], folder: Path) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Put `$NAME` values in from the environment, and paths relative to the file's own folder. Yields what is missing."""

    def walk(value: Any, where: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in list(entries):
            here = (*where, key)
            if isinstance(inner, str) and re.fullmatch(r"\$[A-Za-z_]\w*", inner):
                value[key] = os.environ.get(inner[1:], "")
                if not value[key]:
                    yield here, f"the secret {inner} is not set; set the environment variable {inner[1:]}"
                    value[key] = "unset"
            elif isinstance(inner, str) and key in {"path", "folder"}:
                value[key] = str(folder / inner)
            yield from walk(inner, here)

    yield from walk(raw, ())
    raw.setdefault("digest", {}).setdefault("folder", str(folder / "reports"))
    address = raw.setdefault("database", "sqlite:///earful.db")
    if isinstance(address, str) and (local := re.fullmatch(r"sqlite:///(?!/)(.+)", address)):
        raw["database"] = f"sqlite:///{folder / local[1]}"


def _fault(where: tuple[str | int, ...], said: str, kind: str) -> tuple[tuple[str | int, ...], str]:
    """One of pydantic's findings in our words; the union's tag, which is no key of the file, is left out of the place."""
    if where[:1] in {("source",), ("sink",)} and len(where) > 2:  # noqa: PLR2004 - after the table's name and number
        where = (*where[:2], *where[3:])
    mends = {
        "extra_forbidden": "no such key; look for a slip of the pen, or leave it out",
        "missing": "this key is needed",
        "union_tag_not_found": 'say which kind it is, such as kind = "feed"',
    }
    what = mends.get(kind, said.removeprefix("Value error, "))
    return where, f"{_dotted(where)}: {what}"


def _dotted(where: tuple[str | int, ...]) -> str:
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")


def _line(text: str, where: tuple[str | int, ...]) -> str:
    """Where in the file a key stands, as ", line 12"; empty where it cannot be told. TOML's parser keeps no places."""
    header, number = str(where[0]) if where else "", 0
    ordinal = where[1] if len(where) > 1 and isinstance(where[1], int) else 0
    keys = [str(part) for part in where[1:] if isinstance(part, str)] or [header]
    found, inside, seen = 0, header in {"", "database"}, -1
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.split("#")[0].strip()
        if bare.startswith("["):
            name = bare.strip("[] ").split(".")[0].strip('"')
            if bare.startswith("[[") or name == header:
                seen += name == header
            inside = name == header and seen == ordinal
            found = number if inside and not found else found
        elif inside and re.match(rf'"?{re.escape(keys[0])}"?\s*[.=]', bare):
            return f", line {number}"
    return f", line {found}" if found else ""
