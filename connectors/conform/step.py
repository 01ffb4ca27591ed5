"""Step: one fault or story of a trial by itself: whatever comes of it costs its own points, and the rest goes on."""

import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from connectors.conform.grade import Failing, Grade, Severity
from pipeline.errors import SettingsError

WELL = "nothing goes wrong"
LONGEST_WELL, LONGEST = 180.0, 900.0
"""Seconds after which a connector has no end: where nothing goes wrong, and in any other step."""
AGAIN = 5.0
"""Seconds after which the bell rings again: long enough for a busy machine to tidy up after the first."""
FAILS_WELL = "it fails even where nothing goes wrong, and every fault would find the same again"
NO_END = "it came to no end, so the rest was not tried"


class PlaceError(SettingsError):
    """The stranger acts: what is wrong is the world or the desk, and no word about the connector."""


class Overdue(BaseException):
    """The time of a step is over. No Exception, so that no connector catches it as one."""


def take(
    grade: Grade,
    name: str,
    work: Callable[[], list[Failing] | str | None],
    *,
    longest: float = LONGEST,
    gravity: Severity = Severity.UNNAMED,
    fits_none: str = "it fits none of the place's answers",
) -> None:
    """Write down what came of one step; nothing, once it is known that no more can be tried.

    What a connector raises where nobody catches it, or that it ends the whole program, is a failing like any other.
    """
    if grade.untried:
        return
    try:
        with within(longest):
            came = work()
    except (KeyboardInterrupt, PlaceError):
        raise
    except Overdue:
        grade.untried = NO_END
        came = [Failing(name, Severity.ENDLESS, f"came to no end within {longest:.0f} s", "a walk or a delivery ends")]
    except ValidationError as error:
        told = f"its settings refuse what they are given: {refused(error)}"
        came = [Failing(name, Severity.TOLD, told, "settings that can work")]
    except BaseException as error:  # noqa: BLE001 - what is not ours is judged, too
        came = [Failing(name, gravity, broke(error), "an error of pipeline.errors, or none")]
    grade.take(name, fits_none if came is None else came)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise Overdue here after so long; unbounded where a system has no such bell, or outside the main thread.

    There is one such bell in a process, so no step stands within another: the inner one would switch it off.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise Overdue

    usual = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)  # should anybody swallow the first
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # a bell that rings from here on would end more than this step
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)


def broke(error: BaseException) -> str:
    """What was raised, and where in the stranger's own files: a sentence for who has to mend it."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if Path(frame.filename).parent != Path(__file__).parent] or frames
    place = f" at {Path(theirs[-1].filename).name}, line {theirs[-1].lineno}, in {theirs[-1].name}" if theirs else ""
    if isinstance(error, SystemExit):
        return f"called sys.exit({error.code!r}){place}, which would end all of Earful"
    words = f"{type(error).__name__}: {error}".removesuffix(": ").replace("\n", " ")[:300]
    return f"raised {words}{place}"


def refused(error: ValidationError) -> str:
    """Which settings are refused, and why."""
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
