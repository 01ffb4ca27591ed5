import gzip
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bench import tables
from bench.complaints import plain
from bench.evaluate import BESIDE, complaints
from bench.measures import Figure
from pipeline.triage.judge import Effort

TASKS: dict[str, Any] = {
    "previous": {"weights": "0123", "source": "its card"},
    "task": [
        {"name": "lane", "bar": 0.8, "published": "annotators .97", "before": 0.7},
        {"name": "calibration", "at_most": 0.05},
    ],
}


def _column(lane: float, calibration: float, rows: int = 100) -> dict[str, Figure]:
    return {"lane": Figure(rows, lane, 0.0, 1.0), "calibration": Figure(rows, calibration, 0.0, 1.0)}


def _ours(lane: float, calibration: float) -> dict[Effort, dict[str, Figure]]:
    return {
        Effort.FAST: _column(0.1, 0.9),
        Effort.AUTO: _column(lane, calibration),
        Effort.ACCURATE: _column(0.9, 0.0, rows=25),
    }


def test_a_task_is_one_line_with_all_it_is_measured_against() -> None:
    line = tables.tasks(TASKS, _ours(0.8, 0.01), {"lane": Figure(100, 0.5, 0.4, 0.6)}).splitlines()[2]
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        "lane", "100", "0.100 [0.000, 1.000]", "0.800 [0.000, 1.000]", "0.900 [0.000, 1.000] (25 rows)",
        "≥ 0.800", "annotators .97", "0.500 [0.400, 0.600]", "0.700",
    ]  # fmt: skip


def test_what_misses_its_bar_in_the_default_effort_is_said() -> None:
    assert "Not at its bar: nothing." in tables.tasks(TASKS, _ours(0.8, 0.05), {})
    assert "Not at its bar: lane (auto: 0.799); calibration (auto: 0.051)." in tables.tasks(
        TASKS, _ours(0.799, 0.051), {}
    )


def test_a_bar_of_one_effort_is_asked_of_that_effort() -> None:
    tasks = {
        "previous": TASKS["previous"],
        "task": [{"name": "rate", "bars": {"fast": 3000, "auto": 400}, "before": 10}],
    }
    rates = {
        effort: {"rate": Figure(9, rate, float("nan"), 0.0)}
        for effort, rate in zip(Effort, (2900, 399, 1000), strict=True)
    }
    table = tables.tasks(tasks, rates, {})
    assert "| rate | 9 | 2,900 | 399 | 1,000 | fast ≥ 3,000, auto ≥ 400 | - | - | 10 |" in table
    assert "Not at its bar: rate (fast: 2,900); rate (auto: 399)." in table


def test_a_figure_that_no_line_asks_for_is_refused() -> None:
    ours = _ours(0.8, 0.01)
    ours[Effort.FAST]["tone"] = Figure(1, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"beside.toml has no line for tone"):
        tables.tasks(TASKS, ours, {})


def test_what_stands_beside_our_figures_is_named_once_and_is_a_share() -> None:
    told = tomllib.loads(BESIDE.read_text(encoding="utf-8"))
    names = [task["name"] for task in told["task"]]
    assert len(set(names)) == len(names)
    for task in told["task"]:
        assert set(task) <= {"name", "bar", "bars", "at_most", "published", "before"}
        assert set(task.get("bars", {})) <= set(Effort)
        if not task["name"].startswith("texts a second"):
            assert all(0 < task[key] < 1 for key in ("bar", "at_most", "before") if key in task)


def test_the_complaint_benchmark_stands_under_the_efforts_its_methods_are_like() -> None:
    told = {
        "rows": 10,
        "brand rows": 5,
        "macro F1": {
            "n-grams": {"all rows": 0.8, "brand rows": 0.7, "mean of folds": 0.8},
            "blended": {"all rows": 0.9, "brand rows": 0.8, "mean of folds": 0.9},
        },
    }
    found = complaints(told)
    assert found[Effort.ACCURATE] == {}
    assert {name: (one.rows, one.value) for name, one in found[Effort.AUTO].items()} == {
        "complaint benchmark, all rows, macro F1": (10, 0.9),
        "complaint benchmark, brand rows, macro F1": (5, 0.8),
    }
    assert found[Effort.FAST]["complaint benchmark, all rows, macro F1"].value == 0.8


def test_grave_signals_are_counted_by_sentence(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text(
        "# remark\ninjury: the clip sliced my ankle open\nlegal: hm, a bad day\n-: killer deal, love it\n",
        encoding="utf-8",
    )
    table = tables.grave_signals(path)
    assert "| grave signals, 3 kept sentences, 2 of them grave | fast | auto | accurate |" in table
    assert "| recall (bar ≥ .99) | 0.500 |" in table
    assert "| precision (bar ≥ .85) | 1.000 |" in table


def test_no_benchmark_that_the_card_calls_unseen_taught_anything(shared: Path) -> None:
    taught: set[str] = set()
    for path in sorted((shared / "data" / "train").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            taught |= {plain(json.loads(line)["text"]) for line in file}
    with (shared / "gold" / "train.jsonl").open(encoding="utf-8") as file:
        taught |= {plain(json.loads(line)["text"]) for line in file}
    for name in ("semeval2013_test", "semeval2016_test"):
        with gzip.open(shared / "data" / "bench" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
            asked = {plain(json.loads(line)["text"]) for line in file}
        assert not {text for text in asked & taught if len(text) > 15}, name
