import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.client import open_client
from connectors.contract import fetch
from connectors.sinks.slack import Slack
from connectors.sinks.webhook import Webhook
from desk.demo import shop
from desk.demo.receivers import SECRET
from desk.demo.servers import Town, open_town
from desk.demo.story import DAYS, Place, story
from flows.setup import Setup
from pipeline.errors import RefusedError
from pipeline.mention import Mention, MentionKind
from pipeline.route import Alert

END = datetime(2026, 3, 29, 9, 41, tzinfo=UTC)
SOURCES: dict[str, Place] = {
    "mastodon": "mastodon",
    "hacker-news": "hackernews",
    "app-reviews": "appstore",
    "trail-and-tarmac": "forum",
    "press": "press",
    "shop-reviews": "shop",
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(END, tmp_path_factory.mktemp("demo")) as opened:
        (opened.folder / "earful.toml").write_text(opened.settings(), encoding="utf-8")
        yield opened


def _heard(town: Town, name: str) -> tuple[list[Mention], str | None, int]:
    source = Setup.read(town.folder / "earful.toml").source(name)
    mentions: list[Mention] = []
    cursor, rejected = None, 0
    with open_client() as http:
        for batch in fetch(source, http, None):
            mentions += batch.mentions
            cursor = batch.cursor or cursor
            rejected += len(batch.rejected)
    return mentions, cursor, rejected


def _json(town: Town, path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON
    return httpx.get(town.address + path, params=query).raise_for_status().json()


@pytest.mark.parametrize("name", SOURCES)
def test_the_real_source_hears_its_whole_part_of_the_story(town: Town, name: str) -> None:
    mentions, cursor, rejected = _heard(town, name)
    lines = story()[SOURCES[name]]
    assert len({mention.key for mention in mentions}) == len(mentions) == len(lines)
    assert sorted(mention.said_at for mention in mentions) == sorted(line.said_at(END) for line in lines)
    assert {mention.author for mention in mentions} == {line.author for line in lines}
    assert cursor
    assert rejected == (shop.BAD_ROWS if name == "shop-reviews" else 0)


@pytest.mark.parametrize("name", SOURCES)
def test_a_second_walk_brings_nothing_unheard(town: Town, name: str) -> None:
    mentions, cursor, _ = _heard(town, name)
    source = Setup.read(town.folder / "earful.toml").source(name)
    with open_client() as http:
        again = [mention for batch in fetch(source, http, cursor) for mention in batch.mentions]
    assert {mention.key for mention in again} <= {mention.key for mention in mentions}


def test_the_same_month_at_the_same_port_has_the_same_keys(tmp_path: Path) -> None:
    with open_town(END, tmp_path / "one") as first:
        port = httpx.URL(first.address).port or 0
        before = _json(first, "/mastodon/api/v1/timelines/tag/hikeshoes")
    with open_town(END, tmp_path / "two", port) as second:
        assert _json(second, "/mastodon/api/v1/timelines/tag/hikeshoes") == before


def test_mastodon_pages_back_by_its_link_header_and_forward_without_gaps(town: Town) -> None:
    here = f"{town.address}/mastodon/api/v1/timelines/tag/HikeShoes"
    first = httpx.get(here, params={"limit": 40})
    ids = [int(status["id"]) for status in first.json()]
    assert len(ids) == 40
    assert ids == sorted(ids, reverse=True)
    older = httpx.get(first.links["next"]["url"]).json()
    assert int(older[0]["id"]) < ids[-1]
    assert httpx.get(first.links["prev"]["url"]).json() == []
    forward = _json(town, "/mastodon/api/v1/timelines/tag/hikeshoes", limit=3, min_id=ids[10])
    assert [int(status["id"]) for status in forward] == ids[7:10]
    newest = _json(town, "/mastodon/api/v1/timelines/tag/hikeshoes", limit=3, since_id=ids[10])
    assert [int(status["id"]) for status in newest] == ids[:3]
    assert _json(town, "/mastodon/api/v1/timelines/tag/gardening") == []
    assert httpx.get(f"{town.address}/mastodon/api/v1/nothing").json() == {"error": "Record not found"}


def test_mastodon_tells_threads_edits_and_reach(town: Town) -> None:
    mentions, _, _ = _heard(town, "mastodon")
    thanks = next(mention for mention in mentions if "kind mail from Jonas" in mention.text)
    complaint = next(mention for mention in mentions if mention.key == thanks.parent)
    assert thanks.author == complaint.author == "mira@canalside.example"
    assert thanks.thread == complaint.key
    assert sum(mention.edited_at is not None for mention in mentions) == 3
    assert max(mention.author_reach or 0 for mention in mentions) == 48_200
    assert {mention.language for mention in mentions} >= {"en", "de", "fr", "es", "nl", "pt", "tr"}


def test_hacker_news_filters_by_phrase_tag_and_time_up_to_its_ceiling(town: Town) -> None:
    everything = _json(town, "/hackernews/search_by_date", query='"Hike"', hitsPerPage=1000)["hits"]
    times = [hit["created_at_i"] for hit in everything]
    assert times == sorted(times, reverse=True)
    bounds = f"created_at_i>={times[20]},created_at_i<{times[5]}"
    some = _json(town, "/hackernews/search_by_date", query='"Hike"', numericFilters=bounds, hitsPerPage=100)
    assert [hit["created_at_i"] for hit in some["hits"]] == [at for at in times if times[20] <= at < times[5]]
    stories = _json(town, "/hackernews/search_by_date", query='"Hike"', tags="story", hitsPerPage=100)["hits"]
    assert all("title" in hit and "comment_text" not in hit for hit in stories)
    assert len(stories) < len(everything)
    of_tom = _json(town, "/hackernews/search_by_date", tags="comment,author_hike_eng_tom")["hits"]
    assert {hit["author"] for hit in of_tom} == {"hike_eng_tom"}
    assert _json(town, "/hackernews/search_by_date", query='"Hike zebra"')["hits"] == []
    second = _json(town, "/hackernews/search_by_date", query='"Hike"', hitsPerPage=10, page=1)
    assert [hit["created_at_i"] for hit in second["hits"]] == times[10:20]
    assert _json(town, "/hackernews/search_by_date", hitsPerPage=1000, page=1)["hits"] == []
    assert httpx.get(f"{town.address}/hackernews/search_by_date", params={"numericFilters": "x"}).status_code == 400


def test_the_app_store_writes_one_review_none_and_both_orders_in_its_own_way(town: Town) -> None:
    one = "/appstore/{}/rss/customerreviews/page=1/id=990000417/sortBy=mostRecent/json"
    two = "/appstore/{}/rss/customerreviews/id=990000417/sortBy=mostRecent/page=1/json"
    assert _json(town, one.format("us"))["feed"]["entry"] == _json(town, two.format("us"))["feed"]["entry"]
    assert isinstance(_json(town, one.format("it"))["feed"]["entry"], dict)
    assert "entry" not in _json(town, one.format("ie"))["feed"]
    assert "entry" not in _json(town, one.format("us").replace("990000417", "1"))["feed"]
    eleventh = httpx.get(town.address + one.format("us").replace("page=1/", "page=11/"))
    assert (eleventh.status_code, "limited to 10" in eleventh.text) == (400, True)


@pytest.mark.parametrize("path", ["/forum/latest.rss", "/press/hike.atom"])
def test_a_feed_that_did_not_change_says_so(town: Town, path: str) -> None:
    first = httpx.get(town.address + path)
    known = httpx.get(town.address + path, headers={"if-none-match": first.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    since = httpx.get(town.address + path, headers={"if-modified-since": first.headers["last-modified"]})
    assert since.status_code == 304
    long_ago = format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)
    assert httpx.get(town.address + path, headers={"if-modified-since": long_ago}).status_code == 200
    assert httpx.get(town.address + path, headers={"if-none-match": '"other"'}).status_code == 200


def test_the_export_has_the_usual_traps_of_exports(town: Town) -> None:
    raw = (town.folder / shop.NAME).read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfReview ID;Date;")
    mentions, _, _ = _heard(town, "shop-reviews")
    assert all(mention.kind is MentionKind.REVIEW and mention.rating_max == 5 for mention in mentions)
    assert any(";" in line.decode() for line in raw.splitlines())


def test_the_settings_are_complete(town: Town) -> None:
    setup = Setup.read(town.folder / "earful.toml")
    assert setup.brand.name == "Hike"
    assert "hike@running.example" in setup.brand.authors
    assert setup.cases.open_within.days > DAYS
    teams = {setup.grave.team, *(route.team for route in setup.routes)}
    assert teams == {"Customer care", "Web shop & payments", "App team", "Safety & legal"}
    told = {name for route in setup.routes for name in route.sinks} | set(setup.grave.sinks)
    assert told == {sink.name for sink in setup.sinks}
    assert tomllib.loads(town.settings())["database"].startswith("sqlite:///")


def _alert(key: str) -> Alert:
    return Alert(key=key, sink="x", title="New case", text="The clip cut my ankle", made_at=END)


def test_a_channel_takes_what_the_real_sink_sends(tmp_path: Path) -> None:
    with open_town(END, tmp_path) as town, open_client() as http:
        sink = Slack(kind="slack", name="x", url=f"{town.address}/slack/services/customer-care")
        assert sink.send(http, _alert("a1")) == "ok"
        assert [(one.at, "cut my ankle" in json.dumps(one.message)) for one in town.received] == [
            ("customer-care", True)
        ]
        for sent, said in ((b"{", "invalid_payload"), (b"{}", "no_text")):
            refused = httpx.post(f"{town.address}/slack/services/customer-care", content=sent)
            assert (refused.status_code, refused.text) == (400, said)


def test_the_desk_takes_a_signed_alert_once_and_refuses_a_forged_one(tmp_path: Path) -> None:
    with open_town(END, tmp_path) as town, open_client() as http:
        address = f"{town.address}/desk/hooks/web-shop"
        sink = Webhook(kind="webhook", name="x", url=address, secret=SECRET)
        sink.send(http, _alert("a1"))
        sink.send(http, _alert("a1"))
        assert [(one.at, one.id) for one in town.received] == [("web-shop", "a1")]
        assert town.receivers.repeated == 1
        forged = Webhook(kind="webhook", name="x", url=address, secret="whsec_" + "A" * 40)
        with pytest.raises(RefusedError, match="401"):
            forged.send(http, _alert("a2"))
        assert town.receivers.refused == 1
        assert len(town.received) == 1


def test_what_nobody_serves_and_nobody_understands_is_answered(town: Town) -> None:
    assert httpx.get(f"{town.address}/bakery").status_code == 404
    assert httpx.get(f"{town.address}/slack/services/customer-care").status_code == 404
    unclear = httpx.get(f"{town.address}/mastodon/api/v1/timelines/tag/hikeshoes", params={"limit": "many"})
    assert unclear.status_code == 400
