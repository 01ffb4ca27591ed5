"""What a person sees on the terminal, or a script with --json: tables of sources, mentions, cases and alerts."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.analysis import Analysis
from pipeline.case import Case
from pipeline.mention import Mention
from pipeline.report import Report, summary
from pipeline.route import Alert
from pipeline.text import shorten
from pipeline.visit import Visit

if TYPE_CHECKING:  # these import Prefect and the databases, which a table does not need
    from connectors.contract import Rejected
    from flows.setup import Setup
    from storage.store import Counts

LANES = {"service": "bold red", "experience": "cyan", "noise": "dim", "unscored": "yellow"}
GRAVER = {"critical": "bold red", "high": "red", "normal": "", "low": "dim"}


@dataclass(frozen=True, slots=True)
class Listened:
    """What one run of the flow did, and what now lies in the store."""

    visits: list[Visit]
    judged: int
    opened: list[Case]
    sent: list[Alert]
    failures: list[str]
    failed: bool
    counts: "Counts"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import brought, and the rows it could not read; `since` is when the oldest was said that [keep] keeps."""

    source: str
    visit: Visit
    rejected: list[tuple[str, str]]
    since: datetime | None = None


def plain(error: object) -> str:
    """An error's words, safe to print."""
    return escape(str(error))


def table(*columns: str, title: str | None = None) -> Table:
    """A quiet table."""
    made = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), header_style="dim"
    )
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def dump(out: Console, value: Any) -> None:  # noqa: ANN401 - whatever JSON holds
    """Print JSON for a script: never folded, never coloured."""
    out.file.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def counted(number: int, noun: str) -> str:
    """1 row, 2,000 rows."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit that says enough."""
    if at is None:
        return "never"
    return f"{span(now - at)} ago"


