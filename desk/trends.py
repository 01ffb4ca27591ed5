"""`earful trends`: how much was said week by week, by lane, source or feeling, however many years."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from desk.console import HERE, UNUSABLE, FirstDay, Json, LastDay, Settings, err, in_words, out
from desk.show import dump, table
from pipeline.sentiment import Feeling
from pipeline.triage import Lane

if TYPE_CHECKING:  # the databases take a while to import
    from storage.store import Kind

_DAY = timedelta(days=1)
_WEEKS = 12
"""Told where no days are given."""
_MOST_SOURCES = 6
"""Sources with a column of their own; the rest is told together."""


class Step(StrEnum):
    """How the time is cut."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Side(StrEnum):
    """What is told apart."""

    LANE = "lane"
    SOURCE = "source"
    SENTIMENT = "sentiment"


def trends(
    settings: Settings = HERE,
    start: FirstDay = None,
    end: LastDay = None,
    step: Annotated[Step, typer.Option("--by", help="Weeks begin on Monday.")] = Step.WEEK,
    side: Annotated[Side, typer.Option("--of", help="What is told apart.")] = Side.LANE,
    source: Annotated[str | None, typer.Option(help="Only what was said there.")] = None,
    recount: Annotated[
        bool, typer.Option("--recount", help="Count every mention anew first: an older Earful judged beside this one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say how much was said each week, and how many of it complaints; the last twelve weeks if no days are given.

    Counted as judgements are made, so years cost no more than days. What the brand said itself, and what is not yet
    judged, is left out. The first and the last line may be cut short by --from and --to. With --json, every count by
    source, lane, sentiment and complaint.

    Example: `earful trends --from 2026-01-01 --by month --of source`
    """
    from flows.setup import Setup

    with in_words():
        setup = Setup.read(settings)
        last = end.date() if end else setup.now().astimezone(setup.zone).date()
        usual = last - timedelta(days=last.weekday(), weeks=_WEEKS - 1)
        first = start.date() if start else usual
        if first > last:
            err.print(f"[red]--from {first} is after --to {last}[/]")
            raise typer.Exit(UNUSABLE)
        days = cuts(first, last, step)
        with setup.store() as store:
            store.migrate()
            if recount:
                store.recount()
            counts = store.trend([_midnight(day, setup.zone) for day in days], source=source)
    if as_json:
        stretches = zip(days, days[1:], counts, strict=False)
        dump(out, [_values(begin, until - _DAY, found) for begin, until, found in stretches])
        return
    _show(days, step, side, counts)


def _values(first: date, last: date, found: Mapping["Kind", int]) -> dict[str, Any]:
    return {
        "from": first,
        "to": last,
        "counts": [kind._asdict() | {"mentions": many} for kind, many in sorted(found.items())],
    }


def cuts(first: date, last: date, step: Step) -> list[date]:
    """The first day of every stretch from `first` to `last`, and the day after."""
    days = [first]
    while (following := _next(days[-1], step)) <= last:
        days.append(following)
    return [*days, last + _DAY]


def _next(day: date, step: Step) -> date:
    """The first day of the stretch after the one this day is in."""
    if step is Step.MONTH:
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return day + (_DAY if step is Step.DAY else timedelta(days=7 - day.weekday()))


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _show(days: Sequence[date], step: Step, side: Side, counts: Sequence[Mapping["Kind", int]]) -> None:
    told = [Counter[str]() for _ in counts]
    for row, found in zip(told, counts, strict=True):
        for kind, many in found.items():
            row[getattr(kind, side)] += many
    everything = sum(told, Counter[str]())
    known: list[str] = {Side.LANE: [*Lane], Side.SENTIMENT: [*Feeling]}.get(side, [])
    names = known or [name for name, _ in everything.most_common(_MOST_SOURCES)]
    others = set(everything) - set(names)
    headed = table(step, "mentions", "complaints", *names, *(["others"] if others else []))
    for column in headed.columns[1:]:
        column.justify = "right"
    for day, row, found in zip(days, told, counts, strict=False):
        complaints = sum(many for kind, many in found.items() if kind.complaint)
        numbers = [row.total(), complaints, *(row[name] for name in names)]
        numbers += [sum(row[name] for name in others)] if others else []
        headed.add_row(f"{day:%d %b %Y}", *(Text(f"{number:,}", "" if number else "dim") for number in numbers))
    out.print(headed)
