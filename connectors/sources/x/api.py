"""What the X API says: its posts with what belongs to them, its problems, and how it counts characters."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from connectors.client import changed, items_of, json_of, refused
from connectors.contract import Item
from pipeline.errors import ChangedError, EarfulError

_LINK = re.compile(r"https?://\S+")
_JOINED = re.compile("([\U0001f1e6-\U0001f1ff])[\U0001f1e6-\U0001f1ff]|\u200d.|[\ufe0f\U0001f3fb-\U0001f3ff]")
"""What makes one emoji of several: two letters a flag, a joiner, another look or skin."""
_LIGHT = (range(0x1100), range(0x2000, 0x200E), range(0x2010, 0x2020), range(0x2032, 0x2038))


def posts_of(answer: httpx.Response, said: dict[str, Any]) -> list[Item]:
    """The posts, each with its author (`user`) and, passed on, the one it was (`original`).

    `firsts` has the first versions of those it names, where X tells that they were edited.
    """
    posts, meta, beside = said.get("data", []), said.get("meta"), said.get("includes") or {}
    if not isinstance(posts, list) or not isinstance(meta, dict) or not isinstance(beside, dict):
        raise changed(answer, "answered no list of posts")
    users = {str(user.get("id")): user for user in items_of(beside.get("users") or [])}
    others = {str(post.get("id")): post for post in items_of(beside.get("tweets") or [])}
    firsts = {version: first for post in [*items_of(posts), *others.values()] for version, first in _edited(post)}
    return [_joined(post, users, others, firsts) for post in items_of(posts)]


def _edited(post: Item) -> Iterator[tuple[str, str]]:
    told = post.get("edit_history_tweet_ids")
    history = told if isinstance(told, list) else []
    for version in history[1:]:
        yield str(version), str(history[0])


def _joined(post: Item, users: dict[str, Item], others: dict[str, Item], firsts: dict[str, str]) -> Item:
    about = post.get("referenced_tweets")
    passed = [str(each.get("id")) for each in items_of(about if isinstance(about, list) else [])]
    user, original = users.get(str(post.get("author_id"))), next((others[id_] for id_ in passed if id_ in others), None)
    edited = {id_: firsts[id_] for id_ in (*passed, str(post.get("conversation_id"))) if id_ in firsts}
    return {
        **post,
        **({"user": {name: user.get(name) for name in ("username", "public_metrics")}} if user else {}),
        **({"original": {name: original.get(name) for name in ("text", "note_tweet")}} if original else {}),
        **({"firsts": edited} if edited else {}),
    }


def explain(answer: httpx.Response) -> EarfulError | None:
    """What a problem means: https://docs.x.com/x-api/fundamentals/response-codes-and-errors."""
    said = problem(answer)
    kind = str(said.get("type")).rpartition("/")[2]
    if kind == "usage-capped" or answer.status_code == httpx.codes.PAYMENT_REQUIRED:
        return refused(answer, "what was paid for is used up; buy more at X, or wait for the next month")
    if kind == "client-forbidden":
        return refused(answer, "the app of this token may not search; put it into a project of X's that may")
    if "query" in named(said):
        return refused(answer, "X does not understand the query; try it in X's own search")
    return None


def named(problem: Item) -> set[str]:
    """The parameters that a problem is about."""
    faults = [each.get("parameters") for each in items_of(problem.get("errors") or [])]
    return {str(name) for fault in faults if isinstance(fault, dict) for name in fault}


def problem(answer: httpx.Response) -> Item:
    """What X says went wrong, in its own form; nothing where it does not."""
    try:
        said: Item = json_of(answer, dict)
    except ChangedError:
        return {}
    return said if isinstance(said.get("errors", []), list) else {}


def answered_at(answer: httpx.Response) -> datetime | None:
    """When X answered, by its own clock; None where it does not tell."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def weight(text: str) -> int:
    """How long X thinks a text is: what is not Latin and alike, and each emoji, counts double, and any link 23.

    https://docs.x.com/fundamentals/counting-characters
    """
    said = _LINK.sub("x" * 23, _JOINED.sub(r"\1", unicodedata.normalize("NFC", text)))
    return sum(1 if any(ord(each) in light for light in _LIGHT) else 2 for each in said)
