"""The commands that run the real flow: demo and listen."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from desk.cli import app
from flows import listen as listening
from tests.town import Town

pytestmark = pytest.mark.usefixtures("prefect_api")


def earful(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_demo_hears_a_month_and_says_who_was_told_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = earful("demo")
    assert told.exit_code == 0, told.output
    words = " ".join(told.output.split())
    for part in ("485 judged", "cases opened", "Safety & legal via safety-slack", "injury: ", "earful init"):
        assert part in words
    alerts = [json.loads(line) for line in (tmp_path / "earful-demo" / "alerts.jsonl").read_text("utf-8").splitlines()]
    assert {alert["team"] for alert in alerts} >= {"Safety & legal"}
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("<svg") >= 6
    assert "http://127.0.0.1" not in page.split("</head>")[0]
    waiting = earful("cases", "-s", "earful-demo/earful.toml", "-n", 500)
    assert waiting.exit_code == 0
    key = waiting.output.split()[0]
    assert earful("cases", "close", key, "-s", "earful-demo/earful.toml").exit_code == 0


def test_listen_says_what_it_did_and_a_second_run_does_nothing(town: Town) -> None:
    town.write(plaints=4, praise=4)
    told = earful("listen", "-s", town.settings)
    assert told.exit_code == 0, told.output
    assert "4 cases opened, 8 alerts sent" in told.output
    again = json.loads(earful("listen", "-s", town.settings, "--json").stdout)
    assert (again["judged"], again["cases_opened"], again["alerts_sent"], again["failures"]) == (0, [], [], [])


def test_listen_names_each_failure_once_and_ends_with_1(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "collect", listening.collect.with_options(retries=0))
    town.write(plaints=2, praise=2)
    town.broken |= {"/forum.rss": 404, "/hook": 503}
    told = earful("listen", "-s", town.settings)
    assert told.exit_code == 1
    assert told.stdout.count(": 404 ") == 1
    assert told.stdout.count(": 503 ") == 1
    failures = json.loads(earful("listen", "-s", town.settings, "--json").stdout)["failures"]
    assert [failure.partition(":")[0] for failure in failures] == ["forum"]


def test_an_unusable_import_is_said_in_words_and_leaves_no_failing_source(town: Town) -> None:
    town.write(plaints=1, praise=1)
    for words in (["--option", "rating_max=many"], ["--option", "nonsense=1"], ["--column", "foo=text"]):
        told = earful("import", town.folder / "survey.csv", "-s", town.settings, "--name", "again", *words)
        assert told.exit_code == 2, told.output
        assert "Traceback" not in told.stderr
    assert earful("import", town.folder / "nowhere.csv", "-s", town.settings).exit_code == 2
    assert earful("status", "-s", town.settings).exit_code == 0
