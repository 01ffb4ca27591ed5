"""What was counted: how many mentions of which kind were said in each hour, kept as judgements come and go.

So a year is told from some thousand rows and not from every mention. A cell is what one kind of mention of one source
came to on one day in UTC, hour by hour: any cut that falls on an hour is exact, wherever midnight is; what a cut within
an hour parts is counted anew. Whoever changes a judgement says so here, in the same transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    Integer,
    PrimaryKeyConstraint,
    Row,
    Select,
    Table,
    false,
    func,
    select,
    text,
)
from sqlmodel.sql.sqltypes import AutoString

from storage.database import Database, chunks, insert, one_moment
from storage.tables import ANALYSIS, MENTION, METADATA

_HOURS = tuple(f"h{hour:02}" for hour in range(24))
TALLY = Table(
    "tally",
    METADATA,
    Column("day", Date, nullable=False),
    Column("source", AutoString, nullable=False),
    Column("lane", AutoString, nullable=False),
    Column("sentiment", AutoString, nullable=False),
    Column("complaint", Boolean, nullable=False),
    Column("by_brand", Boolean, nullable=False),
    Column("number", Integer, nullable=False),
    *(Column(name, Integer, nullable=False) for name in _HOURS),
    PrimaryKeyConstraint("day", "source", "lane", "sentiment", "complaint", "by_brand"),
    sqlite_with_rowid=False,  # days that are asked for together lie together
)
_CELL = ("day", "source", "lane", "sentiment", "complaint", "by_brand")
_KIND = TALLY.c.source, TALLY.c.lane, TALLY.c.sentiment, TALLY.c.complaint
_WHOLE_DAYS = select(*_KIND, func.sum(TALLY.c.number)).group_by(*_KIND)
_PENDING = "tally"
"""Under which name a connection carries what its transaction has changed so far."""
_FACTS = (
    MENTION.c.said_at,
    MENTION.c.source,
    MENTION.c.by_brand,
    ANALYSIS.c.lane,
    ANALYSIS.c.sentiment,
    ANALYSIS.c.complaint,
)
_LANES = select(TALLY.c.lane, func.sum(TALLY.c.number)).group_by(TALLY.c.lane)

Cell = tuple[date, str, str, str, bool, bool]


class Kind(NamedTuple):
    """What is counted together; `complaint`: it was found to be one."""

    source: str
    lane: str
    sentiment: str
    complaint: bool


Counts = dict[Kind, int]


class Counted(Database):
    """The part of the store that counts what was judged. It does not count what the brand said itself."""

    def _write(self) -> AbstractContextManager[Connection]:
        return self._counting(super()._write())

    @contextmanager
    def _counting(self, transaction: AbstractContextManager[Connection]) -> Iterator[Connection]:
        with transaction as connection:
            connection.info[_PENDING] = changes = defaultdict[Cell, list[int]](lambda: [0] * 24)
            yield connection
            _keep(connection, changes)

    def recount(self) -> None:
        """Count anew all that is judged: an Earful from before there were counts may have judged beside this one."""
        with self._write() as connection:
            on_sqlite = connection.dialect.name == "sqlite"
            if not on_sqlite:  # who judges meanwhile waits, and adds to what is counted here
                connection.execute(text("LOCK TABLE tally IN EXCLUSIVE MODE"))
            connection.execute(TALLY.delete())
            day, hour = ("date(m.said_at)", "CAST(strftime('%H', m.said_at) AS INTEGER)")
            if not on_sqlite:
                day, hour = ("(m.said_at AT TIME ZONE 'UTC')::date", "extract(hour FROM m.said_at AT TIME ZONE 'UTC')")
            kind = f"{day}, m.source, a.lane, a.sentiment, coalesce(a.complaint, false), m.by_brand"
            hours = ", ".join(f"sum(CASE WHEN {hour} = {number} THEN 1 ELSE 0 END)" for number in range(24))
            connection.exec_driver_sql(
                f"INSERT INTO tally ({', '.join((*_CELL, 'number', *_HOURS))}) SELECT {kind}, count(*), {hours} "  # noqa: S608 - ours
                "FROM analysis a JOIN mention m ON m.key = a.mention_key GROUP BY 1, 2, 3, 4, 5, 6"
            )

    def trend(self, cuts: Sequence[datetime], *, source: str | None = None) -> list[Counts]:
        """How many of each kind were said from each of these times to the next; kinds nobody said are left out.

        Costs no more however many mentions there are, as long as the cuts fall on whole hours.
        """
        ours = (~TALLY.c.by_brand,) if source is None else (~TALLY.c.by_brand, TALLY.c.source == source)
        found: list[Counts] = []
        with self._read() as connection:
            one_moment(connection)
            begun = _begun(connection, cuts, ours, source)
            for (start, end), (before, within) in zip(pairwise(cuts), pairwise(begun), strict=True):
                first, last = (cut.astimezone(UTC).date() for cut in (start, end))
                days = TALLY.c.day >= first, TALLY.c.day < last
                counts = _counts(connection, _WHOLE_DAYS.where(*days, *ours))
                for kind, number in within.items():
                    counts[kind] = counts.get(kind, 0) + number
                for kind, number in before.items():
                    counts[kind] -= number
                found.append({kind: number for kind, number in counts.items() if number})
        return found


def counted_by_lane(connection: Connection) -> dict[str, int]:
    """How many mentions are in each lane, the brand's own among them."""
    return {lane: int(number) for lane, number in connection.execute(_LANES) if number}


