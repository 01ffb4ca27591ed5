"""The database behind the store: how it is opened, how one transaction is made, and whose errors its errors are."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from enum import EnumType
from functools import cache
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from sqlite3 import OperationalError as SqliteError
from types import NoneType, TracebackType, UnionType
from typing import Any, Self, TypeVar, Union, get_args, get_origin

from sqlalchemy import URL, Column, Connection, Engine, Row, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import StaticPool
from sqlmodel import SQLModel

from pipeline.errors import RefusedError, SettingsError, TemporaryError
from pipeline.trusted import trusted

CHUNK = 1000
"""Rows of one statement: enough for bulk speed, few enough for flat memory and every limit on parameters."""
_PATIENCE = 30
"""Seconds a writer on SQLite waits for the one before it, and a connection to PostgreSQL for its answer."""
_TRIES = 20
"""A file becomes a WAL database once in its life; so many processes may try to make it one at one moment."""
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_FOR_THE_OPERATOR = ("disk is full", "readonly database", "disk I/O error", "No space left", "unable to open database")
"""What the drivers say of troubles that do not pass by themselves."""
_FORMS = 'write "sqlite:///earful.db" for a file, or "postgresql://user:password@host/name"'

Noun = TypeVar("Noun", bound=SQLModel)


class Database:
    """One database, open while the `with` block lasts; one in memory is gone after it. Threads may share it."""

    def __init__(self, url: str) -> None:
        """Raise SettingsError for a URL that cannot work. Connects later: see `migrate`."""
        self._url = _checked(url)
        self._engine = _open(self._url)
        self._writer = self._engine.execution_options(writes=True)
        # Everybody who uses a database in memory shares its one connection, so they take turns.
        in_memory = isinstance(self._engine.pool, StaticPool)
        self._turn: AbstractContextManager[object] = threading.RLock() if in_memory else nullcontext()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.dispose()

    @property
    def there(self) -> bool:
        """Whether it is worth asking: a file that is not there yet would be made by the asking."""
        on_file = self._url.get_backend_name() == "sqlite" and _on_disk(self._url)
        return not on_file or Path(self._url.database or "").exists()

    @property
    def place(self) -> str:
        """Where the database is, without its password: that may stand in the query as well."""
        return self._url.set(query={}).render_as_string(hide_password=True)

    def _read(self) -> AbstractContextManager[Connection]:
        return self._transaction(self._engine)

    def _write(self) -> AbstractContextManager[Connection]:
        """All or nothing. On SQLite it waits for its turn at the start: a reader that turns writer could deadlock."""
        return self._transaction(self._writer)

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with self._turn, engine.begin() as connection:
                yield connection
        except (OperationalError, InterfaceError) as error:
            said = first_line(error)
            if any(words in said for words in _FOR_THE_OPERATOR):
                mend = "the operator must act: make room, or let Earful write there"
                raise RefusedError(f"the database {self.place}: {said}; {mend}") from error
            raise TemporaryError(f"the database {self.place} did not answer: {said}") from error


def one_moment(connection: Connection) -> None:
    """Let all that is asked from here on be of one moment. On SQLite it is anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def first_line(error: DBAPIError) -> str:
    """What the driver said, in one line. It knows no password, and the statement's values are hidden."""
    return (str(error.orig).strip().splitlines() or [type(error).__name__])[0]


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what to do on conflict, in the dialect of the database."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def values(noun: SQLModel) -> dict[str, Any]:
    """The fields of a noun, enums as plain strings. `model_dump` would cost more than the insert."""
    row = dict(noun.__dict__)
    for name in _enums(type(noun)):
        if row[name] is not None:
            row[name] = str(row[name])
    return row


@cache
def _enums(noun: type[SQLModel]) -> dict[str, EnumType]:
    return {name: one for name, types in _types(noun).items() for one in types if isinstance(one, EnumType)}


@cache
def _plain(noun: type[SQLModel]) -> bool:
    """Whether every field is of a type that a column gives back as it is, or an enum."""
    known = {str, int, float, bool, datetime, NoneType}
    return all(one in known or isinstance(one, EnumType) for types in _types(noun).values() for one in types)


def _types(noun: type[SQLModel]) -> dict[str, tuple[Any, ...]]:
    """By field, the types of which its value is one."""
    return {
        name: get_args(field.annotation) if get_origin(field.annotation) in {Union, UnionType} else (field.annotation,)
        for name, field in noun.model_fields.items()
    }


def columns(noun: type[SQLModel], table: Table) -> list[Column[Any]]:
    """The columns of `table` that are fields of `noun`, in the noun's order."""
    return [table.c[name] for name in noun.model_fields]


def made(noun: type[Noun], row: Row[Any], first: int = 0) -> Noun:
    """The noun in a row whose columns from the one numbered `first` on are `columns(noun, …)`."""
    names = noun.model_fields
    told = dict(zip(names, row[first : first + len(names)], strict=True))
    if not _plain(noun):
        return noun.model_validate(told)
    for name, kind in _enums(noun).items():
        if told[name] is not None:
            told[name] = kind(told[name])
    return trusted(noun, told)  # it was checked when it was stored, and the columns keep each value's type


Thing = TypeVar("Thing")


def chunks(things: Sequence[Thing]) -> Iterator[Sequence[Thing]]:
    """The things, as many at a time as go into one statement."""
    return (things[start : start + CHUNK] for start in range(0, len(things), CHUNK))


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        message = f"the database address cannot be read; {_FORMS}"
        raise SettingsError(message) from None  # the driver's words may show the password
    kind, _, driver = parsed.drivername.partition("+")
    if kind not in _DRIVERS or driver not in {"", "psycopg", "pysqlite"}:
        message = f"no database of the kind {parsed.drivername!r} can be used; {_FORMS}"
        raise SettingsError(message)
    if kind != "sqlite":
        return parsed.set(drivername=_DRIVERS[kind])
    if _on_disk(parsed) and not Path(parsed.database or "").absolute().parent.is_dir():
        folder = Path(parsed.database or "").absolute().parent
        message = f"the folder {folder} of the database does not exist; make it, or name another in the settings"
        raise SettingsError(message)
    return parsed.set(drivername="sqlite")


def _on_disk(url: URL) -> bool:
    return url.database not in {None, "", ":memory:"}


def _open(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        settings: dict[str, Any] = {"connect_args": {"timeout": _PATIENCE}}
        if not _on_disk(url):
            settings = {"connect_args": {"check_same_thread": False}, "poolclass": StaticPool}
        engine = create_engine(url, hide_parameters=True, **settings)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine
    settings = {"connect_timeout": _PATIENCE, "options": f"-c timezone=UTC {url.query.get('options', '')}".strip()}
    return create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=settings)


def _prepare(connection: SqliteConnection, _: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: the driver would say it too late
    connection.execute("PRAGMA foreign_keys = ON")
    _let_read_while_writing(connection)
    # What was committed survives a power cut, so that no alert goes out twice; one sync a batch costs little.
    connection.execute("PRAGMA synchronous = FULL")
    # What is deleted is overwritten in the file too, not only left out of every answer.
    connection.execute("PRAGMA secure_delete = ON")


def _let_read_while_writing(connection: SqliteConnection) -> None:
    for _ in range(_TRIES):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except SqliteError as error:
            # Alone of all statements this one does not wait for its turn, so we wait for a turn and try again.
            if "locked" not in str(error):
                raise
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        else:
            return


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
