"""A run killed at any moment loses nothing and alerts nobody twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from flows.send import LEASE
from tests.town import Town

STEPS = """
import logging, os, signal, sys
from datetime import datetime, timedelta, UTC
from pathlib import Path
from flows import collect, judge, send as sending
from flows.setup import Setup

# The same steps as the flow, without Prefect's server, which remembers nothing for us. The process kills itself,
# with no chance to clean up, at the n-th thing it reports to have done.
deadline, later = int(sys.argv[2]), timedelta(seconds=float(sys.argv[3]))

class Death(logging.Handler):
    count = 0
    def emit(self, record):
        if hasattr(record, "step"):
            Death.count += 1
            if Death.count == deadline:
                os.kill(os.getpid(), signal.SIGKILL)

logging.getLogger("flows").addHandler(Death())
logging.getLogger("flows").setLevel(logging.INFO)
Setup.now = lambda self: datetime.now(UTC) + later
setup = Setup.read(Path(sys.argv[1]))
with setup.store() as store:
    store.migrate()
for source in setup.sources:
    collect.bring_home(setup, source)
judge.analyse.fn(setup)
judge.open_cases.fn(setup)
for sink in setup.sinks:
    sending.send.fn(setup, sink)
"""


def start(town: Town, *, die_at: int, later: float = 0) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", STEPS, str(town.settings), str(die_at), str(later)]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def steps(town: Town, *, die_at: int, later: float = 0) -> int:
    return start(town, die_at=die_at, later=later).wait(120)


def test_three_runs_at_once_do_the_work_of_one(town: Town, database: str) -> None:
    town.use(database)
    town.write(plaints=30, praise=20)
    assert [run.wait(120) for run in [start(town, die_at=0) for _ in range(3)]] == [0, 0, 0]
    with town.store() as store:
        counts = store.counts()
        assert (counts.mentions, counts.unanalysed, counts.waiting) == (50, 0, 30)
        assert counts.alerts == {"log": (0, 30), "desk": (0, 30)}
    assert len({alert["key"] for alert in town.logged()}) == len(town.logged()) == 30
    assert len({key for key, _ in town.hooks}) == len(town.hooks) == 30


@pytest.mark.parametrize("die_at", [1, 2, 3, 5, 8, 12, 17])
def test_killed_at_any_step_the_next_run_finishes_the_work_once(town: Town, die_at: int) -> None:
    town.write(plaints=6, praise=4)
    assert steps(town, die_at=die_at) == -signal.SIGKILL
    assert steps(town, die_at=0, later=LEASE.total_seconds() + 60) == 0
    with town.store() as store:
        counts = store.counts()
        assert (counts.mentions, counts.unanalysed, counts.waiting) == (10, 0, 6)
        assert counts.alerts == {"log": (0, 6), "desk": (0, 6)}
    assert len({alert["key"] for alert in town.logged()}) == len(town.logged()) == 6
    assert len({key for key, _ in town.hooks}) == 6


@pytest.fixture
def listening(town: Town, prefect_api: None) -> Iterator[subprocess.Popen[bytes]]:
    del prefect_api
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 - set by the server's fixture

    words = [sys.executable, "-m", "desk", "listen", "--settings", str(town.settings)]
    env = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    process = subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


def test_the_whole_command_killed_while_it_sends_is_finished_by_the_next(
    town: Town, listening: subprocess.Popen[bytes]
) -> None:
    town.write(plaints=300, praise=100)
    end = time.monotonic() + 90
    while len(town.hooks) < 5 and time.monotonic() < end and listening.poll() is None:
        time.sleep(0.02)
    listening.send_signal(signal.SIGKILL)
    listening.wait()
    assert 0 < len(town.hooks) < 300
    assert steps(town, die_at=0, later=LEASE.total_seconds() + 60) == 0
    with town.store() as store:
        counts = store.counts()
        assert (counts.mentions, counts.waiting, counts.alerts) == (400, 300, {"log": (0, 300), "desk": (0, 300)})
    assert len({alert["key"] for alert in town.logged()}) == len(town.logged()) == 300
    assert len({key for key, _ in town.hooks}) == 300
