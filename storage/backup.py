"""Backups: everything Earful remembers in one file, and back from it into an empty place."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from sqlalchemy import URL, Connection, case, inspect, literal, select, text, update
from sqlalchemy.exc import DatabaseError

from pipeline.errors import RefusedError, SettingsError, TemporaryError
from storage.database import first_line
from storage.dumped import Tools
from storage.outbox import UNSURE
from storage.schema import HALF, HEAD, VERSION_TABLE, Schema, bring_up, known, lock, version
from storage.tables import ALERT, METADATA, WAITING

MAYBE_SENT = "it waited when the backup was made that was restored, and may have gone out since"
"""Why an alert is dead that waited when the backup was made."""
_SQLITE, _POSTGRESQL = b"SQLite format 3\0", b"PGDMP"
"""What a file begins with."""
_PATIENCE = 30
"""Seconds to wait until nobody writes to the database that is restored into."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made: the schema in it, and how large it is."""

    revision: str
    size: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back: the schema it was made in, and how many alerts are held back that may have gone out since."""

    revision: str
    held: int


class Backups(Schema):
    """The part of the store that can be carried away whole."""

    def back_up(self, file: Path, *, over: bool = False) -> Backup:
        """Write all that is stored to `file`, readable by its owner only, as it stands at one moment.

        Others may read and write meanwhile. The file is whole and on disk once it has its name, and not there before.
        RefusedError if there is such a file already, unless it is written `over`, and where there is no room.
        """
        live = Path(self._url.database or "") if self._on_sqlite else None
        if live is not None and file.exists() and live.exists() and file.samefile(live):
            raise RefusedError(f"{file} is the database itself; name another file")
        if file.exists() and not (over and file.is_file()):
            raise RefusedError(f"{file} is there already; name another file")
        if not self.there:
            raise RefusedError(f"there is no database {self.place} to back up; look at `database` in the settings")
        with _beside(file) as made:
            if live is not None:
                _copy(live, made)
                revision = _revision(made, live)
            else:
                revision = self._dump(made)
            made.chmod(0o600)
            size = _on_disk(made)
            made.replace(file)
            _on_disk(file.parent)
        return Backup(revision, size)

    def restore(self, file: Path, *, at: datetime) -> Restored:
        """Bring back what a backup holds, in the present schema; all or nothing.

        Into an empty place only, and never from what another kind of database or a newer Earful made: RefusedError. An
        alert that waited when the backup was made may have gone out since: it is dead from now on, until somebody
        sends it again.
        """
        found = _kind(file)
        if found != self._url.get_backend_name():
            message = f"{file} is a backup of a {found} database, and the settings name {self.place}"
            raise RefusedError(f"{message}: name an empty {found} database there")
        try:
            return self._restore_file(file, at) if self._on_sqlite else self._load(file, at)
        except DatabaseError as error:
            raise RefusedError(f"{file} cannot be restored into {self.place}: {first_line(error)}") from error

    @property
    def _on_sqlite(self) -> bool:
        if self._url.get_backend_name() != "sqlite":
            return False
        if self._url.database in {None, "", ":memory:"}:
            raise SettingsError("a database in memory has no backup; name a file in the settings")
        return True

    def _restore_file(self, file: Path, at: datetime) -> Restored:
        target = Path(self._url.database or "")
        self._engine.dispose()  # nobody else may have the file open, and that means us too
        with _beside(target) as copy:
            _copy(file, copy)
            revision = _known(file, _revision(copy, file))
            with Backups(URL.create("sqlite", database=str(copy)).render_as_string()) as restored:
                held = restored._finish(None, at)
            with _sqlite_said(target), closing(sqlite3.connect(target, _PATIENCE, isolation_level=None)) as ours:
                # Nobody else may write between the look that finds it empty and the last page.
                ours.execute("PRAGMA locking_mode = EXCLUSIVE")
                ours.execute("BEGIN EXCLUSIVE")
                _must_be_empty(_filled(ours), self.place)
                ours.execute("COMMIT")
                with closing(sqlite3.connect(copy)) as theirs:
                    theirs.backup(ours)
        return Restored(revision, held)

    def _tools(self) -> Tools:
        with self._read() as connection:
            served = connection.dialect.server_version_info or (0,)
        return Tools(self._engine, served[0])

    def _dump(self, made: Path) -> str:
        tools = self._tools()
        with self._read() as connection:
            there = inspect(connection).get_table_names()
            found = version(connection)
            schema = str(connection.scalar(text("SELECT current_schema()")))
        if found is None or found == HALF:
            raise RefusedError(
                f"the database {self.place} holds nothing of Earful's, or half a backup; nothing to back up"
            )
        tools.dump(made, schema, [name for name in (*METADATA.tables, VERSION_TABLE) if name in there])
        return found

    def _load(self, file: Path, at: datetime) -> Restored:
        tools = self._tools()
        revision = _known(file, tools.revision(file, VERSION_TABLE))
        tools.read_through(file)
        schema = tools.schema(file, VERSION_TABLE)
        with self._write() as connection:
            lock(connection)
            current = connection.scalar(text("SELECT current_schema()"))
            if schema != current:
                mend = f"let its search path begin with {schema}, or name another database in the settings"
                raise RefusedError(f"{file} brings back the schema {schema}, and {self.place} uses {current}; {mend}")
            there = [name for name in (*METADATA.tables, VERSION_TABLE) if inspect(connection).has_table(name)]
            # What a restoring left that was cut off was never used by anybody.
            ours = [] if version(connection) == HALF else [name for name in there if name in METADATA.tables]
            _must_be_empty([name for name in ours if _holds_rows(connection, name)], self.place)
            if there:  # made by another Earful perhaps; they come back with the backup, but nobody's view of them would
                connection.execute(text(f"DROP TABLE {', '.join(there)}"))
        # Without the version: until it is written nobody can use the database, so no alert goes out before its time.
        tools.load(file, without=VERSION_TABLE)
        return Restored(revision, self._finish(revision, at))

    def _finish(self, revision: str | None, at: datetime) -> int:
        """Say which schema it is, bring it up to date and hold the alerts back, all at once; how many are held back."""
        once_more = case((UNSURE, ALERT.c.given), else_=ALERT.c.attempts + 1)  # a try whose end nobody knows
        told = {"dead_at": at, "error": MAYBE_SENT, "who_acts": RefusedError.who_acts, "given": once_more}
        with self._write() as connection:
            lock(connection)
            if revision is not None:
                connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES (:it)"), {"it": revision})  # noqa: S608
            bring_up(connection, self.place)
            return connection.execute(update(ALERT).where(WAITING).values(told)).rowcount


def _kind(file: Path) -> str:
    """The kind of database a backup was made of."""
    try:
        with file.open("rb") as opened:
            start = opened.read(len(_SQLITE))
    except OSError as error:
        raise RefusedError(f"{file} cannot be read: {error.strerror}") from error
    if start == _SQLITE:
        return "sqlite"
    if start.startswith(_POSTGRESQL):
        return "postgresql"
    raise RefusedError(f"{file} is no backup: `earful backup` makes one")


def _known(file: Path, revision: str) -> str:
    if revision not in known():
        newer = f"{file} was made by a newer Earful ({revision}; the newest this one knows is {HEAD})"
        raise RefusedError(f"{newer}; install that version to restore it")
    return revision


def _must_be_empty(filled: list[str], place: str) -> None:
    if filled:
        empty = "restore needs an empty place: name another in the settings, a file that is not there or a new database"
        raise RefusedError(f"the database {place} holds something already ({', '.join(sorted(filled))}); {empty}")


def _holds_rows(connection: Connection, table: str) -> bool:
    return connection.scalar(select(select(literal(1)).select_from(METADATA.tables[table]).exists())) is True


def _filled(connection: sqlite3.Connection) -> list[str]:
    """Those of our tables that hold anything."""
    there = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    ask = 'SELECT EXISTS (SELECT 1 FROM "{}")'
    return [name for name in METADATA.tables if name in there and connection.execute(ask.format(name)).fetchone()[0]]


def _revision(file: Path, of: Path) -> str:
    with closing(sqlite3.connect(file)) as opened:
        try:
            row = opened.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608 - a constant of ours
        except sqlite3.OperationalError:
            row = None
    if row is None:
        raise RefusedError(f"{of} is a SQLite database, but none of Earful's; look at the name")
    return str(row[0])


def _copy(source: Path, target: Path) -> None:
    """The database in one file, as it stands at one moment, checked from end to end; others may write meanwhile."""
    theirs = f"file:{quote(str(source.absolute()))}?mode=rw"
    with _sqlite_said(source), closing(sqlite3.connect(theirs, _PATIENCE, uri=True)) as opened:
        opened.execute("BEGIN")
        opened.execute("SELECT 1 FROM sqlite_master").fetchone()  # waits its time; `backup` would wait for ever
        with closing(sqlite3.connect(target)) as ours:
            opened.backup(ours)
            ours.execute("PRAGMA journal_mode = DELETE")  # no second file beside it
            found = ours.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise RefusedError(f"{source} is damaged or cut off: {found.splitlines()[-1]}; take another backup")


@contextmanager
def _sqlite_said(file: Path) -> Iterator[None]:
    """What SQLite says of a file, in our words."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        said = str(error)
        if "locked" in said:
            raise TemporaryError(f"{file} is in use: {said}; stop what writes to it") from error
        if isinstance(error, sqlite3.OperationalError):
            raise RefusedError(f"{file}: {said}; make room, or let Earful read and write there") from error
        raise RefusedError(f"{file} is damaged or cut off: {said}; take another backup") from error


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """Where to make a file of which nothing is seen until it is moved; only its owner can look in."""
    try:
        with TemporaryDirectory(dir=file.parent, prefix=f".{file.name}-", ignore_cleanup_errors=True) as folder:
            yield Path(folder) / "part"
    except OSError as error:
        mend = "make room, or let Earful write there"
        raise RefusedError(f"{file} cannot be written: {error.strerror}; {mend}") from error


def _on_disk(path: Path) -> int:
    """Wait until the disk has it; how large it is."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
        return os.fstat(opened).st_size
    finally:
        os.close(opened)
