"""Feeds as servers really answer: asked politely, moved, gone, broken, hostile; and what their entries mean."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from connectors.client import open_client
from connectors.contract import fetch
from connectors.sources.feed import Feed, target
from pipeline.errors import ChangedError, EarfulError, RefusedError, TemporaryError
from pipeline.mention import Mention, MentionKind

URL = "https://blog.example/feed.xml"
DATE = {"date": "Mon, 21 Sep 2026 12:00:00 GMT"}
HEARD_AT = datetime(2026, 9, 21, 12, tzinfo=UTC)
Answer = tuple[int, dict[str, str], bytes]


def rss(*items: str) -> bytes:
    return f'<rss version="2.0"><channel><title>t</title>{"".join(items)}</channel></rss>'.encode()


def item(guid: str = "1", title: str = "A title", more: str = "") -> str:
    return f"<item><guid isPermaLink='false'>{guid}</guid><title>{title}</title>{more}</item>"


def feed(url: str = URL, **settings: str) -> Feed:
    return Feed.model_validate({"name": "blog", "url": url, **settings})


def client(*answers: Answer) -> httpx.Client:
    """Answers one after another, the last of them again and again."""
    left = list(answers)

    def handle(_: httpx.Request) -> httpx.Response:
        status, headers, body = left.pop(0) if len(left) > 1 else left[0]
        return httpx.Response(status, headers=headers, content=body)

    return open_client(transport=httpx.MockTransport(handle), attempts=1)


def heard(body: bytes, since: str | None = None, **headers: str) -> list[Mention]:
    batches = list(fetch(feed(), client((200, DATE | headers, body)), since))
    assert not [rejected.reason for batch in batches for rejected in batch.rejected]
    return [mention for batch in batches for mention in batch.mentions]


def walk(source: Feed, http: httpx.Client, since: str | None = None) -> tuple[list[str], str | None]:
    """Keys heard, and the cursor."""
    batches = list(fetch(source, http, since))
    return [mention.key for batch in batches for mention in batch.mentions], batches[-1].cursor


class Server(ThreadingHTTPServer):
    """A real server: `paths` says what it answers, `asked` what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.paths: dict[str, Callable[[dict[str, str]], Answer]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.path, headers))
        status, more, body = self.server.paths[self.path](headers)
        self.send_response(status)
        for name, value in {**more, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def conditional(headers: dict[str, str]) -> Answer:
    """A feed that has a version and honours it."""
    if (
        headers.get("if-none-match") == 'W/"6c132-941"'
        and headers.get("if-modified-since") == "Fri, 11 Jun 2012 23:00 GMT"
    ):
        return 304, {}, b""
    return 200, {"etag": 'W/"6c132-941"', "last-modified": "Fri, 11 Jun 2012 23:00 GMT"}, rss(item())


def moved(status: int, to: str) -> Callable[[dict[str, str]], Answer]:
    return lambda _: (status, {"location": to}, b"")


def test_an_unchanged_feed_is_asked_with_its_own_words_and_says_nothing_new(server: Server) -> None:
    server.paths["/feed"] = conditional
    source = feed(server.url("/feed"))
    with open_client() as http:
        keys, cursor = walk(source, http)
        assert len(keys) == 1
        assert walk(source, http, cursor) == ([], cursor)
    assert server.asked[1][1]["if-none-match"] == 'W/"6c132-941"'  # verbatim, though the date is a malformed one
    assert server.asked[1][1]["if-modified-since"] == "Fri, 11 Jun 2012 23:00 GMT"


@pytest.mark.parametrize("status", [301, 308])
def test_a_feed_that_moved_for_good_is_asked_at_its_new_address_and_keeps_its_keys(server: Server, status: int) -> None:
    server.paths |= {"/old": moved(status, "/new"), "/new": conditional}
    with open_client() as http:
        keys, cursor = walk(feed(server.url("/old")), http)
        assert walk(feed(server.url("/old")), http, cursor) == ([], cursor)
    assert [path for path, _ in server.asked] == ["/old", "/new", "/new"]
    server.paths["/old"] = conditional
    with open_client() as http:
        assert walk(feed(server.url("/old")), http)[0] == keys


@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_feed_that_is_elsewhere_for_now_is_asked_at_its_own_address_again(server: Server, status: int) -> None:
    server.paths |= {"/old": moved(status, server.url("/new")), "/new": conditional}
    with open_client() as http:
        _, cursor = walk(feed(server.url("/old")), http)
        walk(feed(server.url("/old")), http, cursor)
    assert [path for path, _ in server.asked] == ["/old", "/new", "/old", "/new"]


def test_after_a_temporary_redirect_no_later_permanent_one_is_remembered(server: Server) -> None:
    server.paths |= {"/a": moved(301, "/b"), "/b": moved(302, "/c"), "/c": moved(301, "/d"), "/d": conditional}
    with open_client() as http:
        _, cursor = walk(feed(server.url("/a")), http)
    assert json.loads(cursor or "")["url"] == server.url("/b")


def test_a_circle_of_redirects_is_named_and_not_followed(server: Server) -> None:
    server.paths |= {"/secret-a": moved(302, "/secret-b"), "/secret-b": moved(301, "/secret-a")}
    with open_client() as http, pytest.raises(RefusedError, match=r"127.0.0.1:.* go in a circle") as raised:
        walk(feed(server.url("/secret-a")), http)
    assert len(server.asked) == 2
    assert "secret" not in str(raised.value)


def test_five_redirects_are_followed_and_a_sixth_is_not(server: Server) -> None:
    server.paths |= {f"/{step}": moved(302, f"/{step + 1}") for step in range(6)} | {"/6": conditional}
    with open_client() as http:
        assert len(walk(feed(server.url("/1")), http)[0]) == 1
        with pytest.raises(RefusedError, match="more than 5 redirects"):
            walk(feed(server.url("/0")), http)


@pytest.mark.parametrize("to", ["file:///etc/passwd", "javascript:alert(1)", "http://[", "ftp://blog.example/"])
def test_a_redirect_to_no_web_address_is_not_followed(to: str) -> None:
    with pytest.raises(EarfulError, match=r"blog\.example"):
        walk(feed(), client((302, {"location": to}, b"")))


def test_another_address_in_the_settings_forgets_where_the_old_one_moved() -> None:
    answers = client((301, {"location": "/new.xml"}, b""), (200, {"etag": "x"}, rss(item())))
    _, cursor = walk(feed(), answers)
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=rss(item()))

    with open_client(transport=httpx.MockTransport(handle)) as http:
        keys, _ = walk(feed("https://other.example/feed"), http, cursor)
    assert [str(request.url) for request in asked] == ["https://other.example/feed"]
    assert "if-none-match" not in asked[0].headers
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("status", "headers", "error", "words"),
    [
        (410, {}, RefusedError, "410 Gone; the operator must act: it is gone for good, take it out of the settings"),
        (404, {}, RefusedError, "404"),
        (401, {}, RefusedError, "401"),
        (429, {"retry-after": "120"}, TemporaryError, "429"),
        (503, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, TemporaryError, "503"),
        (200, {"content-type": "text/html"}, ChangedError, "perhaps a web page, came instead of a feed"),
    ],
)
def test_a_secret_address_is_in_no_error(
    status: int, headers: dict[str, str], error: type[EarfulError], words: str
) -> None:
    source = feed("https://www.alerts.example/feeds/00secret00/1?key=also-secret")
    page = b"<!DOCTYPE html><html><body>Just a moment...</body></html>"
    with pytest.raises(error) as raised:
        walk(source, client((status, headers, page)))
    assert "GET www.alerts.example" in str(raised.value)
    assert words in str(raised.value)
    assert "secret" not in f"{raised.value!r} {source!r} {source}"


