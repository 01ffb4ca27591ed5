import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from bench.complaints import FIGURES, FOLDS, benchmark, blended, by_ngrams, examples, figures, out_of_fold, plain

chances = some.lists(some.tuples(some.floats(0, 1), some.floats(0, 1)), min_size=1, max_size=20)


def test_two_copies_of_a_tweet_are_known_as_one() -> None:
    assert plain("@Shop  My order's LATE!! https://t.co/x1") == plain("my orders late")
    assert plain("my order is late") != plain("my order is here")


@given(chances)
def test_a_blend_lies_between_the_two_it_is_made_of(pairs: list[tuple[float, float]]) -> None:
    one, other = (np.array(column) for column in zip(*pairs, strict=True))
    told = blended(one, other)
    slack = 1e-5  # no opinion is taken for quite certain
    assert (told >= np.minimum(one, other) - slack).all()
    assert (told <= np.maximum(one, other) + slack).all()
    assert told == pytest.approx(blended(other, one))
    assert told == pytest.approx(1 - blended(1 - one, 1 - other))


def test_n_grams_learn_what_a_complaint_sounds_like() -> None:
    angry = [f"my {thing} is broken again, {when}" for thing in ("phone", "shoe", "bag") for when in ("why", "really")]
    calm = [f"love my new {thing}, thanks {who}" for thing in ("phone", "shoe", "bag") for who in ("all", "team")]
    told = by_ngrams(
        angry + calm, [1] * len(angry) + [0] * len(calm), ["my radio is broken", "love this radio, thanks"]
    )
    assert told[0] > 0.5 > told[1]


def test_no_text_is_answered_by_who_was_taught_it() -> None:
    texts = [f"text number {at}" for at in range(60)]
    labels = np.array([at % 3 == 0 for at in range(60)]).astype(np.int64)
    lessons: list[set[str]] = []

    def teach(taught: Sequence[str], answers: Sequence[int], asked: Sequence[str]) -> np.ndarray:
        assert not set(taught) & set(asked)
        assert np.mean(answers) == pytest.approx(1 / 3, abs=0.05)
        lessons.append(set(asked))
        return np.array([float(at % 2) for at in range(len(asked))])

    told, place = out_of_fold(texts, labels, {"odd": teach}, folds=FOLDS, limit=None)
    assert sorted(text for asked in lessons for text in asked) == sorted(texts)
    assert sorted(set(place.tolist())) == list(range(FOLDS))
    assert len(told["odd"]) == len(texts)


def test_only_rows_that_were_asked_are_counted() -> None:
    labels, place = np.array([1, 0, 1, 0]), np.array([0, 0, -1, -1])
    found = figures(np.array([0.9, 0.1, 0.1, 0.9]), labels, place, np.array([True, True, True, True]))
    assert found["all rows"] == found["brand rows"] == 1.0


def test_the_transformer_is_taught_none_of_the_tweets(shared: Path) -> None:
    texts, _, _ = benchmark(shared)
    chosen = examples(shared / "data" / "train", texts)
    assert len(chosen) == 10_000
    assert not {plain(text) for text in texts} & {plain(one.text) for one in chosen}
    assert sum("complaint" in one.hard for one in chosen) == 5_000


def test_the_figures_are_of_the_whole_benchmark(shared: Path) -> None:
    texts, _, brand = benchmark(shared)
    kept = json.loads(FIGURES.read_text(encoding="utf-8"))
    assert (kept["rows"], kept["brand rows"]) == (len(texts), int(brand.sum())) == (3449, 1974)
    assert kept["folds"] == FOLDS == 10
