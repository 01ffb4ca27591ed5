"""What a Prefect server is told as it happens."""

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import send as sending
from flows.events import ALERT_DEAD
from flows.send import DEAD_AFTER
from pipeline.errors import RefusedError
from storage.outbox import Fate
from tests.flows.one_source import Clock
from tests.flows.senders import an_alert, known, put, refusing, send_to
from tests.town import Town


def test_each_dead_letter_is_told_without_its_words_and_the_next_is_sent_though_nobody_could_be_told(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    told = []

    def emit(event: str, resource: dict[str, str], payload: dict[str, object]) -> None:
        told.append((event, resource["prefect.resource.id"], payload))
        raise OSError("the server is full")

    monkeypatch.setattr("flows.events.emit_event", emit)
    monkeypatch.setattr(sending, "DEAD_TRIES", 1)
    refusing(monkeypatch, RefusedError("410"))
    put(town, an_alert(town, "a", text="my parcel"), an_alert(town, "b", text="my parcel"))
    clock.now += DEAD_AFTER
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        send_to(town, "desk")
    assert [known(town, key).fate for key in ("a", "b")] == [Fate.DEAD, Fate.DEAD]
    assert sorted(told) == [
        (ALERT_DEAD, f"earful.alert.{key}", {"sink": "desk", "kind": "case", "case": ""}) for key in ("a", "b")
    ]
