import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner, Result

from desk.cli import app
from tests.town import Town


def earful(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def heard(town: Town) -> None:
    """What a run of the flow leaves behind, without Prefect's server."""
    from flows import collect, judge  # noqa: PLC0415 - the desk is tested without it elsewhere

    setup = town.setup()
    with setup.store() as store:
        store.migrate()
    for source in setup.sources:
        collect.bring_home(setup, source)
    judge.analyse.fn(setup)
    judge.open_cases.fn(setup)


def test_help_names_every_command_and_each_has_its_own_help() -> None:
    commands = ["init", "check", "try", "listen", "import", "analyse", "cases", "alerts", "report", "status", "demo"]
    commands += ["review", "correct", "learn", "backfill"]
    whole = earful("--help").output
    for command in commands:
        assert command in whole
        told = earful(command, "--help")
        assert told.exit_code == 0
        assert len(told.output) > 200


def test_init_writes_settings_that_check_finds_good_and_never_writes_over_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert earful("init", "Søren & Co").exit_code == 0
    checked = earful("check")
    assert checked.exit_code == 0, checked.output
    assert "Søren & Co" in checked.output
    mine = (tmp_path / "earful.toml").read_text("utf-8")
    again = earful("init", "Other")
    assert again.exit_code == 2
    assert (tmp_path / "earful.toml").read_text("utf-8") == mine


def test_check_and_listen_name_the_line_and_the_mend_and_run_nothing(town: Town) -> None:
    town.settings.write_text(town.settings.read_text("utf-8").replace('kind = "webhook"', 'kind = "webhok"'), "utf-8")
    for command in ("check", "listen"):
        told = earful(command, "-s", town.settings)
        assert told.exit_code == 2
        words = " ".join((told.output + told.stderr).split())
        assert "there is no kind 'webhok'" in words
        assert ", line " in words
    assert not (town.folder / "earful.db").exists()


def test_a_miss_cost_of_a_source_never_heard_is_a_remark_until_it_is_imported(town: Town) -> None:
    text = town.settings.read_text("utf-8") + "[judgement.sources.nps]\nmiss_cost = 10\n"
    town.settings.write_text(text, encoding="utf-8")
    told = earful("check", "-s", town.settings)
    assert told.exit_code == 0
    assert 'nothing was ever heard from "nps"; there are: forum, survey' in " ".join(told.output.split())
    (town.folder / "nps.csv").write_text("text,said_at\nGreat!,2026-11-02\n", encoding="utf-8")
    assert earful("import", town.folder / "nps.csv", "-s", town.settings).exit_code == 0
    assert json.loads(earful("check", "-s", town.settings, "--json").stdout)["remarks"] == []


def test_a_missing_secret_is_named_but_never_a_present_one(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.settings.write_text(
        town.settings.read_text("utf-8").replace('secret = "whsec', 'secret = "$HOOK_SECRET" # "'), "utf-8"
    )
    told = earful("check", "-s", town.settings)
    assert told.exit_code == 2
    assert "HOOK_SECRET" in told.output + told.stderr
    monkeypatch.setenv("HOOK_SECRET", "not-a-good-one")
    told = earful("check", "-s", town.settings)
    assert told.exit_code == 2
    assert "not-a-good-one" not in told.output + told.stderr


def test_a_database_that_cannot_be_reached_is_said_before_anything_runs(town: Town) -> None:
    unreachable = 'database = "postgresql://earful:s3cret@127.0.0.1:1/earful"'
    text = town.settings.read_text("utf-8").replace('database = "sqlite:///earful.db"', unreachable)
    town.settings.write_text(text, "utf-8")
    told = earful("check", "-s", town.settings)
    assert told.exit_code in {1, 2}
    assert "s3cret" not in told.output + told.stderr
    assert "127.0.0.1" in told.output + told.stderr


def test_try_shows_and_judges_what_a_source_says_and_saves_nothing(town: Town) -> None:
    town.write(plaints=4, praise=4)
    told = earful("try", "forum", "-s", town.settings, "-n", 3)
    assert told.exit_code == 0, told.output
    assert "3 mentions" in told.output
    assert "service" in told.output
    assert not (town.folder / "earful.db").exists()
    rows = json.loads(earful("try", "forum", "-s", town.settings, "--json").stdout)
    assert {row["analysis"]["mention_key"] for row in rows} == {row["mention"]["key"] for row in rows}


def test_try_of_an_unknown_source_names_those_there_are(town: Town) -> None:
    told = earful("try", "forun", "-s", town.settings)
    assert told.exit_code == 2
    assert "there are: forum, survey" in told.output + told.stderr


def test_try_of_a_source_that_refuses_says_who_must_act(town: Town) -> None:
    town.broken["/forum.rss"] = 403
    told = earful("try", "forum", "-s", town.settings)
    assert told.exit_code == 1
    assert "the operator must act" in " ".join((told.output + told.stderr).split())


def test_an_import_brings_in_the_good_rows_and_names_the_bad_ones(town: Town) -> None:
    rows = town.folder / "more.jsonl.gz"
    with gzip.open(rows, "wt", encoding="utf-8") as file:
        file.write('{"id": 1, "Words": "The zip broke on day one", "on": "2026-11-01"}\n')
        file.write("not json\n")
        file.write('{"id": 2, "Words": "", "on": "2026-11-01"}\n')
        file.write('{"id": 3, "Words": "Great!", "on": "2026-02-31"}\n')
    words = ("import", rows, "-s", town.settings, "--column", "text=Words", "--column", "said_at=on")
    told = earful(*words)
    assert told.exit_code == 1
    assert "1 row read" in told.output
    assert "3 rows kept aside" in told.output
    for line in ("line 2:", "line 3:", "line 4:"):
        assert line in told.output
    with town.store() as store:
        assert store.counts().mentions == 1
    assert "0 of them new" in earful(*words).output


def test_a_file_that_is_not_what_its_name_says_is_refused_whole(town: Town) -> None:
    liar = town.folder / "export.parquet"
    liar.write_text("text\nhello\n", encoding="utf-8")
    told = earful("import", liar, "-s", town.settings)
    assert told.exit_code == 2
    assert "export.parquet" in told.output + told.stderr
    assert "export it again" in " ".join((told.output + told.stderr).split())
    with town.store() as store:
        store.migrate()
        assert store.counts().mentions == 0


def test_an_import_may_not_take_the_name_of_a_source(town: Town) -> None:
    town.write(plaints=1, praise=1)
    told = earful("import", town.folder / "survey.csv", "-s", town.settings)
    assert told.exit_code == 2
    assert "--name" in told.output + told.stderr


def test_cases_lists_what_waits_and_close_takes_it_off(town: Town) -> None:
    assert "Nothing waits" in earful("cases", "-s", town.settings).output
    town.write(plaints=4, praise=2)
    heard(town)
    rows: list[dict[str, Any]] = json.loads(earful("cases", "-s", town.settings, "--json").stdout)
    assert len(rows) == 4
    assert {row["said"][0]["analysis"]["lane"] for row in rows} == {"service"}
    assert {tuple(alert["sink"] for alert in row["alerts"]) for row in rows} <= {("desk", "log"), ("log", "desk")}
    told = earful("cases", "-s", town.settings)
    assert rows[0]["key"] in told.output
    closed = earful("cases", "-s", town.settings, "close", rows[0]["key"], "--because", "refunded")
    assert closed.exit_code == 0, closed.output
    assert rows[0]["key"] not in earful("cases", "-s", town.settings).output
    assert rows[0]["key"] in earful("cases", "-s", town.settings, "--all").output
    assert earful("cases", "-s", town.settings, "close", rows[0]["key"]).exit_code == 1


def test_status_says_how_far_each_source_is_read_and_what_is_stuck(town: Town) -> None:
    fresh = earful("status", "-s", town.settings)
    assert "not yet heard" in fresh.output
    town.write(plaints=2, praise=2)
    heard(town)
    whole = json.loads(earful("status", "-s", town.settings, "--json").stdout)
    assert whole["healthy"]
    assert {source["name"]: source["new"] for source in whole["sources"]} == {"forum": 2, "survey": 2}
    assert all(source["up_to"] for source in whole["sources"])
    assert {sink["name"]: sink["waiting"] for sink in whole["sinks"]} == {"log": 2, "desk": 2}


def test_the_report_is_one_page_and_its_figures_can_be_had_as_json(town: Town) -> None:
    town.write(plaints=4, praise=4)
    heard(town)
    page = town.folder / "page.html"
    told = earful("report", "-s", town.settings, "--from", "2026-11-01", "--to", "2026-11-07", "-o", page)
    assert told.exit_code == 0, told.output
    assert page.read_text("utf-8").startswith("<!")
    days = ("--from", "2026-11-01", "--to", "2026-11-07")
    figures = json.loads(earful("report", "-s", town.settings, *days, "-o", page, "--json").stdout)
    assert figures["mentions"] == 8
    backwards = earful("report", "-s", town.settings, "--from", "2026-11-07", "--to", "2026-11-01", "-o", page)
    assert backwards.exit_code == 2


def test_a_prefect_server_that_does_not_answer_is_named_with_the_mend(
    town: Town,
) -> None:
    town.write(plaints=1, praise=1)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        told = earful("listen", "-s", town.settings)
    assert told.exit_code == 2
    assert "unset PREFECT_API_URL" in " ".join(told.stderr.split())


def test_a_place_that_cannot_be_written_is_named(town: Town, tmp_path: Path) -> None:
    town.write(plaints=1, praise=1)
    heard(town)
    nowhere = tmp_path / "earful.toml" / "x"  # below a file
    texts = tmp_path / "survey.csv"
    for words in (
        ("init", "Hike", "-s", nowhere),
        ("report", "-s", town.settings, "-o", nowhere),
        ("analyse", texts, "-o", nowhere),
    ):
        told = earful(*words)
        assert told.exit_code == 2, words
        assert str(tmp_path / "earful.toml") in told.stderr.replace("\n", "")
