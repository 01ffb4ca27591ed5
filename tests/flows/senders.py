"""Runs that send in tests: what waits for a town's sinks, how a run goes, and how one dies."""

from datetime import timedelta

import httpx
import pytest

from connectors.sinks.webhook import Webhook
from flows.send import send
from flows.watch import troubles
from pipeline.route import Alert
from pipeline.triage import Urgency
from storage.outbox import Delivery
from storage.store import Store
from tests.town import Town


def an_alert(town: Town, key: str, sink: str = "desk", **told: object) -> Alert:
    return Alert.model_validate({"key": key, "sink": sink, "title": "Hike", "made_at": town.setup().now(), **told})


def put(town: Town, *alerts: Alert) -> None:
    with town.store() as store:
        store.migrate()
        store.put_alerts(alerts)


def waiting(town: Town) -> dict[str, str | None]:
    """What waits, and who must act."""
    with town.store() as store:
        return {one.alert.key: one.who_acts for one in store.waiting(town.setup().now() + timedelta(days=1))}


def send_to(town: Town, name: str) -> Exception | None:
    setup = town.setup()
    (sink,) = [sink for sink in setup.sinks if sink.name == name]
    try:
        send.fn(setup, sink)
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    return None


def refusing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[str]:
    """The program takes only what is critical; the keys of what it was asked to take."""
    asked: list[str] = []
    usual = Webhook.send

    def some(sink: Webhook, http: httpx.Client, alert: Alert) -> str:
        asked.append(alert.key)
        if alert.urgency is not Urgency.CRITICAL:
            raise error
        return usual(sink, http, alert)

    monkeypatch.setattr(Webhook, "send", some)
    return asked


def known(town: Town, key: str) -> Delivery:
    with town.store() as store:
        (delivery,) = store.known(key)
    return delivery


class Killed(BaseException):
    """The run ends here, as if its process were killed."""


def die_at(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Whoever does this next is killed just before; the ones after are not."""
    usual = getattr(Store, method)

    def dying(*_: object, **__: object) -> None:
        monkeypatch.setattr(Store, method, usual)
        raise Killed

    monkeypatch.setattr(Store, method, dying)


def run_and_die(town: Town, name: str) -> None:
    setup = town.setup()
    with pytest.raises(Killed):
        send.fn(setup, setup.sink(name))


def titles(town: Town) -> dict[str, list[str]]:
    """What watch would tell now, by the sink it tells."""
    found: dict[str, list[str]] = {}
    with town.store() as store:
        for alert in troubles(town.setup(), store, town.setup().now()):
            found.setdefault(alert.sink, []).append(alert.title)
    return found
