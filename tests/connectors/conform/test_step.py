"""Step: the bell that ends what has no end rings for one step, and for nothing after it."""

import signal
import time

import pytest

from connectors.conform import step
from connectors.conform.grade import Grade

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no such bell")


def test_what_takes_too_long_is_ended_and_the_bell_is_put_back() -> None:
    usual, grade = signal.getsignal(signal.SIGALRM), Grade("toy")
    step.take(grade, "a story", lambda: time.sleep(20), longest=0.05)
    assert grade.untried == step.NO_END
    assert [each.happened for each in grade.failings] == ["came to no end within 0 s"]
    assert (signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)) == (usual, (0.0, 0.0))


def test_a_bell_that_rings_while_the_step_is_tidied_up_ends_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, switch = signal.getsignal(signal.SIGALRM), signal.setitimer

    def late(which: int, seconds: float, again: float = 0.0) -> None:
        switch(which, seconds, again)
        if not seconds:
            signal.raise_signal(signal.SIGALRM)

    monkeypatch.setattr(step.signal, "setitimer", late)
    with step.within(60):
        pass
    assert signal.getsignal(signal.SIGALRM) == usual
