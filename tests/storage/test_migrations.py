from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

import storage
from storage.schema import HEAD, VERSION_TABLE
from storage.store import Store
from storage.tables import METADATA


def test_the_migrations_make_exactly_the_declared_tables(store: Store) -> None:
    options = {"compare_type": True, "compare_server_default": True, "version_table": VERSION_TABLE}
    with store._read() as connection:  # noqa: SLF001 - the schema is no value to hand out
        found = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
        tables = set(inspect(connection).get_table_names())
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
        "ix_alert_waiting": "sent_at IS NULL",
    }.items():
        assert condition in conditions[index]


def test_the_code_knows_the_newest_migration() -> None:
    scripts = ScriptDirectory(Path(storage.__file__).parent / "migrations")
    assert scripts.get_heads() == [HEAD]


def test_migrating_again_changes_nothing(store: Store) -> None:
    store.migrate()
    store.migrate()
    assert store.counts().mentions == 0
