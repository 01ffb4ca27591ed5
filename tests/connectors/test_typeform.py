"""Typeform: responses by time, answers by their ref, scales of questions, and what is not kept."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.conform.worlds.typeform import TypeformWorld
from connectors.contract import fetch
from connectors.sources.typeform import OVERLAP, PAGE, PAUSE, Typeform
from pipeline.errors import ChangedError, RecordError, RefusedError, TemporaryError
from pipeline.mention import MentionKind
from tests.connectors.replay import FIXTURES, Replay
from tests.connectors.test_recordings import hear, recording
from tests.connectors.worldly import (
    Town,
    client,
    forgets_nothing_when_killed,
    hears_everything,
    knows_what_is_gone,
    refusal,
)

SETTINGS = json.loads((FIXTURES / "typeform/settings.json").read_text(encoding="utf-8"))
SOURCE = Typeform.model_validate(SETTINGS)
PLAIN = Typeform.model_validate({"name": "t", "form": "h1K3", "token": "tfp"})


def answered(kind: str, ref: str | None, **value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    (told,) = value
    return {"field": {"id": "x", "type": kind, **({"ref": ref} if ref else {})}, "type": told, **value}


def response(*answers: Any, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    said = {"token": "aa1", "submitted_at": "2026-10-05T09:00:00Z", "answers": list(answers), "hidden": {}}
    return {**said, **more}


def test_a_busy_form_is_heard_whole() -> None:
    town = hears_everything(TypeformWorld(), Typeform)
    assert town.reach == max(each.at for each in town.said) - OVERLAP
    assert all(request.extensions["pause"] == PAUSE for request in town.asked)


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(TypeformWorld(), Typeform)


def test_only_what_was_deleted_is_gone() -> None:
    knows_what_is_gone(TypeformWorld(), Typeform)


def test_a_list_that_may_be_cut_calls_nothing_gone() -> None:
    other = response(token="zz9")
    for said in (
        {"items": [], "total_items": 0},
        {"items": [], "total_items": 1},
        {"items": []},
        {"items": [response()], "total_items": 2},
        {"items": [other], "total_items": 1},
        {"items": [response(), other], "total_items": 2},
    ):

        def answer(request: httpx.Request, said: dict[str, Any] = said) -> httpx.Response:
            asked = "included_response_ids" in request.url.params
            return httpx.Response(200, json=said if asked else {"items": [response()], "total_items": 7})

        with client(answer) as http:
            assert SOURCE.gone(http, ["typeform:h1K3/bb2", "typeform:other/cc3"]) == set(), said


def test_an_empty_form_calls_nothing_gone() -> None:
    with client(refusal(200, {"items": [], "total_items": 0})) as http:
        assert SOURCE.gone(http, ["typeform:h1K3/bb2"]) == set(), "nothing shows that it answers as it should"


def test_more_responses_in_one_second_than_a_page_holds_are_walked_by_token_without_an_order() -> None:
    town = Town(TypeformWorld(), Typeform)
    town.say(PAGE * 2 + 7, step=timedelta(0))
    town.listen()
    assert town.texts() == town.living()
    assert [("after" in each.url.params, "sort" in each.url.params) for each in town.asked][:4] == [
        (False, True),
        (False, True),
        (True, False),
        (True, False),
    ]


def test_one_late_response_of_a_full_second_is_heard_behind_others_that_came_before_it() -> None:
    town = Town(TypeformWorld(), Typeform)
    town.say(PAGE + 7, step=timedelta(0))
    full = town.now
    town.say(PAGE)
    town.say(1, at=full)
    town.listen()
    assert town.texts() == town.living()
    assert town.gaps == []


def test_responses_that_the_place_tells_of_and_does_not_give_are_a_gap_and_no_trap() -> None:
    said = response(answered("nps", "nps", number=3))
    with client(refusal(200, {"items": [said], "total_items": 2})) as http:
        *_, last = fetch(SOURCE, http, "2026-10-05T15:00:00+00:00")
    assert [gap.why for gap in last.gaps] == ["Typeform did not give all the responses it told of; some were not found"]
    assert last.cursor is not None, "the next call does not walk into it again for ever"


def test_a_first_day_is_the_lower_bound_of_the_first_call() -> None:
    town = Town(TypeformWorld(), Typeform, {"first_day": date(2026, 10, 5)})
    early = town.say(1, at=datetime(2026, 10, 4, 23, 59, 59, tzinfo=UTC))
    town.say(2)
    town.listen()
    assert len(town.heard) == 2
    assert early[0].text not in town.texts()
    assert town.reach == datetime(2026, 10, 5, tzinfo=UTC)


def test_a_time_to_come_is_no_place_to_go_on_from() -> None:
    wrong = response(answered("long_text", "why", text="Wide"), submitted_at="2099-01-01T00:00:00Z")
    with client(refusal(200, {"items": [wrong], "total_items": 1})) as http:
        *_, last = fetch(SOURCE, http, None)
    assert last.cursor is not None
    assert datetime.fromisoformat(last.cursor) <= datetime.now(UTC)


def one(said: dict[str, Any], form: dict[str, Any], asked: list[str], status: int = 200) -> Any:  # noqa: ANN401 - a mention
    """What is heard of one response to a form."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/responses"):
            return httpx.Response(200, json={"items": [said], "total_items": 1})
        return httpx.Response(status, json=form)

    with client(answer) as http:
        first, _ = fetch(PLAIN, http, None)
    return first.mentions[0]


