"""Patience: how long a host asks us to wait, in the words of every vendor we ask."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

LONGEST_WAIT = timedelta(days=1)
"""However long a host asks for: a quota of a day is the longest documented, and a slip of a header must not silence a
place for a year."""

_EPOCH_FROM = 1e9  # a wait of 30 years is none: from here on a number of seconds is a moment
_EPOCH_MS_FROM = 1e11  # the year 5138 in seconds, 1973 in milliseconds
_NONSENSE_FROM = 1e14  # the year 5138 in milliseconds
_LIMIT = r"(?:x-)?(?P<which>(?:rate-?|app-|user-)limit[a-z0-9-]*?)"
_RESET = re.compile(_LIMIT + r"-reset(?P<unit>-?time|-after)?")
_LEFT = re.compile(_LIMIT + r"-remaining")
_PARTS = re.compile(r"\b(remaining|resets?|r|t)\s*=\s*(\d+(?:\.\d+)?)\s*(?=[;,]|$)")
_SENTENCE = re.compile(r"(?:in|after) (\d+(?:\.\d+)?) seconds?\b")
_MINUTES = re.compile(r'"estimated_time_to_regain_access"\s*:\s*"?(\d+(?:\.\d+)?)')
_BODY = ("retry_after", "backoff")

Window = tuple[float | None, float | None]
"""One limit of a host: the requests left in it, and the seconds until there are more; None where it is not told."""


def asked_to_wait(answer: httpx.Response, *, throttled: bool = False) -> timedelta | None:
    """How long a refusal asks us to wait; None where it does not say, or says no time, or one that is over.

    `Retry-After` wins. What other headers and the body say of limits counts in a 429, or where the caller knows that
    we were `throttled`: a server that is broken sends them as well.
    """
    told = answer.headers.get("retry-after")
    if told is not None:
        return _bounded(_until(told, _now(answer)))
    if not throttled and answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
        return None
    found = [*_interval(answer), *_usage(answer), *_said(answer)]
    windows = [(left, wait) for left, wait in _windows(answer) if wait is not None]
    used_up = [wait for left, wait in windows if left is not None and left <= 0]
    found += [max(used_up)] if used_up else [min(wait for _, wait in windows)] if windows else []
    return _bounded(max(found, default=None))


def told_to_rest(answer: httpx.Response) -> timedelta | None:
    """How long a good answer says that there will be no further one: nothing remains of a limit until its reset.

    Or it asks for a pause by Stack Exchange's `backoff`.
    """
    rests = [wait for left, wait in _windows(answer) if left is not None and left <= 0 and wait]
    rests += _said(answer) if b'"backoff"' in answer.content else ()
    return _bounded(max(rests, default=None))


def _windows(answer: httpx.Response) -> Iterator[Window]:
    """Every limit the headers tell of.

    `x-ratelimit-reset` and its many spellings, each with its `-remaining`; Zendesk's `zendesk-rate-limit-tickets-index:
    total=100; remaining=99; resets=30` and the draft standard's `ratelimit: "default";r=0;t=30`.
    """
    now = _now(answer)
    left: dict[str, float | None] = {}
    resets: list[tuple[str, float | None]] = []
    for name, value in answer.headers.items():
        if match := _LEFT.fullmatch(name):
            left[match["which"].replace("-", "")] = _number(value)
        elif match := _RESET.fullmatch(name):
            wait = _number(value) if match["unit"] == "-after" else _until(value, now)
            resets.append((match["which"].replace("-", ""), wait))
        elif name == "ratelimit" or "-rate-limit-" in name:
            for policy in value.split(",") if '"' in value else [value]:
                told = {part[:3]: float(number) for part, number in _PARTS.findall(policy)}
                yield told.get("rem", told.get("r")), told.get("res", told.get("t"))
    for which, wait in resets:
        yield left.get(which), wait


def _interval(answer: httpx.Response) -> Iterator[float]:
    """HubSpot's window, in milliseconds."""
    wait = _number(answer.headers.get("x-hubspot-ratelimit-interval-milliseconds", ""))
    if wait is not None:
        yield wait / 1000


def _usage(answer: httpx.Response) -> Iterator[float]:
    """Facebook's minutes until access comes back; 0 says that it was never lost."""
    for name in ("x-business-use-case-usage", "x-app-usage"):
        for minutes in _MINUTES.findall(answer.headers.get(name, "")):
            if float(minutes):
                yield 60 * float(minutes)


def _said(answer: httpx.Response) -> Iterator[float]:
    """What a JSON body says: Discord's and Telegram's `retry_after`, Stack Exchange's `backoff` and its sentence."""
    try:
        body: Any = json.loads(answer.content)
    except (ValueError, RecursionError, httpx.ResponseNotRead):
        return
    if not isinstance(body, dict):
        return
    parameters = body.get("parameters")
    for held in (body, parameters if isinstance(parameters, dict) else {}):
        for name in _BODY:
            wait = _number(str(held.get(name)))
            if wait is not None:
                yield wait
    for sentence in _SENTENCE.findall(str(body.get("error_message"))):
        yield float(sentence)


def _until(told: str, now: float) -> float | None:
    """The seconds that "120", an epoch second or millisecond, an HTTP date or an ISO time asks for."""
    told = told.strip()
    seconds = _number(told)
    if seconds is None:
        moment = _moment(told)
        return None if moment is None else moment.timestamp() - now
    if seconds >= _EPOCH_MS_FROM:
        return seconds / 1000 - now
    return seconds - now if seconds >= _EPOCH_FROM else seconds


def _number(told: str) -> float | None:
    try:
        number = float(told)
    except ValueError:
        return None
    return number if abs(number) < _NONSENSE_FROM else None  # not a number is not less


def _moment(told: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(told)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _now(answer: httpx.Response) -> float:
    """The time by the host's own clock, by which it counts; by ours where it does not tell."""
    date = _moment(answer.headers.get("date", ""))
    return time.time() if date is None else date.timestamp()


def _bounded(seconds: float | None) -> timedelta | None:
    return timedelta(seconds=min(max(0.0, seconds or 0.0), LONGEST_WAIT.total_seconds())) or None
