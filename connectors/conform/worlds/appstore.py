"""App Store: Apple's public feed of one app's reviews in one country, 10 pages of 50, newest first."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

APP = "990011"
PAGE, DEEPEST = 50, 10
_PATH = re.compile(rf"/us/rss/customerreviews/page=(\d+)/id={APP}/sortBy=mostRecent/json")


class AppStoreWorld(World):
    """Reviews that move to the front when they are edited. It answers one of the two forms of the address."""

    kind: ClassVar[str] = "appstore"
    page: ClassVar[int] = PAGE
    cap: ClassVar[int | None] = PAGE * DEEPEST
    late: ClassVar[timedelta] = timedelta(minutes=10)
    edits: ClassVar[timedelta | None] = timedelta(days=30)
    skips: ClassVar[frozenset[str]] = frozenset({"im:rating"})

    def settings(self, address: str) -> dict[str, Any]:
        """One app in one country."""
        return {"kind": "appstore", "app_id": APP, "countries": ["us"], "api": address}

    def truth(self, said: Said) -> dict[str, Any]:
        """The stars, and who gave them."""
        rating = {"rating": 1 + said.number % 5, "rating_min": 1, "rating_max": 5}
        return {
            "kind": "review",
            "author": f"walker{said.number}",
            **rating,
            "product_version": "3.4.3",
            "country": "US",
        }

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A page: a list, one object where there is one review, no `entry` where there is none."""
        del now
        found = _PATH.fullmatch(request.url.path)
        number = int(found.group(1)) if found else 0
        if number > DEEPEST:
            return httpx.Response(400, text="CustomerReviews RSS page depth is limited to 10")
        living = sorted((each for each in said if not each.deleted), key=_order, reverse=True)
        shown = [_entry(each) for each in living[(number - 1) * PAGE : number * PAGE]] if found else []
        feed: dict[str, Any] = {"author": {"name": {"label": "iTunes Store"}}, "id": {"label": str(request.url)}}
        if shown:
            feed["entry"] = shown if len(shown) > 1 else shown[0]
        return httpx.Response(200, json={"feed": feed})


def _order(said: Said) -> tuple[datetime, int]:
    return said.edited_at or said.at, said.number


def _entry(said: Said) -> dict[str, Any]:
    here = f"https://itunes.apple.com/us/review?id={APP}&type=Purple%20Software"
    return {
        "author": {
            "uri": {"label": f"https://itunes.apple.com/us/reviews/id{said.number}"},
            "name": {"label": f"walker{said.number}"},
            "label": "",
        },
        "updated": {"label": (said.edited_at or said.at).isoformat()},
        "im:rating": {"label": str(1 + said.number % 5)},
        "im:version": {"label": "3.4.3"},
        "id": {"label": str(6_290_000_000 + said.number)},
        "title": {"label": f"Title {said.number}"},
        "content": {"label": said.text, "attributes": {"type": "text"}},
        "link": {"attributes": {"rel": "related", "href": here}},
        "im:voteSum": {"label": "0"},
        "im:contentType": {"attributes": {"term": "Application", "label": "Application"}},
        "im:voteCount": {"label": "0"},
    }
