"""A toy place with its source, which keeps every rule unless one is switched off: what the kit must find out."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr

from connectors.client import Address, items_of, json_of
from connectors.conform.world import Desk, Found, Said, World
from connectors.contract import Item, Page, Sink, Source
from connectors.values import identity
from pipeline.errors import ChangedError, EarfulError, RefusedError
from pipeline.mention import Mention, MentionKind
from pipeline.route import Alert

PAGE = 10
OVERLAP = timedelta(hours=2)

Flaw = Literal[
    "none", "moves early", "forgets the overlap", "exclusive", "two keys", "swallows", "foreign error", "tells the key",
    "takes anything", "never ends", "decodes twice", "claims too much", "stops at strange items", "calls all gone",
]  # fmt: skip


class ToyWorld(World):
    """Notes, newest first, by page number, since a moment."""

    kind: ClassVar[str] = "toy"
    page: ClassVar[int] = PAGE
    late: ClassVar[timedelta] = timedelta(hours=1)
    edits: ClassVar[timedelta | None] = timedelta(hours=1)
    deletes: ClassVar[bool] = True
    same_second: ClassVar[int] = 25

    def settings(self, address: str) -> dict[str, Any]:
        return {"kind": "toy", "api": address, "key": "sesame-toy"}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        del now
        asked = request.url.params
        if request.url.path.startswith("/notes/"):
            native = int(request.url.path.rpartition("/")[2])
            known = [each for each in said if each.number == native and not each.deleted]
            return httpx.Response(200, json={"id": native}) if known else httpx.Response(404, json={"error": "gone"})
        if request.url.path != "/notes":
            return httpx.Response(404)
        since = datetime.fromisoformat(asked.get("since", "1970-01-01T00:00:00+00:00"))
        fitting = [each for each in said if not each.deleted and each.at >= since]
        fitting.sort(key=lambda each: (each.at, each.number), reverse=True)
        start = int(asked.get("page", 0)) * PAGE
        notes = [{"id": each.number, "at": each.at.isoformat(), "text": each.text} for each in fitting]
        return httpx.Response(200, json={"notes": notes[start : start + PAGE]})


class Toy(Source, frozen=True, hide_input_in_errors=True):
    """Reads the notes, with the flaw it is given."""

    label: ClassVar[str] = "Toy"
    docs: ClassVar[str] = "https://toy.example"
    quiet_after: ClassVar[timedelta] = timedelta(days=1)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=1)

    kind: Literal["toy"] = "toy"
    api: Address = Field(description="Where it is.")
    key: SecretStr = Field(description="What opens it.")
    flaw: Flaw = Field(default="none", description="What it does wrong.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        newest, oldest = since, None
        overlap = timedelta(0) if self.flaw in {"forgets the overlap", "moves early"} else OVERLAP
        start = datetime.fromisoformat(since) - overlap if since else None
        if start and self.flaw == "exclusive":
            start += overlap + timedelta(seconds=1)
        known, number = set[str](), 0
        while True:
            notes = items_of(self._notes(http, start, number))
            fresh = [note for note in notes if json.dumps(note) not in known]
            if not fresh and (len(notes) < PAGE or number) and self.flaw != "never ends":
                if len(notes) == PAGE:
                    raise ChangedError(f"{self.name}: the same page twice")
                break
            if self.flaw == "never ends" and not notes:
                break
            known |= {json.dumps(note) for note in fresh}
            times = [note["at"] for note in notes if isinstance(note.get("at"), str)]
            newest, oldest = max([*times, newest or ""]), min([*times, oldest or "9"])
            if self.flaw == "stops at strange items" and len(times) < len(notes):
                raise ChangedError(f"{self.name}: a note without a time")
            yield Page(fresh, cursor=newest if self.flaw == "moves early" else None)
            number += 1
        reach = start or datetime(1970, 1, 1, tzinfo=UTC)
        if self.flaw == "claims too much":
            reach = datetime(1970, 1, 1, tzinfo=UTC)
        yield Page([], cursor=newest, reach=reach)

    def _notes(self, http: httpx.Client, start: datetime | None, number: int) -> list[Any]:
        asked = {"page": str(number)} | ({"since": start.isoformat()} if start else {})
        if self.flaw == "claims too much" and number > 1:
            return []
        try:
            answer = http.get(f"{self.api}/notes", params=asked, headers={"x-key": self.key.get_secret_value()})
            notes = json_of(answer, dict).get("notes")
        except EarfulError as error:
            if self.flaw == "swallows":
                return []
            if self.flaw == "foreign error":
                raise RuntimeError("no") from error
            if self.flaw == "tells the key":
                raise type(error)(f"{error} with {self.key.get_secret_value()}") from None
            raise
        if not isinstance(notes, list):
            if self.flaw == "takes anything":
                return []
            raise ChangedError(f"{self.name}: no list of notes")
        return notes

    def parse(self, item: Item) -> Mention:
        text = item["text"].replace("&", "and") if self.flaw == "decodes twice" else item["text"]
        key = f"toy:{identity(item['id'])}" + (f"-{len(text)}" if self.flaw == "two keys" else "")
        said = {"key": key, "source": self.name, "kind": MentionKind.POST, "text": text, "said_at": item["at"]}
        return Mention.model_validate(said)

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        found = set()
        for key in keys:
            more: dict[str, Any] = {"expected": {404}}
            if self.flaw == "calls all gone":
                more["expected"] = {401, 403, 404, 500, 503}
            answer = http.get(f"{self.api}/notes/{key.partition(':')[2].partition('-')[0]}", extensions=more)
            if answer.is_error:
                found.add(key)
        return found


class Bell(Sink, frozen=True):
    """Rings, with the flaw it is given."""

    label: ClassVar[str] = "Bell"
    docs: ClassVar[str] = "https://bell.example"
    text_limit: ClassVar[int] = 1_000

    kind: Literal["bell"] = "bell"
    api: Address = Field(description="Where it hangs.")
    flaw: str = Field(default="none", description="What it does wrong.")

    def send(self, http: httpx.Client, alert: Alert) -> str:
        told = {"key": alert.key, "words": f"{alert.title}\n{alert.text}\n{alert.who} {alert.where} {alert.why}"}
        if self.flaw == "new keys":
            told["key"] = f"{alert.key}-{datetime.now(UTC).timestamp()}"
        if self.flaw == "no long words":
            told["words"] = told["words"][:200]
        try:
            answer = http.post(f"{self.api}/ring", json=told)
        except EarfulError:
            if self.flaw == "swallows":
                return "ok"
            raise
        if not answer.is_success:
            raise RefusedError(f"{self.name}: {answer.status_code}; the operator must act: check the address")
        return "ok"


class BellDesk(Desk):
    """Hears every ring."""

    kind: ClassVar[str] = "bell"

    def __init__(self) -> None:
        self.rung: list[dict[str, str]] = []

    def settings(self, address: str) -> dict[str, Any]:
        return {"kind": "bell", "api": address}

    def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
        del now
        self.rung.append(json.loads(request.content))
        return httpx.Response(200, text="ok")

    def found(self) -> list[Found]:
        return [Found(each["key"], each["words"]) for each in self.rung]


class DeafDesk(BellDesk):
    """Says that it heard, and did not."""

    def found(self) -> list[Found]:
        return []