def test_a_lost_connection_is_temporary_and_keeps_the_secret(server: Server) -> None:
    address = server.url("/00secret00")
    server.server_close()
    with open_client(attempts=1) as http, pytest.raises(TemporaryError) as raised:
        walk(feed(address), http)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("body", [b"", b"  \n", b"null", b"[]", b"{}", b"<html><title>x</title></html>", b"\x00" * 99])
def test_what_is_no_feed_is_named(body: bytes) -> None:
    with pytest.raises(ChangedError, match=r"GET blog.example: .* came instead of a feed"):
        heard(body)


@pytest.mark.parametrize("character", ["&#xD800;", "&#99999999999;"])
def test_what_breaks_the_library_is_named(character: str) -> None:
    with pytest.raises(ChangedError, match=r"GET blog\.example: the feed cannot be read \((Unicode|Overflow)"):
        heard(f"<rss version='2.0'><channel><item><title>{character}</title></item>".encode())


def test_a_feed_without_entries_is_a_quiet_feed() -> None:
    assert heard(rss()) == []


def test_a_body_that_is_the_path_of_a_file_opens_no_file(tmp_path: Path) -> None:
    local = tmp_path / "local.xml"
    local.write_bytes(rss(item()))
    with pytest.raises(ChangedError):
        heard(bytes(local))


