"""Kit: which connectors are tried, against what, and their grades."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from pydantic import ValidationError

from connectors import SINKS, SOURCES
from connectors.conform.bench import Bench, world_bench
from connectors.conform.delivery import delivered
from connectors.conform.desks import DESKS
from connectors.conform.grade import Grade
from connectors.conform.leaks import overhearing
from connectors.conform.recorded import recorded_bench
from connectors.conform.step import LONGEST_WELL, Overdue, broke, refused, within
from connectors.conform.strangers import agreed, looked_over, named
from connectors.conform.trial import tried
from connectors.conform.world import Desk, World
from connectors.conform.worlds import WORLDS
from connectors.contract import Sink, Source
from pipeline.errors import EarfulError, SettingsError

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
    found = named(connector)
    if not issubclass(found, Source | Sink):
        raise SettingsError(f"{connector} is neither a Source nor a Sink of connectors.contract")
    looked_over(found, Source if issubclass(found, Source) else Sink)
    place = named(against) if against else None
    wanted = World if issubclass(found, Source) else Desk
    if place is not None:
        if not issubclass(place, wanted):
            raise SettingsError(f"{against} is no {wanted.__name__} of connectors.conform.world")
        looked_over(place, wanted)
    if place is None and recordings is None:
        raise SettingsError(f"{connector}: name what it is tried against, with --world or --recordings")
    if recordings is not None and issubclass(found, Sink):
        raise SettingsError(f"{connector}: a sink is tried at a desk: name it with --world")
    return Job(kind_of(found), found, place, recordings)


def kind_of(connector: type[Source | Sink]) -> str:
    """The connector's kind, as its settings name it."""
    return str(connector.model_fields["kind"].get_default() or connector.__name__)


def conform(job: Job) -> Grade:
    """Try one connector. What it logs or prints goes nowhere: here everything goes wrong all the time."""
    with overhearing([]), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        return _conform(job)


def _conform(job: Job) -> Grade:
    connector, against = job.connector, job.against
    if against is not None:
        against, without = agreed(connector, against)
        grade = _at(job, connector, against)
        grade.failings[:0] = without
        return grade
    if issubclass(connector, Source) and job.recordings is not None:
        with _made(job, recorded_bench(connector, job.recordings)) as bench:
            return tried(job.kind, bench)
    return Grade(job.kind, untried=NO_SERVER)


def _at(job: Job, connector: type[Source | Sink], against: type[World | Desk]) -> Grade:
    if issubclass(connector, Sink) and issubclass(against, Desk):
        return delivered(connector, against)
    if issubclass(connector, Source) and issubclass(against, World):
        with _made(job, world_bench(connector, against())) as bench:
            return tried(job.kind, bench)
    raise SettingsError(f"{job.kind}: a source is tried in a World, a sink at a Desk")


@contextmanager
def _made(job: Job, making: AbstractContextManager[Bench]) -> Iterator[Bench]:
    """The bench; what keeps it from being made is a sentence."""
    with ExitStack() as stack:
        try:
            with within(LONGEST_WELL):
                bench = stack.enter_context(making)
        except (EarfulError, KeyboardInterrupt):
            raise
        except ValidationError as error:
            raise SettingsError(f"{job.kind}: it refuses the settings: {refused(error)}") from None
        except Overdue:
            raise SettingsError(f"{job.kind}: its first walk came to no end; mend that first") from None
        except BaseException as error:  # noqa: BLE001 - a stranger's world or first walk may do anything
            raise SettingsError(f"{job.kind}: before the first fault it {broke(error)}; mend that first") from None
        yield bench


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
