"""Steam: its opaque cursor, its languages and tags, thumbs as ratings, the developer's answers, and its odd errors."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.client import open_client
from connectors.contract import Batch, fetch
from connectors.sources.steam import FIRST_PAGES, LANGUAGES, OVERLAP, Steam
from pipeline.errors import ChangedError, RefusedError, TemporaryError
from pipeline.mention import Mention
from tests.connectors.answers import answering
from tests.connectors.replay import Replay

SOURCE = Steam(name="s", app_id="480")
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def review(native: int, at: datetime = NOON, **more: object) -> dict[str, Any]:
    second = int(at.timestamp())
    return {
        "recommendationid": str(native),
        "author": {"steamid": "76561198000000001"},
        "language": "english",
        "review": "fine",
        "timestamp_created": second,
        "timestamp_updated": second,
        "voted_up": True,
        **more,
    }


def page(*reviews: object, cursor: str = "next+/=") -> httpx.Response:
    return httpx.Response(200, json={"success": 1, "query_summary": {}, "reviews": list(reviews), "cursor": cursor})


def hear(transport: httpx.BaseTransport, since: str | None = None, source: Steam = SOURCE) -> list[Batch]:
    with open_client(attempts=1, transport=transport, sleep=lambda _: None) as http:
        return list(fetch(source, http, since))


def heard(batches: list[Batch]) -> list[Mention]:
    return [mention for batch in batches for mention in batch.mentions]


def test_nothing_is_hidden_by_steams_own_defaults_and_the_cursor_is_sent_as_it_came() -> None:
    transport, asked = answering(page(review(1), cursor="AoJ4+/=="), page(cursor="AoJ4+/=="))
    hear(transport)
    assert dict(asked[0].url.params) == {
        "json": "1",
        "filter": "updated",
        "language": "all",
        "review_type": "all",
        "purchase_type": "all",
        "filter_offtopic_activity": "0",
        "num_per_page": "100",
        "cursor": "*",
    }
    assert b"cursor=AoJ4%2B%2F%3D%3D" in asked[1].url.query
    assert len(asked) == 2


def test_a_short_page_is_not_the_end_and_a_cursor_that_comes_again_is() -> None:
    pages = [page(review(1), cursor="a"), page(review(2), review(3), cursor="b"), page(review(4), cursor="b")]
    transport, asked = answering(*pages)
    assert [mention.key for mention in heard(hear(transport))] == [f"steam:{n}" for n in (1, 2, 3, 4)]
    assert len(asked) == 3


def test_it_goes_on_until_a_whole_page_is_older_than_the_overlap() -> None:
    old, older = NOON - OVERLAP + timedelta(hours=1), NOON - OVERLAP - timedelta(hours=1)
    pages = [page(review(1), cursor="a"), page(review(3, older), review(2, old), cursor="b")]
    pages += [page(review(4, older), cursor="c"), page(review(5, older), cursor="d")]
    transport, asked = answering(*pages)
    batches = hear(transport, NOON.isoformat())
    assert len(asked) == 3
    assert batches[-1].reach == NOON - OVERLAP
    assert batches[-1].cursor == NOON.isoformat()


def test_a_first_day_goes_back_to_it_and_without_one_a_first_call_ends_somewhere() -> None:
    def endless(request: httpx.Request) -> httpx.Response:
        number = 0 if request.url.params["cursor"] == "*" else int(request.url.params["cursor"])
        return page(review(number + 1, NOON - timedelta(days=number)), cursor=str(number + 1))

    batches = hear(httpx.MockTransport(endless))
    assert len(heard(batches)) == FIRST_PAGES
    assert batches[-1].reach == NOON - timedelta(days=FIRST_PAGES - 1)
    asked_back = hear(httpx.MockTransport(endless), None, SOURCE.model_copy(update={"first_day": date(2026, 6, 1)}))
    assert min(mention.said_at for mention in heard(asked_back)) < datetime(2026, 6, 1, tzinfo=UTC)
    assert asked_back[-1].reach == datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("bbcode", "text"),
    [
        ("[b]핵쟁이[/b] 너무 많음\n\n[list][*]매칭 느림[*]렉[/list]", "핵쟁이 너무 많음\n\n매칭 느림\n렉"),
        ("[h1]Good[/h1][i]and[/i] [u]bad[/u] [strike]or[/strike]", "Good\nand bad or"),
        ("[url=https://x.example]see[/url] [spoiler]he dies[/spoiler]", "see he dies"),
        ("[quote=ann]old words[/quote]mine", "old words\nmine"),
        ("[10/10] best [game] <3 &amp; &lt;more&gt;", "[10/10] best [game] <3 & <more>"),
        ("[table][tr][th]A[/th][td]1[/td][/tr][/table][hr][/hr][code]x[/code]", "A1\n\nx"),
        ("no\r\nend [b", "no\nend [b"),
    ],
)
def test_tags_of_steam_are_taken_off_and_nothing_else(bbcode: str, text: str) -> None:
    assert SOURCE.parse(review(1, review=bbcode)).text == text


def test_languages_have_their_iso_code_or_none() -> None:
    told = {name: SOURCE.parse(review(1, language=name)).language for name in ("tchinese", "latam", "klingon")}
    assert told == {"tchinese": "zh", "latam": "es", "klingon": None}
    assert all(len(code) == 2 for code in LANGUAGES.values())
    assert len(LANGUAGES) == 32


def test_a_thumb_is_a_rating_and_none_is_no_rating_of_zero() -> None:
    down = SOURCE.parse(review(1, voted_up=False))
    assert (down.rating, down.rating_min, down.rating_max) == (0, 0, 1)
    batches = hear(answering(page(review(1), review(2, voted_up=None)), page())[0])
    assert [len(batches[0].mentions), len(batches[0].rejected)] == [1, 1]


def test_the_developers_answer_is_the_brands_and_stands_under_its_review() -> None:
    said: dict[str, Any] = {
        "developer_response": "[b]Sorry![/b]",
        "timestamp_dev_responded": int(NOON.timestamp()) + 60,
    }
    answer = SOURCE.answer(review(7, **said))
    assert answer is not None
    assert (answer.key, answer.parent, answer.by_brand) == ("steam:7/reply", "steam:7", True)
    assert (answer.text, answer.said_at) == ("Sorry!", NOON + timedelta(minutes=1))
    assert answer.rating is None
    assert SOURCE.answer(review(7, developer_response=None)) is None


def test_a_time_that_is_none_costs_its_review_alone_and_one_of_the_future_makes_no_place() -> None:
    reviews = [review(1, timestamp_updated=10**15), review(2, timestamp_updated=4_102_444_800), review(3)]
    batches = hear(answering(page(*reviews), page())[0])
    assert [mention.key for mention in heard(batches)] == ["steam:1", "steam:2", "steam:3"]
    assert batches[-1].cursor == NOON.isoformat()
    batches = hear(answering(page(review(1, timestamp_created=10**15), review(2)), page())[0])
    assert [len(batches[0].mentions), len(batches[0].rejected)] == [1, 1]


def test_an_app_nobody_knows_is_the_operators_matter() -> None:
    with pytest.raises(RefusedError, match="app_id"):
        hear(answering(httpx.Response(200, json={"success": 2}))[0])


def test_recorded_reviews_are_read_to_the_cursor_that_comes_again(shared: Path) -> None:
    exchanges = recorded(shared, "reviews_3_pages")
    replay = Replay(exchanges, in_order=True)
    batches = hear(replay, None, Steam(name="s", app_id="291480"))
    mentions = heard(batches)
    reviews = [mention for mention in mentions if not mention.by_brand]
    natives = [each["recommendationid"] for exchange in exchanges for each in exchange["response"]["json"]["reviews"]]
    assert [mention.key for mention in reviews] == [f"steam:{native}" for native in natives]
    assert (len(reviews), len(mentions) - len(reviews)) == (60, 20)
    assert sum(mention.rating or 0 for mention in reviews) == 31
    assert len([mention for mention in reviews if mention.edited_at]) == 9
    assert batches[-1].cursor == "2019-03-05T10:06:32+00:00"
    assert replay.unused == []
    assert mentions[1].key == "steam:49369633/reply"
    assert mentions[1].said_at == reviews[0].said_at, "an answer without a time came after its review"


def test_documented_languages_edits_and_numbers_are_read(shared: Path) -> None:
    first, empty, *_ = recorded(shared, "languages_empty_and_errors")
    mentions = heard(hear(Replay([first], in_order=True), None, Steam(name="s", app_id="1")))[:6]
    assert [mention.language for mention in mentions] == ["zh", "ru", "pt", "ja", "de", "ko"]
    assert [mention.rating for mention in mentions] == [0, 0, 1, 1, 0, 0]
    assert mentions[1].edited_at == datetime(2022, 5, 13, 8, 59, 59, tzinfo=UTC)
    assert mentions[4].text == "Nach dem letzten Patch nur noch Abstürze & Ruckler."
    assert heard(hear(Replay([empty], in_order=True), None, Steam(name="s", app_id="999999999"))) == []


def test_every_recorded_error_has_its_class(shared: Path) -> None:
    *_, bad_app, throttled, broken = recorded(shared, "languages_empty_and_errors")
    for exchange, error in ((bad_app, RefusedError), (throttled, TemporaryError), (broken, TemporaryError)):
        answer = exchange["response"]
        said = json.dumps(answer["json"]) if "json" in answer else answer["text"]
        with pytest.raises(error):
            hear(answering(httpx.Response(answer["status"], text=said))[0])
    with pytest.raises(ChangedError):
        hear(answering(httpx.Response(200, text="null"))[0])


def recorded(shared: Path, name: str) -> list[dict[str, Any]]:
    told = json.loads((shared / f"fixtures/steam/{name}.json").read_text(encoding="utf-8"))
    exchanges: list[dict[str, Any]] = told["interactions"]
    return exchanges
