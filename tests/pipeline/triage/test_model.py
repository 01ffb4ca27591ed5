import hashlib
import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipeline.classifier import Reading
from pipeline.errors import SettingsError
from pipeline.sentiment import Vader
from pipeline.triage import model as triage_model
from pipeline.triage.model import COLUMNS, FIGURES, HEADS, WEIGHTS, WIDTH, Scored, shipped
from pipeline.triage.words import FACTS, facts, tokens


def score(text: str, rating: float | None = None) -> Scored:
    reading = Reading(key="k", text=text, rating=rating)
    return shipped().score(reading, Vader().strength(text))


def test_the_weights_are_those_the_figures_name_and_small_enough_to_ship() -> None:
    content = WEIGHTS.read_bytes()
    assert hashlib.sha256(content).hexdigest() == json.loads(FIGURES.read_text())["sha256"]
    assert len(content) < 6_000_000


def test_the_weights_are_plain_arrays_that_fit_the_questions() -> None:
    with np.load(WEIGHTS, allow_pickle=False) as weights:
        assert weights["weights"].shape[1] == len(weights["biases"]) == WIDTH
        assert weights["facts"].shape == (len(FACTS), WIDTH)
        assert len(weights["temperatures"]) == len(HEADS)
        assert weights["weights"].shape[0] == len(bytes(weights["names"]).decode().split("\n"))


def test_damaged_weights_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "weights.npz"
    broken.write_bytes(WEIGHTS.read_bytes()[:-1])
    monkeypatch.setattr(triage_model, "WEIGHTS", broken)
    with pytest.raises(SettingsError, match=r"weights\.npz is not the file weights\.json describes"):
        shipped.__wrapped__()


def test_probabilities_of_every_question_add_up_to_one() -> None:
    for text in ("", "Where is my order?", "😡"):
        for head, chances in score(text).probabilities.items():
            assert len(chances) == len(HEADS[head])
            assert sum(chances) == pytest.approx(1)


def test_an_answer_is_the_sum_of_a_bias_the_facts_and_the_shares_of_the_words() -> None:
    model, text = shipped(), "the zip broke after two days"
    reading, strength = Reading(key="k", text=text), Vader().strength(text)
    with np.load(WEIGHTS, allow_pickle=False) as weights:
        plain = weights["biases"] + np.array(facts(reading, tokens(text), strength)) @ weights["facts"]
    scored = model.score(reading, strength)
    whole = plain + scored.shares.sum(axis=0)
    for head, columns in COLUMNS.items():
        assert scored.logits[head] == pytest.approx(whole[columns], abs=1e-4)
    assert scored.shares.any()


def test_probabilities_are_the_logits_of_a_head_cooled_by_its_temperature() -> None:
    scored = score("Where is my order?")
    for head, logits in scored.logits.items():
        raised = np.exp(logits.astype(float) / scored.temperature(head))
        assert scored.probabilities[head] == pytest.approx((raised / raised.sum()).tolist())


def test_a_share_stands_where_its_words_stand() -> None:
    scored = score("my  parcel is late, where\nis my  parcel")
    assert len(scored.spans) == len(scored.shares)
    said = [scored.words[start:end] for start, end in scored.spans]
    assert said[:2] == ["parcel", "my"]  # tokens from the last to the first, each where it first stands; then pairs
    assert scored.spans[0] == (4, 10)
    assert "where\nis" in said
    assert [scored.words[token.start : token.end] for token in scored.tokens][:2] == ["my", "parcel"]


def test_a_thousand_readings_together_are_scored_as_each_alone() -> None:
    said = "the zip broke after two days! not @HikeHelp good 😡 https://t.co/x 36 don't why refund LOVE it"
    words = said.split()
    chance = random.Random(3)
    readings = [
        Reading(key=str(at), text=" ".join(chance.choices(words, k=at % 40)), rating=chance.choice([None, 1, 4]))
        for at in range(1000)
    ]
    strengths = Vader().classify(readings)
    heads = tuple(HEADS)
    for reading, strength, one in zip(readings, strengths, shipped().score_all(readings, strengths), strict=True):
        alone = shipped().score(reading, strength)
        assert alone.probabilities == one.probabilities
        assert alone.reasons(heads) == one.reasons(heads)
        assert all((alone.logits[head] == one.logits[head]).all() for head in heads)


def test_nothing_to_score_is_no_answer() -> None:
    assert shipped().score_all([], []) == []


def test_reasons_are_the_largest_shares_for_the_answer_against_the_second_best() -> None:
    text = "my parcel never arrived and nobody answers"
    scored = score(text)
    answer = scored.answer("lane")
    chances = dict(zip(HEADS["lane"], scored.probabilities["lane"], strict=True))
    rival = max((name for name in chances if name != answer), key=chances.__getitem__)
    first = COLUMNS["lane"].start
    chosen, other = (first + HEADS["lane"].index(name) for name in (answer, rival))
    largest = float((scored.shares[:, chosen] - scored.shares[:, other]).max())
    reasons = scored.reasons(["lane"])
    assert reasons[0].weight == pytest.approx(largest, abs=5e-4)
    assert [reason.weight for reason in reasons] == sorted((reason.weight for reason in reasons), reverse=True)
    assert all(text[reason.start : reason.end] == reason.text for reason in reasons)


def test_stars_are_always_among_the_reasons_where_there_are_any() -> None:
    reasons = score("shoes", rating=5).reasons(["sentiment"])
    assert reasons[-1].text == "5 of 5 stars"
    assert reasons[-1].start is None


def test_what_was_read_before_changes_nothing() -> None:
    before = score("the lace tore").probabilities
    score("quite another text with many words in it")
    assert score("the lace tore").probabilities == before


def test_the_store_of_words_is_bounded_and_its_end_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triage_model, "_KEPT", 10)
    model = shipped.__wrapped__()
    texts = [f"word{'abcdefghijklmnopqrstuvwxyz'[at % 26]} again{'x' * at}" for at in range(30)]
    readings = [Reading(key="k", text=text) for text in texts]
    found = model.score_all(readings, Vader().classify(readings))
    assert len(model._known) < 10 + 2  # noqa: SLF001 - the bound is the point
    assert [one.probabilities for one in found] == [score(text).probabilities for text in texts]
    assert [one.reasons(["lane"]) for one in found] == [score(text).reasons(["lane"]) for text in texts]


def test_known_words_are_not_forgotten_for_those_who_say_them_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triage_model, "_KEPT", 10)
    model = shipped.__wrapped__()
    reading = Reading(key="k", text="one two three four five six seven")
    model.score(reading, Vader().strength(reading.text))
    known = model._known  # noqa: SLF001 - whether it is a new one is the point
    model.score(reading, Vader().strength(reading.text))
    assert model._known is known  # noqa: SLF001 - the same


def test_many_threads_share_a_model() -> None:
    model = shipped.__wrapped__()
    texts = [f"the zip{at // 5} of my shoe{at} broke, where is refund{at % 7}" for at in range(400)]
    readings = [Reading(key="k", text=text) for text in texts]
    strengths = Vader().classify(readings)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(model.score, readings, strengths))
    alone = shipped.__wrapped__().score_all(readings, strengths)
    assert [one.probabilities for one in found] == [one.probabilities for one in alone]
