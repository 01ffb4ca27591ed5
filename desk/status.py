"""`earful status`: when each source was last heard, how far, what is stuck, and whether the judgement drifts."""

from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from desk.show import ago, dump, table
from pipeline.errors import SettingsError, told

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from flows.setup import Setup
    from pipeline.drift import Drift
    from storage.store import Counts, LastVisit, Store

COLOURS = {
    "heard": "green",
    "not yet heard": "dim",
    "not listened to": "dim",
    "failing": "bold red",
    "silent": "bold red",
    "stuck": "bold red",
}


@dataclass(frozen=True, slots=True)
class Ear:
    """How it stands with one source; `up_to` is when the newest of its mentions was said."""

    name: str
    state: str
    heard_at: datetime | None
    new_at: datetime | None
    new: int
    up_to: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Mouth:
    """How it stands with one sink; `stuck` of the waiting alerts have waited for too long."""

    name: str
    sent: int
    waiting: int
    stuck: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Mind:
    """How it stands with the judging: what another version judged last, what drifts, and why nothing can be judged."""

    behind: int
    drift: list["Drift"]
    error: str | None


def status(out: Console, setup: "Setup", store: "Store", *, as_json: bool) -> bool:
    """Show how it stands with every source and sink. False if something needs a person."""
    now, counts = setup.now(), store.counts()
    ears, mouths = _ears(setup, store, now), _mouths(setup, store, counts, now)
    healthy = not any(mouth.stuck for mouth in mouths) and not any(ear.state in {"failing", "silent"} for ear in ears)
    mind = _mind(setup, store, now)
    healthy = healthy and mind.error is None
    adopted = store.adopted()
    if as_json:
        drift = [asdict(one) | {"direction": one.direction} for one in mind.drift]
        lesson = adopted and {"version": adopted.version, "adopted_at": adopted.adopted_at}
        parts = {"sources": [asdict(ear) for ear in ears], "sinks": [asdict(mouth) for mouth in mouths]}
        numbers = {"unanalysed": counts.unanalysed, "rejected": counts.rejected, "cases_waiting": counts.waiting}
        judged = {"judgement_error": mind.error, "judged_otherwise": mind.behind, "drift": drift, "lesson": lesson}
        dump(out, {"healthy": healthy, "mentions": counts.mentions} | numbers | judged | parts)
        return healthy
    _show(out, ears, mouths, now, setup.zone)
    out.print(
        f"{counts.mentions:,} mentions, {counts.unanalysed:,} not yet judged, "
        f"{counts.rejected:,} items could not be read, {counts.waiting:,} cases wait for an answer"
    )
    if adopted is not None:
        out.print(f"the lesson in use is {adopted.version}, adopted {ago(adopted.adopted_at, now)}")
    if mind.behind:
        out.print(f"{mind.behind:,} were judged by another version: the next earful listen judges them again")
    if mind.error is not None:
        out.print(Text.assemble(("✗ ", "red"), ("no mention can be judged: ", "bold"), mind.error), soft_wrap=True)
    for one in mind.drift:
        out.print(Text(f"{one.told}: earful review shows what Earful doubts", "yellow"), soft_wrap=True)
    return healthy


def _mind(setup: "Setup", store: "Store", now: datetime) -> Mind:
    from flows.watch import drifted  # noqa: PLC0415 - Prefect takes seconds to import

    try:
        return Mind(store.behind(setup.analyst().version), drifted(setup, store, now), None)
    except SettingsError as error:
        return Mind(0, [], str(error))


def _ears(setup: "Setup", store: "Store", now: datetime) -> list[Ear]:
    visits, reached = store.last_visits(), store.heard_up_to()
    quiet = {source.name: source.quiet_after for source in setup.sources}
    found = []
    for name in dict.fromkeys([*quiet, *visits]):
        last: LastVisit | None = visits.get(name)
        if last is None:
            found.append(Ear(name, "not yet heard", None, None, 0, reached.get(name), None))
            continue
        silent = name in quiet and last.new_at is not None and now - last.new_at > quiet[name]
        state = "failing" if last.visit.error else "silent" if silent else "heard"
        state = state if name in quiet else "not listened to"
        error = told(last.visit.error, last.visit.who_acts) if last.visit.error else None
        found.append(Ear(name, state, last.success_at, last.new_at, last.new, reached.get(name), error))
    return found


def _mouths(setup: "Setup", store: "Store", counts: "Counts", now: datetime) -> list[Mouth]:
    waiting = store.waiting(now)
    found = []
    for name in dict.fromkeys([*(sink.name for sink in setup.sinks), *counts.alerts]):
        ours = [delivery for delivery in waiting if delivery.alert.sink == name]
        stuck = sum(delivery.alert.made_at < now - setup.watch.stuck_after for delivery in ours)
        error = next((told(one.error, one.who_acts) for one in ours if one.error), None)
        if ours and name not in {sink.name for sink in setup.sinks}:
            stuck, error = len(ours), "no sink of the settings has this name any more; name one so again"
        wait, sent = counts.alerts.get(name, (0, 0))
        found.append(Mouth(name, sent, wait, stuck, error))
    return found


def _show(out: Console, ears: list[Ear], mouths: list[Mouth], now: datetime, zone: tzinfo) -> None:
    heard = table("source", "last heard", "last new", "new in all", "heard up to", "state")
    for ear in ears:
        up_to = f"{ear.up_to.astimezone(zone):%d %b %Y %H:%M}" if ear.up_to else ""
        state = Text(ear.state, COLOURS[ear.state])
        heard.add_row(ear.name, ago(ear.heard_at, now), ago(ear.new_at, now), f"{ear.new:,}", up_to, state)
    out.print(heard)
    reached = table("sink", "sent", "waiting", "stuck")
    for mouth in mouths:
        stuck = Text(f"{mouth.stuck:,}", COLOURS["stuck"] if mouth.stuck else "")
        reached.add_row(mouth.name, f"{mouth.sent:,}", f"{mouth.waiting:,}", stuck)
    out.print(reached)
    errors = [(ear.name, ear.error) for ear in ears] + [(mouth.name, mouth.error) for mouth in mouths]
    for name, error in [(name, error) for name, error in errors if error]:
        out.print(Text.assemble(("✗ ", "red"), (f"{name}: ", "bold"), error), soft_wrap=True)
