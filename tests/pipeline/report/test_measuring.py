import random
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report import Report, measure
from pipeline.sentiment import Feeling
from pipeline.trend import WARM_UP
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint

BERLIN = ZoneInfo("Europe/Berlin")
START, END = datetime(2026, 10, 1, tzinfo=BERLIN), datetime(2026, 11, 1, tzinfo=BERLIN)
WITHIN: dict[str, Any] = {"start": START, "end": END, "zone": BERLIN, "brand": "Hike"}

Said = Callable[..., Any]

mentions = st.fixed_dictionaries(
    {
        "minutes": st.integers(-10_000, 60_000),
        "lane": st.sampled_from(Lane),
        "needs_reply": st.booleans(),
        "complaint": st.sampled_from([True, False, None]),
        "sentiment": st.sampled_from(Feeling),
        "sentiment_score": st.none() | st.floats(-1, 1),
        "category": st.none() | st.sampled_from(Category),
        "factor": st.none() | st.sampled_from(Factor),
        "stage": st.none() | st.sampled_from(Stage),
        "touchpoint": st.none() | st.sampled_from(Touchpoint),
        "by_brand": st.booleans(),
        "source": st.sampled_from(["forum", "app"]),
        "language": st.sampled_from([None, "en", "fi"]),
        "author": st.none() | st.sampled_from(["ann", "bob"]),
        "text": st.text(max_size=30),
    }
)


@given(drawn=st.lists(mentions, max_size=40))
def test_whatever_was_heard_every_figure_adds_up(said: Said, drawn: list[dict[str, Any]]) -> None:
    pairs = [
        said(
            number, START + timedelta(minutes=fields["minutes"]), **{k: v for k, v in fields.items() if k != "minutes"}
        )
        for number, fields in enumerate(sorted(drawn, key=lambda fields: fields["minutes"]))
    ]
    report = measure(pairs, **WITHIN)
    inside = [pair for pair in pairs if START <= pair[0].said_at < END]
    ours = [pair for pair in inside if pair[0].by_brand]
    assert report.by_brand == len(ours)
    assert report.mentions == len(inside) - len(ours)
    assert report.service + report.experience + report.noise + report.unscored.count == report.mentions
    assert sum(day.mentions for day in report.days) == report.mentions
    assert sum(day.service for day in report.days) == report.service
    assert sum(place.mentions for place in report.sources) == report.mentions
    assert sum(cell.mentions for cell in report.journey) + report.nowhere == report.service + report.experience
    assert sum(stretch.negative.count for stretch in report.feelings) == report.negative.count
    assert sum(stretch.positive.total for stretch in report.feelings) == report.positive.total
    assert sum(row.unscored for row in report.unjudged) == report.unscored.count
    assert sum(topic.rate.count for topic in report.categories) <= report.service
    assert report.complaint.total <= report.service + report.experience
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_noise_and_the_unscored_have_no_part_in_the_experience(said: Said) -> None:
    moment = START + timedelta(hours=1)
    loud: dict[str, Any] = {
        "complaint": True,
        "sentiment": Feeling.NEGATIVE,
        "sentiment_score": -1.0,
        "stage": Stage.USE,
    }
    pairs = [
        said(1, moment, lane=Lane.NOISE, **loud),
        said(2, moment, lane=Lane.UNSCORED, **loud),
        said(3, moment, sentiment=Feeling.POSITIVE, sentiment_score=0.5),
    ]
    report = measure(pairs, **WITHIN)
    assert (report.noise, report.unscored.count) == (1, 1)
    assert (report.complaint.count, report.complaint.total) == (0, 1)
    assert (report.negative.count, report.negative.total) == (0, 1)
    assert report.sentiment.mean == 0.5
    assert report.journey == []


def test_the_brands_own_posts_are_counted_and_left_out(said: Said) -> None:
    report = measure([said(1, START, by_brand=True, lane=Lane.SERVICE)], **WITHIN)
    assert report.by_brand == 1
    assert report.mentions == 0
    assert report.sources == []


def test_a_day_is_a_day_where_the_brand_lives(said: Said) -> None:
    late = datetime(2026, 10, 4, 22, 30, tzinfo=UTC)  # half past midnight in Berlin
    report = measure([said(1, late)], **WITHIN)
    assert [day.day for day in report.days if day.mentions] == [date(2026, 10, 5)]
    assert len(report.days) == 31


def test_the_start_is_in_the_period_and_the_end_is_not(said: Said) -> None:
    report = measure([said(1, START), said(2, END)], **WITHIN)
    assert report.mentions == 1


def test_the_period_before_has_as_many_days_even_when_the_clocks_change(said: Said) -> None:
    report = measure([said(1, START)], before=[said(2, START - timedelta(days=20))], **WITHIN)
    assert report.before is not None
    assert report.before.end == START
    assert (report.before.end.date() - report.before.start.date()).days == 31
    assert report.before.start.hour == 0


def test_days_before_listening_began_are_not_taken_for_silence(said: Said) -> None:
    began = START - timedelta(days=10)
    before = [said(number, began + timedelta(hours=number)) for number in range(240)]
    now = [said(1000 + number, START + timedelta(hours=number)) for number in range(744)]
    report = measure(now, before=before, **WITHIN)
    assert report.before is not None
    assert report.before.start == began
    assert report.before.mentions.ratio == pytest.approx(1, abs=0.02)


