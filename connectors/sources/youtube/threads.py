"""Threads of YouTube: what one holds, and all its replies."""

from datetime import UTC, datetime
from typing import Any

from connectors.client import items_of
from connectors.contract import Item
from connectors.sources.youtube.api import Api


def with_replies(api: Api, threads: list[Item], at: dict[str, Any]) -> tuple[list[Item], bool]:
    """The comments of a page with all their replies, and whether the units sufficed.

    A thread shows five replies at most; the others are asked for if their number has changed and once a day, for one
    may be edited, or deleted while another comes (`counts`). Where the units end within a thread, the next call goes on
    there (`within`).
    """
    items, counts, today = list[Item](), at.setdefault("counts", {}), f"{datetime.now(UTC):%Y-%m-%d}"
    within: dict[str, str] = at.setdefault("within", {})
    for thread in threads:
        top, replies, about, total = opened(thread)
        items.append(top)
        native, left = str(thread.get("id")), None
        if total > len(replies) and counts.get(native) != [total, today]:
            found, left = api.replies(native, within.pop(native, None))
            replies = found or replies
            if left is None:
                counts[native] = [total, today]
            elif left:
                within[native] = left
        items += [with_place(reply, about) for reply in replies]
        if left is not None:
            return items, False
    return items, True


def opened(thread: Item) -> tuple[Item, list[Item], Item, int]:
    """A thread's own comment, the replies it shows, where it stands, and how many replies it has."""
    snippet, beside = snippet_of(thread), thread.get("replies")
    shown = beside.get("comments") if isinstance(beside, dict) else None
    replies = items_of(shown if isinstance(shown, list) else [])
    about = {name: snippet.get(name) for name in ("videoId", "channelId")}
    total, top = snippet.get("totalReplyCount"), snippet.get("topLevelComment")
    total = total if type(total) is int else None
    top = top if isinstance(top, dict) else {"id": thread.get("id"), "strange": thread}
    return {**with_place(top, about), "total": total}, replies, about, total or 0


def with_place(comment: Item, about: Item) -> Item:
    """A comment with the video and channel it stands at."""
    return {**comment, "about": about} if isinstance(comment.get("snippet"), dict) else comment


def snippet_of(item: Item) -> Item:
    """What an item says; nothing where it is strange."""
    said = item.get("snippet")
    return said if isinstance(said, dict) else {}
