"""The App Store: many countries, its ceiling, edits, hiccups of the feed, and politeness."""

import json
import logging
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.client import open_client
from connectors.contract import Batch, fetch
from connectors.sources.appstore import OPENED, REMEMBERED, AppStore
from pipeline.errors import ChangedError, EarfulError, RefusedError, TemporaryError

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
SOURCE = AppStore(name="reviews", app_id="99", countries=("us", "gb", "de"))

Review = dict[str, Any]


def review(native: int, text: str = "It crashes.", rating: int = 1, **more: Any) -> Review:  # noqa: ANN401 - an entry
    said = {"id": str(native), "title": "Hm", "content": text, "im:rating": str(rating), "im:version": "3.1"}
    said["updated"] = (NOON + timedelta(minutes=native)).isoformat()
    return {field: {"label": value} for field, value in said.items()} | more


class Store(httpx.BaseTransport):
    """Apple's feed: newest first, 50 a page, ten pages, an object where there is one review, nothing where none."""

    def __init__(self, **reviews: list[Review]) -> None:
        self.reviews = reviews
        self.asked: list[str] = []
        self.down: dict[str, httpx.Response] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        country = request.url.path.split("/")[1]
        number = int(re.findall(r"page=(\d+)", request.url.path)[0])
        if country in self.down:
            return self.down[country]
        if number > 10:
            return httpx.Response(400, text="CustomerReviews RSS page depth is limited to 10")
        reviews = sorted(self.reviews.get(country, []), key=lambda each: each["updated"]["label"], reverse=True)
        page = reviews[50 * (number - 1) : 50 * number]
        entry: Any = page[0] if len(page) == 1 else page
        return httpx.Response(200, json={"feed": {"title": {"label": "Reviews"}} | ({"entry": entry} if page else {})})


def hear(store: httpx.BaseTransport, since: str | None = None, source: AppStore = SOURCE) -> list[Batch]:
    with open_client(attempts=1, transport=store, sleep=lambda _: None) as http:
        return list(fetch(source, http, since))


def hear_and_fail(store: httpx.BaseTransport, since: str | None = None) -> tuple[list[Batch], EarfulError]:
    batches: list[Batch] = []
    with (
        open_client(attempts=1, transport=store, sleep=lambda _: None) as http,
        pytest.raises(EarfulError) as caught,
    ):
        batches.extend(fetch(SOURCE, http, since))
    return batches, caught.value


def keys(batches: list[Batch]) -> list[int]:
    return [int(mention.key.partition(":")[2]) for batch in batches for mention in batch.mentions]


def place(batches: list[Batch]) -> dict[str, Any]:
    place: dict[str, Any] = json.loads([batch.cursor for batch in batches if batch.cursor][-1])
    return place


def test_going_on_reads_no_more_than_what_is_new() -> None:
    for new in (0, 1, 49, 50, 51, 120, 200):
        store = Store(us=[review(n) for n in range(300)])
        source = SOURCE.model_copy(update={"countries": ("us",)})
        before = hear(store, None, source)
        store.reviews["us"] += [review(1_000 + n) for n in range(new)]
        store.asked.clear()
        batches = hear(store, before[-1].cursor, source)
        assert set(range(1_000, 1_000 + new)) <= set(keys(batches))
        assert len(store.asked) <= new // 50 + 2, new
        assert len(place(batches)["us"]) == REMEMBERED


def test_reviews_that_apple_lets_out_late_take_their_place_behind_newer_ones_and_are_heard() -> None:
    store = Store(us=[review(n) for n in range(300)])
    source = SOURCE.model_copy(update={"countries": ("us",)})
    before = hear(store, None, source)
    late = {1_000 + n: {"label": (NOON + timedelta(minutes=240 + n, seconds=30)).isoformat()} for n in range(40)}
    store.reviews["us"] += [review(native, updated=written) for native, written in late.items()]
    store.asked.clear()
    assert set(late) <= set(keys(hear(store, before[-1].cursor, source)))
    assert len(store.asked) == 3


def test_an_edited_review_moves_up_and_is_heard_again() -> None:
    store = Store(us=[review(n) for n in range(120)])
    before = hear(store)
    store.reviews["us"][5] = review(5, "They mended it!", 5, updated={"label": "2026-11-01T00:00:00-07:00"})
    (first, *_) = hear(store, before[-1].cursor)
    assert (first.mentions[0].key, first.mentions[0].text) == ("appstore:5", "They mended it!")
    assert first.mentions[0].rating == 5


