"""What the tests of one source's walk share: a source of their own, an empty store and the time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.setup import Setup
from tests.flows.one_source import SETTINGS, Clock, Town


@pytest.fixture
def source() -> Iterator[Town]:
    yield Town(name="town")
    for kept in (Town.walks, Town.asked, Town.deleted, Town.refused, Town.told):
        kept.clear()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(Setup, "now", lambda _: clock.now)
    return clock


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    (tmp_path / "earful.toml").write_text(SETTINGS, encoding="utf-8")
    setup = Setup.read(tmp_path / "earful.toml")
    with setup.store() as store:
        store.migrate()
    return setup
