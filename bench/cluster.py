"""Twenty sources shared among three workers: a Prefect server and a memory on PostgreSQL, all on this machine.

`make cluster`. It deploys six groups of `listen`, lets three workers take their runs, shows who read what, and proves
that each mention is stored once and each alert received once. It ends what it started and leaves nothing behind.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text

from bench.processes import PREFECT, free_port, healthy, postgresql, started, until

ROOT = Path(__file__).resolve().parents[1]
SOURCES, GROUPS, WORKERS = 20, 6, 3
PLAINTS, PRAISE = 4, 21
"""Of each source."""
SETTINGS = """\
database = "$EARFUL_DATABASE"

[brand]
name = "Hike"

[judgement]
effort = "fast"

[http]
contact = "$EARFUL_WORKER"
cache = false

[[sink]]
kind = "webhook"
name = "desk"
url = "{address}/hook"
secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

[grave]
team = "Safety"
sinks = ["desk"]

[[route]]
name = "rest"
team = "Support"
reply_within = "4h"
sinks = ["desk"]

[cases]
open_within = "36500d"
"""
PLAINT = "I ordered two weeks ago, order {number}, it never came and nobody answers my mails."
PRAISE_TEXT = "Love my Hike shoes, best run in years, pair {number} and still happy."
DONE = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass
class Town:
    """What the loopback server was asked, by whom, and what it was told."""

    address: str = ""
    read: dict[str, list[str]] = field(default_factory=dict)
    alerts: list[str] = field(default_factory=list)


@contextmanager
def town() -> Iterator[Town]:
    """Twenty feeds and one desk on loopback."""
    heard = Town()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/").partition(".")[0]
            heard.read.setdefault(name, []).append(self.headers["user-agent"] + (self.headers["from"] or ""))
            self._answer(feed(name, heard.address), "application/rss+xml")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            heard.alerts.append(self.headers["webhook-id"])
            self._answer(b"", "text/plain")

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    heard.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield heard
    finally:
        server.shutdown()
        server.server_close()


def feed(name: str, address: str) -> bytes:
    """What is said at one place."""
    said = [PLAINT.format(number=f"{name}-{n}") for n in range(PLAINTS)]
    said += [PRAISE_TEXT.format(number=f"{name}-{n}") for n in range(PRAISE)]
    items = "".join(
        f"<item><guid isPermaLink='false'>{name}-{n}</guid><title>t</title><description>{words}</description>"
        f"<link>{address}/p/{name}/{n}</link><author>{name}-{n}</author>"
        f"<pubDate>Mon, 02 Nov 2026 10:{n % 60:02}:00 GMT</pubDate></item>"
        for n, words in enumerate(said)
    )
    return f"<?xml version='1.0'?><rss version='2.0'><channel><title>x</title>{items}</channel></rss>".encode()


def groups() -> dict[str, list[str]]:
    """The sources, dealt out."""
    names = [f"place-{n:02}" for n in range(1, SOURCES + 1)]
    return {f"listen-{n + 1}": names[n::GROUPS] for n in range(GROUPS)}


def written(folder: Path, address: str) -> None:
    """The settings, and a prefect.yaml with a deployment for each group."""
    sources = "".join(
        f'\n[[source]]\nkind = "feed"\nname = "{name}"\nurl = "{address}/{name}.rss"\n'
        for group in groups().values()
        for name in group
    )
    (folder / "earful.toml").write_text(SETTINGS.format(address=address) + sources, encoding="utf-8")
    deployments = [
        {
            "name": group,
            "entrypoint": "flows.listen.listen",
            "tags": ["earful", "listen"],
            "parameters": {"settings": str(folder / "earful.toml"), "sources": names},
            "work_pool": {"name": "cluster"},
            "concurrency_limit": {"limit": 1, "collision_strategy": "CANCEL_NEW"},
        }
        for group, names in groups().items()
    ]
    pull = [{"prefect.deployments.steps.set_working_directory": {"directory": "."}}]
    plan = {"name": "cluster", "pull": pull, "deployments": deployments}
    (folder / "prefect.yaml").write_text(json.dumps(plan), encoding="utf-8")  # JSON is YAML


def shown(console: Console, runs: dict[str, dict[str, Any]], heard: Town) -> Counter[str]:
    """Which worker read which source; how many each read."""
    table = Table(
        "group", "worker", "process", "seconds", "sources it read", title="Who read what", title_justify="left"
    )
    share = Counter[str]()
    for group, names in groups().items():
        run = runs[group]
        by = {next((f"worker-{n}" for n in range(1, WORKERS + 1) if f"worker-{n}" in asked), "nobody")
              for name in names for asked in heard.read.get(name, ["nobody"])}  # fmt: skip
        share.update({worker: len(names) for worker in by})
        pid = str(run["infrastructure_pid"]).rpartition(":")[2]
        table.add_row(group, ", ".join(sorted(by)), pid, f"{run['total_run_time']:.1f}", ", ".join(names))
    console.print(table)
    return share


def main() -> None:
    """Show it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started here ends too
    console, began = Console(width=120), time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="earful-cluster-", ignore_cleanup_errors=True)))
        heard = stack.enter_context(town())
        database = stack.enter_context(postgresql())
        written(folder, heard.address)
        port, memory = free_port(), database("earful", "postgresql+psycopg")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT")},
            "DO_NOT_TRACK": "1",
            "EARFUL_DATABASE": memory,
            "EARFUL_WORKER": "nobody",
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database("prefect", "postgresql+asyncpg"),
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PYTHONPATH": str(ROOT),
        }
        server = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
        stack.enter_context(started(server, folder / "server.log", environment))
        client = stack.enter_context(httpx.Client(base_url=environment["PREFECT_API_URL"], timeout=30))
        until(lambda: healthy(client), "the server's start", folder / "server.log")
        console.print(f"A Prefect server on PostgreSQL answers after {time.monotonic() - began:.0f} s.")
        client.post("/work_pools/", json={"name": "cluster", "type": "process"}).raise_for_status()
        subprocess.run([*PREFECT, "deploy", "--all"], env=environment, cwd=folder, check=True, capture_output=True)  # noqa: S603
        deployed = {one["name"]: one["id"] for one in client.post("/deployments/filter", json={}).json()}
        for n in range(1, WORKERS + 1):
            words = [*PREFECT, "worker", "start", "--pool", "cluster", "--name", f"worker-{n}", "--limit", "1"]
            own = environment | {"EARFUL_WORKER": f"worker-{n}"}
            stack.enter_context(started(words, folder / f"worker-{n}.log", own))
        known = "/work_pools/cluster/workers/filter"
        until(lambda: len(client.post(known, json={}).json()) == WORKERS, "the workers' start")
        console.print(f"{WORKERS} workers, one run each at a time; {len(deployed)} groups, {SOURCES} sources.")
        at = time.monotonic()
        for identity in deployed.values():
            client.post(f"/deployments/{identity}/create_flow_run", json={}).raise_for_status()

        def runs() -> dict[str, dict[str, Any]]:
            names = {identity: name for name, identity in deployed.items()}
            return {names[one["deployment_id"]]: one for one in client.post("/flow_runs/filter", json={}).json()}

        until(lambda: all(one["state_type"] in DONE for one in runs().values()), "the end of all runs")
        took, ended = time.monotonic() - at, runs()
        share = shown(console, ended, heard)
        engine = create_engine(memory)
        with engine.connect() as connection:
            stored, distinct = connection.execute(text("SELECT count(*), count(DISTINCT key) FROM mention")).one()
            judged = connection.scalar(text("SELECT count(*) FROM analysis"))
        engine.dispose()
        console.print(
            f"{took:.0f} s from the first run's order to the last one's end, {time.monotonic() - began:.0f} s in all."
        )
        console.print(f"Sources read by each worker: {', '.join(f'{name} {n}' for name, n in sorted(share.items()))}.")
        said, plaints = SOURCES * (PLAINTS + PRAISE), SOURCES * PLAINTS
        console.print(f"{said} mentions said; {stored} stored, {distinct} of them different; {judged} judged.")
        got, different = len(heard.alerts), len(set(heard.alerts))
        console.print(f"{plaints} of them complaints; {got} alerts received, {different} of them different.")
        wrong = [
            f"{name}: {one['state']['message']}" for name, one in ended.items() if one["state_type"] != "COMPLETED"
        ]
        if wrong or (stored, distinct, judged) != (said, said, said) or len(share) != WORKERS:
            raise SystemExit("\n".join(wrong) or "not every mention is stored and judged once, or a worker was idle")
        if not got == different == plaints:
            raise SystemExit("an alert was lost or sent twice")


if __name__ == "__main__":
    main()
