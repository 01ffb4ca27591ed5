import gzip
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipeline.classifier import Reading
from pipeline.sentiment import READ, TURNS, SwiftVader, Vader

CHANGED = "of the to for very enough isn't wasn't but BUT NOT GOOD Good great LOVE awful badass 😀 😡 x😀y ! ?? ... :)"
PHRASES = (
    "kind of/sort of/just enough/bad ass/to die for/kiss of death/yeah right/the shit/the bomb/beating heart/bus stop/"
    "at least/very least/never so/without doubt"
)
WORDS = [*sorted(TURNS), *CHANGED.split(), *PHRASES.split("/")]


@pytest.fixture(scope="module")
def original() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()


@pytest.fixture(scope="module")
def swift() -> SwiftVader:
    return SwiftVader()


def test_the_swift_reading_is_the_original_on_every_rule(
    original: SentimentIntensityAnalyzer, swift: SwiftVader
) -> None:
    chance = random.Random(7)
    words = WORDS + sorted(swift.lexicon)[::40]
    for _ in range(4_000):
        text = " ".join(chance.choices(words, k=chance.randint(1, 12)))
        assert swift.polarity_scores(text) == original.polarity_scores(text), text


@given(st.text(max_size=200))
def test_the_swift_reading_is_the_original_on_any_text(text: str) -> None:
    assert SwiftVader().polarity_scores(text) == SentimentIntensityAnalyzer().polarity_scores(text)


@given(st.lists(st.sampled_from([*WORDS, *map(str.upper, WORDS), "best", "WORST", "no", "🔛"]), max_size=9))
def test_the_swift_reading_is_the_original_where_words_turn_each_other(
    original: SentimentIntensityAnalyzer, swift: SwiftVader, words: list[str]
) -> None:
    text = " ".join(words)
    assert swift.polarity_scores(text) == original.polarity_scores(text)


def test_the_swift_reading_is_the_original_on_real_mentions(
    original: SentimentIntensityAnalyzer, swift: SwiftVader, shared: Path
) -> None:
    for name in ("vader_tweets", "vader_amazonReviewSnippets"):
        with gzip.open(shared / "data" / "train" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                text = json.loads(line)["text"]
                assert swift.polarity_scores(text) == original.polarity_scores(text)


def test_strength_is_a_strength_with_the_sign_of_the_feeling() -> None:
    good, bad, nothing = Vader().classify(
        [Reading(key=str(at), text=text) for at, text in enumerate(["I love these shoes!", "Awful, I hate them", ""])]
    )
    assert good.compound > 0.5 > good.negative
    assert bad.compound < -0.5
    assert (nothing.compound, nothing.positive, nothing.negative) == (0, 0, 0)


def test_what_comes_after_the_cap_does_not_count() -> None:
    padding = "word " * (READ // 5)
    assert Vader().strength(padding + "awful").compound == 0
