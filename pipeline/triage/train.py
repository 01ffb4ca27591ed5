"""Remakes the weights from the labelled mentions: `python -m pipeline.triage.train SHARED_DIR`.

The same data gives the same file, byte for byte, on the same library versions: nothing is drawn by chance. Needs the
dependency group `train`; nothing that runs in production imports this.
"""

import hashlib
import json
import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from pipeline.classifier import Reading
from pipeline.mention import MentionKind
from pipeline.sentiment import Vader
from pipeline.triage.auxiliary import auxiliary
from pipeline.triage.labelled import gold
from pipeline.triage.model import COLUMNS, FIGURES, HEADS, WEIGHTS, WIDTH
from pipeline.triage.related import DIMENSIONS, word_vectors
from pipeline.triage.words import FACTS, facts, pair, parts, tokens

Row = dict[str, Any]
Doubles = NDArray[np.float64]

RARE = {"w": 2, "n": 3, "b": 2, "c": 4}
"""A feature must stand in this many texts; by the first letter of its name."""
STRENGTH = 5.0
"""The inverse of the regularisation; larger trusts the labels more."""
SCALES = {"lane": (0.1, 3.0), "complaint": (0.3, 8.0), "sentiment": (0.2, 6.0)}
OTHER_SCALES = (0.1, 8.0)
"""How freely the facts beside the words, and the vectors of words, may be used beside the words themselves."""
SOFTER = 0.5
"""How far rare answers of the heads with many are lifted: 0 not at all, 1 to the level of frequent ones."""
LIFTED = ("category", "urgency", "stage", "touchpoint", "factor")
STARLESS = ("category", "stage", "touchpoint", "factor")
"""Heads that must not take the stars for a sign of where they were given."""
FOLDS = 4
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


def labelled(shared: Path) -> list[Row]:
    """The gold training rows, then the auxiliary ones, which answer one question each and carry a weight.

    `labels.csv` is not among them: with its many tweets of other worlds this model takes too much for noise (lane on
    dev .77 instead of .81); the transformers gain by it.
    """
    data = shared / "data" / "train"
    rows = gold(shared / "gold" / "train.jsonl")
    return rows + list(auxiliary(data, list(HEADS), {row["text"] for row in rows}))


def features(said: Reading) -> dict[str, float]:
    """Every feature of one reading with its value, before scaling."""
    known = tokens(said.words)
    found: dict[str, float] = defaultdict(float)
    for name in dict.fromkeys(token.name for token in known):
        for feature, value in parts(name):
            found[feature] += value
    for left, right in pairwise(known):
        found[pair(left.plain, right.plain)] = 1.0
    return dict(found)


def matrix(found: Sequence[dict[str, float]], size: dict[str, float]) -> sparse.csr_matrix:
    """Texts by features: each value times the feature's size."""
    column = {name: at for at, name in enumerate(size)}
    indices: list[int] = []
    values: list[float] = []
    ends = [0]
    for one in found:
        known = [name for name in one if name in column]
        indices.extend(column[name] for name in known)
        values.extend(one[name] * size[name] for name in known)
        ends.append(len(indices))
    return sparse.csr_matrix((values, indices, ends), shape=(len(found), len(size)), dtype=np.float64)


def lengths(said: Sequence[Reading], size: dict[str, float]) -> Doubles:
    """The length of each text, added up token by token, as `Model` does it; 1 for a text without known features."""
    squares: dict[str, float] = {}
    found = []
    for one in said:
        known = tokens(one.words)
        total = 0.0
        for name in dict.fromkeys(token.name for token in known):
            if name not in squares:
                squares[name] = sum((size[part] * value) ** 2 for part, value in parts(name) if part in size)
            total += squares[name]
        pairs = {pair(left.plain, right.plain) for left, right in pairwise(known)}
        found.append(total + sum(size[name] ** 2 for name in pairs if name in size))
    return np.array([total or 1.0 for total in found], dtype=np.float64) ** 0.5


def meanings(found: Sequence[dict[str, float]], vectors: dict[str, Doubles]) -> Doubles:
    """The sum of the vectors of each text's words."""
    none = np.zeros(len(next(iter(vectors.values()))))
    return np.array([sum((vectors.get(name[2:], none) for name in one if name[:2] == "w "), none) for one in found])


def fitted(values: sparse.csr_matrix, rows: Sequence[Row], head: str) -> tuple[Doubles, Doubles]:
    """Weights (features by answers) and biases of one head."""
    labels = [row[head] for row in rows]
    counts = Counter(labels)
    lift = SOFTER if head in LIFTED else 0.0
    usual = len(labels) / len(counts)
    weight = [row.get("weight", 1.0) * (usual / counts[row[head]]) ** lift for row in rows]
    scale = np.ones(values.shape[1])
    scale[-DIMENSIONS - len(FACTS) : -DIMENSIONS], scale[-DIMENSIONS:] = SCALES.get(head, OTHER_SCALES)
    scaled = values @ sparse.diags(scale)
    model = LogisticRegression(C=STRENGTH, max_iter=400, tol=2e-4).fit(scaled, labels, weight)
    weights, biases = model.coef_.T * scale[:, None], model.intercept_
    if len(counts) == 2:  # noqa: PLR2004 - two answers share one column in scikit-learn
        weights, biases = np.hstack([-weights / 2, weights / 2]), np.concatenate([-biases / 2, biases / 2])
    wide, least = np.zeros((weights.shape[0], len(HEADS[head]))), np.full(len(HEADS[head]), biases.min() - 3.0)
    for source, answer in enumerate(model.classes_):  # an answer the data never gives stays improbable
        at = HEADS[head].index(answer)
        wide[:, at], least[at] = weights[:, source], biases[source]
    return wide, least


