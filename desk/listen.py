"""`earful listen`: hear, judge, open, send; once, or again and again in one process."""

import os
import signal
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape

from desk import show
from desk.console import FAILED, HERE, Json, Settings, Terminal, err, in_words, out
from pipeline.errors import EarfulError, told
from pipeline.route import Duration

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from pathlib import Path


def listen(
    settings: Settings = HERE,
    every: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help='Go on until stopped, so long from start to start: "10s", "5m".'),
    ] = None,
    as_json: Json = False,
) -> None:
    """Hear what is new, judge it, open cases and send alerts: once, or with --every again and again.

    Exit code 0 when all went well, 1 when a source or a sink failed (the others were served), 2 when the settings
    cannot work. With --every what fails is said and the next run tries again; Ctrl-C or SIGTERM ends it after the run
    at work, with 0. Example for a script: `earful listen --json`. On a schedule: docs/deploy.md.
    """
    from desk.run import listen_once

    if every is None:
        with in_words():
            done = listen_once(settings, err)
        show.listened(out, done, as_json=as_json)
        if done.failed:
            raise typer.Exit(FAILED)
        return
    pause = _pause(every)
    with in_words():
        runs = _Runs(settings, as_json=as_json)
    again_and_again(runs, pause)


def _pause(every: str) -> timedelta:
    try:
        pause: timedelta = TypeAdapter(Duration).validate_python(every)
    except ValidationError as error:
        raise typer.BadParameter('write a duration like "10s" or "5m"', param_hint="--every") from error
    return pause


class _Runs:
    """One run at each call. Settings that cannot work end it only at the start: later somebody is editing them."""

    def __init__(self, settings: "Path", *, as_json: bool) -> None:
        from flows.setup import Setup

        Setup.read(settings)
        self._settings = settings
        self._as_json = as_json
        self._failing = set[str]()

    def __call__(self) -> None:
        from desk.run import listen_once
        from flows.temporary import revive

        revive()
        try:
            done = listen_once(self._settings, Terminal(stderr=True, quiet=True))
        except EarfulError as error:
            failures = [told(str(error), error.who_acts)]
        except Exception as error:  # noqa: BLE001 - a database that is down comes back; another's words hold secrets
            failures = [f"the run ended halfway ({type(error).__name__}); `earful listen` once says more"]
        else:
            failures = done.failures
            if self._as_json:
                show.listened(out, done, as_json=True)
            elif any(visit.new for visit in done.visits) or done.judged or done.opened or done.sent:
                show.listened_again(out, done, datetime.now().astimezone())
        for failure in failures:
            if failure not in self._failing:  # said once, not every ten seconds
                err.print(f"[red]✗[/] {escape(failure)}", soft_wrap=True)
        self._failing = set(failures)


class _StoppedError(Exception):
    """Somebody asked us to stop while we waited."""


def again_and_again(run: Callable[[], None], every: timedelta) -> None:
    """Run until Ctrl-C or SIGTERM, and let the run at work end. Any second signal breaks it off: that loses nothing.

    From start to start it is `every`; a run that takes longer is followed by the next at once, and none is made up for.
    """
    asked, waiting = False, False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            from flows.temporary import kill

            kill()
            os._exit(128 + number)  # Python's own end would wait for every source that is still asked
        asked = True
        if waiting:
            raise _StoppedError

    def begin() -> None:
        # A terminal's Ctrl-C reaches what this thread starts as well: Prefect's temporary server must not end first.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        run()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop)
    due = time.monotonic()
    try:
        while True:
            # In a thread of its own: in the main one Prefect takes SIGTERM for itself, and breaks the run off.
            (at_work := Thread(target=begin, daemon=True)).start()
            at_work.join()
            waiting = True
            if asked:
                return
            due = max(due + every.total_seconds(), time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            waiting = False
    except _StoppedError:
        return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
