"""`earful report`: a period on one page, whenever somebody wants it."""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from desk import show
from desk.console import HERE, UNUSABLE, FirstDay, Json, LastDay, Settings, err, in_words, out


def report(
    settings: Settings = HERE,
    start: FirstDay = None,
    end: LastDay = None,
    page: Annotated[Path, typer.Option("--out", "-o", help="Where the page is written.")] = Path("report.html"),
    as_json: Json = False,
) -> None:
    """Write a period on one page: report.html. The last seven days if no days are given.

    Example: `earful report --from 2026-10-01 --to 2026-10-31`
    """
    from flows.digest import report_of, write
    from flows.setup import Setup
    from pipeline.report import render

    with in_words():
        setup = Setup.read(settings)
        today = setup.now().astimezone(setup.zone).date()
        last = end.date() if end else today
        first = start.date() if start else last - timedelta(days=6)
        if first > last:
            err.print(f"[red]--from {first} is after --to {last}[/]")
            raise typer.Exit(UNUSABLE)
        with setup.store() as store:
            store.migrate()
            measured = report_of(setup, store, _midnight(first, setup.zone), _midnight(last + timedelta(1), setup.zone))
        write(page, render(measured))
    show.reported(out, measured, page, as_json=as_json)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)
