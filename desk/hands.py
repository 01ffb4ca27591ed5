"""Hands: more processes for long work, so that all cores judge."""

import gc
import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import chain, islice
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

Task = TypeVar("Task")
Done = TypeVar("Done")

ALONE = 8
"""Tasks done before help is fetched: a helper takes about a second to begin, which a short file would not win back."""
_MOST = 8
"""Helpers at most: what one process reads and writes keeps no more of them busy."""
_GONE = (EOFError, OSError, ValueError, pickle.UnpicklingError)
"""What a pipe says whose other end was closed, or which was closed at this end."""
_AHEAD = 2
"""Tasks waiting for each helper, the one in its hands included."""

_WAITING = 8
"""Answers held back for each helper, because one before them is not there yet: a slow helper must not stop us."""


def spread(
    work: Callable[[Task], Done], tasks: Iterable[Task], *, cores: int | None = None, alone: int = ALONE
) -> Generator[Done, None, None]:
    """What `work` makes of each task, in order; on all cores if there are more tasks than `alone`.

    This process works too, and takes what no helper is free for. Only a few tasks are ahead of the one that is given
    out, so memory stays flat. `work` and tasks are pickled; an error of `work` is raised here. Close the generator and
    the helpers are gone; so are they if this process is killed.
    """
    helpers = min((cores or usable_cores()) - 1, _MOST)
    tasks = iter(tasks)
    yield from map(work, islice(tasks, alone) if helpers > 0 else tasks)
    first = next(tasks, None)
    if first is None:
        return
    with _Helpers(work, helpers) as hands:
        waiting: deque[Future[Done]] = deque()
        for task in chain([first], tasks):
            waiting.append(hands.give(task) if hands.free() else _at_once(work, task))
            while waiting and (waiting[0].done() or len(waiting) > _WAITING * helpers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def usable_cores() -> int:
    """The cores this process may use, fewer than there are where a container is allowed fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        allowed, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        cores = min(cores, max(1, int(allowed) // int(period)))  # "max" is no number: as many as there are
    return cores


def _at_once(work: Callable[[Task], Done], task: Task) -> Future[Done]:
    future: Future[Done] = Future()
    try:
        future.set_result(work(task))
    except Exception as error:  # noqa: BLE001 - raised in its place, after what comes before
        future.set_exception(error)
    return future


class _Helpers:
    """Processes that each do one task after the other. A thread stands by each and waits for it.

    They are fresh interpreters, not forks, which threads do not survive, nor children of `multiprocessing`, which would
    import the program they were called from once more and outlive it when it is killed.
    """

    def __init__(self, work: Callable[[Any], Any], number: int) -> None:
        self._work = work
        self._number = number
        self._ready = 0
        self._given: list[Future[Any]] = []

    def __enter__(self) -> Self:
        self._idle: SimpleQueue[_Helper] = SimpleQueue()
        with ExitStack() as stack:
            self._threads = stack.enter_context(ThreadPoolExecutor(self._number, "hand"))
            for _ in range(self._number):
                helper = _Helper(self._work)
                stack.callback(helper.end)  # before the threads are waited for: they see that it is gone
                self._threads.submit(self._welcome, helper)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for future in self._given:
            future.cancel()
        self._stack.close()

    def give(self, task: Task) -> Future[Any]:
        """Hands a task to the next helper that is free."""
        self._given = [future for future in self._given if not future.done()]
        self._given.append(self._threads.submit(self._done, task))
        return self._given[-1]

    def free(self) -> bool:
        """Whether another task would not have to wait long; not before a helper is ready to begin."""
        return sum(not future.done() for future in self._given) < _AHEAD * self._ready

    def _welcome(self, helper: "_Helper") -> None:
        if helper.begin():
            self._idle.put(helper)
            self._ready += 1

    def _done(self, task: Any) -> Any:  # noqa: ANN401 - tasks are the caller's
        helper = self._idle.get()
        try:
            return helper.do(task)
        finally:
            self._idle.put(helper)


class _Helper:
    """One process at the other end of two pipes. Where it was killed, its tasks are done here."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work = work
        self._ended = False
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "desk.hands"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us to hear; it ends when its pipe is closed
        )

    def begin(self) -> bool:
        """Tells it the work; whether it is ready for tasks."""
        try:
            self._ask(self._work)
        except _GONE:
            return False
        return True

    def do(self, task: Any) -> Any:  # noqa: ANN401 - tasks are the caller's
        """What the work makes of a task, or its error."""
        try:
            made, error = self._ask(task)
        except _GONE:
            if self._ended:
                raise
            return self._work(task)
        if error is not None:
            raise error
        return made

    def _ask(self, message: Any) -> tuple[Any, Exception | None]:  # noqa: ANN401 - tasks are the caller's
        told, answers = self._process.stdin, self._process.stdout
        assert told is not None  # noqa: S101 - both are pipes
        assert answers is not None  # noqa: S101
        pickle.dump(message, told, pickle.HIGHEST_PROTOCOL)
        told.flush()
        answer: tuple[Any, Exception | None] = pickle.load(answers)  # noqa: S301 - from ourselves
        return answer

    def end(self) -> None:
        """Ends the process; a task in its hands is lost."""
        self._ended = True
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def help_out() -> None:
    """The other end: reads the work and then its tasks from standard input, until that is closed."""
    told, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not come between answers
    answer: tuple[Any, Exception | None] = None, None
    with suppress(EOFError, BrokenPipeError):
        work = pickle.load(told)  # noqa: S301 - from ourselves
        gc.freeze()  # what is loaded stays: to look through it again and again costs a tenth of the time
        while True:
            pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
            task = pickle.load(told)  # noqa: S301
            try:
                answer = work(task), None
            except Exception as error:  # noqa: BLE001 - raised again where the task came from
                answer = None, error


if __name__ == "__main__":
    help_out()
