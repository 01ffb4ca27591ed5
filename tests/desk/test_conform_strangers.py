"""A stranger's connector that cannot be tried, or breaks, is told in a sentence what to mend: never in a traceback."""

import json
import sys
from itertools import count
from pathlib import Path
from textwrap import dedent

import pytest
from typer.testing import CliRunner

from connectors.conform import step
from desk.cli import app

TOY = "tests.connectors.conform.toy"
_NUMBERS = count(1)

BELL = """
from typing import ClassVar, Literal
import httpx
from connectors.contract import Sink
from tests.connectors.conform.toy import Bell, BellDesk, Toy, ToyWorld

class Mine(Bell, frozen=True):
    pass

class MyDesk(BellDesk):
    pass

class MyToy(Toy, frozen=True):
    pass

class MyWorld(ToyWorld):
    pass
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["conform", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, done.stdout, " ".join(done.stderr.split())


def written(home: Path, more: str) -> str:
    """A module with these classes; its name."""
    name = f"stranger_{next(_NUMBERS)}"
    (home / f"{name}.py").write_text(BELL + dedent(more), encoding="utf-8")
    return name


def test_what_is_not_there_is_named(home: Path) -> None:
    name = written(home, "")
    assert "there is no module nowhere, seen from" in run("nowhere.bell:Bell")[2]
    code, _, told = run(f"{name}:Bel", "--world", f"{name}:MyDesk")
    assert code == 2
    assert f"{name}:Bel is not to be found: in {name} there are Mine, MyDesk, MyToy, MyWorld" in told
    assert "write package.module:Class" in run(":Bell")[2]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("import a_module_nobody_has", "needs the module a_module_nobody_has, which is not installed"),
        ("1 / 0", "cannot be imported: it raised ZeroDivisionError: division by zero at stranger_"),
        ("def broken(:", "cannot be imported: it raised SyntaxError"),
        ("import sys; sys.exit(4)", "cannot be imported: it called sys.exit(4) at stranger_"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named(home: Path, line: str, why: str) -> None:
    code, _, told = run(f"{written(home, line)}:Mine", "--world", f"{TOY}:BellDesk")
    assert code == 2
    assert why in told


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (
            """
            class Bad(Sink, frozen=True):
                label: ClassVar[str] = "Bad"
                docs: ClassVar[str] = ""
                text_limit: ClassVar[int] = 9
                kind: Literal["bell"] = "bell"
            """,
            "Bad: the method send is missing: write def send(self, http, alert), as connectors.contract.Sink has it",
        ),
        (
            """
            class Bad(Mine, frozen=True):
                def send(self, alert):
                    return "ok"
            """,
            "Bad: the method send takes (self, alert): write def send(self, http, alert)",
        ),
        (
            """
            class Bad(Mine, frozen=True):
                async def send(self, http, alert):
                    return "ok"
            """,
            "Bad: the method send is async, and nobody awaits it",
        ),
        (
            """
            class Bad(Sink, frozen=True):
                kind: Literal["bell"] = "bell"
                def send(self, http, alert):
                    return "ok"
            """,
            "Bad: write text_limit: ClassVar[int], as connectors.contract.Sink has it",
        ),
        (
            """
            from pydantic import model_validator
            class Bad(Mine, frozen=True):
                @model_validator(mode="after")
                def _check(self):
                    raise RuntimeError("not today")
            """,
            "Bad cannot be made of its settings: it raised RuntimeError: not today at stranger_",
        ),
        (
            """
            class Bad(Mine, frozen=True):
                kind: Literal["gong"] = "gong"
            """,
            "Bad refuses settings that MyDesk.settings() gives it: kind: Input should be 'gong'",
        ),
    ],
)
def test_a_connector_that_cannot_be_tried_is_told_why(home: Path, more: str, why: str) -> None:
    name = written(home, more)
    code, _, told = run(f"{name}:Bad", "--world", f"{name}:MyDesk")
    assert code == 2
    assert why in told


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("def __init__(self): raise OSError('no ground')", "Bad() raised OSError: no ground at stranger_"),
        ("def settings(self, address): return None", "Bad.settings() gave NoneType; it must give a dict of settings"),
        ("def settings(self, address): return self.nothing", "Bad.settings() raised AttributeError"),
        ("def found(self): return [each['words'] for each in self.rung]", "Bad.found() gave no list of Found"),
        ("def found(self): return self.lost", "Bad.found() raised AttributeError"),
        ("def answer(self, request): return None", "Bad: the method answer takes (self, request)"),
    ],
)
def test_a_desk_that_cannot_be_used_is_told_why(home: Path, more: str, why: str) -> None:
    name = written(home, f"class Bad(MyDesk):\n    {more}\n")
    code, _, told = run(f"{name}:Mine", "--world", f"{name}:Bad")
    assert code == 2
    assert why in told


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("sys.exit(7)", "called sys.exit(7)"),
        ("raise type('Odd', (BaseException,), {})('away')", "raised Odd: away"),
        ("raise LookupError('where')", "raised LookupError: where"),
    ],
)
def test_what_a_connector_raises_is_its_own_failing(home: Path, body: str, what: str) -> None:
    name = written(
        home,
        f"""
        import sys
        class BadSink(Mine, frozen=True):
            def send(self, http, alert):
                {body}
        class BadSource(MyToy, frozen=True):
            def pages(self, http, since):
                {body}
        """,
    )
    for connector, place in (("BadSink", "MyDesk"), ("BadSource", "MyWorld")):
        code, told, _ = run(f"{name}:{connector}", "--world", f"{name}:{place}")
        assert code == 1
        assert told.startswith("F ")
        assert what in told
        assert "not all was tried: it fails even where nothing goes wrong" in told


def test_what_never_ends_is_ended(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = written(
        home,
        """
        import time
        class BadSink(Mine, frozen=True):
            def send(self, http, alert):
                while True:
                    try:
                        time.sleep(1)
                    except Exception:
                        pass
        class BadSource(MyToy, frozen=True):
            def pages(self, http, since):
                from connectors.contract import Page
                while True:
                    yield Page([])
        """,
    )
    monkeypatch.setattr("connectors.conform.delivery.LONGEST_WELL", 1.5)
    monkeypatch.setattr("connectors.conform.trial.LONGEST_WELL", 1.5)
    for connector, place in (("BadSink", "MyDesk"), ("BadSource", "MyWorld")):
        code, told, _ = run(f"{name}:{connector}", "--world", f"{name}:{place}", "--json")
        (grade,) = json.loads(told)
        assert code == 1
        assert (grade["letter"], grade["points"], grade["untried"]) == (None, None, step.NO_END)
        assert grade["failings"][0]["severity"] == "endless"


def test_a_receipt_that_is_none_is_said(home: Path) -> None:
    name = written(home, "class Bad(Mine, frozen=True):\n    def send(self, http, alert): super().send(http, alert)\n")
    code, told, _ = run(f"{name}:Bad", "--world", f"{name}:MyDesk")
    assert code == 1
    assert "send() returned NoneType, and a receipt is a str" in told


def test_one_setting_that_is_refused_costs_its_own_points_and_the_rest_is_graded(home: Path) -> None:
    name = written(
        home,
        """
        class Bad(MyDesk):
            def settings(self, address):
                return {**super().settings(address), "colour": "red"}
        """,
    )
    code, told, _ = run(f"{name}:Mine", "--world", f"{name}:Bad", "--json")
    (grade,) = json.loads(told)
    assert code == 1
    assert (grade["letter"], grade["points"]) == ("B", 95)
    (failing,) = grade["failings"]
    assert failing["fault"] == "its settings"
    assert (
        "Mine refuses settings that Bad.settings() gives it: colour: Extra inputs are not permitted"
        in failing["happened"]
    )
    assert len(grade["passed"]) > 40


def test_recordings_that_cannot_be_used_are_told_why(home: Path) -> None:
    name = written(home, "")
    (home / "none").mkdir()
    assert "none/settings.json" in run(f"{name}:MyToy", "--recordings", "none")[2]
    (home / "none/settings.json").write_text('{"kind": "gong", "name": "x"}', encoding="utf-8")
    (home / "none/exchanges.json").write_text("[]", encoding="utf-8")
    code, _, told = run(f"{name}:MyToy", "--recordings", "none")
    assert code == 2
    assert "toy: it refuses the settings: kind: Input should be 'toy'" in told


def test_what_prints_does_not_spoil_the_json_of_the_grade(home: Path) -> None:
    name = written(
        home,
        """
        class Loud(Mine, frozen=True):
            def send(self, http, alert):
                print("ding")
                return super().send(http, alert)
        """,
    )
    code, told, _ = run(f"{name}:Loud", "--world", f"{name}:MyDesk", "--json")
    assert (code, json.loads(told)[0]["points"]) == (0, 100)
