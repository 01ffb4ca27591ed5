"""GitHub: its search of issues, which never gives more than 1,000, the comments of one, and each by itself."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

CEILING = 1_000
REPO = "hike/app"
THREAD = 1
"""The number of an issue that says nothing itself; every third thing is said in a comment on it."""
_GONE = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}


class GitHubWorld(World):
    """Issues by their last change, newest first; comments by their ids, oldest first."""

    kind: ClassVar[str] = "github"
    page: ClassVar[int] = 100
    cap: ClassVar[int | None] = CEILING
    late: ClassVar[timedelta] = timedelta(minutes=50)
    edits: ClassVar[timedelta | None] = timedelta(minutes=50)
    deletes: ClassVar[bool] = True
    skips: ClassVar[frozenset[str]] = frozenset({"body"})

    def settings(self, address: str) -> dict[str, Any]:
        """With a token: without one GitHub bears too few requests for a trial."""
        return {"kind": "github", "phrase": "Hike", "token": "github_pat_hike", "api": address}

    def truth(self, said: Said) -> dict[str, Any]:
        """An issue, or a comment on the only one that has some."""
        about = {"author": f"walker{said.number}", "author_id": str(said.number)}
        if _is_comment(said):
            return {**about, "kind": "comment", "parent": f"#{THREAD}", "url": _comment(said)["html_url"]}
        return {**about, "kind": "post", "parent": None, "title": "About a shoe", "url": _issue(said)["html_url"]}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A page of the search or of comments, an issue, or a comment."""
        del now
        path = request.url.path
        there = [each for each in said if not each.deleted]
        if path == "/search/issues":
            return _search(request, there)
        if path == f"/repos/{REPO}/issues/{THREAD}/comments":
            since = _moment(request.url.params.get("since", "2008-01-01T00:00:00Z"))
            comments = [each for each in there if _is_comment(each) and _changed(each) >= since]
            return _page(request, comments, _comment, lambda shown, _: shown)
        if path.endswith("/comments") and any(path.endswith(f"/{THREAD + each.number}/comments") for each in there):
            return httpx.Response(200, json=[])
        found = re.fullmatch(rf"/repos/{REPO}/issues/(comments/)?(\d+)", path)
        for each in there:
            if found and int(found[2]) == THREAD + each.number and bool(found[1]) == _is_comment(each):
                return httpx.Response(200, json=_comment(each) if _is_comment(each) else _issue(each))
        if found and int(found[2]) == THREAD and not found[1]:
            return httpx.Response(200, json=_thread(there))
        return httpx.Response(404, json=_GONE)


def _search(request: httpx.Request, there: list[Said]) -> httpx.Response:
    asked = request.url.params
    bounds = re.search(r"updated:(>=|<=)?([^.\s]+)(?:\.\.(\S+))?", asked["q"])
    low, high = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    if bounds:
        low = low if bounds[1] == "<=" else _moment(bounds[2])
        high = _moment(bounds[2]) if bounds[1] == "<=" else _moment(bounds[3]) if bounds[3] else high
    if int(asked.get("page", 1)) * int(asked.get("per_page", 30)) > CEILING:
        return httpx.Response(422, json={"message": "Only the first 1000 search results are available"})
    within = re.search(r"in:(\S+)", asked["q"])
    fields = within[1].split(",") if within else ["title", "body", "comments"]
    issues = [(_changed(each), _issue(each)) for each in there if not _is_comment(each) and "body" in fields]
    comments = [each for each in there if _is_comment(each)]
    if comments and "comments" in fields:
        issues.append((max(map(_changed, comments)), _thread(there)))
    fitting = sorted((one for one in issues if low <= one[0] <= high), key=lambda one: one[0], reverse=True)
    return _page(
        request,
        fitting[:CEILING],
        lambda one: one[1],
        lambda shown, count: {"total_count": count, "incomplete_results": False, "items": shown},
    )


def _page(
    request: httpx.Request, found: list[Any], told: Callable[[Any], Any], around: Callable[[list[Any], int], Any]
) -> httpx.Response:
    asked = request.url.params
    many, number = int(asked.get("per_page", 30)), int(asked.get("page", 1))
    shown = [told(each) for each in found[(number - 1) * many : number * many]]
    following = request.url.copy_set_param("page", number + 1)
    headers = {"link": f'<{following}>; rel="next"'} if len(found) > number * many else {}
    return httpx.Response(200, json=around(shown, len(found)), headers=headers)


def _is_comment(said: Said) -> bool:
    return said.number % 3 == 0


def _issue(said: Said) -> dict[str, Any]:
    number = THREAD + said.number
    return {
        "url": f"https://api.github.com/repos/{REPO}/issues/{number}",
        "html_url": f"https://github.com/{REPO}/issues/{number}",
        "id": 70_000 + number,
        "number": number,
        "title": "About a shoe",
        "user": {"login": f"walker{said.number}", "id": said.number, "avatar_url": "https://example.org/w.png"},
        "state": "open",
        "comments": 0,
        "created_at": _told(said.at),
        "updated_at": _told(_changed(said)),
        "body": said.text,
        "reactions": {"total_count": 1, "+1": 1},
    }


def _thread(there: list[Said]) -> dict[str, Any]:
    comments = [each for each in there if _is_comment(each)]
    issue = _issue(Said(0, datetime(2026, 1, 1, tzinfo=UTC), "What do you wear?"))
    changed = max(map(_changed, comments), default=datetime(2026, 1, 1, tzinfo=UTC))
    return {**issue, "comments": len(comments), "updated_at": _told(changed)}


def _comment(said: Said) -> dict[str, Any]:
    return {
        "id": THREAD + said.number,
        "issue_url": f"https://api.github.com/repos/{REPO}/issues/{THREAD}",
        "html_url": f"https://github.com/{REPO}/issues/{THREAD}#issuecomment-{THREAD + said.number}",
        "user": {"login": f"walker{said.number}", "id": said.number},
        "created_at": _told(said.at),
        "updated_at": _told(_changed(said)),
        "body": said.text,
    }


def _changed(said: Said) -> datetime:
    return said.edited_at or said.at


def _moment(told: str) -> datetime:
    return datetime.fromisoformat(told)


def _told(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
