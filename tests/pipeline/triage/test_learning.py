"""Whether a lesson does harm is measured on answers that are known, and told beyond chance only."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.classifier import Reading
from pipeline.correction import Correction, Question
from pipeline.errors import SettingsError
from pipeline.mention import Mention
from pipeline.triage.judge import Effort, Triage
from pipeline.triage.learning import (
    GROUP,
    REGRESSION,
    change,
    changes,
    examples,
    labelled,
    left_out,
    readable,
    worst_first,
)
from pipeline.triage.lesson import Example, Probabilities, learn
from pipeline.triage.model import HEADS

unmoved = readable(Triage(Effort.FAST))
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
FROZEN = "5225fe77d8bec4fca227fc94e0c942f742c1b5aee78860999c9e2531463fe941"
outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=300)


@given(rows=outcomes)
def test_a_difference_lies_in_its_interval_and_the_same_rows_give_the_same(rows: list[tuple[bool, bool]]) -> None:
    before, after = zip(*rows, strict=True)
    one = change("set", "all", "lane", before, after)
    assert one == change("set", "all", "lane", before, after)
    assert one.low - 1e-9 <= one.after - one.before <= one.high + 1e-9
    assert -1 <= one.low <= one.high <= 1


@given(rows=outcomes)
def test_seen_from_the_other_side_a_loss_is_a_gain(rows: list[tuple[bool, bool]]) -> None:
    before, after = zip(*rows, strict=True)
    if sum(after) - sum(before) == 0:
        assert change("set", "all", "lane", before, after).verdict == "same"
    forth, back = (change("set", "all", "lane", *pair) for pair in ((before, after), (after, before)))
    assert {forth.verdict, back.verdict} in ({"same"}, {"better", "worse"}, {"same", "better"}, {"same", "worse"})


@pytest.mark.parametrize(
    ("lost", "won", "verdict"),
    [(0, 0, "same"), (3, 0, "same"), (6, 0, "worse"), (0, 6, "better"), (10, 9, "same"), (30, 5, "worse")],
)
def test_a_few_rows_more_or_less_are_chance(lost: int, won: int, verdict: str) -> None:
    before = [True] * lost + [False] * won + [True] * 100
    after = [False] * lost + [True] * won + [True] * 100
    assert change("set", "all", "lane", before, after).verdict == verdict


def test_the_regression_set_is_ours_varied_and_labelled_by_the_guide() -> None:
    rows = [json.loads(line) for line in REGRESSION.read_text("utf-8").splitlines()]
    assert len(rows) >= 300
    assert len({row["text"] for row in rows}) == len(rows)
    for row in rows:
        service = row["lane"] == "service"
        assert bool(row["category"]) == bool(row["urgency"]) == service, row["id"]
        assert row["complaint"] in {"yes", "no"}, row["id"]
    assert min(Counter(row["lane"] for row in rows).values()) >= 40
    assert len({row["id"].partition(":")[0] for row in rows}) >= 8
    assert sum(number >= GROUP for number in Counter(row["source"] for row in rows).values()) >= 5
    assert {row["category"] for row in rows} == {*HEADS["category"], ""}
    assert len(labelled(REGRESSION)) == len(rows)


def test_the_regression_set_is_frozen() -> None:
    """A line that is wrong may be mended, with this; but no lesson and no model may be given easier questions."""
    assert sha256(REGRESSION.read_bytes()).hexdigest() == FROZEN


def test_no_text_of_the_regression_set_is_somebody_elses(shared: Path) -> None:
    ours = {row.reading.text for row in labelled(REGRESSION)}
    for name in ("train", "dev"):
        lines = (shared / "gold" / f"{name}.jsonl").read_text("utf-8").splitlines()
        assert ours.isdisjoint(json.loads(line)["text"] for line in lines)


def test_lines_that_cannot_be_read_are_all_named(tmp_path: Path) -> None:
    file = tmp_path / "dev.jsonl"
    good = {"id": "1", "source": "x", "kind": "post", "rating": None, "text": "Hm.", "lane": "noise"}
    lines = [good, {**good, "lane": "noisy"}, {"id": "3"}]
    file.write_text("\n".join(["not json", *map(json.dumps, lines)]), encoding="utf-8")
    with pytest.raises(SettingsError) as told:
        labelled(file)
    assert [number for number in range(1, 5) if f"line {number}:" in str(told.value)] == [1, 3, 4]
    assert '"noisy" is no lane' in str(told.value)
    assert f'{file}, line 4: "text" is missing' in str(told.value)
    with pytest.raises(SettingsError, match="cannot be read"):
        labelled(tmp_path / "none.jsonl")


def test_a_lesson_that_turns_everything_into_noise_is_found_out_in_every_group() -> None:
    rows = labelled(REGRESSION)
    said = [example for row in rows[::2] if row.answers["lane"] != "noise" for example in _noise(row.reading)]
    found = changes("regression set", rows, unmoved, learn(said))
    assert found[0].group == "all"
    assert found[0].verdict == "worse"
    assert next(one.verdict for one in worst_first(found)) == "worse"
    assert len({one.group for one in found if one.verdict == "worse"}) > 1
    assert all(one.rows >= GROUP for one in found)


def _noise(reading: Reading) -> list[Example]:
    said = unmoved([reading])[0]
    return [] if said is None else [Example(reading.words, "lane", "noise", said["lane"])]


def test_what_is_in_a_language_that_cannot_be_judged_has_no_probabilities() -> None:
    told = unmoved(
        [Reading(key="1", text="Seit drei Wochen warte ich auf meine Schuhe."), Reading(key="2", text="Hm.")]
    )
    assert told[0] is None
    assert told[1] is not None
    assert set(told[1]) == set(HEADS)


def test_a_group_that_is_all_of_the_rows_is_told_once() -> None:
    rows = [row for row in labelled(REGRESSION) if row.language == "en"]
    found = changes("set", rows, unmoved, learn(_noise(rows[0].reading)))
    assert "all" in {one.group for one in found}
    assert "language en" not in {one.group for one in found}


@pytest.mark.parametrize(
    ("lane", "heads"), [("noise", ["lane"]), ("service", ["category", "lane"]), (None, ["category"])]
)
def test_a_category_teaches_nothing_once_the_mention_was_moved_out_of_service(
    lane: str | None, heads: list[str]
) -> None:
    mention = Mention(key="a", source="s", kind="post", text="Where is my parcel?", said_at=NOON)
    said = {Question.CATEGORY: "delivery"} | ({} if lane is None else {Question.LANE: lane})
    told = [
        Correction(key=answer, mention_key="a", field=field, said=None, answer=answer, by="Ann", at=NOON, version="v1")
        for field, answer in said.items()
    ]
    ((_, found),) = examples([(mention, told)], unmoved)
    assert sorted(one.head for one in found) == heads


def test_what_the_model_cannot_read_is_not_counted() -> None:
    rows = labelled(REGRESSION)

    def blind(readings: Sequence[Reading]) -> list[Probabilities | None]:
        return [None for _ in readings]

    lesson = learn([Example("sole came loose", "lane", "service", (0.1, 0.8, 0.1))])
    assert changes("regression set", rows, blind, lesson) == []


def test_corrections_are_measured_by_lessons_that_never_saw_them() -> None:
    texts = [f"the sole came loose on pair {number}" for number in ("one", "two", "three", "four", "five", "six")]
    found = [(None, [Example(words, "lane", "service", (0.1, 0.8, 0.1))]) for words in texts]
    after = left_out(found)  # type: ignore[arg-type]  # the mention itself does not matter
    assert [(one.head, one.rows, one.before, one.after) for one in after] == [("lane", 6, 0.0, 1.0)]
    strange = [
        (None, [Example(words, "lane", "service", (0.1, 0.8, 0.1))]) for words in ("oak", "fir", "elm", "ash", "yew")
    ]
    assert left_out(strange)[0].after == 0.0  # type: ignore[arg-type]
