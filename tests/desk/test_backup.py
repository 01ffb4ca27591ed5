import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.setup import Setup
from tests.desk.test_cli import earful, heard
from tests.town import Town


@pytest.fixture
def file(town: Town) -> Path:
    """A backup of a town that was heard, whose database is gone."""
    town.write(plaints=3, praise=2)
    heard(town)
    file = town.folder / "monday.backup"
    told = earful("backup", file, "-s", town.settings)
    assert told.exit_code == 0, told.output
    assert f"{file.stat().st_size:,} bytes" in told.output
    assert "what people said" in told.output
    for left in town.folder.glob("earful.db*"):
        left.unlink()
    return file


def test_what_was_backed_up_is_back_and_what_may_have_gone_out_is_held_back(town: Town, file: Path) -> None:
    told = earful("restore", file, "-s", town.settings)
    assert told.exit_code == 0, told.output
    assert "Restored 5 mentions and 3 cases, heard until" in told.output
    assert "6 alerts waited then and may have gone out since" in told.output
    assert "earful alerts" in told.output
    with town.store() as store:
        assert store.counts().mentions == 5
        assert len(store.cases(9)) == 3
        assert store.claim("log", town.setup().now(), town.setup().cases.join_within, 9) == []
    heard(town)
    with town.store() as store:
        assert (store.counts().mentions, store.counts().cases) == (5, 3)


def test_a_backup_older_than_cases_are_opened_for_says_so(
    town: Town, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.settings.write_text(town.settings.read_text("utf-8").replace('"3650d"', '"7d"'), "utf-8")
    monkeypatch.setattr(Setup, "now", lambda _: datetime.now(UTC) + timedelta(days=10))
    told = earful("restore", file, "-s", town.settings)
    assert told.exit_code == 0, told.output
    assert "What was said more than 7d ago opens no case, and the backup is older" in told.output
    assert "`open_within` of [cases]" in told.output


def test_a_script_reads_what_was_written_and_what_came_back(town: Town, file: Path) -> None:
    told = earful("restore", file, "-s", town.settings, "--json")
    assert told.exit_code == 0, told.output
    came = json.loads(told.output)
    assert (came["mentions"], came["cases"], came["held_back"]) == (5, 3, 6)
    again = town.folder / "tuesday.backup"
    wrote = json.loads(earful("backup", again, "-s", town.settings, "--json").output)
    assert wrote == {"file": str(again), "bytes": again.stat().st_size, "schema": came["schema"]}


def test_nothing_is_written_over_unasked(town: Town, file: Path) -> None:
    assert earful("restore", file, "-s", town.settings).exit_code == 0
    before = file.read_bytes()
    refused = earful("backup", file, "-s", town.settings)
    assert refused.exit_code == 2
    assert "is there already" in refused.output
    assert file.read_bytes() == before
    assert earful("backup", file, "-s", town.settings, "--force").exit_code == 0
    again = earful("restore", file, "-s", town.settings)
    assert again.exit_code == 2
    assert "restore needs an empty place" in again.output


def test_a_file_that_is_no_backup_and_tools_that_are_missing_are_named(
    town: Town, monkeypatch: pytest.MonkeyPatch, postgres: str
) -> None:
    refused = earful("restore", town.settings, "-s", town.settings)
    assert refused.exit_code == 2
    assert "is no backup" in refused.output
    town.use(postgres)
    monkeypatch.setenv("PATH", "")
    refused = earful("backup", town.folder / "new", "-s", town.settings)
    assert refused.exit_code == 2
    assert "pg_dump is not on PATH" in refused.output
