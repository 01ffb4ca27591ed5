"""The town of the demo: one small server on this machine that speaks the protocols of five sources and two sinks.

`python -m desk.demo.servers` keeps it open to play with.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from threading import Event, Thread
from urllib.parse import parse_qsl, urlsplit

from rich.console import Console

from desk.demo import appstore, feeds, hackernews, mastodon, shop
from desk.demo.asked import Answer, Asked, as_text
from desk.demo.receivers import SECRET, Received, Receivers
from desk.demo.story import AUTHORS, BRAND, story

_SETTINGS = Path(__file__).with_name("earful.toml")
_READ, _WRITE = "GET", "POST"

House = Callable[[Asked], Answer]


@dataclass(frozen=True, slots=True)
class Town:
    """The open town: its address, the folder with the shop's export, and what its receivers have heard."""

    address: str
    folder: Path
    receivers: Receivers

    @property
    def received(self) -> list[Received]:
        """The alerts that arrived, in order."""
        return list(self.receivers.received)

    def settings(self) -> str:
        """The complete earful.toml for this town, to be written into its folder."""
        words = {
            "address": self.address,
            "brand": BRAND,
            "authors": ", ".join(f'"{author}"' for author in AUTHORS),
            "countries": ", ".join(f'"{country}"' for country in appstore.COUNTRIES),
            "app": appstore.APP,
            "tag": mastodon.TAG,
            "export": shop.NAME,
            "zone": shop.ZONE,
            "secret": SECRET,
        }
        return Template(_SETTINGS.read_text(encoding="utf-8")).substitute(words)


@contextmanager
def open_town(end: datetime, folder: Path, port: int = 0) -> Iterator[Town]:
    """Open the town: `end` (aware) is when its month is over; the shop's export is written into `folder`.

    With the same `end`, folder and port everything has the same keys, so a second run hears nothing new; port 0 takes
    any free one. Listens on the loopback only. OSError if the port is taken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / shop.NAME).write_bytes(shop.export(story()["shop"], end))
    receivers = Receivers()
    with ThreadingHTTPServer(("127.0.0.1", port), _handler(_houses(end, receivers))) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield Town(f"http://127.0.0.1:{server.server_port}", folder, receivers)
        finally:
            server.shutdown()
            thread.join()


def _houses(end: datetime, receivers: Receivers) -> dict[tuple[str, str], House]:
    """By method and first part of the path."""
    told = story()
    return {
        (_READ, "hackernews"): lambda asked: hackernews.search(told["hackernews"], end, asked),
        (_READ, "mastodon"): lambda asked: mastodon.timeline(told["mastodon"], end, asked),
        (_READ, "appstore"): lambda asked: appstore.reviews(told["appstore"], end, asked),
        (_READ, "forum"): lambda asked: feeds.forum(told["forum"], end, asked),
        (_READ, "press"): lambda asked: feeds.press(told["press"], end, asked),
        (_WRITE, "slack"): receivers.slack,
        (_WRITE, "desk"): receivers.desk,
    }


def _handler(houses: dict[tuple[str, str], House]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: in two, the second waits 40 ms for the first's receipt

        def do_GET(self) -> None:
            self._answer(_READ, b"")

        def do_POST(self) -> None:
            self._answer(_WRITE, self.rfile.read(int(self.headers.get("content-length") or 0)))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing: the terminal belongs to the demo."""

        def _answer(self, method: str, body: bytes) -> None:
            parts = urlsplit(self.path)
            first, _, rest = parts.path.lstrip("/").partition("/")
            base = f"http://{self.headers.get('host')}/{first}"
            headers = {name.lower(): value for name, value in self.headers.items()}
            house = houses.get((method, first))
            asked = Asked(base, f"/{rest}", dict(parse_qsl(parts.query)), headers, body)
            try:
                answer = house(asked) if house else as_text("nobody lives here", HTTPStatus.NOT_FOUND)
            except ValueError:  # such as limit=many
                answer = as_text("not understood", HTTPStatus.BAD_REQUEST)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
                self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

    return Handler


def main(folder: Path, port: int = 8710) -> None:
    """Keep the town open until Ctrl+C, with its settings in `folder`."""
    say = Console(highlight=False, soft_wrap=True).print
    with open_town(datetime.now(UTC), folder, port) as town:
        (folder / "earful.toml").write_text(town.settings(), encoding="utf-8")
        say(f"Hike's month is told at {town.address}. In another terminal: earful listen -s {folder / 'earful.toml'}")
        say("Ctrl+C closes it.")
        try:
            Event().wait()
        except KeyboardInterrupt:
            say(f"{len(town.received)} alerts were heard.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "earful-demo"))
