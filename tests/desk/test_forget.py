import json

import pytest
from typer.testing import CliRunner

from desk.cli import app
from tests.desk.test_cli import earful, heard
from tests.town import Town


@pytest.fixture(autouse=True)
def _heard(town: Town) -> None:
    town.write(plaints=3, praise=2)
    heard(town)


def mentions(town: Town) -> int:
    with town.store() as store:
        return store.counts().mentions


def test_without_a_time_in_the_settings_everything_is_kept(town: Town) -> None:
    told = earful("forget", "-s", town.settings)
    assert told.exit_code == 0, told.output
    assert "Everything is kept for ever: set `mentions` or `raws` under [keep]" in told.output
    assert mentions(town) == 5


def test_it_says_how_much_was_forgotten(town: Town) -> None:
    text = town.settings.read_text("utf-8").replace('"3650d"', '"1m"')
    town.settings.write_text(f'{text}[keep]\nmentions = "1m"\n', "utf-8")
    told = earful("forget", "-s", town.settings)
    assert told.exit_code == 0, told.output
    assert "Forgotten: 2 mentions, 0 raw items, 0 unreadable items." in told.output
    assert json.loads(earful("forget", "-s", town.settings, "--json").output)["mentions"] == 0
    assert mentions(town) == 3  # each in a case that awaits a reply


def test_an_import_says_that_it_passes_over_what_is_too_old(town: Town) -> None:
    text = town.settings.read_text("utf-8").replace('"3650d"', '"7d"')
    town.settings.write_text(f'{text}[keep]\nmentions = "30d"\n', "utf-8")
    old = town.folder / "old.csv"
    old.write_text("id,text,said_at\n1,Nice shoes.,2020-01-02 12:00\n", "utf-8")
    told = earful("import", old, "-s", town.settings)
    assert told.exit_code == 0, told.output
    assert "0 rows read" in told.output
    assert "was passed over: [keep] keeps no more" in told.output


def test_what_one_person_said_is_deleted_once_that_is_confirmed(town: Town) -> None:
    words = ["forget", "--author", "writer-0", "-s", str(town.settings)]
    refused = CliRunner().invoke(app, words, input="n\n")
    assert refused.exit_code == 1
    assert "Delete 1 mention and 0 unreadable items for ever?" in refused.output
    assert "Nothing was deleted." in refused.output
    assert mentions(town) == 5
    told = CliRunner().invoke(app, words, input="y\n")
    assert told.exit_code == 0, told.output
    assert "Forgotten: 1 mention" in told.output
    assert "if it is shown there again, it is heard again" in told.output
    assert mentions(town) == 4


def test_no_name_is_no_order(town: Town) -> None:
    told = earful("forget", "--author", "", "--yes", "-s", town.settings)
    assert told.exit_code == 2
    assert "this is no name" in told.output
    assert mentions(town) == 5


def test_a_source_without_an_author_is_no_order(town: Town) -> None:
    told = earful("forget", "--source", "forum", "-s", town.settings)
    assert told.exit_code == 2
    assert "go with --author" in told.output
    assert mentions(town) == 5
