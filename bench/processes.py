"""A PostgreSQL, a Prefect server and workers that are started for a while, and ended for sure."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]
WITHIN = 120
"""Seconds until a step that did not happen is given up."""


def until(true: Callable[[], object], what: str, log: Path | None = None) -> None:
    """Wait for it; if it does not come, say so with the last words of a log."""
    end = time.monotonic() + WITHIN
    while not true():
        if time.monotonic() > end:
            said = log.read_text("utf-8", errors="replace").splitlines()[-8:] if log else []
            raise SystemExit("\n".join([*said, f"{what} did not happen in {WITHIN} s"]))
        time.sleep(0.5)


@contextmanager
def started(words: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    """A process and all it starts, ended for sure: a worker turns SIGTERM into SIGINT, and leaves its run behind."""
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own words
            words, env=environment, cwd=log.parent, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield
    finally:
        end_all(process.pid)
        process.wait()


def end_all(first: int) -> None:
    """End a process and all it started, these before it: a run has a session of its own, and outlives its worker."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    family = [first]
    for process in family:
        family += children.get(process, [])
    for process in reversed(family):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def programs() -> Path:
    """Where this machine's PostgreSQL has its server: Prefect's needs pg_trgm, which those from pip lack."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if not debian:
        raise SystemExit(
            "there is no PostgreSQL server on this machine: apt-get install postgresql, or put initdb on PATH"
        )
    return debian[-1].parent


@contextmanager
def postgresql() -> Iterator[Callable[[str, str], str]]:
    """A PostgreSQL of our own, on a socket only: the address of a new database for a driver."""
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    with TemporaryDirectory(prefix="earful-postgresql-", ignore_cleanup_errors=True) as home:
        data = Path(home) / "data"
        if user:
            shutil.chown(home, user)
        where = {"cwd": home, "user": user, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        made = [programs() / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(made, check=True, **where)  # type: ignore[call-overload]  # noqa: S603 - our own words
        words = [programs() / "postgres", "-D", data, "-k", home, "-c", "listen_addresses=", "-c", "fsync=off"]
        words += ["-c", "max_connections=300"]
        server = subprocess.Popen(words, start_new_session=True, **where)  # type: ignore[call-overload]  # noqa: S603
        root = make_url("postgresql+psycopg://postgres@/postgres").update_query_dict({"host": home})
        engine = create_engine(root, isolation_level="AUTOCOMMIT")

        def database(name: str, driver: str) -> str:
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            return root.set(drivername=driver, database=name).render_as_string(hide_password=False)

        try:
            until((Path(home) / ".s.PGSQL.5432.lock").exists, "PostgreSQL's start")
            until(lambda: answers(engine), "PostgreSQL's answer")
            yield database
        finally:
            engine.dispose()
            server.send_signal(signal.SIGINT)  # its fast shutdown
            server.wait()


def answers(engine: Engine) -> bool:
    """Whether the database takes connections."""
    try:
        engine.connect().close()
    except OperationalError:
        return False
    return True


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def healthy(client: httpx.Client) -> bool:
    """Whether the Prefect server answers."""
    try:
        return client.get("/health").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
