"""What was found: mentions by the words in them."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from sqlite3 import sqlite_version_info
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, func, literal_column, not_, or_, select, text

from pipeline.analysis import Analysis
from pipeline.errors import SettingsError
from pipeline.mention import Mention
from pipeline.text import storable
from storage.database import Database, columns, made
from storage.tables import ANALYSIS, CASE_MENTION, MENTION

_MENTION = columns(Mention, MENTION)
_ANALYSIS = columns(Analysis, ANALYSIS)
_MOST = 32
"""Words and phrases of one search: enough for a person, few enough for every database."""
_LONGEST = 200
"""Characters of one of them."""
_FEW = 200_000
"""Up to so many mentions the whole index is written anew at once: half a second at most."""
_STEP = 500
"""Pages of the index written anew in one transaction: others who write wait a moment only."""
_SECURE_SINCE = (3, 42)
"""The SQLite whose index of words overwrites what is deleted, in a form that an older one cannot read."""
_ASKED = re.compile(r'(?P<no>-?)(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese: no space tells where a word ends, so no index of words helps."""
_SIGNS = (
    r"[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7"
    r"\u2000-\u206f\u20a0-\u20cf\u2122\u2190-\u245f\u2500-\u2bff\u3000-\u3004\u3008-\u3020\ufe00-\ufe0f"
    r"\U0001f000-\U0001faff]+"
)
"""What parts words. PostgreSQL would keep "nike.com", "ABC-123" and "and/or" whole and find no word in them, and with
the locale C it takes every sign beyond ASCII for a letter. Python and PostgreSQL read this the same."""
_WORDS: ColumnElement[Any] = literal_column(
    "to_tsvector('simple', regexp_replace(left(coalesce(mention.title, '') || ' ' || mention.text, 100000), "
    f"'{_SIGNS}', ' ', 'g'))"
)
"""What the index `ix_mention_words` of PostgreSQL holds. Bounded: of longer texts it would take none at all."""


