"""Databases to run on, made from a template, since a migration takes longer than most runs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import create_engine, make_url, text

from storage.store import Store
from tests.faults.ground import open_ground
from tests.faults.runs import open_nursery
from tests.faults.trial import Tally, Trial, campaign

WORLD = 100
"""Kills in one world: the store and the sinks' memories stay so small that the audit is quick."""
MEMORY = Path("/dev/shm")
"""Where a file needs no disk. A process that is killed loses nothing that it wrote there, no more than on a disk."""


class Databases:
    """Empty databases with all tables, from a template of each kind."""

    def __init__(self, folder: Path, postgres: str) -> None:
        self._folder, self._postgres = folder, postgres
        self._made = 0
        with Store(f"sqlite:///{folder / 'template.db'}") as store:
            store.migrate()
        self._tell("CREATE DATABASE faults_template")
        with Store(self._named("faults_template")) as store:
            store.migrate()

    def _tell(self, command: str) -> None:
        engine = create_engine(self._postgres, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(command))
        engine.dispose()

    def _named(self, name: str) -> str:
        return make_url(self._postgres).set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def new(self, kind: str, folder: Path) -> Iterator[str]:
        """The address of a database of this kind."""
        if kind == "sqlite":
            yield f"sqlite:///{shutil.copy(self._folder / 'template.db', folder / 'earful.db')}"
            return
        self._made += 1
        name = f"faults_{self._made}"
        self._tell(f"CREATE DATABASE {name} TEMPLATE faults_template")
        yield self._named(name)
        self._tell(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder in memory, where there is such a thing."""
    with TemporaryDirectory(prefix="earful-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def open_trial(kind: str, databases: Databases, front: Path, seed: int = 0) -> Iterator[Trial]:
    """A trial on a new ground with a new database."""
    with (
        open_folder() as folder,
        databases.new(kind, folder) as address,
        open_ground(folder, address) as ground,
        open_nursery(front) as nursery,
    ):
        yield Trial(ground, nursery, seed)


def worlds(kind: str, kills: int, seed: int, databases: Databases, front: Path) -> Iterator[Tally]:
    """So many kills on one kind of database, a world after the other, each with the next seed; none after damage."""
    while kills > 0:
        with open_trial(kind, databases, front, seed) as trial:
            tally = campaign(trial, min(WORLD, kills))
        yield tally
        kills, seed = 0 if tally.damage else kills - tally.kills.total(), seed + 1
