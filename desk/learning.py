"""What `earful learn` came to, as a person or a script sees it."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from desk.show import counted, dump, table
from pipeline.triage.learning import worst_first

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from flows.learn import Learnt

VERDICTS = {"worse": "bold red", "better": "green", "same": "dim"}


def learnt(out: Console, done: "Learnt", *, as_json: bool) -> None:
    """The change by question and group, and whether it was adopted."""
    if as_json:
        dump(out, {
            "corrected": done.corrected,
            "confirmed": done.confirmed,
            "unreadable": done.unreadable,
            "lesson": done.lesson and done.lesson.version,
            "changes": [asdict(one) | {"verdict": one.verdict} for one in done.changes],
            "adopted": done.adopted,
            "good": done.good,
            "why": done.why,
        })  # fmt: skip
        return
    if done.lesson is not None:
        named = f"[bold]{done.lesson.version}[/], from {counted(done.corrected, 'corrected mention')}"
        out.print(f"{named} and {done.confirmed:,} confirmed. Right without it and with it:")
        shown = table("question", "measured on", "rows", "before", "after", "change (95 %)", "")
        for one in worst_first(done.changes):
            where = one.among if one.group == "all" else f"{one.among}, {one.group}"
            rates = (f"{one.rows:,}", f"{one.before:.1%}", f"{one.after:.1%}", f"{one.low:+.1%} {one.high:+.1%}")
            shown.add_row(one.head, where, *rates, Text(one.verdict, VERDICTS[one.verdict]))
        out.print(shown)
    out.print(escape(done.why), soft_wrap=True)
