import pytest

from pipeline import kept
from pipeline.kept import Kept


def test_an_answer_is_worked_out_once() -> None:
    asked: list[str] = []

    def shouted(said: str) -> str:
        asked.append(said)
        return said.upper()

    answers = Kept(shouted)
    assert [answers[said] for said in ("a", "b", "a")] == ["A", "B", "A"]
    assert asked == ["a", "b"]


def test_what_hardly_comes_again_is_answered_and_not_kept() -> None:
    answers = Kept(len)
    assert [answers[said] for said in ("https://t.co/x", "@anna", "x" * 41)] == [14, 5, 41]
    assert not answers


def test_a_full_store_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_MOST", 3)
    answers = Kept(len)
    assert [answers[said] for said in ("a", "bb", "ccc", "dddd", "a")] == [1, 2, 3, 4, 1]
    assert len(answers) <= 3
