"""Hacker News on bad days: more than its search gives at once, many in one second, edits, and names of authors."""

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.client import open_client
from connectors.contract import Batch, fetch
from connectors.sources.hackernews import CEILING, EDITABLE, HackerNews
from pipeline.errors import ChangedError, TemporaryError
from pipeline.mention import MentionKind

SOURCE = HackerNews(name="hn", phrase="Hike shoes")
NOON = 1_790_000_000

Hit = dict[str, Any]


def comment(native: int, second: int, text: str = "My Hike shoes squeak.", **more: Any) -> Hit:  # noqa: ANN401 - a hit
    return {"objectID": str(native), "created_at_i": second, "comment_text": text, "author": "ann", **more}


class Algolia(httpx.BaseTransport):
    """Searches by date as the real one does: newest first, inclusive bounds, and never past the 1,000th hit."""

    def __init__(self, hits: list[Hit]) -> None:
        self.hits = hits
        self.asked = 0
        self.fails_after: int | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.fails_after is not None and self.asked > self.fails_after:
            return httpx.Response(503)
        asked = request.url.params
        bounds = dict(re.findall(r"created_at_i(>=|<=)(-?\d+)", asked["numericFilters"]))
        size, page = int(asked["hitsPerPage"]), int(asked["page"])
        if (page + 1) * size > CEILING:
            return httpx.Response(200, json={"message": "you can only fetch the 1000 hits for this query", "hits": []})
        fitting = [
            hit
            for hit in self.hits
            if int(bounds[">="]) <= hit["created_at_i"] <= int(bounds.get("<=", hit["created_at_i"]))
        ]
        fitting.sort(key=lambda hit: (-hit["created_at_i"], hit["objectID"]))
        return httpx.Response(200, json={"hits": fitting[page * size : (page + 1) * size]})


def walk(algolia: httpx.BaseTransport, since: str | None = None) -> Iterator[tuple[str | None, str | None]]:
    """(key, None) for every mention and (None, cursor) for every place, as they come."""
    with open_client(attempts=1, transport=algolia) as http:
        for batch in fetch(SOURCE, http, since):
            yield from ((mention.key, None) for mention in batch.mentions)
            yield (None, batch.cursor)


def hear(algolia: httpx.BaseTransport, since: str | None = None) -> tuple[list[str], str | None]:
    came = list(walk(algolia, since))
    cursors = [cursor for _, cursor in came if cursor]
    return [key for key, _ in came if key], cursors[-1] if cursors else since


