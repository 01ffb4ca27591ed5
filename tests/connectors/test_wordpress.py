"""WordPress.org: ratings and replies as lines of a review, pages to the last, and one that is away for a moment."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path

import httpx
import pytest

from connectors.client import open_client
from connectors.contract import Batch, fetch
from connectors.sources.wordpress import DEEPEST, WordPress
from pipeline.errors import ChangedError, RefusedError
from pipeline.mention import Mention, MentionKind
from tests.connectors.answers import answering

SOURCE = WordPress(name="w", slug="hike")
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
MISSING = httpx.Response(404, text="<!doctype html><html>no</html>")


def item(slug: str, shown: str = "<p>Rating: 5 stars</p><p>Good</p>", at: datetime = NOON) -> str:
    address = f"https://wordpress.org/support/topic/{slug}"
    return (
        f"<item><guid>{address}</guid><link>{address}</link><title>T</title><pubDate>{format_datetime(at)}</pubDate>"
        f"<description>{escape(shown)}</description></item>"
    )


def feed(*items: str) -> httpx.Response:
    body = f'<rss version="2.0"><channel><title>Reviews</title>{"".join(items)}</channel></rss>'
    return httpx.Response(200, headers={"content-type": "application/rss+xml"}, content=body.encode())


def hear(transport: httpx.BaseTransport, since: str | None = None, source: WordPress = SOURCE) -> list[Batch]:
    with open_client(attempts=1, transport=transport, sleep=lambda _: None) as http:
        return list(fetch(source, http, since))


def heard(batches: list[Batch]) -> list[Mention]:
    return [mention for batch in batches for mention in batch.mentions]


def only(shown: str) -> Mention:
    (mention,) = heard(hear(answering(feed(item("x/", shown)), feed())[0]))
    return mention


@pytest.mark.parametrize(
    ("shown", "rating", "replies", "text"),
    [
        ("<p>Replies: 3</p>\n<p>Rating: 1 star</p>\n<p>Broken &amp; slow</p>", 1, 3, "Broken & slow"),
        ("<p>Rating: 5 stars</p><p>Rating: 2 stars would be unfair</p>", 5, None, "Rating: 2 stars would be unfair"),
        ("<p>No line of stars</p>", None, None, "No line of stars"),
        ("<p>Rating: 4 stars</p>", 4, None, "T"),
    ],
)
def test_the_lines_of_stars_and_replies_are_read_and_taken_off(
    shown: str, rating: float | None, replies: int | None, text: str
) -> None:
    mention = only(shown)
    assert (mention.rating, mention.replies, mention.text) == (rating, replies, text)
    assert (mention.rating_min, mention.rating_max) == ((1, 5) if rating else (None, None))
    assert mention.kind is MentionKind.REVIEW
    assert mention.language is None, "the feed's language is the site's, not the reviewer's"


def test_a_reply_stands_under_its_review() -> None:
    pages = [feed(item("x/"), item("x/#post-7", "<p>Sorry</p>")), feed()]
    review, reply = heard(hear(answering(*pages)[0]))
    assert (reply.kind, reply.parent) == (MentionKind.COMMENT, review.key)
    assert reply.key == f"{review.key}/post-7"
    assert reply.rating is None


def test_pages_are_asked_by_number_and_a_theme_has_another_address() -> None:
    transport, asked = answering(feed(item("a/")), feed(item("b/")), feed())
    hear(transport, None, WordPress(name="w", slug="hike", what="theme"))
    assert [str(request.url) for request in asked] == [
        f"https://wordpress.org/support/theme/hike/reviews/feed/{page}" for page in ("", "?paged=2", "?paged=3")
    ]


def test_a_page_that_stays_away_is_behind_the_last() -> None:
    transport, asked = answering(feed(item("a/")), MISSING)
    assert len(heard(hear(transport))) == 1
    assert len(asked) == 3


def test_a_page_that_is_away_for_a_moment_ends_nothing() -> None:
    with pytest.raises(RefusedError, match="for a moment"):
        hear(answering(feed(item("a/")), MISSING, feed(item("b/")))[0])


def test_a_feed_that_gives_no_older_page_tells_the_gap_unless_it_went_back_far_enough() -> None:
    same = answering(feed(item("b/"), item("a/", at=NOON - timedelta(days=2))))[0]
    assert hear(same)[-1].gaps[0].start is None
    (gap,) = hear(same, (NOON + timedelta(days=4)).isoformat())[-1].gaps
    assert (gap.start, gap.end) == (NOON - timedelta(days=3), NOON - timedelta(days=2))
    assert hear(same, (NOON + timedelta(days=6)).isoformat())[-1].gaps == []


def test_a_feed_that_never_ends_is_read_to_some_page_and_that_is_told() -> None:
    def endless(request: httpx.Request) -> httpx.Response:
        return feed(item(f"{request.url.params.get('paged', 1)}/"))

    assert f"{DEEPEST} pages" in hear(httpx.MockTransport(endless), NOON.isoformat())[-1].gaps[0].why


def test_reviews_are_known_by_their_links_where_their_ids_all_lead_to_one_page() -> None:
    there = [
        item(f"{n}/").replace(
            f"<guid>https://wordpress.org/support/topic/{n}/", f"<guid>https://wordpress.org/?post_type=topic&amp;p={n}"
        )
        for n in "ab"
    ]
    keys = [mention.key for mention in heard(hear(answering(feed(*there), feed())[0]))]
    assert keys == [f"wordpress:wordpress.org/support/topic/{n}" for n in "ab"]


def test_a_feed_that_is_not_there_is_the_operators_matter() -> None:
    with pytest.raises(RefusedError):
        hear(answering(MISSING)[0])


def test_a_web_page_instead_of_a_feed_is_named() -> None:
    with pytest.raises(ChangedError):
        hear(answering(httpx.Response(200, text="<!doctype html><html><p>Just a moment...</html>"))[0])


def test_the_feed_written_from_memory_is_read(shared: Path) -> None:
    body = (shared / "fixtures/wordpress_org/plugin_reviews_feed.xml").read_bytes()
    answer = httpx.Response(200, headers={"content-type": "application/rss+xml"}, content=body)
    mentions = heard(hear(answering(answer)[0], None, WordPress(name="w", slug="example")))
    assert [mention.key for mention in mentions] == [
        "wordpress:wordpress.org/support/topic/breaks-checkout",
        "wordpress:wordpress.org/support/topic/super-2",
    ]
    assert [mention.rating for mention in mentions] == [1, 5]
    assert [mention.replies for mention in mentions] == [1, 0]
    assert [mention.author for mention in mentions] == ["shopowner1", "anna"]
    assert mentions[0].text == "Since 4.2 the checkout is blank. Support says “clear cache” …"
    assert mentions[1].text == "Läuft einwandfrei 👍"
    assert mentions[0].said_at == datetime(2026, 9, 24, 9, tzinfo=UTC)
