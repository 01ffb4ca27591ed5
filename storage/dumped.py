"""PostgreSQL's own tools, pg_dump and pg_restore, as backups use them."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine

from pipeline.errors import RefusedError, SettingsError

_LEFT_OUT = {"password", "sslpassword", "context"}
"""What no other user of the machine may see in the list of processes, and what only our own driver knows."""

_UNREADABLE = 17
"""From this version on pg_restore sets `transaction_timeout`, and an older server ends what it does not know."""


class Tools:
    """The tools on PATH, for one database. SettingsError if they are missing, or too old or too new for its server."""

    def __init__(self, engine: Engine, served: int) -> None:
        """`served` is the version of the server."""
        _, given = engine.dialect.create_connect_args(engine.url)
        self._target = make_conninfo(**{name: value for name, value in given.items() if name not in _LEFT_OUT})
        self._password = given.get("password")
        self._place = engine.url.set(query={}).render_as_string(hide_password=True)
        self._dump, self._restore = (_found(tool, served) for tool in ("pg_dump", "pg_restore"))

    def dump(self, file: Path, schema: str, tables: Sequence[str]) -> None:
        """Write these tables to `file`, as they stand at one moment."""
        chosen = [f'--table="{schema}"."{table}"' for table in tables]
        self._run(self._dump, "--format=custom", "--no-owner", "--no-privileges", *chosen, f"--file={file}", *self._to)
        self.read_through(file)

    def revision(self, file: Path, table: str) -> str:
        """The schema a backup was made in, from the `table` that says so; RefusedError if it holds none."""
        said = self._run(self._restore, "--data-only", f"--table={table}", "--file=-", file)
        row = re.search(rf"^COPY \S*{table} .*\n(.+)\n\\\.$", said, re.MULTILINE)
        if row is None:
            raise RefusedError(f"{file} holds nothing of Earful's")
        return row[1]

    def schema(self, file: Path, table: str) -> str | None:
        """The schema that a backup brings `table` back into, whatever the search path; None if it holds none."""
        there = re.search(rf"^\d+; \d+ \d+ TABLE (.+) {table} ", self._run(self._restore, "--list", file), re.MULTILINE)
        return None if there is None else there[1]

    def read_through(self, file: Path) -> None:
        """RefusedError if a backup is not whole."""
        self._run(self._restore, f"--file={os.devnull}", file)

    def load(self, file: Path, *, without: str) -> None:
        """Bring back all that `file` holds, but for the rows of one table; all or nothing."""
        listed = self._run(self._restore, "--list", file).splitlines()
        wanted = [line for line in listed if not re.search(rf"; \d+ \d+ TABLE DATA \S+ {without} ", line)]
        with NamedTemporaryFile("w", encoding="utf-8") as order:
            order.write("\n".join(wanted))
            order.flush()
            how = ("--single-transaction", "--no-owner", "--no-privileges", f"--use-list={order.name}")
            self._run(self._restore, *how, *self._to, file)

    @property
    def _to(self) -> tuple[str, ...]:
        return "--no-password", f"--dbname={self._target}"

    def _run(self, tool: str, *words: str | Path) -> str:
        """What the tool prints; RefusedError with what it complains of."""
        mine = {**os.environ, "LC_ALL": "C"} | ({"PGPASSWORD": self._password} if self._password else {})
        done = subprocess.run(  # noqa: S603 - no shell, and the tool is the operator's own
            [tool, *map(str, words)],
            env=mine,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if "error:" in line] or done.stderr.splitlines()
            said = lines[0].strip() if lines else f"it was stopped ({done.returncode})"
            raise RefusedError(f"{Path(tool).name}, for the database {self._place}: {said}")
        return done.stdout


def _found(tool: str, served: int) -> str:
    """Where a tool is; SettingsError says what to install."""
    newer = " or newer" if served >= _UNREADABLE else ""
    install = f"install PostgreSQL's client tools of version {served}{newer} (on Debian: postgresql-client-{served})"
    where = shutil.which(tool)
    if where is None:
        raise SettingsError(f"{tool} is not on PATH, and a backup of PostgreSQL needs it; {install}")
    told = subprocess.run([where, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    number = re.search(r"(\d+)(\.\d+)*", told)
    if number is not None and served < _UNREADABLE <= int(number[1]):
        lost = f"what {where} ({told.strip()}) writes could not be restored into a server of version {served}"
        raise SettingsError(f"{lost}; {install} and put them first on PATH")
    if number is None or int(number[1]) < served:
        older = f"{where} ({told.strip() or 'of no version'}) is older than the server ({served})"
        raise SettingsError(f"{older}; {install} and put them first on PATH")
    return where
