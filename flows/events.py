"""Events: what a Prefect server is told as it happens, so that automations may act on it. Keys and kinds, never words.

An event is a courtesy, told once at most: what somebody must hear stands in the outbox.
"""

import logging
from collections.abc import Mapping

from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from pipeline.case import Case
from pipeline.route import Alert

log = logging.getLogger(__name__)

CASE_OPENED = "earful.case.opened"
ALERT_DEAD = "earful.alert.dead"


def served() -> bool:
    """Whether a Prefect server, or Prefect Cloud, is there that outlasts this run; the temporary one does not."""
    return bool(PREFECT_API_URL.value())


def case_opened(case: Case) -> None:
    """Somebody has to answer this."""
    payload = {
        "team": case.team,
        "route": case.route,
        "urgency": str(case.urgency or ""),
        "category": str(case.category or ""),
        "source": case.source,
        "grave": case.grave,
    }
    _emit(CASE_OPENED, f"earful.case.{case.key}", payload)


def alert_dead(alert: Alert) -> None:
    """An alert reached nobody, and is not tried any more."""
    _emit(ALERT_DEAD, f"earful.alert.{alert.key}", {"sink": alert.sink, "kind": alert.kind, "case": alert.case or ""})


def _emit(event: str, resource: str, payload: Mapping[str, object]) -> None:
    if not served():
        return
    try:
        emit_event(event, resource={"prefect.resource.id": resource}, payload=dict(payload))
    except Exception as error:  # noqa: BLE001 - what it tells of is kept, and what comes after it must be done
        log.warning("%s is not told to Prefect (%s)", event, type(error).__name__)
