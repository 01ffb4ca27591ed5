import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.trend import difference, mean, notable, spikes, trend, wilson

counts = st.integers(0, 400)


def _poisson(chance: random.Random, average: float) -> int:
    """Knuth's way: count how many exponential waits fit into one day."""
    day, count = chance.expovariate(average), 0
    while day < 1:
        day += chance.expovariate(average)
        count += 1
    return count


def _tail(count: int, total: int, share: Fraction) -> float:
    """P(X >= count) for X binomial, term by term and exactly."""
    terms = (math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(count, total + 1))
    return float(sum(terms, Fraction(0)))


def test_the_interval_of_a_share_is_wilsons_as_published() -> None:
    rate = wilson(81, 263)  # Newcombe 1998, table I
    assert (round(rate.low, 4), round(rate.high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 20).low == 0
    assert round(wilson(0, 20).high, 4) == 0.1611


def test_nothing_seen_says_nothing() -> None:
    assert wilson(0, 0).share is None
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)
    assert mean(0, 0.0, 0.0).mean is None
    assert (mean(0, 0.0, 0.0).low, mean(0, 0.0, 0.0).high) == (-1, 1)


@pytest.mark.parametrize(("count", "total"), [(3, 2), (-1, 2)])
def test_a_count_outside_its_total_is_no_share(count: int, total: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(count, total)


@given(counts, counts)
def test_a_share_lies_in_its_interval(count: int, more: int) -> None:
    rate = wilson(count, count + more)
    assert 0 <= rate.low <= rate.high <= 1
    assert rate.share is None or rate.low <= rate.share <= rate.high


def test_the_interval_of_a_share_holds_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(3)
    for share in (0.03, 0.2, 0.5):
        rates = [wilson(sum(chance.random() < share for _ in range(80)), 80) for _ in range(1500)]
        assert sum(rate.low <= share <= rate.high for rate in rates) / len(rates) > 0.92


def test_the_interval_of_a_mean_holds_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(4)
    for size in (3, 10, 60):
        means = []
        for _ in range(1500):
            scores = [chance.uniform(-0.9, 0.5) for _ in range(size)]
            means.append(mean(size, sum(scores), sum(score * score for score in scores)))
        assert sum(found.low <= -0.2 <= found.high for found in means) / len(means) > 0.94


def test_a_handful_of_equal_scores_is_not_certain() -> None:
    assert mean(3, 0.0, 0.0).high > 0.3


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50))
def test_a_mean_lies_in_its_interval(scores: list[float]) -> None:
    found = mean(len(scores), sum(scores), sum(score * score for score in scores))
    assert found.mean is not None
    assert -1 <= found.low <= found.mean <= found.high <= 1


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 31), st.integers(1, 31))
def test_a_change_is_tested_exactly(now: int, before: int, days_now: int, days_before: int) -> None:
    found = trend(now, before, days_now=days_now, days_before=days_before)
    fair = Fraction(days_now, days_now + days_before)
    tails = _tail(now, now + before, fair), _tail(before, now + before, 1 - fair)
    assert found.p == pytest.approx(min(1, 2 * min(tails)), rel=1e-9)


def test_the_interval_of_a_ratio_ends_where_the_test_does() -> None:
    found = trend(30, 10, days_now=31, days_before=30)
    assert found.ratio == pytest.approx(3 * 30 / 31)
    # Clopper and Pearson's limits of 30 in 40 are 0.5880 and 0.8731, as tables have them.
    assert found.low == pytest.approx(0.5880 / 0.4120 * 30 / 31, rel=1e-3)
    assert found.high == pytest.approx(0.8731 / 0.1269 * 30 / 31, rel=1e-3)


def test_what_was_never_said_before_has_no_ratio_but_a_least_one() -> None:
    found = trend(9, 0, days_now=7, days_before=7)
    assert found.ratio is None
    assert found.high is None
    assert found.low > 1
    assert trend(0, 0, days_now=7, days_before=7).p == 1