def span(time: timedelta) -> str:
    """A duration in the largest unit that says enough: 40s, 12m, 5h, 3d."""
    seconds = max(0, int(time.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size or (seconds and seconds % size == 0):
            return f"{seconds // size}{unit}"
    return f"{seconds // 60}m" if seconds >= 60 else f"{seconds}s"  # noqa: PLR2004 - seconds of a minute


def checked(out: Console, setup: "Setup", heard: Collection[str], *, as_json: bool) -> None:
    """What the settings say, once they are known to be able to work. `heard`: sources that were ever, by import too."""
    known = {source.name for source in setup.sources} | {*heard}
    remarks = [
        f'judgement.sources: nothing was ever heard from "{name}"; there are: {", ".join(sorted(known)) or "none"}'
        for name in setup.judgement.sources
        if name not in known
    ]
    if as_json:
        named = {"sources": setup.sources, "sinks": setup.sinks, "routes": setup.routes}
        names = {kind: [part.name for part in parts] for kind, parts in named.items()}
        dump(out, {"ok": True} | names | {"remarks": remarks})
        return
    out.print(f"[green]✓[/] {escape(str(setup.path))} can work.", soft_wrap=True)
    out.print(f"  brand    {escape(setup.brand.name)}, days begin in {setup.brand.time_zone}")
    for kind, parts in (("sources", setup.sources), ("sinks", setup.sinks)):
        listed = ", ".join(f"{part.name} ({part.kind})" for part in parts)
        out.print(f"  {kind:<8} {escape(listed) or '[yellow]none[/]'}")
    out.print(f"  first    grave signals → {escape(setup.grave.team)} ({', '.join(setup.grave.sinks)})")
    for route in setup.routes:
        hear = ", ".join(route.sinks) or "nobody is told: only `earful cases` shows it"
        out.print(f"  route    {escape(route.name)} → {escape(route.team)} within {span(route.reply_within)} ({hear})")
    for remark in remarks:
        out.print(f"[yellow]  remark   {escape(remark)}[/]", soft_wrap=True)


def tried(
    out: Console,
    setup: "Setup",
    found: "Sequence[tuple[Mention, Analysis]]",
    rejected: "Sequence[Rejected]",
    *,
    as_json: bool,
) -> None:
    """What one source says now, judged."""
    if as_json:
        dump(
            out,
            [
                {"mention": said.model_dump(mode="json"), "analysis": judged.model_dump(mode="json")}
                for said, judged in found
            ],
        )
        return
    for said, judged in found:
        out.print(_headline(said, judged, setup))
        out.print(Text("  " + shorten(" ".join(said.text.split()), 240)))
        because = [f'"{reason.text}"' for reason in judged.reasons if reason.field == "lane" and reason.weight > 0]
        if because:
            out.print(Text("  because of " + ", ".join(because[:3]), style="dim"))
    aside = f"; {len(rejected)} items could not be read" if rejected else ""
    out.print(f"{len(found)} mentions{aside}. Nothing was saved.")
    for strange in rejected[:10]:
        out.print(f"  [yellow]{escape(strange.place)}[/]: {escape(strange.reason)}")


def _headline(said: "Mention", judged: "Analysis", setup: "Setup") -> Text:
    line = Text()
    line.append(judged.lane, style=LANES[judged.lane])
    sure = judged.lane_probabilities.get(judged.lane)
    line.append("" if sure is None else f" {sure:.0%}", style="dim")
    for part in (judged.category, judged.urgency, judged.sentiment, *judged.grave):
        line.append(f" · {part}".replace("_", " ") if part else "")
    said_at = said.said_at.astimezone(setup.zone)
    line.append(f"   {said.author or 'somebody'}, {said_at:%d %b %Y %H:%M}", style="dim")
    return line


def listened(out: Console, done: Listened, *, as_json: bool) -> None:
    """What one run did."""
    if as_json:
        dump(out, {
            "visits": [visit.model_dump(mode="json") for visit in done.visits],
            "judged": done.judged,
            "lanes": done.counts.by_lane,
            "cases_opened": [case.key for case in done.opened],
            "alerts_sent": [{"key": alert.key, "sink": alert.sink, "case": alert.case} for alert in done.sent],
            "failures": done.failures,
        })  # fmt: skip
        return
    heard = table("source", "heard", "new", "not readable", "")
    for visit in done.visits:
        state = "[red]✗[/]" if visit.error else "[green]✓[/]"
        heard.add_row(visit.source, f"{visit.heard:,}", f"{visit.new:,}", f"{visit.rejected:,}", state)
    if done.visits:
        out.print(heard)
    summed(out, done.judged, done.counts)
    new = len(done.opened)
    out.print(
        f"[bold]{new:,}[/] cases opened, [bold]{len(done.sent):,}[/] alerts sent, "
        f"{done.counts.waiting:,} cases wait for an answer"
    )
    if dead := sum(done.counts.dead.values()):
        out.print(f"[red]{counted(dead, 'alert')} reached nobody, and will not be tried again[/]: earful alerts --dead")
    reached = Counter((alert.team, alert.sink) for alert in done.sent)
    for (team, sink), number in reached.most_common():
        out.print(f"  {number:>4}  {escape(team or 'watch and digest')} via {sink}")
    for failure in done.failures:
        out.print(f"[red]✗[/] {escape(failure)}", soft_wrap=True)


def listened_again(out: Console, done: Listened, at: datetime) -> None:
    """What one of many runs did, on one line."""
    new = sum(visit.new for visit in done.visits)
    out.print(
        f"{at:%d %b %H:%M:%S}  [bold]{new:,}[/] new, {done.judged:,} judged, {len(done.opened):,} cases opened, "
        f"{len(done.sent):,} alerts sent; {done.counts.waiting:,} cases wait for an answer",
        soft_wrap=True,
    )


def summed(out: Console, judged: int, counts: "Counts") -> None:
    """How many were judged, and how they fell into lanes."""
    lanes = ", ".join(
        f"[{LANES[lane]}]{counts.by_lane[lane]:,} {lane}[/]" for lane in LANES if counts.by_lane.get(lane)
    )
    out.print(f"[bold]{judged:,}[/] judged" + (f"; in all {lanes}" if lanes else ""))


def alerts(out: Console, sent: "Sequence[Alert]", each: int = 2) -> None:
    """A few alerts of every team with their reasons, the gravest first; an alert to several sinks is shown once."""
    order = list(GRAVER)
    told: dict[str, list[Alert]] = {}
    for alert in sent:
        told.setdefault(alert.case or alert.key, []).append(alert)
    shown = Counter[str]()
    for same in sorted(told.values(), key=lambda same: order.index(same[0].urgency or "low")):
        alert = same[0]
        shown[alert.team] += 1
        if shown[alert.team] > each:
            continue
        sinks = ", ".join(sorted(alert.sink for alert in same))
        out.print(
            Text.assemble("  ", (alert.title, GRAVER[alert.urgency or "low"] or "bold"), f" → {alert.team} via {sinks}")
        )
        out.print(Text(f"    “{shorten(' '.join(alert.text.split()), 140)}”"))
        out.print(Text(f"    {alert.who or 'somebody'}, {alert.where}. {'; '.join(alert.why)}", style="dim"))


def imported(out: Console, done: Imported) -> None:
    """What an import brought in, and every row it kept aside."""
    out.print(f"{counted(done.visit.heard, 'row')} read from {escape(done.source)}, {done.visit.new:,} of them new.")
    if done.rejected:
        out.print(f"[yellow]{counted(done.visit.rejected, 'row')} kept aside, now or before:[/]")
        for place, why in done.rejected[:20]:
            out.print(f"  {escape(place)}: {escape(why)}")
        if len(done.rejected) > 20:  # noqa: PLR2004 - as many as fit a screen
            out.print(f"  … and {len(done.rejected) - 20:,} more")
    if done.since is not None:
        out.print(f"What was said before {done.since:%d %b %Y} was passed over: \\[keep] keeps no more.")
    out.print("Next: [bold]earful listen[/] judges and routes them.")


def reported(out: Console, report: "Report", page: Path, *, as_json: bool) -> None:
    """Where the report lies, and what it says in a sentence."""
    if as_json:
        dump(out, report.model_dump(mode="json"))
        return
    out.print(Text(summary(report)))
    out.print(f"Wrote [bold]{escape(str(page))}[/]", soft_wrap=True)
