import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.client.schemas.objects import State

from flows import collect as collecting
from flows import listen as listening
from flows.listen import listen
from flows.send import pause
from flows.setup import Setup
from pipeline.errors import RefusedError, TemporaryError
from pipeline.mention import Mention
from tests.town import Town

pytestmark = pytest.mark.usefixtures("prefect_api")
LATE = "My parcel never arrived, order 77, and nobody answers my mails."
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect's own second try is tested once; elsewhere nobody waits for it."""
    monkeypatch.setattr(listening, "collect", listening.collect.with_options(retries=0))


def run(town: Town) -> State:
    return listen(town.settings, return_state=True)


def test_one_run_hears_judges_opens_cases_and_alerts_each_sink_once(town: Town, database: str) -> None:
    town.use(database)
    town.write(plaints=6, praise=6)
    assert run(town).is_completed()
    with town.store() as store:
        counts = store.counts()
        assert (counts.mentions, counts.unanalysed) == (12, 0)
        assert counts.waiting == counts.by_lane["service"] == 6
        assert counts.alerts == {"log": (0, 6), "desk": (0, 6)}
    assert len({alert["key"] for alert in town.logged()}) == len(town.logged()) == 6
    assert len({key for key, _ in town.hooks}) == len(town.hooks) == 6


def test_a_second_run_on_the_same_data_does_nothing(town: Town) -> None:
    town.write(plaints=4, praise=4)
    run(town)
    told = len(town.hooks)
    assert run(town).is_completed()
    with town.store() as store:
        assert [visit.new for visit in store.visits(LONG_AGO)][-2:] == [0, 0]
        assert store.counts().waiting == 4
    assert len(town.hooks) == told


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_broken_source_fails_the_run_after_the_others_were_served(town: Town, status: int) -> None:
    town.write(plaints=4, praise=0)
    town.broken["/forum.rss"] = status
    state = run(town)
    assert state.is_failed()
    with town.store() as store:
        visits = store.last_visits()
        assert visits["survey"].visit.error is None
        assert visits["survey"].new == 2
        failed = visits["forum"].visit
        assert f": {status} " in str(failed.error)
        assert failed.who_acts == ("the operator" if status == 401 else "nobody: Earful tries again by itself")
        assert store.cursor("forum") is None
        assert store.counts().waiting == 2
    town.broken.clear()
    assert run(town).is_completed()
    with town.store() as store:
        assert store.counts().waiting == 4


