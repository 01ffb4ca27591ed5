"""What the README promises of a schedule: `prefect deploy --all`, a worker, and runs that happen by themselves."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from bench.processes import PREFECT, free_port, healthy, started
from flows.automations import make
from tests.town import Town

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("pipeline", "connectors", "storage", "flows", "desk")
DEATH = """
from datetime import UTC, datetime
from flows.events import alert_dead
from pipeline.route import Alert
alert_dead(Alert(key="a", sink="desk", title="Hike", made_at=datetime.now(UTC)))
"""
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class Patient(httpx.HTTPTransport):
    """Asks again while the server's SQLite is locked, as Prefect's own client does."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(20):
            response = super().handle_request(request)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            response.close()
            time.sleep(1)
        return response


def until(true: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not happen in {seconds} s"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A real Prefect server, and the environment of who uses it."""
    home = tmp_path_factory.mktemp("prefect")
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT")},
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "EARFUL_TIME_ZONE": "Europe/Berlin",
    }
    words = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    with started(words, home / "server.log", environment):
        with httpx.Client(base_url=environment["PREFECT_API_URL"], timeout=30) as client:
            until(lambda: healthy(client), 240, "the server's start")
        yield environment


@pytest.fixture
def environment(served: dict[str, str], town: Town) -> dict[str, str]:
    return served | {"EARFUL_SETTINGS": str(town.settings), "PREFECT_WORKER_QUERY_SECONDS": "2"}


@pytest.fixture
def api(served: dict[str, str], prefect: Callable[..., str]) -> Iterator[httpx.Client]:
    """The server's API; what a test deployed is gone after it."""
    prefect("work-pool", "create", "earful", "--type", "process")
    with httpx.Client(base_url=served["PREFECT_API_URL"], timeout=30, transport=Patient()) as client:
        yield client
        for found in client.post("/deployments/filter", json={}).json():
            client.delete(f"/deployments/{found['id']}")
        for made in client.post("/automations/filter", json={}).json():
            client.delete(f"/automations/{made['id']}")


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
def worker(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], Callable[[], None]]]:
    """Starts a worker, and gives what ends it at once, and its runs with it."""
    with ExitStack() as stack:

        def start() -> Callable[[], None]:
            words = [*PREFECT, "worker", "start", "--pool", "earful", "--type", "process"]
            one = stack.enter_context(ExitStack())
            one.enter_context(started(words, tmp_path / "worker.log", environment))
            return one.close

        yield start


def runs(api: httpx.Client, name: str, *states: str) -> list[dict[str, Any]]:
    """The runs of a deployment in these states, the oldest first."""
    asked: dict[str, Any] = {"deployments": {"name": {"any_": [name]}}, "sort": "START_TIME_ASC"}
    if states:
        asked["flow_runs"] = {"state": {"type": {"any_": list(states)}}}
    return list(api.post("/flow_runs/filter", json=asked).json())


def test_each_deployment_is_scheduled_and_a_worker_runs_them(
    town: Town, api: httpx.Client, prefect: Callable[..., str], worker: Callable[[], object]
) -> None:
    town.write(plaints=4, praise=4)
    for _ in range(2):  # the second time changes nothing
        deployed = prefect("deploy", "--all")
        assert deployed.startswith("0"), deployed

    deployments = {found["name"]: found for found in api.post("/deployments/filter", json={}).json()}
    assert all("earful" in found["tags"] for found in deployments.values())
    assert {name for name, found in deployments.items() if "repeat" not in found["tags"]} == {"judge-again"}
    schedules = {
        name: [(one["schedule"]["cron"], one["schedule"]["timezone"]) for one in found["schedules"] if one["active"]]
        for name, found in deployments.items()
    }
    assert schedules == {
        "listen": [("*/15 * * * *", "UTC")],
        "listen-reviews": [("5,35 * * * *", "UTC")],
        "watch": [("7 * * * *", "UTC")],
        "digest": [("0 8 * * 1", "Europe/Berlin")],
        "learn": [],
        "forget": [("30 3 * * *", "Europe/Berlin")],
        "judge-again": [],
    }
    # The scheduler plans runs by itself. A version of SQLAlchemy that stops it silently would be seen here.
    planned = [name for name, when in schedules.items() if when]
    until(lambda: all(runs(api, name, "SCHEDULED") for name in planned), 240, "the planning of runs")

    # The clock must not order a run beside ours: a worker takes it ten seconds early, and one of the two is cancelled.
    for found in deployments.values():
        api.post(f"/deployments/{found['id']}/pause_deployment").raise_for_status()
    worker()
    tried = ("listen", "watch", "digest", "learn", "forget", "judge-again")
    for name in tried:
        order = f"/deployments/{deployments[name]['id']}/create_flow_run"
        api.post(order, json={"idempotency_key": name}).raise_for_status()
        if name == "listen":  # what it hears is told by the others
            until(partial(runs, api, name, *ENDED), 240, "a run of listen")
    for name in tried:
        until(partial(runs, api, name, *ENDED), 240, f"a run of {name}")
        states = [run["state"] for run in runs(api, name, *ENDED)]
        assert [state["type"] for state in states] == ["COMPLETED"], f"{name}: {states}"

    with town.store() as store:
        assert store.counts().mentions == 8
        assert store.counts().alerts["log"][1] >= 4
    assert list((town.folder / "reports").glob("hike-*.html"))
    shown = {one["key"]: one for one in api.post("/artifacts/latest/filter", json={}).json()}
    assert {"listen-heard", "listen-alerts", "listen-gaps", "digest-report"} <= shown.keys()
    assert shown["listen-heard"]["flow_run_id"] is not None

    opened = {"filter": {"event": {"name": ["earful.case.opened"]}}, "limit": 50}
    until(lambda: api.post("/events/filter", json=opened).json()["total"] >= 4, 30, "the word of cases opened")
    events = api.post("/events/filter", json=opened).json()["events"]
    assert {event["payload"]["team"] for event in events} == {"Support"}
    assert "ordered the Talus" not in json.dumps(events)  # no words of anybody


