"""The house: what is imported is ours, and every file has one reason to exist."""

import importlib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ["pipeline", "connectors", "storage", "flows", "desk"]


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_is_imported_from_our_tree_and_owned_by_nobody_else(room: str) -> None:
    found = importlib.import_module(room)
    assert Path(str(found.__file__)).is_relative_to(ROOT)
    assert set(packages_distributions().get(room, ["earful"])) == {"earful"}


def test_no_file_is_named_for_being_shared() -> None:
    vague = {"util", "utils", "common", "misc", "base", "manager", "helpers"}
    assert not [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if path.stem in vague]


def test_every_module_says_why_it_exists() -> None:
    silent = [
        path.relative_to(ROOT)
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if not path.read_text(encoding="utf-8").lstrip().startswith('"""')
    ]
    assert not silent


def test_no_file_has_two_reasons_to_exist() -> None:
    long = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
    }
    assert {name: lines for name, lines in long.items() if lines > 300} == {}
