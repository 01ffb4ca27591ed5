"""What was said is found by its words, and told week by week."""

import itertools
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from typer.testing import CliRunner, Result

from desk.cli import app
from desk.trends import Step, cuts
from flows.setup import Setup
from pipeline.mention import Mention
from storage.store import Store
from tests.storage.worker import analysis, case
from tests.town import Town

NOON = datetime(2026, 11, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def earful(town: Town, *words: object) -> Result:
    return CliRunner().invoke(app, [*(str(word) for word in words), "-s", str(town.settings)])


@pytest.fixture
def heard(town: Town, monkeypatch: pytest.MonkeyPatch) -> Town:
    """Fifteen days up to now, a mention a day; the fifth is a case, the last not yet judged, one the brand's own."""
    monkeypatch.setattr(Setup, "now", lambda _: NOON)
    said = [
        Mention(
            key=f"forum:{ago}",
            source="survey" if ago % 3 == 0 else "forum",
            kind="post",
            text=f"My [bold]sole[/] came loose {ago} days ago" + (", never again" if ago == 5 else ""),
            said_at=NOON - ago * DAY,
            author="ann",
            by_brand=ago == 2,
        )
        for ago in range(15)
    ]
    with town.store() as store:
        store.migrate()
        _keep(store, said)
    return town


def _keep(store: Store, said: list[Mention]) -> None:
    store.save("forum", said, [{}] * len(said), [], None, heard_at=NOON)
    judged = [analysis(one).model_copy(update={"complaint": one.key == "forum:5"}) for one in said[1:]]
    store.save_analyses(judged)
    store.write(case(said[5]), judged[4], [])


def test_words_are_found_with_their_lane_and_case_newest_first(heard: Town) -> None:
    shown = earful(heard, "find", "loose", "SOLE", "-n", 3).output
    assert [line.split()[0] for line in shown.splitlines()[::2][:3]] == ["forum:0", "forum:1", "forum:2"]
    assert "forum:0  04 Nov 2026 13:00  not yet judged" in shown or "forum:0  04 Nov 2026 12:00" in shown
    assert "forum:2" in shown
    assert "by the brand" in shown
    assert "3 found, newest first; --most 6 shows more." in shown
    assert "“My [bold]sole[/] came loose 0 days ago” ann, " in shown
    one = earful(heard, "find", "never again")
    assert "service  C-forum:5" in one.output
    assert "1 found." in one.output


def test_a_phrase_the_shell_took_the_marks_of_is_still_a_phrase_among_other_words(heard: Town) -> None:
    assert "1 found." in earful(heard, "find", "never again", "loose").output
    assert "Nothing was found." in earful(heard, "find", "again never", "loose").output


def test_a_phrase_nobody_wants_stays_unwanted_without_its_marks(heard: Town) -> None:
    def said(*words: str) -> str:
        return CliRunner().invoke(app, ["find", "-s", str(heard.settings), "--", "loose", *words]).output

    assert "14 found." in said("-never again")
    assert "1 found." in said("never again", "-no more")


@pytest.mark.parametrize("command", [("find", "loose"), ("trends",)])
@pytest.mark.parametrize("day", [("--to", "9999-12-31"), ("--from", "0001-01-01")])
def test_a_day_beyond_all_calendars_is_said_in_words(
    heard: Town, command: tuple[str, ...], day: tuple[str, str]
) -> None:
    done = earful(heard, *command, *day)
    assert (done.exit_code, "is no day Earful can know of" in done.output) == (2, True)


def test_trends_can_count_anew(heard: Town) -> None:
    told = earful(heard, "trends").output
    with heard.store() as store, store._write() as connection:  # noqa: SLF001 - nobody else forgets to count
        connection.exec_driver_sql("DELETE FROM tally")
    assert earful(heard, "trends").output != told
    assert earful(heard, "trends", "--recount").output == told


def test_a_search_is_narrowed_by_source_lane_and_days(heard: Town) -> None:
    def keys(*words: object) -> list[str]:
        told = json.loads(earful(heard, "find", "loose", "--json", *words).output)
        return [one["mention"]["key"] for one in told]

    assert keys("--source", "survey", "-n", 2) == ["forum:0", "forum:3"]
    assert keys("--from", "2026-10-29", "--to", "2026-10-30") == ["forum:5", "forum:6"]
    assert len(keys("--lane", "service")) == 14
    assert keys("--lane", "noise") == []
    (found,) = json.loads(earful(heard, "find", "never", "--json").output)
    assert (found["case"], found["analysis"]["complaint"]) == ("C-forum:5", True)


def test_twelve_weeks_are_told_from_monday_on_and_the_complaints_among_them(heard: Town) -> None:
    lines = [line.split() for line in earful(heard, "trends").output.splitlines()]
    assert lines[0][:3] == ["week", "mentions", "complaints"]
    assert len(lines) == 13
    assert [line[:5] for line in lines[-3:]] == [
        ["19", "Oct", "2026", "5", "0"],
        ["26", "Oct", "2026", "7", "1"],
        ["02", "Nov", "2026", "1", "0"],  # not the brand's own words, nor what is not judged
    ]
    assert lines[-2][5:] == ["7", "0", "0", "0"]


def test_trends_tell_sources_apart_and_give_scripts_every_count(heard: Town) -> None:
    shown = earful(heard, "trends", "--by", "month", "--of", "source", "--from", "2026-10-21").output.splitlines()
    assert shown[0].split() == ["month", "mentions", "complaints", "forum", "survey"]
    assert [line.split() for line in shown[1:]] == [
        ["21", "Oct", "2026", "11", "1", "8", "3"],
        ["01", "Nov", "2026", "2", "0", "1", "1"],
    ]
    told = json.loads(earful(heard, "trends", "--by", "month", "--from", "2026-10-21", "--json").output)
    assert [(one["from"], one["to"]) for one in told] == [("2026-10-21", "2026-10-31"), ("2026-11-01", "2026-11-04")]
    assert told[0]["counts"][1] == {
        "source": "forum", "lane": "service", "sentiment": "unscored", "complaint": True, "mentions": 1
    }  # fmt: skip


def test_a_period_that_ends_before_it_begins_is_said_in_words(heard: Town) -> None:
    done = earful(heard, "trends", "--from", "2026-12-01")
    assert (done.exit_code, "--from 2026-12-01 is after --to 2026-11-04" in done.output) == (2, True)


@pytest.mark.parametrize("step", Step)
def test_every_day_of_a_period_is_in_one_stretch(step: Step) -> None:
    first = date(2026, 1, 31)
    for far in range(70):
        days = cuts(first, first + far * DAY, step)
        assert (days[0], days[-1]) == (first, first + (far + 1) * DAY)
        assert days == sorted(set(days))
        assert all(
            {Step.DAY: True, Step.WEEK: day.weekday() == 0, Step.MONTH: day.day == 1}[step] for day in days[1:-1]
        )
        longest = {Step.DAY: 1, Step.WEEK: 7, Step.MONTH: 31}[step]
        assert all((late - early).days <= longest for early, late in itertools.pairwise(days))
