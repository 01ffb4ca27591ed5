"""What is still to be judged, and who is judging it: two judges at once do not do the same work."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal, or_, select, text, true, tuple_

from pipeline.errors import EarfulError
from pipeline.mention import Mention
from storage.database import Database, columns, made
from storage.tables import ANALYSIS, CLAIM, MENTION, UNJUDGED

_MENTION = columns(Mention, MENTION)
_PLACE = (MENTION.c.said_at, MENTION.c.key)
_TURN = 0x_EA_2F_02
"""Any number, the same for all of us: who holds it on PostgreSQL is giving out what is to be judged."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was said one after the other, from `first` on and before `last`: each a time and the key said then."""

    first: tuple[datetime, str]
    last: tuple[datetime, str]


class Unjudged(Database):
    """The part of the store that says what is left to be judged. A judge is known by any name of its own."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._handed: dict[str, int] = {}

    def unanalysed(self, version: str, limit: int, *, past: bool = True) -> list[Mention]:
        """Up to `limit` mentions without an analysis of this version: first those never judged, the oldest first.

        Then, unless the `past` is left out, those that another version judged, the newest of each first: they may
        still open a case. Empty when all is done; costs no more however much is done.
        """
        rows: list[Row[Any]] = []
        with self._read() as connection:
            for question in _left(version, past=past):
                if len(rows) < limit:
                    rows += connection.execute(question.limit(limit - len(rows)))
        return self._handed_out(rows)

    def behind(self, version: str) -> int:
        """How many mentions were judged last by another version than this. Costs no more however much is done."""
        with self._read() as connection:
            return sum(connection.scalar(select(func.count()).where(other)) or 0 for other in _others(version))

    def take(
        self, judge: str, version: str, limit: int, *, now: datetime, lease: timedelta, past: bool = True
    ) -> list[Mention]:
        """What `unanalysed` says, less what others have in hand; for a `lease` nobody else is given these.

        What this judge had before is free again: it is saved, or given up. A judge that dies gives back by itself when
        its lease is over. Empty when nothing is left but what others judge just now.
        """
        return self._take(judge, _left(version, past=past), now, lease, limit)

    def take_stretch(
        self, judge: str, stretch: Stretch, version: str, limit: int, *, now: datetime, lease: timedelta
    ) -> list[Mention]:
        """Up to `limit` of what was said in a stretch and this version has not judged, in hand as by `take`.

        The same judge may take it again: whoever carries on for one that died has to wait for nobody.
        """
        return self._take(judge, [_otherwise(version).where(*_inside(stretch))], now, lease, limit)

    def pages(self, stretch: Stretch, size: int) -> Iterator[list[Mention]]:
        """All that was said in a stretch, up to `size` at a time, whoever judged it and whoever has it in hand."""
        onward, end = _inside(stretch)
        question = _otherwise(None).where(end).order_by(*_PLACE).limit(size)
        while True:
            with self._read() as connection:
                rows = connection.execute(question.where(onward)).all()
            if not rows:
                return
            yield self._handed_out(rows)
            onward = tuple_(*_PLACE) > (rows[-1].said_at, rows[-1].key)

    def keep_in_hand(self, judge: str, *, now: datetime, lease: timedelta) -> None:
        """For a `lease` from now on nobody else is given what this judge has in hand."""
        with self._write() as connection:
            connection.execute(CLAIM.update().where(CLAIM.c.judge == judge).values(until=now + lease))

    @contextmanager
    def judge(self, name: str | None = None) -> Iterator[str]:
        """A name to take by, of its own or this; what it has in hand at the end is given back, whatever happened."""
        name = name or uuid4().hex
        try:
            yield name
        finally:
            with suppress(EarfulError):  # the lease gives it back as well
                self.give_back(name)

    def give_back(self, judge: str) -> None:
        """What this judge has in hand is free for others."""
        with self._write() as connection:
            _wait_for_turn(connection)
            connection.execute(CLAIM.delete().where(CLAIM.c.judge == judge))

    def stretches(self, start: datetime, end: datetime, size: int, version: str | None) -> list[Stretch]:
        """What was said from `start` to before `end` and this version has not judged, without one all, said last first.

        Each holds up to `size` of them now; more may be said in it before it is judged. One walk through the index of
        what was said when; no text is read.
        """
        number = func.row_number().over(order_by=_PLACE).label("number")
        asked = _otherwise(version).where(MENTION.c.said_at >= start, MENTION.c.said_at < end)
        walk = asked.with_only_columns(*_PLACE, number).subquery()
        firsts = select(walk.c.said_at, walk.c.key).where(walk.c.number % size == 1 % size).order_by(walk.c.number)
        with self._read() as connection:
            places = [(row.said_at, row.key) for row in connection.execute(firsts)]
        return [Stretch(*pair) for pair in pairwise([*places, (end, "")])][::-1]

    def _take(
        self, judge: str, questions: Sequence[Select[Any]], now: datetime, lease: timedelta, limit: int
    ) -> list[Mention]:
        mine = select(*_MENTION, MENTION.c.wording).join(CLAIM, CLAIM.c.mention_key == MENTION.c.key)
        while self._claim(judge, questions, now, lease, limit):
            with self._read() as connection:
                rows = connection.execute(mine.where(CLAIM.c.judge == judge)).all()
            if rows:  # else all of it was deleted in between
                return self._handed_out(rows)
        return []

    def _claim(self, judge: str, questions: Sequence[Select[Any]], now: datetime, lease: timedelta, limit: int) -> int:
        """How many this judge has in hand now."""
        free = ~select(CLAIM.c.mention_key).where(CLAIM.c.mention_key == MENTION.c.key).exists()
        until, taken = now + lease, 0
        # One that lies too far ahead was made before somebody set the clock back.
        over = or_(CLAIM.c.judge == judge, CLAIM.c.until <= now, CLAIM.c.until > until + lease)
        with self._write() as connection:
            _wait_for_turn(connection)
            connection.execute(CLAIM.delete().where(over))
            counting = connection.execution_options(preserve_rowcount=True)
            for question in questions:
                if taken < limit:
                    some = question.where(free).limit(limit - taken)
                    claims = some.with_only_columns(MENTION.c.key, literal(judge), literal(until, CLAIM.c.until.type))
                    taken += counting.execute(CLAIM.insert().from_select(list(CLAIM.c), claims)).rowcount
        return taken

    def _handed_out(self, rows: Sequence[Row[Any]]) -> list[Mention]:
        """An edit may come between this and save_analyses: then the analysis is of words nobody says any more."""
        self._handed = {row.key: row.wording for row in rows}
        return [made(Mention, row) for row in rows]


def _wait_for_turn(connection: Connection) -> None:
    """SQLite has one writer at a time anyway; on PostgreSQL the lock ends with the transaction, in milliseconds."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_TURN})"))


