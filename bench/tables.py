"""The tables of the model card, as Markdown."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.answers import Row, analysed, answer, bare, mention
from bench.faithful import Faith
from bench.measures import Figure, caught, confusion, share
from pipeline.analysis import Analysis
from pipeline.doubt import Glance, doubt
from pipeline.triage import Lane
from pipeline.triage.judge import Effort

GRAVE = Path(__file__).resolve().parents[1] / "tests" / "pipeline" / "triage" / "grave_kept.txt"
LENGTHS = {"under 60": (0, 60), "60 to 139": (60, 140), "140 to 299": (140, 300), "300 and more": (300, 10**9)}
"""Characters, as tweets and reviews fall apart."""
COSTS = (1, 2, 4, 8, 16)
RATE = 2
"""A larger figure is no share but a number of texts."""
NONE = "-"
NOTES = """\
In brackets: the 95 % interval by bootstrap over the rows, and the rows where only every fourth or fifth was asked.
"End to end" counts an answer as wrong where it was not asked for because the lane was wrong. The complaint benchmark
asks no model that ships, because its tweets taught them: in ten-fold cross-validation `fast` stands for n-grams alone,
`auto` for n-grams and the small transformer together (`bench/complaints.py`; 1,475 of its rows, all but the brand
rows, were never annotated). No tweet of SemEval taught any model; its published numbers are of the test set of 2017,
ours not."""
Said = Mapping[Effort, Sequence[Analysis]]


def tasks(beside: Mapping[str, Any], ours: Mapping[Effort, Mapping[str, Figure]], vader: Mapping[str, Figure]) -> str:
    """The one table: each task by effort, with what it is measured against."""
    previous = beside["previous"]
    heads = ["task", "rows", *(f"ours, {effort}" for effort in Effort), "bar", "published", "plain VADER"]
    body, missed = [], []
    for task in beside["task"]:
        name = task["name"]
        cells = {effort: ours[effort].get(name) for effort in Effort}
        all_cells = [*cells.values(), vader.get(name)]
        rows = max((one.rows for one in all_cells if one is not None), default=0)
        *shown, plain = [_cell(one, rows) for one in all_cells]
        before = _number(task["before"]) if "before" in task else NONE
        body.append([name, f"{rows:,}", *shown, _bar(task), task.get("published", NONE), plain, before])
        asked = [Effort(effort) for effort in task.get("bars", [])]
        asked = asked or [effort for effort in (Effort.AUTO, Effort.ACCURATE) if cells[effort]] or [Effort.FAST]
        for effort in asked:
            told = cells[effort]
            if told is not None and _misses(task, effort, told.value):
                missed.append(f"{name} ({effort}: {_number(told.value)})")
    unknown = {name for column in (*ours.values(), vader) for name in column} - {
        task["name"] for task in beside["task"]
    }
    if unknown:
        raise ValueError(f"beside.toml has no line for {', '.join(sorted(unknown))}")
    words = f"The previous release is `{previous['weights']}` ({previous['source']}). {NOTES}"
    return (
        f"{_table([*heads, 'previous release'], body)}\n\n{words}\n\nNot at its bar: {'; '.join(missed) or 'nothing'}."
    )


def _number(value: float) -> str:
    """A share with three digits, a rate without any."""
    return f"{value:.3f}" if value < RATE else f"{value:,.0f}"


def _bar(task: Mapping[str, Any]) -> str:
    if "bars" in task:
        return ", ".join(f"{effort} ≥ {_number(least)}" for effort, least in task["bars"].items())
    return f"≥ {task['bar']:.3f}" if "bar" in task else f"≤ {task['at_most']:.3f}" if "at_most" in task else NONE


def _cell(told: Figure | None, rows: int) -> str:
    """A figure with its interval, and its rows where they are fewer than the others'."""
    if told is None:
        return NONE
    said = str(told) if told.value < RATE else _number(told.value)
    return said if told.rows == rows else f"{said} ({told.rows:,} rows)"


def _misses(task: Mapping[str, Any], effort: Effort, value: float) -> bool:
    least = task.get("bars", {}).get(effort.value, task.get("bar", value))
    return bool(value < least or value > task.get("at_most", value))


def by_source(rows: Sequence[Row], said: Said) -> str:
    """Lane and complaint by the data set of gold."""
    names = sorted({row["dataset"] for row in rows}, key=lambda name: (-sum(r["dataset"] == name for r in rows), name))
    return _groups("source", {name: lambda row, name=name: row["dataset"] == name for name in names}, rows, said)


