"""What was deleted where it was said, or is kept no longer, is deleted here: the words, while what was done stays."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, and_, func, or_, select, tuple_, update

from pipeline.case import DELETED, Case, CaseState
from pipeline.route import solved
from pipeline.text import storable
from storage.counted import uncount
from storage.database import Database, chunks, columns, made
from storage.done import AWAITED
from storage.outbox import heard_by, put
from storage.searched import wipe_words
from storage.tables import ALERT, BY_BRAND, CASE_MENTION, CASES, MENTION, REJECTED, REPLY, VISIT

_CASE = columns(Case, CASES)
_INSIDE = and_(BY_BRAND, func.substr(MENTION.c.key, 1, func.length(MENTION.c.parent) + 1) == MENTION.c.parent + "/")
"""Of a mention: it is the brand's answer that stands inside another, whose key it goes on from."""
OUTLIVED = "no longer kept"
ERASED = "erased on request"
"""What stands where a stranger's words stood that were not deleted by their author."""


class Forgotten(Database):
    """The part of the store that looks whether things still stand where they were said."""

    def unchecked(self, source: str, *, heard_since: datetime, checked_before: datetime, limit: int) -> list[str]:
        """Keys of up to `limit` mentions of a source that were heard, or last looked up, before `checked_before`.

        Only of those heard at `heard_since` or later; the longest unchecked first. An answer that stands inside
        another mention goes with that one, and is not among them.
        """
        looked = func.coalesce(MENTION.c.checked_at, MENTION.c.heard_at)
        question = (
            select(MENTION.c.key)
            .where(MENTION.c.source == source, MENTION.c.heard_at >= heard_since, looked < checked_before)
            .where(or_(MENTION.c.parent.is_(None), ~_INSIDE))
            .order_by(looked, MENTION.c.key)
            .limit(limit)
        )
        with self._read() as connection:
            return list(connection.scalars(question))

    def note_checked(
        self, source: str, keys: Iterable[str], gone: Iterable[str], *, at: datetime, settling: Collection[str] = ()
    ) -> int:
        """These mentions were looked up where they were said, and those `gone` were deleted there: so they are here.

        All or nothing; how many were deleted here, which the last visit counts. For `settling` see `save`.
        """
        deleted = set(gone)
        with self._write() as connection:
            for chunk in chunks(sorted(set(keys) - deleted)):
                checked = update(MENTION).where(MENTION.c.key.in_(chunk))
                connection.execute(checked.values(checked_at=at, missed_at=None))
            count = forget(connection, source, deleted, at=at, settling=settling)
            last = select(func.max(VISIT.c.id)).where(VISIT.c.source == source).scalar_subquery()
            if count:
                wipe_words(connection)
                connection.execute(update(VISIT).where(VISIT.c.id == last).values(gone=VISIT.c.gone + count))
        return count

    def note_missed(self, keys: Iterable[str], *, at: datetime, again_after: datetime) -> None:
        """These mentions were not found, but nobody believes it yet: they count as looked up at `again_after`."""
        with self._write() as connection:
            for chunk in chunks(sorted(set(keys))):
                missed = update(MENTION).where(MENTION.c.key.in_(chunk))
                first = func.coalesce(MENTION.c.missed_at, at)
                connection.execute(missed.values(missed_at=first, checked_at=again_after))

    def missed(self, keys: Iterable[str], before: datetime) -> set[str]:
        """Those of these mentions that were missed then already, and at every look since."""
        found: set[str] = set()
        with self._read() as connection:
            for chunk in chunks(sorted(set(keys))):
                ours = select(MENTION.c.key).where(MENTION.c.key.in_(chunk), MENTION.c.missed_at <= before)
                found.update(connection.scalars(ours))
        return found

    def note_look_up(self, source: str, why: str | None, at: datetime) -> None:
        """Why it cannot be looked up what was deleted at `source`, with its last visit; None: that went well."""
        last = select(func.max(VISIT.c.id)).where(VISIT.c.source == source).scalar_subquery()
        since = None if why is None else func.coalesce(VISIT.c.unchecked_at, at)
        now = {"unchecked": None if why is None else storable(why), "unchecked_at": since}
        with self._write() as connection:
            connection.execute(update(VISIT).where(VISIT.c.id == last).values(now))

    def forget_mentions(
        self, source: str, keys: Iterable[str], because: str, *, at: datetime, settling: Collection[str] = ()
    ) -> int:
        """Delete these mentions of a source, all or nothing; how many there were. For `settling` see `save`.

        `because` stands where their words stood. After the last of them comes `tidy_words`.
        """
        with self._write() as connection:
            return forget(connection, source, keys, at=at, settling=settling, because=because)


