"""The kit finds out what a connector does wrong, and finds nothing where nothing is wrong."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors import SINKS, SOURCES
from connectors.conform import kit
from connectors.conform.bench import Bench, WorldOpening
from connectors.conform.delivery import STORIES as SINK_STORIES
from connectors.conform.delivery import delivered
from connectors.conform.desks import DESKS
from connectors.conform.faults import FAULTS
from connectors.conform.grade import COSTS, Failing, Grade, Severity
from connectors.conform.recorded import recorded_bench
from connectors.conform.stage import Stage
from connectors.conform.stories import STORIES
from connectors.conform.trial import tried
from connectors.conform.worlds import WORLDS
from pipeline.errors import SettingsError
from tests.connectors.conform.toy import Bell, BellDesk, Toy, ToyWorld
from tests.connectors.replay import FIXTURES

ASK_NO_SERVER = {"file", "imap", "email", "apprise", "intake"}


@contextmanager
def bench(flaw: str) -> Iterator[Bench]:
    opening = WorldOpening(ToyWorld())
    stage = Stage(opening.fresh())
    with stage.serving() as address:
        source = Toy.model_validate({"name": "conform", "flaw": flaw, **ToyWorld().settings(address)})
        yield Bench(source, opening, stage)


def grade(flaw: str = "none", only: str | None = None) -> Grade:
    with bench(flaw) as made:
        return tried("toy", made, only and {only})


def told(found: Grade) -> dict[str, Severity]:
    return {each.fault: each.severity for each in found.failings}


def test_a_source_without_a_flaw_keeps_everything() -> None:
    found = grade()
    assert found.failings == []
    assert (found.letter, found.points, found.conforms) == ("A", 100, True)
    assert set(found.passed) | set(found.skipped) == {"nothing goes wrong", *(fault.name for fault in FAULTS), *STORIES}
    assert len(found.passed) > 50


@pytest.mark.parametrize(
    ("flaw", "fault", "severity"),
    [
        ("moves early", "500, broken", Severity.LOST),
        ("moves early", "killed at any request", Severity.LOST),
        ("moves early", "given up after any page", Severity.LOST),
        ("forgets the overlap", "one that appears late", Severity.LOST),
        ("forgets the overlap", "one that is edited", Severity.DISTORTED),
        ("two keys", "one that is edited", Severity.REPEATED),
        ("swallows", "503, under maintenance", Severity.UNNAMED),
        ("foreign error", "a connection reset between two pages", Severity.UNNAMED),
        ("tells the key", "401, the key was revoked", Severity.SECRET),
        ("takes anything", "a word where the list of items was", Severity.UNNAMED),
        ("never ends", "the same page again and again", Severity.ENDLESS),
        ("decodes twice", "nothing goes wrong", Severity.DISTORTED),
        ("claims too much", "nothing goes wrong", Severity.LOST),
        ("stops at strange items", "a field null in some items", Severity.UNNAMED),
        ("calls all gone", "looking up while the place is in trouble", Severity.LOST),
    ],
)
def test_a_flaw_costs_points_under_the_fault_that_shows_it(flaw: str, fault: str, severity: Severity) -> None:
    found = grade(flaw, fault)
    assert not found.conforms
    assert told(found)[fault] is severity
    if severity is Severity.LOST:
        assert found.letter == "F"


def test_a_sink_without_a_flaw_keeps_everything() -> None:
    found = delivered(Bell, BellDesk)
    assert found.failings == []
    everything = {"nothing goes wrong", *SINK_STORIES, *(fault.name for fault in FAULTS)}
    assert {*found.passed, *found.skipped} == everything


@pytest.mark.parametrize(
    ("flaw", "fault", "severity"),
    [
        ("swallows", "503, under maintenance", Severity.LOST),
        ("swallows", "a port where nobody listens", Severity.LOST),
        ("new keys", "a connection reset between two pages", Severity.REPEATED),
        ("no long words", "markup in a stranger's words", Severity.DISTORTED),
    ],
)
def test_a_flaw_of_a_sink_costs_points(flaw: str, fault: str, severity: Severity) -> None:
    class Flawed(BellDesk):
        def settings(self, address: str) -> dict[str, Any]:
            return {**super().settings(address), "flaw": flaw}

    assert told(delivered(Bell, Flawed, {fault})).get(fault) is severity


def test_recordings_serve_where_there_is_no_world() -> None:
    hackernews = next(source for source in SOURCES if source.model_fields["kind"].default == "hackernews")
    with recorded_bench(hackernews, FIXTURES / "hackernews") as made:
        some = {
            "one that appears late",
            "killed at any request",
            "401, the key was revoked",
            "a field null in some items",
        }
        found = tried("hackernews", made, some)
    assert found.failings == []
    assert found.skipped["one that appears late"] == "recordings cannot tell it"
    assert {"nothing goes wrong", "killed at any request", "401, the key was revoked"} <= {*found.passed}


def test_recordings_without_expectations_are_heard_first(tmp_path: Path) -> None:
    for name in ("settings.json", "exchanges.json"):
        (tmp_path / name).write_bytes((FIXTURES / "mastodon" / name).read_bytes())
    mastodon = next(source for source in SOURCES if source.model_fields["kind"].default == "mastodon")
    with recorded_bench(mastodon, tmp_path) as made:
        assert made.opening.many == len(json.loads((FIXTURES / "mastodon/expected.json").read_text("utf-8")))
    with pytest.raises(SettingsError, match=r"settings\.json"), recorded_bench(mastodon, tmp_path / "none"):
        pass


def test_every_connector_has_a_world_or_a_desk_or_asks_no_server() -> None:
    has = {place.kind for place in (*WORLDS, *DESKS)}
    assert {kit.kind_of(one) for one in (*SOURCES, *SINKS)} - has <= ASK_NO_SERVER
    assert len(has) == len(WORLDS) + len(DESKS), "one world for a kind"


def test_a_stranger_is_named_by_module_and_class() -> None:
    home = "tests.connectors.conform.toy"
    job = kit.stranger(f"{home}:Toy", f"{home}:ToyWorld", None)
    assert (job.kind, job.connector, job.against) == ("toy", Toy, ToyWorld)
    for wrong, why in (
        ((f"{home}:Toy", None, None), "name what it is tried against"),
        ((f"{home}:Toy", f"{home}:BellDesk", None), "is no World"),
        ((f"{home}:Bell", None, Path()), "a sink is tried at a desk"),
        ((f"{home}:Nothing", None, None), "is not to be found"),
        (("nowhere.at_all:Toy", None, None), "is not to be found"),
        ((f"{home}:PAGE", None, None), "is no class"),
        ((f"{home}:ToyWorld", None, None), "neither a Source nor a Sink"),
    ):
        with pytest.raises(SettingsError, match=why):
            kit.stranger(*wrong)
    with pytest.raises(SettingsError, match='no connector "toy"'):
        kit.jobs("toy")


def test_a_connector_that_asks_no_server_is_not_graded() -> None:
    (job,) = (job for job in kit.jobs("email"))
    found = kit.conform(job)
    assert (found.faults, found.conforms, found.letter, found.points) == (0, False, None, None)
    assert found.untried == kit.NO_SERVER


def test_a_grade_tells_its_points_its_letter_and_its_reasons() -> None:
    found = Grade("toy")
    found.note("well", [])
    found.note("401", [Failing("401", Severity.TOLD, "a", "b"), Failing("401", Severity.UNNAMED, "c", "d")])
    assert [each.happened for each in found.failings] == ["c"], "of several under one fault the gravest counts"
    assert (found.points, found.letter) == (100 - COSTS[Severity.UNNAMED], "B")
    assert json.loads(json.dumps(found.told()))["failings"][0]["severity"] == "unnamed"
    found.note("500", [Failing("500", Severity.LOST, "e", "f")])
    assert (found.points, found.letter) == (0, "F")


def test_what_one_story_breaks_costs_its_own_points_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(_: Bench) -> list[Failing]:
        Toy.model_validate({"name": "conform", "api": "nowhere", "key": "sesame-toy"})
        return []

    def leaving(_: Bench) -> list[Failing]:
        sys.exit(3)

    monkeypatch.setattr("connectors.conform.trial.STORIES", {"one": refusing, "two": leaving, "three": lambda _: []})
    with bench("none") as made:
        found = tried("toy", made, {"one", "two", "three"})
    one, two = found.failings
    assert (one.fault, one.severity) == ("one", Severity.TOLD)
    assert one.happened.startswith("its settings refuse what they are given: api: Value error, write an address")
    assert (two.fault, two.severity) == ("two", Severity.UNNAMED)
    assert two.happened.startswith("called sys.exit(3) at test_kit.py")
    assert (found.passed, found.points, found.untried) == (["nothing goes wrong", "three"], 85, None)


def test_where_nothing_is_asked_or_said_there_is_no_grade(tmp_path: Path) -> None:
    settings = {"kind": "toy", "name": "conform", "api": "https://toy.example", "key": "sesame-toy"}
    silent = {"request": {"url": "https://toy.example/notes?page=0"}, "response": {"json": {"notes": []}}}
    for name, content in (("settings", settings), ("exchanges", [silent]), ("expected", [])):
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    found = kit.conform(kit.Job("toy", Toy, recordings=tmp_path))
    assert (found.letter, found.points, found.conforms) == (None, None, False)
    assert found.untried == "nothing is said there, so nothing could be lost"
