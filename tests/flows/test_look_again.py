"""Whether what one source said still stands there: what is looked up when, and what is believed."""

from typing import get_args

import pytest

from connectors import AnySource
from connectors.contract import Page
from flows.collect import bring_home
from flows.recheck import AT_ONCE, PART, PATIENCE, WITHIN, look_again
from flows.setup import Setup
from pipeline.errors import ChangedError, RefusedError
from pipeline.mention import Mention
from pipeline.visit import Visit
from tests.flows.one_source import HOUR, NOON, Clock, Town, say


def hear(setup: Setup, source: Town, many: int) -> set[str]:
    say(Page([{"id": number} for number in range(many)], cursor="1"))
    bring_home(setup, source)
    return {f"town:{number}" for number in range(many)}


def left(setup: Setup, keys: set[str]) -> set[str]:
    with setup.store() as store:
        return set(store.mentions(keys))


def visit(setup: Setup) -> Visit:
    with setup.store() as store:
        return store.last_visits()["town"].visit


@pytest.mark.parametrize("source", get_args(get_args(AnySource)[0]), ids=lambda one: one.__name__)
def test_what_every_source_says_is_looked_up_more_than_once(source: type[Town]) -> None:
    assert source.recheck_after is None or 2 * source.recheck_after <= WITHIN


def test_what_was_said_lately_is_looked_up_again_when_it_is_due(setup: Setup, source: Town, clock: Clock) -> None:
    say(Page([{"id": number} for number in range(AT_ONCE + 5)], cursor="1"))
    bring_home(setup, source)
    with setup.store() as store:
        other = Mention(key="other:1", source="town", kind="post", text="?", said_at=NOON)
        store.save("town", [other], [{}], [], None, heard_at=NOON - HOUR)
    assert look_again(setup, source) == 0
    assert Town.asked == []
    clock.tick(7)
    Town.deleted.update({"town:0", "town:1", "town:9999"})
    assert look_again(setup, source) == 2
    assert len(Town.asked) == AT_ONCE - 1  # the oldest was of another kind
    assert "other:1" not in Town.asked
    look_again(setup, source)
    assert len(set(Town.asked)) == len(Town.asked) == AT_ONCE + 5
    look_again(setup, source)
    assert len(Town.asked) == AT_ONCE + 5
    with setup.store() as store:
        assert store.mention("town:0") is None
        assert store.mention("other:1") is not None
        assert store.last_visits()["town"].gone == 2
    clock.tick(24 * WITHIN.days + 1)
    look_again(setup, source)
    assert len(Town.asked) == AT_ONCE + 5  # they are older than what is looked up


def test_a_mention_that_cannot_be_looked_up_holds_up_no_other(setup: Setup, source: Town, clock: Clock) -> None:
    keys = hear(setup, source, 60)
    clock.tick(7)
    Town.refused.add("town:30")
    Town.deleted.update({"town:30", "town:31", "town:59"})
    with pytest.raises(RefusedError, match="403"):
        look_again(setup, source)
    assert keys - left(setup, keys) == {"town:31", "town:59"}
    assert set(Town.asked) == keys - {"town:30"}
    assert (visit(setup).unchecked, visit(setup).unchecked_at) == (
        "GET town.test: 403; the operator must act",
        clock.now,
    )
    since = clock.now
    clock.tick()
    say(Page([], cursor="2"))
    bring_home(setup, source)
    assert look_again(setup, source) == 0  # it waits for its next turn
    assert (visit(setup).gone, visit(setup).unchecked_at) == (0, since)
    Town.refused.clear()
    clock.tick(7)
    assert look_again(setup, source) == 1
    assert visit(setup).unchecked is None


def test_a_place_that_answers_nothing_is_left_alone_after_a_few_tries(
    setup: Setup, source: Town, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = hear(setup, source, AT_ONCE)
    tries: list[int] = []

    def broken(_: Town, __: object, keys: list[str]) -> set[str]:
        tries.append(len(keys))
        raise KeyError("likes")

    clock.tick(7)
    monkeypatch.setattr(Town, "gone", broken)
    with pytest.raises(KeyError):
        look_again(setup, source)
    assert len(tries) == PATIENCE
    assert max(tries) == PART
    assert visit(setup).unchecked == "KeyError"
    monkeypatch.undo()
    monkeypatch.setattr(Setup, "now", lambda _: clock.now)
    look_again(setup, source)
    assert set(Town.asked) == keys  # nobody was taken for looked up
    assert visit(setup).unchecked is None


def test_that_nearly_all_is_deleted_is_believed_at_a_second_look_a_day_later(
    setup: Setup, source: Town, clock: Clock
) -> None:
    keys = hear(setup, source, 30)
    Town.deleted.update(keys - {"town:0"})
    clock.tick(7)
    with pytest.raises(ChangedError, match="29 of 30 mentions looked up are said to be deleted"):
        look_again(setup, source)
    assert left(setup, keys) == keys
    assert "29 of 30" in str(visit(setup).unchecked)
    clock.tick(12)
    look_again(setup, source)  # only the one that was there is due
    assert left(setup, keys) == keys
    clock.tick(13)
    assert look_again(setup, source) == 29
    assert left(setup, keys) == {"town:0"}
    assert visit(setup).unchecked is None


def test_what_was_missed_and_is_there_again_was_never_deleted(setup: Setup, source: Town, clock: Clock) -> None:
    keys = hear(setup, source, 10)
    Town.deleted.update(keys)
    clock.tick(7)
    with pytest.raises(ChangedError):
        look_again(setup, source)
    Town.deleted.clear()
    clock.tick(25)
    assert look_again(setup, source) == 0
    Town.deleted.update(keys)
    clock.tick(25)
    with pytest.raises(ChangedError):
        look_again(setup, source)
    assert left(setup, keys) == keys


def test_that_a_few_are_all_deleted_is_believed_at_once(setup: Setup, source: Town, clock: Clock) -> None:
    keys = hear(setup, source, 9)
    Town.deleted.update(keys)
    clock.tick(7)
    assert look_again(setup, source) == 9
