"""A toy help desk with its sink, which keeps every rule unless one is switched off: what the kit must find out."""

import json
import logging
from base64 import b64encode
from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import httpx
from pydantic import Field, SecretStr

from connectors.client import Address, changed, json_of
from connectors.conform.world import Desk, Found
from connectors.contract import Sink
from pipeline.errors import EarfulError, RefusedError
from pipeline.route import Alert

TOKEN = "hush/hush+toy&1"
WAY = "hooks/T000/conform-hush"


class HelpDesk(Desk):
    """One ticket for each case, found again by its case."""

    kind: ClassVar[str] = "help"
    by_case: ClassVar[bool] = True

    def __init__(self) -> None:
        self.tickets: dict[int, dict[str, Any]] = {}
        self.made = 0

    def settings(self, address: str) -> dict[str, Any]:
        return {"kind": "help", "api": address, "token": TOKEN, "hook": f"{address}/{WAY}"}

    def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
        del now
        said = json.loads(request.content or b"{}")
        match request.method, request.url.path.strip("/").split("/"):
            case "GET", ["tickets"]:
                listed = [one for one in self.tickets.values() if one["case"] == request.url.params["case"]]
                return httpx.Response(200, json={"tickets": listed})
            case "POST", ["tickets"]:
                self.made += 1
                self.tickets[self.made] = {"id": self.made, "open": True, "keys": [], "words": [], **said}
                return httpx.Response(201, json=self.tickets[self.made])
            case "POST", ["tickets", number, "notes"] if int(number) in self.tickets:
                ticket = self.tickets[int(number)]
                ticket["keys"].append(said["key"])
                ticket["words"].append(said["words"])
                return httpx.Response(201, json=ticket)
            case "PUT", ["tickets", number] if int(number) in self.tickets:
                self.tickets[int(number)] |= said
                return httpx.Response(200, json=self.tickets[int(number)])
        return httpx.Response(404, json={"error": "no such ticket"})

    def found(self) -> list[Found]:
        return [Found(one["case"], "\n".join(one["words"]), open=one["open"]) for one in self.tickets.values()]

    def delete(self) -> bool:
        return bool(self.tickets and self.tickets.popitem())


class Diary(HelpDesk):
    """Whoever adds to a ticket cannot read what was said in it."""

    knows: ClassVar[bool] = False


class Help(Sink, frozen=True, hide_input_in_errors=True):
    """Keeps a ticket, with the flaw it is given."""

    label: ClassVar[str] = "Help"
    docs: ClassVar[str] = "https://help.example"
    text_limit: ClassVar[int] = 1_000
    settles: ClassVar[bool] = True
    honours_key: ClassVar[bool] = True

    kind: Literal["help"] = "help"
    api: Address = Field(description="Where it is.")
    token: SecretStr = Field(description="What opens it.")
    hook: SecretStr = Field(description="An address that is a secret.")
    flaw: str = Field(default="none", description="What it does wrong.")

    def send(self, http: httpx.Client, alert: Alert) -> str:
        try:
            return self._told(http, alert)
        except EarfulError as error:
            self._tell(error)
            if self.flaw == self._occasion(alert):
                return "ok"
            raise

    def _told(self, http: httpx.Client, alert: Alert) -> str:
        answer = self._ask(http, "GET", "/tickets", params={"case": alert.case or alert.key})
        listed = json_of(answer, dict).get("tickets")
        if not isinstance(listed, list):
            raise changed(answer, "answered without a list of tickets")
        ticket = listed[-1] if listed else None
        words = f"{alert.title}\n{alert.text}\n{alert.who} {alert.where} {alert.why}"
        said = {"key": alert.key, "words": words}
        if ticket is None:
            if alert.kind != "solved":
                made = {"case": alert.case or alert.key, "keys": [alert.key], "words": [words]}
                answer = self._ask(http, "POST", "/tickets", json=made)
                if "id" not in json_of(answer, dict):
                    raise changed(answer, "answered without a ticket's id")
            return self._receipt("made")
        if alert.key in ticket["keys"] and (self.flaw != "says it twice" or alert.key == ticket["keys"][0]):
            return self._receipt(ticket["id"])
        self._add(http, ticket, said, wanted=alert.kind != "solved")
        return self._receipt(ticket["id"])

    def _add(self, http: httpx.Client, ticket: dict[str, Any], said: dict[str, str], *, wanted: bool) -> None:
        if self.flaw == "words before the state":
            self._ask(http, "POST", f"/tickets/{ticket['id']}/notes", json=said)
        if wanted and not ticket["open"] and self.flaw == "opens it without a word":
            self._ask(http, "PUT", f"/tickets/{ticket['id']}", json={"open": True})
            return
        if ticket["open"] is not wanted and not (wanted and self.flaw == "never opens it again"):
            self._ask(http, "PUT", f"/tickets/{ticket['id']}", json={"open": wanted})
        if self.flaw == "forgets what was deleted":
            self._ask(http, "POST", f"/tickets/{ticket['id']}/notes", json=said, extensions={"expected": {404}})
        elif self.flaw != "words before the state":
            self._ask(http, "POST", f"/tickets/{ticket['id']}/notes", json=said)

    def _ask(self, http: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - as httpx
        token = self.token.get_secret_value()
        answer = http.request(method, f"{self.api}{path}", auth=("ears", token), **more)
        if self.flaw == "logs what it sends":
            logging.getLogger("help").info("sent %s", b64encode(f"ears:{token}".encode()).decode())
        json_of(answer, dict)
        if not answer.is_success and not more.get("extensions"):
            raise RefusedError(f"{self.name}: {answer.status_code}; the operator must act: check the address")
        return answer

    def _occasion(self, alert: Alert) -> str:
        again = {"(the author is back)": "an update", "(open again)": "a reopening"}
        occasion = next((name for mark, name in again.items() if mark in alert.title), "a delivery")
        return f"swallows {'a solve' if alert.kind == 'solved' else occasion}"

    def _receipt(self, number: object) -> str:
        return f"ticket {number}" + (f" at /{WAY}" if self.flaw == "writes it on the receipt" else "")

    def _tell(self, error: EarfulError) -> None:
        if self.flaw == "logs it encoded":
            logging.getLogger("help").debug("failed with token=%s", quote(self.token.get_secret_value(), safe=""))
        if self.flaw == "raises it":
            raise type(error)(f"{error} for ears:{self.token.get_secret_value()}") from None
        if self.flaw == "raises it from another":
            raise RefusedError(f"{self.name}: no") from ValueError(self.hook.get_secret_value())


class BareHelp(Help, frozen=True):
    """Holds its token where everybody sees it."""

    token: str = Field(description="What opens it.", repr=True)  # type: ignore[assignment]

    def _ask(self, http: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - as httpx
        answer = http.request(method, f"{self.api}{path}", auth=("ears", self.token), **more)
        json_of(answer, dict)
        return answer


class Honest(Help, frozen=True):
    """Says that people find an alert as often as it is sent, though they find it once."""

    honours_key: ClassVar[bool] = False
