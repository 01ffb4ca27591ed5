import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipeline.classifier import Reading
from pipeline.errors import ChangedError, EarfulError, SettingsError, TemporaryError
from pipeline.triage.judge import Effort, Triage
from pipeline.triage.second import named


def read(text: str) -> Reading:
    return Reading(key="k", text=text)


CLASS = """\
from pipeline.errors import TemporaryError
from pipeline.triage.opinion import Opinion

class Mine:
    version = "7"
    trust = {"lane": 1.0}
    def opinions(self, readings):
        return [Opinion({"lane": [0.0, 0.0, 1.0]}) for _ in readings]
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Writes a module with the class above, changed, and names it as settings would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    module = "own_" + re.sub(r"\W", "_", request.node.name)

    def write(old: str = "", new: str = "") -> str:
        assert old in CLASS
        (tmp_path / f"{module}.py").write_text(CLASS.replace(old, new) if old else CLASS, encoding="utf-8")
        return f"{module}:Mine"

    return write


def test_a_class_of_ones_own_decides_as_far_as_it_is_trusted(own: Callable[..., str]) -> None:
    told = own()
    triage = Triage(Effort.ACCURATE, classifier=told)
    (verdict,) = triage.classify([read("My parcel never arrived, I want my money back.")])
    assert verdict.lane == "noise"
    assert verdict.sentiment == "negative"  # which it was not asked
    assert triage.versions["second"] == f"{told}-7"


WRONG: Sequence[tuple[str, str, str]] = [
    ('    version = "7"\n', "", "has no version: see docs/classifiers.md"),
    ('    trust = {"lane": 1.0}\n', "", "has no trust"),
    ("def opinions", "def opinion", "has no opinions"),
    ('{"lane": 1.0}', '{"lane": 7}', r"trusts lane by 7; give 0 to 1 for any of lane, complaint"),
    ('{"lane": 1.0}', '{"mood": 1.0}', r"trusts mood by 1.0; give 0 to 1"),
    (
        "class Mine:",
        "import nothing_of_this_name\nclass Mine:",
        "there is no module nothing_of_this_name: install it beside",
    ),
    ("class Mine:", "class Yours:", "AttributeError: .*has no attribute 'Mine'"),
    ("class Mine:", "class Mine:\n    def __init__(self):\n        {}['ENDPOINT']", "KeyError: 'ENDPOINT'"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_a_class_that_cannot_work_is_refused_before_anything_is_judged(
    own: Callable[..., str], old: str, new: str, message: str
) -> None:
    told = own(old, new)
    with pytest.raises(SettingsError, match=message) as caught:
        named(told)
    assert told in str(caught.value)


STRANGE: Sequence[tuple[str, str]] = [
    ("[]", ": 0 opinions of 1 readings"),
    ("[None]", "k: a NoneType, where an Opinion is expected"),
    ('[Opinion({"lane": ["a", "b", "c"]})]', "failed: TypeError"),
    ('[Opinion({"mood": [1.0]})]', 'k: "mood" is no question of ours'),
    ('[Opinion({"lane": [0.5, 0.5]})]', "k: 2 probabilities for lane; there are 3 answers"),
    ('[Opinion({"lane": [0.9, 0.9, 0.9]})]', "k: the probabilities for lane are not between 0 and 1"),
    ('[Opinion({"lane": [float("nan"), 0.5, 0.5]})]', "k: the probabilities for lane are not between"),
    ("[Opinion({}, [(0, 99)])]", "k: a span lies outside the words"),
    (
        '[Opinion({"lane": [1.0, 0.0, 0.0]}, [(0, 2)], {"lane": [[1.0]]})]',
        "k: the shares for lane are not one for each",
    ),
    ("1 // 0", "failed: ZeroDivisionError"),
]


@pytest.mark.parametrize(("answer", "message"), STRANGE)
def test_a_class_that_answers_strangely_is_a_matter_for_its_developer_and_no_text_is_told(
    own: Callable[..., str], answer: str, message: str
) -> None:
    second = named(own('[Opinion({"lane": [0.0, 0.0, 1.0]}) for _ in readings]', answer))
    with pytest.raises(ChangedError, match=re.escape(message)) as caught:
        second.opinions([read("my secret words")])
    assert "secret" not in str(caught.value)


def test_an_error_of_ours_passes_through_so_that_the_run_may_wait(own: Callable[..., str]) -> None:
    second = named(own("        return [", "        raise TemporaryError('later')\n        return ["))
    with pytest.raises(TemporaryError, match="later"):
        second.opinions([read("a")])


def test_our_own_errors_are_the_only_ones_a_strangers_class_can_raise(own: Callable[..., str]) -> None:
    second = named(own("        return [", "        raise RuntimeError(readings)\n        return ["))
    with pytest.raises(EarfulError):
        second.opinions([read("a")])
