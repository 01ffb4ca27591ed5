"""Remakes the weights from the labelled mentions: `python -m pipeline.triage.train SHARED_DIR`.

The same data gives the same file, byte for byte, on the same library versions: nothing here is drawn by chance. Needs the
dependency group `train`; nothing that runs in production imports this.
"""

import hashlib
import json
import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from pipeline.classifier import Reading
from pipeline.mention import MentionKind
from pipeline.sentiment import Vader
from pipeline.triage.model import COLUMNS, FIGURES, HEADS, WEIGHTS, WIDTH
from pipeline.triage.words import FACTS, facts, pair, parts, tokens

Row = dict[str, Any]
Doubles = NDArray[np.float64]

RARE = {"w": 2, "n": 3, "b": 2, "c": 4}
"""A feature must stand in this many texts; by the first letter of its name."""
KEPT = 45_000
"""Features that ship: those with the largest weights of a first fit."""
STRENGTH = 5.0
"""The inverse of the regularisation; larger trusts the labels more."""
FACT_SCALE = 0.1
"""How freely the facts beside the words may be used, beside the words."""
FOLDS = 5
log = logging.getLogger(__name__)


def reading(row: Row, *, low: float = 0.0) -> Reading:
    """A labelled row as the product would read it. `rating` is written "4/5", and "?" where it is not known."""
    share, _, scale = (row["rating"] or "?").partition("/")
    known = share != "?"
    return Reading(
        key=row["id"],
        text=row["text"],
        kind=MentionKind(row["kind"]),
        rating=float(share) if known else None,
        rating_min=low,
        rating_max=float(scale) if known else 5.0,
    )


def features(said: Reading) -> dict[str, float]:
    """Every feature of one reading with its value, before scaling."""
    known = tokens(said.words)
    found: dict[str, float] = defaultdict(float)
    for name in {token.name: None for token in known}:
        for feature, value in parts(name):
            found[feature] += value
    for left, right in zip(known, known[1:], strict=False):
        found[pair(left.name, right.name)] = 1.0
    return dict(found)


def matrix(found: Sequence[dict[str, float]], names: Sequence[str], sizes: Doubles) -> sparse.csr_matrix:
    """Texts by features: each value times the feature's size, each text divided by its length as the model measures it."""
    column = {name: at for at, name in enumerate(names)}
    indices, values, ends = [], [], [0]
    for features_ in found:
        for name, value in features_.items():
            if name in column:
                indices.append(column[name])
                values.append(value * sizes[column[name]])
        ends.append(len(indices))
    return sparse.csr_matrix((values, indices, ends), shape=(len(found), len(names)), dtype=np.float64)


def divided(values: sparse.csr_matrix, lengths: Doubles) -> sparse.csr_matrix:
    """Each text divided by its length; an empty one stays empty."""
    return sparse.diags(1 / np.where(lengths > 0, lengths, 1.0)) @ values


def lengths(said: Sequence[Reading], names: Sequence[str], sizes: Doubles) -> Doubles:
    """The length of each text, added up token by token, as `Model` does it."""
    size = dict(zip(names, sizes.tolist(), strict=True))
    squares: dict[str, float] = {}
    found = []
    for one in said:
        known = tokens(one.words)
        total = 0.0
        for name in {token.name: None for token in known}:
            if name not in squares:
                squares[name] = sum((size[part] * value) ** 2 for part, value in parts(name) if part in size)
            total += squares[name]
        pairs = {pair(left.name, right.name) for left, right in zip(known, known[1:], strict=False)}
        found.append(total + sum(size[name] ** 2 for name in pairs if name in size))
    return np.sqrt(np.array(found))


def fitted(values: sparse.csr_matrix, labels: Sequence[str], head: str) -> tuple[Doubles, Doubles]:
    """Weights (features by answers) and biases of one head, centred over its answers."""
    answers = HEADS[head]
    model = LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-4).fit(values, labels)
    weights, biases = model.coef_.T, model.intercept_
    if len(model.classes_) == 2:  # noqa: PLR2004 - two answers share one column in scikit-learn
        weights, biases = np.hstack([-weights / 2, weights / 2]), np.concatenate([-biases / 2, biases / 2])
    order = [list(model.classes_).index(answer) if answer in model.classes_ else None for answer in answers]
    floor = biases.min() - 3.0  # an answer the data never gives stays improbable
    everything = np.zeros((weights.shape[0], len(answers)))
    least = np.full(len(answers), floor)
    for at, source in enumerate(order):
        if source is not None:
            everything[:, at], least[at] = weights[:, source], biases[source]
    return everything, least


