"""How far back a feed was heard: it shows its newest entries, and what fell out in between is told."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx

from connectors.client import open_client
from connectors.contract import Batch, fetch
from connectors.sources.feed import Feed

NOON = datetime(2026, 9, 21, 12, tzinfo=UTC)
SOURCE = Feed.model_validate({"name": "blog", "url": "https://blog.example/feed.xml"})


def feed(*minutes: int, end: str = "</channel></rss>") -> bytes:
    items = (
        f"<item><guid>{minute}</guid><title>said {minute}</title>"
        f"<pubDate>{format_datetime(NOON + timedelta(minutes=minute))}</pubDate></item>"
        for minute in sorted(minutes, reverse=True)
    )
    return f'<rss version="2.0"><channel><title>t</title>{"".join(items)}{end}'.encode()


def hear(body: bytes, at: datetime, since: str | None = None, status: int = 200) -> Batch:
    date = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    answer = httpx.Response(status, headers={"date": date, "etag": '"7"'}, content=body)
    with open_client(transport=httpx.MockTransport(lambda _: answer)) as http:
        (batch,) = fetch(SOURCE, http, since)
    return batch


def test_all_since_the_oldest_entry_was_heard_and_an_unchanged_feed_says_the_same() -> None:
    first = hear(feed(1, 2, 3), NOON + timedelta(hours=1))
    assert (first.reach, list(first.gaps)) == (NOON + timedelta(minutes=1), [])
    unchanged = hear(b"", NOON + timedelta(hours=2), first.cursor, 304)
    assert (unchanged.reach, unchanged.cursor) == (first.reach, first.cursor)


def test_a_feed_that_rolled_over_between_two_calls_tells_the_gap() -> None:
    first = hear(feed(1, 2, 3), NOON + timedelta(minutes=5))
    second = hear(feed(50, 51), NOON + timedelta(minutes=60), first.cursor)
    (gap,) = second.gaps
    assert (gap.start, gap.end) == (NOON + timedelta(minutes=5), NOON + timedelta(minutes=50))
    assert gap.why == "the feed shows its newest 2 entries, and none that was new before"
    assert not hear(feed(50, 51, 52), NOON + timedelta(minutes=70), second.cursor).gaps


def test_a_pinned_entry_hides_no_gap_and_claims_no_years() -> None:
    pinned = -60 * 24 * 365 * 8

    def shown(*minutes: int) -> bytes:
        head, *rest = feed(pinned).decode().partition("</channel>")
        return (
            head + feed(*minutes).decode().partition("<title>t</title>")[2].partition("</channel>")[0] + "".join(rest)
        ).encode()

    first = hear(shown(1, 2, 3), NOON + timedelta(minutes=5))
    assert (len(first.mentions), first.reach) == (4, NOON + timedelta(minutes=1))
    on = hear(shown(2, 3, 4), NOON + timedelta(minutes=6), first.cursor)
    assert (on.gaps, on.reach) == ([], NOON + timedelta(minutes=2))
    second = hear(shown(50, 51, 52), NOON + timedelta(minutes=60), on.cursor)
    (gap,) = second.gaps
    assert (gap.start, gap.end) == (NOON + timedelta(minutes=6), NOON + timedelta(minutes=50))
    assert second.reach == gap.end


def test_an_entry_that_was_deleted_is_no_gap() -> None:
    first = hear(feed(1, 2, 3, 4, 5, 6), NOON + timedelta(minutes=7))
    assert not hear(feed(2, 3, 4, 5, 9), NOON + timedelta(minutes=9), first.cursor).gaps


def test_a_feed_that_was_empty_or_silent_has_no_gap() -> None:
    empty = hear(feed(), NOON)
    assert (empty.reach, list(empty.gaps)) == (NOON, [])
    assert not hear(feed(5), NOON + timedelta(minutes=60), empty.cursor).gaps


def test_a_feed_that_was_cut_short_is_asked_for_again_whole() -> None:
    cut = hear(feed(2, 3, end="<item><gui"), NOON + timedelta(hours=1))
    assert len(cut.mentions) == 2
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("if-none-match"))
        return httpx.Response(200, headers={"etag": '"7"'}, content=feed(1, 2, 3))

    with open_client(transport=httpx.MockTransport(answer)) as http:
        (whole,) = fetch(SOURCE, http, cut.cursor)
    assert asked == [None], "its etag stands for the whole: with it the rest would never come"
    assert len({mention.key for mention in whole.mentions}) == 3


def test_entries_that_share_one_id_are_each_heard_and_versions_of_one_are_one() -> None:
    same = (
        feed(1, 2, 3)
        .replace(b"<guid>1<", b"<guid>x<")
        .replace(b"<guid>2<", b"<guid>x<")
        .replace(b"<guid>3<", b"<guid>x<")
    )
    first = hear(same, NOON + timedelta(hours=1))
    keys = {mention.key for mention in first.mentions}
    assert len(keys) == 3
    more = feed(1, 2, 3, 4).replace(b"<guid>4<", b"<guid>x<")
    for minute in (b"1", b"2", b"3"):
        more = more.replace(b"<guid>" + minute + b"<", b"<guid>x<")
    again = {mention.key for mention in hear(more, NOON + timedelta(hours=2), first.cursor).mentions}
    assert len(again) == 4
    assert keys < again
    edited = feed(1).replace(
        b"</item>",
        b"</item>" + feed(1).partition(b"</title>")[2].partition(b"</channel>")[0].replace(b"said", b"now said"),
    )
    assert len({mention.key for mention in hear(edited, NOON + timedelta(hours=1)).mentions}) == 1


def test_no_mail_address_of_a_person_is_kept_wherever_it_stands() -> None:
    people = (
        "<author>ann@mail.example (Ann)</author><dc:publisher>bob@mail.example (Bob)</dc:publisher>"
        "<dc:contributor>cy@mail.example</dc:contributor>"
        "<atom:source><atom:author><atom:name>Dan</atom:name><atom:email>dan@mail.example</atom:email></atom:author>"
        "</atom:source></item>"
    )
    named = b'<rss xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom" '
    body = feed(1).replace(b"</item>", people.encode()).replace(b"<rss ", named)
    batch = hear(body, NOON + timedelta(hours=1))
    assert batch.mentions[0].author == "Ann"
    assert "mail.example" not in json.dumps(batch.raws)


def test_an_answer_dated_1970_dates_nothing() -> None:
    batch = hear(feed(1), datetime(1970, 1, 1, tzinfo=UTC))
    assert batch.mentions[0].said_at == NOON + timedelta(minutes=1)