def test_a_deployment_without_its_settings_says_so_in_the_run(
    api: httpx.Client, prefect: Callable[..., str], worker: Callable[[], object]
) -> None:
    assert prefect("deploy", "--name", "watch", EARFUL_SETTINGS="/nowhere/earful.toml").startswith("0")
    worker()
    prefect("deployment", "run", "watch/watch")
    until(lambda: runs(api, "watch", *ENDED), 240, "the run's end")
    assert "no such file; `earful init` writes one" in runs(api, "watch", *ENDED)[0]["state"]["message"]


def ordered(api: httpx.Client, name: str) -> list[dict[str, Any]]:
    """The runs of a deployment that are not of its schedule, the oldest first."""
    return sorted((one for one in runs(api, name) if not one["auto_scheduled"]), key=lambda one: str(one["created"]))


def crash(api: httpx.Client, run: dict[str, Any]) -> None:
    for state in ("RUNNING", "CRASHED"):
        order = {"state": {"type": state}, "force": True}
        api.post(f"/flow_runs/{run['id']}/set_state", json=order).raise_for_status()


def test_what_crashes_is_repeated_once_an_hour_but_not_where_it_would_do_something_else_and_a_dead_alert_calls_watch(
    api: httpx.Client, prefect: Callable[..., str], environment: dict[str, str]
) -> None:
    names = ("listen", "judge-again", "watch")
    assert prefect("deploy", *(word for name in names for word in ("--name", name))).startswith("0")
    with temporary_settings({PREFECT_API_URL: str(api.base_url).rstrip("/")}):
        make()
    deployments = {found["name"]: found["id"] for found in api.post("/deployments/filter", json={}).json()}
    for name in ("judge-again", "listen"):  # each is looked at in this order
        run = api.post(f"/deployments/{deployments[name]}/create_flow_run", json={}).json()
        crash(api, run)
    until(lambda: len(ordered(api, "listen")) == 2, 240, "the repetition")
    crash(api, ordered(api, "listen")[1])
    # The server sees to one event after the other: once watch is called, it has seen to all before.
    # In a process of its own: one that has told events to a server tells them there for as long as it lives.
    subprocess.run([sys.executable, "-c", DEATH], cwd=ROOT, env=environment, check=True)
    until(lambda: ordered(api, "watch"), 240, "the call of watch")
    assert len(ordered(api, "listen")) == 2, "what crashes always must not run for ever"
    assert len(ordered(api, "judge-again")) == 1, "it would judge all the past"


def test_a_run_whose_worker_was_killed_is_noticed_and_repeated(
    town: Town, api: httpx.Client, prefect: Callable[..., str], worker: Callable[[], Callable[[], None]]
) -> None:
    town.write(plaints=2, praise=2)
    assert prefect("deploy", "--name", "listen", "--name", "watch").startswith("0")
    with temporary_settings({PREFECT_API_URL: str(api.base_url).rstrip("/")}):
        names = make()
        assert make(silent_for=timedelta(seconds=35)) == names  # the second time changes only what changed
    made = api.post("/automations/filter", json={}).json()
    assert sorted(one["name"] for one in made) == sorted(names)
    assert [one["trigger"]["within"] for one in made if one["trigger"]["posture"] == "Proactive"] == [35]

    kill = worker()
    with town.lock:  # the desk does not answer: the run is in the middle of its work
        prefect("deployment", "run", "listen/listen")
        beat = {"filter": {"event": {"name": ["prefect.flow-run.heartbeat"]}}}
        until(lambda: api.post("/events/filter", json=beat).json()["total"], 240, "a sign of life")
        until(lambda: len(town.logged()) == 2, 240, "the sending")
        kill()
    assert [run["state_type"] for run in runs(api, "listen", "RUNNING")] == ["RUNNING"]  # nobody knows yet

    worker()
    until(lambda: runs(api, "listen", "CRASHED"), 240, "the notice")
    assert runs(api, "listen", "CRASHED")[0]["state"]["message"] == "No heartbeat: its worker died."
    until(lambda: runs(api, "listen", "COMPLETED"), 240, "the repetition")
    with town.store() as store:
        assert (store.counts().mentions, store.counts().waiting) == (4, 2)


def test_automations_need_a_server_and_what_they_run(served: dict[str, str], api: httpx.Client) -> None:
    del api
    words = [sys.executable, "-m", "flows.automations"]
    without = {name: value for name, value in served.items() if name != "PREFECT_API_URL"}
    for environment, said in ((without, "PREFECT_API_URL is not set"), (served, "no deployment is named watch")):
        done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_the_image_is_made_of_what_is_there() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert {"requirements.lock", "pyproject.toml", *ROOMS} <= set(copied)
    assert [word for word in copied if not (ROOT / word).exists()] == []
