"""`earful alerts`: what waits to be sent, what was given up and what went out; sending it again, or never."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from desk.console import FAILED, HERE, UNUSABLE, Json, Settings, err, in_words, out
from desk.show import ago, counted, dump, span
from pipeline.errors import EarfulError, told

if TYPE_CHECKING:  # the flows import Prefect, and these the databases, which takes seconds
    from pathlib import Path

    from flows.setup import Setup
    from storage.outbox import Delivery
    from storage.store import Store

app = typer.Typer(help="What waits to be sent, what could not be sent, and what was.", invoke_without_command=True)

Sink = Annotated[str | None, typer.Option(help="Only alerts for this sink.")]
Key = Annotated[str, typer.Argument(help="The alert, such as alert_5f1d…; `earful alerts` lists them.")]
ALL = 1_000_000
COLOURS = {"dead": "bold red", "waiting": "yellow", "being sent": "", "sent": "green", "dropped": "dim"}


@app.callback()
def list_alerts(
    context: typer.Context,
    settings: Settings = HERE,
    dead: Annotated[bool, typer.Option("--dead", help="Only those that nobody tries any more.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for their next try.")] = False,
    sink: Sink = None,
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="Show this many of each at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List what nobody tries any more, then what waits, then what went out last with its receipt.

    An alert that was refused or failed for three days, ten times at least, is dead: Earful tries it no more until you
    say so. Example: `earful alerts --dead --sink slack`
    """
    context.obj = settings
    if context.invoked_subcommand is not None:
        return
    from flows.setup import Setup
    from storage.outbox import Fate

    asked = [fate for fate, only in ((Fate.DEAD, dead), (Fate.WAITING, waiting)) if only]
    with in_words():
        setup = Setup.read(settings)
        with setup.store() as store:
            store.migrate()
            fates = asked or [Fate.DEAD, Fate.WAITING, Fate.SENT, Fate.DROPPED]
            found = [one for fate in fates for one in store.deliveries(fate, sink=sink, limit=most)]
            counts = store.counts()
    if as_json:
        dump(out, [_values(setup, one) for one in found])
        return
    listed(out, setup, found)
    there = {name for name in counts.alerts if sink in {None, name}}
    waits, gave_up = sum(counts.alerts[name][0] for name in there), sum(counts.dead.get(name, 0) for name in there)
    out.print(f"{len(found):,} shown; in all {waits:,} wait, {gave_up:,} are dead letters.", soft_wrap=True)
    if gave_up:
        other = "" if setup.path == HERE.resolve() else f" -s {setup.path}"
        again = f"Once its cause is mended: earful alerts send --all-dead{other}"
        out.print(escape(f'{again}. Or never: earful alerts drop KEY --because "…"{other}'), soft_wrap=True)


@app.command("send")
def send_again(
    context: typer.Context,
    key: Annotated[str | None, typer.Argument(help="The alert, such as alert_5f1d…")] = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="All that nobody tries any more.")] = False,
    sink: Sink = None,
    now: Annotated[bool, typer.Option("--now", help="Send at once, with all else that waits for these sinks.")] = False,
    settings: Settings = HERE,
) -> None:
    """Let dead letters be sent again, each with its own key, or one that waits be tried before its time.

    The next `earful listen` sends them, with ten tries anew. Exit code 1 if `--now` could not send all, 2 if there is
    no such alert, or it has gone out. Example: `earful alerts send --all-dead --sink slack`
    """
    from flows.setup import Setup
    from storage.outbox import Fate

    if all_dead == (key is not None):
        err.print("[red]Name one alert, or say --all-dead.[/] `earful alerts` lists them.")
        raise typer.Exit(UNUSABLE)
    with in_words():
        setup = Setup.read(_settings(context, settings))
        with setup.store() as store:
            store.migrate()
            chosen = store.deliveries(Fate.DEAD, sink=sink, limit=ALL) if key is None else _known(store, key, sink)
            number = store.send_again([one.alert for one in chosen], setup.now())
    sinks = sorted({one.alert.sink for one in chosen})
    if key is not None and not number:
        _say_why_not(setup, chosen)
        raise typer.Exit(UNUSABLE)
    for name in sorted(set(sinks) - {one.name for one in setup.sinks}):
        err.print(f"[yellow]No sink of the settings is named {escape(name)}: name one so, or they wait.[/]")
    if not now:
        then = " The next `earful listen` sends them." if number else ""
        out.print(f"{counted(number, 'alert')} will be sent again.{then}", soft_wrap=True)
        return
    if not _send_now(setup, sinks, chosen):
        raise typer.Exit(FAILED)


