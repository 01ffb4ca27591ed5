"""What Facebook and Instagram have in common: Meta's Graph interface, its pages, its limits and how it says no."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import httpx
from pydantic import SecretStr

from connectors.client import changed, items_of, json_of, refused, throttled
from connectors.contract import Item
from connectors.newest import Back
from connectors.privacy import discreet
from pipeline.coverage import Gap
from pipeline.errors import EarfulError, RefusedError

API = "https://graph.facebook.com/v21.0"
PAUSE = 0.2
"""Seconds between two requests; the limits go by how many people use an app or see a page:
https://developers.facebook.com/docs/graph-api/overview/rate-limiting"""
NOT_THERE = (100, 33)
"""Code and subcode for what was deleted, or is not to be seen by this token."""

PROBES = 5
"""Posts looked at for a comment that is surely there."""

_THROTTLED = {4, 17, 32, 341, 613, *range(80_000, 80_015)}
_PASSING = {1, 2}
_NOTHING = "nothing is there, or this token may not see it; check the id and the token's permissions"
_REFUSED: tuple[tuple[set[int], str], ...] = (
    ({102, 190}, "the token ran out or was withdrawn; make a new one"),
    ({3, 10, 368, *range(200, 300)}, "the token has no right to this; ask Meta for the permission it needs"),
    ({12, 2635}, "this version of the Graph no longer has it; see `api` in the settings, or turn it off there"),
    ({24, 100, 803}, _NOTHING),
)
"""Codes that call for the operator: https://developers.facebook.com/docs/graph-api/guides/error-handling"""


class NotThereError(RefusedError):
    """One object of the Graph was deleted, or is not to be seen by this token: Meta does not tell which."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The Graph with one token. It goes in a header: addresses get into logs, and so does what is in them."""

    http: httpx.Client
    api: str
    token: SecretStr
    app_secret: SecretStr | None = None

    def get(self, path: str, params: dict[str, Any]) -> tuple[httpx.Response, Item]:
        """One object of the Graph, or one page of a list."""
        answer = self.http.get(
            f"{self.api}/{path}", params=params | self._proof, headers=self._headers, extensions=_ASKED
        )
        return answer, json_of(answer, dict)

    def lists(self, path: str, params: dict[str, Any], *, repeats: bool = False) -> Iterator[list[Item]]:
        """A list's pages, while one names a next. Its address is not followed: it may hold the token.

        `repeats`: this list names every page the same, and ends at the one that brings nothing new.
        """
        known, seen, after = set[str](), set[str](), dict[str, str]()
        while True:
            answer, said = self.get(path, params | after)
            if not isinstance(said.get("data"), list):
                raise changed(answer, "answered no list")
            items = [discreet(item) for item in items_of(said["data"])]
            yield items
            fresh = {str(item.get("id")) for item in items} - known
            following = next_page(said)
            if following is None or (repeats and not fresh):
                return
            if following in seen and not repeats:
                raise changed(answer, "names the same page twice")
            known |= fresh
            seen.add(following)
            after = {"after": following}

    def write(self, path: str, text: str) -> str:
        """Say something below an object; the id of what was said."""
        url = f"{self.api}/{path}"
        told = {"message": text} | self._proof
        answer = self.http.post(url, data=told, headers=self._headers, extensions=_ASKED)
        return str(json_of(answer, dict).get("id") or path)

    def missing(self, natives: Iterable[str], commented: Iterator[str]) -> set[str]:
        """Which of these objects the Graph does not know, while it shows a comment below one of the posts `commented`.

        A token that may no longer read comments finds none of them either, though it still sees the posts.
        """
        lost = set()
        for native in natives:
            try:
                self.get(native, {"fields": "id"})
            except NotThereError:
                lost.add(native)
        return lost if lost and any(self._shows_comments(post) for post in islice(commented, PROBES)) else set()

    def _shows_comments(self, post: str) -> bool:
        return any(next(self.lists(f"{post}/comments", {"fields": "id", "limit": 1})))

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token.get_secret_value()}"}

    @property
    def _proof(self) -> dict[str, str]:
        """What an app sends that is set to "require app secret": https://developers.facebook.com/docs/graph-api/guides/secure-requests."""
        if self.app_secret is None:
            return {}
        key, said = (each.get_secret_value().encode() for each in (self.app_secret, self.token))
        return {"appsecret_proof": hmac.new(key, said, hashlib.sha256).hexdigest()}


def unread(back: Back, posts: int, *, cut: bool, asked: int, lost: Sequence[NotThereError]) -> list[Gap]:
    """What was not read of the comments below the newest `posts`: nobody knows when those below others were written.

    Of those `asked` for their comments some may be `lost`. Where all are, it is the token that lost its rights.
    """
    if len(lost) == asked > 1:
        raise lost[0]
    whys = [f"only the newest {posts} posts are looked at for comments; see `posts`"] if cut else []
    whys += [f"the comments below some posts ({len(lost)}) could not be seen"] if lost else []
    now = datetime.now(UTC)
    end = max(now, back.newest or now) + timedelta(seconds=1)
    return [Gap(back.reach, end, "; ".join(whys))] if whys else []


def next_page(said: Item) -> str | None:
    """The cursor of the next page, if there is one: a last page has a cursor too, but names no next."""
    paging = said.get("paging")
    cursors = paging.get("cursors") if isinstance(paging, dict) else None
    after = cursors.get("after") if isinstance(cursors, dict) else None
    return str(after) if isinstance(paging, dict) and paging.get("next") and after else None


def explain(answer: httpx.Response) -> EarfulError | None:
    """A refusal as Meta words it: nearly always status 400, and a code that says whose turn it is."""
    code, subcode, transient = _error(answer)
    if code is None:
        return None
    if (code, subcode) == NOT_THERE:
        return NotThereError(str(refused(answer, f"{_NOTHING} (code 100, {subcode})")))
    if code in _THROTTLED:
        return throttled(answer, f"Meta's limit is reached (code {code})", _wait(answer))
    if transient or code in _PASSING:
        return throttled(answer, f"Meta has a passing trouble (code {code})")
    why = next((why for codes, why in _REFUSED if code in codes), None)
    return None if why is None else refused(answer, f"{why} (code {code})")


def _error(answer: httpx.Response) -> tuple[int | None, int | None, bool]:
    """Code, subcode and whether it will pass by itself."""
    try:
        error = json.loads(answer.content)["error"]
        code, subcode = error["code"], error.get("error_subcode")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None, None, False
    whole = [int(each) if str(each).isdecimal() else None for each in (code, subcode)]
    return whole[0], whole[1], error.get("is_transient") is True


def _wait(answer: httpx.Response) -> timedelta | None:
    """The minutes after which Meta lets us in again, of all that it tells the longest."""
    try:
        told = json.loads(answer.headers.get("x-business-use-case-usage", ""))
        minutes = [float(each["estimated_time_to_regain_access"]) for uses in told.values() for each in uses]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    longest = max(minutes, default=0.0)
    return timedelta(minutes=min(longest, 24 * 60)) if longest > 0 else None


_ASKED: dict[str, Any] = {"pause": PAUSE, "explain": explain}
