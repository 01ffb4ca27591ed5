"""What was heard: mentions with the raw items they were made from, how far each source is read, and every visit."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, RowMapping, bindparam, case, func, or_, select

from pipeline.coverage import Walk
from pipeline.mention import Mention
from pipeline.text import storable
from pipeline.visit import Visit
from storage.bulk import Insert, kept_as_it_is, put
from storage.counted import uncount
from storage.covered import Covered, keep_coverage, known_of
from storage.database import chunks, columns, insert, made, values
from storage.forgotten import Forgotten, forget
from storage.searched import note_words, wipe_words
from storage.tables import ANALYSIS, BY_BRAND, CURSOR, MENTION, RAW, REJECTED, VISIT

_READ = ("text", "title", "rating", "rating_min", "rating_max", "kind")
"""What a judgement rests on: if one of these changed, the mention was edited."""
_COUNTED = ("likes", "replies", "reposts", "author_reach")
"""What grows by itself: refreshed without another judgement."""
_KEPT = ("key", "said_at")
"""What no edit changes."""


class Strange(Protocol):
    """A raw item nobody could read, as a connector keeps it aside."""

    @property
    def item(self) -> str: ...  # noqa: D102 - see Rejected
    @property
    def place(self) -> str: ...  # noqa: D102 - see Rejected
    @property
    def reason(self) -> str: ...  # noqa: D102 - see Rejected


@dataclass(frozen=True, slots=True)
class Rejected:
    """A raw item nobody could read: as it came, where it stood, why it was strange, and when it was first heard."""

    source: str
    item: str
    place: str
    reason: str
    heard_at: datetime


class Saved(NamedTuple):
    """What a page changed: how many of its mentions are `new`, and how many were deleted here that it shows as gone."""

    new: int
    gone: int


@dataclass(frozen=True, slots=True)
class LastVisit:
    """How it stands with one source: its newest visit, when one last went well, when one last brought anything new.

    `visits`, `new` and `gone` are sums over the visits that are still known.
    """

    visit: Visit
    success_at: datetime | None
    new_at: datetime | None
    visits: int
    new: int
    gone: int


class Heard(Forgotten, Covered):
    """The ears' part of the store."""

    def cursor(self, source: str) -> str | None:
        """How far `source` is read, in its own words; None if it never was."""
        with self._read() as connection:
            return connection.scalar(select(CURSOR.c.cursor).where(CURSOR.c.source == source))

    def save(
        self,
        source: str,
        mentions: Sequence[Mention],
        raws: Sequence[Mapping[str, Any]],
        rejected: Sequence[Strange],
        cursor: str | None,
        *,
        heard_at: datetime,
        gone: Collection[str] = (),
        settling: Collection[str] = (),
        walk: Walk | None = None,
    ) -> Saved:
        """Keep one page: mentions, the raw items `raws[i]` of `mentions[i]`, rejects and cursor, all or nothing.

        A known mention with other words or stars was edited: it is replaced and its
        analysis dropped; counts such as likes are refreshed without that. `said_at` and `heard_at` stay as first heard.
        Of one key twice in a page the last counts. A cursor of None leaves the place where it is. What is `gone` where
        it was said is deleted here; the sinks `settling` hear of a case that ends so. `walk` is which one this page is
        of, and what it tells of how far back the source is read; until `end_walk` it has not come to its end.
        """
        page = {mention.key: (mention, raw) for mention, raw in zip(mentions, raws, strict=True)}
        # In the order of keys, so that two writers of the same mentions wait for each other and never deadlock.
        pairs = [page[key] for key in sorted(page)]
        with self._write() as connection:
            new = sum(_keep(connection, chunk, heard_at) for chunk in chunks(pairs))
            if new:
                note_words(connection)
            for strange in chunks(rejected):
                rows = [_aside(source, one, heard_at) for one in strange]
                connection.execute(insert(connection, REJECTED).on_conflict_do_nothing(), rows)
            if cursor is not None:
                place = insert(connection, CURSOR)
                row = {"source": source, "cursor": cursor, "moved_at": heard_at, "began": walk and walk.began}
                moved = {name: place.excluded[name] for name in row if name != "source"}
                connection.execute(place.on_conflict_do_update(index_elements=["source"], set_=moved), row)
            deleted = forget(connection, source, gone, at=heard_at, settling=settling)
            if deleted:
                wipe_words(connection)
            if walk is not None and (walk.reach is not None or walk.gaps):
                keep_coverage(connection, source, known_of(connection, source).after(walk))
        return Saved(new, deleted)

    def mention(self, key: str) -> Mention | None:
        """The mention of this key; None if it was never heard."""
        return self.mentions([key]).get(key)

    def mentions(self, keys: Iterable[str]) -> dict[str, Mention]:
        """The known ones of these mentions, by key."""
        found: dict[str, Mention] = {}
        with self._read() as connection:
            for chunk in chunks(sorted(set(keys))):
                rows = connection.execute(select(*columns(Mention, MENTION)).where(MENTION.c.key.in_(chunk)))
                found |= {mention.key: mention for mention in (made(Mention, row) for row in rows)}
        return found

    def raw(self, key: str) -> dict[str, Any] | None:
        """The raw item the mention of this key was made from, as its source sent it last."""
        with self._read() as connection:
            item = connection.scalar(select(RAW.c.item).where(RAW.c.mention_key == key))
        return None if item is None else dict(json.loads(item))

    def rejected(self, since: datetime | None = None, limit: int = 1000) -> list[Rejected]:
        """Items nobody could read that were first heard at `since` or later, newest first."""
        wanted = [REJECTED.c[name] for name in Rejected.__slots__]
        question = select(*wanted).order_by(REJECTED.c.heard_at.desc(), REJECTED.c.id.desc()).limit(limit)
        if since is not None:
            question = question.where(REJECTED.c.heard_at >= since)
        with self._read() as connection:
            return [Rejected(*row) for row in connection.execute(question)]

    def note_visit(self, visit: Visit) -> None:
        """Remember one call at a source, and how it went; what was said before one that failed is not yet heard.

        Why nobody can look up what was deleted stays as it was.
        """
        error = None if visit.error is None else storable(visit.error)
        with self._write() as connection:
            last = select(VISIT.c.unchecked, VISIT.c.unchecked_at).where(VISIT.c.source == visit.source)
            before = connection.execute(last.order_by(VISIT.c.id.desc()).limit(1)).first()
            same = {} if before is None else before._asdict()
            connection.execute(VISIT.insert(), values(visit) | {"error": error} | same)
            if error is not None:
                known = known_of(connection, visit.source)
                broken = known.broken(visit.started_at, visit.ended_at, error)
                if broken != known:
                    keep_coverage(connection, visit.source, broken)

    def prune_visits(self, before: datetime) -> int:
        """Forget the visits that started before; how many.

        Of each source the newest stays, and the newest that was well, and that brought anything new: they say so.
        """
        later = VISIT.alias()
        after = select(later.c.id).where(later.c.source == VISIT.c.source, later.c.id > VISIT.c.id)
        old = VISIT.delete().where(
            VISIT.c.started_at < before,
            after.exists(),
            or_(VISIT.c.error.is_not(None), after.where(later.c.error.is_(None)).exists()),
            or_(VISIT.c.new == 0, after.where(later.c.new > 0).exists()),
        )
        with self._write() as connection:
            return connection.execute(old).rowcount

    def visits(self, since: datetime, until: datetime | None = None) -> list[Visit]:
        """The visits that started at `since` or later and before `until`, oldest first."""
        question = select(*columns(Visit, VISIT)).where(VISIT.c.started_at >= since)
        if until is not None:
            question = question.where(VISIT.c.started_at < until)
        with self._read() as connection:
            return [made(Visit, row) for row in connection.execute(question.order_by(VISIT.c.started_at, VISIT.c.id))]

    def last_visits(self) -> dict[str, LastVisit]:
        """How it stands with every source that was ever visited, by its name."""
        standing = (
            select(
                func.max(VISIT.c.id).label("last"),
                func.max(case((VISIT.c.error.is_(None), VISIT.c.ended_at))).label("success_at"),
                func.max(case((VISIT.c.new > 0, VISIT.c.ended_at))).label("new_at"),
                func.count().label("visits"),
                func.sum(VISIT.c.new).label("new"),
                func.sum(VISIT.c.gone).label("gone"),
            )
            .group_by(VISIT.c.source)
            .subquery()
        )
        question = select(*columns(Visit, VISIT), *list(standing.c)[1:]).join(standing, VISIT.c.id == standing.c.last)
        with self._read() as connection:
            return {row.source: LastVisit(made(Visit, row), *row[-5:]) for row in connection.execute(question)}

    def answer_to(self, key: str) -> Mention | None:
        """The first of the brand's own words that reply to this mention; None if there are none."""
        replies = select(*columns(Mention, MENTION)).where(BY_BRAND, MENTION.c.parent == key)
        with self._read() as connection:
            row = connection.execute(replies.order_by(MENTION.c.said_at).limit(1)).first()
        return None if row is None else made(Mention, row)

    def heard_up_to(self) -> dict[str, datetime]:
        """When the newest mention of each source was said, by the source's name. Reads all mentions."""
        question = select(MENTION.c.source, func.max(MENTION.c.said_at)).group_by(MENTION.c.source)
        with self._read() as connection:
            return dict(tuple(row) for row in connection.execute(question))


