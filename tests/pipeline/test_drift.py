"""The drift watch tells a change, and keeps still about chance."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.drift import CORRECTIONS, LEAST, Month, drifts

LANES = ("service", "experience", "noise", "unscored")
months = st.builds(
    Month, lanes=st.dictionaries(st.sampled_from(LANES), st.integers(0, 5000)), corrected=st.integers(0, 200)
)


def month(service: int, experience: int, noise: int, corrected: int = 0) -> Month:
    return Month({"service": service, "experience": experience, "noise": noise}, corrected)


@given(months, months)
def test_what_rose_one_way_round_fell_the_other(now: Month, before: Month) -> None:
    there, back = drifts(now, before), drifts(before, now)
    assert [one.what for one in there] == [one.what for one in back]
    assert all(one.direction != other.direction for one, other in zip(there, back, strict=True))


@given(months)
def test_the_same_month_twice_is_no_drift(one: Month) -> None:
    assert drifts(one, one) == []


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [
        (month(300, 600, 100), month(200, 700, 100), ["service up", "experience down"]),
        (month(240, 660, 100), month(200, 700, 100), []),  # 4 points: sure or not, no news
        (month(30, 60, 9), month(5, 85, 9), []),  # too few to say
        (month(200, 700, 100, corrected=40), month(200, 700, 100, corrected=5), ["corrections up"]),
        (month(200, 700, 100, corrected=40), month(200, 700, 100), []),  # somebody began to correct
        (month(200, 700, 100, corrected=8), month(200, 700, 100, corrected=5), []),
    ],
)
def test_a_change_is_told_if_it_is_sure_and_matters(now: Month, before: Month, told: list[str]) -> None:
    assert sorted(f"{one.what} {one.direction}" for one in drifts(now, before)) == sorted(told)


def test_it_is_told_in_words() -> None:
    found = drifts(month(200, 700, 100, corrected=40), month(200, 700, 100, corrected=5))
    assert [one.told for one in found] == ["the share of corrected mentions rose from 0.5% to 4.0% in 30 days"]
    assert found[0].what == CORRECTIONS


def test_of_months_drawn_alike_hardly_any_drifts() -> None:
    draw = Random(7)
    rung = 0
    for _ in range(300):
        pair = []
        for _month in range(2):
            said = draw.choices(LANES[:3], (0.2, 0.7, 0.1), k=4 * LEAST)
            pair.append(month(*(said.count(lane) for lane in LANES[:3])))
        rung += bool(drifts(*pair))
    assert rung <= 15  # 5 % of 300
