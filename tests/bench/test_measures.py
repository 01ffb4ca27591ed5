import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.stats import spearmanr
from sklearn.metrics import f1_score, recall_score

from bench.measures import (
    Figure,
    calibration_error,
    caught,
    confusion,
    figure,
    macro_f1,
    macro_recall,
    precision_at,
    rank_correlation,
    share,
)

Answers = list[tuple[str, str]]
answers = some.lists(some.tuples(some.sampled_from("abc"), some.sampled_from("abcd")), min_size=1, max_size=40)
chances = some.lists(some.tuples(some.floats(0, 1), some.booleans()), min_size=1, max_size=40)


def test_the_measures_are_the_ones_of_the_field() -> None:
    truth, told = ["a", "a", "b", "b"], ["a", "b", "b", "b"]
    assert share(truth, told) == 0.75
    assert macro_f1(truth, told) == pytest.approx((2 / 3 + 0.8) / 2)
    assert macro_recall(truth, told) == 0.75
    assert precision_at(1.0, [0.9, 0.8, 0.1], [True, False, True]) == pytest.approx(2 / 3)
    assert calibration_error([0.9, 0.9], [True, False]) == pytest.approx(0.4)
    assert confusion(truth, told, ["a", "b"]) == [[1, 1], [0, 2]]


@given(answers)
def test_f1_and_recall_are_those_of_scikit_learn(pairs: Answers) -> None:
    truth, told = (list(column) for column in zip(*pairs, strict=True))
    known = sorted(set(truth))
    f1 = f1_score(truth, told, labels=known, average="macro", zero_division=0)
    assert macro_f1(truth, told) == pytest.approx(f1)
    recall = recall_score(truth, told, labels=known, average="macro", zero_division=0)
    assert macro_recall(truth, told) == pytest.approx(recall)


@given(some.lists(some.tuples(some.integers(1, 5), some.integers(-3, 3)), min_size=3, max_size=40))
def test_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    one, other = zip(*pairs, strict=True)
    if len(set(one)) > 1 and len(set(other)) > 1:
        assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)


@given(chances, some.floats(0.1, 1.0))
def test_the_precision_named_belongs_to_a_set_that_holds_as_much_as_asked(
    rows: list[tuple[float, bool]], recall: float
) -> None:
    sure, wanted = (list(column) for column in zip(*rows, strict=True))
    found = precision_at(recall, sure, wanted)
    if not any(wanted):
        assert found == 0.0
        return
    ordered = [hit for _, hit in sorted(rows, key=lambda row: -row[0])]
    least = next(count for count in range(1, len(rows) + 1) if sum(ordered[:count]) >= recall * sum(wanted))
    assert found == pytest.approx(sum(ordered[:least]) / least)


@given(chances)
def test_calibration_is_an_error_between_nothing_and_one(rows: list[tuple[float, bool]]) -> None:
    assert 0 <= calibration_error(*zip(*rows, strict=True)) <= 1


def test_who_is_right_as_often_as_sure_has_no_calibration_error() -> None:
    assert calibration_error([0.75] * 4, [True, True, True, False]) == 0.0
    assert calibration_error([1.0, 0.0], [True, False]) == 0.0


@given(chances)
def test_what_is_chosen_is_counted_as_found_and_as_right(rows: list[tuple[float, bool]]) -> None:
    chosen, wanted = [chance >= 0.5 for chance, _ in rows], [hit for _, hit in rows]
    found = caught(chosen, wanted)
    both = sum(one and other for one, other in zip(chosen, wanted, strict=True))
    assert found.recall * sum(wanted) == pytest.approx(both)
    assert found.precision * sum(chosen) == pytest.approx(both)


def test_nothing_chosen_is_nothing_wrong() -> None:
    assert caught([False, False], [True, False]).precision == 1.0
    assert caught([True, False], [False, False]).recall == 1.0


def test_an_interval_holds_the_figure_and_is_narrower_with_more_rows() -> None:
    few = figure(share, ["a"] * 40, ["a"] * 30 + ["b"] * 10)
    many = figure(share, ["a"] * 4000, ["a"] * 3000 + ["b"] * 1000)
    assert few.low < few.value == 0.75 < few.high
    assert many.high - many.low < (few.high - few.low) / 5


def test_an_interval_of_a_share_is_as_wide_as_its_known_error() -> None:
    found = figure(share, ["a"] * 400, ["a"] * 320 + ["b"] * 80)
    error = (0.8 * 0.2 / 400) ** 0.5
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.15)


def test_the_same_rows_always_get_the_same_interval() -> None:
    columns = (["a", "b"] * 20, ["a", "a"] * 20)
    assert figure(macro_f1, *columns) == figure(macro_f1, *columns)


def test_a_figure_without_resamples_shows_no_interval() -> None:
    found = figure(share, ["a", "b"], ["a", "a"], draws=0)
    assert (found.rows, found.value) == (2, 0.5)
    assert np.isnan(found.low)
    assert str(found) == "0.500"
    assert str(Figure(2, 0.5, 0.25, 0.75)) == "0.500 [0.250, 0.750]"
