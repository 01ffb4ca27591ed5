"""Refusals: what GitHub means by its statuses."""

from datetime import timedelta
from typing import Any

import httpx

from connectors.client import changed, json_of, refused, throttled
from pipeline.errors import EarfulError

SECONDARY = timedelta(minutes=1)
"""What GitHub asks for after a secondary limit that names no time."""

MOVED = (301, 302, 307)
GONE = (404, 410)


def asking(pause: float, expected: set[int]) -> dict[str, Any]:
    """What a request says of itself: its pause, the statuses that are answers, and how others are read."""
    return {"pause": pause, "expected": expected, "explain": explain}


def explain(answer: httpx.Response) -> EarfulError | None:
    """A 403 may mean "later" as well, and a 422 that the search itself cannot be answered."""
    if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY and answer.request.url.path.endswith("/search/issues"):
        why = "GitHub does not understand the search; check `phrase`, and that all named in `within` exist for you"
        return refused(answer, why)
    if answer.status_code not in {httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS}:
        return None
    if "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0":
        return throttled(answer, "too many requests")
    return throttled(answer, "too many requests", SECONDARY) if b"secondary rate limit" in answer.content else None


def explain_reply(answer: httpx.Response) -> EarfulError | None:
    """As `explain`, where a comment is posted."""
    if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
        return refused(answer, "GitHub does not take this comment; look whether the issue is locked")
    return explain(answer)


def is_gone(answer: httpx.Response) -> bool:
    """Whether GitHub says so itself, in its own words: a proxy's page is no such word."""
    if answer.status_code not in GONE:
        return False
    if not isinstance(json_of(answer, dict).get("message"), str):
        raise changed(answer, "answered that nothing is there, and not in GitHub's words")
    return True
