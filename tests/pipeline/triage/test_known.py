import tracemalloc
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from pipeline.triage import known as triage_known
from pipeline.triage.known import Known, Weights
from pipeline.triage.model import WEIGHTS


@pytest.fixture(scope="module")
def weights() -> Iterator[Weights]:
    with np.load(WEIGHTS, allow_pickle=False) as found:
        yield Weights(dict(found))


def words(size: int) -> list[str]:
    """Long words that nobody says, made of parts that everybody does; every third one denied."""
    parts = [
        "refund",
        "delivery",
        "terrible",
        "customer",
        "broken",
        "service",
        "wonderful",
        "parcel",
        "please",
        "again",
    ]
    made = ("".join(some) for some in product(parts, repeat=4))
    return [f"¬{word}" if at % 3 == 0 else word for at, word in zip(range(size), made, strict=False)]


def test_a_word_adds_the_same_to_the_bit_whatever_is_learnt_beside_it(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["refund", "¬refund", "the", "zzzzzzqqqq", "😡", *words(200)]
    once, pieces = Known(weights), Known(weights)
    once.learn(names)
    monkeypatch.setattr(triage_known, "_AT_ONCE", 7)
    pieces.learn(reversed(names))
    pieces.learn(names)
    assert once.keys() == pieces.keys() == set(names)
    for name in names:
        assert once.table[once[name]].tobytes() == pieces.table[pieces[name]].tobytes()
        assert once.squares[once[name]].tobytes() == pieces.squares[pieces[name]].tobytes()


def test_many_new_words_at_once_take_no_more_memory_than_what_is_kept_of_them(weights: Weights) -> None:
    known, names = Known(weights), words(4_000)
    tracemalloc.start()
    try:
        known.learn(names)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(known) == len(names)
    # Beside the rows themselves only what five hundred take; all at once took 83 MB.
    assert most - kept < 30_000_000
