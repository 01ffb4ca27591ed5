"""The past judged again: the same answers wherever it is done, by whoever is left, and nothing done twice."""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from distributed import LocalCluster

from flows import judge
from flows.judge_again import judge_again, judge_stretch
from flows.setup import Setup
from pipeline.analysis import Analysis
from pipeline.classifier import Reading
from pipeline.errors import SettingsError
from pipeline.mention import Mention
from storage.store import Store
from tests.flows.deadly import MARK
from tests.town import PLAINT, PRAISE, Town

pytestmark = pytest.mark.usefixtures("prefect_api")
DAY = timedelta(days=1)
FIRST = datetime(2026, 9, 1, 12, tzinfo=UTC)
DEADLY = '\n[judgement]\neffort = "accurate"\nclassifier = "tests.flows.deadly:Deadly"\n'


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mark") / "die"


@pytest.fixture(scope="module")
def cluster(mark: Path) -> Iterator[str]:
    """The address of a Dask cluster of two processes, each with a keeper that starts it again when it dies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARK, str(mark))
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as started:
            yield started.scheduler_address


def remember(town: Town, number: int) -> None:
    """So many mentions, one a day, judged long ago by an older version, which took all for noise."""
    said = [
        Mention.model_validate({
            "key": f"forum:{n:03}", "source": "forum", "kind": "post", "author": f"a{n}", "said_at": FIRST + n * DAY,
            "text": (PLAINT if n % 2 else PRAISE).format(number=n),
        })
        for n in range(number)
    ]  # fmt: skip
    with town.store() as store:
        store.migrate()
        store.save("forum", said, [{}] * number, [], None, heard_at=FIRST)
        store.save_analyses([noise(analysis) for analysis in judged(town, said)])


def judged(town: Town, said: list[Mention]) -> list[Analysis]:
    return town.setup().analyst().analyse([Reading.of(mention) for mention in said])


def noise(analysis: Analysis) -> Analysis:
    return analysis.model_copy(update={"version": "0", "lane": "noise", "complaint": False, "needs_reply": False})


def kept(town: Town) -> dict[str, Analysis]:
    with town.store() as store:
        return {mention.key: analysis for mention, analysis in store.judged(FIRST - DAY, FIRST + 999 * DAY)}


def test_a_cluster_of_processes_judges_as_this_process_does_and_leaves_nothing(
    town: Town, database: str, cluster: str
) -> None:
    town.use(database)
    remember(town, 30)
    before = kept(town)
    assert judge_again(town.settings, size=4, cluster=cluster, return_state=True).is_completed()
    there = kept(town)
    with town.store() as store:
        assert store.behind(town.setup().analyst().version) == 0
        store.save_analyses(list(before.values()))
    assert judge_again(town.settings, size=7, return_state=True).is_completed()
    assert kept(town) == there
    assert {key for key, analysis in there.items() if analysis.lane == "noise"} == set()
    with town.store() as store:
        assert (store.counts().waiting, store.counts().alerts) == (15, {"log": (15, 0), "desk": (15, 0)})


def test_only_what_was_said_on_these_days_is_judged_again(town: Town) -> None:
    remember(town, 9)
    judge_again(town.settings, since=date(2026, 9, 3), until=date(2026, 9, 5))
    assert [key for key, analysis in kept(town).items() if analysis.version != "0"] == [
        "forum:002", "forum:003", "forum:004",
    ]  # fmt: skip


def test_what_this_version_has_judged_is_judged_again_only_if_everything_is_asked_for(town: Town) -> None:
    remember(town, 6)
    version = town.setup().analyst().version
    with town.store() as store:
        store.save_analyses([one.model_copy(update={"version": version}) for one in kept(town).values()])
    judge_again(town.settings)
    assert {analysis.lane for analysis in kept(town).values()} == {"noise"}
    judge_again(town.settings, everything=True, size=4)
    assert "noise" not in {analysis.lane for analysis in kept(town).values()}


def test_a_worker_that_is_killed_costs_its_part_only_and_another_does_it(
    town: Town, cluster: str, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, str(mark))
    remember(town, 12)
    town.settings.write_text(town.settings.read_text("utf-8") + DEADLY, "utf-8")
    mark.touch()
    state = judge_again(town.settings, size=3, cluster=cluster, return_state=True)
    assert not mark.exists()
    assert (state.message, state.is_completed()) == ("All 1 parts went well.", True)
    assert {analysis.version for analysis in kept(town).values()} == {town.setup().analyst().version}


def test_two_at_once_and_a_run_of_listen_share_the_work(
    town: Town, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.use(database)
    remember(town, 60)
    saved: list[str] = []
    first, together = iter(range(3)), Barrier(3)

    class Counting(Store):
        def save_analyses(self, analyses: list[Analysis]) -> int:  # type: ignore[override]
            saved.extend(one.mention_key for one in analyses)
            if next(first, None) is not None:  # three wait for each other: those of three judges
                together.wait(60)
            return super().save_analyses(analyses)

    with monkeypatch.context() as patch:
        patch.setattr("flows.setup.Store", Counting)
        patch.setattr("flows.judge.BATCH", 5)
        # One that ends while another has something in hand says that this is left.
        told = {"size": 5, "return_state": True}
        runs = [Thread(target=judge_again, args=(town.settings,), kwargs=told) for _ in range(2)]
        runs.append(Thread(target=judge.analyse.fn, args=(town.setup(),)))
        for run in runs:
            run.start()
        for run in runs:
            run.join()
    assert not together.broken
    assert sorted(saved) == [f"forum:{n:03}" for n in range(60)]
    with town.store() as store:
        assert store.behind(town.setup().analyst().version) == 0


def test_an_edit_meanwhile_is_judged_by_its_new_words(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(town, 4)
    other = "The parcel with order 7117 is three weeks late and nobody answers my mails."

    class Edited(Store):
        def save_analyses(self, analyses: list[Analysis]) -> int:  # type: ignore[override]
            said = self.mentions(["forum:000"])["forum:000"]
            if said.text != other:
                self.save("forum", [said.model_copy(update={"text": other})], [{}], [], None, heard_at=FIRST)
            return super().save_analyses(analyses)

    monkeypatch.setattr("flows.setup.Store", Edited)
    assert judge_again(town.settings, return_state=True).is_completed()
    with town.store() as store:
        said = store.mentions(["forum:000"])["forum:000"]
    assert said.text == other
    assert kept(town)["forum:000"] == judged(town, [said])[0]


def test_a_part_that_fails_is_named_with_who_must_act_after_the_others_are_done(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(town, 6)

    class Refusing(Store):
        def save_analyses(self, analyses: list[Analysis]) -> int:  # type: ignore[override]
            if "forum:002" in {one.mention_key for one in analyses}:
                raise SettingsError("no room is left")
            return super().save_analyses(analyses)

    with monkeypatch.context() as patch:
        patch.setattr("flows.setup.Store", Refusing)
        state = judge_again(town.settings, size=2, return_state=True)
    why = "no room is left; the operator must act"
    assert state.message == f"what was said from 2026-09-03 12:00 to 2026-09-05 12:00: {why}"
    assert sum(analysis.version == "0" for analysis in kept(town).values()) == 2
    assert judge_again(town.settings, size=2, return_state=True).is_completed()
    assert sum(analysis.version == "0" for analysis in kept(town).values()) == 0


def test_what_a_killed_run_has_in_hand_is_said_to_be_left_and_is_free_after_the_lease(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(town, 3)
    setup = town.setup()
    with town.store() as store:
        store.take("killed", setup.analyst().version, 2, now=setup.now(), lease=judge.LEASE)
    state = judge_again(town.settings, return_state=True)
    assert sum(analysis.version == "0" for analysis in kept(town).values()) == 2
    assert "another run has the rest in hand, or had when it died" in str(state.message)
    later = setup.now() + judge.LEASE
    monkeypatch.setattr(Setup, "now", lambda _: later)
    assert judge_again(town.settings, return_state=True).is_completed()
    assert sum(analysis.version == "0" for analysis in kept(town).values()) == 0


def test_everything_means_what_another_has_in_hand_as_well(town: Town) -> None:
    remember(town, 6)
    setup = town.setup()
    with town.store() as store:
        version = setup.analyst().version
        store.take("killed", version, 4, now=setup.now(), lease=judge.LEASE)
        store.save_analyses([one.model_copy(update={"version": version}) for one in kept(town).values()])
    assert judge_again(town.settings, everything=True, return_state=True).is_completed()
    assert "noise" not in {analysis.lane for analysis in kept(town).values()}


@pytest.mark.parametrize("everything", [False, True])
def test_what_comes_while_it_runs_is_judged_in_parts_no_larger(
    town: Town, monkeypatch: pytest.MonkeyPatch, *, everything: bool
) -> None:
    remember(town, 4)
    sizes: list[int] = []

    class Growing(Store):
        def save_analyses(self, analyses: list[Analysis]) -> int:  # type: ignore[override]
            if not sizes:
                remember(town, 20)
            sizes.append(len(analyses))
            return super().save_analyses(analyses)

    with monkeypatch.context() as patch:
        patch.setattr("flows.setup.Store", Growing)
        patch.setattr(town, "store", lambda: Store(town.setup().database.get_secret_value()))
        assert judge_again(town.settings, everything=everything, size=4, return_state=True).is_completed()
    assert max(sizes) == 4
    assert [analysis.version for analysis in kept(town).values()] == [town.setup().analyst().version] * 20


@pytest.mark.parametrize(("since", "until"), [(date.min, date(2026, 9, 1)), (date(2026, 9, 1), date.max)])
def test_a_day_as_far_away_as_can_be_is_no_mistake(town: Town, since: date, until: date) -> None:
    town.settings.write_text(
        town.settings.read_text("utf-8").replace('name = "Hike"', 'name = "Hike"\ntime_zone = "Europe/Berlin"'), "utf-8"
    )
    remember(town, 1)
    assert judge_again(town.settings, since=since, until=until, return_state=True).is_completed()
    assert kept(town)["forum:000"].version != "0"


def test_a_worker_with_another_earful_or_no_database_is_refused(town: Town) -> None:
    remember(town, 1)
    with town.store() as store:
        (part,) = store.stretches(FIRST, FIRST + DAY, 10, None)
    with pytest.raises(SettingsError, match="install the same Earful there"):
        judge_stretch.fn(town.settings, part, "j", "another", size=9, everything=False)
    ours = town.setup().analyst(taught=False).version
    (town.folder / "earful.db").unlink()
    for _ in range(2):  # the first must not leave an empty database to the second
        with pytest.raises(SettingsError, match="workers on other machines need PostgreSQL"):
            judge_stretch.fn(town.settings, part, "j", ours, size=9, everything=False)


@pytest.mark.parametrize(
    ("missing", "mend"),
    [
        ("prefect_dask.task_runners", r"pip install 'earful\[dask\]'"),
        (None, "no Dask scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_said_before_anything_begins(
    town: Town, monkeypatch: pytest.MonkeyPatch, missing: str | None, mend: str
) -> None:
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SettingsError, match=mend):
        judge_again(town.settings, cluster="tcp://127.0.0.1:9")