def test_the_ceiling_is_reported_with_its_counts(caplog: pytest.LogCaptureFixture) -> None:
    store = Store(us=[review(n) for n in range(600)])
    with caplog.at_level(logging.WARNING):
        batches = hear(store)
    assert len(keys(batches)) == 500
    assert "reviews: read 500 reviews of us; Apple gives no older ones" in caplog.text
    assert not any("page=11" in path for path in store.asked)


def test_one_country_that_fails_loses_no_other() -> None:
    store = Store(us=[review(1)], gb=[review(2)], de=[review(3)])
    store.down["gb"] = httpx.Response(500)
    batches, error = hear_and_fail(store)
    assert sorted(keys(batches)) == [1, 3]
    assert sorted(place(batches)) == ["de", "us"]
    assert isinstance(error, TemporaryError)
    assert "gb: GET itunes.apple.com/gb/" in str(error)
    store.down.clear()
    assert 2 in keys(hear(store, json.dumps(place(batches))))


def test_several_failures_are_one_error_for_whoever_must_act() -> None:
    store = Store(us=[review(1)])
    store.down = {"gb": httpx.Response(503), "de": httpx.Response(403)}
    batches, error = hear_and_fail(store)
    assert keys(batches) == [1]
    assert isinstance(error, RefusedError)
    assert "gb: " in str(error)
    assert "de: " in str(error)


def test_a_plea_to_wait_ends_the_walk_at_once() -> None:
    store = Store(us=[review(1)], gb=[review(2)], de=[review(3)])
    store.down["gb"] = httpx.Response(429, headers={"retry-after": "120"})
    batches, error = hear_and_fail(store)
    assert keys(batches) == [1]
    assert isinstance(error, TemporaryError)
    assert error.retry_after == timedelta(minutes=2)
    assert not any(path.startswith("/de/") for path in store.asked)


def test_a_country_that_is_suddenly_empty_keeps_its_place_and_is_named() -> None:
    store = Store(us=[review(1)], gb=[review(2)], de=[review(3)])
    before = place(hear(store))
    store.reviews["gb"] = []
    store.reviews["de"].append(review(4))
    batches, error = hear_and_fail(store, json.dumps(before))
    assert isinstance(error, ChangedError)
    assert "the store of gb had reviews and now shows none" in str(error)
    assert 4 in keys(batches)
    assert place(batches)["gb"] == before["gb"]


def test_an_app_without_reviews_says_nothing_and_is_no_error() -> None:
    store = Store()
    batches = hear(store)
    assert keys(batches) == []
    assert place(batches) == {"us": [], "gb": [], "de": []}
    assert len(store.asked) == 6, "both forms of the address for each country"


def test_what_describes_the_app_is_no_review() -> None:
    app = {"id": {"label": "99"}, "title": {"label": "Hike Run Club"}, "updated": {"label": NOON.isoformat()}}
    batches = hear(Store(us=[app, review(1)]))
    assert keys(batches) == [1]
    assert [batch.rejected for batch in batches if batch.rejected] == []


def test_a_review_without_a_time_was_said_when_it_was_heard() -> None:
    undated = review(1)
    del undated["updated"]
    body = {"feed": {"entry": undated}}
    for headers in ({"date": "Mon, 05 Oct 2026 12:00:00 GMT"}, {}, {"date": "yesterday"}):

        def answer(request: httpx.Request, headers: dict[str, str] = headers) -> httpx.Response:
            first = "/us/" in request.url.path and "page=1" in request.url.path
            return httpx.Response(200, json=body if first else {"feed": {}}, headers=headers)

        (mention,) = hear(httpx.MockTransport(answer))[0].mentions
        if headers.get("date", "").endswith("GMT"):
            assert mention.said_at == NOON
        else:
            assert datetime.now(UTC) - mention.said_at < timedelta(minutes=1)


def test_html_is_read_as_html_and_text_is_left_as_it_is() -> None:
    typed = {"label": "5 &lt; 4 <b>really</b>", "attributes": {"type": "text"}}
    html = {"label": "5 &lt; 4 <b>really</b>", "attributes": {"type": "html"}}
    texts = [SOURCE.parse(review(1, content=each, country="us")).text for each in (typed, html)]
    assert texts == ["5 &lt; 4 <b>really</b>", "5 < 4 really"]


def test_apple_is_asked_once_a_second_and_our_own_server_at_will() -> None:
    slept: list[float] = []
    with open_client(transport=Store(), sleep=slept.append) as http:
        list(fetch(SOURCE, http, None))
        waits = len(slept)
        list(fetch(SOURCE.model_copy(update={"api": "http://127.0.0.1:1"}), http, None))
    assert waits == 5, "between six requests"
    assert len(slept) == waits