def test_a_malformed_feed_is_read_as_far_as_it_goes() -> None:
    (mention,) = heard(
        b"<rss version='2.0'><channel><title>t</title><item><title>Sole & more</title><link>http://a.example/1"
    )
    assert mention.title == "Sole & more"


@pytest.mark.parametrize(
    "url", ["", "blog.example/feed", "file:///etc/passwd", "https://", "ftp://a.example/x", "http://["]
)
def test_an_address_that_is_none_is_refused_with_the_settings(url: str) -> None:
    with pytest.raises(ValidationError, match="begins with http"):
        Feed(name="blog", url=SecretStr(url))


def test_two_feeds_with_the_same_guid_have_two_keys_and_a_key_in_the_query_changes_none() -> None:
    first, second, third = (
        walk(feed(url), client((200, {}, rss(item()))))[0]
        for url in (URL, "https://blog.example/other.xml", f"{URL}?token=secret")
    )
    assert first != second
    assert first == third
    assert first[0].startswith("feed:")
    assert first[0].endswith(":1")


def test_an_entry_without_id_is_known_by_link_and_without_link_by_title_and_date() -> None:
    body = rss(
        "<item><title>A</title><link>https://blog.example/a</link></item>",
        "<item><title>B</title><pubDate>Sat, 19 Sep 2026 08:00:00 GMT</pubDate></item>",
        "<item><title>B</title><pubDate>Sat, 19 Sep 2026 09:00:00 GMT</pubDate></item>",
    )
    keys = [mention.key for mention in heard(body)]
    assert keys[0].endswith(":https://blog.example/a")
    assert len(set(keys)) == 3
    assert keys == [mention.key for mention in heard(body)]


def test_a_relative_guid_stays_the_same_when_the_feed_moves() -> None:
    body = rss("<item><guid>7</guid><title>x</title></item>")
    moved_there = client((301, {"location": "https://new.example/feed"}, b""), (200, DATE, body))
    assert walk(feed(), moved_there)[0] == walk(feed(), client((200, DATE, body)))[0]
    assert heard(body)[0].url == "https://blog.example/7"


def test_the_secret_of_an_address_gets_into_no_link() -> None:
    source = feed("https://me:secret@blog.example/feed.xml?key=secret")
    (batch,) = fetch(
        source, client((200, DATE, rss(item(more="<link>?page=1</link>"), item("2", more="<link/>")))), None
    )
    assert batch.mentions[0].url == "https://blog.example/feed.xml?page=1"
    assert "secret" not in f"{batch}"


def test_an_endless_id_makes_a_key_that_can_be_stored() -> None:
    assert len(heard(rss(item("x" * 5000)))[0].key) < 512


def test_the_same_words_at_the_same_link_under_a_new_id_are_not_heard_again() -> None:
    link = "<link>https://blog.example/a?utm_medium=rss</link>"
    _, cursor = walk(feed(), client((200, DATE, rss(item("1", more=link)))))
    assert walk(feed(), client((200, DATE, rss(item("2", more=link)))), cursor)[0] == []
    keys = walk(feed(), client((200, DATE, rss(item("3", "New"), item("2", more=link)))), cursor)[0]
    assert [key[-2:] for key in keys] == [":3", ":1"]
    both = rss(item("1", more=link), item("2", more="<link>http://blog.example/a/</link>"))
    assert len(heard(both)) == 1


