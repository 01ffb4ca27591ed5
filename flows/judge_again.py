"""Judge again: what was said in a stretch of time, by the present version, here or on a Dask cluster.

Every part asks the store what is left of it, so a part that died is simply done again, and two runs share the work.
"""

import logging
from collections.abc import Iterable
from datetime import MAXYEAR, MINYEAR, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL
from prefect.states import Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.ended import Part, discreet, ended
from flows.judge import BATCH, LEASE, keep, open_cases
from flows.listen import PATIENT
from flows.setup import Setup
from pipeline.errors import EarfulError, SettingsError, told
from pipeline.mention import Mention
from storage.unjudged import Stretch

log = logging.getLogger(__name__)

_FIRST, _LAST = date(MINYEAR, 1, 2), date(MAXYEAR, 12, 30)
"""A day less than there are: each begins and ends in every time zone."""
_LEFT = (
    "another run has the rest in hand, or had when it died; the operator must act: run this again in "
    f"{LEASE.seconds // 60} minutes. If nothing else runs, see whether the workers use this database"
)
_CONNECT = "5s"
"""How long a scheduler may take to answer before anything has begun."""


@flow(name="judge-again", persist_result=False)
@discreet()
def judge_again(
    settings: Path = Path("earful.toml"),
    since: date | None = None,
    until: date | None = None,
    cluster: str | None = None,
    *,
    everything: bool = False,
    size: int = BATCH,
) -> State[Any]:
    """Judge what was said from the day `since` to the day `until`, included, and the present version has not judged.

    Or `everything` said then. In parts of up to `size` mentions, the last said first: here one after the other, or
    side by side on the Dask `cluster` at that address. Then cases are opened as `listen` would; it sends their alerts.
    What failed fails the run, after the rest is done; another run does what is left.
    """
    setup = Setup.read(Path(settings))
    runner = _runner(cluster)
    start = datetime.combine(max(since or _FIRST, _FIRST), time(), setup.zone)
    end = datetime.combine(min(until or _LAST, _LAST) + timedelta(days=1), time(), setup.zone)
    with setup.store() as store:
        store.migrate()
    failed: list[Part] = []
    left = _parts(setup, start, end, size, everything=everything)
    with runner:
        while left:
            judged, failed = _judge(setup, runner, left, size, everything=everything)
            everything = False
            # Something may have come meanwhile: a lesson, an edit, or the end of a run that had some in hand.
            left = _parts(setup, start, end, size, everything=False)
            if not judged or failed:
                break
    opened: State[int] = open_cases(setup, return_state=True)
    if left and not failed:
        failed = [("judging", Failed(message=_LEFT))]
    return ended([("cases", opened), *failed])


@task(cache_policy=NO_CACHE, task_run_name="judge what was said from {stretch.first[0]}", **PATIENT)
@discreet()
def judge_stretch(settings: Path, stretch: Stretch, judge: str, ours: str, *, size: int, everything: bool) -> int:
    """Judge one stretch, on whatever machine this is; how many were judged. `ours` is the version without a lesson.

    Up to `size` mentions at once, however many are said in it meanwhile. `everything` means what others have in hand as
    well: nobody could tell afterwards what was passed over.

    A worker that reads other settings or has another Earful would judge otherwise, and undo what the others do.
    """
    setup = Setup.read(settings)
    theirs = setup.analyst(taught=False).version
    if theirs != ours:
        mend = "install the same Earful there, and give it the same settings"
        raise SettingsError(f"a worker judges by {theirs}, and this run by {ours}: {mend}")
    with setup.store() as store:
        if not store.there:
            mend = "workers on other machines need PostgreSQL"
            raise SettingsError(f"a worker has no database {store.place}: {mend}")
        analyst = setup.analyst()

        def batch() -> list[Mention]:
            return store.take_stretch(judge, stretch, analyst.version, size, now=setup.now(), lease=LEASE)

        with store.judge(judge):
            batches = store.pages(stretch, size) if everything else iter(batch, [])
            return sum(keep(setup, store, judge, analyst, mentions) for mentions in batches)


def _parts(setup: Setup, start: datetime, end: datetime, size: int, *, everything: bool) -> list[Stretch]:
    with setup.store() as store:
        return store.stretches(start, end, size, None if everything else setup.analyst().version)


def _judge(
    setup: Setup, runner: TaskRunner[Any], parts: Iterable[Stretch], size: int, *, everything: bool
) -> tuple[int, list[Part]]:
    """How many were judged, and what failed. A part has one judge whoever does it, so a second try waits for nobody."""
    ours = setup.analyst(taught=False).version
    given = {"settings": setup.path, "ours": ours, "size": size, "everything": everything}
    begun = [(part, runner.submit(judge_stretch, {**given, "stretch": part, "judge": uuid4().hex})) for part in parts]
    judged, failed = 0, list[Part]()
    for part, future in begun:
        try:
            done = future.result()
        except Exception as error:  # noqa: BLE001 - told at the end, after the other parts are done
            name, why = f"what was said from {_days(part)}", _why(error)
            failed.append((name, Failed(message=why)))
            log.error("%s: %s", name, why)  # noqa: TRY400 - no traceback: the worker's log has it
        else:
            judged += done
            log.info("%d judged", judged, extra={"step": "judge", "done": done})
    return judged, failed


def _days(part: Stretch) -> str:
    first, last = (f"{at:%Y-%m-%d %H:%M}" for at, _ in (part.first, part.last))
    return f"{first} on" if part.last[0].year == MAXYEAR else f"{first} to {last}"


def _why(error: Exception) -> str:
    if isinstance(error, EarfulError):
        return told(str(error), error.who_acts)
    if type(error).__name__ == "KilledWorker":  # of an extra that need not be installed
        mend = "give the workers more memory, or a smaller --chunk"
        return f"each worker that judged it died; the operator must act: {mend}"
    return told(type(error).__name__, EarfulError.who_acts)  # another's words may hold a secret


def _runner(cluster: str | None) -> TaskRunner[Any]:
    """Who does the parts. SettingsError where the cluster cannot be used, before anything has begun."""
    if cluster is None:
        return ThreadPoolTaskRunner(max_workers=1)  # a judge keeps the cores busy by itself
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
        from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError("a cluster needs Dask; install it: pip install 'earful[dask]'") from error
    if not PREFECT_API_URL.value():
        mend = 'start one ("prefect server start") and set PREFECT_API_URL to where the workers reach it'
        raise SettingsError(f"the workers of a cluster report to a Prefect server: {mend}")
    connect: Any = Client  # has no types
    try:
        with connect(cluster, timeout=_CONNECT, set_as_default=False):
            pass
    except (OSError, ValueError) as error:
        mend = 'start one ("dask scheduler", and "dask worker" beside it), or mend the address'
        raise SettingsError(f"no Dask scheduler answers at {cluster}: {mend}") from error
    return DaskTaskRunner(address=cluster)
