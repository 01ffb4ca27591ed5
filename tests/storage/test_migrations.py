import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import storage
from pipeline.errors import SettingsError
from storage.schema import HEAD, VERSION_TABLE, known
from storage.store import Store
from storage.tables import METADATA
from tests.storage.released import ROWS, everything, make

HERE = Path(__file__).parent
BEFORE = sorted(known() - {HEAD})
"""Every schema that was ever released before this one."""


def test_the_migrations_make_exactly_the_declared_tables(store: Store) -> None:
    def declared(_: object, name: str | None, *__: object) -> bool:
        return "mention_words" not in (name or "")  # the index of words is each database's own: test_searched.py

    options = {"compare_type": True, "compare_server_default": True, "version_table": VERSION_TABLE}
    options |= {"include_object": declared}
    with store._read() as connection:  # noqa: SLF001 - the schema is no value to hand out
        found = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
        tables = {name for name in inspect(connection).get_table_names() if declared(None, name)}
    assert found == []
    assert tables == {*METADATA.tables, VERSION_TABLE}


def test_what_is_left_to_do_has_an_index_of_its_own(store: Store) -> None:
    """Alembic compares no conditions, so they are compared here."""
    with store._read() as connection:  # noqa: SLF001 - the schema is no value to hand out
        conditions = {
            index["name"]: str(index.get("dialect_options", {}).get(f"{connection.dialect.name}_where"))
            for table in METADATA.tables
            for index in inspect(connection).get_indexes(table)
        }
    for index, condition in {
        "ix_mention_unjudged": "NOT judged",
        "ix_analysis_unhandled": "handled = false",
        "ix_alert_waiting": "dead_at IS NULL",
    }.items():
        assert condition in conditions[index]


def test_the_code_knows_the_newest_migration() -> None:
    scripts = ScriptDirectory(Path(storage.__file__).parent / "migrations")
    assert scripts.get_heads() == [HEAD]


def test_migrating_again_changes_nothing(store: Store) -> None:
    store.migrate()
    store.migrate()
    assert store.counts().mentions == 0


@pytest.mark.parametrize("revision", BEFORE)
def test_nothing_is_lost_on_the_way_from_any_released_schema(database: str, revision: str) -> None:
    make(database, revision)
    before = everything(database)
    with Store(database) as store:
        store.migrate()
        assert store.counts().mentions == ROWS
        assert len(store.cases(9)) == ROWS
        assert [len(case.said) for case in store.cases(9)] == [1] * ROWS
        assert sum(waiting for waiting, _ in store.counts().alerts.values()) == ROWS
    after = everything(database)
    assert set(after) == {*METADATA.tables, VERSION_TABLE}
    assert after.pop(VERSION_TABLE) == [{"version_num": HEAD}]
    del before[VERSION_TABLE]
    for table, rows in before.items():
        assert len(rows) == ROWS
        still = set(rows[0]) & {column.name for column in METADATA.tables[table].columns}
        kept = [{name: row[name] for name in sorted(still)} for row in after[table]]
        assert kept == [{name: row[name] for name in sorted(still)} for row in rows], table


@pytest.mark.parametrize("revision", BEFORE[:1])
def test_a_migration_killed_at_any_statement_leaves_all_as_it_was_and_the_next_comes_through(
    database: str, revision: str
) -> None:
    command = [sys.executable, str(HERE / "released.py"), database, revision]
    # Nothing of it is at the front of the path, as it is where a person starts it.
    env = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=300).stdout
    told = json.loads(said)
    assert told["kills"] > len(BEFORE)
    assert told["differ"] == []
    after = everything(database)
    assert after[VERSION_TABLE] == [{"version_num": HEAD}]
    assert [row["key"] for row in after["mention"]] == [row["key"] for row in told["before"]["mention"]]


@pytest.mark.parametrize("revision", BEFORE[:1])
def test_processes_that_migrate_at_once_do_it_once(database: str, revision: str) -> None:
    make(database, revision)
    command = [
        sys.executable,
        "-c",
        "import sys; from storage.store import Store; Store(sys.argv[1]).migrate()",
        database,
    ]
    env = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    together = [subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(one.communicate(timeout=120)[1], one.returncode) for one in together] == [("", 0)] * 3
    after = everything(database)
    assert (after[VERSION_TABLE], len(after["mention"])) == ([{"version_num": HEAD}], ROWS)


def test_a_newer_schema_is_left_alone(database: str) -> None:
    make(database)
    with Store(database) as store:
        with store._write() as connection:  # noqa: SLF001 - there is no newer Earful to make one
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
        before = everything(database)
        with pytest.raises(
            SettingsError, match=r"made by a newer Earful .*'9999'.*install that version, or name another"
        ):
            store.migrate()
    assert everything(database) == before