@dataclass(frozen=True, slots=True)
class Found:
    """A mention that was searched for, what was thought of it, and the case it belongs to."""

    mention: Mention
    analysis: Analysis | None
    case: str | None


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase somebody looks for, or does not want."""

    words: str
    unwanted: bool

    @property
    def indexed(self) -> bool:
        """Whether an index of words knows it: an emoji, or a part of a sentence without spaces, is looked for."""
        return any(letter.isalnum() for letter in self.words) and not _UNSPACED.search(self.words)


class Searched(Database):
    """The part of the store that looks for words."""

    def search(
        self,
        words: str,
        limit: int,
        *,
        since: datetime | None = None,
        before: datetime | None = None,
        source: str | None = None,
        lane: str | None = None,
    ) -> list[Found]:
        """Up to `limit` mentions with these words, said at `since` or later and before `before`, newest first.

        All `words` must be there, in any order and case; a "quoted phrase" as it stands; none with a minus before it;
        OR parts what may be there instead. Any text is a search; one that says only what is unwanted finds nothing.
        """
        wanted = asked(words)
        ours = [
            *([] if since is None else [MENTION.c.said_at >= since]),
            *([] if before is None else [MENTION.c.said_at < before]),
            *([] if source is None else [MENTION.c.source == source]),
            *([] if lane is None else [ANALYSIS.c.lane == lane]),
        ]
        newest = MENTION.c.said_at.desc(), MENTION.c.key
        with self._read() as connection:
            keys = select(MENTION.c.key).where(_matching(connection, wanted), *ours).order_by(*newest).limit(limit)
            if lane is not None:
                keys = keys.join(ANALYSIS, ANALYSIS.c.mention_key == MENTION.c.key)
            question = (
                select(*_MENTION, *_ANALYSIS, CASE_MENTION.c.case_key)
                .outerjoin(ANALYSIS, ANALYSIS.c.mention_key == MENTION.c.key)
                .outerjoin(CASE_MENTION, CASE_MENTION.c.mention_key == MENTION.c.key)
                .where(MENTION.c.key.in_(list(connection.scalars(keys))))
                .order_by(*newest)
            )
            rows = connection.execute(question).all()
        first = len(_MENTION)
        return [
            Found(made(Mention, row), made(Analysis, row, first) if row[first] else None, row.case_key) for row in rows
        ]

    def tidy_words(self) -> None:
        """Let no word of what was deleted stay in the index of words, however large; in steps, so nobody waits long."""
        some = -_STEP  # first of all the parts, whatever their size
        while True:
            with self._write() as connection:
                if not (_marks_only(connection) and _merge(connection, some)):
                    return
            some = _STEP


def asked(words: str) -> list[list[Term]]:
    """What somebody looks for: one of these, with everything in it. What is neither word nor sign is passed over."""
    ways: list[list[Term]] = [[]]
    for number, part in enumerate(_ASKED.finditer(storable(words))):
        if number >= _MOST:
            break
        if part["word"] == "OR" and not part["no"]:
            ways.append([])
            continue
        term = Term(_short(" ".join((part["phrase"] or part["word"] or "").split())), unwanted=bool(part["no"]))
        if any(letter.isalnum() or unicodedata.category(letter) == "So" for letter in term.words):
            ways[-1].append(term)
    return [way for way in ways if any(not term.unwanted for term in way)]


def note_words(connection: Connection) -> None:
    """Let what was saved since the last time be found, as a part of the transaction that saves it."""
    if _on_fts(connection):
        known = "SELECT coalesce(max(id), 0) FROM mention_words_docsize"
        fresh = f"SELECT rowid, title, text FROM mention WHERE rowid > ({known})"  # noqa: S608 - nobody else's words
        connection.execute(text(f"INSERT INTO mention_words (rowid, title, text) {fresh}"))


def wipe_words(connection: Connection) -> None:
    """Let no word of what was just deleted stay in the index either, if it is small; else `tidy_words` does so."""
    many = text("SELECT count(*) FROM (SELECT 1 FROM mention_words_docsize LIMIT :most)")
    if _marks_only(connection) and (connection.scalar(many, {"most": _FEW + 1}) or 0) <= _FEW:
        connection.execute(text("INSERT INTO mention_words (mention_words) VALUES ('optimize')"))


def mend_words(connection: Connection) -> None:
    """Make the index of words anew if a newer SQLite wrote it than the one that is here, which cannot read it.

    SettingsError if this one can have none at all.
    """
    if not _on_fts(connection):
        return
    if not connection.scalar(text("SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'")):
        raise SettingsError(
            "this file has an index of words, and the SQLite of this Python is built without FTS5, which keeps it; "
            "use the Python that made the file, or one of python.org or the image"
        )
    secure = connection.scalar(text("SELECT v > 4 FROM mention_words_config WHERE k = 'version'"))
    if secure and sqlite_version_info < _SECURE_SINCE:
        connection.execute(text("DELETE FROM mention_words_config WHERE k = 'secure-delete'"))
        connection.execute(
            text("UPDATE mention_words_config SET v = 4 WHERE k = 'version'")
        )  # or it refuses to rebuild
        connection.execute(text("INSERT INTO mention_words (mention_words) VALUES ('rebuild')"))


def _on_fts(connection: Connection) -> bool:
    """Whether words are indexed here: on SQLite with FTS5. PostgreSQL does so by itself."""
    if connection.dialect.name != "sqlite":
        return False
    return bool(connection.scalar(text("SELECT count(*) FROM sqlite_master WHERE name = 'mention_words'")))


def _marks_only(connection: Connection) -> bool:
    """Whether the index only marks what is deleted as gone: that of an old SQLite does."""
    if not _on_fts(connection):
        return False
    return not connection.scalar(text("SELECT v FROM mention_words_config WHERE k = 'secure-delete'"))


def _merge(connection: Connection, pages: int) -> bool:
    """Write so many pages of the index anew, without what is marked as gone; whether there was anything to write."""
    changes = text("SELECT total_changes()")
    before = connection.scalar(changes) or 0
    connection.execute(text("INSERT INTO mention_words (mention_words, rank) VALUES ('merge', :some)"), {"some": pages})
    return (connection.scalar(changes) or 0) - before > 1  # the command itself is one


def _short(words: str) -> str:
    """Not more of them than a search takes, and no half word."""
    return words if len(words) <= _LONGEST else words[: _LONGEST + 1].rpartition(" ")[0] or words[:_LONGEST]


def _matching(connection: Connection, ways: Sequence[Sequence[Term]]) -> ColumnElement[bool]:
    """Of a mention: it has what was asked for."""
    if not ways:
        return false()
    indexed = all(term.indexed for way in ways for term in way)
    if indexed and connection.dialect.name == "postgresql":
        return _WORDS.op("@@", is_comparison=True)(reduce(func.tsquery_or, map(_in_tsquery, ways)))
    if indexed and _on_fts(connection):
        match = text("mention.rowid IN (SELECT rowid FROM mention_words WHERE mention_words MATCH :asked)")
        return match.bindparams(asked=" OR ".join(map(_in_fts, ways)))  # type: ignore[return-value] # a condition
    return or_(*(and_(*(_inside(term) for term in way)) for way in ways))


def _in_fts(way: Sequence[Term]) -> str:
    """In the language of FTS5. Everything of the person's stands in quotation marks, and there are none within."""
    wanted = " AND ".join(f'"{term.words}"' for term in way if not term.unwanted)
    unwanted = " OR ".join(f'"{term.words}"' for term in way if term.unwanted)
    return f"(({wanted}) NOT ({unwanted}))" if unwanted else f"({wanted})"


def _in_tsquery(way: Sequence[Term]) -> ColumnElement[Any]:
    """In the language of PostgreSQL, by its functions: it reads nothing of the person's as an operator."""
    simple: ColumnElement[Any] = literal_column("'simple'::regconfig")
    phrases = [func.phraseto_tsquery(simple, re.sub(_SIGNS, " ", term.words)) for term in way]
    unlike = [func.tsquery_not(one) if term.unwanted else one for one, term in zip(phrases, way, strict=True)]
    return reduce(func.tsquery_and, unlike)


def _inside(term: Term) -> ColumnElement[bool]:
    said = func.coalesce(MENTION.c.title, "") + " " + MENTION.c.text
    found = said.icontains(term.words, autoescape=True)
    return not_(found) if term.unwanted else found
