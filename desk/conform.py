"""The kit on the terminal: which connectors keep what is asked of them, and the reason for every lost point."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from connectors.conform.grade import COSTS, Grade
from desk.console import FAILED, Json, in_words, out
from desk.show import dump

COLOURS = {"A": "green", "B": "yellow", "C": "yellow", "D": "red", "F": "bold red"}
UNTRIED = 3
"""Exit code: no point was lost, but what was named could not be tried, so nobody knows."""


def conform(
    connector: Annotated[
        str | None,
        typer.Argument(metavar="[SOURCE|SINK|package.module:Class]", help="One connector; all of ours if not given."),
    ] = None,
    world: Annotated[
        str | None, typer.Option(help="package.module:Class of the World or Desk that a stranger is tried against.")
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(help="Folder with settings.json, exchanges.json and expected.json, instead of a world."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Try connectors against a local server where everything goes wrong, and grade them.

    Exit code 0 if every one keeps all that applies to it, 1 if a point was lost, 2 if what was named cannot be used, 3
    if it could not be tried. What the faults are and how to read a grade: docs/conformance.md. Example: `earful conform
    mastodon`
    """
    from connectors.conform.kit import conform_all, jobs

    grades = list[Grade]()
    with in_words():
        for grade in conform_all(jobs(connector, world, recordings)):
            grades.append(grade)
            if not as_json:
                out.print(_line(grade), soft_wrap=True)
    if as_json:
        dump(out, [grade.told() for grade in grades])
    else:
        _reasons(grades, every_skip=connector is not None)
    if any(grade.failings for grade in grades):
        raise typer.Exit(FAILED)
    if connector is not None and not all(grade.conforms for grade in grades):
        raise typer.Exit(UNTRIED)


def _line(grade: Grade) -> str:
    kind = f"{escape(grade.kind):<20}"
    if grade.letter is None:
        how = "no grade" if grade.faults else "not tried"
        return f"[dim]-[/] {kind} {how}: {escape(grade.untried or '')}"
    colour = COLOURS[grade.letter]
    return (
        f"[{colour}]{grade.letter}[/] {kind} {grade.points:>3} of 100   "
        f"passed {len(grade.passed)} of {grade.faults} faults   [dim]{grade.seconds:.1f} s[/]"
    )


def _reasons(grades: list[Grade], *, every_skip: bool) -> None:
    for grade in grades:
        if grade.failings:
            out.print(f"\n[bold]{escape(grade.kind)}[/] lost points:")
        for each in grade.failings:
            out.print(f"  {escape(each.fault)} [red]({each.severity}, -{COSTS[each.severity]})[/]", soft_wrap=True)
            out.print(f"    [dim]happened[/]  {escape(each.happened)}", soft_wrap=True)
            out.print(f"    [dim]expected[/]  {escape(each.expected)}", soft_wrap=True)
        if grade.letter and grade.untried:
            out.print(f"  [dim]not all was tried: {escape(grade.untried)}[/]", soft_wrap=True)
    if every_skip:
        for grade in grades:
            for fault, why in grade.skipped.items():
                out.print(f"[dim]does not apply: {escape(fault)}: {escape(why)}[/]", soft_wrap=True)
            for fault, how in grade.notes.items():
                out.print(f"[dim]note: {escape(fault)}: {escape(how)}[/]", soft_wrap=True)
    tried = [grade for grade in grades if grade.faults]
    whole = sum(grade.conforms for grade in tried)
    out.print(f"\n[bold]{whole} of {len(tried)}[/] keep all that applies to them.", end="")
    out.print(f" {len(grades) - len(tried)} could not be tried." if len(tried) < len(grades) else "")
