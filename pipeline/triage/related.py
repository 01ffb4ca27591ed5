"""Word vectors from unlabelled mentions, so that the model knows a word by its neighbours where no label ever named it.

Learnt with `train.py` only: what a vector adds to each answer is folded into the word's own weights, so nothing of this
runs in production. Positive pointwise mutual information and its singular vectors (Levy and Goldberg, NIPS 2014), which
on few words does as well as anything newer.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import svds

from pipeline.triage.words import tokens

DIMENSIONS = 200
_WORDS, _SEEN = 40_000, 4
_WINDOW = 5
_READ = 1_500
_COMMON = 1e-3
"""A word this frequent counts half: "the" says little about a text (Arora et al., ICLR 2017)."""

Doubles = NDArray[np.float64]


def word_vectors(data: Path) -> dict[str, Doubles]:
    """A vector for each word of the texts in `data`, shorter the more common the word is."""
    texts = [[token.name.removeprefix("¬") for token in tokens(text)] for text in sorted(set(_texts(data)))]
    counts = Counter(name for names in texts for name in names)
    frequent = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:_WORDS]
    row = {name: at for at, (name, _) in enumerate(frequent) if counts[name] >= _SEEN}
    information = _information(texts, row)
    left, values, _ = svds(information, k=DIMENSIONS, v0=np.ones(len(row)))
    vectors = left * np.sqrt(values)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9
    total = sum(counts[name] for name in row)
    rare = np.array([_COMMON / (_COMMON + counts[name] / total) for name in row])
    return dict(zip(row, vectors * rare[:, None], strict=True))


def _texts(data: Path) -> Iterator[str]:
    for path in sorted(data.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                said = json.loads(line)
                title = f"{said['title']}. " if said.get("title") else ""
                yield (title + said["text"])[:_READ]


def _information(texts: list[list[str]], row: dict[str, int]) -> sparse.csr_matrix:
    """How much more often two words stand within `_WINDOW` of each other than by chance; nearer ones count more."""
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], Doubles]] = []
    for names in texts:
        places = np.array([row.get(name, -1) for name in names], dtype=np.int64)
        for step in range(1, _WINDOW + 1):
            first, second = places[:-step], places[step:]
            both = (first >= 0) & (second >= 0)
            found.append((first[both], second[both], np.full(int(both.sum()), 1 / step)))
    left, right, weights = (np.concatenate(side) for side in zip(*found, strict=True))
    once = sparse.coo_matrix((weights, (left, right)), shape=(len(row), len(row))).tocsr()
    together = (once + once.T).tocoo()
    often = np.asarray(together.sum(axis=1)).ravel()
    smooth = often**0.75
    chance = often[together.row] * smooth[together.col] / smooth.sum()
    information = np.log(together.data / chance)
    kept = information > 0
    return sparse.csr_matrix((information[kept], (together.row[kept], together.col[kept])), shape=once.shape)