def _keep(connection: Connection, page: Sequence[tuple[Mention, Mapping[str, Any]]], heard_at: datetime) -> int:
    """Insert what is new, replace what was edited, refresh what was counted; how many are new."""
    wanted = [MENTION.c[name] for name in ("key", "edited_at", *_READ, *_COUNTED)]
    keys = [mention.key for mention, _ in page]
    known = {row["key"]: row for row in connection.execute(select(*wanted).where(MENTION.c.key.in_(keys))).mappings()}
    fresh = [pair for pair in page if pair[0].key not in known]
    edited = [pair for pair in page if pair[0].key in known and _edited(pair[0], known[pair[0].key])]
    counted = [mention for mention, _ in page if mention.key in known and _grown(mention, known[mention.key])]
    new = 0
    if fresh:
        first = {"heard_at": heard_at, "wording": 0, "judged": False}
        rows = [values(mention) | first for mention, _ in fresh]
        new = put(connection, MENTION, rows, kept_as_it_is)
        _keep_raw(connection, fresh)
    if edited:
        _replace(connection, [mention for mention, _ in edited])
        _keep_raw(connection, edited)
    if counted:
        latest: dict[str, Any] = {name: func.coalesce(bindparam(f"new_{name}"), MENTION.c[name]) for name in _COUNTED}
        rows = [
            {"at": mention.key} | {f"new_{name}": getattr(mention, name) for name in _COUNTED} for mention in counted
        ]
        connection.execute(MENTION.update().where(MENTION.c.key == bindparam("at")).values(latest), rows)
    return new


