from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from flows import listen as listening
from flows.digest import digest, last_monday
from flows.listen import listen
from flows.setup import Setup
from flows.watch import watch
from tests.town import Town

pytestmark = pytest.mark.usefixtures("prefect_api")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def skip(**time: float) -> None:
        monkeypatch.setattr(Setup, "now", lambda _: datetime.now(UTC) + timedelta(**time))

    monkeypatch.setattr(listening, "collect", listening.collect.with_options(retries=0))
    return skip


def titles(town: Town, kind: str) -> list[str]:
    return [alert["title"] for alert in town.logged() if alert["kind"] == kind]


def test_nothing_wrong_is_told_to_nobody(town: Town) -> None:
    town.write(plaints=2, praise=2)
    listen(town.settings, return_state=True)
    assert watch(town.settings, return_state=True).is_completed()
    assert titles(town, "watch") == []


def test_a_failing_source_is_told_once_until_it_was_heard_again(town: Town, later: Callable[..., None]) -> None:
    del later
    town.write(plaints=2, praise=2)
    town.broken["/forum.rss"] = 404
    for _ in range(2):
        listen(town.settings, return_state=True)
        watch(town.settings, return_state=True)
    assert titles(town, "watch") == ["Hike: forum cannot be heard"]
    told = next(alert for alert in town.logged() if alert["kind"] == "watch")
    assert ": 404 " in told["text"]
    assert "the operator" in told["text"]
    town.broken.clear()
    listen(town.settings, return_state=True)
    town.broken["/forum.rss"] = 404
    listen(town.settings, return_state=True)
    watch(town.settings, return_state=True)
    assert len(titles(town, "watch")) == 2


def test_a_source_silent_for_longer_than_usual_is_told_once(town: Town, later: Callable[..., None]) -> None:
    town.write(plaints=2, praise=2)
    listen(town.settings, return_state=True)
    later(days=60)
    for _ in range(2):
        watch(town.settings, return_state=True)
    silent = titles(town, "watch")
    assert len(silent) == 1
    assert "forum has been silent since" in silent[0]


def test_a_stuck_alert_is_told_through_the_sinks_that_work(town: Town, later: Callable[..., None]) -> None:
    town.write(plaints=2, praise=0)
    town.broken["/hook"] = 500
    listen(town.settings, return_state=True)
    later(hours=3)
    assert watch(town.settings, return_state=True).is_failed()
    assert titles(town, "watch") == ["Hike: 2 alerts for desk are stuck"]


def test_the_weekly_report_is_written_and_word_of_it_sent_once(town: Town, later: Callable[..., None]) -> None:
    town.write(plaints=4, praise=4)
    listen(town.settings, return_state=True)
    monday = datetime(2026, 11, 9, 7, tzinfo=UTC)
    later(seconds=(monday - datetime.now(UTC)).total_seconds())
    for _ in range(2):
        assert digest(town.settings, return_state=True).is_completed()
    page = town.folder / "reports" / "hike-2026-11-02.html"
    html = page.read_text("utf-8")
    assert "Hike" in html
    assert "8" in html
    assert titles(town, "digest") == ["Hike: the week of 02 November 2026"]


@pytest.mark.parametrize(
    ("now", "monday"),
    [
        ("2026-11-09T08:00+01:00", "2026-11-09T00:00+01:00"),
        ("2026-11-08T23:59+01:00", "2026-11-02T00:00+01:00"),
        ("2026-10-28T12:00+01:00", "2026-10-26T00:00+01:00"),
    ],
)
def test_last_week_ended_with_the_last_midnight_before_monday(now: str, monday: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert last_monday(datetime.fromisoformat(now).astimezone(berlin)) == datetime.fromisoformat(monday)
