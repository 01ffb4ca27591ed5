"""`earful judge-again`: what was said in a stretch of time, judged by the present version, here or on a cluster."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from desk import show
from desk.console import FAILED, HERE, UNUSABLE, Json, Settings, err, in_words, out
from pipeline.errors import EarfulError, SettingsError

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from prefect.client.schemas.objects import State

BATCH = 1000
"""As flows.judge has it, which imports Prefect."""


def judge_again(
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day.")],
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day, included.")] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of a Dask scheduler, such as tcp://host:8786.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what this version has judged already.")] = False,
    chunk: Annotated[int, typer.Option(min=1, max=100_000, help="Mentions judged and saved at once.")] = BATCH,
    settings: Settings = HERE,
    as_json: Json = False,
) -> None:
    """Judge stored mentions again: what was said since a day, and this version of the classifiers has not judged.

    In chunks, what was said last first. Stop it when you like: the next call does what is left. What turns out to need
    a reply opens cases as `earful listen` would, and the next `earful listen` sends their alerts. Exit code 1 if a
    chunk failed (the others are done), 2 if the settings or the cluster cannot work. A cluster: docs/deploy.md.

    Example: `earful judge-again --since 2026-01-01 --cluster tcp://dask:8786`
    """
    from desk.progress import StepProgress
    from flows.setup import Setup

    with in_words():
        setup = Setup.read(settings)
        first, last = since.date(), until.date() if until else None
        if last is not None and last < first:
            err.print(f"[red]--since {first} is after --until {last}[/]")
            raise typer.Exit(UNUSABLE)
        with StepProgress(err, first="judge") as progress:
            told = {"since": first, "until": last, "cluster": cluster, "everything": everything, "size": chunk}
            state = _run(setup.path, told)
    judged, steps = progress.counts["judge"], progress.counts["case"]  # this run's own: others may open cases meanwhile
    failed = None if state.is_completed() else str(state.message)
    if as_json:
        show.dump(out, {"since": first, "until": last, "judged": judged, "case_steps": steps, "failed": failed})
    else:
        out.print(f"{show.counted(judged, 'mention')} judged again, {show.counted(steps, 'step')} taken on cases")
        if steps:
            out.print("Next: [bold]earful listen[/] sends their alerts.")
        if failed:
            out.print(f"[red]✗[/] {escape(failed)}", soft_wrap=True)
    if failed:
        raise typer.Exit(FAILED)


def _run(settings: Path, told: Mapping[str, Any]) -> "State[Any]":
    from flows.judge_again import judge_again as flow

    try:
        state: State[Any] = flow(settings, **told, return_state=True)
    except RuntimeError as error:
        if "Failed to reach API" not in str(error):
            raise
        mend = "start that server, or unset PREFECT_API_URL to run without one"
        raise SettingsError(f"PREFECT_API_URL: no Prefect server answers there; {mend}") from error
    result = state.result(raise_on_failure=False)
    if isinstance(result, EarfulError):
        raise result
    return state
