"""The schema: brought up to date by Alembic, by one process at a time, all or nothing."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

from pipeline.errors import SettingsError, TemporaryError
from storage.database import Database, first_line

HEAD = "0002"
"""The newest revision in `migrations/versions`. Known here so that most runs need not import Alembic."""
VERSION_TABLE = "earful_version"
"""Not Alembic's own name: a Prefect server in the same database has a table of that name."""
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
                # SQLite has one writer at a time anyway; on PostgreSQL the lock ends with the transaction.
                if connection.dialect.name == "postgresql":
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
                if _version(connection) != HEAD:
                    _upgrade(connection, self.place)
        except TemporaryError as error:
            raise SettingsError(f"{error}; {_MEND}") from error
        except DatabaseError as error:
            message = f"the database {self.place} cannot be used: {first_line(error)}; {_MEND}"
            raise SettingsError(message) from error


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return str(connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")))  # noqa: S608 - a constant of ours


def _upgrade(connection: Connection, place: str) -> None:
    # A second to import, and needed once in the life of a database.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    try:
        command.upgrade(settings, "head")
    except CommandError as error:
        message = (
            f"the database {place} was made by a newer Earful than this one ({HEAD} is the newest it knows: {error}); "
            "install that version, or name another database in the settings"
        )
        raise SettingsError(message) from error
