"""Labels other people gave, near enough to ours to help: of complaints and of feelings, for `train.py` only."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]

WEIGHT = 0.3
"""What such a row counts beside one labelled by the guide."""
SETS = {
    "complaints_xci": "post",
    "complaints_cesamard": "review",
    "goemotions_dev": "post",
    "uci_sentences": "review",
    "vader_amazonReviewSnippets": "review",
    "vader_tweets": "post",
}
"""The sets, with the kind of their mentions."""
_BOUND = 0.6
"""Twenty people rated VADER's sets from -4 to 4; nearer to 0 than this is neutral."""
_GLAD = "admiration amusement approval caring desire excitement gratitude joy love optimism pride relief"
_SAD = "anger annoyance disappointment disapproval disgust embarrassment fear grief nervousness remorse sadness"
_POSITIVE, _NEGATIVE = frozenset(_GLAD.split()), frozenset(_SAD.split())


def auxiliary(data: Path, heads: list[str], known: set[str]) -> Iterator[Row]:
    """Rows like those of gold that answer one question only. Texts in `known` are left out."""
    for name, kind in SETS.items():
        with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for at, line in enumerate(lines):
                said = json.loads(line)
                told = _told(said)
                if told is not None and said["text"] and said["text"] not in known:
                    head, answer = told
                    row = {"id": f"{name}:{at}", "dataset": name.replace("_", "-"), "text": said["text"], "kind": kind}
                    yield row | dict.fromkeys(heads, "") | {"rating": None, head: answer, "weight": WEIGHT}


def _told(said: Row) -> tuple[str, str] | None:
    """The question a row answers, and its answer; nothing where feelings are mixed or unclear."""
    if "complaint" in said:
        return "complaint", "yes" if int(said["complaint"]) else "no"
    if "positive" in said:
        return "sentiment", "positive" if said["positive"] else "negative"
    if "mean" in said:
        mean = said["mean"]
        return "sentiment", "positive" if mean > _BOUND else "negative" if mean < -_BOUND else "neutral"
    felt = set(said["emotions"])
    glad, sad = bool(felt & _POSITIVE), bool(felt & _NEGATIVE)
    if glad and sad:
        return None
    if not glad and not sad:
        return ("sentiment", "neutral") if felt == {"neutral"} else None
    return "sentiment", "positive" if glad else "negative"
