"""A run for a group of sources, and what a run says of itself: in its state, in its tables, in its events."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed

from flows import listen as listening
from flows.artifacts import _heard
from flows.digest import digest
from flows.ended import LONGEST, MOST_NAMED, ended
from flows.listen import chosen, listen
from pipeline.errors import SettingsError, TemporaryError
from pipeline.visit import Visit
from tests.town import PLAINT, Town

pytestmark = pytest.mark.usefixtures("prefect_api")
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "collect", listening.collect.with_options(retries=0))


def run(town: Town, **group: object) -> State:
    state: State = listen(town.settings, return_state=True, **group)  # type: ignore[call-overload]
    return state


def shown(key: str) -> tuple[Any, str]:
    """What a person sees under this key now, and what stands above it."""
    asked = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=[key]))
    with get_client(sync_client=True) as client:
        (found,) = client.read_latest_artifacts(artifact_filter=asked)
    assert found.flow_run_id is not None
    return (json.loads(str(found.data)) if found.type == "table" else found.data), str(found.description)


def test_a_group_hears_its_own_sources_and_sees_to_what_others_heard(town: Town) -> None:
    town.write(plaints=4, praise=0)
    town.broken["/hook"] = 503
    assert run(town, sources=["survey"]).is_failed()
    with town.store() as store:
        assert store.last_visits().keys() == {"survey"}
        assert store.counts().waiting == 2
    town.broken.clear()
    assert run(town, sources=["feed"], without=["file"]).is_completed()  # by kind
    with town.store() as store:
        assert [visit.source for visit in store.visits(store.last_visits()["survey"].visit.started_at)] == [
            "survey",
            "forum",
        ]
        assert (store.counts().waiting, store.counts().unanalysed) == (4, 0)
    assert len(town.logged()) == 4


def test_each_source_is_in_one_of_two_groups_and_a_kind_nobody_has_is_no_mistake(town: Town) -> None:
    setup = town.setup()
    reviews = ["appstore", "file"]
    assert [source.name for source in chosen(setup, sources=reviews)] == ["survey"]
    assert [source.name for source in chosen(setup, without=reviews)] == ["forum"]
    assert chosen(setup) == list(setup.sources)
    assert chosen(setup, sources=["steam"]) == []


@pytest.mark.parametrize("group", [{"sources": ["forun"]}, {"without": ["forun"]}])
def test_a_group_that_names_no_source_fails_before_anything_and_says_which_there_are(
    town: Town, group: dict[str, list[str]]
) -> None:
    with pytest.raises(SettingsError, match=r'"forun" is no source .* the sources are: forum, survey; the kinds: app'):
        chosen(town.setup(), **group)
    state = run(town, **group)
    assert state.is_failed()
    assert '"forun" is no source' in str(state.message)
    assert not (town.folder / "earful.db").exists()


def test_a_parameter_of_the_wrong_shape_is_a_failed_run_that_names_it(town: Town) -> None:
    state = run(town, sources=5)
    assert state.is_failed()
    assert "Validation of flow parameters failed" in str(state.message)
    assert "sources" in str(state.message)


def test_a_run_that_failed_says_which_source_and_who_must_act(town: Town) -> None:
    town.write(plaints=2, praise=0)
    town.broken["/forum.rss"] = 401
    town.broken["/hook"] = 503
    message = str(run(town).message)
    forum, desk = message.split("; desk: ")
    assert forum.startswith("forum: GET ")
    assert "401 Unauthorized; the operator must act" in forum
    assert "503" in desk
    assert "nobody: Earful tries again by itself" in desk
    assert "survey" not in message


def test_a_run_that_went_well_says_so(town: Town) -> None:
    town.write(plaints=1, praise=1)
    assert str(run(town).message) == "All 6 parts went well."


def test_a_message_names_so_many_failures_and_no_words_of_a_stranger() -> None:
    states = [(f"place-{n:02}", Failed(data=TemporaryError("x" * 1000))) for n in range(MOST_NAMED + 3)]
    message = str(ended([*states, ("fine", Completed(data=1))]).message)
    assert message.endswith("; and 3 more")
    assert len(message) < (LONGEST + 2) * MOST_NAMED + 50
    told = ended([("judging", Failed(data=ValueError("a secret")))])
    assert told.message == "judging: ValueError; a developer must act"
    assert ended([("", Failed(message="2 alerts wait"))]).message == "2 alerts wait"


def test_what_was_heard_and_sent_is_shown_without_a_word_of_anybody(town: Town) -> None:
    town.write(plaints=4, praise=2)
    town.broken["/hook"] = 503
    run(town)
    heard, said = shown("listen-heard")
    assert [(row["source"], row["heard"], row["new"], row["error"]) for row in heard] == [
        ("forum", 3, 3, ""),
        ("survey", 3, 3, ""),
    ]
    assert said.startswith("6 judged, 4 steps taken on cases")
    alerts = {row["sink"]: row for row in shown("listen-alerts")[0]}
    assert (alerts["log"]["sent"], alerts["log"]["waiting"]) == (4, 0)
    assert (alerts["desk"]["sent"], alerts["desk"]["waiting"]) == (0, 4)
    assert "503" in alerts["desk"]["error"]
    everything = json.dumps([heard, list(alerts.values()), shown("listen-gaps")])
    assert PLAINT[:12] not in everything
    assert "writer-" not in everything
    town.broken["/forum.rss"] = 401
    run(town)
    assert "the operator must act" in shown("listen-heard")[0][0]["error"]


def test_what_two_tries_heard_is_shown_together_with_how_the_last_one_ended(town: Town) -> None:
    setup = town.setup()
    began = setup.now()
    first = Visit(source="forum", started_at=began, ended_at=began, heard=500, new=499, rejected=1, error="503")
    second = Visit(source="forum", started_at=began + MINUTE, ended_at=began + MINUTE, heard=2, new=1, gone=1)
    with setup.store() as store:
        store.migrate()
        for visit in (first, second):
            store.note_visit(visit)
        forum, survey = _heard(setup, store, setup.sources, began)
    assert {name: forum[name] for name in ("heard", "new", "set aside", "deleted", "seconds", "error")} == {
        "heard": 502,
        "new": 500,
        "set aside": 1,
        "deleted": 1,
        "seconds": 60,
        "error": "",
    }
    assert survey["error"] == "not visited"


def test_the_report_is_shown_where_it_lies_with_its_figures(town: Town) -> None:
    town.write(plaints=2, praise=2)
    run(town)
    assert digest(town.settings, return_state=True).is_completed()
    page = next((town.folder / "reports").glob("hike-*.html"))
    markdown, _ = shown("digest-report")
    assert page.resolve().as_uri() in markdown
    assert "| mentions |" in markdown


def test_a_table_that_cannot_be_shown_fails_no_run(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("the server is full")

    monkeypatch.setattr("flows.artifacts.ArtifactCreate", broken)
    town.write(plaints=1, praise=1)
    assert run(town).is_completed()


def test_without_a_server_nothing_is_shown(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    monkeypatch.setattr("flows.artifacts.ArtifactCreate", lambda *_, **__: made.append(town.settings))
    setup = town.setup()
    with temporary_settings(set_defaults={}, restore_defaults={PREFECT_API_URL}):
        listening.show_run(setup, setup.sources, setup.now(), listening.Steps())
    assert made == []