def test_without_a_period_before_nothing_is_compared(said: Said) -> None:
    report = measure([said(1, START, lane=Lane.SERVICE, category=Category.DELIVERY)], **WITHIN)
    assert report.before is None
    assert report.categories[0].trend is None


def test_an_outage_is_a_peak_that_names_what_it_was_about(report: Report) -> None:
    peaks = {peak.what: peak for peak in report.peaks}
    assert set(peaks) == {"mentions", "complaints"}
    assert all(peak.day == date(2026, 10, 14) for peak in peaks.values())
    assert peaks["mentions"].mostly is Category.TECHNICAL_PROBLEM
    assert peaks["mentions"].count > 3 * peaks["mentions"].usual


def test_only_the_topic_that_grew_beyond_chance_is_notable(report: Report) -> None:
    notable = [topic.name for topic in report.categories if topic.trend and topic.trend.notable]
    assert notable == [Category.TECHNICAL_PROBLEM]


def test_a_topic_that_vanished_is_still_told(said: Said) -> None:
    before = [
        said(number, START - timedelta(days=1), lane=Lane.SERVICE, category=Category.DELIVERY) for number in range(30)
    ]
    report = measure([said(99, START)], before=before, **WITHIN)
    assert report.categories[0].name is Category.DELIVERY
    assert report.categories[0].rate.count == 0
    assert report.categories[0].trend is not None
    assert report.categories[0].trend.notable


def test_the_first_week_of_listening_is_not_watched_for_peaks(said: Said) -> None:
    pairs = [said(number, START + timedelta(hours=number)) for number in range(744)]
    assert measure(pairs, **WITHIN).watched_days == 31 - WARM_UP


def test_a_week_is_held_against_four_weeks_before_it(said: Said) -> None:
    past = [said(number, START - timedelta(hours=number)) for number in range(28 * 24, 0, -1)]
    week = [said(9000 + number, START + timedelta(hours=2 * number)) for number in range(7 * 12)]
    report = measure(week, before=past, **(WITHIN | {"end": START + timedelta(days=7)}))
    assert report.watched_days == 7
    assert report.before is not None
    assert report.before.mentions.before == 7 * 24
    burst = [said(20_000 + number, START + timedelta(days=3)) for number in range(90)]
    peaks = measure(week + burst, before=past, **(WITHIN | {"end": START + timedelta(days=7)})).peaks
    assert [peak.usual for peak in peaks] == [pytest.approx(24, abs=2)]


def test_a_source_that_was_asked_but_said_nothing_is_reported(said: Said) -> None:
    report = measure([said(1, START)], labels={"forum": "Trail forum", "news": "News"}, **WITHIN)
    assert [(place.label, place.mentions) for place in report.sources] == [("Trail forum", 1), ("News", 0)]


def test_feelings_are_told_by_the_day_only_where_a_day_says_enough(said: Said) -> None:
    few = [said(number, START + timedelta(hours=number)) for number in range(700)]
    weeks = measure(few, **WITHIN).feelings
    assert [stretch.first.day for stretch in weeks] == [1, 5, 12, 19, 26]
    many = [said(number, START + timedelta(minutes=number * 30)) for number in range(31 * 48)]
    assert len(measure(many, **WITHIN).feelings) == 31
    assert len(measure(few, **(WITHIN | {"end": START + timedelta(days=7)})).feelings) == 7


def test_the_scrap_of_a_week_goes_with_its_neighbour() -> None:
    march: dict[str, Any] = {"start": datetime(2026, 3, 1, tzinfo=BERLIN), "end": datetime(2026, 4, 1, tzinfo=BERLIN)}
    weeks = measure([], **(WITHIN | march)).feelings
    assert [(week.first.day, week.last.day) for week in weeks] == [(1, 8), (9, 15), (16, 22), (23, 31)]


def test_the_versions_of_every_classifier_are_kept(said: Said) -> None:
    pairs = [said(1, START, versions={"triage": "2"}), said(2, START, versions={"triage": "1"})]
    assert measure(pairs, **WITHIN).versions == {"triage": ["1", "2"]}


@pytest.mark.parametrize("fault", [{"end": START}, {"start": datetime(2026, 10, 1)}])  # noqa: DTZ001 - the fault
def test_a_period_without_length_or_zone_is_refused(fault: dict[str, datetime]) -> None:
    with pytest.raises(ValueError, match="period"):
        measure([], **(WITHIN | fault))


def test_the_order_of_mentions_changes_no_figure(report: Report, grown: Callable[..., Any]) -> None:
    again = grown()
    random.Random(1).shuffle(again.pairs)
    shuffled = again.report()
    left_out = {"gaps", "sentiment", "before"}
    assert shuffled.model_dump(exclude=left_out) == report.model_dump(exclude=left_out)
    assert shuffled.sentiment.mean == pytest.approx(report.sentiment.mean)


def test_memory_does_not_grow_with_the_mentions(said: Said) -> None:
    def heard(count: int) -> Iterator[Any]:
        for number in range(count):
            moment = START + timedelta(seconds=number * 60)
            reach = (number * 7919) % 100_003
            yield said(
                number, moment, author=f"a{number}", author_reach=reach, likes=reach, factor=Factor.PRODUCT_QUALITY,
                sentiment=Feeling.POSITIVE, sentiment_score=0.5, text=f"number {number} " + "long " * 100,
            )  # fmt: skip

    def peak(count: int) -> int:
        tracemalloc.start()
        measure(heard(count), **WITHIN)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(10)
    assert peak(1600) < 1.3 * peak(800)
