"""How soon: twenty-two sources side by side, a run with nothing new, and the time from a post to its alert.

`PYTHONPATH=. python bench/clock.py [side-by-side | quiet | latency]`: all three if none is named, about 7 minutes; the
last one alone takes 3. Every place is a world of the conformance kit on loopback (`connectors/conform/worlds`), in
another process; Prefect is a real server on loopback. Each figure stands beside its bar, and beside how busy the
machine was.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import httpx

from bench.processes import PREFECT, free_port, healthy, started, until
from connectors.circuits import Circuits
from connectors.conform.server import Wire, serving, whole
from connectors.conform.world import Said, World
from connectors.conform.worlds import WORLDS
from connectors.conform.worlds.feed import FeedWorld
from connectors.conform.worlds.rest import RestWorld
from connectors.pace import Gate
from flows.setup import Setup

EARFUL = [sys.executable, "-m", "desk"]
MENTIONS = 60
SLOW = 0.2
"""Seconds a place takes for each answer."""
POLL = 10.0
POSTS = 60
AT_ONCE = {"feed", "hackernews", "mastodon", "appstore", "rest"}
"""Their terms ask for no pause between two requests; the others' pauses no bench may leave out of the real command."""
WORDS = "I ordered the Hike Talus {0} two weeks ago, order {0}00{0}, it never came and nobody answers my mails. #hike"
SETTINGS = """\
database = "sqlite:///earful.db"
brand = { name = "Hike" }
grave = { team = "Safety", sinks = ["desk"] }
cases = { open_within = "5m" }
http = { attempts = 1 }
"""


class Hurried(Setup):
    """Without the pauses that the terms of hosts ask for: they would be all that is seen."""

    def http(self, circuits: Circuits | None = None, gate: Gate | None = None) -> httpx.Client:
        """The one client, with a gate that lets everybody through."""
        del gate
        return super().http(circuits, lambda _host, _pause: None)


def written(value: object) -> str:
    """A value as TOML on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {written(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value)


def settings(folder: Path, sources: list[dict[str, Any]], hook: str) -> Path:
    """An earful.toml in the folder, with one sink and one route."""
    sink = {
        "kind": "webhook",
        "name": "desk",
        "url": hook,
        "secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    }
    route = {"name": "rest", "team": "Support", "reply_within": "4h", "sinks": ["desk"]}
    text = SETTINGS + "".join(
        f"{kind} = {written(each)}\n" for kind, each in (("source", sources), ("sink", [sink]), ("route", [route]))
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "earful.toml").write_text(text, encoding="utf-8")
    return folder / "earful.toml"


def places(told: Connection, wait: float, many: int) -> None:
    """Every world behind an address of its own, until the other end says so; each answer takes `wait` seconds."""
    now = datetime.now(UTC).replace(microsecond=0)
    said = [Said(number, now - timedelta(minutes=many - number), WORDS.format(number)) for number in range(many)]
    asked = dict.fromkeys((world.kind for world in WORLDS), 0)

    def door(world: World) -> Any:  # noqa: ANN401 - a closure
        def answer(request: httpx.Request) -> Wire:
            asked[world.kind] += 1
            time.sleep(wait)
            return whole(world.answer(request, said, now))

        return answer

    with ExitStack() as open_doors:
        sources = []
        for kind in WORLDS:
            world = kind()
            source = {
                "name": world.kind,
                "kind": world.kind,
                **world.settings(open_doors.enter_context(serving(door(world)))),
            }
            if isinstance(world, RestWorld):
                source["params"] = {"per_page": "4"}  # many pages, each of few: waiting is what is measured
            sources.append(source)
        told.send(sources)
        while told.recv():
            told.send(asked)


@contextmanager
def open_places(wait: float, many: int) -> Iterator[tuple[list[dict[str, Any]], Connection]]:
    """Settings of the sources, and a line to ask how many requests each place has answered."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=places, args=(theirs, wait, many), daemon=True)
    process.start()
    theirs.close()
    yield ours.recv(), ours
    ours.send(0)
    process.join(10)


