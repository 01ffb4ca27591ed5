"""Progress: what a run of the flow is doing, on the terminal, taken from what the flow logs."""

import logging
from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

STEPS = {
    "hear": "Hearing",
    "judge": "Judging",
    "open": "Looking for what needs a reply",
    "case": "Opening cases",
    "send": "Sending alerts",
    "gone": "Deleting what its authors deleted",
}


class StepProgress(logging.Handler):
    """Counts what the log records say was done, a line for each step; what failed is printed as it happens.

    The line of the `first` step is there from the start: before anything is done a run may think for a while.
    """

    def __init__(self, console: Console, first: str = "hear") -> None:
        super().__init__(logging.INFO)
        self._first = first
        self._bar = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            TextColumn("[bold]{task.completed:,.0f}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._lines: dict[str, TaskID] = {}
        self.counts = Counter[str]()
        self._said = set[str]()
        self._logger = logging.getLogger("flows")

    def __enter__(self) -> Self:
        self._logger.addHandler(self)
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False
        self._bar.start()
        self._line(self._first)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self._lines.values():
            self._bar.update(line, total=self._bar.tasks[line].completed)
        self._bar.stop()
        self._logger.removeHandler(self)
        self._logger.propagate = True

    def emit(self, record: logging.LogRecord) -> None:
        """Take one log record: a step's count, or something that failed."""
        step = getattr(record, "step", None)
        if step in STEPS:
            done = int(getattr(record, "done", 0))
            self.counts[step] += done
            self._bar.advance(self._line(step), done)
        elif record.levelno >= logging.WARNING and record.getMessage() not in self._said:
            self._said.add(record.getMessage())  # a second try that fails says the same again
            self._bar.console.print(f"[red]✗[/] {escape(record.getMessage())}", highlight=False, soft_wrap=True)

    def _line(self, step: str) -> TaskID:
        if step not in self._lines:
            self._lines[step] = self._bar.add_task(STEPS[step], total=None)
        return self._lines[step]
