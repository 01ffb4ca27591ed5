"""What was done about it: which judgements the case step has seen, and the cases it made of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Update, and_, func, or_, select, tuple_, update

from pipeline.analysis import Analysis
from pipeline.case import Case, CaseState
from pipeline.mention import Mention
from pipeline.route import Alert, solved
from storage.database import chunks, columns, insert, made, values
from storage.outbox import Outbox, heard_by, put
from storage.tables import ANALYSIS, CASE_MENTION, CASES, MENTION, UNHANDLED

_MENTION = columns(Mention, MENTION)
_ANALYSIS = columns(Analysis, ANALYSIS)
_CASE = columns(Case, CASES)
_OPEN = CASES.c.state == str(CaseState.OPEN)
AWAITED = _OPEN, CASES.c.answered_at.is_(None)
"""Open, and the brand has not replied."""
_ANSWERED = _OPEN, CASES.c.answered_at.is_not(None)
_CLOSED = (CASES.c.state == str(CaseState.CLOSED),)
_DECIDES = ("mention_key", "version", "lane", "sentiment", "needs_reply")
"""Of a judgement: whose it is, and what says whether a case step is due."""
_SHAPES = ("category", "urgency")
"""What a case takes from a judgement besides."""
_RELATED = 100
"""Related cases looked at for one mention: a stranger may post without end."""
_SAID = 50
"""Mentions shown with one case."""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case and what was said in it, newest first, 50 at most; no analysis means that an edit waits to be judged."""

    case: Case
    said: list[tuple[Mention, Analysis | None]]


class Done(Outbox):
    """The hands' part of the store."""

    def unhandled(self, since: datetime, limit: int) -> list[tuple[Mention, Analysis]]:
        """Up to `limit` judged mentions, said at `since` or later, that no case step has seen since they were judged.

        By whatever version. Oldest first; the brand's own words are among them, for they may answer a case.
        """
        question = (
            select(*_MENTION, *_ANALYSIS)
            .join(ANALYSIS, ANALYSIS.c.mention_key == MENTION.c.key)
            .where(UNHANDLED, ANALYSIS.c.said_at >= since)
            .order_by(ANALYSIS.c.said_at)
            .limit(limit)
        )
        # One version after the other, as they lie in the index: what was said long ago is not looked at.
        following = select(func.min(ANALYSIS.c.version)).where(UNHANDLED)
        rows: list[Row[Any]] = []
        with self._read() as connection:
            version = connection.scalar(following)
            while version is not None:
                rows += connection.execute(question.where(ANALYSIS.c.version == version))
                version = connection.scalar(following.where(ANALYSIS.c.version > version))
        judged = ((made(Mention, row), made(Analysis, row, len(_MENTION))) for row in rows)
        return sorted(judged, key=lambda pair: pair[0].said_at)[:limit]

    def mark_handled(self, analyses: Sequence[Analysis]) -> None:
        """The case step has seen these judgements, and none asked for a step.

        One that a person has corrected meanwhile was not seen as it reads now: `unhandled` gives it out again.
        """
        seen = tuple_(*(ANALYSIS.c[name] for name in _DECIDES))
        ordered = sorted(tuple(_plain(one, name) for name in _DECIDES) for one in analyses)
        with self._write() as connection:
            for chunk in chunks(ordered):
                _hold(connection, [row[0] for row in chunk])
                connection.execute(update(ANALYSIS).where(seen.in_(chunk)).values(handled=True))

    def case(self, key: str) -> Case | None:
        """The case of this key."""
        with self._read() as connection:
            return _case(connection, select(*_CASE).where(CASES.c.key == key))

    def case_of(self, mention_key: str) -> Case | None:
        """The case this mention belongs to; None if it belongs to none."""
        ours = select(*_CASE).join(CASE_MENTION, CASE_MENTION.c.case_key == CASES.c.key)
        with self._read() as connection:
            return _case(connection, ours.where(CASE_MENTION.c.mention_key == mention_key))

    def related(
        self, *, author: str | None, source: str, thread: str | None, fingerprint: str, since: datetime
    ) -> list[Case]:
        """Cases of this author at this source, of this thread or of these words, in which somebody spoke since `since`.

        Open or closed, the latest first, 100 at most. No author, thread or fingerprint relates to nothing.
        """
        clues = []
        if author:
            clues.append(select(CASES.c.key).where(CASES.c.author == author, CASES.c.source == source))
        if thread:
            clues.append(select(CASES.c.key).where(CASES.c.thread == thread))
        if fingerprint:
            clues.append(select(CASES.c.key).where(CASES.c.fingerprint == fingerprint))
        if not clues:
            return []
        question = (
            select(*_CASE)
            .where(or_(*(CASES.c.key.in_(clue) for clue in clues)), CASES.c.last_said_at >= since)
            .order_by(CASES.c.last_said_at.desc(), CASES.c.key)
            .limit(_RELATED)
        )
        with self._read() as connection:
            return [made(Case, row) for row in connection.execute(question)]

    def write(self, case: Case, analysis: Analysis, alerts: Sequence[Alert], *, was: Case | None = None) -> bool:
        """Take one step: keep the case, link the mention, put the alerts out, mark the mention handled; all or nothing.

        False, and nothing is written, if another process has handled this judgement before. So it is if a person has
        corrected the judgement, or if the case is no longer what it `was`, since the step was decided; then
        `unhandled` gives the mention out again.
        """
        with self._write() as connection:
            _hold(connection, [analysis.mention_key])
            if (
                was is not None
                and _case(connection, select(*_CASE).where(CASES.c.key == was.key).with_for_update()) != was
            ):
                return False
            seen = update(ANALYSIS).where(*_still(analysis), ~ANALYSIS.c.handled).values(handled=True)
            if connection.execute(seen).rowcount != 1:
                return False
            kept = insert(connection, CASES)
            latest = {column.name: kept.excluded[column.name] for column in _CASE if not column.primary_key}
            connection.execute(kept.on_conflict_do_update(index_elements=["key"], set_=latest), values(case))
            link = {"mention_key": analysis.mention_key, "case_key": case.key}
            connection.execute(insert(connection, CASE_MENTION).on_conflict_do_nothing(), link)
            put(connection, alerts, mention_key=analysis.mention_key)
        return True

    def cases(self, limit: int = 50, *, everything: bool = False) -> list[CaseFile]:
        """Cases that wait for an answer, the nearest deadline first; with `everything` all others after them."""
        question = select(*_CASE).order_by(CASES.c.reply_by, CASES.c.key)
        with self._read() as connection:
            found = [*connection.execute(question.where(*AWAITED).limit(limit))]
            for others in (_ANSWERED, _CLOSED) if everything else ():
                found += connection.execute(question.where(*others).limit(limit - len(found)))
            return [_file(connection, made(Case, row)) for row in found]

    def cases_between(self, start: datetime, end: datetime) -> list[Case]:
        """Cases opened from `start` (included) to `end` (excluded), in that order."""
        opened = select(*_CASE).where(CASES.c.opened_at >= start, CASES.c.opened_at < end)
        with self._read() as connection:
            return [made(Case, row) for row in connection.execute(opened.order_by(CASES.c.opened_at, CASES.c.key))]

    def cases_of(self, start: datetime, end: datetime) -> list[Case]:
        """Cases that concern a period: opened or spoken in from `start` to `end`, or still awaited when it began."""
        awaited = and_(*AWAITED, CASES.c.opened_at < start)
        opened = and_(CASES.c.opened_at >= start, CASES.c.opened_at < end)
        spoken = and_(CASES.c.last_said_at >= start, CASES.c.last_said_at < end)
        question = select(*_CASE).where(or_(awaited, opened, spoken)).order_by(CASES.c.opened_at, CASES.c.key)
        with self._read() as connection:
            return [made(Case, row) for row in connection.execute(question)]

    def close(self, case_key: str, because: str, at: datetime, *, settling: Collection[str] = ()) -> bool:
        """Close an open case; False if there is no open case of this key.

        In the same transaction those of the sinks `settling` that heard of it are told so.
        """
        closed = {"state": str(CaseState.CLOSED), "closed_at": at, "closed_because": because}
        with self._write() as connection:
            return settle(connection, update(CASES).where(CASES.c.key == case_key, _OPEN).values(closed), at, settling)

    def said_in(self, case_key: str) -> list[tuple[Mention, Analysis | None]]:
        """What was said in a case, newest first, 50 at most; nothing if there is no such case."""
        case = self.case(case_key)
        if case is None:
            return []
        with self._read() as connection:
            return _file(connection, case).said


