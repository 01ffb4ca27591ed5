"""`earful cases`: what waits for an answer, and closing it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from desk.console import FAILED, HERE, Json, Settings, err, in_words, out
from desk.show import GRAVER, dump, span
from pipeline.case import awaited
from pipeline.correction import Question, by_person
from pipeline.route import about
from pipeline.text import shorten
from pipeline.triage import Lane

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from flows.setup import Setup
    from storage.store import CaseFile, Delivery

app = typer.Typer(help="What waits for an answer.", invoke_without_command=True)


@app.callback()
def list_cases(
    context: typer.Context,
    settings: Settings = HERE,
    everything: Annotated[bool, typer.Option("--all", help="Answered and closed ones too.")] = False,
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="Show this many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List what waits for an answer, the nearest deadline first.

    Example: `earful cases --all --json`
    """
    context.obj = settings
    if context.invoked_subcommand is not None:
        return
    from flows.setup import Setup

    with in_words():
        setup = Setup.read(settings)
        with setup.store() as store:
            store.migrate()
            found = store.cases(most, everything=everything)
            waiting = store.counts().waiting
            if as_json:
                dump(out, [_case(file, store.alerts_of(file.case.key)) for file in found])
                return
    listed(out, setup, found, waiting)


@app.command("close")
def close_case(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="The case, such as C-7H2QK4MZ5P.")],
    because: Annotated[str, typer.Option(help="Why it needs no answer any more.")] = "answered",
    settings: Settings = HERE,
) -> None:
    """Close a case, with a reason that stays on it; its tickets and pages elsewhere end with the next run.

    Example: `earful cases close C-7H2QK4MZ5P --because "refunded"`
    """
    from flows.setup import Setup
    from flows.solved import settling

    with in_words():
        setup = Setup.read(context.obj if settings == HERE else settings)
        with setup.store() as store:
            store.migrate()
            found = store.close(key, because, setup.now(), settling=settling(setup))
    if not found:
        err.print(f"[red]There is no open case {key}.[/] `earful cases` lists them.")
        raise typer.Exit(FAILED)
    out.print(f"Closed {key}: {because}")


def listed(out: Console, setup: "Setup", found: "Sequence[CaseFile]", waiting: int) -> None:
    """What waits for an answer, two or three lines a case."""
    if not found:
        out.print("Nothing waits for an answer.")
        return
    now = setup.now()
    for file in found:
        case, said = file.case, file.said[-1][0] if file.said else None
        due = _due(case.reply_by, now) if awaited(case) else Text("closed" if case.closed_at else "answered", "green")
        urgency = Text(case.urgency or "", GRAVER[case.urgency or "low"])
        for part, width in ((due, 9), (urgency, 8)):
            part.pad_right(max(0, width - len(part)))
        line = Text.assemble((case.key, "bold"), "  ", due, "  ", urgency, f"  {about(case)} → {case.team}")
        out.print(line, no_wrap=True, overflow="ellipsis")
        if said:
            quoted = (
                f"“{shorten(' '.join(said.text.split()), 150)}” {said.author or 'somebody'}, {setup.place(said.source)}"
            )
            out.print(Padding(Text(quoted, "dim"), (0, 0, 0, 14)))
        if awaited(case) and (lane := _corrected_away(file)) is not None:
            out.print(Padding(Text(f"a person said {lane}: close it if nobody waits", "yellow"), (0, 0, 0, 14)))
    other = "" if setup.path == HERE.resolve() else f" -s {setup.path}"
    out.print(f"{len(found):,} shown, {waiting:,} wait for an answer.", end=" ")
    out.print(escape(f"Close one: earful cases close {found[0].case.key}{other}"), soft_wrap=True)


def _corrected_away(file: "CaseFile") -> str | None:
    """The lane a person said instead of service, where the mention that opened the case was corrected so."""
    for said, judged in file.said:
        if said.key == file.case.first_mention and judged is not None and by_person(judged, Question.LANE):
            return None if judged.lane is Lane.SERVICE else judged.lane
    return None


def _due(reply_by: datetime, now: datetime) -> Text:
    late = now - reply_by
    return Text(f"{span(late)} late", "bold red") if late > timedelta() else Text(f"in {span(-late)}")


def _case(file: "CaseFile", alerts: "Sequence[Delivery]") -> dict[str, Any]:
    """A case for a script: what was said in it, newest first, and who was told."""
    told = [
        {
            "alert": one.alert.key,
            "sink": one.alert.sink,
            "state": one.fate,
            "sent_at": one.sent_at if one.dead_at is None else None,
            "error": one.error,
        }
        for one in alerts
    ]
    mentions = [
        {"mention": said.model_dump(mode="json"), "analysis": judged and judged.model_dump(mode="json")}
        for said, judged in file.said
    ]
    return {**file.case.model_dump(mode="json"), "said": mentions, "alerts": told}
