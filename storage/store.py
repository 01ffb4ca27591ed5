"""Store: the only way in and out of the memory. Values in, values out, never rows."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from storage.done import AWAITED, CaseFile, Done
from storage.heard import Heard, LastVisit, Rejected
from storage.outbox import Delivery
from storage.schema import Schema
from storage.tables import ALERT, ANALYSIS, CASES, MENTION, REJECTED, UNJUDGED
from storage.taught import Adopted, Taught
from storage.thought import Thought

__all__ = ["Adopted", "CaseFile", "Counts", "Delivery", "LastVisit", "Rejected", "Store"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is in the store. `alerts` gives for each sink how many wait and how many are sent."""

    mentions: int
    unanalysed: int
    by_lane: dict[str, int]
    rejected: int
    waiting: int
    cases: int
    alerts: dict[str, tuple[int, int]]


class Store(Schema, Heard, Thought, Taught, Done):
    """What was heard, what was thought of it and what was done about it: `with Store("sqlite:///earful.db") as store:`.

    `migrate` comes first. Every method is one transaction and may be called again after any failure. A database that
    goes away meanwhile raises TemporaryError.
    """

    def counts(self) -> Counts:
        """How much is in the store; `unanalysed` has never been judged, `waiting` of the `cases` await a reply."""
        with self._read() as connection:

            def number(question: Select[tuple[int]]) -> int:
                return connection.scalar(question) or 0

            def by(key: Any, *counted: Any) -> list[Any]:  # noqa: ANN401 - columns of any type
                return list(connection.execute(select(key, *(counted or (func.count(),))).group_by(key)))

            return Counts(
                mentions=number(select(func.count()).select_from(MENTION)),
                unanalysed=number(select(func.count()).select_from(MENTION).where(UNJUDGED)),
                by_lane=dict(tuple(row) for row in by(ANALYSIS.c.lane)),
                rejected=number(select(func.count()).select_from(REJECTED)),
                waiting=number(select(func.count()).select_from(CASES).where(*AWAITED)),
                cases=number(select(func.count()).select_from(CASES)),
                alerts={
                    sink: (total - sent, sent)
                    for sink, total, sent in by(ALERT.c.sink, func.count(), func.count(ALERT.c.sent_at))
                },
            )