def uncount(connection: Connection, keys: Sequence[str]) -> None:
    """The judgements of these mentions, as they stand, count no more. Lock the mentions first."""
    _count_all(connection, keys, -1)


def recount(connection: Connection, keys: Sequence[str]) -> None:
    """The judgements of these mentions count as they stand."""
    _count_all(connection, keys, 1)


def count(connection: Connection, judged: Iterable[tuple[Row[Any], Mapping[str, Any]]], times: int = 1) -> None:
    """Count judgements: each a mention, with its `said_at`, `source` and `by_brand`, and what was thought of it."""
    changes = connection.info[_PENDING]
    for said, thought in judged:
        at = said.said_at
        kind = thought["lane"], thought["sentiment"], bool(thought["complaint"])
        changes[at.date(), said.source, *kind, said.by_brand][at.hour] += times


def _count_all(connection: Connection, keys: Sequence[str], times: int) -> None:
    judged = select(*_FACTS).join(ANALYSIS, ANALYSIS.c.mention_key == MENTION.c.key)
    for chunk in chunks(keys):
        rows = connection.execute(judged.where(MENTION.c.key.in_(chunk))).all()
        count(connection, [(row, row._asdict()) for row in rows], times)


def _keep(connection: Connection, changes: dict[Cell, list[int]]) -> None:
    """Write the changes down, last of all and in order: who writes the same cells waits for us, and never deadlocks."""
    rows = [
        dict(zip(_CELL, cell, strict=True)) | {"number": sum(hours)} | dict(zip(_HOURS, hours, strict=True))
        for cell, hours in sorted(changes.items())
        if any(hours)
    ]
    if not rows:
        return
    fresh = insert(connection, TALLY)
    more: dict[str, Any] = {name: TALLY.c[name] + fresh.excluded[name] for name in ("number", *_HOURS)}
    for chunk in chunks(rows):
        connection.execute(fresh.on_conflict_do_update(index_elements=_CELL, set_=more), chunk)


def _begun(
    connection: Connection, cuts: Sequence[datetime], ours: Sequence[ColumnElement[bool]], source: str | None
) -> list[Counts]:
    """What was said before each of these cuts on its day in UTC."""
    moments = [cut.astimezone(UTC) for cut in cuts]
    found: dict[tuple[date, int], Counts] = defaultdict(dict)
    for hour in {moment.hour for moment in moments} - {0}:
        days = sorted({moment.date() for moment in moments if moment.hour == hour})
        before = sum((TALLY.c[name] for name in _HOURS[1:hour]), TALLY.c[_HOURS[0]])
        said = select(*_KIND, before, TALLY.c.day).where(TALLY.c.day.in_(days), *ours)
        for row in connection.execute(said).all():
            found[row[5], hour][Kind(*row[:4])] = row[4]
    return [_within(connection, moment, source, found[moment.date(), moment.hour]) for moment in moments]


def _within(connection: Connection, moment: datetime, source: str | None, before: Counts) -> Counts:
    """What was said `before` the hour of this moment on its day, and in that hour before it."""
    whole = moment.replace(minute=0, second=0, microsecond=0)
    if moment == whole:
        return before
    kind = MENTION.c.source, ANALYSIS.c.lane, ANALYSIS.c.sentiment, func.coalesce(ANALYSIS.c.complaint, false())
    said = select(*kind, func.count()).join(ANALYSIS, ANALYSIS.c.mention_key == MENTION.c.key).group_by(*kind)
    said = said.where(MENTION.c.said_at >= whole, MENTION.c.said_at < moment, ~MENTION.c.by_brand)
    more = _counts(connection, said if source is None else said.where(MENTION.c.source == source))
    return before | {kind: number + before.get(kind, 0) for kind, number in more.items()}


def _counts(connection: Connection, question: Select[Any]) -> Counts:
    return {Kind(*row[:4]): row[4] for row in connection.execute(question).all()}
