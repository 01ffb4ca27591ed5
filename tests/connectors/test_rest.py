"""Any REST API: five ways to page, how far is read, values found by JSONPath, and settings that cannot work."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.conform.worlds.rest import RestWorld
from connectors.contract import Batch, fetch
from connectors.sources.rest import Rest
from pipeline.errors import ChangedError
from pipeline.mention import MentionKind
from tests.connectors.worldly import Town, client, forgets_nothing_when_killed, hears_everything, refusal

FIELDS = {"id": "$.id", "text": "$.text", "said_at": "$.at"}
BASE: dict[str, Any] = {"name": "shop", "url": "https://shop.example/v1/reviews", "items": "$.data", "fields": FIELDS}
MANY = [{"id": n, "text": f"Review {n}", "at": f"2026-10-05T10:{n:02}:00Z"} for n in range(1, 8)]


def rest(**more: Any) -> Rest:  # noqa: ANN401 - settings
    return Rest.model_validate({**BASE, **more})


def walk(source: Rest, answer: Callable[[httpx.Request], httpx.Response], since: str | None = None) -> list[Batch]:
    with client(answer) as http:
        return list(fetch(source, http, since))


def heard(batches: list[Batch]) -> list[str]:
    return [mention.key for batch in batches for mention in batch.mentions]


def said(*items: Any, **more: Any) -> Callable[[httpx.Request], httpx.Response]:  # noqa: ANN401 - JSON
    return refusal(200, {"data": list(items), **more})


ALL = [f"rest:shop:{n}" for n in range(1, 8)]


def test_a_busy_shop_is_heard_whole_with_its_edits() -> None:
    hears_everything(RestWorld(), Rest)


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(RestWorld(), Rest)


def test_what_the_api_marks_as_deleted_is_gone() -> None:
    town = Town(RestWorld(), Rest)
    town.say(3)
    town.listen()
    town.change(town.said[1], deleted=True)
    assert [key for batch in town.listen() for key in batch.gone] == ["rest:town:2"]


def test_no_paging_is_one_request() -> None:
    assert heard(walk(rest(), said(*MANY))) == ALL


def test_pages_are_counted_to_an_empty_one() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["p"])
        asked.append(str(request.url.query))
        return httpx.Response(200, json={"data": MANY[page * 3 : page * 3 + 3]})

    assert heard(walk(rest(paging="page", page_param="p", first_page=0, params={"size": "3"}), answer)) == ALL
    assert asked == [f"b'size=3&p={n}'" for n in range(4)]


def test_an_api_that_gives_its_last_page_for_ever_is_left() -> None:
    asked = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(200, json={"data": MANY})

    assert set(heard(walk(rest(paging="page"), answer))) == set(ALL)
    assert asked == 4


def test_offsets_count_what_came() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params["offset"])
        return httpx.Response(200, json={"data": MANY[start : start + (2 if start else 3)]})

    assert heard(walk(rest(paging="offset"), answer)) == ALL


def test_links_are_followed_in_the_header_and_in_the_body() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("from", "0"))
        link = f"/v1/reviews?from={start + 4}" if start < 4 else None
        headers = {"Link": f'<{link}>; rel="next"'} if link else {}
        return httpx.Response(200, json={"data": MANY[start : start + 4], "links": {"next": link}}, headers=headers)

    assert heard(walk(rest(paging="link"), answer)) == ALL
    assert heard(walk(rest(paging="link", next="$.links.next"), answer)) == ALL


def test_a_link_to_another_host_is_not_followed() -> None:
    source = rest(paging="link", next="$.next", headers={"Authorization": "Bearer secret"})
    with pytest.raises(ChangedError, match=r"another host, evil\.example"):
        walk(source, said(*MANY, next="https://evil.example/"))


def test_a_token_that_comes_again_is_named() -> None:
    with pytest.raises(ChangedError, match="the same page twice"):
        walk(rest(paging="token", next="$.next"), said(*MANY, next="t1"))
    with pytest.raises(ChangedError, match="neither token nor link"):
        walk(rest(paging="token", next="$.next"), said(*MANY, next={"odd": 1}))


def test_with_post_all_parameters_and_secrets_go_into_the_body() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        body = json.loads(request.content)
        return httpx.Response(
            200, json={"data": MANY[3:] if "after" in body else MANY[:3], "next": None if "after" in body else "x"}
        )

    more = {"params": {"state": "all"}, "secret_params": {"key": "sesame"}, "page_param": "after"}
    source = rest(method="POST", paging="token", next="$.next", **more)
    assert heard(walk(source, answer)) == ALL
    assert [json.loads(each.content) for each in asked] == [
        {"state": "all", "key": "sesame"},
        {"state": "all", "key": "sesame", "after": "x"},
    ]
    assert "sesame" not in repr(source)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("iso", "2026-10-05T09:07:00Z"),
        ("epoch", "1791191220"),
        ("milliseconds", "1791191220000"),
        ("date", "2026-10-05"),
    ],
)
def test_the_lower_bound_is_written_as_the_api_reads_it(written: str, told: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"data": MANY})

    source = rest(url="https://shop.example/v1/reviews?lang=de", since_param="since", since_format=written)
    *_, last = walk(source, answer)
    assert last.cursor == "2026-10-05T10:07:00+00:00"
    assert "since" not in asked[0].url.params
    walk(source, answer, last.cursor)
    assert dict(asked[1].url.params) == {"lang": "de", "since": told}


def test_a_first_day_is_asked_for_and_reached() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"data": []})

    *_, last = walk(rest(since_param="since", since_format="date", first_day=date(2026, 10, 1)), answer)
    assert asked[0].url.params["since"] == "2026-10-01"
    assert (last.cursor, last.reach) == (None, datetime(2026, 10, 1, tzinfo=UTC))


def test_a_time_to_come_is_no_place_to_go_on_from() -> None:
    *_, last = walk(rest(since_param="since"), said({"id": 1, "text": "Hm", "at": "2098-01-01T00:00:00Z"}))
    assert last.cursor is not None
    assert datetime.fromisoformat(last.cursor) <= datetime.now(UTC)


def test_newest_first_ends_where_all_is_known() -> None:
    asked: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        asked.append(page)
        at = datetime(2026, 10, 5, tzinfo=UTC) - timedelta(days=page)
        return httpx.Response(200, json={"data": [{"id": page, "text": "x", "at": at.isoformat()}]})

    source = rest(paging="page", newest_first=True, overlap="1d")
    *_, last = walk(source, answer, "2026-10-04T00:00:00+00:00")
    assert asked == [1, 2, 3]
    assert last.reach == datetime(2026, 10, 3, tzinfo=UTC)


def test_a_cap_is_told_and_never_hides_what_nobody_read() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        return httpx.Response(200, json={"data": [MANY[-page]]})

    *_, last = walk(rest(paging="page", most_pages=2), answer, "2026-10-05T10:00:00+00:00")
    assert last.reach is None, "in no known order nobody knows what was not read"
    assert "more than 2 pages" in last.gaps[0].why
    assert last.gaps[0].start == datetime(2026, 10, 5, 9, tzinfo=UTC)
    *_, last = walk(rest(paging="page", most_pages=2, newest_first=True), answer, "2026-10-05T10:00:00+00:00")
    assert last.cursor == "2026-10-05T10:07:00+00:00"
    (gap,) = last.gaps
    assert (gap.start, gap.end) == (datetime(2026, 10, 5, 9, tzinfo=UTC), datetime(2026, 10, 5, 10, 6, tzinfo=UTC))


def in_steps(source: Rest, answer: Callable[[httpx.Request], httpx.Response]) -> list[list[Batch]]:
    """Calls until the place is a time again."""
    calls = [walk(source, answer)]
    while (cursor := calls[-1][-1].cursor or "").startswith("{"):
        calls.append(walk(source, answer, cursor))
    return calls


@pytest.mark.parametrize("paging", ["page", "offset", "token", "link"])
def test_a_call_goes_on_where_a_cap_ended_the_one_before(paging: str) -> None:
    asked: list[httpx.Request] = []
    named = {"page": "page", "offset": "offset", "token": "cursor", "link": "from"}[paging]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        start = int(request.url.params.get(named, "0"))
        following = str(start + 1) if start < 6 else None
        link = following and f"/v1/reviews?key={request.url.params['key']}&from={following}"
        body = {"data": MANY[start : start + 1], "next": link if paging == "link" else following}
        return httpx.Response(200, json=body)

    more = {"next": "$.next"} if paging in {"token", "link"} else {}
    source = rest(paging=paging, first_page=0, most_pages=3, secret_params={"key": "sesame"}, **more)
    calls = in_steps(source, answer)
    assert [mention for call in calls for mention in heard(call)] == ALL
    assert len({request.url for request in asked}) == len(asked), "nothing is asked for twice"
    assert all(len(call[-1].gaps) == 1 and call[-1].reach is None for call in calls[:-1])
    assert calls[-1][-1].reach is not None
    assert calls[-1][-1].cursor == "2026-10-05T10:07:00+00:00"
    assert not any("sesame" in (batch.cursor or "") for call in calls for batch in call)


def test_a_place_that_the_api_forgot_is_begun_again() -> None:
    forgets = False

    def answer(request: httpx.Request) -> httpx.Response:
        token = request.url.params.get("cursor", "0")
        if forgets and token == "2":
            return httpx.Response(410, text="expired")
        return httpx.Response(
            200, json={"data": [MANY[int(token)]], "next": str(int(token) + 1) if token < "4" else ""}
        )

    source = rest(paging="token", next="$.next", most_pages=2)
    cursor = walk(source, answer)[-1].cursor
    forgets = True
    assert heard(walk(source, answer, cursor)) == ALL[:2]
    moved = source.model_copy(update={"url": "https://other.example/reviews", "paging": "none"})
    assert heard(walk(moved, answer, cursor)) == ALL[:1]


def test_what_came_while_a_capped_walk_was_under_way_is_asked_for_again() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        now = {"id": page, "text": "x", "at": datetime.now(UTC).isoformat()}
        return httpx.Response(200, json={"data": [now] if page < 4 else []})

    before = datetime.now(UTC)
    first = walk(rest(paging="page", most_pages=1), answer)
    begun = datetime.now(UTC)
    *_, last = walk(rest(paging="page", most_pages=9), answer, first[-1].cursor)
    assert before <= datetime.fromisoformat(str(last.cursor)) <= begun
    (gap,) = last.gaps
    assert before <= (gap.start or before) <= begun <= gap.end, "on the first page there may be something new"


def test_an_empty_page_with_the_same_token_is_the_end() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [] if "cursor" in request.url.params else MANY, "next": "t1"})

    assert heard(walk(rest(paging="token", next="$.next"), answer)) == ALL


def test_an_address_keeps_its_last_slash() -> None:
    assert rest(url="https://shop.example/v1/reviews/").url == "https://shop.example/v1/reviews/"


def test_a_scale_that_stands_beside_the_rating_is_its_scale() -> None:
    source = rest(fields={**FIELDS, "rating": "$.stars", "rating_max": "$.of"})
    first, _ = walk(source, said({**MANY[0], "stars": 4, "of": 5}, {**MANY[1], "of": "n/a"}, {**MANY[2], "stars": 7}))
    assert [(each.rating, each.rating_max) for each in first.mentions] == [(4, 5), (None, None)]
    assert [aside.place for aside in first.rejected] == ["3"], "7 of nobody knows how many"


def test_what_changes_of_a_mention_without_an_id_makes_no_other_one_of_it() -> None:
    fields = {"text": "$.text", "said_at": "$.at", "likes": "$.likes", "edited_at": "$.edited"}
    passing = [{"likes": 1}, {"likes": 2}, {"edited": "2026-10-06T10:00:00Z"}]
    first, _ = walk(rest(fields=fields), said(*({**MANY[0], **more} for more in passing), {**MANY[0], "text": "Other"}))
    assert len({mention.key for mention in first.mentions}) == 2


@pytest.mark.parametrize(
    ("told", "gone"),
    [
        (True, True), (1, True), ("yes", True), ("Y", True), ("2026-10-06T10:00:00Z", True), (1791191220, True),
        (False, False), (None, False), (0, False), ("", False), ("N", False), ("n", False), ("f", False), ("no", False),
        ("0000-00-00 00:00:00", False), ("null", False), ("published", False),
    ],
)  # fmt: skip
def test_only_what_says_yes_or_when_was_deleted(told: object, *, gone: bool) -> None:
    source = rest(fields={**FIELDS, "deleted": "$.deleted"})
    first, _ = walk(source, said({**MANY[0], "deleted": told}))
    assert (list(first.gone), heard([first])) == ((ALL[:1], []) if gone else ([], ALL[:1]))


@pytest.mark.parametrize(
    "date", ["Mon, 05 Oct 2026 10:00:00 +99999999999999", "Mon, 05 Oct 2026 10:00:00 +9999", "x", ""]
)
def test_an_answer_of_no_readable_date_was_given_now(date: str) -> None:
    answer = refusal(200, {"data": MANY[:1]}, date=date)
    before = datetime.now(UTC)
    first, _ = walk(rest(fields={"id": "$.id", "text": "$.text"}), answer)
    assert before <= first.mentions[0].said_at <= datetime.now(UTC)


@pytest.mark.parametrize("envelope", [{}, {"data": {}}, {"data": "x"}, {"error": "no"}, 7, "x", None])
def test_no_list_where_it_should_stand_is_named(envelope: object) -> None:
    with pytest.raises(ChangedError):
        walk(rest(), refusal(200, envelope))


def test_where_a_missing_list_is_no_error_the_path_says_so() -> None:
    assert heard(walk(rest(items="$.data[*]"), refusal(200, {}))) == []
    assert heard(walk(rest(items="$.data[*]"), said(*MANY))) == ALL
    assert heard(walk(rest(items="$"), refusal(200, MANY))) == ALL
    assert heard(walk(rest(), refusal(200, {"data": None}))) == []


def test_only_what_the_settings_name_is_kept() -> None:
    (first, _) = walk(rest(), said({**MANY[0], "email": "ann@example.com", "ip": "10.1.1.1"}))
    assert [{name for name in raw if name != "heard_at"} for raw in first.raws] == [{"id", "text", "said_at"}]


def test_values_are_read_as_written_and_texts_of_several_places_stand_under_each_other() -> None:
    fields = {
        **FIELDS, "text": "$.answers[*].text", "rating": "$.scores[?@.name == 'stars'].value", "likes": "$.votes",
        "by_brand": "$.staff", "language": "$.lang", "parent": "$.of", "author_id": "$.who",
    }  # fmt: skip
    item = {
        "id": 41.0, "at": "05.10.2026 10:00",
        "answers": [{"text": "Wide."}, {"text": None}, {"text": "Heavy &amp; hot."}],
        "scores": [{"name": "fit", "value": 1}, {"name": "stars", "value": "4,5"}], "votes": 3, "staff": True,
        "lang": "de-AT", "of": 40, "who": 7,
    }  # fmt: skip
    source = rest(fields=fields, rating_max=5, timezone="Europe/Vienna", constants={"product": "Trail 2"})
    ((mention,), _) = [batch.mentions for batch in walk(source, said(item))]
    assert mention.model_dump(exclude_defaults=True) == {
        "key": "rest:shop:41", "source": "shop", "kind": MentionKind.REVIEW, "text": "Wide.\n\nHeavy & hot.",
        "said_at": datetime(2026, 10, 5, 8, tzinfo=UTC), "author_id": "7", "language": "de", "rating": 4.5,
        "rating_min": 1, "rating_max": 5, "parent": "rest:shop:40", "product": "Trail 2", "likes": 3, "by_brand": True,
    }  # fmt: skip


def test_null_is_no_rating_and_nought_is_one() -> None:
    source = rest(fields={**FIELDS, "rating": "$.stars"}, scale="nps")
    first, _ = walk(source, said({**MANY[0], "stars": None}, {**MANY[1], "stars": 0}))
    assert [(each.rating, each.rating_min, each.rating_max) for each in first.mentions] == [(None,) * 3, (0, 0, 10)]


@pytest.mark.parametrize(
    "strange",
    [
        None,
        "x",
        [],
        {},
        {"id": 9, "text": "no time"},
        {"id": 9, "text": "x", "at": "soon"},
        {"id": 9, "text": "x", "at": "1026-10-05T10:09:00Z"},
        {"id": 9, "text": "x", "at": "2126-10-05T10:09:00Z"},
    ],
)
def test_a_strange_item_is_kept_aside_and_moves_no_place(strange: object) -> None:
    first, last = walk(rest(), said(strange, MANY[0]))
    assert (len(first.mentions), len(first.rejected)) == (1, 1)
    assert last.cursor == "2026-10-05T10:01:00+00:00"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"items": "data"}, "is no JSONPath"),
        ({"items": ""}, "is no JSONPath"),
        ({"fields": {**FIELDS, "text": "$["}}, "is no JSONPath"),
        ({"fields": {**FIELDS, "text": "$.a | $.b"}}, "is no JSONPath"),
        ({"fields": {"id": "$.id"}}, "where the text stands"),
        ({"fields": {**FIELDS, "colour": "$.c"}}, "Input should be"),
        ({"paging": "token"}, "needs `next`"),
        ({"since_param": "since", "fields": {"text": "$.text"}}, r"need fields\.said_at"),
        ({"timezone": "Mars/Base"}, "no such time zone"),
        ({"url": "shop.example"}, "write an address"),
        ({"scale": "nps", "rating_max": 0}, "rating_max must be above"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_their_mend(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        rest(**more)


def test_an_answer_nested_beyond_reading_is_named() -> None:
    deep = "[" * 5_000 + "]" * 5_000
    with pytest.raises(ChangedError):
        walk(rest(items="$..x"), lambda _: httpx.Response(200, text=deep))


def test_the_place_says_when_it_was_heard_where_items_have_no_time() -> None:
    source = rest(fields={"id": "$.id", "text": "$.text"})
    answer = said(*MANY[:1])

    def dated(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        response.headers["date"] = "Mon, 05 Oct 2026 10:00:00 GMT"
        return response

    first, _ = walk(source, dated)
    assert first.mentions[0].said_at == datetime(2026, 10, 5, 10, tzinfo=UTC)