def test_different_words_at_one_link_are_all_heard() -> None:
    link = "<link>https://store.example/app</link>"
    assert len(heard(rss(item("1", "Great", link), item("2", "Poor", link)))) == 2


def test_an_edited_entry_is_heard_again_under_its_key() -> None:
    keys, cursor = walk(feed(), client((200, DATE, rss(item("1", "Before"), item("2")))))
    assert walk(feed(), client((200, DATE, rss(item("1", "After"), item("2")))), cursor)[0] == keys


def test_one_new_entry_that_cannot_be_read_does_not_stop_a_feed() -> None:
    keys, cursor = walk(feed(), client((200, DATE, rss(item()))))
    (batch,) = fetch(feed(), client((200, DATE, rss("<item><guid>7</guid></item>", item()))), cursor)
    assert [mention.key for mention in batch.mentions] == keys
    assert len(batch.rejected) == 1
    assert batch.cursor not in {None, cursor}


def test_an_undated_entry_was_said_when_it_was_first_heard() -> None:
    assert heard(rss(item()))[0].said_at == HEARD_AT
    _, cursor = walk(feed(), client((200, DATE, rss(item()))))
    later = {"date": "Tue, 22 Sep 2026 12:00:00 GMT"}
    (batch,) = fetch(feed(), client((200, later, rss(item("2", "New"), item()))), cursor)
    assert [mention.said_at.day for mention in batch.mentions] == [22, 21]


def test_a_server_without_a_clock_leaves_the_time_to_ours() -> None:
    before = datetime.now(UTC)
    for headers in ({}, {"date": "yesterday"}, {"date": "Wed, 21 Oct 2099 07:28:00 GMT"}):
        batch = next(iter(fetch(feed(), client((200, headers, rss(item()))), None)))
        assert before <= batch.mentions[0].said_at <= datetime.now(UTC)


def test_a_time_that_no_calendar_has_is_the_time_of_hearing() -> None:
    (page,) = feed().pages(client((200, DATE, rss(item()))), None)
    entry = page.items[0]["entry"] | {"published_parsed": [10**6, 1, 1, 0, 0, 0, 0, 1, 0]}
    assert feed().parse(page.items[0] | {"entry": entry}).said_at == HEARD_AT


@pytest.mark.parametrize(
    ("date", "said_at"),
    [
        ("Fri, 18 Sep 2026 09:30:00 -0500", datetime(2026, 9, 18, 14, 30, tzinfo=UTC)),
        ("2026-09-18T09:30:00+02:00", datetime(2026, 9, 18, 7, 30, tzinfo=UTC)),
        ("Tue, 22 Sep 2026 06:00:00 GMT", datetime(2026, 9, 22, 6, tzinfo=UTC)),
        ("Sun, 20 Sep 2099 10:00:00 GMT", HEARD_AT),
        ("Thu, 01 Jan 1970 00:00:00 GMT", HEARD_AT),
        ("0001-01-01T00:00:00Z", HEARD_AT),
        ("soon", HEARD_AT),
    ],
)
def test_a_date_is_in_utc_and_an_impossible_one_is_the_time_of_hearing(date: str, said_at: datetime) -> None:
    assert heard(rss(item(more=f"<pubDate>{date}</pubDate>")))[0].said_at == said_at


def test_a_later_update_is_the_time_of_the_edit() -> None:
    dates = "<published>2026-09-18T08:00:00Z</published><updated>2026-09-19T08:00:00Z</updated>"
    entry = f"<entry><id>1</id><title>t</title>{dates}</entry>"
    (mention,) = heard(f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entry}</feed>'.encode())
    assert (mention.said_at.day, mention.edited_at and mention.edited_at.day) == (18, 19)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("A &amp; B", "A & B"),
        ("A &amp;amp; B", "A & B"),
        ("2 &lt; 3 &amp;amp; 5 &gt; 4", "2 < 3 & 5 > 4"),
        ("<![CDATA[<p>One</p><p>Two &lt;3</p><script>x()</script>]]>", "One\n\nTwo <3"),
        ("AT&amp;T &lt;b&gt;bold&lt;/b&gt;", "AT&T bold"),
    ],
)
def test_entities_are_decoded_once_and_markup_is_gone(written: str, read: str) -> None:
    assert heard(rss(item(more=f"<description>{written}</description>")))[0].text == read


