"""PagerDuty: one page for each case, ended when the case is settled, through Events API v2."""

from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr

from connectors.client import SecureAddress, changed, json_of, refused
from connectors.contract import Sink
from connectors.wording import OPEN, WHY, byline, facts, link, moment, reasons, reference, title, visible
from pipeline.errors import ChangedError, EarfulError
from pipeline.route import Alert
from pipeline.text import shorten
from pipeline.triage import Urgency

SUMMARY_LIMIT, KEY_LIMIT = 1_024, 255
"""Characters: https://developer.pagerduty.com/docs/send-alert-event"""
SEVERITIES = {
    Urgency.CRITICAL: "critical",  # a grave signal is always critical
    Urgency.HIGH: "error",
    Urgency.NORMAL: "warning",
    Urgency.LOW: "info",
}
_OTHERS = {"case": "warning", "watch": "warning", "digest": "info"}

_FIELDS = ("routing_key", "event_action", "dedup_key", "payload.summary", "payload.severity", "payload.source")


class PagerDuty(Sink, frozen=True, hide_input_in_errors=True):
    """A service in PagerDuty. One case is one page: whatever is heard of it later joins the page that is open.

    The page ends when the brand has answered or the case is closed, for then nobody has to get up any more; if the
    author comes back, the same case pages again. Built from the documentation: not yet tried against the live service.
    """

    label: ClassVar[str] = "PagerDuty"
    docs: ClassVar[str] = "https://developer.pagerduty.com/docs/events-api-v2-overview"
    text_limit: ClassVar[int] = 3_000
    settles: ClassVar[bool] = True
    answer_settles: ClassVar[bool] = True
    honours_key: ClassVar[bool] = True

    kind: Literal["pagerduty"] = "pagerduty"
    routing_key: SecretStr = Field(description="The integration key of an Events API v2 integration of your service.")
    api: SecureAddress = Field(
        default="https://events.pagerduty.com",
        description="PagerDuty's address; https://events.eu.pagerduty.com for an account in the EU.",
    )

    def send(self, http: httpx.Client, alert: Alert) -> str:
        """Trigger or resolve; the receipt is the key PagerDuty knows the page by."""
        answer = http.post(
            f"{self.api}/v2/enqueue",
            json={"routing_key": self.routing_key.get_secret_value(), **event(alert)},
            follow_redirects=False,
            extensions={"explain": _explain},
        )
        if not answer.is_success:
            raise refused(answer, "check `api` in the settings; PagerDuty answers at another address")
        said = json_of(answer, dict)
        if said.get("status") != "success":
            raise changed(answer, 'answered without the status "success"; check `api` in the settings')
        return f"{event(alert)['event_action']} {event(alert)['dedup_key']}"


def _explain(answer: httpx.Response) -> EarfulError | None:
    """A 400 is PagerDuty's word that asking again is of no use; it may quote the key, so only fields are named."""
    if answer.status_code != httpx.codes.BAD_REQUEST:
        return None
    try:
        told = str(json_of(answer, dict).get("errors", ""))
    except ChangedError:
        return None
    named = [field for field in _FIELDS if field in told]
    if "routing_key" in named or "routing key" in told.lower():
        return refused(answer, "PagerDuty does not take the routing key; copy the integration key of an Events v2 one")
    return changed(answer, f"400, the event is invalid ({', '.join(named) or 'no field named'}); a developer must act")


def event(alert: Alert) -> dict[str, Any]:
    """The alert as an event, all but the routing key. PagerDuty shows texts as they are: it reads no markup."""
    key = reference(alert)[:KEY_LIMIT]
    if alert.kind == "solved":
        return {"event_action": "resolve", "dedup_key": key}
    severity = SEVERITIES[alert.urgency] if alert.urgency else _OTHERS[alert.kind]
    details = {
        "Said": shorten(visible(alert.text), PagerDuty.text_limit),
        "By": " · ".join(byline(alert)),
        **dict(facts(alert)),
        WHY[alert.kind]: reasons(alert),
        "Alert": alert.key,
        "Made": moment(alert.made_at),
    }
    payload = {
        "summary": title(alert, SUMMARY_LIMIT // 2),  # an emoji may count as two
        "source": visible(alert.where)[:255] or "Earful",
        "severity": severity,
        "timestamp": alert.made_at.isoformat(),
        "group": visible(alert.team)[:255],
        "class": alert.kind,
        "custom_details": {name: value for name, value in details.items() if value},
    }
    url = link(alert)
    more = {"links": [{"href": url, "text": OPEN[alert.kind]}]} if url else {}
    return {"event_action": "trigger", "dedup_key": key, "client": "Earful", "payload": payload, **more}
