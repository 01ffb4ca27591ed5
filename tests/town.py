"""A brand with two sources and two sinks on loopback, for the tests of what runs through all rooms."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from flows.setup import Setup
from storage.store import Store

SETTINGS = """\
database = "{database}"

[brand]
name = "Hike"
authors = ["hike-care"]

[[source]]
kind = "feed"
name = "forum"
url = "{address}/forum.rss"

[[source]]
kind = "file"
name = "survey"
path = "survey.csv"
rating_max = 5

[[sink]]
kind = "file"
name = "log"
path = "alerts.jsonl"

[[sink]]
kind = "webhook"
name = "desk"
url = "{address}/hook"
secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

[grave]
team = "Safety"
sinks = ["desk", "log"]

[[route]]
name = "rest"
team = "Support"
reply_within = "4h"
sinks = ["log", "desk"]

[cases]
open_within = "3650d"

[watch]
sinks = ["log"]

[digest]
sinks = ["log"]

[http]
attempts = 1
"""
PLAINT = (
    "I ordered the Talus {number} two weeks ago, order {number}00{number}, it never came and nobody answers my mails."
)
PRAISE = "Absolutely love my Hike shoes, best run in years, pair number {number} and still happy."


@dataclass
class Town:
    """What the loopback server says and has heard; set `broken` to make a path answer with a status."""

    address: str
    folder: Path
    entries: list[str] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)
    hooks: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @property
    def settings(self) -> Path:
        return self.folder / "earful.toml"

    def setup(self) -> Setup:
        return Setup.read(self.settings)

    def use(self, database: str) -> None:
        """Keep the memory in another database."""
        text = self.settings.read_text("utf-8").replace('"sqlite:///earful.db"', json.dumps(database))
        self.settings.write_text(text, "utf-8")

    def store(self) -> Store:
        return self.setup().store()

    def logged(self) -> list[dict[str, Any]]:
        path = self.folder / "alerts.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def write(self, *, plaints: int, praise: int) -> None:
        """Fill both sources: half of it said in the forum, half in the survey."""
        said = [PLAINT.format(number=n) for n in range(plaints)] + [PRAISE.format(number=n) for n in range(praise)]
        self.entries = said[::2]
        with (self.folder / "survey.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["id", "text", "said_at", "author"])
            rows.writerows([n, text, "2026-11-02 12:00", f"person-{n}"] for n, text in enumerate(said[1::2]))

    def rss(self) -> bytes:
        items = "".join(
            f"<item><guid isPermaLink='false'>g{n}</guid><title>t{n}</title><description>{text}</description>"
            f"<link>{self.address}/p/{n}</link><author>writer-{n}</author>"
            f"<pubDate>Mon, 02 Nov 2026 10:{n % 60:02}:00 GMT</pubDate></item>"
            for n, text in enumerate(self.entries)
        )
        return f"<?xml version='1.0'?><rss version='2.0'><channel><title>Forum</title>{items}</channel></rss>".encode()


@contextmanager
def open_town(folder: Path) -> Iterator[Town]:
    """A real HTTP server on loopback with a forum's feed and a webhook receiver, and settings that use it."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(town.rss(), "application/rss+xml")

        def do_POST(self) -> None:
            said = self.rfile.read(int(self.headers["content-length"]))
            if self.path not in town.broken:
                with town.lock:
                    town.hooks.append((self.headers["webhook-id"], json.loads(said)))
            self._answer(b"", "text/plain")

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(town.broken.get(self.path, 200))
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    town = Town(f"http://127.0.0.1:{server.server_port}", folder)
    town.settings.write_text(SETTINGS.format(address=town.address, database="sqlite:///earful.db"), encoding="utf-8")
    Thread(target=server.serve_forever, daemon=True).start()
    yield town
    server.shutdown()
    server.server_close()
