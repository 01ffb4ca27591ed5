"""The hashtag timeline of a Mastodon instance: https://docs.joinmastodon.org/methods/timelines/#tag."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from http import HTTPStatus
from typing import Any

from desk.demo.asked import Answer, Asked, as_json
from desk.demo.story import Line

TAG = "hikeshoes"
MOST = 40
"""Posts on one page, at most; 20 if nothing is said."""

_PATH = re.compile(r"/api/v1/timelines/tag/(\w+)")
_TAGGED = re.compile(r"(?<!\w)#(\w+)")
_NAMED = re.compile(r"@(\w+)@([\w.-]+\w)")


def timeline(lines: Sequence[Line], end: datetime, asked: Asked) -> Answer:
    """Newest first. `min_id` walks forward without gaps, `since_id` gives the newest, `max_id` walks back."""
    tag = _PATH.fullmatch(asked.path)
    if tag is None:
        return as_json({"error": "Record not found"}, status=HTTPStatus.NOT_FOUND)
    query = asked.query
    limit = min(int(query.get("limit", 20)), MOST)
    newest_first = sorted(_statuses(lines, end), key=lambda status: -int(status["id"]))
    within = [
        status
        for status in newest_first
        if tag[1].lower() in {each["name"] for each in status["tags"]}
        and int(query.get("min_id", query.get("since_id", 0))) < int(status["id"])
        and int(status["id"]) < int(query.get("max_id", 2**63))
    ]
    page = within[-limit:] if "min_id" in query else within[:limit]
    return as_json(page, _headers(asked, page))


def native_id(line: Line, end: datetime) -> int:
    """As Mastodon makes them: milliseconds of its time, then 16 bits of its own."""
    return (int(line.said_at(end).timestamp() * 1000) << 16) | line.number


def _headers(asked: Asked, page: list[dict[str, Any]]) -> dict[str, str]:
    if not page:
        return {}
    kept = "&".join(f"{name}={value}" for name, value in asked.query.items() if not name.endswith("_id"))
    here = f"{asked.base}{asked.path}?{kept}{'&' if kept else ''}"
    older, newer = f"{here}max_id={page[-1]['id']}", f"{here}min_id={page[0]['id']}"
    return {"link": f'<{older}>; rel="next", <{newer}>; rel="prev"', "x-ratelimit-limit": "300"}


def _statuses(lines: Sequence[Line], end: datetime) -> list[dict[str, Any]]:
    known: dict[str | None, int] = {line.id: native_id(line, end) for line in lines if line.id}
    return [_status(line, end, known) for line in lines]


def _status(line: Line, end: datetime, known: dict[str | None, int]) -> dict[str, Any]:
    name, host = line.author.split("@")
    native, said_at = str(native_id(line, end)), line.said_at(end)
    text = line.text if f"#{TAG}" in line.text else f"{line.text} #{TAG}"
    edited_at = None if line.edited_after is None else said_at + timedelta(minutes=line.edited_after)
    home = f"https://{host}/@{name}"
    return {
        "id": native,
        "created_at": _written(said_at),
        "edited_at": edited_at and _written(edited_at),
        "in_reply_to_id": str(known[line.reply_to]) if line.reply_to else None,
        "spoiler_text": "",
        "visibility": "public",
        "language": line.language,
        "uri": f"https://{host}/users/{name}/statuses/{native}",
        "url": f"{home}/{native}",
        "content": f"<p>{_html(text)}</p>",
        "reblog": None,
        "replies_count": sum(1 for other in known if other and other == line.id),
        "reblogs_count": line.followers // 400,
        "favourites_count": line.followers // 90,
        "account": {
            "id": str(sum(map(ord, line.author))),
            "username": name,
            "acct": line.author,
            "display_name": name.replace("_", " ").title(),
            "bot": False,
            "url": home,
            "followers_count": line.followers,
        },
        "tags": [{"name": tag.lower(), "url": f"https://{host}/tags/{tag}"} for tag in _TAGGED.findall(text)],
        "mentions": [{"username": who, "acct": f"{who}@{where}"} for who, where in _NAMED.findall(text)],
        "media_attachments": [],
    }


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def _html(text: str) -> str:
    linked = _NAMED.sub(
        r'<span class="h-card"><a href="https://\2/@\1" class="u-url mention">@<span>\1</span></a></span>',
        escape(text, quote=False).replace("\n", "<br />"),
    )
    return _TAGGED.sub(r'<a href="https://\1.example" class="mention hashtag" rel="tag">#<span>\1</span></a>', linked)
