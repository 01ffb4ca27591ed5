"""The YouTube Data API as it is asked: what a request costs, what its refusals mean."""

import datetime as dt
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydantic import SecretStr

from connectors.client import changed, items_of, json_of, refused, throttled
from connectors.contract import Item
from connectors.privacy import discreet
from pipeline.errors import ChangedError, EarfulError

PAGE = 100
"""The most threads or replies of a page: https://developers.google.com/youtube/v3/docs/commentThreads/list"""
SEARCH_COST = 100
"""Units of a search; all else that is read costs one: https://developers.google.com/youtube/v3/determine_quota_cost"""
PAUSE = 0.1
"""Seconds between two requests; the quota of a day ends long before they are a burden:
https://developers.google.com/youtube/terms/developer-policies"""

_SPENT = ("quotaExceeded", "dailyLimitExceeded")
_TOO_FAST = ("rateLimitExceeded", "userRateLimitExceeded")
_BAD_KEYS = ("keyInvalid", "keyExpired", "accessNotConfigured", "ipRefererBlocked", "API_KEY_INVALID")
_OLD_TOKEN = ("invalidPageToken", "processingFailure")
_CLOSED = ("commentsDisabled", "videoNotFound")
_MIDNIGHT = dt.time(8, tzinfo=UTC)  # in California, where the quota's day begins; an hour late in summer


@dataclass
class Api:
    """The API within a budget: `left` units may still be spent."""

    http: httpx.Client
    address: str
    key: SecretStr
    left: int

    def pay(self, units: int = 1) -> bool:
        """Whether that much was left; then it is spent."""
        paid = self.left >= units
        self.left -= units if paid else 0
        return paid

    def page(self, what: str, asked: dict[str, Any], *, kept: bool = False) -> tuple[httpx.Response, dict[str, Any]]:
        """One page. Empty, without even `items`, for a video that is gone or closed to comments.

        With a page token that was `kept` since an earlier call, also where YouTube no longer knows it; it says so with
        `invalidPageToken` or, if it is merely old, `processingFailure`.
        """
        params = {**asked, "key": self.key.get_secret_value()}
        mild = {403, 404} if "videoId" in asked or "parentId" in asked else set[int]()
        more = {"pause": PAUSE, "explain": explain, "expected": mild | ({400} if kept else set())}
        answer = self.http.get(f"{self.address}/{what}", params=params, extensions=more)
        if answer.is_error:
            if answer.status_code == httpx.codes.BAD_REQUEST:
                if _reason(answer) in _OLD_TOKEN:
                    return answer, {}
                raise explain(answer) or changed(answer, "400, our request is not understood")
            if _reason(answer) in _CLOSED or (answer.status_code == httpx.codes.NOT_FOUND and "parentId" in asked):
                return answer, {}
            raise explain(answer) or refused(answer, "check the key and the videos in the settings")
        said = json_of(answer, dict)
        if not isinstance(said.get("items"), list):
            raise changed(answer, "answered no list of items")
        return answer, discreet(said)

    def replies(self, thread: str, token: str | None) -> tuple[list[Item], str | None]:
        """Replies of a thread from a page on, and the token of the page that the units did not suffice for.

        None if the thread is gone meanwhile. A token from an earlier call that is no longer known is left out.
        """
        found, kept = list[Item](), token
        asked = {"part": "snippet", "parentId": thread, "maxResults": str(PAGE)}
        while self.pay():
            told = {**asked, **({"pageToken": token} if token else {})}
            answer, said = self.page("comments", told, kept=token is not None and token == kept)
            if answer.status_code == httpx.codes.BAD_REQUEST:
                token = kept = None
                continue
            found += items_of(said.get("items", []))
            following = said.get("nextPageToken")
            if not following:
                return found, None
            if following == token:
                raise changed(answer, "names the same page twice")
            token = str(following)
        return found, token or ""

    def there(self, what: str, ids: list[str]) -> set[str]:
        """Which of these videos or comments there still are. One that is gone may hide all it was asked with."""
        more = {"pause": PAUSE, "explain": explain, "expected": {httpx.codes.NOT_FOUND}}
        asked = {"part": "id", "id": ",".join(ids), "key": self.key.get_secret_value()}
        answer = self.http.get(f"{self.address}/{what}", params=asked, extensions=more)
        if answer.is_error and _reason(answer) != "commentNotFound":
            raise refused(answer, "check the address of the API in the settings")
        if answer.is_error:
            half = len(ids) // 2
            return self.there(what, ids[:half]) | self.there(what, ids[half:]) if half else set()
        items = json_of(answer, dict).get("items")
        if not isinstance(items, list):
            raise changed(answer, "answered no list of items")
        return {str(item.get("id")) for item in items_of(items)}


def explain(answer: httpx.Response) -> EarfulError | None:
    """What the reason of a refusal means: https://developers.google.com/youtube/v3/docs/errors."""
    reason = _reason(answer)
    if reason in _SPENT:
        now = datetime.now(UTC)
        reset = datetime.combine(now.date(), _MIDNIGHT)
        wait = reset - now if reset > now else reset + timedelta(days=1) - now
        return throttled(answer, "the day's quota is used up", wait)
    if reason in _TOO_FAST or reason == "processingFailure":
        return throttled(answer, "asked too fast" if reason in _TOO_FAST else "it failed, and may not the next time")
    if reason in _BAD_KEYS:
        return refused(answer, "the key is not valid for the YouTube Data API v3; make another")
    return None


def _reason(answer: httpx.Response) -> str | None:
    """What went wrong in Google's own word. A wrong key is a mere "badRequest", so that its message is looked at."""
    try:
        error = json_of(answer, dict).get("error")
    except ChangedError:
        return None
    faults = error.get("errors") if isinstance(error, dict) else None
    if not isinstance(faults, list) or not faults or not isinstance(faults[0], dict):
        return None
    reason = str(faults[0].get("reason"))
    return "keyInvalid" if reason == "badRequest" and "API key" in str(error.get("message")) else reason
