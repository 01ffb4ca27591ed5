"""Killed in any way, at any place, a run loses nothing and tells nobody twice who can know it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.databases import Databases, open_trial, worlds
from tests.faults.trial import WAYS, Tally

KILLS = 200
SEED = 7
"""`bench/soak.py --seed 7 --kills 400` makes the same kills."""


@pytest.fixture(scope="module")
def tallies(databases: Databases, front: Path) -> dict[str, list[Tally]]:
    """The kills on each database, both at one time."""

    def kills(kind: str) -> list[Tally]:
        return [*worlds(kind, KILLS, SEED, databases, front)]

    kinds = ["sqlite", "postgresql"]
    with ThreadPoolExecutor() as side_by_side:
        return dict(zip(kinds, side_by_side.map(kills, kinds), strict=True))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_hundred_runs_are_killed_and_the_next_one_always_makes_it_good(
    tallies: dict[str, list[Tally]], database: str
) -> None:
    assert [each for tally in tallies[database] for each in tally.damage] == []
    kills = sum((tally.kills for tally in tallies[database]), Counter[tuple[str, str]]())
    assert kills.total() >= KILLS
    assert {way for way, _ in kills} == set(WAYS)
    assert {"hear", "judge", "settle", "send log", "send desk", "send chat"} <= {place for _, place in kills}
    found = [tally.found for tally in tallies[database] if tally.found is not None]
    assert sum(each.shown for each in found) >= KILLS
    assert sum(each.taken_back for each in found) >= KILLS // 20, "hardly a run met a deletion"
    assert sum(each.received for each in found) >= sum(each.due_alerts + each.excused for each in found)
    assert sum(each.known_again for each in found), "no run died between the desk's taking an alert and our mark"
    assert sum(each.excused for each in found), "no run died between the chat's taking an alert and our mark"


def test_a_sender_that_marks_before_it_sends_is_found_out(databases: Databases, front: Path) -> None:
    with open_trial("sqlite", databases, front, SEED) as trial:
        trial.always["careless"] = True
        trial.begin()
        trial.ground.say()
        (usual,) = trial.run()
        for back in range(12):  # the last commits of a run are those of its last sender
            trial.ground.say()
            trial.run(die=["commit", usual.done["commit"] - back])
            if trial.quiet():
                break
    assert any("alerts_lost" in each for each in trial.tally.damage), trial.tally.damage
