"""Steam: every review of one game or program, and the developer's answers. No key needed."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field

from connectors.client import Address, changed, items_of, refused
from connectors.contract import Item, Page, Source
from connectors.newest import Back, epoch
from connectors.paging import by_token
from connectors.privacy import discreet
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

PAGE = 100
FIRST_PAGES = 50
"""How far the very first walk goes back, if no `first_day` says it: the 5,000 reviews that changed last."""
OVERLAP = timedelta(days=7)
"""Read again at each call: a developer's answer does not count as a change of the review."""
PAUSE = 1.0
"""Seconds between two requests: the limit is not documented. https://steamcommunity.com/dev/apiterms"""
ALL = {
    "json": 1,
    "filter": "updated",
    "language": "all",
    "review_type": "all",
    "purchase_type": "all",
    "filter_offtopic_activity": 0,
    "num_per_page": PAGE,
}
"""Steam's own defaults hide reviews: of keys bought elsewhere, and what it takes for a campaign."""
LANGUAGES = {
    "arabic": "ar", "bulgarian": "bg", "schinese": "zh", "tchinese": "zh", "czech": "cs", "danish": "da",
    "dutch": "nl", "english": "en", "finnish": "fi", "french": "fr", "german": "de", "greek": "el",
    "hungarian": "hu", "indonesian": "id", "italian": "it", "japanese": "ja", "koreana": "ko", "korean": "ko",
    "malay": "ms", "norwegian": "no", "polish": "pl", "portuguese": "pt", "brazilian": "pt", "romanian": "ro",
    "russian": "ru", "spanish": "es", "latam": "es", "swedish": "sv", "thai": "th", "turkish": "tr",
    "ukrainian": "uk", "vietnamese": "vi",
}  # fmt: skip
"""Steam's names: https://partner.steamgames.com/doc/store/localization/languages"""

_DONE, _NO_SUCH_APP = 1, 2
_BLOCK = re.compile(r"\[/?(?:h[1-6]|p|list|olist|table|tr|quote(?:=[^\]]*)?|code|hr)\]|\[\*\]|\[/\*\]", re.IGNORECASE)
_INLINE = re.compile(
    r"\[/?(?:b|i|u|s|strike|spoiler|noparse|th|td|img|url(?:=[^\]]*)?|dynamiclink[^\]]*|previewyoutube[^\]]*)\]",
    re.IGNORECASE,
)


class Steam(Source, frozen=True):
    """Reviews of one app on Steam, in all languages and wherever it was bought, with its developer's answers."""

    label: ClassVar[str] = "Steam"
    docs: ClassVar[str] = "https://partner.steamgames.com/doc/store/getreviews"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)

    kind: Literal["steam"] = "steam"
    app_id: str = Field(pattern=r"^\d{1,10}$", description="The number in the app's address in the store.")
    api: Address = Field(default="https://store.steampowered.com", description="Where the reviews are asked for.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """From what changed last back to the last days before `since`, the time of the newest change read before.

        The end is an empty page or a cursor that comes again; a short page is none.
        """
        back = Back.to(since, self.first_day, OVERLAP)
        yield from back.read(self._reviews(http), _changed_at, most=FIRST_PAGES)
        yield back.end()

    def parse(self, item: Item) -> Mention:
        """A review. Thumb up is 1, thumb down is 0."""
        created, updated = item["timestamp_created"], _second(item, "timestamp_updated")
        if not isinstance(item["voted_up"], bool):
            raise TypeError("voted_up")
        return Mention.model_validate(
            {
                **self._of(item),
                "key": self._key(item),
                "kind": MentionKind.REVIEW,
                "text": _plain(item["review"]),
                "said_at": epoch(int(created)),
                "edited_at": epoch(updated) if updated and updated > int(created) else None,
                "author": item["author"].get("personaname") or item["author"]["steamid"],
                "author_id": item["author"]["steamid"],
                "language": LANGUAGES.get(str(item.get("language")).lower()),
                "rating": float(item["voted_up"]),
                "rating_min": 0.0,
                "rating_max": 1.0,
                "likes": item.get("votes_up"),
                "replies": item.get("comment_count"),
            }
        )

    def answer(self, item: Item) -> Mention | None:
        """The developer's answer. Old ones have no time: they were given after the review, and that is all we know."""
        said = item.get("developer_response")
        if not said:
            return None
        given = _second(item, "timestamp_dev_responded") or _second(item, "timestamp_updated")
        return Mention.model_validate(
            {
                **self._of(item),
                "key": f"{self._key(item)}/reply",
                "kind": MentionKind.COMMENT,
                "text": _plain(said),
                "said_at": epoch(given or int(item["timestamp_created"])),
                "parent": self._key(item),
                "by_brand": True,
            }
        )

    def place(self, item: Item) -> str:
        """The native id."""
        return str(item.get("recommendationid") or "?")[:100]

    def _of(self, item: Item) -> dict[str, Any]:
        """What a review and its answer share."""
        profile = item["author"]["steamid"]
        return {
            "source": self.name,
            "brand": self.brand,
            "product": self.app_id,
            "thread": self._key(item),
            "url": f"https://steamcommunity.com/profiles/{profile}/recommended/{self.app_id}",
        }

    def _key(self, item: Item) -> str:
        return f"steam:{int(item['recommendationid'])}"

    def _reviews(self, http: httpx.Client) -> Iterator[list[Item]]:
        walk = by_token(
            http,
            f"{self.api}/appreviews/{self.app_id}",
            ALL,
            named="cursor",
            found=lambda said: said.get("cursor") if said.get("reviews") else None,
            token="*",  # noqa: S106 - Steam's word for the first page
            repeats_at_end=True,
            extensions={"pause": PAUSE},
        )
        for answer, said in walk:
            if said.get("success") == _NO_SUCH_APP:
                raise refused(answer, "Steam knows no such app; check `app_id`")
            if said.get("success") != _DONE or not isinstance(said.get("reviews"), list):
                raise changed(answer, "answered no list of reviews")
            yield items_of(discreet(said["reviews"]))


def _plain(bbcode: str) -> str:
    """What a reader sees: Steam's own tags gone, blocks and list entries on lines of their own."""
    shown = _INLINE.sub("", _BLOCK.sub("\n", bbcode))
    return tidy(unescape(shown))


def _second(item: Item, field: str) -> int | None:
    told = item.get(field)
    return int(told) if isinstance(told, int | str) and str(told).isdecimal() else None


def _changed_at(item: Item) -> datetime | None:
    return epoch(_second(item, "timestamp_updated"))