def test_what_atom_calls_text_keeps_its_ampersands() -> None:
    entry = '<entry><id>1</id><title type="text">Write &amp;amp; for an ampersand</title></entry>'
    (mention,) = heard(f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entry}</feed>'.encode())
    assert mention.title == "Write &amp; for an ampersand"


def test_text_is_the_content_else_the_summary_else_the_title() -> None:
    content = "<content:encoded xmlns:content='http://purl.org/rss/1.0/modules/content/'>All</content:encoded>"
    summary = "<description>Short</description>"
    texts = [heard(rss(item(more=more)))[0].text for more in (summary + content, summary, "")]
    assert texts == ["All", "Short", "A title"]


def test_an_entry_that_says_nothing_is_kept_aside_and_the_rest_is_heard() -> None:
    (batch,) = fetch(feed(), client((200, DATE, rss("<item><guid>7</guid></item>", item()))), None)
    assert [(rejected.place, rejected.reason) for rejected in batch.rejected] == [
        ("7", "the entry has neither text nor title")
    ]
    assert len(batch.mentions) == 1


@pytest.mark.parametrize("rating", ["6", "0", "good"])
def test_a_rating_off_the_scale_costs_its_entry_only(rating: str) -> None:
    bad = item("1", more=f"<im:rating xmlns:im='http://itunes.apple.com/rss'>{rating}</im:rating>")
    (batch,) = fetch(feed(), client((200, DATE, rss(bad, item("2")))), None)
    assert len(batch.rejected) == len(batch.mentions) == 1


def test_mail_addresses_of_authors_are_not_kept() -> None:
    body = rss(
        item("1", more="<author>ann@mail.example (Ann)</author>"), item("2", more="<author>bob@mail.org</author>")
    )
    (batch,) = fetch(feed(), client((200, DATE, body)), None)
    assert [mention.author for mention in batch.mentions] == ["Ann", None]
    assert "@" not in json.dumps(batch.raws)


def test_the_publisher_behind_a_title_becomes_the_author() -> None:
    more = "<source url='https://times.example'>The Times</source>"
    (mention,) = heard(rss(item(title="Shoes recalled - The Times", more=more)))
    assert (mention.title, mention.author) == ("Shoes recalled", "The Times")


def test_entries_are_of_the_kind_the_settings_say() -> None:
    source = feed(kind_of_mention="post")
    (batch,) = fetch(source, client((200, DATE, rss(item()))), None)
    assert batch.mentions[0].kind is MentionKind.POST


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        (
            "https://www.google.com/url?rct=j&url=https://news.example/a%3Fb%3D1%26c%3D2&ct=ga",
            "https://news.example/a?b=1&c=2",
        ),
        ("https://www.google.de/url?q=https://news.example/", "https://news.example/"),
        ("https://www.google.com/url?url=javascript:alert(1)", "https://www.google.com/url?url=javascript:alert(1)"),
        ("https://news.example/url?url=https://other.example", "https://news.example/url?url=https://other.example"),
        ("javascript:alert(1)", None),
        ("tag:example,2026:1", None),
        ("", None),
        (None, None),
    ],
)
def test_a_link_leads_to_the_page_and_not_to_googles_detour(link: str | None, leads_to: str | None) -> None:
    assert target(link) == leads_to


def test_an_item_means_the_same_after_it_was_stored_as_json() -> None:
    body = rss(item("1", more="<pubDate>Fri, 18 Sep 2026 09:30:00 -0500</pubDate>"), item("2"))
    (page,) = feed().pages(client((200, DATE, body)), None)
    for raw in page.items:
        assert feed().parse(json.loads(json.dumps(raw))) == feed().parse(raw)