def settle(connection: Connection, change: Update, at: datetime, settling: Collection[str]) -> bool:
    """Close or answer one case as a part of a larger transaction; False if the `change` finds none to change.

    Those of the sinks `settling` that heard of it are told so.
    """
    row = connection.execute(change.returning(*_CASE)).first()
    if row is None:
        return False
    case = made(Case, row)
    put(connection, solved(case, heard_by(connection, case.key, settling), made_at=at))
    return True


def _hold(connection: Connection, mention_keys: Sequence[str]) -> None:
    """Lock mentions before their judgements and cases, as everybody does who deletes or corrects them.

    So we wait for each other and never deadlock.
    """
    said = select(MENTION.c.key).where(MENTION.c.key.in_(mention_keys)).order_by(MENTION.c.key)
    connection.execute(said.with_for_update(key_share=True))


def _plain(analysis: Analysis, name: str) -> Any:  # noqa: ANN401 - of any type
    value = getattr(analysis, name)
    return str(value) if isinstance(value, str) else value  # an enum's plain word


def _still(analysis: Analysis) -> list[ColumnElement[bool]]:
    """The judgement in the store is the one that was seen."""
    return [ANALYSIS.c[name].is_not_distinct_from(_plain(analysis, name)) for name in (*_DECIDES, *_SHAPES)]


def _case(connection: Connection, question: Select[Any]) -> Case | None:
    row = connection.execute(question).first()
    return None if row is None else made(Case, row)


def _file(connection: Connection, case: Case) -> CaseFile:
    question = (
        select(*_MENTION, *_ANALYSIS)
        .join(CASE_MENTION, CASE_MENTION.c.mention_key == MENTION.c.key)
        .outerjoin(ANALYSIS, ANALYSIS.c.mention_key == MENTION.c.key)
        .where(CASE_MENTION.c.case_key == case.key)
        .order_by(MENTION.c.said_at.desc(), MENTION.c.key)
        .limit(_SAID)
    )
    first = len(_MENTION)
    rows = connection.execute(question).all()
    return CaseFile(case, [(made(Mention, row), made(Analysis, row, first) if row[first] else None) for row in rows])
