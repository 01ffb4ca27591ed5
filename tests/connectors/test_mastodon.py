"""Mastodon: no gap however much was said meanwhile, posts that arrive late, edits, and what is not for us."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.client import open_client
from connectors.contract import Batch, fetch
from connectors.sources.mastodon import OVERLAP, PAGE, Mastodon
from pipeline.errors import ChangedError, TemporaryError

SOURCE = Mastodon(name="m", instance="https://social.example", tag="hike", first_pages=3)
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)

Status = dict[str, Any]


def snowflake(at: datetime, low: int = 0) -> int:
    return (int(at.timestamp() * 1000) << 16) + low


def status(native: int, text: str = "<p>Love my #hike</p>", **more: Any) -> Status:  # noqa: ANN401 - a status
    account = {"id": "7", "acct": "ann", "followers_count": 3}
    at = datetime.fromtimestamp((native >> 16) / 1000, UTC)
    return {"id": str(native), "created_at": at.isoformat(), "content": text, "account": account} | more


class Instance(httpx.BaseTransport):
    """A tag timeline as a Mastodon server pages it: newest first, with a Link header unless it is empty."""

    def __init__(self, statuses: list[Status]) -> None:
        self.statuses = statuses
        self.asked: list[httpx.Request] = []
        self.fails_after: int | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.fails_after is not None and len(self.asked) > self.fails_after:
            return httpx.Response(503)
        asked = request.url.params
        size = int(asked["limit"])
        lowest, highest = int(asked.get("min_id", -1)), int(asked.get("max_id", 1 << 80))
        fitting = sorted((each for each in self.statuses if lowest < int(each["id"]) < highest), key=_native)
        page = fitting[:size] if "min_id" in asked else fitting[-size:]
        page.reverse()
        if not page:
            return httpx.Response(200, json=[])
        own = request.url.copy_with(query=None)
        older, newer = f"{own}?limit={size}&max_id={page[-1]['id']}", f"{own}?limit={size}&min_id={page[0]['id']}"
        return httpx.Response(200, json=page, headers={"link": f'<{older}>; rel="next", <{newer}>; rel="prev"'})


def _native(each: Status) -> int:
    return int(each["id"])


def hear(instance: httpx.BaseTransport, since: str | None = None, source: Mastodon = SOURCE) -> list[Batch]:
    with open_client(attempts=1, transport=instance) as http:
        return list(fetch(source, http, since))


def keys(batches: list[Batch]) -> list[int]:
    return [int(mention.key.rpartition("/")[2]) for batch in batches for mention in batch.mentions]


def test_the_first_call_goes_back_so_many_pages_and_no_further() -> None:
    natives = [snowflake(NOON, n) for n in range(PAGE * 5)]
    batches = hear(Instance([status(native) for native in natives]))
    assert sorted(keys(batches)) == natives[-3 * PAGE :]
    assert [batch.cursor for batch in batches] == [None, None, None, str(natives[-1])]


def test_an_empty_timeline_has_no_place_yet() -> None:
    assert [batch.cursor for batch in hear(Instance([]))] == [None]


def test_however_much_was_said_meanwhile_there_is_no_gap() -> None:
    natives = [snowflake(NOON + timedelta(minutes=n)) for n in range(1_000)]
    instance = Instance([status(native) for native in natives])
    batches = hear(instance, str(natives[0]))
    assert keys(batches) != sorted(keys(batches)), "within a page newest first, as the server says it"
    assert sorted(keys(batches)) == natives
    cursors = [int(batch.cursor or 0) for batch in batches]
    assert cursors == sorted(cursors)
    assert cursors[-1] == natives[-1]


def test_a_cut_walk_goes_on_from_its_last_page() -> None:
    natives = [snowflake(NOON + timedelta(minutes=n)) for n in range(1_000)]
    instance = Instance([status(native) for native in natives])
    instance.fails_after = 5
    before: list[Batch] = []
    with open_client(attempts=1, transport=instance) as http, pytest.raises(TemporaryError):
        before.extend(fetch(SOURCE, http, str(natives[0])))
    assert len(keys(before)) == 5 * PAGE
    assert before[-1].cursor == str(natives[5 * PAGE - 1])
    after = hear(Instance(instance.statuses), before[-1].cursor)
    assert {*keys(before), *keys(after)} == set(natives)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=300))
def test_whenever_posts_arrive_within_the_overlap_each_is_heard(arrivals: list[tuple[int, bool]]) -> None:
    """Minutes after noon, and whether it reaches this instance before the first call."""
    posts = [(snowflake(NOON + timedelta(minutes=minute), n), early) for n, (minute, early) in enumerate(arrivals)]
    instance = Instance([status(native) for native, early in posts if early])
    source = SOURCE.model_copy(update={"first_pages": 200})
    first = hear(instance, None, source)
    instance.statuses += [status(native) for native, early in posts if not early]
    second = hear(instance, first[-1].cursor, source)
    assert {*keys(first), *keys(second)} == {native for native, _ in posts}


def test_a_late_post_that_its_server_dates_back_behind_newer_ones_is_heard() -> None:
    newest = snowflake(NOON)
    late = snowflake(NOON - OVERLAP + timedelta(minutes=1))
    too_late = snowflake(NOON - OVERLAP - timedelta(minutes=1))
    batches = hear(Instance([status(newest), status(late), status(too_late)]), str(newest))
    assert sorted(keys(batches)) == [late, newest]
    assert batches[-1].cursor == str(newest), "the place never moves back"


def test_an_edit_is_heard() -> None:
    native = snowflake(NOON)
    instance = Instance([status(native, "<p>Edited</p>", edited_at="2026-10-05T13:00:00.000Z")])
    (mention,) = hear(instance, str(native))[0].mentions
    assert (mention.text, mention.edited_at) == ("Edited", NOON + timedelta(hours=1))


def test_ids_are_numbers_so_that_longer_is_newer() -> None:
    batches = hear(Instance([status(99), status(100)]))
    assert batches[-1].cursor == "100"


def test_boosts_and_what_was_not_said_to_all_and_who_wants_no_robots_stay_out() -> None:
    base = snowflake(NOON)
    quiet = {"id": "8", "acct": "bob", "noindex": True}
    statuses = [
        status(base, reblog=status(1)),
        status(base + 1, visibility="private"),
        status(base + 2, visibility="direct"),
        status(base + 3, account=quiet),
        status(base + 4, visibility="unlisted"),
    ]
    batches = hear(Instance(statuses))
    assert keys(batches) == [base + 4]
    assert [batch.rejected for batch in batches] == [[], []]
    assert batches[-1].cursor == str(base + 4)


def linked(link: str) -> httpx.MockTransport:
    body = json.dumps([status(snowflake(NOON))])
    return httpx.MockTransport(lambda _: httpx.Response(200, text=body, headers={"link": link}))


def test_the_same_page_twice_is_named_and_not_followed() -> None:
    for since, rel in ((None, "next"), ("1", "prev")):
        link = f'<https://social.example/api/v1/timelines/tag/hike?limit=40&max_id=5>; rel="{rel}"'
        with pytest.raises(ChangedError, match="names the same page twice"):
            hear(linked(link), since)


def test_a_page_at_another_host_is_named_and_not_followed() -> None:
    for elsewhere in ("https://evil.example/api", "http://social.example/api", "https://social.example:8443/api"):
        with pytest.raises(ChangedError, match="at another host"):
            hear(linked(f'<{elsewhere}>; rel="next"'))
    with pytest.raises(ChangedError, match="no address"):
        hear(linked('<https://social.example:x/>; rel="next"'))


def test_a_page_without_a_link_is_the_last() -> None:
    assert len(keys(hear(linked("")))) == 1
    assert len(keys(hear(linked(""), "1"))) == 1


def test_a_relative_link_is_followed() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        more = {"link": '</api/v1/timelines/tag/hike?max_id=5>; rel="next"'}
        return httpx.Response(200, json=[status(9)] if len(asked) == 1 else [], headers=more)

    hear(httpx.MockTransport(answer))
    assert asked[1] == "https://social.example/api/v1/timelines/tag/hike?max_id=5"


def test_the_token_goes_to_the_instance_and_nowhere_else() -> None:
    source = Mastodon(name="m", instance="https://social.example", tag="hike", token="sesame")
    instance = Instance([status(5)])
    hear(instance, None, source)
    assert {request.headers["authorization"] for request in instance.asked} == {"Bearer sesame"}
    assert "sesame" not in f"{source!r} {source}"
    without = Instance([])
    hear(without)
    assert "authorization" not in without.asked[0].headers


def test_a_tag_in_any_script_is_asked_for() -> None:
    instance = Instance([])
    hear(instance, None, Mastodon(name="m", tag="ランニング"))
    assert instance.asked[0].url.path == "/api/v1/timelines/tag/ランニング"
    for wrong in ("#hike", "hike shoes", "", "a/b"):
        with pytest.raises(ValidationError):
            Mastodon(name="m", tag=wrong)


def test_a_language_is_iso_639_1_or_nothing() -> None:
    declared = {"en": "en", "pt-BR": "pt", "zh_TW": "zh", "EN": "en", "tok": None, "": None, None: None, 7: None}
    for code, read in declared.items():
        assert SOURCE.parse(status(5, language=code)).language == read


def test_hidden_counts_are_no_counts() -> None:
    account = {"id": "7", "acct": "ann@far.example", "followers_count": -1}
    mention = SOURCE.parse(status(5, account=account, favourites_count=None, replies_count=2))
    assert (mention.author_reach, mention.likes, mention.replies) == (None, None, 2)
    assert mention.author == "ann@far.example"