def _inside(stretch: Stretch) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    place = tuple_(*_PLACE)
    return place >= stretch.first, place < stretch.last


def _left(version: str, *, past: bool) -> list[Select[Any]]:
    """The questions whose answers are to be judged, what matters most first."""
    never = select(*_MENTION, MENTION.c.wording).where(UNJUDGED).order_by(MENTION.c.said_at)
    return [never, *(_judged_otherwise(other) for other in _others(version) if past)]


def _judged_otherwise(other: ColumnElement[bool]) -> Select[Any]:
    question = select(*_MENTION, MENTION.c.wording).join(ANALYSIS, ANALYSIS.c.mention_key == MENTION.c.key)
    return question.where(other).order_by(ANALYSIS.c.version.desc(), ANALYSIS.c.said_at.desc())


def _others(version: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Before and after, not unequal: that would read the whole index to find that nothing is left."""
    return ANALYSIS.c.version < version, ANALYSIS.c.version > version


def _otherwise(version: str | None) -> Select[Any]:
    """Mentions that nobody judged, or another version; without one, every mention."""
    if version is None:
        return select(*_MENTION, MENTION.c.wording).where(true())
    joined = select(*_MENTION, MENTION.c.wording).outerjoin(ANALYSIS, ANALYSIS.c.mention_key == MENTION.c.key)
    return joined.where(or_(ANALYSIS.c.version.is_(None), ANALYSIS.c.version != version))