def _edited(mention: Mention, known: RowMapping) -> bool:
    if mention.edited_at is not None and known["edited_at"] is not None and mention.edited_at < known["edited_at"]:
        return False  # an older wording, heard late
    return any(getattr(mention, name) != known[name] for name in _READ)


def _grown(mention: Mention, known: RowMapping) -> bool:
    latest = ((getattr(mention, name), known[name]) for name in _COUNTED)
    return any(now is not None and now != before for now, before in latest)


def _replace(connection: Connection, mentions: Sequence[Mention]) -> None:
    """Other words under a known key: nothing that was made of the old ones may stay."""
    keys = [mention.key for mention in mentions]
    said = select(MENTION.c.key).where(MENTION.c.key.in_(keys)).order_by(MENTION.c.key)
    connection.execute(said.with_for_update(key_share=True))  # nobody judges them between this and the end
    uncount(connection, keys)
    rows = [{f"new_{name}": value for name, value in values(mention).items()} for mention in mentions]
    replaced: dict[str, Any] = {name: bindparam(f"new_{name}") for name in Mention.model_fields if name not in _KEPT}
    marked = replaced | {"wording": MENTION.c.wording + 1, "judged": False}
    connection.execute(MENTION.update().where(MENTION.c.key == bindparam("new_key")).values(marked), rows)
    connection.execute(ANALYSIS.delete().where(ANALYSIS.c.mention_key.in_(keys)))


def _keep_raw(connection: Connection, page: Sequence[tuple[Mention, Mapping[str, Any]]]) -> None:
    rows = [
        {"mention_key": mention.key, "source": mention.source, "item": json.dumps(raw, default=str)}
        for mention, raw in page
    ]
    put(connection, RAW, rows, _latest_raw)


def _latest_raw(item: Insert) -> Insert:
    latest = {"source": item.excluded.source, "item": item.excluded.item}
    return item.on_conflict_do_update(index_elements=["mention_key"], set_=latest)


def _aside(source: str, strange: Strange, heard_at: datetime) -> dict[str, Any]:
    item = storable(strange.item)
    return {
        "source": source,
        "digest": hashlib.sha256(item.encode()).hexdigest(),
        "place": storable(strange.place),
        "reason": storable(strange.reason),
        "item": item,
        "heard_at": heard_at,
    }
