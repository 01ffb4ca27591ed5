"""`earful status`: when each source was last heard, how far, what is stuck, and whether the judgement drifts."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from desk import unheard
from desk.show import ago, counted, dump, table
from pipeline.coverage import Coverage
from pipeline.errors import SettingsError, told

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from flows.setup import Setup
    from pipeline.circuit import Circuit
    from pipeline.drift import Drift
    from storage.store import Counts, LastVisit, Store

COLOURS = {
    "heard": "green",
    "not yet heard": "dim",
    "not listened to": "dim",
    "behind": "bold yellow",
    "unchecked": "bold yellow",
    "failing": "bold red",
    "silent": "bold red",
    "stuck": "bold red",
}

ILL = {"failing", "silent", "behind", "unchecked"}
"""States that need a person; of a source that is "unchecked" it cannot be looked up what was deleted there."""
BEHIND_AFTER = timedelta(days=1)
"""A source that leaves the same time out for longer, walk for walk, needs another setting: a larger budget, say."""


@dataclass(frozen=True, slots=True)
class Ear:
    """How it stands with one source; `up_to` is when the newest of its mentions was said.

    `whole_since` is from when on nothing is missing up to its last call, null where that left something out or the
    source does not tell; `gaps`: what is missing.
    `new` and `gone`, deleted where it was said, are of the last 90 days.
    """

    name: str
    state: str
    heard_at: datetime | None
    new_at: datetime | None
    new: int
    up_to: datetime | None
    error: str | None
    gone: int
    coverage: Coverage

    @property
    def values(self) -> dict[str, object]:
        """All of it, for a script."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "coverage"}
        return plain | {"whole_since": self.coverage.since, "gaps": unheard.as_values(self.coverage)}


