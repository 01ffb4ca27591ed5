"""The audit: what is in the store and what was heard at the sinks, held against what was said in the world."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import Connection, Select, func, select

from connectors.conform.scene import numbers
from storage.store import Store
from storage.tables import ALERT, CASE_MENTION, CASES, MENTION
from tests.faults.ground import KEYED, UNKEYED, Ground, Heard

_INNOCENT = 7
"""So many fields of an audit only say how much was looked at."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found, in counts; from `mentions_lost` on each is damage."""

    shown: int
    """Things said and not taken back."""
    kept: int
    """Those of them that are in the store."""
    due_alerts: int
    """One at each sink for each thing that somebody has to hear of."""
    received: int
    taken_back: int
    """Things that somebody was told of before they were deleted."""
    known_again: int
    """Came once more to a sink that knows keys, which kept it once: the run before had not marked it and died."""
    excused: int
    """Came once more to a sink that knows no keys, for the same reason."""

    mentions_lost: int = 0
    mentions_doubled: int = 0
    mentions_stale: int = 0
    """In the store with other words than were said last."""
    mentions_invented: int = 0
    """In the store, though nobody says it, or not any more."""
    mentions_unjudged: int = 0
    cases_lost: int = 0
    cases_doubled: int = 0
    cases_invented: int = 0
    """Of what nobody complained of, or of nothing, though its author takes nothing back."""
    alerts_lost: int = 0
    alerts_waiting: int = 0
    alerts_repeated_keyed: int = 0
    """At sinks that know keys: stands there twice, or was sent once more without reason."""
    alerts_repeated_unkeyed: int = 0
    alerts_invented: int = 0

    @property
    def damage(self) -> dict[str, int]:
        """What is wrong, by name; nothing if all is well."""
        counted = [each.name for each in fields(self)][_INNOCENT:]
        return {name: getattr(self, name) for name in counted if getattr(self, name)}


def audit(ground: Ground, store: Store) -> Audit:
    """Compare after a quiet run, when nothing may be left to do."""
    with store._read() as connection:  # noqa: SLF001 - looks behind the store
        texts = [str(text) for text in connection.scalars(select(MENTION.c.text))]
        unjudged = _count(connection, select(func.count()).select_from(MENTION).where(~MENTION.c.judged))
        waiting = _count(connection, select(func.count()).select_from(ALERT).where(ALERT.c.sent_at.is_(None)))
        opened = [(row.key, _number(row.first_mention)) for row in connection.execute(select(CASES))]
        filled = set(connection.scalars(select(CASE_MENTION.c.case_key)))
        in_cases = select(MENTION.c.text).join(CASE_MENTION, CASE_MENTION.c.mention_key == MENTION.c.key)
        cased = {number for text in connection.scalars(in_cases) for number in numbers(text)}
    living = {each.number: each.text for each in ground.said if not each.deleted}
    due = living.keys() & ground.due
    begun = Counter(number for _, number in opened)
    kept = Counter(number for text in texts for number in numbers(text))
    sinks = {sink: [one for one in ground.read() if one.sink == sink] for sink in (*KEYED, UNKEYED)}
    told = {sink: {one.number for one in heard if one.number} for sink, heard in sinks.items()}
    again = {sink: repeated(heard) for sink, heard in sinks.items()}
    unexcused = again[UNKEYED] - ground.excused
    return Audit(
        shown=len(living),
        kept=len(living.keys() & kept.keys()),
        due_alerts=len(due) * len(sinks),
        received=sum(map(len, sinks.values())),
        taken_back=len(set[int]().union(*told.values()) - living.keys()),
        known_again=ground.known_again,
        excused=again[UNKEYED].total() - unexcused.total(),
        mentions_lost=len(living.keys() - kept.keys()),
        mentions_doubled=sum(many - 1 for many in kept.values()),
        mentions_stale=sum(living.get(number, text) != text for text in texts for number in numbers(text)),
        mentions_invented=len(kept.keys() - living.keys()),
        mentions_unjudged=unjudged,
        cases_lost=len(due - cased),
        cases_doubled=sum(many - 1 for many in begun.values()),
        cases_invented=sum(
            number not in ground.shown or (key not in filled and number in living) for key, number in opened
        ),
        alerts_lost=sum(len(due - heard) for heard in told.values()),
        alerts_waiting=waiting,
        alerts_repeated_keyed=sum(again[sink].total() for sink in KEYED),
        alerts_repeated_unkeyed=unexcused.total(),
        alerts_invented=sum(len(heard - ground.shown) for heard in told.values()),
    )


def repeated(heard: Sequence[Heard]) -> Counter[str]:
    """The keys of what a person reads once more than once: under one key, or of one thing."""
    seen = set[str | int]()
    again = Counter[str]()
    for one in heard:
        marks = {one.key, one.number} - {None}
        again[one.key] += bool(marks & seen)
        seen |= marks  # without None
    return +again


def _number(key: str) -> int:
    """Which thing a mention of this key is."""
    return int(key.rpartition(":")[2])


def _count(connection: Connection, question: Select[tuple[int]]) -> int:
    return connection.scalar(question) or 0
