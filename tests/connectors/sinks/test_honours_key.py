"""Whether people find an alert twice that was sent twice, as each sink says of its place."""

from pathlib import Path

import httpx
import pytest

from connectors import SINKS
from connectors.conform.desks import DESKS
from connectors.conform.world import Desk
from connectors.contract import Sink
from connectors.sinks.file import FileSink
from tests.connectors.sinks.receivers import an_alert, web_server

OF_KIND: dict[str, type[Sink]] = {sink.model_fields["kind"].default: sink for sink in SINKS}


@pytest.mark.parametrize("desk", DESKS, ids=lambda desk: desk.kind)
def test_a_sink_says_truly_whether_an_alert_sent_twice_is_found_once(desk: type[Desk]) -> None:
    kind, at = OF_KIND[desk.kind], desk()
    with web_server() as server, httpx.Client() as http:
        server.desk = at
        sink = kind.model_validate({"name": "mine", **at.settings(server.url)})
        for _ in range(2):
            sink.send(http, an_alert())
    assert (len(at.found()) == 1) is sink.honours_key


def test_a_file_has_an_alert_once_and_says_so(tmp_path: Path) -> None:
    sink = FileSink(name="log", path=tmp_path / "alerts.jsonl")
    with httpx.Client() as http:
        assert len({sink.send(http, an_alert()) for _ in range(2)}) == 1
    assert len(sink.path.read_text("utf-8").splitlines()) == 1
    assert sink.honours_key


def test_where_nobody_can_know_a_key_it_is_not_promised() -> None:
    """A mail server takes every message; many mailboxes show one Message-ID once, not all."""
    assert not OF_KIND["email"].honours_key
    assert not OF_KIND["apprise"].honours_key
