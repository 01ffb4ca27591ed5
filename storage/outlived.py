"""What is kept no longer, or is to be erased: where it stands, and raw and unreadable items, which go by themselves.

Mentions go the way of deletions, see forgotten.py.
"""

import json
import re
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_, select, tuple_, update

from storage.database import Database, chunks
from storage.done import AWAITED
from storage.tables import CASE_MENTION, CASES, MENTION, RAW, REJECTED, VISIT

Name = tuple[str | None, str]
"""What somebody is called in a source, or anywhere: elsewhere the same name or id may be another's."""
Place = tuple[datetime, str]
"""When a mention was said, and its key: the order of their index."""


class Outlived(Database):
    """The part of the store that finds what is not to be kept."""

    def visited_before(self, moment: datetime) -> datetime | None:
        """When the last visit of any source started that did before; None if none did."""
        question = select(func.max(VISIT.c.started_at)).where(VISIT.c.started_at < moment)
        with self._read() as connection:
            seen: datetime | None = connection.scalar(question)
        return seen

    def outlived(self, before: datetime, limit: int) -> list[tuple[str, str]]:
        """The sources and keys of up to `limit` mentions said before, the oldest first.

        What was said in a case that awaits a reply is remembered until it is answered or closed.
        """
        awaited = select(CASE_MENTION.c.mention_key).join(CASES, CASES.c.key == CASE_MENTION.c.case_key)
        question = (
            select(MENTION.c.source, MENTION.c.key)
            .where(MENTION.c.said_at < before)
            .where(~awaited.where(CASE_MENTION.c.mention_key == MENTION.c.key, *AWAITED).exists())
            .order_by(MENTION.c.said_at, MENTION.c.key)
            .limit(limit)
        )
        with self._read() as connection:
            return [(row.source, row.key) for row in connection.execute(question)]

    def said_by(self, author: str, source: str | None = None) -> list[tuple[str, str]]:
        """The sources and keys of all that somebody of this name or id said, there or anywhere. Reads all mentions."""
        question = select(MENTION.c.source, MENTION.c.key).where(_of(author))
        if source is not None:
            question = question.where(MENTION.c.source == source)
        with self._read() as connection:
            return [(row.source, row.key) for row in connection.execute(question.order_by(MENTION.c.key))]

    def unread_of(self, names: Collection[Name]) -> list[int]:
        """The ids of the items nobody could read in which one of these names stands. Reads all that may hold one."""
        question = select(REJECTED.c.id, REJECTED.c.source, REJECTED.c.item)
        with self._read() as connection:
            return sorted(
                row.id
                for source, name in names
                for row in connection.execute(question.where(*_there(REJECTED.c.source, source), _maybe_holds(name)))
                if _holds(row.item, name)
            )

    def forget_author(self, cases: Collection[Name], unread: Iterable[int]) -> int:
        """Take these names of an author out of cases, and delete these items nobody could read.

        How many items there were.
        """
        count = 0
        with self._write() as connection:
            for source, name in cases:
                theirs = update(CASES).where(CASES.c.author == name, *_there(CASES.c.source, source))
                connection.execute(theirs.values(author=None))
            for chunk in chunks(sorted(set(unread))):
                count += connection.execute(REJECTED.delete().where(REJECTED.c.id.in_(chunk))).rowcount
        return count

    def raws_before(self, before: datetime, limit: int, after: Place | None = None) -> list[Place]:
        """Where up to `limit` mentions stand that were said before and have a raw item; the oldest first.

        `after` is the last of those given before.
        """
        place = MENTION.c.said_at, MENTION.c.key
        question = select(*place).join(RAW, RAW.c.mention_key == MENTION.c.key).where(MENTION.c.said_at < before)
        if after is not None:
            question = question.where(tuple_(*place) > after)
        with self._read() as connection:
            return [(row.said_at, row.key) for row in connection.execute(question.order_by(*place).limit(limit))]

    def forget_raws(self, keys: Iterable[str]) -> int:
        """Delete the raw items of these mentions; the mentions stay. How many there were."""
        count = 0
        with self._write() as connection:
            for chunk in chunks(sorted(set(keys))):
                count += connection.execute(RAW.delete().where(RAW.c.mention_key.in_(chunk))).rowcount
        return count

    def forget_rejected(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` items nobody could read that were heard before; how many there were."""
        some = select(REJECTED.c.id).where(REJECTED.c.heard_at < before).order_by(REJECTED.c.heard_at).limit(limit)
        with self._write() as connection:
            return connection.execute(REJECTED.delete().where(REJECTED.c.id.in_(some))).rowcount


def _of(author: str) -> ColumnElement[bool]:
    """Of a mention: somebody of this name or id said it."""
    return or_(MENTION.c.author == author, MENTION.c.author_id == author)


def _there(column: ColumnElement[str], source: str | None) -> list[ColumnElement[bool]]:
    return [] if source is None else [column == source]


def _maybe_holds(name: str) -> ColumnElement[bool]:
    """Of an item nobody could read: the name stands somewhere in it, as it is or as JSON writes it."""
    if not name.strip():
        return false()  # it would stand in every item
    return or_(*(REJECTED.c.item.contains(form, autoescape=True) for form in {name, json.dumps(name)[1:-1]}))


def _holds(item: str, name: str) -> bool:
    """Whether an item is of somebody: a value in it is the name. In one that is no JSON the name stands by itself."""
    try:
        values = [json.loads(item)]
    except ValueError:
        return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", item) is not None
    while values:
        one: Any = values.pop()
        if isinstance(one, dict | list):
            values += one.values() if isinstance(one, dict) else one
        elif str(one) == name:
            return True
    return False
