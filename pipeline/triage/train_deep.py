"""Remakes the transformers from the labelled mentions: `python -m pipeline.triage.train_deep SHARED_DIR`.

The small one is MiniLM (Wang et al., 2020), the large one MPNet (Song et al., 2020); both start from the weights of
sentence-transformers, all-MiniLM-L6-v2 and all-mpnet-base-v2, Apache-2.0. The small one is taught first what other
people labelled (`schooling.py`); then both our eight questions, all at once, with some feelings of theirs. The mean of
the last layer's tokens goes through one matrix, so an answer is a sum over the tokens. The large one learns a ninth
question, `grave`, and at last learns with the rounded weights that ship. Needs `requirements-deep.txt`; nothing in
production imports this.
The same seed on the same processor and library versions gives the same weights; elsewhere the last digits differ.
"""

import logging
import math
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import nn

from pipeline.classifier import Reading
from pipeline.triage import labelled, schooling
from pipeline.triage.grave import grave
from pipeline.triage.labelled import Row
from pipeline.triage.model import GRAVE, HEADS, QUESTIONS
from pipeline.triage.net import TOKENS, Base, Net, encoder, export, minilm, mpnet, padded
from pipeline.triage.second import LARGE, SMALL
from pipeline.triage.train import reading

SEED = 1
SMOOTH, CLIP, WARM = 0.05, 1.0, 0.06
DECAY = 0.01
BATCH, POOL = 32, 50
"""Texts in one step; batches of like length are cut out of so many at a time."""
SCHOOL, SCHOOL_TOKENS = (1, 1e-4, 1e-3), 96
ROUNDS, LARGE_ROUNDS = ((2, 1e-4, 1e-3), (1, 6e-5, 5e-4)), ((1, 5e-5, 1e-3), (1, 3e-5, 5e-4))
"""Our own labels, for the small one and for the large one: epochs, and the largest steps of the transformer and of the
matrices on it."""
ROUNDED, RENEWED = ((1, 5e-5, 3e-4), (1, 3e-5, 3e-4)), 10
"""The same for the large one's last two rounds, with rounded weights; and how many steps they stay rounded so."""
GOLD, LABELS, WRITTEN = (4000, 1500), 2000, 2193
"""So much of gold is in the third round and in the fourth; in the third so many of our later labels, and so many of the
mentions written for us: the first ones, all there were."""
HARMLESS = 500
"""Texts that only might be grave in the fourth."""
FEELINGS, FEELINGS_WEIGHT = 3000, 0.3
"""Texts with a feeling that other people labelled, taught beside our own labels; to the large one half as many, and
from its second round on a quarter."""
GRAVE_STRENGTH, GRAVE_WEIGHT = 0.1, 3.0
"""The inverse of the regularisation of the matrix for grave signals, and what a mention written for us counts there."""
NONE = -100
"""No label."""
_LEAST = 1e-6
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lessons:
    """Texts as token ids; for each question one answer each (`NONE` for no label) or chances (-1); a weight each."""

    ids: list[list[int]]
    weights: NDArray[np.float32]
    hard: dict[str, NDArray[np.int64]]
    soft: dict[str, NDArray[np.float32]]


def school(base: Base, data: Path) -> tuple[Lessons, dict[str, int]]:
    """What other people labelled."""
    examples, sizes = schooling.examples(data)
    encode = encoder(base, SCHOOL_TOKENS)
    hard = {name: np.full(len(examples), NONE) for name in sizes if name not in {"feeling", "emotions"}}
    soft = {name: np.full((len(examples), sizes[name]), -1.0, dtype=np.float32) for name in ("feeling", "emotions")}
    for at, one in enumerate(examples):
        for name, answer in one.hard.items():
            hard[name][at] = answer
        for name, chances in one.soft.items():
            soft[name][at] = chances
    ids = [encode.encode(_bare(one.text), stars=False).ids for one in examples]
    weights = np.array([one.weight for one in examples], dtype=np.float32)
    return Lessons(ids, weights, hard, soft), sizes


def own(base: Base, rows: Sequence[Row], data: Path, draw: random.Random, feelings: int) -> Lessons:
    """Our labels, and so many feelings beside them."""
    felt = [one for one in schooling.examples(data)[0] if "feeling" in one.soft]
    felt = draw.sample(felt, feelings)
    encode = encoder(base, TOKENS)
    ids = [encode.encode(reading(row), stars=True, emoji=base.emoji).ids for row in rows]
    ids += [encode.encode(_bare(one.text), stars=False, emoji=base.emoji).ids for one in felt]
    hard = {
        head: np.array([*(answers.index(row[head]) if row.get(head) else NONE for row in rows), *[NONE] * len(felt)])
        for head, answers in QUESTIONS.items()
    }
    order = [schooling.FEELINGS.index(answer) for answer in HEADS["sentiment"]]
    soft = np.full((len(ids), len(order)), -1.0, dtype=np.float32)
    for at, one in enumerate(felt, len(rows)):
        soft[at] = [one.soft["feeling"][place] for place in order]
    weights = np.array([1.0] * len(rows) + [FEELINGS_WEIGHT * one.weight for one in felt], dtype=np.float32)
    return Lessons(ids, weights, hard, {"sentiment": soft})


