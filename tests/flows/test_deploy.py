"""What the README promises of a schedule: `prefect deploy --all`, a worker, and runs that happen by themselves."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.town import Town

ROOT = Path(__file__).resolve().parents[2]
PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]


def until(true: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not happen in {seconds} s"
        time.sleep(0.2)


@pytest.fixture
def environment(town: Town, tmp_path: Path) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT")},
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "EARFUL_SETTINGS": str(town.settings),
        "EARFUL_TIME_ZONE": "Europe/Berlin",
    }


@pytest.fixture
def api(environment: dict[str, str], tmp_path: Path) -> Iterator[httpx.Client]:
    """A real Prefect server of its own."""
    port = environment["PREFECT_API_URL"].split(":")[2].split("/")[0]
    with (tmp_path / "server.log").open("wb") as log:
        words = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui"]
        server = subprocess.Popen(words, env=environment, stdout=log, stderr=log, start_new_session=True)
    with httpx.Client(base_url=environment["PREFECT_API_URL"], timeout=30) as client:

        def healthy() -> bool:
            try:
                return client.get("/health").status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

        try:
            until(healthy, 120, "the server's start")
            yield client
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@pytest.fixture
def prefect(environment: dict[str, str]) -> Callable[..., str]:
    def call(*words: str, **more: str) -> str:
        done = subprocess.run(
            [*PREFECT, *words],
            env=environment | more,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return f"{done.returncode}\n{done.stdout}\n{done.stderr}"

    return call


@pytest.fixture
def worker(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], None]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        with (tmp_path / "worker.log").open("wb") as log:
            words = [*PREFECT, "worker", "start", "--pool", "local", "--type", "process"]
            # A worker turns SIGTERM into SIGINT, which background jobs ignore: a session of its own ends for sure.
            started.append(
                subprocess.Popen(words, env=environment, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
            )

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_three_deployments_are_scheduled_and_a_worker_runs_them(
    town: Town, api: httpx.Client, prefect: Callable[..., str], worker: Callable[[], None]
) -> None:
    town.write(plaints=4, praise=4)
    assert prefect("work-pool", "create", "local", "--type", "process").startswith("0")
    for _ in range(2):  # the second time changes nothing
        deployed = prefect("deploy", "--all")
        assert deployed.startswith("0"), deployed

    deployments = {found["name"]: found for found in api.post("/deployments/filter", json={}).json()}
    schedules = {name: [one["schedule"] for one in found["schedules"]] for name, found in deployments.items()}
    assert {name: [(one["cron"], one["timezone"]) for one in each] for name, each in schedules.items()} == {
        "listen": [("*/15 * * * *", "UTC")],
        "watch": [("7 * * * *", "UTC")],
        "digest": [("0 8 * * 1", "Europe/Berlin")],
    }

    def runs(name: str, *states: str) -> list[dict[str, object]]:
        asked = {"deployments": {"id": {"any_": [deployments[name]["id"]]}}}
        if states:
            asked["flow_runs"] = {"state": {"type": {"any_": list(states)}}}
        return list(api.post("/flow_runs/filter", json=asked).json())

    # The scheduler plans runs by itself. A version of SQLAlchemy that stops it silently would be seen here.
    until(lambda: all(runs(name, "SCHEDULED") for name in deployments), 60, "the planning of runs")

    worker()
    for name in ("listen", "watch", "digest"):
        assert prefect("deployment", "run", f"{name}/{name}").startswith("0")
        until(partial(runs, name, "COMPLETED", "FAILED", "CRASHED"), 120, f"a run of {name}")
        ended = runs(name, "COMPLETED", "FAILED", "CRASHED")
        assert [run["state_type"] for run in ended] == ["COMPLETED"], json.dumps(ended[0]["state"])

    with town.store() as store:
        assert store.counts().mentions == 8
        assert store.counts().alerts["log"][1] >= 4
    assert list((town.folder / "reports").glob("hike-*.html"))


def test_a_deployment_without_its_settings_says_so_in_the_run(
    api: httpx.Client, prefect: Callable[..., str], worker: Callable[[], None]
) -> None:
    prefect("work-pool", "create", "local", "--type", "process")
    assert prefect("deploy", "--name", "watch", EARFUL_SETTINGS="/nowhere/earful.toml").startswith("0")
    worker()
    prefect("deployment", "run", "watch/watch")

    def failed() -> list[dict[str, object]]:
        asked = {"flow_runs": {"state": {"type": {"any_": ["FAILED", "CRASHED"]}}}}
        return list(api.post("/flow_runs/filter", json=asked).json())

    until(lambda: bool(failed()), 90, "the run's end")
    state = failed()[0]["state"]
    assert isinstance(state, dict)
    assert "no such file; `earful init` writes one" in str(state["message"])
