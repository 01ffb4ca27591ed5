"""Zendesk: what customers write in tickets, and how satisfied they say they are. Replies go to the ticket."""

import json
import re
from base64 import b64encode
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qsl, urlsplit

import httpx
from pydantic import Field, SecretStr

from connectors.client import Address, changed, items_of, json_of, refused
from connectors.contract import Item, Page, Source
from connectors.newest import moment
from connectors.privacy import discreet
from pipeline.errors import EarfulError, RecordError, SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

PAUSE = 6.0
"""Seconds between two requests: the export takes 10 a minute.
https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/#rate-limits"""
RATED_LATE = timedelta(days=14)
"""A rating is made when it is offered and answered days later: so much is read again at each call."""
LOOKED_UP = 100
"""The most tickets that one request looks up."""

_OURS = re.compile(r"C-[A-Z2-7]{10}|C-[0-9a-f]{24}|alert_[0-9a-f]{24}")
"""How Earful's own tickets are known: by the case's or the alert's key as `external_id`."""
_EVER = datetime.fromtimestamp(0, UTC)
_AGENTS = {"agent", "admin"}
_RATINGS = {"good": 1.0, "bad": 0.0}


class Zendesk(Source, frozen=True, hide_input_in_errors=True):
    """First words of every ticket, and satisfaction ratings with their comments.

    Tickets that Earful made itself are left out. The whole history is read at the first call unless `first_day` is set.
    """

    label: ClassVar[str] = "Zendesk"
    docs: ClassVar[str] = "https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/"
    quiet_after: ClassVar[timedelta] = timedelta(days=7)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=30)
    reply_limit: ClassVar[int | None] = 65_535
    aside: ClassVar[frozenset[str]] = frozenset({"token", "username"})

    kind: Literal["zendesk"] = "zendesk"
    api: Address = Field(description="Your Zendesk, such as https://example.zendesk.com.")
    token: SecretStr = Field(description="An API token, or an OAuth token where no `username` is given.")
    username: str | None = Field(default=None, description="Whose API token it is: the agent's e-mail address.")
    listen_to: tuple[Literal["tickets", "ratings"], ...] = Field(
        default=("tickets", "ratings"), min_length=1, description="What is heard: tickets, ratings or both."
    )

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """Tickets by the export, in the order of their changes; then ratings. The cursor knows both places."""
        place: dict[str, str] = json.loads(since) if since else {}
        first = datetime.combine(self.first_day, time(), UTC) if self.first_day else _EVER
        if "tickets" in self.listen_to:
            place = yield from self._tickets(http, place, first)
        if "ratings" in self.listen_to:
            place = yield from self._ratings(http, place, first)
        yield Page([], cursor=json.dumps(place) if place else None, reach=first)

    def parse(self, item: Item) -> Mention:
        """A ticket, or a rating where it has a score."""
        if "strange" in item:
            message = "the item is no object"
            raise RecordError(message)
        return self._rating(item) if "score" in item else self._ticket(item)

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """The tickets that are not found any more. A rating cannot be looked up."""
        natives = {native: key for key in keys if (native := self._native(key))}
        gone = set[str]()
        listed = sorted(natives, key=int)
        for start in range(0, len(listed), LOOKED_UP):
            asked = listed[start : start + LOOKED_UP]
            answer = self._ask(http, "/tickets/show_many.json", {"ids": ",".join(asked)})
            tickets = _list(answer, json_of(answer, dict), "tickets")
            if not all(str(ticket.get("id", "")).isdecimal() for ticket in tickets):
                raise changed(answer, "answered tickets without ids")
            living = {str(ticket["id"]) for ticket in tickets if ticket.get("status") != "deleted"}
            gone |= {natives[native] for native in asked if native not in living and self._is_gone(http, native)}
        return gone

    def _is_gone(self, http: httpx.Client, native: str) -> bool:
        """Whether Zendesk says so of this very ticket: a list that lacks it may only be cut."""
        answer = self._ask(http, f"/tickets/{native}.json", expected={404})
        said = json_of(answer, dict)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return bool(said.get("error") == "RecordNotFound")
        ticket = said.get("ticket")
        return isinstance(ticket, dict) and ticket.get("status") == "deleted"

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """A public comment on the ticket, or on the ticket that was rated; the ticket's address."""
        if len(text) > (self.reply_limit or 0):
            raise SettingsError(f"{self.label} takes no reply of more than {self.reply_limit:,} characters")
        native = self._native(mention.thread or mention.key)
        if native is None:
            raise SettingsError(f"{self.name}: this mention is of no ticket of {self._host}; answer it by hand")
        key = sha256(json.dumps([mention.key, text]).encode()).hexdigest()
        http.put(
            f"{self.api}/api/v2/tickets/{native}.json",
            json={"ticket": {"comment": {"body": text, "public": True}}},
            headers={**self._headers, "Idempotency-Key": key},
            extensions={"explain": _no_comment},
        )
        return self._address(native)

    def place(self, item: Item) -> str:
        """What it is, and the native id."""
        return f"{'rating' if 'score' in item else 'ticket'} {item.get('id', '?')}"[:100]

    def _tickets(
        self, http: httpx.Client, place: dict[str, str], first: datetime
    ) -> Generator[Page, None, dict[str, str]]:
        """The export from its cursor to the end of the stream. Its order is its own, so each page is a safe place."""
        while True:
            asked = {"cursor": place["tickets"]} if "tickets" in place else {"start_time": int(first.timestamp())}
            answer = self._ask(http, "/incremental/tickets/cursor.json", {**asked, "include": "users"})
            said = json_of(answer, dict)
            people = _people(said.get("users"))
            tickets = _list(answer, said, "tickets")
            gone = [self._key(ticket["id"]) for ticket in tickets if _is_deleted(ticket)]
            kept = [_kept(ticket, people) for ticket in tickets if not _is_deleted(ticket) and not _is_ours(ticket)]
            ended, following = said.get("end_of_stream"), said.get("after_cursor")
            if not isinstance(ended, bool) or not (ended or isinstance(following, str)):
                raise changed(answer, "says neither that the export ends nor where it goes on")
            if not ended and following == place.get("tickets"):
                raise changed(answer, "names the same page twice")
            if isinstance(following, str) and following:
                place = {**place, "tickets": following}
            yield Page(kept, cursor=json.dumps(place) if place else None, gone=gone)
            if ended:
                return place

    def _ratings(
        self, http: httpx.Client, place: dict[str, str], first: datetime
    ) -> Generator[Page, None, dict[str, str]]:
        """All ratings made since a while before the newest known one, in any order."""
        before = newest = moment(place.get("ratings"))
        start = max(filter(None, [before and before - RATED_LATE, first]))
        params = base = {"start_time": str(int(start.timestamp())), "page[size]": "100"}
        asked = list[dict[str, str]]()
        while True:
            asked.append(params)
            answer = self._ask(http, "/satisfaction_ratings.json", params, explain=_no_ratings)
            said = json_of(answer, dict)
            ratings = _list(answer, said, "satisfaction_ratings")
            yield Page([discreet(rating) for rating in ratings if _says_something(rating)])
            times = [moment(rating.get("created_at")) for rating in ratings]
            newest = max(filter(None, [newest, *times]), default=None)
            following = _following(answer, said)
            if following is None:
                break
            params = {**(base if "page[after]" in following else {}), **following}
            if params in asked:
                raise changed(answer, "names the same page twice")
        newest = min(newest, datetime.now(UTC)) if newest else None
        return {**place, "ratings": newest.isoformat()} if newest else place

    def _ticket(self, item: Item) -> Mention:
        native = int(item["id"])
        # an agent who opens a ticket for a customer writes its first words
        writer = "submitter" if (item.get("submitter") or {}).get("role") in _AGENTS else "requester"
        person, who = item.get(writer) or {}, item.get(f"{writer}_id")
        return Mention.model_validate(
            {
                "key": self._key(native),
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.MESSAGE,
                "title": item.get("subject") or None,
                "text": tidy(item["description"]),
                "said_at": item["created_at"],
                "url": self._address(native),
                "author": person.get("name"),
                "author_id": str(who) if who else None,
                "thread": self._key(native),
                "by_brand": person.get("role") in _AGENTS,
            }
        )

    def _rating(self, item: Item) -> Mention:
        ticket = item.get("ticket_id")
        return Mention.model_validate(
            {
                "key": f"zendesk:{self._host}/rating/{int(item['id'])}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.SURVEY,
                "title": item.get("reason") if item.get("reason_id") else None,
                "text": tidy(item.get("comment") or ""),
                "said_at": item["created_at"],
                "edited_at": item.get("updated_at") if item.get("updated_at") != item["created_at"] else None,
                "url": self._address(int(ticket)) if ticket else None,
                "author_id": str(item["requester_id"]) if item.get("requester_id") else None,
                "rating": _RATINGS[item["score"].partition("_")[0]],
                "rating_min": 0.0,
                "rating_max": 1.0,
                "thread": self._key(int(ticket)) if ticket else None,
                "parent": self._key(int(ticket)) if ticket else None,
            }
        )

    def _ask(self, http: httpx.Client, path: str, params: dict[str, Any] | None = None, **more: Any) -> httpx.Response:  # noqa: ANN401 - extensions
        url = f"{self.api}/api/v2{path}"
        return http.get(url, params=params, headers=self._headers, extensions={"pause": PAUSE, **more})

    @property
    def _headers(self) -> dict[str, str]:
        token = self.token.get_secret_value()
        basic = b64encode(f"{self.username}/token:{token}".encode()).decode()
        return {"Authorization": f"Bearer {token}" if self.username is None else f"Basic {basic}"}

    def _key(self, native: int) -> str:
        return f"zendesk:{self._host}/{native}"

    def _native(self, key: str) -> str | None:
        """The ticket's number, where the key is of one of this Zendesk."""
        native = key.removeprefix(f"zendesk:{self._host}/")
        return native if native != key and native.isdecimal() else None

    def _address(self, native: int | str) -> str:
        return f"{self.api}/agent/tickets/{native}"

    @property
    def _host(self) -> str:
        return urlsplit(self.api).netloc.rpartition("@")[2]


