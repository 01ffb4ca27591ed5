import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

import pytest

from desk.hands import spread, usable_cores
from pipeline.errors import SettingsError

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="counts processes as Linux shows them")

HELPED: dict[str, int] = {"cores": 3, "alone": 1}


def who(number: int) -> str:
    """A task for `eval`, which every process knows: the number and the process that had it, after a while."""
    return f"({number}, __import__('os').getpid(), __import__('time').sleep(0.01))[:2]"


def helpers(parent: int) -> set[int]:
    """The helpers of a process that are still there."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (
                f"PPid:\t{parent}\n" in (folder / "status").read_text()
                and "desk.hands" in (folder / "cmdline").read_text()
            ):
                found.add(int(folder.name))
    return found


def test_tasks_are_answered_in_order_by_more_than_one_process() -> None:
    answers = list(spread(eval, map(who, range(150)), **HELPED))
    assert [number for number, _ in answers] == list(range(150))
    assert len({process for _, process in answers}) > 1
    assert not helpers(os.getpid())


def test_a_short_piece_of_work_is_done_without_help() -> None:
    assert {process for _, process in spread(eval, map(who, range(5)), cores=3, alone=5)} == {os.getpid()}


def test_one_core_does_all_by_itself() -> None:
    assert {process for _, process in spread(eval, map(who, range(50)), cores=1, alone=1)} == {os.getpid()}


def test_only_a_few_tasks_are_ahead_of_the_one_given_out() -> None:
    asked: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(100):
            asked.append(number)
            yield number

    for number, _ in spread(eval, map(who, tasks()), **HELPED):
        assert len(asked) - number < 20


def test_an_error_of_the_work_is_raised_here_in_its_place() -> None:
    fails = "(_ for _ in ()).throw(__import__('pipeline.errors').errors.SettingsError('7 is no number'))"
    found: list[int] = []
    with pytest.raises(SettingsError, match="7 is no number"):
        found.extend(number for number, _ in spread(eval, [*map(who, range(7)), fails, *map(who, range(9))], **HELPED))
    assert found == list(range(7))
    assert not helpers(os.getpid())


def test_a_helper_that_is_killed_loses_nothing() -> None:
    answers = []
    with closing(spread(eval, map(who, range(150)), **HELPED)) as told:
        for number, _ in told:
            answers.append(number)
            if number == 100:
                for process in helpers(os.getpid()):
                    os.kill(process, signal.SIGKILL)
    assert answers == list(range(150))


def test_whoever_stops_early_leaves_no_process_behind() -> None:
    with closing(spread(eval, map(who, count()), **HELPED)) as told:
        for number, _ in told:
            if number == 100:
                break
    assert not helpers(os.getpid())


def test_helpers_end_when_the_one_they_help_is_killed() -> None:
    program = "from desk.hands import spread\nfor answer in spread(len, iter(lambda: 'x', 'y'), cores=3, alone=1): pass"
    killed = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 30
    while len(found := helpers(killed.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(found) == 2
    killed.kill()
    killed.wait()
    while (left := [one for one in found if Path(f"/proc/{one}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def test_at_least_one_core_is_usable() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