def applies(rows: Sequence[Row], head: str) -> list[int]:
    """The rows a head learns from: category and urgency only in service, factor only in experience."""
    return [at for at, row in enumerate(rows) if row[head] != ""]


def all_heads(values: sparse.csr_matrix, rows: Sequence[Row], among: Sequence[int]) -> tuple[Doubles, Doubles]:
    """Weights and biases of every head side by side, learnt from the rows `among`."""
    weights, biases = np.zeros((values.shape[1], WIDTH)), np.zeros(WIDTH)
    chosen = set(among)
    for head, columns in COLUMNS.items():
        use = [at for at in applies(rows, head) if at in chosen]
        weights[:, columns], biases[columns] = fitted(values[use], [rows[at][head] for at in use], head)
    return weights, biases


def temperatures(values: sparse.csr_matrix, rows: Sequence[Row]) -> list[float]:
    """One number a head that makes its probabilities honest on data sets it has not seen, by leaving sets out in turn."""
    held: dict[str, list[tuple[Doubles, int]]] = defaultdict(list)
    for train, test in GroupKFold(FOLDS).split(values, groups=[row["dataset"] for row in rows]):
        weights, biases = all_heads(values, rows, train.tolist())
        logits = values[test] @ weights + biases
        for head, columns in COLUMNS.items():
            for line, at in enumerate(test.tolist()):
                if rows[at][head] != "":
                    held[head].append((logits[line, columns], HEADS[head].index(rows[at][head])))
    grid = np.geomspace(0.4, 4.0, 73)
    return [float(min(grid, key=lambda at, head=head: _surprise(held[head], at))) for head in HEADS]


def _surprise(held: Sequence[tuple[Doubles, int]], temperature: float) -> float:
    logits = np.array([one for one, _ in held]) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    chosen = logits[np.arange(len(held)), [answer for _, answer in held]]
    return float((np.log(np.exp(logits).sum(axis=1)) - chosen).mean())


def train(shared: Path) -> dict[str, Any]:
    """Writes the weights and their figures, and returns the figures."""
    with (shared / "gold" / "train.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    # Sources say "1 of 5" on a scale from 0 or from 1: the model must not care.
    said = [reading(row, low=float(at % 2)) for at, row in enumerate(rows)]
    found = [features(one) for one in said]
    vader = Vader()
    beside = sparse.csr_matrix(
        [facts(one, tokens(one.words), vader.strength(one.words)) for one in said], dtype=np.float64
    )
    counts = Counter(name for one in found for name in one)
    names = sorted(name for name, count in counts.items() if count >= RARE[name[0]])
    sizes = np.array([np.log((1 + len(rows)) / (1 + counts[name])) + 1 for name in names])

    def seen() -> sparse.csr_matrix:
        words = divided(matrix(found, names, sizes), lengths(said, names, sizes))
        return sparse.hstack([words, beside * FACT_SCALE]).tocsr()

    everything = list(range(len(rows)))
    weights, _ = all_heads(seen(), rows, everything)
    largest = (np.abs(weights[: len(names)]).max(axis=1) * sizes).argsort(kind="stable")[-KEPT:]
    keep = np.sort(largest)
    names, sizes = [names[at] for at in keep], sizes[keep]
    values = seen()
    weights, biases = all_heads(values, rows, everything)
    figures = {"rows": len(rows), "features": len(names), "strength": STRENGTH}
    return save(names, sizes, weights, biases, temperatures(values, rows), figures)


def save(
    names: Sequence[str], sizes: Doubles, weights: Doubles, biases: Doubles, heat: Sequence[float], figures: Row
) -> Row:
    """Weights of words in 8 bits with a scale for each answer; the rest in single precision."""
    words = weights[: len(names)] * sizes[:, None]
    scales = np.abs(words).max(axis=0) / 127
    scales[scales == 0] = 1.0
    np.savez_compressed(
        WEIGHTS,
        names=np.frombuffer("\n".join(names).encode(), dtype=np.uint8),
        sizes=sizes.astype(np.float32),
        weights=np.rint(words / scales).astype(np.int8),
        scales=scales.astype(np.float32),
        facts=(weights[len(names) :] * FACT_SCALE).astype(np.float32),
        biases=biases.astype(np.float32),
        temperatures=np.array(heat, dtype=np.float64),
    )
    content = WEIGHTS.read_bytes()
    whole = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "facts": FACTS, **figures}
    whole["temperatures"] = dict(zip(HEADS, [round(one, 3) for one in heat], strict=True))
    FIGURES.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return whole


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log.info("trained: %s", json.dumps(train(Path(sys.argv[1]))))
