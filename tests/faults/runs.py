"""Runs: started in the nursery, watched, and killed from outside where the plan says so."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
LIMIT = 120.0
"""Seconds in which a run must say something: one that hangs fails, with all its like, and holds up nobody."""


@dataclass(slots=True)
class Ended:
    """How one run ended: its exit status (-9 if killed), where it was, and what it counted and complained of."""

    pid: int
    status: int = 0
    place: str = "start"
    took: float = 0.0
    done: dict[str, int] = field(default_factory=dict)
    troubles: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL


def kill(pid: int) -> None:
    """Pull the plug."""
    with suppress(ProcessLookupError):  # it was faster
        os.kill(pid, signal.SIGKILL)


class Nursery:
    """The process that is forked for every run."""

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self._alive: set[int] = set()
        door.settimeout(LIMIT)
        self.lines = door.makefile(encoding="utf-8")

    def _heard(self) -> dict[str, Any]:
        try:
            line = self.lines.readline()
        except TimeoutError:
            for pid in self._alive:
                kill(pid)
            raise
        assert line, "the nursery has died"
        said = dict(json.loads(line))
        self._alive |= {said["pid"], *said.get("born", ())}
        self._alive.discard(said.get("ended"))
        return said

    def first(self, plan: dict[str, Any]) -> Ended:
        """A run that nothing happens to, and from which all later ones inherit what it had to compile."""
        self._say([plan])
        while "done" not in (said := self._heard()):
            pass
        return Ended(said["pid"], done=said["done"], troubles=[tuple(each) for each in said["troubles"]])

    def _say(self, plans: Sequence[dict[str, Any]]) -> None:
        self._door.sendall(json.dumps(plans).encode() + b"\n")

    def run(
        self, plans: Sequence[dict[str, Any]], meanwhile: Callable[[Sequence[int]], None] | None = None
    ) -> list[Ended]:
        """Start these runs at one moment, do something `meanwhile` to their processes, and wait for their ends."""
        self._say(plans)
        runs: dict[int, Ended] = {}
        left = len(plans)
        while left:
            said = self._heard()
            if "born" in said:
                if meanwhile:
                    meanwhile(said["born"])
                continue
            pid = said.get("ended", said["pid"])
            run = runs.setdefault(pid, Ended(pid))
            if "ended" in said:
                run.status, run.took = said["status"], said["took"]
                left -= 1
            elif "place" in said:
                run.place = said["place"]
            else:
                run.done, run.troubles = said["done"], [tuple(each) for each in said["troubles"]]
        return list(runs.values())


@contextmanager
def open_nurseries() -> Iterator[Path]:
    """The socket behind which nurseries are to be had, as long as the block lasts."""
    quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PREFECT_LOGGING_TO_API_ENABLED": "false"}
    with TemporaryDirectory(prefix="earful-") as folder:
        front = Path(folder) / "nursery"
        command = [sys.executable, str(Path(__file__).parent / "nursery.py"), str(front)]
        env = {**os.environ, **quiet, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, env=env, stdin=subprocess.PIPE) as process:  # it ends with its input
            while not front.exists():
                assert process.poll() is None, "the nursery does not start"
                time.sleep(0.05)
            yield front


@contextmanager
def open_nursery(front: Path) -> Iterator[Nursery]:
    """A nursery of one's own."""
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(front))
        nursery = Nursery(door)
        yield nursery
        nursery.lines.close()