@contextmanager
def prefect_server(folder: Path) -> Iterator[dict[str, str]]:
    """A Prefect server of its own; the environment in which it is the one."""
    port = free_port()
    environment = {**os.environ, "PREFECT_HOME": str(folder / "prefect"), "DO_NOT_TRACK": "1"}
    environment |= {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    words = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--no-ui", "--port", str(port)]
    with (
        started(words, folder / "server.log", environment),
        httpx.Client(base_url=environment["PREFECT_API_URL"], timeout=30) as client,
    ):
        until(lambda: healthy(client), "the server's start", folder / "server.log")
        yield environment


def busy() -> str:
    """How much else the machine has to do."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def hear(settings_of: Path, names: Collection[str]) -> float:
    """Seconds that the flow's `collect` tasks take for the sources of these names."""
    from prefect import flow  # noqa: PLC0415 - reads the environment

    from flows.listen import SIDE_BY_SIDE, collect  # noqa: PLC0415 - reads the environment

    setup = Hurried.read(settings_of)
    with setup.store() as store:
        store.migrate()

    @flow(name="hear", task_runner=SIDE_BY_SIDE, validate_parameters=False)
    def hearing() -> float:
        began = time.perf_counter()
        heard = [collect.submit(setup, source) for source in setup.sources if source.name in names]
        for each in heard:
            each.result()
        return time.perf_counter() - began

    return hearing()


def side_by_side(folder: Path) -> None:
    """Each source alone, then all at once."""
    with open_places(SLOW, MENTIONS) as (sources, line):
        nowhere = "http://127.0.0.1:1"  # nothing is sent
        hear(settings(folder / "warm", sources, nowhere), ["feed"])
        names = [source["name"] for source in sources]
        alone = {name: hear(settings(folder / name, sources, nowhere), [name]) for name in names}
        line.send(1)
        asked = line.recv()
        names.sort(key=alone.__getitem__)
        print(f"side by side, {MENTIONS} mentions each, {SLOW} s an answer; {busy()}")
        for some in (names, names[:-1]):  # one that takes much longer than the others would hide what they take
            together, slowest = hear(settings(folder / f"{len(some)}", sources, nowhere), some), some[-1]
            print(f"  {len(some)} sources one after the other {sum(alone[name] for name in some):.1f} s;", end=" ")
            print(f"the slowest, {slowest}, alone {alone[slowest]:.2f} s ({asked[slowest]} requests);", end=" ")
            print(f"all at once {together:.2f} s: {together / alone[slowest]:.2f} times that (bar: 1.25)")


def timed(words: list[str], environment: dict[str, str]) -> str:
    """Seconds by the wall and of the processor that a command takes."""
    wall, before = time.perf_counter(), os.times()
    subprocess.run(words, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    after, wall = os.times(), time.perf_counter() - wall
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return f"{wall:5.2f} s ({spent:.1f} s of processor)"


def quiet(folder: Path) -> None:
    """Runs with nothing new: the command with and without a server, and a run in a process that is up."""
    from flows.listen import listen  # noqa: PLC0415 - reads the environment

    with open_places(0, 10) as (places, _), serving(lambda _: whole(httpx.Response(204))) as hook:
        free = [place for place in places if place["kind"] in AT_ONCE]
        sources = [{**place, "name": f"{place['name']}-{number}"} for number in range(4) for place in free]
        path = settings(folder, sources, f"{hook}/hook")
        words, served = [*EARFUL, "listen", "-s", str(path)], dict(os.environ)
        alone = {name: value for name, value in served.items() if name != "PREFECT_API_URL"}
        listen(path)
        print(f"a run with nothing new, {len(sources)} sources; {busy()}")
        for _ in range(4):
            began, spent = time.perf_counter(), time.process_time()
            listen(path)
            took, spent = time.perf_counter() - began, time.process_time() - spent
            print(f"  a run in a process that is up         {took:5.2f} s ({spent:.1f} s of processor; bar: 2 s)")
        print("  the command, with a Prefect server   ", timed(words, served))
        print("  the command, without one             ", timed(words, alone))


def latency(folder: Path) -> None:
    """Posts at random times in four feeds, and when the webhook of each arrives, with `earful listen --every 10s`."""
    lock, world = Lock(), FeedWorld()
    feeds: list[list[Said]] = [[] for _ in range(4)]
    posted: dict[int, float] = {}
    taken: dict[int, float] = {}

    def door(said: list[Said]) -> Any:  # noqa: ANN401 - a closure
        def answer(request: httpx.Request) -> Wire:
            with lock:
                return whole(world.answer(request, list(said), datetime.now(UTC)))

        return answer

    def hook(request: httpx.Request) -> Wire:
        now, body = time.perf_counter(), request.content.decode()
        with lock:
            for number in posted:
                if f"order {number}00{number}," in body:
                    taken.setdefault(number, now)
        return whole(httpx.Response(204))

    with ExitStack() as open_doors:
        address = open_doors.enter_context(serving(hook))
        sources = [
            {"name": f"forum-{number}", **world.settings(open_doors.enter_context(serving(door(said))))}
            for number, said in enumerate(feeds)
        ]
        path = settings(folder, sources, f"{address}/hook")
        words = [*EARFUL, "listen", "--every", f"{POLL:.0f}s", "-s", str(path)]
        listening = subprocess.Popen(words, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
        try:
            for number in range(1, POSTS + 2):  # the first one only shows that it listens
                with lock:
                    feeds[number % 4].append(
                        Said(number, datetime.now(UTC).replace(microsecond=0), WORDS.format(number))
                    )
                    posted[number] = time.perf_counter()
                if number == 1:
                    until(lambda: taken or listening.poll() is not None, "the first alert")
                time.sleep(random.expovariate(1 / 2))
            until(lambda: len(taken) == len(posted) or listening.poll() is not None, "the alert of each post")
        finally:
            listening.send_signal(signal.SIGTERM)
            listening.wait(60)
    took = sorted(taken[number] - posted[number] for number in posted if number in taken and number > 1)
    print(f"from a post to its alert, a poll every {POLL:.0f} s, {len(took)} of {POSTS} posts in four feeds; {busy()}")
    if len(took) < POSTS:
        raise SystemExit("not every alert came; the command above says why")
    print(f"  half {took[len(took) // 2]:.2f} s, the slowest {took[-1]:.2f} s (bar, for 99 of 100: {POLL + 2:.0f})")


PARTS = {"side-by-side": side_by_side, "quiet": quiet, "latency": latency}

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started here ends too
    with TemporaryDirectory(prefix="earful-clock-") as made, prefect_server(Path(made)) as its:
        os.environ.update(its)
        for name in sys.argv[1:] or PARTS:
            PARTS[name](Path(made) / name)