def test_what_was_heard_is_alerted_while_a_slow_source_is_still_out(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerted: list[int] = []
    usual = Town.rss

    def slow(forum: Town) -> bytes:
        end = time.monotonic() + 20
        while len(forum.logged()) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        alerted.append(len(forum.logged()))
        return usual(forum)

    monkeypatch.setattr(listening, "MOST_WAITED", timedelta(seconds=0.5))
    monkeypatch.setattr(Town, "rss", slow)
    town.write(plaints=4, praise=0)
    assert run(town).is_completed()
    assert alerted == [2], "the survey's complaints, before the forum has answered"
    assert len({key for key, _ in town.hooks}) == len(town.hooks) == 4


def test_a_sink_that_is_down_delays_its_own_alerts_only_and_then_hears_each_once(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.write(plaints=4, praise=0)
    town.broken["/hook"] = 503
    assert run(town).is_failed()
    assert len(town.logged()) == 4
    assert town.hooks == []
    town.broken.clear()
    monkeypatch.setattr(Setup, "now", lambda _: datetime.now(UTC) + timedelta(hours=2))
    assert run(town).is_completed()
    assert len({key for key, _ in town.hooks}) == len(town.hooks) == 4
    assert len(town.logged()) == 4


def test_a_new_version_of_the_classifiers_judges_again_but_opens_no_second_case(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.write(plaints=4, praise=4)
    run(town)
    monkeypatch.setattr("pipeline.analysis.RULES", "another")
    assert run(town).is_completed()
    with town.store() as store:
        assert store.unanalysed(town.setup().analyst().version, 10) == []
        assert store.counts().waiting == 4
    assert len(town.hooks) == 4


def test_while_a_classifier_has_to_be_waited_for_the_alerts_go_on(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["from pipeline.errors import TemporaryError", "class Down:", "    version, trust = '1', {'lane': 1.0}"]
    lines += ["    def opinions(self, readings):", "        raise TemporaryError('the endpoint is down')"]
    (tmp_path / "a_classifier_that_is_down.py").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    town.write(plaints=4, praise=1)
    town.broken["/hook"] = 503
    assert run(town).is_failed()
    assert town.hooks == []
    town.broken.clear()
    told = '\n[judgement]\neffort = "accurate"\nclassifier = "a_classifier_that_is_down:Down"\n'
    town.settings.write_text(town.settings.read_text("utf-8") + told, encoding="utf-8")
    monkeypatch.setattr(Setup, "now", lambda _: datetime.now(UTC) + timedelta(hours=2))
    state = run(town)
    assert state.is_failed()
    failed = [part.message for part in state.result(raise_on_failure=False) if part.is_failed()]
    assert any("the endpoint is down" in str(message) for message in failed)
    assert len(town.hooks) == 4


def test_an_edited_mention_is_judged_again(town: Town) -> None:
    town.write(plaints=0, praise=2)
    run(town)
    town.entries = ["Update: the sole came off after one run, I want my money back, nobody answers."]
    assert run(town).is_completed()
    with town.store() as store:
        assert store.counts().waiting == 1


def test_the_brands_own_reply_is_no_complaint_and_answers_the_case(town: Town) -> None:
    setup = town.setup()
    said = datetime(2026, 11, 2, 12, tzinfo=UTC)
    plaint = Mention(
        key="x:1",
        source="forum",
        kind="post",
        text="My parcel never arrived, order 77, nobody answers.",
        said_at=said,
        author="mia",
    )
    reply = Mention(
        key="x:2", source="forum", kind="comment", text="Sorry! We are looking into your refund.", parent="x:1",
        said_at=said + timedelta(hours=1), author="@Hike-Care",
    )  # fmt: skip
    with setup.store() as store:
        store.migrate()
        mentions = [collecting.signed(setup, setup.sources[0], mention) for mention in (plaint, reply)]
        assert [mention.by_brand for mention in mentions] == [False, True]
        assert {mention.brand for mention in mentions} == {"Hike"}
        store.save("forum", mentions, [{}, {}], [], None, heard_at=said)
    town.write(plaints=0, praise=0)
    assert run(town).is_completed()
    with setup.store() as store:
        case = store.case_of("x:1")
        assert case is not None
        assert case.answered_at == reply.said_at
    assert town.hooks == []  # it was answered when we heard of it


def test_a_reply_heard_before_its_complaint_answers_it_when_it_comes(town: Town) -> None:
    setup = town.setup()
    said = datetime(2026, 11, 2, 12, tzinfo=UTC)
    reply = Mention(
        key="x:2", source="forum", kind="comment", text="Sorry! Refunded.", parent="x:1", thread="x:1", by_brand=True,
        said_at=said + timedelta(hours=1), author="hike-care", brand="Hike",
    )  # fmt: skip
    plaint = Mention(key="x:1", source="forum", kind="post", text=LATE, said_at=said, author="mia", brand="Hike")
    town.write(plaints=0, praise=0)
    for mention in (reply, plaint):
        with setup.store() as store:
            store.migrate()
            store.save("forum", [mention], [{}], [], None, heard_at=said)
        assert run(town).is_completed()
    with setup.store() as store:
        case = store.case_of("x:1")
    assert case is not None
    assert case.answered_at == reply.said_at
    assert town.hooks == []


def test_an_edit_that_turns_grave_is_told_at_once(town: Town) -> None:
    town.write(plaints=1, praise=0)
    run(town)
    town.entries = ["Update: the clip broke and cut my ankle open, I am in hospital, my lawyer will write to you."]
    assert run(town).is_completed()
    assert [alert["team"] for alert in town.logged()] == ["Support", "Safety"]
    with town.store() as store:
        assert [file.case.grave for file in store.cases()] == [["injury", "legal"]]


def test_alerts_of_a_sink_that_is_named_no_more_are_not_forgotten(town: Town) -> None:
    town.write(plaints=2, praise=0)
    town.broken["/hook"] = 500
    run(town)
    town.broken.clear()
    text = town.settings.read_text("utf-8").replace('name = "desk"', 'name = "bench"').replace('"desk"', '"bench"')
    town.settings.write_text(text, "utf-8")
    state = run(town)
    assert state.is_failed()
    messages = [part.message for part in state.result(raise_on_failure=False) if part.is_failed()]
    assert messages == ['2 alerts wait for "desk", which is no sink any more; name a sink so again in the settings']


def test_a_source_that_is_asked_something_else_is_read_from_the_start(town: Town) -> None:
    town.write(plaints=2, praise=2)
    run(town)
    source = town.setup().source("survey")
    with town.store() as store:
        cursor = store.cursor("survey")
    other = source.model_copy(update={"where": {"author": "somebody"}})
    assert collecting._since(cursor, source) is not None  # noqa: SLF001 - the one place that knows
    assert collecting._since(cursor, other) is None  # noqa: SLF001 - the one place that knows
    spelt_out = source.model_copy(update={"timezone": "UTC"})  # as a version with one more setting would see it
    assert collecting._since(cursor, spelt_out) is not None  # noqa: SLF001 - the one place that knows


def test_wrong_settings_stop_the_run_before_anything_happens(town: Town) -> None:
    town.settings.write_text(
        town.settings.read_text("utf-8").replace('kind = "feed"', 'kind = "fed"'), encoding="utf-8"
    )
    state = run(town)
    assert state.is_failed()
    assert "there is no kind 'fed'" in str(state.message)
    assert not (town.folder / "earful.db").exists()


def test_an_alert_waits_longer_after_each_failure_and_never_less_than_asked() -> None:
    refused = RefusedError("no")
    waits = [pause(attempts, refused) for attempts in range(6)]
    assert waits == sorted(waits)
    assert pause(0, TemporaryError("later", timedelta(hours=3))) == timedelta(hours=3)
    assert pause(9, TemporaryError("later", timedelta(seconds=1))) == timedelta(hours=1)
