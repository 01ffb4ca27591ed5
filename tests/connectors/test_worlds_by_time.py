"""The places that are read by time, each in its world: busy days, one second, late words, edits, deletions, kills."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from connectors import AnySource
from connectors.client import open_client
from connectors.conform.listener import Listener
from connectors.conform.scene import Scene
from connectors.conform.world import World
from connectors.conform.worlds.discourse import DiscourseWorld
from connectors.conform.worlds.github import GitHubWorld
from connectors.conform.worlds.stackexchange import StackExchangeWorld
from connectors.conform.worlds.steam import SteamWorld
from connectors.conform.worlds.wordpress import WordPressWorld
from connectors.contract import Source


class WholeForum(DiscourseWorld):
    """All posts of the forum, whatever they say."""

    def settings(self, address: str) -> dict[str, Any]:
        return {"kind": "discourse", "forum": address}


WORLDS = (GitHubWorld, DiscourseWorld, WholeForum, StackExchangeWorld, SteamWorld, WordPressWorld)
NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)

every_world = pytest.mark.parametrize("world", [made() for made in WORLDS], ids=lambda world: world.kind)


def opened(world: World) -> tuple[Scene, Source, Listener]:
    """A world in which somewhat more than a page was said, a source that listens there, and nothing heard yet."""
    scene = Scene(world, NOON)
    scene.say(world.page + 3)
    settings = {"name": "n", **world.settings("https://place.example")}
    source: Source = TypeAdapter[Any](AnySource).validate_python(settings)
    return scene, source, Listener()


def client(scene: Scene) -> httpx.Client:
    return open_client(attempts=1, transport=httpx.MockTransport(scene.answer), sleep=lambda _: None)


def settled(scene: Scene, source: Source, listener: Listener) -> None:
    for _ in range(8):
        before = listener.cursor
        listener.walk(source, client(scene))
        if listener.cursor == before:
            return
    pytest.fail("the place never stops moving")


@every_world
def test_all_is_heard_once_and_word_for_word_and_the_last_page_says_how_far_back(world: World) -> None:
    scene, source, listener = opened(world)
    for _ in range(2):
        settled(scene, source, listener)
        assert scene.judge(listener) == []
        assert scene.overclaimed(listener) == []
        said = {each.text for each in scene.said}
        assert {each.text for each in listener.kept.values() if not each.by_brand} <= said, "what says nothing is none"
        scene.say(world.page + 2)


@every_world
def test_so_many_in_one_second_are_all_heard(world: World) -> None:
    scene, source, listener = opened(world)
    settled(scene, source, listener)
    for _ in range(world.same_second):
        scene.arrive(scene.now)
    scene.say(2)
    settled(scene, source, listener)
    assert scene.judge(listener) == []


@every_world
def test_what_appears_late_is_heard(world: World) -> None:
    scene, source, listener = opened(world)
    settled(scene, source, listener)
    scene.now += world.late
    scene.arrive(scene.now)
    settled(scene, source, listener)
    scene.arrive(scene.now - world.late + timedelta(seconds=1))
    settled(scene, source, listener)
    assert scene.judge(listener) == []


@every_world
@pytest.mark.parametrize("silently", [False, True])
def test_an_edit_is_heard(world: World, *, silently: bool) -> None:
    scene, source, listener = opened(world)
    one = scene.say()[0]
    settled(scene, source, listener)
    assert world.edits is not None
    scene.now += world.edits - timedelta(minutes=10)
    scene.arrive(scene.now)
    settled(scene, source, listener)
    scene.edit(one.number, silently=silently)
    listener.walk(source, client(scene))
    assert scene.judge(listener) == []


@every_world
def test_what_was_taken_back_is_known_as_gone_and_nothing_living_is(world: World) -> None:
    scene, source, listener = opened(world)
    settled(scene, source, listener)
    deleted = {scene.said[1].number, scene.said[2].number}
    texts = {each.text for each in scene.said if each.number in deleted}
    for number in deleted:
        scene.delete(number)
    with client(scene) as http:
        gone = source.gone(http, sorted(listener.kept))
    assert {listener.kept[key].text for key in gone} == (texts if world.deletes else set())


@every_world
def test_killed_after_any_batch_and_gone_on_nothing_is_lost(world: World) -> None:
    scene, source, listener = opened(world)
    listener.walk(source, client(scene))
    for most in range(1, listener.batches + 1, max(1, listener.batches // 5)):
        cut = Listener()
        cut.walk(source, client(scene), most)
        settled(scene, source, cut)
        assert scene.judge(cut) == [], f"after {most} batches"


@every_world
def test_what_is_deleted_or_said_between_two_pages_moves_nothing_out_of_sight(world: World) -> None:
    scene, source, listener = opened(world)
    asked: list[httpx.Request] = []

    def meanwhile(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if 1 < len(asked) < 10:
            heard = {mention.text for mention in listener.kept.values()}
            one = next((each for each in reversed(scene.said) if each.text in heard and not each.deleted), None)
            if one:
                scene.delete(one.number)
            scene.now += timedelta(seconds=1)
            scene.arrive(scene.now)
        return scene.answer(request)

    listener.walk(source, open_client(attempts=1, transport=httpx.MockTransport(meanwhile), sleep=lambda _: None))
    settled(scene, source, listener)
    assert scene.judge(listener) == []


@pytest.mark.parametrize("world", [GitHubWorld(), DiscourseWorld()], ids=lambda world: world.kind)
def test_more_than_a_query_gives_is_heard_or_told_as_a_gap(world: World) -> None:
    scene, source, listener = opened(world)
    settled(scene, source, listener)
    assert world.cap is not None
    scene.say(world.cap + world.cap // 5, timedelta(seconds=2))
    covered: set[int] = set()
    for _ in range(3):
        listener.walk(source, client(scene))
        covered |= scene.covered(listener)
    assert scene.judge(listener, covered) == []
    assert (world.kind == "github") == (not covered), "GitHub is read by second, a forum only by day"
