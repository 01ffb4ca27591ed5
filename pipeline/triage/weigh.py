"""How much each opinion counts beside those before it: `python -m pipeline.triage.weigh SHARED_DIR`, last in training.

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
from pipeline.triage.judge import Chances, after
from pipeline.triage.labelled import Row
from pipeline.triage.model import HEADS, shipped
from pipeline.triage.second import LARGE, SMALL, Folder
from pipeline.triage.train import reading

Doubles = NDArray[np.float64]

TRUST = [round(0.3 + 0.05 * step, 2) for step in range(13)]
TEMPERATURES = [round(float(value), 3) for value in np.geomspace(0.3, 1.6, 35)]
PRIOR: Mapping[Path, Row] = {
    SMALL: {
        "bias": {"lane": {"noise": -1.4}, "complaint": {"yes": 0.8}, "sentiment": {"negative": 0.31, "neutral": -0.77}},
        "trust": {},
    },
    LARGE: {"bias": {}, "trust": {"grave": 1.0}},
}
"""What dev does not choose. What the small one was taught holds more tweets of other worlds than anybody's mentions do:
it finds too much noise and too much neutral. Its leanings were chosen on every 14th tweet of `semeval2016_test` (macro
recall .631 to .667) and on our own written mentions, `regression.jsonl` (lane .693 to .730, complaint .813 to .825); on
dev they change nothing or little. The large one needs none since it was taught mentions of our own."""
_LEAST = 1e-6
log = logging.getLogger(__name__)


def best(known: Doubles, new: Doubles, truth: Sequence[int]) -> tuple[float, float]:
    """Trust and temperature with the least mean surprise. `known` and `new`: log-probabilities, (rows, answers)."""

    def surprise(trust: float, temperature: float) -> float:
        scaled = new / temperature
        scaled -= np.logaddexp.reduce(scaled, axis=1)[:, None]
        mixed = (1 - trust) * known + trust * scaled
        chosen = mixed[np.arange(len(truth)), truth]
        return float((np.logaddexp.reduce(mixed, axis=1) - chosen).mean())

    pairs = [(trust, temperature) for trust in TRUST for temperature in TEMPERATURES]
    return min(pairs, key=lambda pair: surprise(*pair))


def weigh(shared: Path, folders: Mapping[Path, Row] = PRIOR) -> None:
    """Writes the `heads.json` of each folder anew. A later one is weighed against all that were asked before it."""
    rows = labelled.gold(shared / "gold" / "dev.jsonl")
    readings = [reading(row) for row in rows]
    vader = Vader()
    chances: list[Chances] = [shipped().score(one, vader.strength(one.words)).probabilities for one in readings]
    for folder, prior in folders.items():
        told = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
        told |= {"trust": {}, "temperature": {}, "bias": {}}
        _write(folder, told)
        opinions = Folder(folder).opinions(readings)
        for head, answers in HEADS.items():
            asked = [at for at, row in enumerate(rows) if row[head] != "" and head in opinions[at].chances]
            known = np.log(np.maximum([chances[at][head] for at in asked], _LEAST))
            new = np.log(np.maximum([opinions[at].chances[head] for at in asked], _LEAST))
            truth = [answers.index(rows[at][head]) for at in asked]
            told["trust"][head], told["temperature"][head] = best(known, new, truth)
            log.info("%s, %s: %s", folder.name, head, (told["trust"][head], told["temperature"][head]))
        told["trust"] |= prior["trust"]
        told["bias"] = prior["bias"]
        _write(folder, told)
        weighed = Folder(folder)
        opinions = weighed.opinions(readings)
        chances = [after(one, said, weighed.trust) for one, said in zip(chances, opinions, strict=True)]


def _write(folder: Path, told: Row) -> None:
    (folder / "heads.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    weigh(Path(sys.argv[1]))
