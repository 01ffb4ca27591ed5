"""Which databases can be opened, what is said of those that cannot, and what one in memory can do."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pytest
from sqlalchemy import JSON, literal, select, text
from sqlmodel import SQLModel

from pipeline.errors import SettingsError, TemporaryError
from pipeline.mention import Mention
from storage.database import made
from storage.schema import VERSION_TABLE
from storage.store import Store

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "cannot be read"),
        ("earful.db", "cannot be read"),
        ("postgresql://me:s3cret@host:port/x", "cannot be read"),
        ("mysql://me:s3cret@host/x", "of the kind 'mysql'"),
        ("sqlite+aiosqlite:///x.db", "of the kind 'sqlite\\+aiosqlite'"),
        ("sqlite:////no/such/folder/x.db", "the folder /no/such/folder of the database does not exist"),
    ],
)
def test_an_address_that_cannot_work_says_how_to_write_it_and_no_password(url: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as refused:
        Store(url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_database_that_cannot_be_reached_is_named_without_its_password(scheme: str) -> None:
    with (
        Store(f"{scheme}://me:s3cret@127.0.0.1:1/earful") as store,
        pytest.raises(SettingsError, match=r"me:\*\*\*@127.0.0.1:1/earful did not answer") as refused,
    ):
        store.migrate()
    assert "s3cret" not in str(refused.value)
    assert "check `database` in the settings" in str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "earful.db").write_text("dear diary, " * 100)
    with Store(f"sqlite:///{tmp_path / 'earful.db'}") as store, pytest.raises(SettingsError, match="not a database"):
        store.migrate()


class Shade(StrEnum):
    DARK = "dark"


class Coat(SQLModel):
    shades: list[Shade]


def test_a_row_is_not_trusted_with_what_a_column_cannot_give_back(store: Store) -> None:
    with store._read() as connection:  # noqa: SLF001 - a row of no table of ours
        row = connection.execute(select(literal(["dark"], JSON))).one()
    (shade,) = made(Coat, row).shades
    assert shade is Shade.DARK


def test_a_database_of_a_newer_earful_is_left_alone(store: Store) -> None:
    with store._write() as connection:  # noqa: SLF001 - there is no newer Earful to make one
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(SettingsError, match=r"made by a newer Earful.*'9999'"):
        store.migrate()


def test_a_database_that_goes_away_meanwhile_is_the_machines_matter(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'earful.db'}") as store:
        store.migrate()
        gone = sqlite3.connect(tmp_path / "earful.db")
        gone.execute("DROP TABLE cursor")
        gone.close()
        with pytest.raises(TemporaryError, match=r"earful.db did not answer: no such table: cursor"):
            store.cursor("forum")


def test_a_database_in_memory_serves_threads_and_is_forgotten(say: Callable[..., Mention]) -> None:
    with Store("sqlite://") as store, ThreadPoolExecutor(8) as threads:
        store.migrate()

        def hear(number: int) -> int:
            page = [say(f"forum:{number}:{one}") for one in range(20)]
            assert store.cursor("forum") is not None or number >= 0
            return store.save("forum", page, [{}] * 20, [], str(number), heard_at=NOON).new

        assert sum(threads.map(hear, range(20))) == store.counts().mentions == 400
    with Store("sqlite://") as store:
        store.migrate()
        assert store.counts().mentions == 0


def test_a_committed_transaction_survives_a_power_cut(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'earful.db'}") as store, store._read() as connection:  # noqa: SLF001
        pragmas = {name: connection.scalar(text(f"PRAGMA {name}")) for name in ("synchronous", "journal_mode")}
    assert pragmas == {"synchronous": 2, "journal_mode": "wal"}