@app.command("drop")
def drop(
    context: typer.Context,
    key: Key,
    because: Annotated[str, typer.Option(help="Why nobody needs it; kept as its receipt.")],
    sink: Sink = None,
    settings: Settings = HERE,
) -> None:
    """Decide that an alert shall never be sent; the reason stays on it. Its case, if it has one, stays as it is.

    Exit code 2 if there is no such alert, or it has gone out, or is being sent just now. Example: `earful alerts drop
    alert_5f1d… --because "told by phone"`
    """
    from flows.setup import Setup

    with in_words():
        setup = Setup.read(_settings(context, settings))
        with setup.store() as store:
            store.migrate()
            chosen = _known(store, key, sink)
            kept = [one for one in chosen if not store.drop(one.alert, f"dropped: {because}", setup.now())]
    _say_why_not(setup, kept)
    if len(kept) == len(chosen):
        raise typer.Exit(UNUSABLE)
    out.print(Text.assemble("Dropped ", (key, "bold"), f": {because}"), soft_wrap=True)


def listed(out: Console, setup: "Setup", found: "Sequence[Delivery]") -> None:
    """Two lines an alert: which, where to and how it stands; then its tries, and what was said of it last."""
    now = setup.now()
    for one in found:
        state = _state(one, now)
        about = one.alert.kind if one.alert.case is None else f"{one.alert.kind} {one.alert.case}"
        line = Text.assemble((one.alert.key, "bold"), "  ", (f"{state:<10}", COLOURS[state]))
        out.print(line.append(f"  {about} → {one.alert.sink}"), no_wrap=True, overflow="ellipsis")
        tries = "1 try" if one.given == 1 else f"{one.given:,} tries"
        parts = [f"made {ago(one.alert.made_at, now)}", tries, *_when(one, now)]
        out.print(Padding(Text(", ".join(parts), "dim"), (0, 0, 0, 4)))
        said = one.receipt or told(one.error or "", one.who_acts)
        if said:
            out.print(Padding(Text(said, "red" if state == "dead" else ""), (0, 0, 0, 4)))
        if one.unsure(now) and not _honours(setup, one.alert.sink):
            twice = "may have gone out twice" if one.sent_at else "may have gone out already"
            out.print(Padding(Text(f"{twice}: look for its key there", "yellow"), (0, 0, 0, 4)))


def _state(one: "Delivery", now: datetime) -> str:
    return "being sent" if one.held(now) else str(one.fate)


def _when(one: "Delivery", now: datetime) -> list[str]:
    if one.sent_at is not None:
        return [f"{one.fate} {ago(one.sent_at, now)}"]
    if one.dead_at is not None:
        return [f"given up {ago(one.dead_at, now)}"]
    if one.held(now):
        return [f"another run may take it in {span(one.next_at - now)}"]
    return [f"next try in {span(one.next_at - now)}" if one.next_at > now else "next try with the next run"]


def _honours(setup: "Setup", sink: str) -> bool:
    return any(listed.name == sink and listed.honours_key for listed in setup.sinks)


def _values(setup: "Setup", one: "Delivery") -> dict[str, Any]:
    """All of it but anybody's words, for a script."""
    now, alert = setup.now(), one.alert
    fates = ("next_at", "dead_at", "receipt", "error", "who_acts")
    return {
        "key": alert.key,
        "sink": alert.sink,
        "kind": alert.kind,
        "case": alert.case,
        "urgency": alert.urgency,
        "made_at": alert.made_at,
        "sent_at": one.sent_at if one.dead_at is None else None,
        "state": _state(one, now),
        "tries": one.given,
        "may_have_gone_out_before": one.unsure(now) and not _honours(setup, alert.sink),
        **{name: getattr(one, name) for name in fates},
    }


def _settings(context: typer.Context, given: "Path") -> "Path":
    """The settings named behind the command, or else before it."""
    before: Path = context.obj
    return before if given == HERE else given


def _known(store: "Store", key: str, sink: str | None) -> "list[Delivery]":
    found = store.known(key, sink)
    if not found:
        there = f" for the sink {escape(sink)}" if sink else ""
        err.print(f"[red]There is no alert {escape(key)}{there}.[/] `earful alerts` lists them.", soft_wrap=True)
        raise typer.Exit(UNUSABLE)
    return found


def _say_why_not(setup: "Setup", found: "Sequence[Delivery]") -> None:
    now = setup.now()
    for one in found:
        why = [one.receipt] if one.dead_at and one.receipt else []
        how = f"{_state(one, now)}: {', '.join([*_when(one, now), *why])}"
        err.print(f"[red]{escape(one.alert.key)} for {escape(one.alert.sink)} is {escape(how)}.[/]", soft_wrap=True)


def _send_now(setup: "Setup", names: Sequence[str], chosen: "Sequence[Delivery]") -> bool:
    """Send all that waits for these sinks. Whether that went well, and what was chosen is out."""
    from flows.send import send
    from storage.outbox import Fate

    well = True
    for sink in [one for one in setup.sinks if one.name in names]:
        try:
            number = send.fn(setup, sink)
        except EarfulError as error:
            well = False
            err.print(f"[red]{escape(sink.name)}: {escape(told(str(error), error.who_acts))}[/]", soft_wrap=True)
        else:
            out.print(f"{counted(number, 'alert')} sent to {escape(sink.name)}.")
    with in_words(), setup.store() as store:
        left = [
            now for one in chosen for now in store.known(one.alert.key, one.alert.sink) if now.fate is not Fate.SENT
        ]
    _say_why_not(setup, left)
    return well and not left
