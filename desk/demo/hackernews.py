"""The search of Hacker News, as https://hn.algolia.com/api documents it, over the demo's stories and comments."""

import re
from collections.abc import Sequence
from datetime import datetime
from html import escape
from http import HTTPStatus
from typing import Any

from desk.demo.asked import Answer, Asked, as_json
from desk.demo.story import Line

FIRST_ID = 990_000_000
"""Far above the real ones: a link from the demo leads to no stranger's words."""
CEILING = 1_000
ELSEWHERE = (FIRST_ID - 1, "Ask HN: What are you working on?")
"""The story under which stray comments stand."""

_SEARCHED = "title,story_text,comment_text,url"
_BOUND = re.compile(r"(created_at_i|points|num_comments)\s*(>=|<=|>|<|=)\s*(\d+)")

Hit = dict[str, Any]


def search(lines: Sequence[Line], end: datetime, asked: Asked) -> Answer:
    """Answer /search_by_date: newest first, at most 1,000 hits however they are paged."""
    query = asked.query
    bounds = [_BOUND.fullmatch(part.strip()) for part in query.get("numericFilters", "").split(",") if part.strip()]
    if None in bounds or asked.path != "/search_by_date":
        return as_json({"message": "invalid numericFilters", "status": 400}, status=HTTPStatus.BAD_REQUEST)
    size, page = min(int(query.get("hitsPerPage", 20)), CEILING), int(query.get("page", 0))
    fields = query.get("restrictSearchableAttributes", _SEARCHED + ",author").split(",")
    hits = [
        hit
        for hit in sorted(_hits(lines, end), key=lambda hit: (-hit["created_at_i"], hit["objectID"]))
        if _found(hit, query.get("query", ""), fields)
        and _tagged(hit, query.get("tags", ""))
        and all(_within(hit, *bound.groups()) for bound in bounds if bound)
    ]
    told = {"nbHits": len(hits), "page": page, "nbPages": -(-len(hits) // max(1, size)), "hitsPerPage": size}
    if page * size >= CEILING:
        message = f"you can only fetch the {CEILING} hits for this query."
        return as_json({"message": message, **told, "hits": []})
    return as_json({"hits": hits[page * size : (page + 1) * size], **told, "query": query.get("query", "")})


def _hits(lines: Sequence[Line], end: datetime) -> list[Hit]:
    stories: dict[str | None, Line] = {line.id: line for line in lines if line.story and line.id}
    return [_hit(line, stories.get(line.reply_to), end) for line in lines]


def _hit(line: Line, story: Line | None, end: datetime) -> Hit:
    said_at, native = line.said_at(end), FIRST_ID + line.number
    hit: Hit = {
        "objectID": str(native),
        "author": line.author,
        "created_at": f"{said_at:%Y-%m-%dT%H:%M:%SZ}",
        "created_at_i": int(said_at.timestamp()),
        "updated_at": f"{said_at:%Y-%m-%dT%H:%M:%SZ}",
    }
    if line.story:
        own = (
            {"title": line.title, "url": line.url}
            if line.url
            else {"title": line.title, "story_text": _html(line.text)}
        )
        return hit | own | {"points": line.points, "num_comments": 0, "_tags": _tags("story", line, native)}
    over, title = (FIRST_ID + story.number, story.title) if story else ELSEWHERE
    told = {"comment_text": _html(line.text), "story_id": over, "parent_id": over, "story_title": title}
    return hit | told | {"_tags": [*_tags("comment", line, native), f"story_{over}"]}


def _tags(kind: str, line: Line, native: int) -> list[str]:
    return [kind, f"author_{line.author}", *([f"story_{native}"] if line.story else [])]


def _html(text: str) -> str:
    """As Hacker News writes text: slashes and quotes as entities, <p> between paragraphs."""
    return "<p>".join(escape(part).replace("/", "&#x2F;") for part in text.split("\n\n"))


def _found(hit: Hit, query: str, fields: Sequence[str]) -> bool:
    """A query in quotes is a phrase; without them every word must stand in one of the fields."""
    phrases = re.findall(r'"([^"]+)"', query) or query.split()
    said = [_words(str(hit.get(field) or "")) for field in fields]
    return all(any(f" {_words(phrase)} " in f" {words} " for words in said) for phrase in phrases)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _tagged(hit: Hit, tags: str) -> bool:
    """A comma is "and"; within parentheses it is "or"."""
    groups = re.findall(r"\(([^)]*)\)|([^,()]+)", tags)
    return all(set((either or one).split(",")) & set(hit["_tags"]) for either, one in groups)


def _within(hit: Hit, field: str, sign: str, bound: str) -> bool:
    value, limit = int(hit.get(field) or 0), int(bound)
    return {">": value > limit, ">=": value >= limit, "<": value < limit, "<=": value <= limit, "=": value == limit}[
        sign
    ]
