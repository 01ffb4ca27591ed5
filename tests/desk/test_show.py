from datetime import timedelta

import pytest

from desk.show import counted, span


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (0, "0s"),
        (0.5, "30s"),
        (1, "1m"),
        (30, "30m"),
        (60, "1h"),
        (90, "90m"),
        (240, "4h"),
        (1440, "1d"),
        (1500, "25h"),
    ],
)
def test_a_duration_is_said_as_it_was_written(minutes: float, said: str) -> None:
    assert span(timedelta(minutes=minutes)) == said


def test_one_is_not_many() -> None:
    assert (counted(1, "row"), counted(0, "row"), counted(2000, "row")) == ("1 row", "0 rows", "2,000 rows")
