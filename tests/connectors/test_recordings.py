"""Real recordings, replayed through the connectors where they lie beside the checkout: what live services once said.

Their urls differ from ours in the query, so a recording answers by host and path, in its order.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.client import open_client
from connectors.contract import Source, fetch
from connectors.sources.appstore import AppStore
from connectors.sources.hackernews import HackerNews
from connectors.sources.mastodon import Mastodon
from pipeline.errors import TemporaryError
from pipeline.mention import Mention, MentionKind
from tests.connectors.replay import Replay

HTML = re.compile(r"</?(?:p|br|a|span|i|em|b|div|code|pre)\b[^>]*>|&(?:amp|lt|gt|quot|#x?[0-9a-f]+);", re.IGNORECASE)


def recording(path: Path, **replaced: str) -> list[dict[str, Any]]:
    """The exchanges of a recording, after replacing text in it (a path by the one we ask for)."""
    text = path.read_text(encoding="utf-8")
    for old, new in replaced.items():
        text = text.replace(old, new)
    exchanges: list[dict[str, Any]] = json.loads(text)["interactions"]
    return exchanges


def hear(source: Source, replay: Replay, since: str | None = None) -> tuple[list[Mention], str | None, int]:
    """What one walk brings, where it ends, and how many items were refused."""
    mentions: list[Mention] = []
    refused, cursor = 0, since
    with open_client(attempts=1, transport=replay, sleep=lambda _: None) as http:
        for batch in fetch(source, http, since):
            mentions += batch.mentions
            refused += len(batch.rejected)
            cursor = batch.cursor or cursor
    return mentions, cursor, refused


def check(mentions: list[Mention]) -> None:
    for mention in mentions:
        assert not HTML.search(f"{mention.title} {mention.text}"), mention.key
        assert mention.said_at < datetime(2027, 1, 1, tzinfo=UTC)
        assert mention.author
        assert mention.url


def test_hacker_news_brings_every_recorded_hit_once(shared: Path) -> None:
    replay = Replay(recording(shared / "fixtures/hackernews/search_by_date_3_pages.json"), in_order=True)
    source = HackerNews(name="hn", phrase="gymshark")
    mentions, cursor, refused = hear(source, replay)
    check(mentions)
    assert [mention.key for mention in mentions] == [
        f"hackernews:{native}"
        for native in (48383485, 48019900, 48018248, 47913529, 44446977, 42603967, 36722027, 24399879, 24399006)
    ]
    assert [mention.kind for mention in mentions] == [MentionKind.COMMENT] * 4 + [MentionKind.POST] * 5
    assert refused == 0
    assert cursor == "1780491936"
    assert mentions[0].said_at == datetime(2026, 6, 3, 13, 5, 36, tzinfo=UTC)
    assert mentions[1].thread == "hackernews:48007438"
    assert mentions[1].parent == "hackernews:48018248"
    assert mentions[5].likes == 2
    assert hear(source, replay, cursor) == ([], cursor, 0)
    assert replay.unused == []


def test_hacker_news_does_not_hear_of_a_user_with_a_similar_name(shared: Path) -> None:
    replay = Replay(recording(shared / "fixtures/hackernews/search_by_date_3_pages.json"), in_order=True)
    mentions, _, _ = hear(HackerNews(name="hn", phrase="romshark"), replay)
    assert mentions == []


def test_hacker_news_that_is_throttled_is_temporary(shared: Path) -> None:
    errors = recording(shared / "fixtures/hackernews/errors.json")
    throttled = [each for each in errors if each["response"]["status"] == 429]
    with pytest.raises(TemporaryError, match="429"):
        hear(HackerNews(name="hn", phrase="gymshark"), Replay(throttled, in_order=True))


def test_mastodon_brings_a_hashtag_timeline(shared: Path) -> None:
    replay = Replay(recording(shared / "fixtures/mastodon/hashtag_timeline.json"), in_order=True)
    mentions, cursor, refused = hear(Mastodon(name="m", tag="rstats", first_pages=1), replay)
    check(mentions)
    assert (len(mentions), refused) == (5, 0)
    assert cursor == "114870142396314555"
    newest = mentions[0]
    assert newest.key == "mastodon:mastodon.social/114870142396314555"
    assert newest.author == "simonpcouch@rstats.me"
    assert (newest.author_id, newest.author_reach, newest.language) == ("114377281350309692", 656, "en")
    assert newest.said_at == datetime(2025, 7, 17, 19, 7, 48, tzinfo=UTC)
    assert mentions[1].author == "useR_conf@mastodon.social"
    assert mentions[1].reposts == 6


def test_mastodon_walks_five_linked_pages_and_leaves_boosts_out(shared: Path) -> None:
    path = shared / "fixtures/mastodon/account_statuses_5_pages.json"
    own = {"/api/v1/accounts/109302436954721982/statuses": "/api/v1/timelines/tag/rstats"}
    exchanges = recording(path, **own)
    replay = Replay(exchanges, in_order=True)
    source = Mastodon(name="m", instance="https://fosstodon.org", tag="rstats", first_pages=5)
    mentions, cursor, refused = hear(source, replay)
    check([mention for mention in mentions if mention.text])
    statuses = [status for each in exchanges for status in each["response"]["json"]]
    own_words = [status for status in statuses if not status["reblog"]]
    assert len(statuses) == 40
    assert [mention.key.split("/")[1] for mention in mentions] == [status["id"] for status in own_words]
    assert refused == 0
    assert cursor == str(max(int(status["id"]) for status in statuses))
    assert replay.unused == []


def test_mastodon_reads_many_languages(shared: Path) -> None:
    own = {"/api/v1/timelines/public": "/api/v1/timelines/tag/any"}
    replay = Replay(recording(shared / "fixtures/mastodon/public_timeline.json", **own), in_order=True)
    mentions, _, refused = hear(Mastodon(name="m", instance="https://fosstodon.org", tag="any", first_pages=1), replay)
    check([mention for mention in mentions if mention.text])
    assert len(mentions) + refused <= 20
    assert refused == 0
    assert len({mention.language for mention in mentions}) > 2
    assert all(mention.language is None or len(mention.language) == 2 for mention in mentions)


def test_mastodon_reads_the_newest_server_version_on_a_host_with_a_port(shared: Path) -> None:
    exchanges = recording(shared / "fixtures/mastodon/hashtag_single.json")
    source = Mastodon(name="m", instance="http://localhost:3000", tag="hoot", first_pages=1)
    (mention,), _, _ = hear(source, Replay(exchanges, in_order=True))
    assert mention.key == "mastodon:localhost:3000/117020593741189701"
    assert mention.text == "#hoot (hashtag toot)"


def apple(path: Path, countries: tuple[str, ...], app: str, pages: int = 10) -> Replay:
    """The recording, which knows one form of the address, with empty feeds where the other is asked."""
    exchanges = recording(path)
    known = [each for each in exchanges if each["response"]["status"] == 200]
    asked = {each["request"]["url"] for each in known}
    root = "https://itunes.apple.com"
    for country in countries:
        for page in range(1, pages + 1):
            for form in (f"page={page}/id={app}/sortBy=mostRecent", f"id={app}/sortBy=mostRecent/page={page}"):
                url = f"{root}/{country}/rss/customerreviews/{form}/json"
                if url not in asked:
                    empty = {"status": 200, "headers": {}, "json": {"feed": {}}}
                    known.append({"request": {"method": "GET", "url": url}, "response": empty})
    return Replay(known)


def test_the_app_store_brings_three_pages_and_a_single_review(shared: Path) -> None:
    path = shared / "fixtures/appstore_rss/reviews_3_pages_newer_shape.json"
    source = AppStore(name="a", app_id="1404176564", countries=("jp", "is"))
    replay = apple(path, ("jp", "is"), "1404176564")
    mentions, cursor, refused = hear(source, replay)
    check(mentions)
    japan = [mention for mention in mentions if mention.country == "JP"]
    assert (len(japan), len(mentions), refused) == (50, 51, 0)
    assert {mention.kind for mention in mentions} == {MentionKind.REVIEW}
    assert all(1 <= (mention.rating or 0) <= 5 and mention.rating_max == 5 for mention in mentions)
    assert len({mention.key for mention in japan}) == 50
    first = japan[0]
    assert (first.key, first.rating, first.product_version) == ("appstore:6290024630", 4, "3.4.3")
    assert first.said_at == datetime(2020, 8, 8, 2, 17, 3, tzinfo=UTC)
    assert first.author_id == "638572168"
    before = len(replay.asked)
    _, again, _ = hear(source, replay, cursor)
    assert again == cursor
    assert len(replay.asked) - before == 4, "one page each, in both forms of the address"


def test_the_old_app_store_answer_without_times_is_dated_when_heard(shared: Path) -> None:
    replay = apple(shared / "fixtures/appstore_rss/reviews_ja_page1.json", ("jp",), "1404176564")
    mentions, _, refused = hear(AppStore(name="a", app_id="1404176564", countries=("jp",)), replay)
    check(mentions)
    assert (len(mentions), refused) == (50, 0)
    assert {mention.rating for mention in mentions} <= {1, 2, 3, 4, 5}


def test_the_app_store_of_2026(shared: Path) -> None:
    exchanges = recording(
        shared / "fixtures/appstore_rss/reviews_in_2026_shape.json",
        **{"sortBy=mostRecent/json": "sortBy=mostRecent/page=1/json"},
    )
    assert len(exchanges) == 1
    url = "https://itunes.apple.com/in/rss/customerreviews/page=1/id=1592550875/sortBy=mostRecent/json"
    exchanges[0]["request"]["url"] = url
    for page in ("page=2/id=1592550875/sortBy=mostRecent", "id=1592550875/sortBy=mostRecent/page=2"):
        end = url.replace("page=1/id=1592550875/sortBy=mostRecent", page)
        exchanges.append({"request": {"method": "GET", "url": end}, "response": {"json": {"feed": {}}}})
    replay = Replay(exchanges)
    mentions, _, _ = hear(AppStore(name="a", app_id="1592550875", countries=("IN",)), replay)
    check(mentions)
    assert (mentions[0].country, mentions[0].rating) == ("IN", 5)
    assert mentions[0].said_at == datetime(2026, 9, 14, 11, 24, 23, tzinfo=UTC)
    assert len(mentions) == 2