def _no_comment(answer: httpx.Response) -> EarfulError | None:
    if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
        return refused(answer, "the ticket takes no comment; a closed one never does again, so open a follow-up there")
    return None


def _no_ratings(answer: httpx.Response) -> EarfulError | None:
    if answer.status_code in {httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND}:
        return refused(answer, 'this account shows no ratings; leave them out, listen_to = ["tickets"]')
    return None


def _list(answer: httpx.Response, said: dict[str, Any], name: str) -> list[Item]:
    found = said.get(name)
    if not isinstance(found, list):
        raise changed(answer, f"answered no list of {name.replace('_', ' ')}")
    return items_of(found)


def _is_deleted(ticket: Item) -> bool:
    return ticket.get("status") == "deleted" and isinstance(ticket.get("id"), int)


def _is_ours(ticket: Item) -> bool:
    return bool(_OURS.fullmatch(str(ticket.get("external_id"))))


def _people(users: object) -> dict[int, Item]:
    listed = items_of(users) if isinstance(users, list) else []
    return {user["id"]: user for user in listed if isinstance(user.get("id"), int)}


def _kept(ticket: Item, people: dict[int, Item]) -> Item:
    """What a mention is made of: a ticket's own fields may hold anything, such as the addresses it came by."""
    fields = ("id", "subject", "description", "created_at", "requester_id", "submitter_id")
    if "strange" in ticket:
        return ticket
    kept = {name: ticket[name] for name in fields if name in ticket}
    for who in ("requester", "submitter"):
        held = ticket.get(f"{who}_id")
        if person := people.get(held) if isinstance(held, int) else None:
            kept[who] = {name: person.get(name) for name in ("name", "role")}
    return kept


def _says_something(rating: Item) -> bool:
    """Not what was only offered; what cannot be read is not left out unseen."""
    score = rating.get("score")
    return not isinstance(score, str) or score.partition("_")[0] in _RATINGS


def _following(answer: httpx.Response, said: dict[str, Any]) -> dict[str, str] | None:
    """What asks for the next page: by cursor, or by number in old accounts. Its address may be of another host."""
    meta, link = said.get("meta"), said.get("next_page")
    if isinstance(meta, dict):
        if not meta.get("has_more"):
            return None
        if not isinstance(after := meta.get("after_cursor"), str):
            raise changed(answer, "promises more ratings, and does not say where")
        return {"page[after]": after}
    return dict(parse_qsl(link.partition("?")[2])) if isinstance(link, str) and link else None