def test_a_form_that_may_not_be_read_costs_no_response_and_its_scales_are_the_usual_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for kind, number, ends in (("rating", 5, (1, 5)), ("opinion_scale", 0, (0, 10))):
        for status in (403, 404):
            mention = one(response(answered(kind, None, number=number)), {"code": "AUTHENTICATION_FAILED"}, [], status)
            assert (mention.rating, mention.rating_min, mention.rating_max) == (number, *ends)
    assert "Give the token forms:read, or set rating_min and rating_max" in caplog.text
    said = response(answered("rating", None, number=7), answered("long_text", None, text="Too wide"))
    mention = one(said, {}, [], 404)
    assert (mention.text, mention.rating) == ("Too wide", None), "of an unknown scale a number means nothing"


def test_a_form_of_another_shape_is_named() -> None:
    with pytest.raises(ChangedError, match="a form without fields"):
        one(response(answered("rating", None, number=5)), {}, [])


def test_a_response_that_left_out_all_that_is_asked_for_is_passed_over() -> None:
    silent = [response(answered("opinion_scale", "other", number=3), token="t1"), response(token="t2", answers=None)]
    source = SOURCE.model_copy(update={"rating_min": 0.0, "rating_max": 10.0})
    with client(refusal(200, {"items": silent, "total_items": 2})) as http:
        first, last = fetch(source, http, None)
    assert (first.mentions, first.rejected) == ([], [])
    assert last.cursor == "2026-10-05T09:00:00+00:00"


def test_a_language_is_one_of_two_letters() -> None:
    source = PLAIN.model_copy(update={"hidden": {"language": "lang"}})
    for told, language in (("de-AT", "de"), ("fil-PH", None), ("German", None), ("pt_BR", "pt")):
        said = response(answered("nps", None, number=3), hidden={"lang": told})
        assert source.parse(said).language == language


@pytest.mark.parametrize(
    ("kind", "properties", "number", "ends"),
    [
        ("nps", None, 0, (0, 10)),
        ("opinion_scale", {"steps": 11, "start_at_one": False}, 10, (0, 10)),
        ("opinion_scale", {"steps": 5, "start_at_one": True}, 5, (1, 5)),
        ("opinion_scale", {"steps": 5}, 4, (0, 4)),
        ("rating", {"steps": 7, "shape": "star"}, 7, (1, 7)),
    ],
)
def test_the_question_says_its_scale(
    kind: str, properties: dict[str, Any] | None, number: int, ends: tuple[int, int]
) -> None:
    asked: list[str] = []
    group = {
        "id": "g",
        "type": "group",
        "properties": {"fields": [{"id": "x", "type": kind, "properties": properties}]},
    }
    mention = one(response(answered(kind, None, number=number)), {"fields": [None, group]}, asked)
    assert asked.count("/forms/h1K3") == (1 if properties else 0), "of an NPS it is known"
    assert (mention.rating, mention.rating_min, mention.rating_max) == (number, *ends)
    assert (mention.kind, mention.text) == (MentionKind.SURVEY, "")


def test_own_ends_win_and_a_number_off_the_scale_is_refused() -> None:
    said = response({**answered("rating", "r", number=7), "ends": [1, 5]})
    assert PLAIN.model_copy(update={"rating_max": 7.0}).parse(said).rating_max == 7
    with pytest.raises(RecordError, match="off the scale 1 to 5"):
        PLAIN.parse(said)
    with pytest.raises(RecordError, match="known scale; set rating_min"):
        PLAIN.parse(response(answered("rating", "gone from the form", number=7)))
    with pytest.raises(ValidationError, match="rating_max must be above"):
        Typeform.model_validate({"name": "t", "form": "h1K3", "token": "tfp", "rating_min": 5, "rating_max": 1})


