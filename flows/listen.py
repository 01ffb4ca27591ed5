"""Listen: every 15 minutes. Hear what is new, judge it, open cases, send alerts.

Every step asks the store what is left to do, so a run that was killed needs no repair, only the next run.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import wait
from datetime import timedelta
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task, exponential_backoff

from connectors import SOURCES, AnySource
from flows.artifacts import Steps, show_run
from flows.collect import bring_home
from flows.ended import Part, all_of, discreet, ended
from flows.judge import analyse, open_cases, outdated
from flows.recheck import look_again
from flows.send import orphans, send
from flows.setup import Setup
from pipeline.errors import EarfulError, SettingsError, TemporaryError, told

log = logging.getLogger(__name__)

SIDE_BY_SIDE: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=32)
"""Sources and sinks are served side by side: they wait for the network, not for us."""
MOST_WAITED = timedelta(minutes=1)
"""While some sources are still out, what the others brought is judged and sent so often."""
VISITS_KEPT = timedelta(days=90)
"""How long it is known of each call at a source how it went; reports and `earful status` look no further back."""


def _passing(_task: Task[..., Any], _run: TaskRun, state: State) -> bool:
    """Whether trying again now can help: a TemporaryError passes by itself, if the other side asks for no more time."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, TemporaryError) and error.retry_after is None


PATIENT: dict[str, Any] = {
    "retries": 1,
    "retry_delay_seconds": exponential_backoff(backoff_factor=5),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": _passing,
}


@flow(name="listen", task_runner=SIDE_BY_SIDE, persist_result=False)
@discreet()
def listen(
    settings: Path = Path("earful.toml"), sources: list[str] | None = None, without: list[str] | None = None
) -> State[Any]:
    """Hear, judge, open, send. Fails for a broken source or sink, after all the others are served.

    Only these `sources` are heard, by name or kind, and none `without`: what is left to judge, open and send is seen
    to by every run, whoever heard it.
    """
    setup = Setup.read(settings)
    group, began = chosen(setup, sources, without), setup.now()
    with setup.store() as store:
        store.migrate()
        store.prune_visits(began - VISITS_KEPT)
    with Steps() as steps:
        parts = _served(setup, group)
    show_run(setup, group, began, steps)
    return ended(parts)


def _served(setup: Setup, group: Sequence[AnySource]) -> list[Part]:
    """All that is due: the sources of a `group`, and everybody's judging, cases and alerts."""
    collects = [collect.submit(setup, source) for source in group]
    out: Any = collects  # of a task runner with threads
    done: list[Part] = []
    while wait([one.wrapped_future for one in out], MOST_WAITED.total_seconds()).not_done:
        done += see_to(setup, past=False)  # a grave alert waits for no slow source
    heard = all_of(group, collects)
    last = see_to(setup, past=False)
    done += last
    reached = {name for name, state in heard if state.is_completed()}
    due = [source for source in group if source.name in reached and source.recheck_after is not None]
    # After what is urgent: it may have to ask for each mention by itself.
    done += all_of(due, [recheck.submit(setup, source) for source in due])
    if last[0][1].is_completed() and outdated(setup):
        done += see_to(setup, past=True)  # after what is new: it may take long
    return [*heard, *done, *(("", state) for state in orphans(setup))]


def chosen(setup: Setup, sources: Sequence[str] | None = None, without: Sequence[str] | None = None) -> list[AnySource]:
    """The sources named or of a kind named; all if none is. SettingsError for a word that is neither name nor kind."""
    known = {source.name for source in setup.sources}
    kinds = {kind.model_fields["kind"].default for kind in SOURCES}
    for word in [*(sources or ()), *(without or ())]:
        if word not in known | kinds:
            raise SettingsError(
                f'"{word}" is no source and no kind of source; the sources are: {", ".join(sorted(known)) or "none"}; '
                f"the kinds: {', '.join(sorted(kinds))}"
            )
    asked, spared = set(known if sources is None else sources), set(without or ())
    return [one for one in setup.sources if {one.name, one.kind} & asked and not {one.name, one.kind} & spared]


def see_to(setup: Setup, *, past: bool) -> list[Part]:
    """Judge, open cases, send. Whatever fails holds up nothing after it: not what was judged before, and no alert."""
    judged: State[int] = analyse(setup, past=past, return_state=True)
    opened: State[int] = open_cases(setup, return_state=True)
    sent = all_of(setup.sinks, [send.submit(setup, sink) for sink in setup.sinks])
    return [("judging", judged), ("cases", opened), *sent]


@task(cache_policy=NO_CACHE, task_run_name="collect {source.name}", **PATIENT)
@discreet()
def collect(setup: Setup, source: AnySource) -> int:
    """Bring home what is new from one source. Stopping halfway loses nothing."""
    return bring_home(setup, source).new


@task(cache_policy=NO_CACHE, task_run_name="recheck {source.name}", **PATIENT)
@discreet()
def recheck(setup: Setup, source: AnySource) -> int:
    """Delete what was deleted where it was said. One that cannot be asked fails by itself and holds up nothing."""
    try:
        gone = look_again(setup, source)
    except EarfulError as error:
        log.error("%s: %s", source.name, told(str(error), error.who_acts))  # noqa: TRY400 - no traceback: not ours
        raise
    log.info("%s: %d deleted", source.name, gone, extra={"step": "gone", "done": gone})
    return gone