def test_settings_that_cannot_work_are_refused() -> None:
    assert AppStore(name="r", app_id="1", countries=("US", "Gb")).countries == ("us", "gb")
    for wrong in ({"app_id": "id99"}, {"countries": ()}, {"countries": ("usa",)}, {"countries": ("u1",)}):
        with pytest.raises(ValidationError):
            AppStore.model_validate({"name": "r", "app_id": "99", "countries": ("us",)} | wrong)


def test_a_country_named_twice_is_asked_once() -> None:
    store = Store(us=[review(1)])
    hear(store, None, AppStore(name="r", app_id="99", countries=("us", "US")))
    assert len([path for path in store.asked if "page=1/" in path]) == 1


def test_a_walk_says_since_when_all_was_heard_and_what_apple_no_longer_gives() -> None:
    source = AppStore(name="reviews", app_id="99", countries=("us", "gb"))
    store = Store(us=[review(n) for n in range(700)], gb=[review(n) for n in range(3)])
    end = hear(store, None, source)[-1]
    oldest = NOON + timedelta(minutes=200)
    assert end.reach == oldest, "of all countries the one that was read the least far"
    (gap,) = end.gaps
    assert (gap.start, gap.end) == (None, oldest)
    assert gap.why == "Apple gives the newest 500 reviews of the store of us and no older ones"
    store.reviews["us"].append(review(701))
    after = hear(store, end.cursor, source)[-1]
    assert not after.gaps
    assert after.reach == NOON + timedelta(minutes=601), "down to a page that is known whole"


def test_an_empty_page_before_any_known_review_keeps_the_place_until_the_page_is_back() -> None:
    class Hole(Store):
        hole = True

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if self.hole and "page=2/" in request.url.path + "/":
                return httpx.Response(200, json={"feed": {}})
            return super().handle_request(request)

    source = SOURCE.model_copy(update={"countries": ("us",)})
    store = Hole(us=[review(n) for n in range(20)])
    before = hear(store, None, source)[-1]
    store.reviews["us"] += [review(100 + n) for n in range(140)]
    batches: list[Batch] = []
    with (
        open_client(attempts=1, transport=store, sleep=lambda _: None) as http,
        pytest.raises(TemporaryError, match="shows nothing behind 50 new reviews"),
    ):
        batches.extend(fetch(source, http, before.cursor))
    assert [batch.cursor for batch in batches if batch.cursor] == []
    store.hole = False
    assert set(range(100, 240)) <= set(keys(hear(store, before.cursor, source)))
    store.hole = True
    first = hear(store, None, source)[-1]
    assert first.reach == NOON + timedelta(minutes=190), "a first walk does not claim what it cannot know"
    assert "then an empty page" in first.gaps[0].why


def test_a_list_for_an_object_and_a_null_cost_nothing() -> None:
    href = "https://itunes.apple.com/us/review?id=99"
    links: list[Any] = [{"attributes": {"href": href}}, [{"attributes": {"href": href}}, {"attributes": {}}]]
    assert [SOURCE.parse(review(1, link=link, country="us")).url for link in links] == [href, href]
    for nothing in (None, [], {"attributes": None}, [None]):
        content = {"label": "It crashes.", "attributes": None}
        mention = SOURCE.parse(review(1, link=nothing, author=nothing, content=content, country="us"))
        assert (mention.url, mention.author, mention.text) == (None, None, "It crashes.")


def test_a_store_that_was_read_to_its_end_was_heard_since_it_opened() -> None:
    end = hear(Store(us=[review(1)], gb=[review(2)], de=[review(3)]))[-1]
    assert (end.reach, list(end.gaps)) == (OPENED, [])


def test_a_first_day_ends_the_first_walk_at_a_page_before_it() -> None:
    store = Store(us=[review(n * 60) for n in range(480)])
    first = date(2026, 10, 20)
    source = AppStore(name="reviews", app_id="99", countries=("us",), first_day=first)
    batches = hear(store, None, source)
    assert batches[-1].reach == datetime(2026, 10, 20, tzinfo=UTC)
    heard = {mention.said_at for batch in batches for mention in batch.mentions}
    wanted = {NOON + timedelta(hours=n) for n in range(480) if NOON + timedelta(hours=n) >= batches[-1].reach}
    assert wanted <= heard
    assert len(heard) < 300


def test_a_full_page_that_comes_again_is_named_and_moves_no_place() -> None:
    same = httpx.MockTransport(lambda _: httpx.Response(200, json={"feed": {"entry": [review(n) for n in range(50)]}}))
    batches, error = hear_and_fail(same)
    assert isinstance(error, ChangedError)
    assert "the same page of reviews twice" in str(error)
    assert [batch.cursor for batch in batches if batch.cursor] == []