def test_a_period_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        trend(1, 1, days_now=0, days_before=1)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_a_change_and_its_opposite_are_as_likely(now: int, before: int) -> None:
    there = trend(now, before, days_now=31, days_before=28)
    back = trend(before, now, days_now=28, days_before=31)
    assert there.p == pytest.approx(back.p, rel=1e-6)
    if there.high is not None and there.high > 0:
        assert back.low == pytest.approx(1 / there.high, rel=1e-6)


def test_large_counts_are_compared_in_a_moment() -> None:
    found = trend(1_000_000, 995_000, days_now=31, days_before=31)
    assert found.low < 1.005025 < (found.high or 0)
    assert found.p < 0.001


def test_among_many_topics_only_what_stands_out_of_all_of_them_is_notable() -> None:
    alone = trend(20, 8, days_now=7, days_before=7)
    crowd = [trend(10, 10, days_now=7, days_before=7)] * 11
    assert alone.p < 0.05
    assert notable([alone])[0].notable
    assert not any(found.notable for found in notable([alone, *crowd]))
    outage = trend(60, 8, days_now=7, days_before=7)
    assert [found.notable for found in notable([outage, *crowd])] == [True] + [False] * 11
    assert notable([]) == []


def test_chance_alone_is_rarely_called_notable() -> None:
    chance = random.Random(5)
    alarms = 0
    for _ in range(60):
        topics = [trend(_poisson(chance, 12), _poisson(chance, 12), days_now=7, days_before=7) for _ in range(12)]
        alarms += any(found.notable for found in notable(topics))
    assert alarms / 60 <= 0.05


def test_the_difference_of_two_shares_is_newcombes_as_published() -> None:
    found = difference(wilson(56, 70), wilson(48, 80))  # Newcombe 1998, method 10, case a
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    assert found.notable
    assert difference(wilson(1, 2), wilson(0, 0)) is None


def test_a_difference_of_means_rests_on_both_intervals() -> None:
    now, before = mean(50, 20.0, 12.0), mean(40, -8.0, 9.0)
    found = difference(now, before)
    assert found is not None
    assert found.difference == pytest.approx(0.6)
    assert found.notable


@pytest.mark.parametrize("average", [0.5, 3, 20, 200])
def test_on_steady_days_no_more_alarms_sound_than_are_stated(average: float) -> None:
    chance = random.Random(round(average * 10))
    years, stated = 12, 0.01
    alarms = sum(
        len(spikes([_poisson(chance, average) for _ in range(365)], false_alarms=stated)) for _ in range(years)
    )
    watched = years * 358
    assert alarms / watched <= stated + 3 * math.sqrt(stated / watched)


def test_a_busy_weekend_every_week_is_usual() -> None:
    chance = random.Random(8)
    year = [_poisson(chance, 30 if day % 7 > 4 else 10) for day in range(365)]
    assert len(spikes(year)) <= 1


def test_an_outage_is_a_spike_and_does_not_hide_the_next() -> None:
    chance = random.Random(9)
    days = [_poisson(chance, 15) for _ in range(60)]
    days[30], days[37] = 60, 60
    found = spikes(days)
    assert [spike.index for spike in found] == [30, 37]
    assert found[1].usual == pytest.approx(15, abs=3)


def test_a_lasting_rise_becomes_the_new_usual() -> None:
    chance = random.Random(10)
    days = [_poisson(chance, 10) for _ in range(40)] + [_poisson(chance, 40) for _ in range(60)]
    found = [spike.index for spike in spikes(days)]
    assert 40 in found
    assert max(found) < 60


def test_nothing_stands_out_before_a_week_was_heard() -> None:
    assert spikes([0] * 40 + [5, 6, 5, 60, 5, 6, 5]) == []
    assert [spike.index for spike in spikes([0] * 40 + [5, 6, 5, 4, 5, 6, 5, 60])] == [47]


def test_a_handful_after_silence_is_no_spike() -> None:
    assert spikes([1] + [0] * 27 + [4]) == []
    assert [spike.count for spike in spikes([1] + [0] * 27 + [9])] == [9]


@given(st.lists(st.integers(0, 10_000), max_size=80))
def test_any_series_has_an_answer_and_only_high_days_in_it(series: list[int]) -> None:
    for spike in spikes(series):
        assert spike.count == series[spike.index]
        assert spike.count > spike.usual
        assert 0 <= spike.p <= 0.001