@given(st.data())
def test_no_broken_feed_breaks_us(data: st.DataObject) -> None:
    whole = rss(
        item("1", "&lt;b&gt;x", "<link>http://a.example/?q=1#f</link><pubDate>Fri, 18 Sep 2026</pubDate>"), item("2")
    )
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    junk = data.draw(
        st.one_of(st.binary(max_size=20), st.text("<>&;#xD800!?[]ADTC\"'=/ ", max_size=20).map(str.encode))
    )
    with suppress(ChangedError):
        list(fetch(feed(), client((200, DATE, whole[:start] + junk + whole[end:])), None))


def test_every_document_of_the_librarys_own_suite_is_read_or_named(shared: Path) -> None:
    documents = sorted((shared / "fixtures/feeds/feedparser_suite").iterdir())
    assert len(documents) == 39
    for document in documents:
        body = document.read_bytes()
        told = re.findall(rb"^Header:\s*([\w-]+): *(.*?)\s*$", body, re.MULTILINE)
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in told}
        try:
            (batch,) = fetch(feed(), client((200, DATE | headers, body)), None)
        except ChangedError as error:
            assert str(error).startswith(("GET blog.example: ", "blog: none of")), document.name  # noqa: PT017 - either is right
        else:
            assert batch.cursor


@pytest.mark.parametrize(
    ("path", "entries", "authors", "links"),
    [
        ("feeds/cdata_rss.atom", 10, 10, 10),
        ("feeds/github_rss.atom", 20, 20, 20),
        ("feeds/iso-8859-1.rss", 1, 0, 1),
        ("feeds/podcast.rss", 4, 4, 4),
        ("feeds/slickdeals.atom", 79, 0, 79),
        ("google_alerts/alert.atom", 2, 0, 2),
        ("google_alerts/alert_empty.atom", 0, 0, 0),
        ("google_news/search_rss.xml", 40, 40, 40),
        ("google_news/empty.xml", 0, 0, 0),
    ],
)
def test_real_feeds_are_read_whole(shared: Path, path: str, entries: int, authors: int, links: int) -> None:
    mentions = heard((shared / "fixtures" / path).read_bytes())
    assert len({mention.key for mention in mentions}) == len(mentions) == entries
    assert sum(mention.author is not None for mention in mentions) == authors
    assert sum(mention.url is not None for mention in mentions) == links
    assert all(mention.text and mention.said_at <= HEARD_AT for mention in mentions)
    assert not [
        mention.key for mention in mentions if re.search(r"</?(?:p|b|br|div|a)\b|&(?:amp|nbsp|lt);", mention.text)
    ]


def test_the_answers_of_the_documented_schema_do_what_they_mean(shared: Path) -> None:
    recorded = json.loads((shared / "fixtures/feeds/http_behaviour.json").read_text())["interactions"]
    answers: dict[str, list[Answer]] = {}
    for each in recorded:
        answer = each["response"]
        body = answer.get("text", "").encode()
        answers.setdefault(each["request"]["url"], []).append((answer["status"], answer["headers"], body))
    base = "http://feeds.example.com"

    def handle(request: httpx.Request) -> httpx.Response:
        there = answers[str(request.url)]
        status, headers, body = there[1 if "if-none-match" in request.headers else 0]
        return httpx.Response(status, headers=headers, content=body)

    with open_client(transport=httpx.MockTransport(handle), attempts=1) as http:
        _, cursor = walk(feed(f"{base}/a.xml"), http)
        assert walk(feed(f"{base}/a.xml"), http, cursor) == ([], cursor)
        assert json.loads(walk(feed(f"{base}/moved.xml"), http)[1] or "")["url"] == f"{base}/a.xml"
        assert "url" not in json.loads(walk(feed(f"{base}/temp.xml"), http)[1] or "")
        with pytest.raises(RefusedError, match="take it out of the settings"):
            walk(feed(f"{base}/gone.xml"), http)
        with pytest.raises(TemporaryError) as busy:
            walk(feed(f"{base}/busy.xml"), http)
        assert busy.value.retry_after is not None
        assert busy.value.retry_after.total_seconds() == 120
        with pytest.raises(ChangedError, match="web page"):
            walk(feed(f"{base}/html.xml"), http)
