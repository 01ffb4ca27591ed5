"""The model card's numbers are computed, and hold."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.triage.model import shipped

ROOT = Path(__file__).resolve().parents[3]
CARD = (ROOT / "pipeline" / "triage" / "README.md").read_text(encoding="utf-8")
SLACK = 0.01


@pytest.fixture(scope="module")
def evaluate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("evaluate", ROOT / "bench" / "evaluate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["evaluate"] = module
    spec.loader.exec_module(module)
    return module


def test_the_card_is_about_the_weights_that_ship() -> None:
    assert f"Weights `{shipped().digest[:12]}`" in CARD


def test_the_judgement_is_not_worse_than_its_card(evaluate: ModuleType, shared: Path) -> None:
    rows = evaluate.gold(shared)
    for head, score in evaluate.scores(rows).items():
        told = re.search(rf"^\| {head} \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", CARD, re.MULTILINE)
        assert told is not None, head
        assert score.rows == int(told[1])
        assert score.accuracy >= float(told[2]) - SLACK, head
        assert score.macro_f1 >= float(told[3]) - SLACK, head
        assert score.end_to_end >= float(told[4]) - SLACK, head


def test_every_set_that_taught_the_model_is_credited_with_its_licence(shared: Path) -> None:
    credited = len(re.findall(r"^\| .* \| .* \| (?:MIT|CC|Apache|public|CDLA)", CARD, re.MULTILINE))
    assert credited == 18
    assert "language models" in CARD
    assert (shared / "data" / "SOURCES.md").is_file()


def test_the_measures_are_the_ones_of_the_field(evaluate: ModuleType) -> None:
    truth, given = ["a", "a", "b", "b"], ["a", "b", "b", "b"]
    assert evaluate.share(truth, given) == 0.75
    assert evaluate.macro_f1(truth, given) == pytest.approx((2 / 3 + 0.8) / 2)
    assert evaluate.macro_recall(truth, given) == 0.75
    assert evaluate.precision_at(1.0, [0.9, 0.8, 0.1], [True, False, True]) == pytest.approx(2 / 3)
    assert evaluate.calibration_error([0.9, 0.9], [True, False]) == pytest.approx(0.4)
