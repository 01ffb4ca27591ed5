import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from connectors.contract import Page
from connectors.sources.feed import Feed
from desk.cli import app
from flows.collect import bring_home
from flows.setup import Setup
from flows.watch import troubles
from pipeline.coverage import Gap
from pipeline.errors import RefusedError
from tests.town import Town

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD = "Everything since 01 Nov 2026 that this source finds is heard."


def earful(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


class Forum:
    """Stands in for what the forum's feed reads: what a test lets it tell, at the time a test says it is."""

    def __init__(self, town: Town, patch: pytest.MonkeyPatch) -> None:
        self.town, self.now, self.told = town, NOON, Page([])
        self.first_days: list[object] = []
        with town.store() as store:
            store.migrate()
        forum = self

        def pages(source: Feed, http: httpx.Client, since: str | None) -> Iterator[Page]:
            del http, since
            forum.first_days.append(source.first_day)
            if forum.town.broken:
                raise RefusedError("GET forum.test: 403; the operator must act")
            yield forum.told

        patch.setattr(Feed, "pages", pages)
        patch.setattr(Setup, "now", lambda _: forum.now)

    def walks(self, hours: int, reach: int | None, *gaps: Gap) -> None:
        """So many hours later it is walked, as far back as the given hour after noon, but for the gaps."""
        self.now += hours * HOUR
        self.told = Page([], reach=None if reach is None else NOON + reach * HOUR, gaps=gaps)
        setup = self.town.setup()
        bring_home(setup, setup.source("forum"))

    def status(self) -> dict[str, Any]:
        told = json.loads(earful("status", "-s", self.town.settings, "--json").stdout)
        return {"healthy": told["healthy"]} | next(one for one in told["sources"] if one["name"] == "forum")


@pytest.fixture
def forum(town: Town, monkeypatch: pytest.MonkeyPatch) -> Forum:
    town.write(plaints=0, praise=0)
    return Forum(town, monkeypatch)


def gap(start: int | None, end: int, why: str = "The forum shows 40 posts at most.") -> Gap:
    return Gap(None if start is None else NOON + start * HOUR, NOON + end * HOUR, why)


def words(result: Result) -> str:
    return " ".join(result.output.split())


def test_status_says_since_when_nothing_is_missing_and_what_is(town: Town, forum: Forum) -> None:
    forum.walks(0, None)
    assert forum.status()["whole_since"] is None
    assert "not told how far back they are complete: forum" in words(earful("status", "-s", town.settings))
    forum.walks(0, -9)
    forum.walks(9, 7, gap(0, 7))
    told = forum.status()
    assert (told["state"], told["healthy"]) == ("heard", True)
    assert told["whole_since"] == str(NOON + 7 * HOUR)
    assert [(one["start"], one["end"], one["lasting"]) for one in told["gaps"]] == [
        (str(NOON), str(NOON + 7 * HOUR), False)
    ]
    shown = words(earful("status", "-s", town.settings))
    assert "forum is complete since 03 Nov 2026 19:00; something may be missing of 03 Nov" in shown
    assert "03 Nov 2026 12:00 to 19:00 The forum shows 40 posts at most." in shown


def test_status_says_up_to_when_all_is_heard_while_the_last_walk_left_something_out(town: Town, forum: Forum) -> None:
    forum.walks(0, -9)
    forum.walks(3, 0, gap(1, 3))
    assert forum.status()["whole_since"] is None
    shown = words(earful("status", "-s", town.settings))
    assert "forum is complete up to 03 Nov 2026 13:00 only; something may be missing of 03 Nov 2026 13:00" in shown


def test_status_and_watch_say_that_nobody_can_look_up_what_was_deleted(town: Town, forum: Forum) -> None:
    forum.walks(1, 0)
    with town.store() as store:
        store.note_look_up("forum", "GET forum.test: 403; the operator must act", forum.now)
    forum.walks(2, 1)
    told = forum.status()
    assert (told["state"], told["healthy"]) == ("unchecked", False)
    assert told["error"] == "what was deleted there cannot be looked up: GET forum.test: 403; the operator must act"
    setup = town.setup()
    with setup.store() as store:
        alerts = [one for one in troubles(setup, store, forum.now) if "cannot be looked up" in one.title]
        again = [one for one in troubles(setup, store, forum.now + HOUR) if "cannot be looked up" in one.title]
        soon = [one for one in troubles(setup, store, forum.now - 2 * HOUR) if "cannot be looked up" in one.title]
    assert [one.text for one in alerts] == ["GET forum.test: 403; the operator must act"]
    assert [one.key for one in alerts] == [one.key for one in again]
    assert soon == []


def test_status_tells_the_last_five_gaps_of_thirty_days_and_counts_the_rest(town: Town, forum: Forum) -> None:
    for day in range(7):
        forum.walks(24, 24 * day + 23, gap(24 * day + 20, 24 * day + 23))
    shown = words(earful("status", "-s", town.settings))
    # Between two of these calls lies a time that none reached back to.
    assert shown.count("The forum shows 40 posts at most.") + shown.count("no call at the source reached back") == 5
    assert "10 Nov 2026 08:00 to 11:00" in shown
    assert "and of 8 more, see --json" in shown
    forum.walks(24 * 60, 0)
    forum.walks(24 * 40, 24 * 66)
    assert "something may be missing" not in words(earful("status", "-s", town.settings))


def test_a_source_that_leaves_the_same_out_for_longer_than_a_day_needs_a_person(town: Town, forum: Forum) -> None:
    forum.walks(1, 0)
    forum.walks(2, 3, gap(1, 3, "The budget of this call is used up."))
    assert forum.status()["state"] == "heard"
    forum.walks(26, 29, gap(1, 29, "The budget of this call is used up."))
    told = forum.status()
    assert (told["state"], told["healthy"]) == ("behind", False)
    assert earful("status", "-s", town.settings).exit_code == 1
    forum.walks(1, 28)  # it has given that time up: nobody can act
    assert forum.status()["state"] == "heard"


def test_watch_tells_once_what_no_later_walk_will_bring(town: Town, forum: Forum) -> None:
    def missed() -> list[str]:
        setup = town.setup()
        with setup.store() as store:
            told = [one for one in troubles(setup, store, setup.now()) if "may not have been heard" in one.title]
            store.put_alerts(told)
            return [one.text for one in store.claim("log", forum.now, HOUR / 2, 9) if one in told]

    forum.walks(1, 0)
    forum.walks(2, 2, gap(1, 2))
    assert missed() == []
    forum.walks(1, 2)
    first = missed()
    assert len(first) == 1
    assert "03 Nov 2026 13:00 to 14:00: The forum shows 40 posts at most." in first[0]
    assert "earful backfill forum --from 2026-11-03" in first[0]
    with town.store() as store:
        alerts = {delivery.alert.key for delivery in store.waiting(forum.now + HOUR)}
    forum.walks(1, 3)
    missed()
    with town.store() as store:
        assert {delivery.alert.key for delivery in store.waiting(forum.now + HOUR)} == alerts


def test_backfill_asks_from_a_day_on_and_says_what_could_not_be_had(town: Town, forum: Forum) -> None:
    forum.walks(1, 0)
    forum.told = Page([], reach=NOON - 20 * HOUR, gaps=[gap(-10, -8)])
    told = earful("backfill", "forum", "--from", "2026-11-01", "-s", town.settings)
    assert told.exit_code == 0, told.output
    shown = words(told)
    assert "forum said 0 mentions, 0 of them new" in shown
    assert "01 Nov 2026 00:00 to 02 Nov 2026 16:00 no call at the source reached back there" in shown
    assert "03 Nov 2026 02:00 to 04:00 The forum shows 40 posts at most." in shown
    assert str(forum.first_days[-1]) == "2026-11-01"
    forum.told = Page([], reach=NOON - 99 * HOUR)
    assert GOOD in words(earful("backfill", "forum", "--from", "2026-11-01", "-s", town.settings))
    whole = json.loads(earful("backfill", "forum", "--from", "2026-11-01", "-s", town.settings, "--json").stdout)
    assert (whole["source"], whole["heard"], whole["missing"]) == ("forum", 0, [])
    forum.now += HOUR
    forum.told = Page([])
    silent = words(earful("backfill", "forum", "--from", "2026-11-01", "-s", town.settings))
    assert "This source does not tell how far back it was read." in silent


def test_backfill_says_what_was_left_out_by_a_source_that_read_nothing_whole(town: Town, forum: Forum) -> None:
    forum.walks(1, 0)
    forum.now += HOUR
    forum.told = Page([], gaps=[gap(-48, -2, "The forum shows 40 posts at most.")])
    shown = words(earful("backfill", "forum", "--from", "2026-11-01", "-s", town.settings))
    assert "01 Nov 2026 12:00 to 03 Nov 2026 10:00 The forum shows 40 posts at most." in shown
    assert "does not tell" not in shown


def test_backfill_hides_no_trouble_of_the_source_and_takes_back_nothing_that_was_heard(
    town: Town, forum: Forum
) -> None:
    forum.walks(1, -24 * 9)
    town.broken["/forum.rss"] = 403
    with pytest.raises(RefusedError):
        forum.walks(1, 0)
    town.broken.clear()
    forum.told = Page([], reach=NOON - 3 * HOUR, gaps=[gap(-24 * 9, -3, "The forum shows the last hours only.")])
    assert GOOD in words(earful("backfill", "forum", "--from", "2026-11-01", "-s", town.settings))
    assert forum.status()["state"] == "failing"


def test_backfill_of_a_source_that_refuses_leaves_it_as_it_was(town: Town, forum: Forum) -> None:
    forum.walks(1, 0)
    town.broken["/forum.rss"] = 403
    told = earful("backfill", "forum", "--from", "2026-11-01", "-s", town.settings)
    assert told.exit_code == 1
    assert "403; the operator must act" in " ".join((told.output + told.stderr).split())
    assert forum.status()["state"] == "heard"
    assert forum.status()["gaps"] == []


@pytest.mark.parametrize(
    ("name", "day", "said"),
    [("forum", "2036-01-01", "still to come"), ("fora", "2026-11-01", "there are: forum, survey")],
)
def test_a_backfill_that_cannot_be_meant_asks_nobody(town: Town, forum: Forum, name: str, day: str, said: str) -> None:
    told = earful("backfill", name, "--from", day, "-s", town.settings)
    assert told.exit_code == 2
    assert said in " ".join((told.output + told.stderr).split())
    assert forum.first_days == []
