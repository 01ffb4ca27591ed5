"""`earful listen --every`: run after run in one process, until somebody stops it."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Timer

import pytest
from prefect.server.api.server import SubprocessASGIServer
from typer.testing import CliRunner

from desk.cli import app
from desk.listen import again_and_again
from flows.temporary import revive
from tests.town import PLAINT, Town

ROOT = Path(__file__).resolve().parents[2]


def until(happened: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@contextmanager
def going_on(town: Town) -> Iterator["subprocess.Popen[str]"]:
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 - set by the server's fixture

    words = [sys.executable, "-m", "desk", "listen", "--every", "1s", "--settings", str(town.settings)]
    said = (town.folder / "said.txt").open("w")
    process = subprocess.Popen(
        words, env={**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}, stdout=said, stderr=said, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        said.close()


@pytest.mark.usefixtures("prefect_api")
def test_what_is_said_between_two_runs_is_alerted_by_the_next_until_sigterm(town: Town) -> None:
    def printed() -> str:
        return (town.folder / "said.txt").read_text("utf-8")

    town.write(plaints=2, praise=0)
    with going_on(town) as process:
        until(lambda: len(town.hooks) == 2, "the first run")
        town.entries.append(PLAINT.format(number=77))
        until(lambda: len(town.hooks) == 3, "a later run")
        settings = town.settings.read_text("utf-8")
        town.settings.write_text(settings.replace('kind = "webhook"', 'kind = "webhok"'), "utf-8")
        until(lambda: "webhok" in printed(), "a run with settings that cannot work")
        town.entries.append(PLAINT.format(number=78))
        town.settings.write_text(settings, "utf-8")
        until(lambda: len(town.hooks) == 4, "a run after they are mended")
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    words = printed()
    assert words.count("there is no kind 'webhok'") == 1, "the same failure is said once, not every second"
    assert "Traceback" not in words
    assert words.count(" new, ") == 3, "a run that heard nothing new says nothing"
    assert len({key for key, _ in town.hooks}) == 4


def test_a_signal_during_a_run_lets_it_end() -> None:
    done: list[str] = []

    def run() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)  # longer than the signal takes
        done.append("whole")

    before = signal.getsignal(signal.SIGTERM)
    again_and_again(run, timedelta(hours=1))
    assert done == ["whole"]
    assert signal.getsignal(signal.SIGTERM) is before


def at_work(script: str) -> "subprocess.Popen[str]":
    """A process, of a group of its own, that says when its run has begun."""
    words = [sys.executable, "-c", textwrap.dedent(script)]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_any_second_signal_breaks_the_run_off_at_once_and_the_temporary_server_with_it(second: signal.Signals) -> None:
    process = at_work("""
        import subprocess, sys, time, types
        from concurrent.futures import ThreadPoolExecutor
        from datetime import timedelta
        from desk.listen import again_and_again

        server = types.SimpleNamespace(server_process=subprocess.Popen(["sleep", "60"]))
        sys.modules["prefect.server.api.server"] = types.SimpleNamespace(SubprocessASGIServer=lambda: server)

        def run():
            with ThreadPoolExecutor() as sources:
                asked = sources.submit(time.sleep, 60)
                print("begun", flush=True)
                asked.result()

        again_and_again(run, timedelta(hours=1))
    """)
    process.send_signal(signal.SIGINT)
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.2)  # else the two are one
        process.send_signal(second)
    code = process.poll()
    process.kill()
    assert code == 128 + second
    process.communicate(timeout=10)  # what it says ends when nobody is left who could say something


def test_ctrl_c_in_a_terminal_reaches_nothing_that_a_run_has_started() -> None:
    process = at_work("""
        import subprocess
        from datetime import timedelta
        from time import sleep
        from desk.listen import again_and_again

        def run():
            server = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
            print("begun", flush=True)
            sleep(0.5)
            server.communicate(b"whole")

        again_and_again(run, timedelta(hours=1))
    """)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=30)[0] == "whole"
    assert process.returncode == 0


def test_a_temporary_server_that_died_is_started_again_and_one_that_lives_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = SubprocessASGIServer(port=1)  # not the one that other tests use
    server.running = True
    monkeypatch.setattr("flows.temporary._server", lambda: server)
    try:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
            server.server_process = process
            revive()
            assert server.running
        revive()
        assert not server.running, "Prefect would not start another"
    finally:
        server.server_process = None
        server.stop()


def test_a_signal_between_two_runs_ends_the_waiting() -> None:
    runs: list[float] = []

    def run() -> None:
        runs.append(time.monotonic())
        Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()

    again_and_again(run, timedelta(hours=1))
    assert len(runs) == 1


def test_a_run_that_takes_longer_than_the_pause_is_followed_at_once_and_none_is_made_up_for() -> None:
    starts: list[float] = []

    def run() -> None:
        starts.append(time.monotonic())
        if len(starts) == 1:
            time.sleep(0.5)
        if len(starts) == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    again_and_again(run, timedelta(seconds=0.2))
    assert starts[3] - starts[0] > 0.85, "0.5 s and two pauses, though the first run was late by more"


def test_a_pause_or_settings_that_cannot_work_end_it_with_2_before_anything_runs(town: Town) -> None:
    told = CliRunner().invoke(app, ["listen", "--every", "soon", "-s", str(town.settings)])
    assert told.exit_code == 2
    assert 'write a duration like "10s"' in " ".join(told.output.split())
    town.settings.write_text("", "utf-8")
    assert CliRunner().invoke(app, ["listen", "--every", "10s", "-s", str(town.settings)]).exit_code == 2
    assert not (town.folder / "earful.db").exists()