def _bare(text: str) -> Reading:
    return reading({"id": "", "text": text, "kind": "post", "rating": None})


def teach(net: Net, lessons: Lessons, pace: tuple[float, float, float], seed: int) -> None:
    """Adam with a linear warm-up and descent. `pace`: epochs, and the steps of the transformer and of the matrices."""
    epochs, encoder_rate, heads_rate = pace
    draw = np.random.default_rng(seed)
    total = int(math.ceil(len(lessons.ids) / BATCH) * epochs)
    groups = [
        {
            "params": [value],
            "lr": heads_rate if name.startswith("heads") else encoder_rate,
            "weight_decay": DECAY if value.ndim > 1 else 0.0,
        }
        for name, value in net.named_parameters()
        if value.requires_grad
    ]
    adam = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
    falling = torch.optim.lr_scheduler.LambdaLR(
        adam, lambda step: min((step + 1) / (WARM * total), max(0.0, (total - step) / (total * (1 - WARM))))
    )
    net.train()
    for step, batch in enumerate(_batches(lessons, draw, total), 1):
        lost = loss(net(*padded([lessons.ids[at] for at in batch])), lessons, batch)
        adam.zero_grad()
        lost.backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        adam.step()
        falling.step()
        if step % RENEWED == 0 or step == total:
            net.renew()
        if step % 100 == 0 or step == total:
            log.info("step %d of %d: loss %.3f", step, total, float(lost.detach()))


def loss(logits: Mapping[str, torch.Tensor], lessons: Lessons, batch: Sequence[int]) -> torch.Tensor:
    """Summed over the questions, mean over the texts."""
    weights, total = torch.from_numpy(lessons.weights[batch]), torch.zeros(())
    for name, values in logits.items():
        if name in lessons.hard:
            answers = torch.from_numpy(lessons.hard[name][batch])
            told = answers >= 0
            if told.any():
                each = nn.functional.cross_entropy(
                    values[told], answers[told], label_smoothing=SMOOTH, reduction="none"
                )
                total = total + (each * weights[told]).sum()
        if name in lessons.soft:
            chances = torch.from_numpy(lessons.soft[name][batch])
            told = chances[:, 0] >= 0
            if told.any() and name == "emotions":
                yes_no = nn.functional.binary_cross_entropy_with_logits
                total = total + (yes_no(values[told], chances[told], reduction="none").sum(1) * weights[told]).sum()
            elif told.any():
                total = total - ((chances[told] * values[told].log_softmax(-1)).sum(1) * weights[told]).sum()
    return total / len(batch)


def _batches(lessons: Lessons, draw: np.random.Generator, count: int) -> Iterator[list[int]]:
    """`count` batches of texts of like length, every text once before any comes again."""
    done = 0
    while True:
        order = draw.permutation(len(lessons.ids)).tolist()
        pools = (order[at : at + BATCH * POOL] for at in range(0, len(order), BATCH * POOL))
        batches = [batch for pool in pools for batch in _alike(lessons.ids, pool)]
        draw.shuffle(batches)
        for batch in batches:
            if done == count:
                return
            done += 1
            yield batch


def _alike(ids: Sequence[list[int]], among: Sequence[int]) -> list[list[int]]:
    """Batches of texts of like length."""
    ordered = sorted(among, key=lambda at: len(ids[at]))
    return [ordered[at : at + BATCH] for at in range(0, len(ordered), BATCH)]


def hear(net: Net, data: Path) -> None:
    """A matrix for the grave signals to begin with, by logistic regression on what the transformer has become.

    There are far fewer grave texts than others, and of most signals nearly all are of our writing. (The small one
    cannot tell them from ordinary complaints: it heard 164 in the 441 mentions of dev.) That most complaints are not
    grave it learns from those of gold that nobody called critical or a matter of safety or law.
    """
    rows = labelled.graves(data)
    asked = {row["id"] for row in rows}
    gold = labelled.gold(data.parents[1] / "gold" / "train.jsonl")
    rows += [row for row in map(_unharmed, gold) if row["id"] not in asked and "grave" in row]
    means = _means(net, rows)
    spread = means.std(axis=0) + _LEAST
    weights = [GRAVE_WEIGHT if row["dataset"] == "written" else 1.0 for row in rows]
    regression = LogisticRegression(C=GRAVE_STRENGTH, max_iter=500)
    regression.fit(means / spread, [GRAVE.index(row["grave"]) for row in rows], weights)
    net.heads["grave"] = nn.Linear(net.base.width, len(GRAVE))
    net.heads["grave"].weight.data = torch.from_numpy((regression.coef_ / spread).astype(np.float32))
    net.heads["grave"].bias.data = torch.from_numpy(regression.intercept_.astype(np.float32))
    log.info("grave: %d texts", len(rows))


