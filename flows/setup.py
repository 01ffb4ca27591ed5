"""Setup: all that is decided before a run, read once from one TOML file, earful.toml."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, Self, TypeVar
from zoneinfo import ZoneInfo

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from connectors import AnySink, AnySource
from connectors.circuits import Circuits
from connectors.client import open_client
from connectors.guard import own_hosts
from connectors.pace import Gate
from flows.judgement import Judgement
from flows.keep import Keep
from flows.manners import Http
from flows.settings import Fault, Where, fill_in, in_our_words, read_toml, said
from pipeline.analysis import Analyst
from pipeline.errors import SettingsError
from pipeline.route import Duration, Route, When
from pipeline.triage import second
from pipeline.triage.lesson import Lesson
from storage.store import Store

GRAVE = "grave signals"
"""Name of the built-in first route."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Part = TypeVar("Part", bound=_Named)


class _Settings(BaseModel, frozen=True, extra="forbid"):
    pass


class Brand(_Settings):
    """Whose mentions we hear."""

    name: str = Field(min_length=1, description="As people know it; shown in alerts and reports.")
    authors: tuple[str, ...] = Field(
        default=(), description="Accounts of the brand: what they say is never a complaint."
    )
    time_zone: str = Field(
        default="UTC", description="IANA name, such as Europe/Berlin: where a day begins in reports."
    )

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
    join_within: Duration = Field(
        default=timedelta(days=3), description="The same author within this time: the same case."
    )


class Watch(_Settings):
    """Who hears that a source fell silent or an alert is stuck."""

    sinks: tuple[str, ...] = Field(default=(), description="Names of the sinks to tell.")
    stuck_after: Duration = Field(default=timedelta(hours=1), description="An alert unsent for longer is stuck.")


class Digest(_Settings):
    """Where the weekly report goes."""

    sinks: tuple[str, ...] = Field(default=(), description="Names of the sinks that hear of a new report.")
    folder: Path = Field(default=Path("reports"), description="Folder the reports are written to.")


