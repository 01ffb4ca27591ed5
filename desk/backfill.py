"""`earful backfill`: ask one source for what was said before Earful listened, as far back as the place lets it."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, tzinfo
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from desk import show, unheard
from desk.console import HERE, UNUSABLE, Json, Settings, err, in_words, out

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from flows.setup import Setup
    from pipeline.coverage import Gap
    from pipeline.visit import Visit


def backfill(
    name: Annotated[str, typer.Argument(metavar="SOURCE", help="Name of a source in the settings.")],
    start: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")],
    settings: Settings = HERE,
    as_json: Json = False,
) -> None:
    """Hear what one source said since a day, once, and say what could not be had.

    How far the source is read from now on does not change. Afterwards `earful listen` judges what came; old mentions
    open no cases. Exit code 1 if the source failed (what came until then is kept), 2 if it is not in the settings.

    Example: `earful backfill hacker-news --from 2026-01-01`
    """
    from flows.setup import Setup

    with in_words():
        setup = Setup.read(settings)
        first = datetime.combine(start.date(), time(), UTC)
        if first >= setup.now():
            err.print(f"[red]--from {first:%Y-%m-%d} is still to come[/]")
            raise typer.Exit(UNUSABLE)
        with err.status(f"Hearing {name}"):
            visit, missing = _go_back(setup, name, first)
    if as_json:
        gaps = None if missing is None else [{"start": gap.start, "end": gap.end, "why": gap.why} for gap in missing]
        show.dump(out, visit.model_dump() | {"from": first, "missing": gaps})
        return
    said = f" said {show.counted(visit.heard, 'mention')}, {visit.new:,} of them new"
    said += f"; {show.counted(visit.rejected, 'item')} could not be read" if visit.rejected else ""
    out.print(Text.assemble((name, "bold"), said), soft_wrap=True)
    if setup.keep.forgets(first, setup.now()):
        out.print("[yellow]What is older than \\[keep] keeps mentions for was passed over.[/]")
    _say(first, missing, setup.zone)
    if visit.new:
        out.print("Next: [bold]earful listen[/] judges them.")


def _go_back(setup: "Setup", name: str, first: datetime) -> "tuple[Visit, list[Gap] | None]":
    """The walk, and what of the time since then is not surely heard; None where the source does not tell."""
    from flows.collect import go_back
    from pipeline.coverage import Coverage

    source = setup.source(name)
    with setup.store() as store:
        store.migrate()
    visit, walk = go_back(setup, source, first.date())
    if walk.reach is None and not walk.gaps:
        return visit, None
    with setup.store() as store:
        return visit, store.coverage().get(name, Coverage()).missing(first, visit.started_at)


def _say(first: datetime, missing: "Sequence[Gap] | None", zone: tzinfo) -> None:
    if missing is None:
        out.print("This source does not tell how far back it was read.")
    elif missing:
        out.print("Something may be missing of")
        unheard.told(out, missing, zone)
    else:
        out.print(f"Everything since {first:%d %b %Y} that this source finds is heard.")
