import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner, Result

from desk.cli import app
from desk.judge_again import BATCH
from flows import judge
from pipeline.classifier import Reading
from pipeline.mention import Mention
from tests.town import PLAINT, Town


def earful(town: Town, *words: object) -> Result:
    return CliRunner().invoke(app, ["judge-again", *(str(word) for word in words), "-s", str(town.settings)])


def remember(town: Town, days: int) -> None:
    """A complaint a day, each judged to be noise by an older version."""
    setup = town.setup()
    said = [
        Mention(
            key=f"forum:{day}",
            source="forum",
            kind="post",
            text=PLAINT.format(number=day),
            author=f"ann-{day}",
            said_at=datetime(2026, 9, day, 12, tzinfo=UTC),
        )
        for day in range(1, days + 1)
    ]
    older = setup.analyst().analyse([Reading.of(mention) for mention in said])
    with setup.store() as store:
        store.migrate()
        store.save("forum", said, [{}] * days, [], None, heard_at=setup.now())
        before = [one.model_copy(update={"version": "0", "lane": "noise"}) for one in older]
        store.save_analyses(before)
        store.mark_handled(before)


@pytest.mark.usefixtures("prefect_api")
def test_it_says_how_many_were_judged_and_what_came_of_it(town: Town) -> None:
    remember(town, 4)
    told = earful(town, "--since", "2026-09-02", "--until", "2026-09-03", "--json")
    assert json.loads(told.stdout) == {
        "since": "2026-09-02",
        "until": "2026-09-03",
        "judged": 2,
        "case_steps": 2,
        "failed": None,
    }
    assert told.exit_code == 0
    told = earful(town, "--since", "2026-01-01")
    assert "2 mentions judged again, 2 steps taken on cases" in told.stdout
    assert "0 mentions judged again, 0 steps taken on cases" in earful(town, "--since", "2026-01-01").stdout


@pytest.mark.usefixtures("prefect_api")
def test_what_cannot_be_done_is_said_in_words(town: Town) -> None:
    remember(town, 1)
    told = earful(town, "--since", "2026-09-02", "--until", "2026-09-01")
    assert (told.exit_code, told.stderr.strip()) == (2, "--since 2026-09-02 is after --until 2026-09-01")
    told = earful(town, "--since", "2026-09-01", "--cluster", "somewhere")
    assert told.exit_code == 2
    assert "no Dask scheduler answers at somewhere" in " ".join(told.stderr.split())


def test_the_command_knows_how_many_are_judged_at_once() -> None:
    assert BATCH == judge.BATCH
