"""What people taught: the corrections of what was thought, and the lessons learnt from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, inspect, select, text, update

from pipeline.analysis import Analysis
from pipeline.correction import Correction, Question, answered, corrected
from pipeline.mention import Mention
from pipeline.triage import Lane
from pipeline.triage.lesson import Lesson
from storage.counted import recount, uncount
from storage.database import Database, chunks, columns, insert, made, values
from storage.tables import ANALYSIS, CASE_MENTION, CASES, CORRECTION, HELD, LESSON, MENTION

_MENTION = columns(Mention, MENTION)
_CORRECTION = columns(Correction, CORRECTION)
_ANALYSIS = columns(Analysis, ANALYSIS)
FRESH = CORRECTION.c.wording == MENTION.c.wording
"""Of the words the mention still says."""
_ERRED = CORRECTION.c.said.is_distinct_from(CORRECTION.c.answer)


@dataclass(frozen=True, slots=True)
class Adopted:
    """Which lesson was adopted when; a later one has a higher `id`."""

    id: int
    version: str
    adopted_at: datetime


class Taught(Database):
    """The part of the store that remembers where people knew better."""

    def correct(self, corrections: Sequence[Correction]) -> Analysis | None:
        """Keep the corrections of one mention, each instead of the former of its question, and answer so at once.

        Returns the analysis as it reads now; its next case step is due again where it changed. None, and nothing is
        written, where the judgement is not the one corrected any more: the words were edited since they were read,
        or it was made again and answers otherwise. A correction that is known already changes nothing.
        """
        key = corrections[0].mention_key
        with self._write() as connection:
            # Whoever saves an analysis of this mention meanwhile waits for the same row, and so knows of this.
            row = connection.execute(
                select(MENTION.c.wording).where(MENTION.c.key == key).with_for_update(key_share=True)
            ).first()
            found = connection.execute(select(*_ANALYSIS).where(ANALYSIS.c.mention_key == key)).first()
            if row is None or found is None or any(one.wording != row.wording for one in corrections):
                return None
            analysis, held = made(Analysis, found), held_of(connection, [key]).get(key, [])
            if any(_outdated(one, analysis, held) for one in corrections):
                return None
            fresh = _keep(connection, corrections)
            latest = corrected(analysis, held_of(connection, [key]).get(key, []))
            if latest != analysis:
                uncount(connection, [key])
                _answer(connection, latest)
                recount(connection, [key])
            if fresh:
                _answer_in_case(connection, latest, fresh)
            return latest

    def wording(self, mention_key: str) -> int:
        """How often the words of this mention were edited: ask before you read them, and say it with a correction."""
        with self._read() as connection:
            return connection.scalar(select(MENTION.c.wording).where(MENTION.c.key == mention_key)) or 0

    def corrections(self, mention_key: str) -> list[Correction]:
        """All corrections of a mention, those replaced or of other words too, in the order they were made."""
        question = select(*_CORRECTION).where(CORRECTION.c.mention_key == mention_key).order_by(CORRECTION.c.number)
        with self._read() as connection:
            return [made(Correction, row) for row in connection.execute(question)]

    def held(self, mention_keys: Iterable[str]) -> dict[str, list[Correction]]:
        """The corrections that hold for these mentions as they are worded now, one a question, by the mention's key."""
        with self._read() as connection:
            return held_of(connection, sorted(set(mention_keys)))

    def taught(self, limit: int) -> list[tuple[Mention, list[Correction]]]:
        """The `limit` mentions last corrected or confirmed, with what holds for them as they are worded now.

        In the order of their keys.
        """
        latest = (
            select(CORRECTION.c.mention_key)
            .join(MENTION, MENTION.c.key == CORRECTION.c.mention_key)
            .where(HELD, FRESH)
            .group_by(CORRECTION.c.mention_key)
            .order_by(func.max(CORRECTION.c.at).desc(), CORRECTION.c.mention_key)
            .limit(limit)
        )
        found: dict[str, tuple[Mention, list[Correction]]] = {}
        with self._read() as connection:
            for chunk in chunks(sorted(connection.scalars(latest))):
                question = _held().add_columns(*_MENTION).where(CORRECTION.c.mention_key.in_(chunk))
                for row in connection.execute(question.order_by(CORRECTION.c.mention_key, CORRECTION.c.number)):
                    correction = made(Correction, row)
                    mention = made(Mention, row, len(_CORRECTION))
                    found.setdefault(mention.key, (mention, []))[1].append(correction)
        return list(found.values())

    def corrected_of(self, version: str, start: datetime, end: datetime) -> int:
        """How many of the mentions that `lanes` counts a person has corrected, not only confirmed."""
        erred = select(CORRECTION.c.key).join(MENTION, MENTION.c.key == CORRECTION.c.mention_key)
        question = select(func.count()).where(
            ANALYSIS.c.version == version,
            ANALYSIS.c.said_at >= start,
            ANALYSIS.c.said_at < end,
            erred.where(CORRECTION.c.mention_key == ANALYSIS.c.mention_key, HELD, FRESH, _ERRED).exists(),
        )
        with self._read() as connection:
            return connection.scalar(question) or 0

    def adopt(self, lesson: Lesson, *, at: datetime, learnt_until: datetime, since: Adopted | None) -> bool:
        """Let this lesson be the one everybody uses. False where it is so already, or somebody was faster.

        `since` is what was `adopted` before its corrections were read, the latest of which was made at `learnt_until`.
        Whoever adopted another meanwhile keeps it if it was learnt from a later correction. Nothing older counts: what
        it was learnt from may have been edited or forgotten, and clocks differ.
        """
        with self._write() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
                connection.execute(text("LOCK TABLE lesson IN SHARE ROW EXCLUSIVE MODE"))
            wanted = [LESSON.c[name] for name in ("id", "digest", "content", "learnt_until")]
            last = connection.execute(_last(*wanted)).first()
            if last is not None:
                same = (last.digest, last.content) == (lesson.digest, lesson.content)  # a damaged one is written again
                meanwhile = since is None or last.id > since.id
                if same or (meanwhile and last.learnt_until > learnt_until):
                    return False
            row = {"version": lesson.version, "digest": lesson.digest, "content": lesson.content, "adopted_at": at}
            connection.execute(insert(connection, LESSON), row | {"learnt_until": learnt_until})
        return True

    def adopted(self) -> Adopted | None:
        """Which lesson was adopted last; None if none ever was."""
        wanted = [LESSON.c[name] for name in Adopted.__slots__]
        with self._read() as connection:
            row = connection.execute(_last(*wanted)).first()
        return None if row is None else Adopted(*row)

    def lesson(self) -> Lesson | None:
        """The lesson adopted last; None if none ever was, or if this database was made before there were any.

        SettingsError if it is damaged.
        """
        with self._read() as connection:
            if not inspect(connection).has_table(LESSON.name):
                return None
            row = connection.execute(_last(LESSON.c.id, LESSON.c.digest, LESSON.c.content)).first()
        if row is None:
            return None
        return Lesson.read(row.content, row.digest, f"lesson {row.id} in the database {self.place}")


