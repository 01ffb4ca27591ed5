"""Kit: which connectors are tried, against what, and their grades."""

import importlib
import logging
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from connectors import SINKS, SOURCES
from connectors.conform.bench import world_bench
from connectors.conform.delivery import delivered
from connectors.conform.desks import DESKS
from connectors.conform.grade import Failing, Grade, Severity
from connectors.conform.recorded import recorded_bench
from connectors.conform.trial import tried
from connectors.conform.world import Desk, World
from connectors.conform.worlds import WORLDS
from connectors.contract import Sink, Source
from pipeline.errors import SettingsError

NO_SERVER = "it asks no server over HTTP, so there is nothing to spoil on the way; its own tests try it"
AT_ONCE = max(2, os.cpu_count() or 1) + 2
"""Processes side by side: a trial waits for silent servers now and then."""


@dataclass(frozen=True, slots=True)
class Job:
    """One connector to try: a class, and a world or a desk, or a folder of recordings, to try it against."""

    kind: str
    connector: type[Source | Sink]
    against: type[World | Desk] | None = None
    recordings: Path | None = None


def shipped(kind: str | None = None) -> list[Job]:
    """All connectors of the two lists, or those of one kind."""
    jobs = [Job(kind_of(one), one, _for(one, WORLDS)) for one in SOURCES]
    jobs += [Job(kind_of(one), one, _for(one, DESKS)) for one in SINKS]
    return [job for job in jobs if kind in {None, job.kind}]


def jobs(connector: str | None = None, against: str | None = None, recordings: Path | None = None) -> list[Job]:
    """What a person asks for: all of ours, those of one kind, or a class named as `package.module:Class`."""
    if connector and ":" in connector:
        return [stranger(connector, against, recordings)]
    if against or recordings:
        raise SettingsError("--world and --recordings go with a connector named as package.module:Class")
    found = shipped(connector)
    if not found:
        known = ", ".join(sorted({job.kind for job in shipped()}))
        raise SettingsError(f'there is no connector "{connector}"; there are {known}')
    return found


def stranger(connector: str, against: str | None, recordings: Path | None) -> Job:
    """A connector named as `package.module:Class`, found from the current folder too."""
    found = _named(connector)
    if not issubclass(found, Source | Sink):
        raise SettingsError(f"{connector} is neither a Source nor a Sink of connectors.contract")
    place = _named(against) if against else None
    wanted = World if issubclass(found, Source) else Desk
    if place is not None and not issubclass(place, wanted):
        raise SettingsError(f"{against} is no {wanted.__name__} of connectors.conform.world")
    if place is None and recordings is None:
        raise SettingsError(f"{connector}: name what it is tried against, with --world or --recordings")
    if recordings is not None and issubclass(found, Sink):
        raise SettingsError(f"{connector}: a sink is tried at a desk: name it with --world")
    return Job(kind_of(found), found, place, recordings)


def kind_of(connector: type[Source | Sink]) -> str:
    """The connector's kind, as its settings name it."""
    field = connector.model_fields["kind"]
    return str(field.default) if field.default else connector.__name__


def conform(job: Job) -> Grade:
    """Try one connector."""
    log = logging.getLogger("connectors")
    usual = log.level
    log.setLevel(logging.CRITICAL)  # here everything goes wrong all the time
    try:
        return _conform(job)
    finally:
        log.setLevel(usual)


def _conform(job: Job) -> Grade:
    connector, against = job.connector, job.against
    try:
        if issubclass(connector, Sink) and against is not None and issubclass(against, Desk):
            return delivered(connector, against)
        if issubclass(connector, Source) and against is not None and issubclass(against, World):
            with world_bench(connector, against()) as bench:
                return tried(job.kind, bench)
        if issubclass(connector, Source) and job.recordings is not None:
            with recorded_bench(connector, job.recordings) as bench:
                return tried(job.kind, bench)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return Grade(job.kind, failings=[Failing("its settings", Severity.TOLD, wrong, "settings that can work")])
    return Grade(job.kind, skipped={"everything": NO_SERVER})


def conform_all(jobs: Sequence[Job]) -> Iterator[Grade]:
    """Try many side by side; the grades in the order of the jobs."""
    if len(jobs) == 1:
        yield conform(jobs[0])
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(AT_ONCE, len(jobs)), mp_context=context) as pool:
        yield from pool.map(conform, jobs)


def _for(
    connector: type[Source | Sink], places: Sequence[type[World]] | Sequence[type[Desk]]
) -> type[World | Desk] | None:
    return next((place for place in places if place.kind == kind_of(connector)), None)


def _named(name: str) -> type:
    module, _, attribute = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(f"{name} is not to be found ({type(error).__name__}); write package.module:Class") from None
    if not isinstance(found, type):
        raise SettingsError(f"{name} is no class")
    return found