def forget(
    connection: Connection,
    source: str,
    keys: Iterable[str],
    *,
    at: datetime,
    settling: Collection[str] = (),
    because: str = DELETED,
) -> int:
    """Delete these mentions of a source as a part of a larger transaction; how many there were.

    Who else heard one keeps it: it is not for this source to say. Mentions are locked before cases and judgements, by
    everybody who writes these.

    With each goes its raw item, its judgement, people's corrections of it, what the brand answered inside it, and its
    words wherever they were copied to. Its case stays; one in which only the brand's own words are left is not awaited
    any more, and those of the sinks `settling` that heard of it are told so.
    """
    count = 0
    for chunk in chunks(sorted(set(keys))):
        places = sorted({place for key in chunk for place in _places(key)})
        connection.execute(REJECTED.delete().where(REJECTED.c.source == source, REJECTED.c.place.in_(places)))
        known, others = _known(connection, source, chunk)
        _unquote(connection, sorted({*known, *chunk} - others), because)
        links = (
            select(CASE_MENTION.c.case_key, CASES.c.first_mention, MENTION.c.key, MENTION.c.said_at)
            .join(CASES, CASES.c.key == CASE_MENTION.c.case_key)
            .join(MENTION, MENTION.c.key == CASE_MENTION.c.mention_key)
            .where(CASE_MENTION.c.mention_key.in_(known))
        )
        said = connection.execute(links).all()
        uncount(connection, known)
        connection.execute(MENTION.delete().where(MENTION.c.key.in_(known)))
        _leave_cases(connection, known, said, at=at, settling=settling, because=because)
        count += len(known)
    return count


def _places(key: str) -> set[str]:
    """How a source names the place of a strange item of this key: by its id there, with or without what it is in."""
    native = key.partition(":")[2]
    return {native[:100], native.rpartition("/")[2][:100]}


def _known(connection: Connection, source: str, keys: Sequence[str]) -> tuple[list[str], set[str]]:
    """Those of the mentions that are here, with the brand's answers inside them, and those that another source heard.

    Until the end nobody else has them.
    """
    inside = select(MENTION.c.key).where(BY_BRAND, MENTION.c.parent.in_(keys), _INSIDE)
    wanted = sorted({*keys, *connection.scalars(inside)})
    question = select(MENTION.c.key, MENTION.c.source).where(MENTION.c.key.in_(wanted)).order_by(MENTION.c.key)
    rows = connection.execute(question.with_for_update()).all()
    return [row.key for row in rows if row.source == source], {row.key for row in rows if row.source != source}


def _unquote(connection: Connection, keys: Sequence[str], because: str) -> None:
    """What was answered stays known, without its words; what still waits has nobody to go to."""
    ours = REPLY.c.mention_key.in_(keys)
    connection.execute(update(REPLY).where(ours, REPLY.c.sent_at.is_(None)).values(error=because))
    connection.execute(update(REPLY).where(ours).values(text=""))


def _leave_cases(
    connection: Connection,
    keys: Sequence[str],
    said: Sequence[Row[tuple[str, str, str, datetime]]],
    *,
    at: datetime,
    settling: Collection[str],
    because: str,
) -> None:
    """The cases these mentions belonged to, without them."""
    touched = sorted({one.case_key for one in said})
    connection.execute(select(CASES.c.key).where(CASES.c.key.in_(touched)).order_by(CASES.c.key).with_for_update())
    theirs = select(CASE_MENTION.c.case_key).join(MENTION, MENTION.c.key == CASE_MENTION.c.mention_key)
    still = theirs.where(CASE_MENTION.c.case_key.in_(touched), ~MENTION.c.by_brand).distinct()
    empty = sorted({*touched} - {*connection.scalars(still)})
    _untell(connection, touched, empty, keys, [(one.case_key, one.said_at) for one in said], because=because)
    first = sorted({one.case_key for one in said if one.first_mention == one.key})
    connection.execute(update(CASES).where(CASES.c.key.in_(first)).values(fingerprint=""))
    closed = list(connection.scalars(select(CASES.c.key).where(CASES.c.key.in_(empty), *AWAITED)))
    end = {"state": str(CaseState.CLOSED), "closed_at": at, "closed_because": because}
    connection.execute(update(CASES).where(CASES.c.key.in_(closed)).values(end))
    connection.execute(update(CASES).where(CASES.c.key.in_(empty)).values(author=None, fingerprint=""))
    for row in connection.execute(select(*_CASE).where(CASES.c.key.in_(closed))).all():
        case = made(Case, row)
        put(connection, solved(case, heard_by(connection, case.key, settling), made_at=at))


def _untell(
    connection: Connection,
    cases: Sequence[str],
    empty: Sequence[str],
    keys: Sequence[str],
    said: Sequence[tuple[str, datetime]],
    *,
    because: str,
) -> None:
    """Alerts keep what they are about and what became of them, but nobody's words; one that waits goes without."""
    # One made before it was kept whom an alert quotes is known by when that was said.
    by_time = and_(ALERT.c.mention_key.is_(None), tuple_(ALERT.c.case, ALERT.c.said_at).in_(said))
    quoting = or_(ALERT.c.case.in_(empty), ALERT.c.mention_key.in_(keys), by_time)
    without: dict[str, object] = {"text": f"({because})", "who": None, "url": None, "why": []}
    connection.execute(update(ALERT).where(ALERT.c.case.in_(cases), quoting).values(without))