class Setup(BaseModel):
    """All that is decided before a run. The only place where real things are chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    path: Path
    database: SecretStr = SecretStr("sqlite:///earful.db")
    brand: Brand
    sources: tuple[AnySource, ...] = Field(default=(), alias="source")
    sinks: tuple[AnySink, ...] = Field(default=(), alias="sink")
    routes: tuple[Route, ...] = Field(default=(), alias="route")
    grave: Grave
    judgement: Judgement = Judgement()
    cases: Cases = Cases()
    keep: Keep = Keep()
    watch: Watch = Watch()
    digest: Digest = Digest()
    http_settings: Http = Field(default=Http(), alias="http")

    @classmethod
    def read(cls, path: Path) -> Self:
        """The settings in `path`; SettingsError names every fault with its line and its mend."""
        text, raw = read_toml(path)
        folder = path.resolve().parent
        faults = fill_in(raw, folder)
        try:
            setup = cls.model_validate({**raw, "path": path.resolve()})
        except ValidationError as error:
            unset = {where for where, _ in faults}
            faults += [fault for fault in map(in_our_words, error.errors()) if fault[0] not in unset]
        else:
            faults += _between(setup)
        if faults:
            raise SettingsError(said(path, text, faults))
        return setup

    def store(self) -> Store:
        """The memory; use it as a context manager."""
        return Store(self.database.get_secret_value())

    def http(self, circuits: Circuits | None = None, gate: Gate | None = None) -> httpx.Client:
        """The one HTTP client; use it as a context manager. Runs share `circuits` and `gate`: see `flows.hosts`."""
        settings = self.http_settings
        return open_client(
            attempts=settings.attempts,
            patience=settings.patience,
            contact=settings.contact,
            allowed={*settings.private_hosts, *own_hosts([*self.sources, *self.sinks])},
            circuits=circuits or Circuits(self.now),
            gate=gate,
            cache=settings.cache_in(self.path.parent),
        )

    def analyst(self, *, taught: bool = True) -> Analyst:
        """Who judges: by the lesson adopted last, unless it shall be as if nothing was `taught`."""
        judgement = self.judgement
        lesson = self.lesson() if taught else None
        return Analyst(effort=judgement.effort, classifier=judgement.classifier, lesson=lesson)

    def lesson(self) -> Lesson | None:
        """What people's corrections taught, as adopted last; None where nothing was, or nothing is stored yet.

        SettingsError where it is damaged.
        """
        with self.store() as store:
            return store.lesson() if store.there else None

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
        """Where a mention was heard, for people: "fedi, Mastodon"; the name alone where it says all."""
        label = {listed.name: listed.label for listed in self.sources}.get(source, source)
        return label if source.casefold().replace("-", " ") == label.casefold() else f"{source}, {label}"

    def sink(self, name: str) -> AnySink:
        """The sink of that name; SettingsError names those there are."""
        return _named(self.sinks, name, "sink")


def _between(setup: Setup) -> Iterator[Fault]:
    """What is wrong between the parts, each part being right by itself."""
    yield from _same_names(setup)
    cache = setup.http_settings.cache_in(setup.path.parent)
    if cache is not None and cache.resolve() in {path.resolve() for path in _files(setup)}:
        yield ("http", "cache"), "this file is something else already; name one that nothing else is in"
    if setup.keep.mentions is not None and setup.keep.mentions < setup.cases.open_within:
        # What is heard again once it is forgotten must open no case again.
        yield ("keep", "mentions"), "mentions must be kept for at least as long as they open cases (`open_within`)"
    if setup.judgement.classifier is not None:
        try:
            second.named(setup.judgement.classifier)
        except SettingsError as error:
            yield ("judgement", "classifier"), str(error)
    known = {sink.name for sink in setup.sinks}
    told: list[tuple[Where, tuple[str, ...]]] = [
        (("grave", "sinks"), setup.grave.sinks),
        (("watch", "sinks"), setup.watch.sinks),
        (("digest", "sinks"), setup.digest.sinks),
        *((("route", place, "sinks"), route.sinks) for place, route in enumerate(setup.routes)),
    ]
    for where, names in told:
        for name in names:
            if name not in known:
                yield where, f'no sink is named "{name}"; {_there_are(known)}'
    if not setup.grave.sinks:
        yield ("grave", "sinks"), "name at least one sink: a grave signal must reach somebody"
    yield from _out_of_order(setup.routes)


def _files(setup: Setup) -> Iterator[Path]:
    """Every file that the settings name or are."""
    yield setup.path
    database = setup.database.get_secret_value()
    if database.startswith("sqlite:///"):
        yield Path(database.removeprefix("sqlite:///"))
    for part in (*setup.sources, *setup.sinks):
        yield from (value for _, value in part if isinstance(value, Path))


def _same_names(setup: Setup) -> Iterator[Fault]:
    for kind, named in (("source", setup.sources), ("sink", setup.sinks), ("route", setup.routes)):
        counts = Counter(part.name for part in named)
        for place, part in enumerate(named):
            if counts[part.name] > 1:
                same = f'{counts[part.name]} {kind}s are named "{part.name}"; give each its own name'
                yield (kind, place, "name"), same


def _out_of_order(routes: Sequence[Route]) -> Iterator[Fault]:
    for place, route in enumerate(routes[:-1]):
        if route.when == When():
            never = f'"{route.name}" takes everything, so the routes below it are never asked; put it last'
            yield ("route", place), never
    if not routes or routes[-1].when != When():
        lost = "the last [[route]] must have no `when`: a complaint that no route takes would be heard by nobody"
        yield ("route", max(0, len(routes) - 1)), lost


def _named(parts: Sequence[Part], name: str, kind: str) -> Part:
    for part in parts:
        if part.name == name:
            return part
    raise SettingsError(f'no {kind} is named "{name}"; {_there_are({part.name for part in parts})}')


def _there_are(names: set[str]) -> str:
    return f"there are: {', '.join(sorted(names))}" if names else "there is none"