def all_heads(values: sparse.csr_matrix, rows: Sequence[Row], among: Sequence[int]) -> tuple[Doubles, Doubles]:
    """Weights and biases of every head side by side, each learnt from those of the rows `among` that answer it."""
    weights, biases = np.zeros((values.shape[1], WIDTH)), np.zeros(WIDTH)
    for head, columns in COLUMNS.items():
        use = [at for at in among if rows[at][head] != ""]
        weights[:, columns], biases[columns] = fitted(values[use], [rows[at] for at in use], head)
        log.info("%s: %d rows", head, len(use))
    return weights, biases


def temperatures(values: sparse.csr_matrix, rows: Sequence[Row]) -> list[float]:
    """One number a head that makes its probabilities honest on data sets not seen, by leaving sets out in turn."""
    held: dict[str, list[tuple[Doubles, int]]] = defaultdict(list)
    for train_, test in GroupKFold(FOLDS).split(values, groups=[row["dataset"] for row in rows]):
        weights, biases = all_heads(values, rows, train_.tolist())
        logits = values[test] @ weights + biases
        for head, columns in COLUMNS.items():
            for line, at in enumerate(test.tolist()):
                if rows[at][head] != "" and "weight" not in rows[at]:
                    held[head].append((logits[line, columns], HEADS[head].index(rows[at][head])))
    return [_honest(held[head]) for head in HEADS]


def _honest(held: Sequence[tuple[Doubles, int]]) -> float:
    logits, answers = np.array([one for one, _ in held]), [answer for _, answer in held]

    def surprise(temperature: float) -> float:
        scaled = logits / temperature
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(len(answers)), answers]).mean())

    grid: list[float] = np.geomspace(0.4, 4.0, 73).tolist()
    return min(grid, key=surprise)


def train(shared: Path) -> Row:
    """Writes the weights and their figures, and returns the figures."""
    rows = labelled(shared)
    # Sources say "1 of 5" on a scale from 0 or from 1: the model must not care.
    said = [reading(row, low=float(at % 2)) for at, row in enumerate(rows)]
    found = [features(one) for one in said]
    ours = [one for one, row in zip(found, rows, strict=True) if "weight" not in row]
    counts = Counter(name for one in ours for name in one)
    size = {
        name: float(np.log((1 + len(ours)) / (1 + counts[name])) + 1)
        for name in sorted(counts)
        if counts[name] >= RARE[name[0]]
    }
    vader = Vader()
    beside = [facts(one, tokens(one.words), vader.strength(one.words)) for one in said]
    vectors = word_vectors(shared / "data" / "train")
    log.info("%d features, %d vectors", len(size), len(vectors))
    shrink = sparse.diags(1 / lengths(said, size))
    values = sparse.hstack(
        [
            shrink @ matrix(found, size),
            sparse.csr_matrix(np.array(beside)),
            shrink @ sparse.csr_matrix(meanings(found, vectors)),
        ]
    ).tocsr()
    weights, biases = all_heads(values, rows, range(len(rows)))
    weights, biases = starless(weights, biases, len(size))
    words, plain, meant = np.split(weights, [len(size), len(size) + len(FACTS)])
    folded = {name: words[at] * size[name] for at, name in enumerate(size)}
    for word, vector in vectors.items():
        folded[f"w {word}"] = folded.get(f"w {word}", 0.0) + vector @ meant
    heat = temperatures(values, rows)
    figures = {"gold_rows": len(ours), "auxiliary_rows": len(rows) - len(ours), "features": len(folded)}
    return save(folded, size, plain=plain, biases=biases, heat=heat, figures=figures)


def starless(weights: Doubles, biases: Doubles, first: int) -> tuple[Doubles, Doubles]:
    """The heads of `STARLESS` as they answer a mention without stars; the facts' weights begin at row `first`.

    Nearly all stars in the labelled mentions come from app stores: a head that says what or where it is about would
    learn from them that whoever gives stars speaks of an app.
    """
    weights, biases = weights.copy(), biases.copy()
    rows = [first + at for at, name in enumerate(FACTS) if name.endswith("stars")]
    for head in STARLESS:
        biases[COLUMNS[head]] += weights[first + FACTS.index("no stars"), COLUMNS[head]]
        weights[rows, COLUMNS[head]] = 0.0
    return weights, biases


def save(
    folded: dict[str, Doubles],
    size: dict[str, float],
    *,
    plain: Doubles,
    biases: Doubles,
    heat: list[float],
    figures: Row,
) -> Row:
    """Weights of words in 8 bits with a scale for each answer; the rest in single precision."""
    names = sorted(folded)
    words = np.array([folded[name] for name in names])
    scales = np.abs(words).max(axis=0) / 127
    scales[scales == 0] = 1.0
    np.savez_compressed(
        WEIGHTS,
        names=np.frombuffer("\n".join(names).encode(), dtype=np.uint8),
        sizes=np.array([size.get(name, 0.0) for name in names], dtype=np.float32),
        weights=np.rint(words / scales).astype(np.int8),
        scales=scales.astype(np.float32),
        facts=plain.astype(np.float32),
        biases=biases.astype(np.float32),
        temperatures=np.array(heat),
    )
    content = WEIGHTS.read_bytes()
    whole = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), **figures}
    whole["temperatures"] = dict(zip(HEADS, [round(one, 3) for one in heat], strict=True))
    FIGURES.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return whole


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with threadpool_limits(1):  # sums in one order, so that the file is the same wherever it is made
        log.info("trained: %s", json.dumps(train(Path(sys.argv[1]))))
