"""What the proof needs: a nursery, databases, and a trial on them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.databases import Databases, open_folder, open_trial
from tests.faults.runs import open_nurseries
from tests.faults.trial import Trial


@pytest.fixture(scope="session")
def databases(postgres: str) -> Iterator[Databases]:
    with open_folder() as folder:
        yield Databases(folder, postgres)


@pytest.fixture(scope="session")
def front() -> Iterator[Path]:
    """Where nurseries are to be had."""
    with open_nurseries() as front:
        yield front


@pytest.fixture(params=["sqlite", "postgresql"])
def trial(request: pytest.FixtureRequest, databases: Databases, front: Path) -> Iterator[Trial]:
    """A trial that has begun, once on SQLite and once on PostgreSQL."""
    with open_trial(request.param, databases, front) as trial:
        trial.begin()
        assert trial.tally.damage == []
        yield trial
