"""The model card's numbers are computed, and hold."""

import re
from pathlib import Path

import pytest

from bench.answers import Row, analysed, gold, readings
from bench.evaluate import of_gold
from bench.measures import Figure
from pipeline.analysis import Analyst
from pipeline.triage.judge import Effort

CARD = (Path(__file__).resolve().parents[3] / "pipeline" / "triage" / "README.md").read_text(encoding="utf-8")
SLACK = 0.01
FLOORS = (
    "lane, accuracy",
    "lane, macro F1",
    "complaint, accuracy",
    "complaint, macro F1",
    "sentiment, accuracy",
    "sentiment, macro F1",
    "category given the lane, accuracy",
    "category end to end, accuracy",
    "urgency given the lane, accuracy",
    "stage, accuracy",
    "touchpoint, accuracy",
    "factor given the lane, accuracy",
)
CEILINGS = ("lane, calibration error", "complaint, calibration error")


def _told(task: str, effort: Effort) -> float:
    """What the card says of a task in an effort."""
    line = re.search(rf"^\| {re.escape(task)} \|(.*)$", CARD, re.MULTILINE)
    assert line is not None, task
    heads = re.search(r"^\| task \|(.*)$", CARD, re.MULTILINE)
    assert heads is not None
    place = [head.strip() for head in heads[1].split("|")].index(f"ours, {effort}")
    return float(line[1].split("|")[place].split()[0])


@pytest.fixture(scope="module")
def rows(shared: Path) -> list[Row]:
    return gold(shared)


@pytest.fixture(scope="module", params=list(Effort))
def measured(request: pytest.FixtureRequest, rows: list[Row]) -> tuple[Effort, dict[str, Figure]]:
    effort: Effort = request.param
    return effort, of_gold(rows, analysed(readings(rows), effort), effort, draws=0)


def test_the_card_is_about_the_versions_that_ship() -> None:
    missing = [f"{name} {version}" for name, version in Analyst(effort=Effort.ACCURATE).versions.items()
               if name != "effort" and f"`{version}`" not in CARD]  # fmt: skip
    assert not missing, "measure again: make evaluate"


def test_the_judgement_is_not_worse_than_its_card(measured: tuple[Effort, dict[str, Figure]]) -> None:
    effort, found = measured
    worse = {task: found[task].value for task in FLOORS if found[task].value < _told(task, effort) - SLACK}
    off = {task: found[task].value for task in CEILINGS if found[task].value > _told(task, effort) + SLACK}
    assert worse | off == {}


def test_thinking_harder_does_not_judge_worse() -> None:
    for task in ("lane, accuracy", "complaint, accuracy", "sentiment, accuracy", "category end to end, accuracy"):
        assert _told(task, Effort.AUTO) >= _told(task, Effort.FAST) - SLACK, task
        assert _told(task, Effort.ACCURATE) >= _told(task, Effort.AUTO) - SLACK, task


def test_reasons_are_true_to_the_models_that_decided() -> None:
    for effort in (Effort.FAST, Effort.ACCURATE):
        line = re.search(
            rf"^\| {effort} \| \d+ \| ([-\d.]+) \[([-\d.]+), .*?\] \| ([-\d.]+) .*? \| ([-\d.]+) ", CARD, re.MULTILINE
        )
        assert line is not None, effort
        named_at_least, others, telling = float(line[2]), float(line[3]), float(line[4])
        assert named_at_least > max(others, telling), effort


def test_every_set_that_taught_the_model_is_credited_with_its_licence(shared: Path) -> None:
    credited = len(re.findall(r"^\| .* \| .* \| (?:MIT|CC|Apache|public|CDLA)", CARD, re.MULTILINE))
    assert credited == 18
    assert "language models" in CARD
    assert (shared / "data" / "SOURCES.md").is_file()