def test_a_busy_day_beyond_the_ceiling_loses_nothing() -> None:
    algolia = Algolia([comment(n, NOON + n * 7 // 5) for n in range(2_350)])
    keys, cursor = hear(algolia)
    assert len(keys) == len(set(keys)) == 2_350
    assert cursor == str(NOON + 2_349 * 7 // 5)
    assert algolia.asked < 30


def test_more_than_a_page_within_one_second_is_read_whole_and_ends() -> None:
    one_second = [comment(n, NOON) for n in range(350)]
    around = [comment(1_000, NOON - 1), comment(1_001, NOON + 1)]
    algolia = Algolia([*one_second, *around])
    keys, _ = hear(algolia)
    assert len(keys) == len(set(keys)) == 352


def test_a_second_beyond_the_ceiling_is_reported_and_the_rest_still_read(caplog: pytest.LogCaptureFixture) -> None:
    algolia = Algolia([*(comment(n, NOON) for n in range(1_200)), comment(5_000, NOON - 5)])
    with caplog.at_level(logging.WARNING):
        keys, _ = hear(algolia)
    assert len(keys) == 1_001
    assert "hackernews:5000" in keys
    assert "more than 1000 hits in one second" in caplog.text


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=400))
def test_any_crowd_in_any_seconds_is_heard_once(seconds: list[int]) -> None:
    keys, _ = hear(Algolia([comment(n, NOON + second) for n, second in enumerate(seconds)]))
    assert sorted(keys) == sorted(f"hackernews:{n}" for n in range(len(seconds)))


def test_a_walk_that_is_cut_off_moves_no_place() -> None:
    algolia = Algolia([comment(n, NOON + n) for n in range(950)])
    algolia.fails_after = 5
    came = []
    with pytest.raises(TemporaryError):
        came.extend(walk(algolia, str(NOON)))
    assert [cursor for _, cursor in came if cursor] == []


def test_an_edit_within_the_last_hours_is_heard_and_the_place_never_moves_back() -> None:
    early = comment(1, NOON)
    _, cursor = hear(Algolia([early, comment(2, NOON + 60)]))
    edited = {**early, "comment_text": "My Hike shoes squeak. Edit: they do not."}
    with open_client(transport=Algolia([edited])) as http:
        batches = list(fetch(SOURCE, http, cursor))
    assert [mention.text for batch in batches for mention in batch.mentions] == [edited["comment_text"]]
    assert batches[-1].cursor == cursor == str(NOON + 60)


def test_what_is_older_than_the_overlap_is_not_asked_for_again() -> None:
    old = comment(1, NOON - int(EDITABLE.total_seconds()) - 1)
    assert hear(Algolia([old]), str(NOON)) == ([], str(NOON))


def test_nothing_new_takes_two_requests() -> None:
    algolia = Algolia([comment(1, NOON)])
    hear(algolia, str(NOON))
    assert algolia.asked == 2


def test_a_phrase_only_in_the_authors_name_is_no_mention() -> None:
    hits = [
        comment(1, NOON, "Nice.", author="hike shoes"),
        comment(2, NOON, "Nice.", story_title="Hike shoes are back", author="x"),
        comment(3, NOON, "HIKE&#x2F;shoes, with <i>Hike</i> in it"),
        {"objectID": "4", "created_at_i": NOON, "title": "Look", "url": "https://shop.example/hike-shoes"},
    ]
    keys, _ = hear(Algolia(hits))
    assert sorted(keys) == ["hackernews:3", "hackernews:4"]


def test_a_phrase_is_found_whatever_its_accents_and_apostrophes() -> None:
    source = HackerNews(name="hn", phrase="Schön's")
    hits = [
        comment(1, NOON, "I like SCHON&#x27;S boots"),
        comment(2, NOON, "I like Schön\N{RIGHT SINGLE QUOTATION MARK}s"),
    ]
    with open_client(transport=Algolia(hits)) as http:
        assert sum(len(batch.mentions) for batch in fetch(source, http, None)) == 2


def test_a_quotation_mark_in_the_phrase_does_not_end_it() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["query"])
        return httpx.Response(200, json={"hits": []})

    with open_client(transport=httpx.MockTransport(answer)) as http:
        list(fetch(HackerNews(name="hn", phrase='the "Hike" shoe'), http, None))
    assert asked == ['"the Hike shoe"']


def test_a_hit_without_a_time_or_an_id_does_not_hold_the_walk() -> None:
    strange = [{"comment_text": "Hike shoes!", "objectID": str(n)} for n in range(3)]
    strange += [{"comment_text": "Hike shoes!", "created_at_i": NOON} for _ in range(3)]
    good = comment(9, NOON)

    def answer(request: httpx.Request) -> httpx.Response:
        first = "<=" not in request.url.params["numericFilters"]
        return httpx.Response(200, json={"hits": [*strange, None, good] if first else [good]})

    with open_client(transport=httpx.MockTransport(answer)) as http:
        batches = list(fetch(SOURCE, http, None))
    assert [mention.key for batch in batches for mention in batch.mentions] == ["hackernews:9"]
    assert {each.reason for batch in batches for each in batch.rejected} >= {"the field 'objectID' is missing"}
    assert json.loads(batches[0].rejected[-1].item) == {"strange": None}


def test_an_answer_without_hits_is_named() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"message": "maintenance"}))
    with open_client(transport=transport) as http, pytest.raises(ChangedError, match="no list of hits"):
        list(fetch(SOURCE, http, None))


def test_a_comment_belongs_to_its_story_and_its_parent() -> None:
    mention = SOURCE.parse(comment(3, NOON, "Hike shoes<p>rock", story_id=1, parent_id=2, story_title="Shoes?"))
    assert (mention.kind, mention.thread, mention.parent) == (MentionKind.COMMENT, "hackernews:1", "hackernews:2")
    assert (mention.title, mention.text) == ("Shoes?", "Hike shoes\n\nrock")
    assert mention.url == "https://news.ycombinator.com/item?id=3"


def moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def last(source: HackerNews, algolia: httpx.BaseTransport, since: str | None = None) -> tuple[int, Batch]:
    """How many were heard, and the last page."""
    with open_client(attempts=1, transport=algolia) as http:
        batches = list(fetch(source, http, since))
    return sum(len(batch.mentions) for batch in batches), batches[-1]


def test_the_first_call_goes_back_so_many_pages_and_says_since_when_all_was_heard() -> None:
    algolia = Algolia([comment(n, NOON + n) for n in range(1_000)])
    heard, end = last(SOURCE.model_copy(update={"first_pages": 3}), algolia)
    assert heard == 296, "a page begins with what was said in the last two seconds of the one before"
    assert end.reach == moment(NOON + 1_000 - 296 + 1), "of the oldest second perhaps not all was read"
    assert end.cursor == str(NOON + 999)


def test_a_first_day_is_reached_however_many_pages_it_takes() -> None:
    algolia = Algolia([comment(n, NOON - n * 3600) for n in range(300)])
    day = moment(NOON).date() - timedelta(days=5)
    source = SOURCE.model_copy(update={"first_pages": 1, "first_day": date(day.year, day.month, day.day)})
    heard, end = last(source, algolia)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert heard == sum(moment(hit["created_at_i"]) >= start for hit in algolia.hits)
    assert end.reach == start
    assert last(source, algolia, end.cursor)[1].reach == moment(NOON) - EDITABLE, "later calls go on as ever"