def by_length(rows: Sequence[Row], said: Said) -> str:
    """Lane and complaint by the number of characters."""
    tests = {
        name: lambda row, low=low, high=high: low <= len(row["text"]) < high for name, (low, high) in LENGTHS.items()
    }
    return _groups("characters", tests, rows, said)


def _groups(title: str, tests: Mapping[str, Callable[[Row], bool]], rows: Sequence[Row], said: Said) -> str:
    heads = [f"{head}, {effort}" for head in ("lane", "complaint") for effort in Effort]
    body = []
    for name, belongs in tests.items():
        at = [place for place, row in enumerate(rows) if belongs(row)]
        if not at:
            continue
        cells = [
            f"{share([rows[place][head] for place in at], [answer(said[effort][place], head) for place in at]):.2f}"
            for head in ("lane", "complaint")
            for effort in Effort
        ]
        body.append([name, str(len(at)), *cells])
    return _table([f"{title}: accuracy", "rows", *heads], body)


def lanes(rows: Sequence[Row], analyses: Sequence[Analysis]) -> str:
    """Which lane was taken for which."""
    found = confusion([row["lane"] for row in rows], [one.lane.value for one in analyses], list(Lane))
    body = [[f"is {lane}", *map(str, counts)] for lane, counts in zip(Lane, found, strict=True) if sum(counts)]
    return _table(["lane in `auto`", *(f"said {lane}" for lane in Lane)], body)


def costs(rows: Sequence[Row], analyses: Sequence[Analysis]) -> str:
    """What the miss cost does: how much of service is found, and how much a person must look at."""
    wanted = [row["lane"] == "service" for row in rows]
    waits = [one.lane_probabilities[Lane.SERVICE] or 0.0 for one in analyses]
    body = []
    for cost in COSTS:
        least = 1 / (1 + cost)
        over = caught([chance >= least for chance in waits], wanted)
        review = [
            doubt(Glance.of(mention(row), one), float(cost)) is not None
            for row, one in zip(rows, analyses, strict=True)
        ]
        seen = caught(
            [looked or one.lane is Lane.SERVICE for looked, one in zip(review, analyses, strict=True)], wanted
        )
        cells = [over.recall, over.precision, sum(review) / len(review), seen.recall]
        body.append([str(cost), f"{least:.3f}", *(f"{cell:.3f}" for cell in cells)])
    heads = ["miss cost in `auto`", "P(service) from", "recall", "precision"]
    return _table([*heads, "share in the review queue", "of service, answered or in the queue"], body)


def faith(found: Mapping[Effort, Faith]) -> str:
    """How true the reasons are."""
    heads = ["reasons for the lane: its probability falls by", "texts", "without the words named"]
    heads += ["without as many others", "without as many other telling ones", "texts where the words named count more"]
    return _table(
        heads,
        [
            [effort.value, str(one.texts), str(one.named), str(one.others), str(one.telling), str(one.more)]
            for effort, one in found.items()
        ],
    )


def grave_signals(path: Path = GRAVE) -> str:
    """The signals heard in the sentences that were kept from whoever wrote the phrases and taught the models."""
    told = [line.partition(": ") for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    meant = [set(names.split()) - {"-"} for names, _, _ in told]
    names = ("recall (bar ≥ .99)", "precision (bar ≥ .85)", "recall of the right signal")
    lines: dict[str, list[str]] = {name: [] for name in names}
    for effort in Effort:
        heard = [set(one.grave) for one in analysed(bare([text for _, _, text in told]), effort)]
        found = caught([bool(one) for one in heard], [bool(one) for one in meant])
        named = sum(len(one & other) for one, other in zip(meant, heard, strict=True)) / sum(map(len, meant))
        for line, value in zip(lines.values(), (found.recall, found.precision, named), strict=True):
            line.append(f"{value:.3f}")
    title = f"grave signals, {len(told)} kept sentences, {sum(map(bool, meant))} of them grave"
    return _table([title, *(f"{effort}" for effort in Effort)], [[name, *line] for name, line in lines.items()])


def listed(found: Mapping[str, str], title: str) -> str:
    """Figures as a table of two columns."""
    return _table([title, ""], [[name, told] for name, told in found.items()])


def _table(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    ruled = [list(heads), ["---"] * len(heads), *map(list, body)]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in ruled)
