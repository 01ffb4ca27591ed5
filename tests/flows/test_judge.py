"""Judging: a lesson may come at any moment, and somebody may think for long."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from prefect.client.schemas.objects import State

from flows import judge
from flows.collect import bring_home
from flows.judge import analyse, open_cases
from flows.listen import listen
from flows.setup import Setup
from pipeline.analysis import Analysis
from pipeline.route import Alert
from pipeline.triage.lesson import Example, learn
from storage.store import Store
from tests.flows.test_judge_again import remember
from tests.town import Town

pytestmark = pytest.mark.usefixtures("prefect_api")


def run(town: Town) -> State:
    return listen(town.settings, return_state=True)


def taught(town: Town, words: str) -> None:
    """Somebody adopts a lesson, of whatever worth."""
    with town.store() as store:
        lesson = learn([Example(words, "lane", "noise", (0.1, 0.1, 0.8))])
        store.adopt(lesson, at=datetime.now(UTC), learnt_until=datetime.now(UTC), since=store.adopted())


def learning(town: Town) -> type[Store]:
    """A store that a lesson comes to after the first batch."""

    class Learning(Store):
        def save_analyses(self, analyses: Sequence[Analysis]) -> int:
            kept = super().save_analyses(analyses)
            if self.adopted() is None:
                taught(town, "sole came loose")
            return kept

    return Learning


def test_after_a_lesson_what_is_new_is_judged_and_told_before_the_past_is_judged_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.write(plaints=4, praise=4)
    run(town)
    taught(town, "sole came loose")
    town.entries.append("My parcel is two weeks late, order 4711, and nobody answers my mails.")
    behind = []

    class Looking(Store):
        def claim(self, sink: str, now: datetime, lease: timedelta, limit: int) -> list[Alert]:
            behind.append(self.behind(town.setup().analyst().version))
            return super().claim(sink, now, lease, limit)

    monkeypatch.setattr("flows.setup.Store", Looking)
    assert run(town).is_completed()
    assert (max(behind), behind[-1]) == (8, 0)
    assert len({key for key, _ in town.hooks}) == len(town.hooks) == 5


def test_a_run_goes_on_by_the_lesson_that_is_adopted_meanwhile(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else two runs with different lessons would judge each other's mentions again without end."""
    town.write(plaints=4, praise=4)
    monkeypatch.setattr("flows.judge.BATCH", 3)
    setup = town.setup()
    with setup.store() as store:
        store.migrate()
    for source in setup.sources:
        bring_home(setup, source)

    monkeypatch.setattr("flows.setup.Store", learning(town))
    analyse.fn(setup)
    with setup.store() as store:
        assert store.behind(setup.analyst().version) == 0


def test_a_lesson_adopted_after_the_judging_keeps_no_case_from_being_opened(town: Town) -> None:
    town.write(plaints=4, praise=4)
    setup = town.setup()
    with setup.store() as store:
        store.migrate()
    for source in setup.sources:
        bring_home(setup, source)
    assert analyse.fn(setup, past=False) == 8
    taught(town, "sole came loose")
    assert open_cases.fn(setup) == 4


def test_a_lesson_adopted_between_two_batches_keeps_no_case_from_being_opened_though_the_past_is_judged_apart(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.write(plaints=4, praise=0)
    town.settings.write_text(town.settings.read_text("utf-8") + '\n[judgement]\npast = "apart"\n', "utf-8")
    monkeypatch.setattr("flows.judge.BATCH", 3)
    monkeypatch.setattr("flows.setup.Store", learning(town))
    assert run(town).is_completed()
    with town.store() as store:
        assert (store.behind(town.setup().analyst().version), store.counts().waiting) == (3, 4)
    assert len(town.hooks) == 4


def test_what_takes_longer_than_the_lease_is_given_to_nobody_else(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(town, 3)
    setup, now, renewed = town.setup(), [datetime.now(UTC)], Event()
    version, others = setup.analyst().version, []
    monkeypatch.setattr(judge, "RENEWED_EVERY", timedelta(milliseconds=10))
    monkeypatch.setattr(Setup, "now", lambda _: now[0])

    class Slow(Store):
        def keep_in_hand(self, judge: str, *, now: datetime, lease: timedelta) -> None:
            super().keep_in_hand(judge, now=now, lease=lease)
            renewed.set()

        def save_analyses(self, analyses: list[Analysis]) -> int:  # type: ignore[override]
            for _ in range(2):
                now[0] += judge.LEASE - timedelta(seconds=1)
                renewed.clear()
                renewed.wait(5)
            others.extend(self.take("another", version, 9, now=now[0], lease=judge.LEASE))
            return super().save_analyses(analyses)

    monkeypatch.setattr("flows.setup.Store", Slow)
    assert judge.analyse.fn(setup) == 3
    assert others == []


def test_where_the_past_is_judged_apart_listen_leaves_it_alone(town: Town) -> None:
    remember(town, 3)
    assert judge.outdated(town.setup())
    town.settings.write_text(town.settings.read_text("utf-8") + '\n[judgement]\npast = "apart"\n', "utf-8")
    assert not judge.outdated(town.setup())
