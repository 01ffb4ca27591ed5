"""Stack Exchange: every question and answer on one of its sites that says a phrase. A key is advisable."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr

from connectors.client import Address, changed, items_of, json_of, refused, throttled
from connectors.contract import STRANGE, Item, Page, Source
from connectors.newest import Back, epoch
from connectors.paging import Found, Hidden, by_time, name_of
from connectors.privacy import discreet
from pipeline.errors import ChangedError, EarfulError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain

PAGE = 100
DEEPEST = 25
"""Pages of one search, beyond which Stack Exchange wants a key: https://api.stackexchange.com/docs/paging"""
FIRST_PAGES = 10
"""How far the very first walk goes back, if no `first_day` says it: the newest 1,000."""
OVERLAP = timedelta(days=1)
"""Read again at each call: authors edit, and the search's index lags."""
PAUSE = 0.2
"""Seconds between two requests: more than 30 a second block an address. https://api.stackexchange.com/docs/throttle"""

_TOP = {"stackoverflow": "com", "serverfault": "com", "superuser": "com", "askubuntu": "com", "stackapps": "com"}
_TOP |= {"mathoverflow": "net"}
_THROTTLED, _OUT_OF_ORDER = 502, (500, 503)


class StackExchange(Source, frozen=True):
    """Questions and answers on one site, such as Stack Overflow, that say a phrase. Quoted, they need their link."""

    label: ClassVar[str] = "Stack Exchange"
    docs: ClassVar[str] = "https://api.stackexchange.com/docs/excerpt-search"
    quiet_after: ClassVar[timedelta] = timedelta(days=30)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=7)
    aside: ClassVar[frozenset[str]] = frozenset({"key"})

    kind: Literal["stackexchange"] = "stackexchange"
    site: str = Field(
        default="stackoverflow",
        pattern=r"^[\w-]+(\.[\w-]+)*$",
        description='The site\'s name in the API, such as "stackoverflow", "gaming" or "es.stackoverflow".',
    )
    phrase: str = Field(min_length=2, max_length=200, description="Your product's name, as people write it.")
    key: SecretStr | None = Field(
        default=None, description="A key from stackapps.com: 10,000 requests a day instead of 300."
    )
    api: Address = Field(default="https://api.stackexchange.com/2.3", description="Where the API answers.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """From the newest back to the last day before `since`, the time of the newest one read before.

        An excerpt has neither author nor link nor the whole text: each page's posts are asked for by their ids as well.
        Requests are few without a key: what reads as it did at the walk before is not asked for again. The cursor holds
        the time of the newest, and marks of those that were read whole.
        """
        place: dict[str, Any] = json.loads(since) if since else {"newest": None, "read": {}}
        back = Back.to(place["newest"], self.first_day, OVERLAP)
        asker, hidden = _Asker(self, http), list[Hidden]()
        marks, seen = dict[str, str](), list[Item]()
        walk = by_time(
            lambda end, number: asker.search(back.bound, end, number),
            second=_second,
            native=_told,
            deepest=DEEPEST,
            hidden=hidden,
        )
        for page in back.read(walk, _said_at, most=FIRST_PAGES):
            seen += page.items
            new = [each for each in page.items if place["read"].get(_name(each)) != _mark(each)]
            wholes = asker.whole(new)
            marks |= {
                _name(each): _mark(each)
                for each, whole in zip(new, wholes, strict=True)
                if "whole" in whole or self._hopeless(each)
            }
            yield replace(page, items=wholes)
        end = back.end(back.gaps(hidden, "more was said in one second than Stack Exchange gives", epoch))
        if back.newest is None:
            yield end
            return
        since_then = back.newest - OVERLAP
        kept = {_name(each) for each in seen if (at := _said_at(each)) is None or at >= since_then}
        read = {native: mark for native, mark in (place["read"] | marks).items() if native in kept}
        yield replace(end, cursor=json.dumps({"newest": end.cursor, "read": read}, sort_keys=True))

    def parse(self, item: Item) -> Mention:
        """An excerpt, to which `pages` adds as `whole` the post itself where it still stands."""
        native, question = _native(item), int(item["question_id"])
        if native is None or item["item_type"] not in {"question", "answer"}:
            raise KeyError("item_type")
        answers = item["item_type"] == "answer"
        whole = item.get("whole") or {}
        owner = whole.get("owner") or {}
        edited = whole.get("last_edit_date")
        return Mention.model_validate(
            {
                "key": self._key(native),
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT if answers else MentionKind.POST,
                "title": plain(whole.get("title") or item["title"]),
                "text": plain(whole.get("body") or item.get("excerpt") or item["body"]),
                "said_at": epoch(int(item["creation_date"])),
                "edited_at": epoch(edited) if isinstance(edited, int) else None,
                "url": whole.get("link") or f"https://{self._host}/{'a' if answers else 'q'}/{native}",
                "author": plain(owner.get("display_name") or "") or None,
                "author_id": str(owner["user_id"]) if owner.get("user_id") else None,
                "thread": self._key(question),
                "parent": self._key(question) if answers else None,
                "likes": item.get("score"),
                "replies": None if answers else item.get("answer_count"),
            }
        )

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Those that Stack Exchange leaves out where it is asked for them by their ids."""
        asker, found = _Asker(self, http), set[str]()
        natives = {key.rpartition("/")[2]: key for key in keys if key.startswith(self._key(""))}
        for ids in _hundreds([native for native in natives if native.isdecimal()]):
            there = {str(post["post_id"]) for post in asker.posts("posts", ids) if "post_id" in post}
            found |= {natives[native] for native in ids if native not in there}
        return found

    def place(self, item: Item) -> str:
        """The native id."""
        return str(_native(item) or "?")[:100]

    def _hopeless(self, item: Item) -> bool:
        """Whether it is rejected whatever its post says: once is enough, or a quiet walk would bring nothing else."""
        try:
            self.parse({**item, "whole": {"title": "?", "body": "?"}})
        except STRANGE:
            return True
        return False

    def _key(self, native: object) -> str:
        return f"stackexchange:{self.site}/{native}"

    @property
    def _host(self) -> str:
        name, _, last = self.site.rpartition(".")
        if last in _TOP.values() and name:
            return self.site
        return f"{self.site}.{_TOP[last]}" if last in _TOP else f"{self.site}.stackexchange.com"


class _Asker:
    """Asks the API. Where an answer asks for a pause by `backoff`, the client leaves the host alone for so long."""

    def __init__(self, source: StackExchange, http: httpx.Client) -> None:
        self._source = source
        self._http = http

    def search(self, start: datetime | None, end: int | None, number: int) -> Found:
        """One page of the search, newest first."""
        phrase = " ".join(self._source.phrase.replace('"', " ").split())
        asked: dict[str, Any] = {"q": f'"{phrase}"', "sort": "creation", "order": "desc"}
        asked |= {"page": number, "pagesize": PAGE}
        asked |= ({} if start is None else {"fromdate": int(start.timestamp())}) | (
            {} if end is None else {"todate": end}
        )
        said = self._ask("search/excerpts", asked, set())
        return Found(items_of(discreet(said["items"])), said.get("has_more") is True)

    def whole(self, excerpts: list[Item]) -> list[Item]:
        """The excerpts, each with its post. One whose post is not given stays as it is."""
        wholes: dict[tuple[str, int], Item] = {}
        for kind in ("question", "answer"):
            natives = [str(native) for each in excerpts if each.get("item_type") == kind and (native := _native(each))]
            for ids in _hundreds(natives):
                for post in self.posts(f"{kind}s", ids, {404}):
                    with suppress(KeyError, TypeError, ValueError):
                        wholes[kind, int(post[f"{kind}_id"])] = post
        return [
            {**each, "whole": whole}
            if (whole := wholes.get((str(each.get("item_type")), _native(each) or 0)))
            else each
            for each in excerpts
        ]

    def posts(self, method: str, ids: list[str], expected: set[int] | None = None) -> list[Item]:
        """Questions, answers or posts, as far as they exist; none where a status `expected` comes instead."""
        asked = {"filter": "withbody", "pagesize": PAGE}
        return items_of(discreet(self._ask(f"{method}/{';'.join(ids)}", asked, expected or set())["items"]))

    def _ask(self, method: str, asked: dict[str, Any], expected: set[int]) -> dict[str, Any]:
        params = {**asked, "site": self._source.site}
        if self._source.key:
            params["key"] = self._source.key.get_secret_value()
        asking = {"pause": PAUSE, "explain": _explain, "expected": expected}
        answer = self._http.get(f"{self._source.api}/{method}", params=params, extensions=asking)
        if answer.status_code in expected:
            return {"items": []}
        said: dict[str, Any] = json_of(answer, dict)
        if not isinstance(said.get("items"), list):
            raise changed(answer, "answered no list of items")
        return said


def _explain(answer: httpx.Response) -> EarfulError | None:
    """Stack Exchange says everything with a 400; what it means stands in `error_id`."""
    try:
        error = json_of(answer, dict).get("error_id")
    except ChangedError:
        return None
    if error == _THROTTLED:
        return throttled(answer, "too many requests")
    if error in _OUT_OF_ORDER:
        return throttled(answer, "out of order for now")
    return refused(answer, "check `site`, `phrase` and `key`") if isinstance(error, int) else None


def _hundreds(ids: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(ids), PAGE):
        yield ids[first : first + PAGE]


def _native(item: Item) -> int | None:
    """A post's id: questions and answers of a site are numbered together."""
    native = item.get("answer_id" if item.get("item_type") == "answer" else "question_id")
    return native if isinstance(native, int) else None


def _told(item: Item) -> int | None:
    """The id of what is surely a question or an answer: else an answer might be taken for its question."""
    return _native(item) if item.get("item_type") in ("question", "answer") else None


def _name(item: Item) -> str:
    return name_of(item, _told)


def _mark(item: Item) -> str:
    """Another one after every change that an excerpt shows; an edit is one of its activities."""
    return sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()[:8]


def _second(item: Item) -> int | None:
    """When it was asked or answered, where that is a time at all."""
    second = item.get("creation_date")
    return second if type(second) is int and epoch(second) else None


def _said_at(item: Item) -> datetime | None:
    return epoch(_second(item))
