from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.analysis import Analysis
from pipeline.case import CaseState, Decision, Step, carry_out
from pipeline.mention import Mention
from pipeline.route import Route, When, alert_key, alerts, choose, solved

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
GRAVE = Route.model_validate({"name": "grave", "team": "Safety", "reply_within": "30m", "sinks": ["pager"]})
LAST = Route.model_validate({"name": "rest", "team": "Support", "reply_within": "4h", "sinks": ["mail", "desk"]})


def route(**when: object) -> Route:
    return Route.model_validate({"name": "special", "when": when, "team": "Special", "reply_within": "1h"})


@pytest.mark.parametrize(
    "when",
    [
        {"lane": "service"},
        {"category": ["delivery", "question"]},
        {"urgency": "normal"},
        {"source": "mastodon"},
        {"brand": "Hike"},
        {"language": "en"},
        {"words": r"never\s+came"},
        {"reach_from": 1000},
        {"probability_from": 0.9},
        {"category": "delivery", "words": "ORDER"},
    ],
)
def test_each_field_of_when_can_take_a_case_and_says_why(
    when: dict[str, object], mention: Callable[..., Mention], analysis: Callable[..., Analysis]
) -> None:
    said = mention(brand="Hike", author_reach=5000)
    routing = choose(said, analysis(), GRAVE, [route(**when), LAST])
    assert routing.route.name == "special"
    assert routing.why[0].startswith('route "special": ')
    assert len(routing.why[0]) > len('route "special": ')


@pytest.mark.parametrize(
    "when",
    [
        {"lane": "noise"},
        {"category": "question"},
        {"urgency": ["critical", "high"]},
        {"source": "feed"},
        {"brand": "Other"},
        {"language": "de"},
        {"words": "refund"},
        {"reach_from": 5001},
        {"probability_from": 0.91},
        {"category": "delivery", "words": "refund"},
    ],
)
def test_one_field_that_does_not_match_leaves_the_case_to_the_next_route(
    when: dict[str, object], mention: Callable[..., Mention], analysis: Callable[..., Analysis]
) -> None:
    said = mention(brand="Hike", author_reach=5000)
    assert choose(said, analysis(), GRAVE, [route(**when), LAST]).route is LAST


def test_a_grave_signal_goes_first_whatever_the_lane(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis]
) -> None:
    cut = {"field": "grave", "text": "cut my foot", "start": 0, "end": 11, "weight": 1.0}
    judged = analysis(lane="noise", category=None, grave=["injury"], reasons=[cut])
    routing = choose(mention(), judged, GRAVE, [route(lane="noise"), LAST])
    assert routing.route is GRAVE
    assert routing.why[0] == 'injury: "cut my foot"'


def test_the_first_route_that_matches_decides(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis]
) -> None:
    first = route(lane="service")
    second = Route.model_validate({**first.model_dump(), "name": "second"})
    assert choose(mention(), analysis(), GRAVE, [first, second, LAST]).route is first


def test_an_alert_says_who_what_where_why_until_when_and_links(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis]
) -> None:
    said = mention(title="Shipping", url="https://social.example/1", brand="Hike")
    routing = choose(said, analysis(), GRAVE, [LAST])
    case, occasion = carry_out(
        Decision(Step.OPEN), said, analysis(), route="rest", team="Support", reply_within=timedelta(hours=4), now=NOON
    )
    told = alerts(case, said, routing, occasion=occasion or "", place="Mastodon (mastodon)", made_at=NOON)
    assert [alert.sink for alert in told] == ["mail", "desk"]
    alert = told[0]
    assert (alert.who, alert.text, alert.where) == ("mia", "Shipping\n\nMy order never came", "Mastodon (mastodon)")
    assert alert.reply_by == NOON + timedelta(hours=4)
    assert alert.url == "https://social.example/1"
    assert alert.why == [
        'route "rest": takes what no other route took',
        "service (90%), delivery, normal",
        'because of "never came"',
    ]
    assert len({alert.key for alert in told}) == 2


def test_the_end_of_a_case_is_told_once_each_time_it_ends(
    mention: Callable[..., Mention], analysis: Callable[..., Analysis]
) -> None:
    said = mention(url="https://social.example/1", brand="Hike")
    case, _ = carry_out(
        Decision(Step.OPEN), said, analysis(), route="rest", team="Support", reply_within=timedelta(hours=4), now=NOON
    )
    thanks = mention(text="Thank you, all is well", url="https://social.example/2", brand="Hike")
    answered = case.model_copy(update={"answered_at": NOON})
    closed = answered.model_copy(update={"state": CaseState.CLOSED, "closed_at": NOON, "closed_because": "refunded"})
    page, _ = solved(answered, ["pager", "desk"], mention=thanks, place="Mastodon", made_at=NOON)
    assert (page.kind, page.case, page.why, page.text) == (
        "solved",
        case.key,
        ["the brand has answered"],
        "Thank you, all is well",
    )
    assert (page.title, page.url) == ("Hike: delivery (answered)", "https://social.example/2")
    (end,) = solved(closed, ["pager"], made_at=NOON)
    assert (end.title, end.why, end.text, end.who) == ("Hike: delivery (closed)", ["refunded"], "", None)
    (again,) = solved(closed, ["pager"], made_at=NOON + timedelta(days=1))
    assert len({page.key, end.key, again.key}) == 3
    # Two answers of one day end two pages, though many sources tell only the day of either.
    ends = [solved(answered, ["pager"], mention=mention(key=key), made_at=NOON)[0].key for key in ("s:1", "s:2", "s:1")]
    assert ends[0] == ends[2] != ends[1]


@given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
def test_the_same_act_has_the_same_key_and_another_has_another(one: list[str], other: list[str]) -> None:
    assert (alert_key(*one) == alert_key(*other)) == (one == other)


@pytest.mark.parametrize(
    ("written", "meant"), [("30m", 30), ("2h", 120), ("1d", 1440), ("1h 30m", 90), ("1d12h", 2160)]
)
def test_durations_are_written_as_people_say_them(written: str, meant: int) -> None:
    read = Route.model_validate({"name": "r", "team": "t", "reply_within": written})
    assert read.reply_within == timedelta(minutes=meant)


@pytest.mark.parametrize("written", ["", "soon", "30", "-5m", "1w", 3, 1.5, None])
def test_a_duration_nobody_can_read_is_refused_with_the_mend(written: object) -> None:
    with pytest.raises(ValidationError, match='write a duration like "30m"'):
        Route.model_validate({"name": "r", "team": "t", "reply_within": written})


def test_words_that_do_not_compile_are_refused() -> None:
    with pytest.raises(ValidationError, match="does not compile"):
        When(words="(refund")


@pytest.mark.parametrize("written", ["0m", "1000000d", "99999999999999999999d"])
def test_a_duration_out_of_reason_is_refused(written: str) -> None:
    with pytest.raises(ValidationError, match="should be"):
        Route.model_validate({"name": "r", "team": "t", "reply_within": written})
