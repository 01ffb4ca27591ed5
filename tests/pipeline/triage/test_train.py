import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.classifier import Reading
from pipeline.sentiment import Vader
from pipeline.triage import train as training
from pipeline.triage.auxiliary import SETS, WEIGHT
from pipeline.triage.model import HEADS, Model
from pipeline.triage.related import word_vectors

LANES = {
    "service": ("my order never came, please refund me number{}", "technical_problem", "high", ""),
    "experience": ("lovely comfortable shoes, I love them so much {}", "", "", "emotional_connection"),
    "noise": ("we are hiring a store manager in town {} apply now", "", "", ""),
}


@pytest.fixture
def taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shared folder of our own with a small labelled set, and somewhere else to write to."""
    rows = []
    for at in range(60):
        lane = list(LANES)[at % 3]
        text, category, urgency, factor = LANES[lane]
        other = at % 2 == 0
        rows.append(
            {
                "id": f"t{at}",
                "dataset": f"set{at % 5}",
                "kind": "post",
                "rating": "5/5" if lane == "experience" else None,
                "text": text.format(chr(97 + at % 26)),
                "lane": lane,
                "category": category and ("delivery" if other else category),
                "urgency": urgency and ("normal" if other else urgency),
                "complaint": "yes" if lane == "service" else "no",
                "sentiment": {"service": "negative", "experience": "positive"}.get(lane, "neutral"),
                "stage": "use" if lane == "experience" else "none",
                "touchpoint": "product" if lane == "experience" else "none",
                "factor": factor and ("price_value" if other else factor),
            }
        )
    (tmp_path / "gold").mkdir()
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "gold" / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for name in SETS:
        label = {"c": ("complaint", 1), "u": ("positive", 0), "v": ("mean", -2.0), "g": ("emotions", ["anger"])}[
            name[0]
        ]
        said = [dict([label]) | {"text": f"the seam of pair {chr(97 + at)} is torn, not good"} for at in range(20)]
        with gzip.open(tmp_path / "data" / "train" / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(map(json.dumps, said)))
    monkeypatch.setattr(training, "WEIGHTS", tmp_path / "weights.npz")
    monkeypatch.setattr(training, "FIGURES", tmp_path / "weights.json")
    monkeypatch.setattr(training, "DIMENSIONS", 4)
    monkeypatch.setattr("pipeline.triage.related.DIMENSIONS", 4)
    return tmp_path


def test_the_same_data_makes_the_same_file_and_it_has_learnt(taught: Path) -> None:
    figures = training.train(taught)
    first = (taught / "weights.npz").read_bytes()
    assert figures["gold_rows"] == 60
    assert training.train(taught)["sha256"] == figures["sha256"]
    assert (taught / "weights.npz").read_bytes() == first
    with np.load(taught / "weights.npz", allow_pickle=False) as weights:
        model = Model(dict(weights), figures["sha256"])
    for lane, (text, *_) in LANES.items():
        said = Reading(key="k", text=text.format("z"))
        assert model.score(said, Vader().strength(said.words)).answer("lane") == lane


def test_the_model_adds_up_what_the_training_saw(taught: Path) -> None:
    rows = training.labelled(taught)
    said = [training.reading(row) for row in rows]
    found = [training.features(one) for one in said]
    size = dict.fromkeys(sorted({name for one in found for name in one}), 1.0)
    values = training.matrix(found, size)
    squares = np.asarray(values.multiply(values).sum(axis=1)).ravel()
    own = training.lengths(said, size)
    assert (own <= np.sqrt(squares) + 1e-9).all()  # parts two words share are squared apart, by both alike


def test_a_rating_is_read_as_the_product_reads_it() -> None:
    row = {"id": "t", "text": "x", "kind": "review"}
    assert training.reading({**row, "rating": "4/5"}).stars == 0.8
    assert training.reading({**row, "rating": "?/10"}).stars is None
    assert training.reading({**row, "rating": None}).stars is None


def test_words_in_the_same_company_are_near_each_other(taught: Path) -> None:
    lines = [f"the {shoe} is {word} today" for shoe in ("boot", "shoe") for word in ("great", "awful")] * 5
    with gzip.open(taught / "data" / "train" / "more.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(json.dumps({"text": f"{line} {at}"}) for at, line in enumerate(lines)))
    vectors = word_vectors(taught / "data" / "train")

    def near(one: str, other: str) -> float:
        left, right = vectors[one], vectors[other]
        return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))

    assert near("boot", "shoe") > 0.9 > near("boot", "seam")


def test_other_peoples_labels_answer_one_question_each_and_count_less(taught: Path) -> None:
    rows = [row for row in training.labelled(taught) if "weight" in row]
    assert {row["weight"] for row in rows} == {WEIGHT}
    assert {tuple(head for head in HEADS if row[head]) for row in rows} == {("complaint",), ("sentiment",)}
    feelings = {row["dataset"]: row["sentiment"] for row in rows if row["sentiment"]}
    assert set(feelings.values()) == {"negative"}


def test_mixed_emotions_are_left_out(taught: Path) -> None:
    said = [{"text": "mixed", "emotions": ["joy", "anger"]}, {"text": "unclear", "emotions": ["surprise"]}]
    said += [{"text": "calm", "emotions": ["neutral"]}, {"text": "glad", "emotions": ["joy"]}]
    with gzip.open(taught / "data" / "train" / "goemotions_dev.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(map(json.dumps, said)))
    told = {row["text"]: row["sentiment"] for row in training.labelled(taught) if row["dataset"] == "goemotions-dev"}
    assert told == {"calm": "neutral", "glad": "positive"}
