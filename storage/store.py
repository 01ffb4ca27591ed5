"""Store: the only way in and out of the memory. Values in, values out, never rows."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from storage.backup import Backup, Backups, Restored
from storage.circuits import Circuits
from storage.counted import Counted, Kind, counted_by_lane
from storage.database import one_moment
from storage.done import AWAITED, CaseFile, Done
from storage.heard import Heard, LastVisit, Rejected
from storage.outbox import DEAD, SENT, Delivery
from storage.outlived import Outlived
from storage.replied import Replied
from storage.searched import Found, Searched
from storage.tables import ALERT, CASES, MENTION, REJECTED, UNJUDGED
from storage.taught import Adopted, Taught
from storage.thought import Thought

__all__ = [
    "Adopted",
    "Backup",
    "CaseFile",
    "Counts",
    "Delivery",
    "Found",
    "Kind",
    "LastVisit",
    "Rejected",
    "Restored",
    "Store",
]


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is in the store. `alerts` gives for each sink how many wait and how many are sent.

    `dead`: how many are dead letters; sinks with none are left out.
    """

    mentions: int
    unanalysed: int
    by_lane: dict[str, int]
    rejected: int
    waiting: int
    cases: int
    alerts: dict[str, tuple[int, int]]
    dead: dict[str, int]


class Store(Backups, Heard, Outlived, Thought, Taught, Done, Replied, Circuits, Counted, Searched):
    """What was heard, what was thought of it and what was done about it: `with Store("sqlite:///earful.db") as store:`.

    `migrate` comes first. Every method is one transaction and may be called again after any failure. A database that
    goes away meanwhile raises TemporaryError.
    """

    def counts(self) -> Counts:
        """How much is in the store; `unanalysed` has never been judged, `waiting` of the `cases` await a reply."""
        with self._read() as connection:
            one_moment(connection)

            def number(question: Select[tuple[int]]) -> int:
                return connection.scalar(question) or 0

            def by(key: Any, *counted: Any) -> list[Any]:  # noqa: ANN401 - columns of any type
                return list(connection.execute(select(key, *(counted or (func.count(),))).group_by(key)))

            told = (SENT, DEAD, ALERT.c.sent_at.is_(None))
            sinks = by(ALERT.c.sink, *(func.count().filter(those) for those in told))
            unanalysed = number(select(func.count()).select_from(MENTION).where(UNJUDGED))
            by_lane = counted_by_lane(connection)  # every mention is judged and counted there, or still unanalysed
            return Counts(
                mentions=unanalysed + sum(by_lane.values()),
                unanalysed=unanalysed,
                by_lane=by_lane,
                rejected=number(select(func.count()).select_from(REJECTED)),
                waiting=number(select(func.count()).select_from(CASES).where(*AWAITED)),
                cases=number(select(func.count()).select_from(CASES)),
                alerts={sink: (unsent - dead, sent) for sink, sent, dead, unsent in sinks},
                dead={sink: dead for sink, _, dead, _ in sinks if dead},
            )