@dataclass(frozen=True, slots=True)
class Mouth:
    """How it stands with one sink; `stuck` of the waiting alerts have waited for too long.

    `dead` ones are tried no more until a person says so; `twice`: sent of late, and may have gone out before.
    """

    name: str
    sent: int
    waiting: int
    stuck: int
    dead: int
    twice: int
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
    healthy = not any(mouth.stuck or mouth.dead for mouth in mouths) and not any(ear.state in ILL for ear in ears)
    mind = _mind(setup, store, now)
    healthy = healthy and mind.error is None
    adopted = store.adopted()
    resting = [circuit for circuit in store.circuits() if circuit.open_until and circuit.open_until > now]
    if as_json:
        drift = [asdict(one) | {"direction": one.direction} for one in mind.drift]
        lesson = adopted and {"version": adopted.version, "adopted_at": adopted.adopted_at}
        parts = {"sources": [ear.values for ear in ears], "sinks": [asdict(mouth) for mouth in mouths]}
        parts["hosts_left_alone"] = [circuit.model_dump() for circuit in resting]
        numbers = {"unanalysed": counts.unanalysed, "rejected": counts.rejected, "cases_waiting": counts.waiting}
        judged = {"judgement_error": mind.error, "judged_otherwise": mind.behind, "drift": drift, "lesson": lesson}
        dump(out, {"healthy": healthy, "mentions": counts.mentions} | numbers | judged | parts)
        return healthy
    _show(out, ears, mouths, now, setup.zone)
    gone = sum(ear.gone for ear in ears)
    for circuit in resting:
        out.print(Text(_left_alone(circuit, setup.zone), "yellow"), soft_wrap=True)
    out.print(
        f"{counts.mentions:,} mentions, {counts.unanalysed:,} not yet judged, "
        f"{counts.rejected:,} items could not be read, {counts.waiting:,} cases wait for an answer"
        + (f", {gone:,} were deleted where they were said, and so here" if gone else "")
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


def _left_alone(circuit: "Circuit", zone: tzinfo) -> str:
    until = f"{circuit.open_until.astimezone(zone):%d %b %H:%M}" if circuit.open_until else "the next run"
    times = "a failure" if circuit.failures == 1 else f"{circuit.failures} failures in a row"
    return f"{circuit.host} is left alone until {until}, after {times}: {circuit.why}"


def _mind(setup: "Setup", store: "Store", now: datetime) -> Mind:
    from flows.watch import drifted  # noqa: PLC0415 - Prefect takes seconds to import

    try:
        return Mind(store.behind(setup.analyst().version), drifted(setup, store, now), None)
    except SettingsError as error:
        return Mind(0, [], str(error))


def _ears(setup: "Setup", store: "Store", now: datetime) -> list[Ear]:
    visits, reached, covered = store.last_visits(), store.heard_up_to(), store.coverage()
    quiet = {source.name: source.quiet_after for source in setup.sources}
    found = []
    for name in dict.fromkeys([*quiet, *visits]):
        last: LastVisit | None = visits.get(name)
        known = covered.get(name, Coverage())
        if last is None:
            found.append(Ear(name, "not yet heard", None, None, 0, reached.get(name), None, 0, known))
            continue
        silent = name in quiet and last.new_at is not None and now - last.new_at > quiet[name]
        behind = any(not known.lasting(gap) and now - gap.first_at > BEHIND_AFTER for gap in known.unheard)
        ills = {"failing": last.visit.error, "silent": silent, "behind": behind, "unchecked": last.visit.unchecked}
        state = next((state for state, ill in ills.items() if ill), "heard")
        state = state if name in quiet else "not listened to"
        unchecked = last.visit.unchecked and f"what was deleted there cannot be looked up: {last.visit.unchecked}"
        error = told(last.visit.error, last.visit.who_acts) if last.visit.error else unchecked
        heard_at, up_to = last.success_at, reached.get(name)
        found.append(Ear(name, state, heard_at, last.new_at, last.new, up_to, error, last.gone, known))
    return found


def _mouths(setup: "Setup", store: "Store", counts: "Counts", now: datetime) -> list[Mouth]:
    from flows.watch import UNSURE_TOLD  # noqa: PLC0415 - Prefect takes seconds to import

    waiting, again = store.waiting(now), [alert.sink for alert in store.unsure_since(now - UNSURE_TOLD)]
    found, keyed = [], {sink.name for sink in setup.sinks if sink.honours_key}
    for name in dict.fromkeys([*(sink.name for sink in setup.sinks), *counts.alerts]):
        ours = [delivery for delivery in waiting if delivery.alert.sink == name]
        stuck = sum(delivery.alert.made_at < now - setup.watch.stuck_after for delivery in ours)
        error = next((told(one.error, one.who_acts) for one in ours if one.error), None)
        if ours and name not in {sink.name for sink in setup.sinks}:
            stuck, error = len(ours), "no sink of the settings has this name any more; name one so again"
        wait, sent = counts.alerts.get(name, (0, 0))
        twice = 0 if name in keyed else again.count(name)
        found.append(Mouth(name, sent, wait, stuck, counts.dead.get(name, 0), twice, error))
    return found


def _show(out: Console, ears: list[Ear], mouths: list[Mouth], now: datetime, zone: tzinfo) -> None:
    heard = table("source", "last heard", "last new", "new in 90 days", "heard up to", "state")
    for ear in ears:
        up_to = f"{ear.up_to.astimezone(zone):%d %b %Y %H:%M}" if ear.up_to else ""
        state = Text(ear.state, COLOURS[ear.state])
        heard.add_row(ear.name, ago(ear.heard_at, now), ago(ear.new_at, now), f"{ear.new:,}", up_to, state)
    out.print(heard)
    unheard.standing(out, {ear.name: ear.coverage for ear in ears if ear.state != "not yet heard"}, now, zone)
    reached = table("sink", "sent", "waiting", "stuck", "dead")
    for mouth in mouths:
        stuck = Text(f"{mouth.stuck:,}", COLOURS["stuck"] if mouth.stuck else "")
        dead = Text(f"{mouth.dead:,}", COLOURS["stuck"] if mouth.dead else "")
        reached.add_row(mouth.name, f"{mouth.sent:,}", f"{mouth.waiting:,}", stuck, dead)
    out.print(reached)
    for mouth in mouths:
        if mouth.dead:
            many = f"{counted(mouth.dead, 'alert')} for {mouth.name} reached nobody, and will not be tried again"
            out.print(Text(f"{many}: earful alerts --dead", "red"), soft_wrap=True)
        if mouth.twice:
            many = f"{counted(mouth.twice, 'alert')} for {mouth.name} may have gone out twice"
            out.print(Text(f"{many}: a run died, or an answer was lost, as they went out", "yellow"), soft_wrap=True)
    errors = [(ear.name, ear.error) for ear in ears] + [(mouth.name, mouth.error) for mouth in mouths]
    for name, error in [(name, error) for name, error in errors if error]:
        out.print(Text.assemble(("✗ ", "red"), (f"{name}: ", "bold"), error), soft_wrap=True)
