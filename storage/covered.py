"""What is surely heard of each source, and what is not: kept small, merged as each walk tells."""

from datetime import datetime

from sqlalchemy import Connection, select, text, update

from pipeline.coverage import Coverage, Stretch, Unheard
from pipeline.text import storable
from storage.database import Database
from storage.tables import COVERAGE, CURSOR


class Covered(Database):
    """The part of the store that knows what was not heard."""

    def coverage(self) -> dict[str, Coverage]:
        """What is known of every source that ever told how far it was read, by its name."""
        with self._read() as connection:
            return coverage_of(connection)

    def broken_off(self, source: str) -> datetime | None:
        """When the walk began that moved the place of `source` and never came to its end; None if the last one did.

        The next one goes on where it was.
        """
        with self._read() as connection:
            return connection.scalar(select(CURSOR.c.began).where(CURSOR.c.source == source))

    def end_walk(self, source: str) -> None:
        """The walk of `source` came to its end: what it did not tell it read, it did not read."""
        with self._write() as connection:
            connection.execute(update(CURSOR).where(CURSOR.c.source == source).values(began=None))

    def forget_coverage(self, source: str) -> None:
        """Claim nothing of this source any more: it is asked for something else from now on."""
        with self._write() as connection:
            connection.execute(COVERAGE.delete().where(COVERAGE.c.source == source))


def coverage_of(connection: Connection, source: str | None = None) -> dict[str, Coverage]:
    """What is known of one source, or of all."""
    question = select(COVERAGE).order_by(COVERAGE.c.end)
    if source is not None:
        question = question.where(COVERAGE.c.source == source)
    complete: dict[str, list[Stretch]] = {}
    unheard: dict[str, list[Unheard]] = {}
    for row in connection.execute(question):
        if row.why is None:
            complete.setdefault(row.source, []).append(Stretch(row.start, row.end, row.told_at))
        else:
            gap = Unheard(row.start, row.end, row.why, row.first_at, row.told_at, row.broken)
            unheard.setdefault(row.source, []).append(gap)
    names = dict.fromkeys([*complete, *unheard])
    return {name: Coverage(tuple(complete.get(name, ())), tuple(unheard.get(name, ()))) for name in names}


def known_of(connection: Connection, source: str) -> Coverage:
    """What is known of one source, which nobody else changes until this transaction ends."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        connection.execute(text("LOCK TABLE coverage IN SHARE ROW EXCLUSIVE MODE"))
    return coverage_of(connection, source).get(source, Coverage())


def keep_coverage(connection: Connection, source: str, coverage: Coverage) -> None:
    """Let this be all that is known of a source."""
    connection.execute(COVERAGE.delete().where(COVERAGE.c.source == source))
    rows = [*map(_row, coverage.complete), *map(_row, coverage.unheard)]
    if rows:
        connection.execute(COVERAGE.insert(), [row | {"source": source} for row in rows])


def _row(one: Stretch | Unheard) -> dict[str, object]:
    when = {"start": one.start, "end": one.end, "told_at": one.told_at}
    if isinstance(one, Stretch):
        return when | {"why": None, "first_at": one.told_at, "broken": False}
    return when | {"why": storable(one.why), "first_at": one.first_at, "broken": one.broken}