def test_one_time_that_cannot_be_neither_jumps_nor_makes_deaf_nor_ends_a_walk() -> None:
    for place, strange in ((0, 4_102_444_800), (50, 5), (99, 5), (7, 10**15)):
        hits = [comment(n, NOON - n) for n in range(300)]
        told = dict(hits[place], created_at_i=strange)

        def answer(request: httpx.Request, hits: list[Hit] = hits, told: Hit = told) -> httpx.Response:
            found = re.search(r"created_at_i<=(\d+)", request.url.params["numericFilters"])
            left = [hit for hit in hits if found is None or hit["created_at_i"] <= int(found[1])]
            page = int(request.url.params["page"])
            shown = [told if hit["objectID"] == told["objectID"] else hit for hit in left]
            return httpx.Response(200, json={"hits": shown[page * 100 : page * 100 + 100]})

        with open_client(transport=httpx.MockTransport(answer)) as http:
            batches = list(fetch(SOURCE, http, None))
        heard = {mention.key for batch in batches for mention in batch.mentions}
        assert len(heard) == (299 if strange == 10**15 else 300), "the strange one itself only where it is a time"
        assert batches[-1].cursor == str(NOON - (place == 0)), "the next walk asks from the newest credible time on"
        assert batches[-1].reach == moment(NOON - 299)


def test_a_place_that_cannot_be_is_as_none() -> None:
    assert len(hear(Algolia([comment(1, NOON)]), str(10**15))[0]) == 1


def test_a_phrase_is_found_as_words_and_not_within_one() -> None:
    source = HackerNews(name="hn", phrase="C++")
    hits = [comment(1, NOON, "Rust basics"), comment(2, NOON, "I like c++.")]
    with open_client(transport=Algolia(hits)) as http:
        assert [each.key for batch in fetch(source, http, None) for each in batch.mentions] == ["hackernews:2"]


def test_what_one_second_hides_is_told_as_a_gap() -> None:
    _, end = last(SOURCE, Algolia([*(comment(n, NOON) for n in range(1_200)), comment(5_000, NOON - 5)]))
    (gap,) = end.gaps
    assert (gap.start, gap.end) == (moment(NOON), moment(NOON + 1))
    assert "more than 1,000 hits in one second" in gap.why


def test_a_search_that_gives_the_same_page_for_ever_is_named_and_not_followed() -> None:
    same = httpx.MockTransport(lambda _: httpx.Response(200, json={"hits": [comment(n, NOON + n) for n in range(100)]}))
    with open_client(transport=same) as http, pytest.raises(ChangedError, match="the same page of its search twice"):
        list(fetch(SOURCE, http, None))


def test_what_says_it_is_deleted_or_is_not_there_at_all_is_gone_and_what_is_dead_is_not() -> None:
    items: dict[str, Any] = {
        "1": {"id": 1, "type": "comment", "by": "ann", "text": "Hike shoes"},
        "2": {"id": 2, "type": "comment", "deleted": True},
        "3": None,
        "4": {"id": 4, "type": "comment", "by": "ann", "dead": True},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "hacker-news.firebaseio.com"
        item = items[request.url.path.split("/")[-1].removesuffix(".json")]
        return httpx.Response(200, content=json.dumps(item).encode())

    with open_client(transport=httpx.MockTransport(answer), sleep=lambda _: None) as http:
        gone = SOURCE.gone(http, [f"hackernews:{native}" for native in items])
    assert gone == {"hackernews:2", "hackernews:3"}


def test_a_lookup_that_answers_no_item_is_named() -> None:
    for text in ("[]", "7", "<html>", ""):
        transport = httpx.MockTransport(lambda _, text=text: httpx.Response(200, text=text))
        with open_client(transport=transport, sleep=lambda _: None) as http, pytest.raises(ChangedError):
            SOURCE.gone(http, ["hackernews:1"])


def test_recorded_items_tell_which_are_gone(shared: Path) -> None:
    recorded = json.loads((shared / "fixtures/hackernews/firebase_items.json").read_text("utf-8"))["interactions"]
    said = {each["request"]["url"].rpartition("/")[2].removesuffix(".json"): each["response"] for each in recorded}
    items = {native: told["json"] if "json" in told else json.loads(told["text"]) for native, told in said.items()}

    def answer(request: httpx.Request) -> httpx.Response:
        item = items[request.url.path.split("/")[-1].removesuffix(".json")]
        return httpx.Response(200, content=json.dumps(item).encode())

    with open_client(transport=httpx.MockTransport(answer), sleep=lambda _: None) as http:
        gone = SOURCE.gone(http, [f"hackernews:{native}" for native in items])
    assert gone == {
        f"hackernews:{native}" for native, item in items.items() if item is None or item.get("deleted") is True
    }
    assert "hackernews:21501055" in gone
    assert "hackernews:1000" not in gone
