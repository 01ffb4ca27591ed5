"""Hacker News on bad days: more than its search gives at once, many in one second, edits, and names of authors."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.client import open_client
from connectors.contract import fetch
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
