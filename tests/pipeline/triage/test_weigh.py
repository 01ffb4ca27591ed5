import json
from pathlib import Path

import numpy as np

from pipeline.triage.judge import Effort, Triage
from pipeline.triage.model import HEADS
from pipeline.triage.second import Folder, Heads
from pipeline.triage.train import reading
from pipeline.triage.weigh import TRUST, best, weigh
from tests.pipeline.triage import tiny

ROW = {"id": "a", "kind": "post", "rating": None, "stage": "none", "touchpoint": "none"}
NONE = {"category": "", "urgency": "", "factor": ""}
WAITS = {"lane": "service", "category": "product_defect", "urgency": "normal", "factor": ""}
LIKES = {"lane": "experience", "category": "", "urgency": "", "factor": "brand_image"}
ROWS = [
    ROW | LIKES | {"text": "love it", "complaint": "no", "sentiment": "positive"},
    ROW | NONE | {"text": "what link", "lane": "noise", "complaint": "no", "sentiment": "neutral"},
    ROW | WAITS | {"text": "it came broken", "complaint": "yes", "sentiment": "negative"},
]


def test_who_is_right_is_trusted_and_who_knows_nothing_is_not() -> None:
    right, nothing = np.log([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05]]), np.log(np.full((2, 3), 1 / 3))
    assert best(nothing, right, [0, 1])[0] == max(TRUST)
    assert best(right, -right, [0, 1])[0] == min(TRUST)


def test_each_folder_is_weighed_against_all_before_it_and_keeps_what_dev_does_not_choose(tmp_path: Path) -> None:
    (tmp_path / "gold").mkdir()
    (tmp_path / "gold" / "dev.jsonl").write_text("\n".join(map(json.dumps, ROWS)) + "\n", encoding="utf-8")
    first, later = (tiny.folder(tmp_path / name, tiny.answers((*HEADS, "grave"))) for name in ("first", "later"))
    leaning = {"lane": {"noise": -0.5}}
    weigh(tmp_path, {first: {"bias": leaning, "trust": {}}, later: {"bias": {}, "trust": {"grave": 0.6}}})
    told = {path: Heads.model_validate_json((path / "heads.json").read_bytes()) for path in (first, later)}
    assert (told[first].bias, told[later].bias) == (leaning, {})
    assert (told[later].trust["grave"], set(told[first].trust)) == (0.6, set(HEADS))
    said = [reading(row) for row in ROWS]
    known = [np.log(one["lane"]) for one in Triage(Effort.ACCURATE, classifier=str(first)).chances(said)]
    plain = tiny.folder(tmp_path / "plain", tiny.answers((*HEADS, "grave")))
    new = [np.log(np.maximum(one.chances["lane"], 1e-6)) for one in Folder(plain).opinions(said)]
    truth = [HEADS["lane"].index(row["lane"]) for row in ROWS]
    assert (told[later].trust["lane"], told[later].temperature["lane"]) == best(np.array(known), np.array(new), truth)