def test_any_answer_can_be_the_text() -> None:
    source = PLAIN.model_copy(update={"text_refs": ("a", "b", "c", "d", "e")})
    said = response(
        answered("yes_no", "c", boolean=False),
        answered("short_text", "a", text="  Wide  "),
        answered("multiple_choice", "b", choice={"label": "Price", "id": "x", "ref": "y"}),
        answered("multiple_choice", "d", choices={"labels": ["Grip"], "other": "Laces"}),
        answered("number", "e", number=44),
    )
    assert source.parse(said).text == "Wide\n\nPrice\n\nno\n\nGrip, Laces\n\n44"


def test_without_refs_the_long_texts_are_the_text() -> None:
    said = response(answered("short_text", "name", text="Ann Berg"), answered("long_text", None, text="Too wide"))
    assert PLAIN.parse(said).text == "Too wide"


def test_a_response_that_says_nothing_is_refused_alone() -> None:
    for said in (response(), response(answers=None), response(hidden=None), {"strange": 1}):
        with pytest.raises((RecordError, TypeError, ValueError)):
            PLAIN.parse(said)


def test_what_tells_who_somebody_is_is_not_kept() -> None:
    said = response(
        answered("nps", "nps", number=3),
        answered("email", "mail", email="ann@example.com"),
        answered("phone_number", "tel", phone_number="+49301"),
        answered("short_text", "name", text="Ann Berg"),
        metadata={"network_id": "5f3c", "user_agent": "Mozilla"},
        hidden={"customer_id": "c-1", "email": "ann@example.com"},
    )
    with client(refusal(200, {"items": [said], "total_items": 1})) as http:
        first, _ = fetch(SOURCE, http, None)
    kept = json.dumps(first.raws)
    assert not [word for word in ("example.com", "49301", "Berg", "5f3c", "Mozilla") if word in kept]
    assert (first.mentions[0].author_id, first.mentions[0].rating) == ("c-1", 3)


def test_a_response_under_its_old_or_its_new_name_has_the_same_key() -> None:
    said = response(answered("nps", "nps", number=3))
    new = {**{name: value for name, value in said.items() if name != "token"}, "response_id": "aa1"}
    assert SOURCE.parse(said).key == SOURCE.parse(new).key == "typeform:h1K3/aa1"


def test_an_answer_in_another_form_stops_no_walk() -> None:
    odd = [response({"field": {"ref": {"odd": 1}}, "type": ["x"]}, token=f"t{n}") for n in range(2)]
    good = response(answered("nps", "nps", number=3), token="good", response_type={"odd": 1})
    with client(refusal(200, {"items": [*odd, None, good], "total_items": 3})) as http:
        batches = list(fetch(SOURCE, http, None))
    assert [mention.key for batch in batches for mention in batch.mentions] == ["typeform:h1K3/good"]
    with client(refusal(200, {"items": {}})) as http, pytest.raises(ChangedError, match="no list of responses"):
        list(fetch(SOURCE, http, None))


def test_the_documented_responses_and_errors_are_understood(shared: Path) -> None:
    documented = recording(shared / "fixtures/typeform/responses.json")
    source = Typeform.model_validate(
        {"name": "t", "form": "lT4Z3j", "token": "tfp", "text_refs": ["why"], "rating_ref": "nps"}
        | {"rating_min": 0, "rating_max": 10}  # its question is an opinion scale
    )
    mentions, cursor, refused = hear(source, Replay(documented[:2], in_order=True))
    assert [mention.key for mention in mentions] == [
        "typeform:lT4Z3j/21085286190ffad1248d17c4135ee56f",
        "typeform:lT4Z3j/610fc266478b41e4927945e20fe54ad2",
    ]
    first, second = mentions
    assert (first.rating, first.text, refused) == (3, "Zu teuer & lahm 🐌", 0)
    assert first.said_at == datetime(2026, 9, 14, 22, 38, 22, tzinfo=UTC)
    assert (second.rating, second.rating_min, second.rating_max, second.text) == (10, 0, 10, "")
    assert cursor == "2026-09-14T22:38:22+00:00"
    for exchange, error in zip(documented[2:], (RefusedError, TemporaryError), strict=True):
        answer = refusal(exchange["response"]["status"], exchange["response"]["json"])
        with client(answer) as http, pytest.raises(error):
            list(fetch(source, http, None))


def test_no_request_sends_an_order_and_a_token_together() -> None:
    town = Town(TypeformWorld(), Typeform)
    town.say(5)
    town.listen()
    assert all(isinstance(each, httpx.Request) and not {"sort", "after"} <= {*each.url.params} for each in town.asked)
