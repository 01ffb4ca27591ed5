"""`earful find`: mentions with certain words, newest first, whatever became of them."""

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from desk.console import HERE, FirstDay, Json, LastDay, Settings, in_words, out
from desk.show import LANES, dump
from pipeline.text import shorten
from pipeline.triage import Lane

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from flows.setup import Setup
    from storage.store import Found


def find(
    words: Annotated[list[str], typer.Argument(help='Such as: refund "never again" -shoes. OR parts alternatives.')],
    settings: Settings = HERE,
    source: Annotated[str | None, typer.Option(help="Only what was said there.")] = None,
    lane: Annotated[Lane | None, typer.Option(help="Only what was judged so.")] = None,
    start: FirstDay = None,
    end: LastDay = None,
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="Show this many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """Show mentions with these words, newest first, with their lane and case.

    All words must be there, in any order; a quoted phrase as it stands. Put `--` before words that begin with a minus:
    `earful find -- refund -shoes`.

    Example: `earful find '"fell apart" OR broke' --lane service`
    """
    from flows.setup import Setup

    with in_words():
        setup = Setup.read(settings)
        since = start and datetime.combine(start.date(), time(), setup.zone)
        before = end and datetime.combine(end.date() + timedelta(days=1), time(), setup.zone)
        with setup.store() as store:
            store.migrate()
            found = store.search(
                _joined(words), most, since=since, before=before, source=source, lane=lane and lane.value
            )
    if as_json:
        dump(out, [_values(one) for one in found])
        return
    for one in found:
        _show(setup, one)
    more = f", newest first; --most {2 * most} shows more" if len(found) == most else ""
    out.print(f"{len(found):,} found{more}." if found else "Nothing was found.")


def _joined(words: list[str]) -> str:
    """What the shell took apart; where it took away the quotation marks of a phrase, they are put back."""
    alone = len(words) == 1
    return " ".join(
        word if alone or not any(map(str.isspace, word)) or '"' in word else _quoted(word) for word in words
    )


def _quoted(phrase: str) -> str:
    unwanted = "-" if phrase.startswith("-") else ""
    return f'{unwanted}"{phrase.removeprefix("-")}"'


def _values(one: "Found") -> dict[str, Any]:
    judged = one.analysis and one.analysis.model_dump(mode="json")
    return {"mention": one.mention.model_dump(mode="json"), "analysis": judged, "case": one.case}


def _show(setup: "Setup", one: "Found") -> None:
    said, lane = one.mention, one.analysis.lane.value if one.analysis else "not yet judged"
    lane_shown = Text("by the brand", "dim") if said.by_brand else Text(lane, LANES.get(lane, "dim"))
    when = f"{said.said_at.astimezone(setup.zone):%d %b %Y %H:%M}"
    case = f"  {one.case}" if one.case else ""
    out.print(Text.assemble((said.key, "bold"), f"  {when}  ", lane_shown, case), no_wrap=True, overflow="ellipsis")
    words = " ".join(f"{said.title or ''} {said.text}".split())
    quoted = f"“{shorten(words, 150)}” {said.author or 'somebody'}, {setup.place(said.source)}"
    out.print(Padding(Text(quoted, "dim"), (0, 0, 0, 4)))
