"""Many rows at once: one statement for a page of them, without what SQLAlchemy takes for each row.

SQLite is given tuples; PostgreSQL many rows as one document, which it reads itself: it answers a statement once and not
a thousand times.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import isfinite
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import JSON, Connection, Dialect, Float, Table, Text, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError
from sqlalchemy.types import TypeEngine

from pipeline.errors import EarfulError
from storage.database import first_line

Insert = sqlite.Insert | postgresql.Insert
Rule = Callable[[Insert], Insert]
"""What an INSERT does where a key is known: any function that says it, such as `kept_as_it_is`."""
Row = Mapping[str, Any]
_SQLITE = sqlite.dialect()
_DOCUMENT = 4_000_000
"""Bytes of one document: enough for bulk speed, few enough for flat memory and PostgreSQL's limit on a text."""
_LONG = 100_000
"""Bytes of a row that costs less as parameters of its own: to read it out of a document takes several times as long."""


def kept_as_it_is(fresh: Insert) -> Insert:
    """What is known stays."""
    return fresh.on_conflict_do_nothing()


def put(connection: Connection, table: Table, rows: Sequence[Row], rule: Rule) -> int:
    """Insert rows, one at least, all with the same columns, no key twice; how many were inserted or changed.

    ValueError for a time without a zone and for a number that is none. EarfulError for what the database refuses.
    """
    names = tuple(one.name for one in table.c if one.name in rows[0])
    wanted = frozenset(names)
    if any(row.keys() != wanted for row in rows):
        message = f"rows of {table.name} have other columns than the first of them, or than the table"
        raise ValueError(message)
    send = _to_sqlite if connection.dialect.name == "sqlite" else _to_postgresql
    try:
        return send(connection.execution_options(preserve_rowcount=True), table, names, rows, rule)
    except DataError as error:
        # The lines after the first quote the document: what people said.
        message = f"the database refuses rows of {table.name}: {first_line(error)}"
        raise EarfulError(message) from None


def _to_sqlite(counting: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Row], rule: Rule) -> int:
    processors = _processors(counting.dialect, table, names)
    columns = [
        [processors[name](row[name]) for row in rows] if name in processors else [row[name] for row in rows]
        for name in names
    ]
    return counting.exec_driver_sql(_for_sqlite(table, names, rule), list(zip(*columns, strict=True))).rowcount


def _to_postgresql(counting: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Row], rule: Rule) -> int:
    """In the order of the rows, whatever their sizes: so two writers wait for each other and never in a circle."""
    statement, processors = _for_postgresql(table, names, rule), _processors(counting.dialect, table, names)
    done, piece, size = 0, list[bytes](), 0

    def sent() -> int:
        document = b"[" + b",".join(piece) + b"]"
        piece.clear()
        return counting.execute(statement, {"rows": document.decode()}).rowcount

    for row in rows:
        one = to_json({**row, **{name: made(row[name]) for name, made in processors.items()}})
        if piece and (size + len(one) > _DOCUMENT or len(one) > _LONG):
            done, size = done + sent(), 0
        if len(one) > _LONG:
            done += counting.execute(rule(postgresql.insert(table)), [dict(row)]).rowcount
        else:
            piece.append(one)
            size += len(one)
    return done + sent() if piece else done


def _processors(dialect: Dialect, table: Table, names: tuple[str, ...]) -> dict[str, Callable[[Any], Any]]:
    """By column, what makes its values such as the database keeps them; none for those that are so already."""
    all_of_them = {name: _processor(table.c[name].type, dialect) for name in names}
    return {name: processor for name, processor in all_of_them.items() if processor is not None}


def _processor(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """What makes and checks the values of a column: its type's own, but for documents and fractions."""
    if isinstance(kind, JSON):
        return _document
    if isinstance(kind, Float):
        return _number
    return kind.dialect_impl(dialect).bind_processor(dialect)


@cache
def _for_sqlite(table: Table, names: tuple[str, ...], rule: Rule) -> str:
    return str(rule(sqlite.insert(table)).compile(dialect=_SQLITE, column_keys=list(names)))


@cache
def _for_postgresql(table: Table, names: tuple[str, ...], rule: Rule) -> Insert:
    """A document within the document is a text there: else its NUL, which a document may have, would be refused."""
    kinds = {name: table.c[name].type for name in names}
    told = [column(name, Text() if isinstance(kind, JSON) else kind) for name, kind in kinds.items()]
    document = cast(bindparam("rows", type_=Text()), JSON)
    rows = func.json_to_recordset(document).table_valued(*told).render_derived("told", with_types=True)
    wanted = [cast(rows.c[name], JSON) if isinstance(kind, JSON) else rows.c[name] for name, kind in kinds.items()]
    return rule(postgresql.insert(table).from_select(list(names), select(*wanted), include_defaults=False))


def _document(value: object) -> str:
    """In a fifth of the time of `json.dumps`, which alone can write half a surrogate pair."""
    try:
        return to_json(value).decode()
    except PydanticSerializationError:
        return json.dumps(value)


def _number(value: float | None) -> float | None:
    """SQLite would keep NaN as nothing at all, and PostgreSQL as a number above all others."""
    if value is not None and not isfinite(value):
        message = "a number to be stored is not finite"
        raise ValueError(message)
    return value
