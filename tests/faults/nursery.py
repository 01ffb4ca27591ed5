"""The nursery: one process that has imported everything, and is forked for every run that a test starts and may kill.

`python nursery.py SOCKET`, until its input ends. Whoever connects gets a fork of it, which first does one run itself,
by the first line it reads, so that every later run inherits what a first one has to compile. Then each line is a JSON
list of runs that begin at one moment; each line it writes is what one of them did. Not a test: runs.py starts it. A
fork costs milliseconds, where a new Python would cost seconds.
"""

import gc
import json
import logging
import os
import select
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401 - once here, not in every run
import httpx
from sqlalchemy import event
from sqlalchemy.engine import Engine

from flows import collect, hosts, judge
from flows import send as sending
from flows.setup import Setup
from pipeline.analysis import Analyst
from pipeline.classifier import Reading
from pipeline.errors import EarfulError
from pipeline.mention import Mention
from pipeline.route import Alert
from pipeline.triage.judge import Effort
from storage import database
from storage.database import Database
from storage.store import Store
from tests.faults.ground import words

door: socket.socket
"""To whoever started the runs."""


def tell(**said: object) -> None:
    """A line in one write, so that several runs do not talk into each other's lines."""
    door.sendall(json.dumps({"pid": os.getpid(), **said}).encode() + b"\n")


class Run(logging.Handler):
    """One run in a process of its own: the steps of the flow, without Prefect, which remembers nothing for us."""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__()
        self.plan = plan
        self.done = {"step": 0, "before": 0, "after": 0, "commit": 0}
        self.troubles: list[list[str]] = []
        self.place = "start"

    def emit(self, record: logging.LogRecord) -> None:
        """Count the named steps: what the flows tell their log to have done."""
        if hasattr(record, "step"):
            self.count("step")

    def count(self, what: str) -> None:
        """One more of these; the process ends here, with no chance to clean up, if its plan says so."""
        self.done[what] += 1
        if self.plan.get("die") == [what, self.done[what]]:
            os.kill(os.getpid(), signal.SIGKILL)

    def now(self) -> datetime:
        """The clock of the plan: ahead or behind, and perhaps moved in the middle of the run."""
        after, jump = self.plan.get("jump", (0, 0))
        moved = self.plan.get("later", 0.0) + (jump if after and self.done["before"] >= after else 0)
        return datetime.now(UTC) + timedelta(seconds=moved)

    def prepare(self) -> None:
        """Watch every statement, and break what the plan says."""
        flows = logging.getLogger("flows")
        flows.setLevel(logging.INFO)
        flows.addHandler(self)
        event.listen(Engine, "before_cursor_execute", lambda *_: self.count("before"))
        event.listen(Engine, "after_cursor_execute", lambda *_: self.count("after"))
        event.listen(Engine, "commit", lambda *_: self.count("commit"))
        Setup.now = lambda _: self.now()  # the clock is one of the things that go wrong
        if pragmas := self.plan.get("pragmas"):
            plain = Database.__init__

            def opened(store: Database, url: str) -> None:
                plain(store, url)
                event.listen(store._engine, "connect", lambda one, _: [one.execute(each) for each in pragmas])  # noqa: SLF001

            Database.__init__ = opened
        if "patience" in self.plan:
            place, patience = self.plan["patience"]
            plain_http = Setup.http

            def http(setup: Setup, *known: Any) -> httpx.Client:  # noqa: ANN401 - as it is
                client = plain_http(setup, *known)
                if self.place == place:
                    client.timeout = httpx.Timeout(patience)
                return client

            Setup.http = http
        if self.plan.get("careless"):
            plain_claim = Store.claim

            def claim(store: Store, sink: str, now: datetime, lease: timedelta, limit: int) -> list[Alert]:
                taken = plain_claim(store, sink, now, lease, limit)
                for alert in taken:
                    store.mark_sent(alert, "", now)
                return taken

            Store.claim = claim  # a fault of our own making, which the audit must find

    def within(self, place: str, step: Callable[[], object]) -> None:
        """One step of the flow; whatever fails in it holds up nothing after it."""
        self.place = place
        tell(place=place)
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the flow's run would say so; here the test asks
            named = isinstance(error, EarfulError)
            self.troubles.append([place, type(error).__name__, str(error) if named else repr(error)])

    def go(self) -> None:
        """Hear, judge, settle, send."""
        self.prepare()
        setup = Setup.read(Path(self.plan["settings"]))
        self.within("migrate", lambda: migrate(setup))
        for source in setup.sources:
            self.within("hear", lambda source=source: collect.bring_home(setup, source))
        self.within("judge", lambda: judge.analyse.fn(setup))
        self.within("settle", lambda: judge.open_cases.fn(setup))
        for sink in setup.sinks:
            self.within(f"send {sink.name}", lambda sink=sink: sending.send.fn(setup, sink))
        tell(done=self.done, troubles=self.troubles)


def migrate(setup: Setup) -> None:
    """The tables, as the flow makes sure of them first."""
    with setup.store() as store:
        store.migrate()


def warm() -> None:
    """What every run would read, compile or open anew is here before the first fork."""
    ssl.create_default_context = cache(ssl.create_default_context)
    database._open = cache(database._open)  # noqa: SLF001 - a store closes its connections, so none is inherited
    logging.getLogger("flows").propagate = False
    said = datetime.now(UTC)
    texts = ["My shoes fell apart.", *(words(1, plaint=plaint, edited=not plaint) for plaint in (True, False))]
    ones = [Mention(key=f"forum:{text}", source="forum", kind="post", text=text, said_at=said) for text in texts]
    Analyst(effort=Effort.FAST).analyse([Reading.of(one) for one in ones])


def bear(work: Callable[[], object]) -> int:
    """A process that does this, and no more."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def serve() -> None:
    """The runs that one test asks for, until it hangs up."""
    lines = door.makefile(encoding="utf-8")
    Run(json.loads(next(lines))[0]).go()
    hosts._circuits.clear()  # noqa: SLF001 - what one process knows of hosts is not for the next
    Setup.read = cache(Setup.read)
    Database.__exit__ = lambda *_: None  # a run connects once and ends soon; PostgreSQL takes long to begin a session
    gc.disable()  # a collection in a child would copy every page of ours
    for line in lines:
        began = time.perf_counter()
        born = [bear(Run(plan).go) for plan in json.loads(line)]
        tell(born=born)
        for _ in born:
            ended, status = os.wait()
            tell(ended=ended, status=os.waitstatus_to_exitcode(status), took=time.perf_counter() - began)


if __name__ == "__main__":
    warm()
    with socket.socket(socket.AF_UNIX) as front:
        front.bind(sys.argv[1])
        front.listen()
        while sys.stdin not in select.select([front, sys.stdin], [], [])[0]:
            door, _ = front.accept()
            bear(serve)
            door.close()
    signal.alarm(60)  # whoever hangs is not waited for
    with suppress(ChildProcessError):
        while True:
            os.wait()  # so that the time they took counts as ours
