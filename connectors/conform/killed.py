"""Killed: a walk in a process of its own that dies at a request, and what it had saved by then."""

import json
import multiprocessing
import os
from contextlib import suppress
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

from connectors.conform.bench import Bench
from connectors.conform.grade import Failing
from connectors.conform.listener import Listener, patient, wire
from connectors.conform.server import Detour
from connectors.conform.stage import copied
from connectors.contract import Source, fetch
from pipeline.mention import Mention

MOST = 25
"""At so many requests at most, spread evenly over the first walk and over the next, a process dies."""
LONGEST = 180.0
"""Seconds after which a walk that was not killed is given up."""


def killed(bench: Bench, name: str) -> list[Failing] | str:
    """At each request in turn a process that walks is killed by the system; another goes on from what it saved."""
    every = sum(bench.requests)
    chosen = [spread(requests, MOST * requests // every if every > MOST else requests) for requests in bench.requests]
    died, many = 0, sum(map(len, chosen))
    if many < every:
        bench.notes[name] = f"at {many} of {every} requests, spread evenly"
    with TemporaryDirectory() as folder:
        for again, places in enumerate(chosen):
            start = begun(bench, name, again)
            before = copied(bench.place)
            for at in places:
                if place := copied(before):
                    bench.stage.place, listener = place, start.copy()
                else:
                    listener = begun(bench, name, again)
                journal = Path(folder) / f"{again}-{at}.jsonl"
                journal.touch()
                died += _shot(bench, listener.cursor, journal, at)
                read(journal, listener)
                if failings := bench.settle(name, listener):
                    where = f"killed at request {at} of {('the first walk', 'the next walk')[again]}"
                    return [replace(each, happened=f"{where}: {each.happened}") for each in failings]
    return [] if died else "no process could be killed here while it walked"


def begun(bench: Bench, name: str, again: int) -> Listener:
    """A listener before its first walk, or before the next one, of which `bench.requests` tells how long they are."""
    listener = bench.fresh()
    if again:
        bench.settle(name, listener)
        bench.opening.go_on(bench.place, little=True)
    return listener


def spread(many: int, most: int) -> list[int]:
    """At most so many of the numbers from 1, evenly spread; from two on the first and the last are among them."""
    most = max(1, min(many, most))
    return sorted({1 + round(step * (many - 1) / max(1, most - 1)) for step in range(most)})


def _shot(bench: Bench, cursor: str | None, journal: Path, at: int) -> bool:
    """Whether a process that walked was killed when its request of this number arrived."""
    child = _child(bench.source, cursor, journal, bench.detour)
    started = Event()

    def meddle(number: int) -> None:
        if number == at and started.wait(LONGEST):  # a request may arrive before its process is known here
            child.kill()  # SIGKILL, where there are signals; who waits for its end is the one who started it

    bench.stage.disturb(meddle=meddle)
    child.start()
    started.set()
    child.join(LONGEST)
    killed_there = (child.exitcode or 0) < 0
    child.kill()
    child.join()
    return killed_there


def _child(source: Source, cursor: str | None, journal: Path, detour: str | None) -> BaseProcess:
    """It begins as a copy of a process without threads, where the system has such; else anew."""
    work: dict[str, Any] = {"target": walk, "args": (source, cursor, str(journal), detour), "daemon": True}
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn").Process(**work)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["connectors.conform.killed", "connectors"])
    return context.Process(**work)


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
