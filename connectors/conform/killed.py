"""Killed: a walk in a process of its own that dies at a request, and what it had saved by then."""

import json
import multiprocessing
import os
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from connectors.conform.bench import Bench
from connectors.conform.grade import Failing
from connectors.conform.listener import Listener, patient, wire
from connectors.conform.server import Detour
from connectors.contract import Source, fetch
from pipeline.mention import Mention

MOST = 6
"""At so many requests, spread evenly over the first walk and over the next, a process dies."""
LONGEST = 60.0
"""Seconds after which a walk that was not killed is given up."""


def killed(bench: Bench, name: str) -> list[Failing] | str:
    """At each request in turn a process that walks is killed by the system; another goes on from what it saved."""
    died = 0
    with TemporaryDirectory() as folder:
        for again, requests in enumerate(bench.requests):
            for at in range(1, requests + 1, max(1, -(-requests // (MOST // 2)))):
                listener = bench.fresh()
                if again:
                    bench.settle(name, listener)
                    bench.opening.go_on(bench.place)
                journal = Path(folder) / f"{again}-{at}.jsonl"
                journal.touch()
                child = _child(bench.source, listener.cursor, journal, bench.detour)
                bench.stage.disturb(meddle=_killing(child, at))
                child.start()
                child.join(LONGEST)
                died += (child.exitcode or 0) < 0
                child.kill()
                child.join()
                read(journal, listener)
                if failings := bench.settle(name, listener):
                    return failings
    return [] if died else "no process could be killed here while it walked"


def _child(source: Source, cursor: str | None, journal: Path, detour: str | None) -> BaseProcess:
    """It begins as a copy of a process without threads, where the system has such; else anew."""
    work: dict[str, Any] = {"target": walk, "args": (source, cursor, str(journal), detour), "daemon": True}
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn").Process(**work)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["connectors.conform.killed", "connectors"])
    return context.Process(**work)


def _killing(child: BaseProcess, at: int) -> Callable[[int], None]:
    def meddle(number: int) -> None:
        if number == at:
            child.kill()  # SIGKILL, where there are signals
            child.join()

    return meddle


def walk(source: Source, cursor: str | None, journal: str, detour: str | None) -> None:
    """Walk, and write down each batch as one line, in one stroke, before the next is asked for."""
    file = os.open(journal, os.O_WRONLY | os.O_APPEND)
    # What is raised here is raised again, and judged, where the walk goes on.
    with suppress(Exception), patient(transport=Detour(detour, wire()) if detour else None) as http:
        for batch in fetch(source, http, cursor):
            said = [mention.model_dump(mode="json") for mention in batch.mentions]
            line = json.dumps({"said": said, "cursor": batch.cursor, "gone": sorted(batch.gone)})
            os.write(file, f"{line}\n".encode())
    os.close(file)


def read(journal: Path, listener: Listener) -> None:
    """Take over what was written down whole."""
    for line in journal.read_text("utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            batch = json.loads(line)
            said = (Mention.model_validate(each) for each in batch["said"])
            listener.kept |= {mention.key: mention for mention in said}
            listener.gone |= set(batch["gone"])
            listener.cursor = batch["cursor"] or listener.cursor
