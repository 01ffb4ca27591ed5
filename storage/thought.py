"""What was thought of it: the analyses, and everything a report reads."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, and_, func, select, tuple_, update

from pipeline.analysis import Analysis
from pipeline.correction import corrected
from pipeline.doubt import Glance
from pipeline.mention import Mention
from storage.bulk import Insert, put
from storage.counted import count, uncount
from storage.database import chunks, columns, made, values
from storage.tables import ANALYSIS, MENTION, UNJUDGED
from storage.taught import held_of, unreviewed
from storage.unjudged import Unjudged

_MENTION = columns(Mention, MENTION)
_ANALYSIS = columns(Analysis, ANALYSIS)
_GLANCE = [(MENTION if name in MENTION.c else ANALYSIS).c[name] for name in Glance.columns]
_PAGE = 500
"""Mentions read at once for a report: enough for speed, few enough for flat memory."""


class Thought(Unjudged):
    """The head's part of the store."""

    def save_analyses(self, analyses: Sequence[Analysis]) -> int:
        """Keep these analyses, each instead of any earlier one of its mention; how many were kept.

        One of an unknown mention, or of one edited since `unanalysed` gave it out, is dropped. Where a person has
        corrected a mention as it is worded now, their answers are kept and not the analysis's.
        """
        ordered = sorted(analyses, key=lambda analysis: analysis.mention_key)
        kept = 0
        for chunk in chunks(ordered):
            with self._write() as connection:
                kept += self._save(connection, chunk)
        return kept

    def _save(self, connection: Connection, analyses: Sequence[Analysis]) -> int:
        names = ("key", "said_at", "wording", "judged", "source", "by_brand")
        wanted = select(*(MENTION.c[name] for name in names)).order_by(MENTION.c.key)
        asked = wanted.where(MENTION.c.key.in_([analysis.mention_key for analysis in analyses]))
        known = {row.key: row for row in connection.execute(asked.with_for_update(key_share=True))}
        told = held_of(connection, sorted(known))
        rows = []
        for analysis in analyses:
            mention = known.get(analysis.mention_key)
            if mention is not None and self._handed.get(mention.key, mention.wording) == mention.wording:
                rows.append(_row(corrected(analysis, told.get(mention.key, [])), mention.said_at))
        if not rows:
            return 0
        last = {row["mention_key"]: row for row in rows}
        uncount(connection, [key for key in last if known[key].judged])
        count(connection, [(known[key], row) for key, row in last.items()])
        put(connection, ANALYSIS, list(last.values()), _latest)
        first = [row["mention_key"] for row in rows if not known[row["mention_key"]].judged]
        if first:
            connection.execute(update(MENTION).where(MENTION.c.key.in_(first)).values(judged=True))
        return len(rows)

    def analysis(self, key: str) -> Analysis | None:
        """The analysis of the mention of this key; None if it is not judged."""
        return self.analyses([key]).get(key)

    def analyses(self, keys: Iterable[str]) -> dict[str, Analysis]:
        """The analyses of these mentions, by the mention's key."""
        found: dict[str, Analysis] = {}
        with self._read() as connection:
            for chunk in chunks(sorted(set(keys))):
                rows = connection.execute(select(*_ANALYSIS).where(ANALYSIS.c.mention_key.in_(chunk)))
                found |= {analysis.mention_key: analysis for analysis in (made(Analysis, row) for row in rows)}
        return found

    def judged(self, start: datetime, end: datetime, brand: str | None = None) -> Iterator[tuple[Mention, Analysis]]:
        """What was said from `start` (included) to `end` (excluded) and is judged, in the order it was said.

        Read a page at a time: memory stays flat, and no transaction is open while the reader thinks.
        """
        ours = () if brand is None else (MENTION.c.brand == brand,)
        for row in self._paged(start, end, [*_MENTION, *_ANALYSIS], *ours):
            yield made(Mention, row), made(Analysis, row, len(_MENTION))

    def unreviewed(self, start: datetime, end: datetime, source: str | None = None) -> Iterator[Glance]:
        """A glance at what `judged` gives, but only what no person has corrected or confirmed, nor the brand said."""
        ours = () if source is None else (MENTION.c.source == source,)
        for row in self._paged(start, end, _GLANCE, unreviewed(), ~MENTION.c.by_brand, *ours):
            yield Glance.made(**row._asdict())

    def _paged(
        self, start: datetime, end: datetime, wanted: Sequence[Column[Any]], *conditions: ColumnElement[bool]
    ) -> Iterator[Row[Any]]:
        """The wanted columns of mentions and their analyses, in the order they were said."""
        question = (
            select(*wanted)
            .join(ANALYSIS, ANALYSIS.c.mention_key == MENTION.c.key)
            .where(MENTION.c.said_at < end, *conditions)
            .order_by(MENTION.c.said_at, MENTION.c.key)
            .limit(_PAGE)
        )
        after = (start, "")
        while True:
            with self._read() as connection:
                rows = connection.execute(question.where(tuple_(MENTION.c.said_at, MENTION.c.key) > after)).all()
            if not rows:
                return
            yield from rows
            after = (rows[-1].said_at, rows[-1].key)

    def lanes(self, version: str, start: datetime, end: datetime) -> dict[str, int]:
        """How many mentions of that time this version put in each lane, corrected ones where a person put them."""
        lanes = select(ANALYSIS.c.lane, func.count()).where(
            ANALYSIS.c.version == version, ANALYSIS.c.said_at >= start, ANALYSIS.c.said_at < end
        )
        with self._read() as connection:
            return dict(tuple(row) for row in connection.execute(lanes.group_by(ANALYSIS.c.lane)))

    def unjudged(self, start: datetime, end: datetime, brand: str | None = None, *, source: str | None = None) -> int:
        """How many mentions of that time wait to be judged for the first time, and so are not in `judged`."""
        question = select(func.count()).where(UNJUDGED, MENTION.c.said_at >= start, MENTION.c.said_at < end)
        if brand is not None:
            question = question.where(MENTION.c.brand == brand)
        if source is not None:
            question = question.where(MENTION.c.source == source)
        with self._read() as connection:
            return connection.scalar(question) or 0


def _latest(fresh: Insert) -> Insert:
    new = fresh.excluded
    latest: dict[str, Any] = {column.name: new[column.name] for column in ANALYSIS.c if not column.primary_key}
    # The same judgement made twice has been handled once.
    latest["handled"] = and_(ANALYSIS.c.handled, ANALYSIS.c.version == new.version)
    return fresh.on_conflict_do_update(index_elements=["mention_key"], set_=latest)


def _row(analysis: Analysis, said_at: datetime) -> dict[str, Any]:
    reasons = [reason.__dict__ for reason in analysis.reasons]
    return values(analysis) | {"reasons": reasons, "said_at": said_at, "handled": False}
