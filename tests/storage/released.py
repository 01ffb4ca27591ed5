"""Databases as earlier versions made them, filled with rows of that time; and all that is in one, to compare.

`python released.py URL REVISION` fills one and kills its migration with SIGKILL after the first statement, after the
second and so on, until it comes through. It prints how often, and after which kills the rows were not as before. Not a
test: test_migrations.py starts it.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Float,
    Integer,
    MetaData,
    Table,
    inspect,
    select,
)

import storage
from storage.schema import HEAD, VERSION_TABLE
from storage.store import Store
from storage.tables import METADATA

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
ROWS = 3
WORDS = {
    "mention.kind": "post",
    "mention.source": "forum",
    "mention.judged": True,
    "analysis.lane": "service",
    "analysis.sentiment": "negative",
    "analysis.versions": {"triage": "v1"},
    "analysis.category": "product_defect",
    "analysis.urgency": "normal",
    "analysis.stage": "use",
    "analysis.touchpoint": "product",
    "analysis.factor": None,
    "alert.kind": "case",
    "alert.sink": "chat",
    "alert.urgency": "normal",
    "alert.sent_at": None,
    "alert.dead_at": None,
    "cases.state": "open",
    "cases.category": "product_defect",
    "cases.urgency": "normal",
    "cases.answered_at": None,
    "correction.field": "lane",
    "coverage.why": None,
    "tally.lane": "service",
    "tally.number": 1,
}
"""Values a noun asks for; all others follow from the type of the column."""
LISTS = {"grave", "reasons", "why"}


def make(url: str, revision: str = HEAD) -> None:
    """The tables as a version had them that was released with this revision, each with some rows."""
    with Store(url) as store, store._write() as connection:  # noqa: SLF001 - goes back in time
        settings = Config(attributes={"connection": connection})
        settings.set_main_option("script_location", str(Path(storage.__file__).parent / "migrations"))
        settings.set_main_option("path_separator", "os")
        command.upgrade(settings, revision)
        for table in ours(connection):
            if table.name != VERSION_TABLE:
                connection.execute(table.insert(), [row(table, number, connection) for number in range(1, ROWS + 1)])


def row(table: Table, number: int, connection: Connection) -> dict[str, Any]:
    return {
        column.name: value(table, column, number, connection) for column in table.columns if column.computed is None
    }


def value(table: Table, column: Column[Any], number: int, connection: Connection) -> Any:  # noqa: ANN401 - of any type
    name = f"{table.name}.{column.name}"
    if name in WORDS:
        return WORDS[name]
    for key in column.foreign_keys:
        name = key.target_fullname.rpartition(".")[0].rpartition(".")[2] + "." + key.column.name
    at = NOON + timedelta(hours=number, microseconds=number)
    by_type = {
        DateTime: at.replace(tzinfo=None) if connection.dialect.name == "sqlite" else at,
        Date: (at + timedelta(days=number)).date(),
        JSON: [] if column.name in LISTS else {"service": number / 8},
        Boolean: number % 2 == 0,
        Integer: number,
        Float: number,
    }
    return next((made for kind, made in by_type.items() if isinstance(column.type, kind)), f"{name} {number} ü")


def ours(connection: Connection) -> list[Table]:
    """Our tables as they are in the database now, each before those that refer to it."""
    there = set(inspect(connection).get_table_names())
    found = MetaData()
    found.reflect(connection, only=[name for name in (*METADATA.tables, VERSION_TABLE) if name in there])
    return [table for table in found.sorted_tables if table.name in {*METADATA.tables, VERSION_TABLE}]


def everything(url: str) -> dict[str, list[dict[str, str]]]:
    """Every row of every table."""
    with Store(url) as store, store._read() as connection:  # noqa: SLF001 - looks behind the store
        return {table.name: rows(connection, table) for table in ours(connection)}


def rows(connection: Connection, table: Table) -> list[dict[str, str]]:
    """Every row of one table, in an order that does not rest on where they lie."""
    found = connection.execute(select(table)).mappings()
    return sorted(({name: str(value) for name, value in row.items()} for row in found), key=str)


if __name__ == "__main__":
    from killed import survives  # after what is only read

    address, revision = sys.argv[1:]
    make(address, revision)
    before, statements, differ = everything(address), 1, []
    while not survives(address, Store.migrate, statements):
        differ += [statements] if everything(address) != before else []
        statements += 1
    print(json.dumps({"kills": statements - 1, "differ": differ, "before": before}))  # noqa: T201
