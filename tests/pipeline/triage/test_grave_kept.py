"""Sentences by somebody who had not seen the patterns, split in two: one part to write by, one to measure on."""

from pathlib import Path

import pytest

from pipeline.analysis import Analyst
from pipeline.classifier import Reading
from pipeline.triage.grave import grave
from pipeline.triage.judge import Effort

HERE = Path(__file__).parent
Sentence = tuple[frozenset[str], str]


def sentences(name: str) -> list[Sentence]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    told = [line.split(": ", 1) for line in lines if line and not line.startswith("#")]
    return [(frozenset(names.split()) - {"-"}, text) for names, text in told]


def measured(said: list[Sentence]) -> tuple[float, float]:
    """Recall and precision: a grave sentence is found if it gives any signal."""
    heard = [(bool(wanted), bool(grave(text))) for wanted, text in said]
    found = sum(wanted and got for wanted, got in heard)
    return found / sum(wanted for wanted, _ in heard), found / sum(got for _, got in heard)


@pytest.mark.parametrize(
    ("name", "recall", "precision"),
    [
        ("grave_writing.txt", 0.98, 0.95),
        ("grave_more.txt", 0.94, 0.95),  # by whoever wrote the patterns: says nothing of other people's words
        ("grave_kept.txt", 0.70, 0.85),  # wished for: .99; each measurement is told in the model card
    ],
)
def test_grave_sentences_are_found_and_innocent_ones_left_alone(name: str, recall: float, precision: float) -> None:
    found, right = measured(sentences(name))
    assert found >= recall
    assert right >= precision


def test_with_the_large_transformer_more_is_heard_and_hardly_more_is_false() -> None:
    told = sentences("grave_kept.txt")
    found = Analyst(Effort.ACCURATE).analyse([Reading(key="", text=text) for _, text in told])
    heard = [(bool(wanted), bool(one.grave)) for (wanted, _), one in zip(told, found, strict=True)]
    right = sum(wanted and got for wanted, got in heard)
    assert right / sum(wanted for wanted, _ in heard) >= 0.78
    assert right / sum(got for _, got in heard) >= 0.90


def test_what_is_measured_on_is_not_what_was_written_by() -> None:
    known = {text.casefold() for _, text in sentences("grave_writing.txt")}
    known |= {text.casefold() for name in ("grave_sentences.txt", "grave_more.txt") for _, text in sentences(name)}
    kept = sentences("grave_kept.txt")
    assert len(kept) == 192
    assert known.isdisjoint(text.casefold() for _, text in kept)


def test_a_signal_is_a_span_of_the_words() -> None:
    for _, text in sentences("grave_kept.txt"):
        for signal in grave(text):
            assert text[signal.start : signal.end] == signal.text