def _keep(connection: Connection, corrections: Sequence[Correction]) -> list[Correction]:
    """Those that were not known; each takes the place of the former of its question."""
    key = corrections[0].mention_key
    known = set(connection.scalars(select(CORRECTION.c.key).where(CORRECTION.c.mention_key == key)))
    fresh = [correction for correction in corrections if correction.key not in known]
    for number, correction in enumerate(fresh, start=len(known)):
        former = CORRECTION.c.mention_key == key, CORRECTION.c.field == str(correction.field), HELD
        connection.execute(update(CORRECTION).where(*former).values(replaced=True))
        row = values(correction) | {"number": number, "replaced": False}
        connection.execute(insert(connection, CORRECTION), row)
    return fresh


def held_of(connection: Connection, mention_keys: Sequence[str]) -> dict[str, list[Correction]]:
    """The corrections that hold for these mentions, as a part of a larger transaction."""
    found: dict[str, list[Correction]] = {}
    for chunk in chunks(mention_keys):
        for row in connection.execute(_held().where(CORRECTION.c.mention_key.in_(chunk)).order_by(CORRECTION.c.number)):
            correction = made(Correction, row)
            found.setdefault(correction.mention_key, []).append(correction)
    return found


def unreviewed() -> ColumnElement[bool]:
    """Of a mention: nobody has corrected or confirmed what was thought of it, as it is worded now."""
    return ~select(CORRECTION.c.key).where(CORRECTION.c.mention_key == MENTION.c.key, HELD, FRESH).exists()


def _held() -> Select[Any]:
    return select(*_CORRECTION).join(MENTION, MENTION.c.key == CORRECTION.c.mention_key).where(HELD, FRESH)


def _last(*wanted: Any) -> Select[Any]:  # noqa: ANN401 - columns of any type
    return select(*wanted).select_from(LESSON).order_by(LESSON.c.id.desc()).limit(1)


def _outdated(correction: Correction, analysis: Analysis, held: Sequence[Correction]) -> bool:
    """Whether the classifiers have answered anew, and otherwise, since somebody read what they correct here."""
    if correction.version == analysis.version or any(one.field == correction.field for one in held):
        return False
    return correction.said != answered(analysis, held, correction.field)


def _answer(connection: Connection, analysis: Analysis) -> None:
    row = values(analysis) | {"reasons": [reason.__dict__ for reason in analysis.reasons], "handled": False}
    ours = ANALYSIS.c.mention_key == analysis.mention_key
    connection.execute(update(ANALYSIS).where(ours).values({name: row[name] for name in row if name != "mention_key"}))


def _answer_in_case(connection: Connection, latest: Analysis, fresh: Sequence[Correction]) -> None:
    """The case that this mention opened has its category and urgency too; it keeps its team and its deadline.

    What nobody said is filled in where the case has none: one of a mention that could not be read.
    """
    if latest.lane is not Lane.SERVICE:
        return
    told = {one.field: one.answer for one in fresh}
    case = {
        str(question): told.get(question) or func.coalesce(CASES.c[question], str(getattr(latest, question)))
        for question in (Question.CATEGORY, Question.URGENCY)
    }
    key = latest.mention_key
    ours = select(CASE_MENTION.c.case_key).where(CASE_MENTION.c.mention_key == key).scalar_subquery()
    connection.execute(update(CASES).where(CASES.c.key == ours, CASES.c.first_mention == key).values(case))
