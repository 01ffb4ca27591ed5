"""A lesson carries over to mentions like those it was learnt from, and leaves the others alone."""

import json
import time
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.classifier import Reading
from pipeline.errors import SettingsError
from pipeline.sentiment import Vader
from pipeline.triage.lesson import Example, Lesson, Probabilities, learn
from pipeline.triage.model import HEADS, shipped
from pipeline.triage.words import tokens

LOOSE = [
    "The sole came loose after two weeks.",
    "My left sole came loose on the trail",
    "sole came loose again, third pair",
    "Just back from a run and the sole came loose at the toe",
    "Sole came loose after one wash",
    "the sole came loose and I walked home barefoot",
    "Two months and the sole came loose on both shoes",
    "Sole came loose. Glue?",
    "Honestly the sole came loose on day one",
    "on my Ridge 2 the sole came loose near the heel",
]
ALIKE = ["After a month the sole came loose on my boots", "Both soles fine until the left sole came loose in the rain"]
UNLIKE = [
    "Love my shoes, best run in years",
    "Parking prices rise again",
    "The soles are too hard for my taste",
    "What a lovely morning, two coffees and no emails",
    "Checkout is broken, I was charged twice",
]
OFF: Probabilities = {"lane": [0.05, 0.9, 0.05], "category": [1 / 12] * 12, "sentiment": [0.2, 0.3, 0.5]}
"""A model that takes them for a feature of the shoe."""
small = st.text(st.sampled_from("abcdefgh !.#@'\u00df\u6f22\U0001f600"), max_size=40)


def loose(model: Probabilities = OFF) -> Lesson:
    examples = [Example(words, "lane", "service", model["lane"]) for words in LOOSE]
    return learn([*examples, *(Example(words, "category", "product_defect", model["category"]) for words in LOOSE)])


def test_ten_corrections_move_other_mentions_of_the_same_and_leave_unrelated_ones_alone() -> None:
    lesson = loose()
    for words in ALIKE:
        moved = lesson.adjust(words, OFF)
        assert moved["lane"][0] > 0.6
        assert HEADS["category"][int(np.argmax(moved["category"]))] == "product_defect"
    for words in UNLIKE:
        moved = lesson.adjust(words, OFF)
        assert abs(moved["lane"][0] - OFF["lane"][0]) < 0.06, words
        assert int(np.argmax(moved["lane"])) == 1


def test_the_shipped_model_is_moved_the_same_way() -> None:
    def said(words: str) -> Probabilities:
        reading = Reading(key="x", text=words)
        return shipped().score(reading, Vader().strength(reading.words)).probabilities

    lesson = learn([Example(words, "lane", "service", said(words)["lane"]) for words in LOOSE])
    for words in ALIKE:
        assert lesson.adjust(words, said(words))["lane"][0] > 0.6
    for words in UNLIKE:
        assert lesson.adjust(words, said(words))["lane"] == pytest.approx(said(words)["lane"], abs=0.08)


def test_the_words_that_pull_are_named_with_their_places_and_their_shares_add_up() -> None:
    lesson = loose()
    words = "Nice shoe, but the sole came loose."
    pulls = lesson.pulls(words, "lane", "service", "experience")
    start, end, _ = pulls[0]
    assert words[start:end] in {"sole came", "came loose", "loose", "came", "the sole", "sole", "loose."}
    moved = lesson.adjust(words, OFF)["lane"]
    bias = json.loads(lesson.content)["bias"]
    share = np.log(moved[0] / moved[1]) - np.log(OFF["lane"][0] / OFF["lane"][1])
    assert sum(weight for *_, weight in pulls) + bias[0] - bias[1] == pytest.approx(share, abs=1e-6)
    assert lesson.pulls(words, "stage", "use", "none") == []


def test_confirmations_hold_a_lesson_back() -> None:
    harsh = learn([Example(words, "lane", "service", OFF["lane"]) for words in LOOSE])
    fair = learn(
        [Example(words, "lane", "service", OFF["lane"]) for words in LOOSE]
        + [Example("came home after a lovely run in my Ridge 2", "lane", "experience", OFF["lane"])]
    )
    words = "came back from a lovely evening run in my Ridge 2"
    assert fair.adjust(words, OFF)["lane"][0] < harsh.adjust(words, OFF)["lane"][0]


def test_the_same_corrections_in_any_order_give_the_same_lesson() -> None:
    examples = [
        Example(words, "lane", answer, OFF["lane"])
        for words, answer in zip(LOOSE[:4], ["service", "noise", "service", "experience"], strict=True)
    ]
    assert len({learn(order).version for order in permutations(examples)}) == 1
    assert learn(examples).version != learn(examples[:3]).version


@settings(deadline=None)
@given(words=small, chances=st.lists(st.floats(0.001, 1), min_size=3, max_size=3))
def test_whatever_is_said_the_answers_stay_probabilities(words: str, chances: list[float]) -> None:
    given_ = {"lane": [share / sum(chances) for share in chances], "stage": [0.5, 0.5]}
    moved = loose().adjust(words, given_)
    assert sum(moved["lane"]) == pytest.approx(1)
    assert all(0 <= share <= 1 for share in moved["lane"])
    assert moved["stage"] == [0.5, 0.5]
    assert loose().adjust(words, given_, tokens(words)) == moved


@settings(max_examples=30, deadline=None)
@given(taught=st.lists(st.tuples(small, st.sampled_from(HEADS["lane"])), min_size=1, max_size=8), words=small)
def test_a_lesson_of_any_texts_is_read_as_it_was_kept(taught: list[tuple[str, str]], words: str) -> None:
    lesson = learn([Example(text, "lane", answer, OFF["lane"]) for text, answer in taught])
    again = Lesson.read(lesson.content, lesson.digest, "here")
    assert again.version == lesson.version
    assert again.adjust(words, OFF) == lesson.adjust(words, OFF)


def test_the_fit_has_come_to_rest() -> None:
    """The slope of what the fit makes small, at the weights that were kept: nearly none."""
    lesson = loose()
    told = json.loads(lesson.content)
    weights = {name: np.array(row[:3]) for name, row in told["features"].items()}
    total = sum(float(np.abs(row).sum()) for row in weights.values())
    assert total > 0
    pulls = np.zeros(3)
    for words in LOOSE:
        pulls += np.array([1.0, 0, 0]) - np.array(lesson.adjust(words, OFF)["lane"])
    # bias = weight of the bias times the sum of pulls, and each pull is (wanted - given) / strength at rest
    assert np.array(told["bias"][:3]) == pytest.approx(0.005 * pulls / 0.2, abs=2e-3)


def test_a_thousand_corrections_are_learnt_in_seconds() -> None:
    draw = np.random.default_rng(3)
    known = [f"word{number}" for number in range(3000)]
    examples = [
        Example(" ".join(draw.choice(known, 25).tolist()), "category", HEADS["category"][at % 12], OFF["category"])
        for at in range(1000)
    ]
    began = time.perf_counter()
    learn(examples)
    assert time.perf_counter() - began < 20  # a few on an idle machine


def test_a_damaged_lesson_and_one_of_other_answers_are_refused_with_the_mend() -> None:
    lesson = loose()
    with pytest.raises(SettingsError, match=r"here is damaged; `earful learn` makes it anew"):
        Lesson.read(lesson.content.replace("sole", "soul"), lesson.digest, "here")
    other = Lesson(lesson.content.replace('"noise"', '"chatter"'))
    with pytest.raises(SettingsError, match="here knows other answers"):
        Lesson.read(other.content, other.digest, "here")