def _unharmed(row: Row) -> Row:
    """A mention of gold that certainly says nothing grave is one that teaches so."""
    harm = row["category"] == "safety_legal" or row["urgency"] == "critical" or grave(row["text"])
    return row if harm else row | {"grave": "none"}


def _means(net: Net, rows: Sequence[Row]) -> NDArray[np.float32]:
    """What the transformer makes of each text, as (rows, width)."""
    encode = encoder(net.base, TOKENS)
    ids = [encode.encode(reading(row), stars=True, emoji=True).ids for row in rows]
    means = np.zeros((len(ids), net.base.width), dtype=np.float32)
    net.eval()
    with torch.inference_mode():
        for at in _alike(ids, range(len(ids))):
            means[at] = net.mean(*padded([ids[one] for one in at])).numpy()
    return means


def small(shared: Path, base: Base) -> Net:
    """MiniLM, taught in school and then our questions."""
    data = shared / "data" / "train"
    rows = labelled.gold(shared / "gold" / "train.jsonl") + labelled.labels(data)
    torch.manual_seed(SEED)
    lessons, sizes = school(base, data)
    net = Net(base, sizes)
    teach(net, lessons, SCHOOL, SEED)
    taught = Net(base, {head: len(answers) for head, answers in HEADS.items()})
    taught.encoder.load_state_dict(net.encoder.state_dict())
    taught.freeze()
    for seed, pace in enumerate(ROUNDS, SEED):
        torch.manual_seed(seed)
        teach(taught, own(base, rows, data, random.Random(seed), FEELINGS), pace, seed)  # noqa: S311 - texts
    return taught


def large(shared: Path, base: Base) -> Net:
    """MPNet, taught our questions: gold twice and our later labels once, then gold once more, more gently.

    Then with the weights that ship: half of gold with some of our labels, and the rest of gold with what was written
    for us and what is grave.
    """
    data = shared / "data" / "train"
    gold, later = labelled.gold(shared / "gold" / "train.jsonl"), labelled.labels(data)
    torch.manual_seed(SEED)  # the matrices start at random
    net = Net(base, {head: len(answers) for head, answers in HEADS.items()})
    net.freeze()
    rounds = ([*gold, *gold, *later], FEELINGS // 2), (gold, FEELINGS // 4)
    for seed, (pace, (rows, feelings)) in enumerate(zip(LARGE_ROUNDS, rounds, strict=True), SEED):
        torch.manual_seed(seed)
        teach(net, own(base, rows, data, random.Random(seed), feelings), pace, seed)  # noqa: S311 - texts
    hear(net, data)
    net.round()
    for seed, (pace, rows) in enumerate(zip(ROUNDED, rounded(shared), strict=True), SEED + len(rounds)):
        torch.manual_seed(seed)
        teach(net, own(base, rows, data, random.Random(seed), FEELINGS // 4), pace, seed)  # noqa: S311 - the same
    return net


def rounded(shared: Path) -> tuple[list[Row], list[Row]]:
    """What the large one is taught in its third round, and in its fourth."""
    data, draw = shared / "data" / "train", random.Random(SEED)  # noqa: S311 - a choice of texts, no secret
    gold, later = labelled.gold(shared / "gold" / "train.jsonl"), labelled.labels(data)
    draw.shuffle(gold)
    at, more = GOLD
    written = labelled.written()
    first = gold[:at] + draw.sample(later, LABELS) + written[:WRITTEN]
    graves = labelled.graves(data)
    doubtful = [row for row in graves if row["grave"] == "none" and row["dataset"] != "written"]
    told = [row for row in graves if row["grave"] != "none" or row["dataset"] == "written"]
    second = [_unharmed(row) for row in gold[at : at + more]] + written + written[WRITTEN:] + told
    return first, second + draw.sample(doubtful, HARMLESS)


def train(shared: Path) -> None:
    """Everything, from the data to the folders that ship."""
    with tempfile.TemporaryDirectory() as folder:
        base = mpnet(Path(folder))  # first: it refuses files that are not the ones they were
        export(small(shared, minilm()), SMALL)
        export(large(shared, base), LARGE)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    train(Path(sys.argv[1]))
