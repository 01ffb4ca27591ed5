"""A classifier that a test can kill: whoever finds the mark takes it away, and dies judging."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.classifier import Reading
from pipeline.triage.opinion import Opinion

MARK = "EARFUL_TEST_MARK"
"""Names the file that is the mark, in the environment, since a worker knows nothing else of the test."""


class Deadly:
    version = "1"
    trust: Mapping[str, float] = {"lane": 0.5}

    def opinions(self, readings: Sequence[Reading]) -> list[Opinion]:
        mark = Path(os.environ[MARK])
        if mark.exists():
            mark.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return [Opinion({"lane": [0.2, 0.3, 0.5]}) for _ in readings]
