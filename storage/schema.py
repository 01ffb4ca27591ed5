"""The schema: brought up to date by Alembic, by one process at a time, all or nothing."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

from pipeline.errors import SettingsError, TemporaryError
from storage.database import Database, first_line
from storage.searched import mend_words

HEAD = "0006"
"""The newest revision in `migrations/versions`. Known here so that most runs need not import Alembic."""
VERSION_TABLE = "earful_version"
"""Not Alembic's own name: a Prefect server in the same database has a table of that name."""
HALF = "half"
"""Instead of a version: the tables of a backup are there, and whoever was restoring it has not finished."""
_MIGRATIONS = Path(__file__).parent / "migrations"
_MEND = "check `database` in the settings, and that it is there and may be written to"
_LOCK = 0x_EA_2F_01
"""Any number, the same for all of us: who holds it on PostgreSQL migrates."""


class Schema(Database):
    """The part of the store that makes its own tables."""

    def migrate(self) -> None:
        """Bring the tables up to date; from nothing, too. Several processes may call it at once.

        SettingsError if the database cannot be reached or was made by a newer Earful.
        """
        try:
            with self._write() as connection:
                lock(connection)
                bring_up(connection, self.place)
        except TemporaryError as error:
            raise SettingsError(f"{error}; {_MEND}") from error
        except DatabaseError as error:
            message = f"the database {self.place} cannot be used: {first_line(error)}; {_MEND}"
            raise SettingsError(message) from error


def known() -> set[str]:
    """Every schema this program can bring up to date."""
    return {file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py")}


def lock(connection: Connection) -> None:
    """Be the only one that changes the schema, until the transaction ends."""
    # SQLite has one writer at a time anyway; on PostgreSQL the lock ends with the transaction.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


def version(connection: Connection) -> str | None:
    """The schema of the database; None where there is nothing of ours."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) or HALF  # noqa: S608 - a constant of ours


def bring_up(connection: Connection, place: str) -> None:
    """Bring the tables up to date, as a part of a larger transaction that holds the lock.

    SettingsError if they were made by a newer Earful, or if somebody's restoring of them was cut off.
    """
    found = version(connection)
    if found == HALF:
        raise SettingsError(
            f"a backup was being restored into the database {place}, and that was cut off; `earful restore` "
            "does it once more"
        )
    if found is not None and found not in known():
        raise SettingsError(
            f"the database {place} was made by a newer Earful than this one (it has {found!r}, and {HEAD} is the "
            "newest this one knows); install that version, or name another database in the settings"
        )
    if found != HEAD:
        _upgrade(connection)
    mend_words(connection)


def _upgrade(connection: Connection) -> None:
    # A second to import, and needed once in the life of a database.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    command.upgrade(settings, "head")
