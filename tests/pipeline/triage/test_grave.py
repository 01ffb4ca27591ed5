import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pipeline.triage.grave import VERSION, grave
from pipeline.triage.model import GRAVE

NAMES = {*GRAVE} - {"none"}


def _sentences() -> list[tuple[frozenset[str], str]]:
    lines = Path(__file__).with_name("grave_sentences.txt").read_text(encoding="utf-8").splitlines()
    told = [line.partition(": ") for line in lines if line and not line.startswith("#")]
    return [(frozenset(names.split()) - {"-"}, text) for names, _, text in told]


def _names(text: str) -> set[str]:
    return {signal.name for signal in grave(text)}


def test_grave_sentences_are_found_and_innocent_ones_left_alone() -> None:
    told = _sentences()
    missed = [(sorted(names - _names(text)), text) for names, text in told if names - _names(text)]
    laughable = [(sorted(_names(text)), text) for names, text in told if not names and _names(text)]
    grave_ones = sum(1 for names, _ in told if names)
    assert grave_ones >= 120
    assert len(told) - grave_ones >= 90
    assert missed == []
    assert laughable == []


def test_every_signal_has_sentences_of_its_own() -> None:
    assert {name for names, _ in _sentences() for name in names} == NAMES


def test_a_signal_points_at_the_words_that_say_it() -> None:
    text = "İyi ama — the clip sliced my ankle. MY LAWYER will call."
    found = grave(text)
    assert [signal.name for signal in found] == ["injury", "legal"]
    assert [text[signal.start : signal.end] for signal in found] == [signal.text for signal in found]
    assert found[0].text == "sliced my ankle"
    assert found[1].text.startswith("MY LAWYER")


def test_curly_quotes_and_capitals_change_nothing() -> None:
    assert _names("I’LL SUE YOU") == {"legal"}  # noqa: RUF001 - the curly quote is the point
    assert _names("I DIDN’T get hurt") == set()  # noqa: RUF001 - the curly quote is the point


@given(some.text())
def test_any_text_at_all_is_answered(text: str) -> None:
    for signal in grave(text):
        assert signal.name in NAMES
        assert text[signal.start : signal.end] == signal.text


@pytest.mark.parametrize(
    "piece",
    [
        *("a", " ", ".", "sick\n", "cut my ", "a lawyer show. ", "will sue ", "kill me laughing ", "your racist "),
        *("going to the ", "burn the very old ", "someone saw my ", "my data my details ", "no no no injury not "),
        "charged me and took and ",
    ],
)
def test_long_texts_cost_no_more_than_their_length(piece: str) -> None:
    text = (piece * (100_000 // len(piece) + 1))[:100_000]
    started = time.perf_counter()
    grave(text)
    assert time.perf_counter() - started < 3, "a pattern backtracks: about 0.3 s is usual"


def test_a_long_text_of_grave_and_innocent_sentences_takes_less_than_a_second() -> None:
    said = " ".join(text for _, text in _sentences())
    text = (said.replace(".", " ") * (100_000 // len(said) + 1))[:100_000]
    grave(text)  # a pattern is made when it is first needed
    started = time.perf_counter()
    found = grave(text)
    assert time.perf_counter() - started < 1
    assert all(text[signal.start : signal.end] == signal.text for signal in found)


def test_ordinary_words_cost_next_to_nothing() -> None:
    text = "Bought these last week, they are fantastic, light and comfy. Delivery was a bit slow, would buy again."
    grave(text)
    started = time.perf_counter()
    for _ in range(1000):
        grave(text)
    assert time.perf_counter() - started < 0.1, "one text should cost less than 10 microseconds, and here it is 100"


def test_the_version_names_the_patterns() -> None:
    assert VERSION.startswith("grave-")


def test_on_labelled_mentions_most_of_what_fires_needs_somebody(shared: Path) -> None:
    lines = (shared / "gold" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    labelled = [json.loads(line) for line in lines]
    fired = [row for row in labelled if grave(row["text"])]
    harm = [row for row in labelled if row["category"] == "safety_legal"]
    assert sum(row["lane"] == "service" for row in fired) / len(fired) >= 0.75
    assert sum(bool(grave(row["text"])) for row in harm) / len(harm) >= 0.6
    assert len(fired) / len(labelled) <= 0.03
