import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from flows import listen as listening
from flows.collect import bring_home
from flows.digest import digest, last_monday, report_of
from flows.keep import Keep
from flows.listen import listen
from flows.setup import Setup
from flows.watch import drifted, watch
from pipeline.triage.lesson import Example, learn
from tests.town import PLAINT, PRAISE, Town

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


def test_a_drift_of_the_lanes_is_told_once_while_it_lasts(town: Town, later: Callable[..., None]) -> None:
    days = (datetime(2026, 11, 30, tzinfo=UTC) - datetime.now(UTC)).total_seconds() / 86400
    rows = [f'a{n},"{PRAISE.format(number=n)}",2026-10-{20 + n % 10} 12:00,p{n}' for n in range(120)]
    rows += [f'b{n},"{PLAINT.format(number=n)}",2026-11-{10 + n % 10} 12:00,q{n}' for n in range(120)]
    (town.folder / "survey.csv").write_text("id,text,said_at,author\n" + "\n".join(rows), "utf-8")
    listen(town.settings, return_state=True)
    later(days=days)
    for shift in (0, 0, 3):
        later(days=days + shift)
        watch(town.settings, return_state=True)
    told = [title for title in titles(town, "watch") if "share" in title]
    assert sorted(told) == [
        "Hike: the share of experience fell from 100.0% to 0.0% in 30 days",
        "Hike: the share of service rose from 0.0% to 100.0% in 30 days",
    ]
    with town.store() as store:
        found = drifted(town.setup(), store, datetime.now(UTC) + timedelta(days=days))
        assert [one.what for one in found] == ["service", "experience"]
        # What awaits a reply is all that [keep] leaves of a month: compared with it every month would drift.
        short = town.setup().model_copy(update={"keep": Keep(mentions=timedelta(days=45))})
        assert drifted(short, store, datetime.now(UTC) + timedelta(days=days)) == []


def test_a_damaged_lesson_is_told_once_and_hides_no_other_trouble(town: Town, later: Callable[..., None]) -> None:
    town.write(plaints=2, praise=2)
    listen(town.settings, return_state=True)
    with town.store() as store:
        lesson = learn([Example("sole came loose", "lane", "service", (0.1, 0.8, 0.1))])
        store.adopt(lesson, at=datetime.now(UTC), learnt_until=datetime.now(UTC), since=None)
    with sqlite3.connect(town.folder / "earful.db") as database:
        database.execute("UPDATE lesson SET content = '{}'")
    database.close()
    later(days=60)
    for _ in range(2):
        assert watch(town.settings, return_state=True).is_completed()
    told = titles(town, "watch")
    assert sorted(title.partition(" has been")[0] for title in told) == [
        "Hike: forum",
        "Hike: no mention can be judged",
    ]
    alert = next(alert for alert in town.logged() if "judged" in alert["title"])
    assert "`earful learn` makes it anew" in alert["text"]


def test_nothing_drifts_while_the_present_version_has_not_judged_all(
    town: Town, later: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f'a{n},"{PRAISE.format(number=n)}",2026-10-{20 + n % 10} 12:00,p{n}' for n in range(120)]
    rows += [f'b{n},"{PLAINT.format(number=n)}",2026-11-{10 + n % 10} 12:00,q{n}' for n in range(120)]
    (town.folder / "survey.csv").write_text("id,text,said_at,author\n" + "\n".join(rows), "utf-8")
    listen(town.settings, return_state=True)
    del later
    now = datetime(2026, 11, 30, tzinfo=UTC)
    with town.store() as store:
        assert drifted(town.setup(), store, now)
        (town.folder / "survey.csv").write_text("id,text,said_at,author\nc,New words,2026-11-12 12:00,mia\n", "utf-8")
        bring_home(town.setup(), town.setup().source("survey"))
        assert drifted(town.setup(), store, now) == []
        listen(town.settings, return_state=True)
        assert drifted(town.setup(), store, now)
        monkeypatch.setattr("pipeline.analysis.RULES", "another")
        assert drifted(town.setup(), store, now) == []


def test_a_week_that_is_not_kept_whole_is_compared_with_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.write(plaints=4, praise=4)
    listen(town.settings, return_state=True)
    start, end = (datetime(2026, 11, day, tzinfo=UTC) for day in (9, 16))
    monkeypatch.setattr(Setup, "now", lambda _: end)
    setup = town.setup()
    with town.store() as store:
        assert report_of(setup, store, start, end).before is not None
        short = setup.model_copy(update={"keep": Keep(mentions=timedelta(days=8))})
        assert report_of(short, store, start, end).before is None


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
