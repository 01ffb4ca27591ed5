"""The kit on the terminal: a grade in words or as JSON, a stranger's connector, and an exit code a script can use."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from desk.cli import app

TOY = "tests.connectors.conform.toy"


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["conform", *words])
    return done.exit_code, done.stdout, done.stderr


def test_a_connector_of_ours_is_graded_in_a_line() -> None:
    code, told, _ = run("slack")
    assert code == 0
    assert told.startswith("A slack")
    assert "100 of 100" in told
    assert "does not apply: a case that is settled: it is told of no settled case" in told
    assert "1 of 1 keep all that applies to them." in told


def test_a_strangers_connector_is_graded_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    code, told, _ = run(f"{TOY}:Bell", "--world", f"{TOY}:BellDesk", "--json")
    (grade,) = json.loads(told)
    assert code == 0
    assert (grade["kind"], grade["letter"], grade["points"], grade["failings"]) == ("bell", "A", 100, [])
    assert "429 with seconds to wait" in grade["passed"]


def test_every_lost_point_is_told_with_what_happened_and_what_was_expected() -> None:
    code, told, _ = run(f"{TOY}:Bell", "--world", f"{TOY}:DeafDesk")
    assert code == 1
    assert told.startswith("F bell")
    assert "bell lost points:" in told
    assert "nothing goes wrong (lost, -100)" in told
    assert "happened  0 things at the desk" in told
    assert "expected  one, with the words of the mention" in told


def test_what_cannot_be_tried_is_said_in_words() -> None:
    code, _, told = run("nothing")
    assert code == 2
    assert 'there is no connector "nothing"' in told
    assert run(f"{TOY}:Toy")[0] == 2
    assert run("slack", "--world", f"{TOY}:ToyWorld")[0] == 2


def test_what_asks_no_server_is_said_to_be_not_tried() -> None:
    code, told, _ = run("email")
    assert code == 3
    assert told.startswith("- email")
    assert "not tried: it asks no server over HTTP" in told
    assert "1 could not be tried." in told
    code, told, _ = run("email", "--json")
    (grade,) = json.loads(told)
    assert code == 3
    assert (grade["letter"], grade["points"], grade["failings"]) == (None, None, [])
    assert grade["untried"].startswith("it asks no server over HTTP")
