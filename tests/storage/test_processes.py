"""Several processes on one database, and processes that are killed."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from storage.store import Store

HERE = Path(__file__).parent
MANY = 60


class Together:
    """Several processes that do the same at one moment."""

    def __init__(self, url: str, processes: int, stack: ExitStack) -> None:
        command = [sys.executable, str(HERE / "worker.py"), url]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.workers = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(processes)]
        assert {worker.stdout.readline() for worker in self.workers} == {"ready\n"}

    def do(self, work: str) -> list[Any]:
        """What each of them says it did."""
        for worker in self.workers:
            worker.stdin.write(f"{work}\n")
            worker.stdin.flush()
        return [json.loads(worker.stdout.readline()) for worker in self.workers]


def test_processes_that_do_the_same_at_once_do_it_once(database: str) -> None:
    with ExitStack() as stack:
        together = Together(database, 3, stack)
        assert together.do("migrate") == [0] * 3
        store = stack.enter_context(Store(database))
        assert sum(together.do("save")) == MANY
        assert store.counts().mentions == MANY
        assert sum(together.do("judge")) >= MANY
        assert store.unanalysed("v1", 9) == []
        assert sum(together.do("settle")) == MANY
        assert store.counts().waiting == MANY
        assert store.counts().alerts == {"chat": (MANY, 0), "mail": (MANY, 0)}
        assert together.do("correct") == ["noise"] * 3
        assert len(store.corrections("forum:0")) == len(store.held(["forum:0"])["forum:0"]) == 1
        assert sum(together.do("adopt")) == 1
        taken = [key for keys in together.do("claim") for key in keys]
        assert len(taken) == len(set(taken)) == MANY


def test_work_killed_at_any_statement_is_undone_and_the_next_run_does_it_whole(database: str) -> None:
    said = subprocess.run(
        [sys.executable, str(HERE / "killed.py"), database], capture_output=True, text=True, check=True, timeout=120
    )
    told = {line["work"]: line for line in map(json.loads, said.stdout.splitlines())}

    works = ["migrate", "save", "judge", "settle", "correct", "adopt", "claim", "note", "edit", "forget", "leave_out"]
    assert list(told) == works
    for work in told.values():
        assert work["killed"], work["work"]
        assert work["before"] != work["after"], work["work"]
        for state in work["killed"]:
            assert state == work["before"], work["work"]
    done = told["correct"]["after"]
    assert (done["correction"], done["analysis.lane"]) == (2, ["service", "noise", "service"])
    done = told["edit"]["after"]
    assert done["mention.text"] == ["!"] * 3
    assert (done["analysis"], done["case_mention"], done["rejected"], done["cursor"]) == (0, 1, 1, 1)
    done = told["forget"]["after"]
    assert (done["mention"], done["raw"], done["case_mention"]) == (2, 2, 0)
    assert done["cases.state"] == ["closed"]
    done = told["leave_out"]["after"]
    assert (done["mention"], done["coverage.why"]) == (1, ["None", "cap"])
