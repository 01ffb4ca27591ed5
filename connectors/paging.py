"""Five ways to turn pages: by the address the last page names, by number, by offset, by token, by time."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import httpx

from connectors.client import changed, json_of
from pipeline.errors import ChangedError

Asked = Mapping[str, Any]
"""Query parameters."""
Hidden = tuple[int | None, int]
"""A stretch in which a place has more than it gives: from a second (None: from the first on) to another, excluded."""
STALE = 3
"""Pages in a row without anything new, after which a place that promises more only repeats itself."""


def by_link(http: httpx.Client, url: httpx.URL, *, rel: str = "next", **more: Any) -> Iterator[httpx.Response]:  # noqa: ANN401 - as httpx
    """Answers along the `Link` header, to its end. Only the first address's host is asked: a key is for it alone."""
    first, asked = url, set[httpx.URL]()
    while True:
        asked.add(url)
        answer = http.get(url, **more)
        yield answer
        link = answer.links.get(rel)
        if link is None:
            return
        url = joined(answer, link["url"])
        if (url.scheme, url.netloc) != (first.scheme, first.netloc):
            raise changed(answer, f"names a page at another host, {url.host}")
        if url in asked:
            raise changed(answer, "names the same page twice")


def joined(answer: httpx.Response, link: object) -> httpx.URL:
    """The address of another page, as this one names it."""
    try:
        return answer.url.join(str(link))
    except httpx.InvalidURL:
        raise changed(answer, "names a page that is no address") from None


def by_token(
    http: httpx.Client,
    url: str,
    params: Asked,
    *,
    named: str,
    found: Callable[[dict[str, Any]], object],
    token: str | None = None,
    repeats_at_end: bool = False,
    **more: Any,  # noqa: ANN401 - as httpx
) -> Iterator[tuple[httpx.Response, dict[str, Any]]]:
    """Answers that are JSON objects, each with the token `found` in the one before, sent as the parameter `named`.

    To the first without a token. A token that comes again is the end where the place `repeats_at_end`, else an error.
    """
    seen = set[str]()
    while True:
        answer = http.get(url, params={**params, **({} if token is None else {named: token})}, **more)
        said = json_of(answer, dict)
        yield answer, said
        following = found(said)
        if following is None or following == "":
            return
        if not isinstance(following, str | int):
            raise changed(answer, f"names a next page that is no token ({type(following).__name__})")
        if str(following) in seen or str(following) == token:
            if repeats_at_end:
                return
            raise changed(answer, "names the same page twice")
        token = str(following)
        seen.add(token)


def by_number(
    http: httpx.Client,
    url: str,
    params: Asked,
    *,
    more_after: Callable[[dict[str, Any]], bool],
    named: str = "page",
    first: int = 1,
    step: int = 1,
    most: int | None = None,
    **more: Any,  # noqa: ANN401 - as httpx
) -> Iterator[tuple[httpx.Response, dict[str, Any]]]:
    """Answers that are JSON objects, numbered from `first`; `most` of them, or to one with no `more_after` it."""
    number = first
    while most is None or number < first + most * step:
        answer = http.get(url, params={**params, named: number}, **more)
        said = json_of(answer, dict)
        yield answer, said
        if not more_after(said):
            return
        number += step


def by_offset(
    http: httpx.Client,
    url: str,
    params: Asked,
    *,
    more_after: Callable[[dict[str, Any]], bool],
    step: int,
    named: str = "offset",
    **more: Any,  # noqa: ANN401 - as httpx
) -> Iterator[tuple[httpx.Response, dict[str, Any]]]:
    """As `by_number`, counted in items from 0."""
    return by_number(http, url, params, more_after=more_after, named=named, first=0, step=step, **more)


@dataclass(frozen=True, slots=True)
class Found:
    """What a place gave up to a second: `more` is older or stands on the next page.

    `floor`, where only the time from there on was asked for: everything since that second is among the items.
    """

    items: list[dict[str, Any]]
    more: bool
    floor: int | None = None


def by_time(
    ask: Callable[[int | None, int], Found],
    *,
    second: Callable[[dict[str, Any]], int | None],
    native: Callable[[dict[str, Any]], object],
    deepest: int,
    hidden: list[Hidden],
) -> Iterator[list[dict[str, Any]]]:
    """What a place gives newest first, each thing once, however much of it there is.

    `ask` gets the last second that may be given (included; None: now) and a page's number from 1. By time, not by
    number: places stop at some depth, and what is deleted between two pages moves another out of sight. Only within
    one second it goes on by number, to the `deepest`; a second in which more lies deeper is added to `hidden`.
    It goes on at the later of a page's last two readable seconds: one that is far too old passes over nothing. A place
    that only repeats itself for one second is asked for what is older; if it goes on so, all that is older is hidden.
    """
    end: int | None = None
    number, stale, given_up = 1, 0, False
    known = set[str]()
    while True:
        found = ask(end, number)
        fresh = {name: item for item in found.items if (name := name_of(item, native)) not in known}
        known |= fresh.keys()
        yield list(fresh.values())
        stale, given_up = (0, False) if fresh else (stale + 1, given_up)
        seconds = [at for item in found.items if (at := second(item)) is not None]
        oldest = max(seconds[-2:], default=end) if found.floor is None else found.floor
        if not found.more:
            return
        if oldest is None:
            raise ChangedError("nothing on the first page tells its time, so that there is no way to the next")
        if end is None or oldest < end:
            end, number = oldest, 1
        elif stale >= STALE and given_up:
            hidden.append((None, end))
            return
        elif stale < STALE and number < deepest:
            number += 1
        else:
            hidden.append((end, end + 1))
            end, number = end - 1, 1
            stale, given_up = (0, True) if stale >= STALE else (stale, given_up)


def name_of(item: dict[str, Any], native: Callable[[dict[str, Any]], object]) -> str:
    """What a thing is known by while it is read: its native id, or a mark of all it says: none hides another."""
    said = json.dumps(item, sort_keys=True, default=str)
    return str(native(item) or f"?{sha256(said.encode()).hexdigest()[:16]}")
