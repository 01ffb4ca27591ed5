import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from flows import collect, judge
from flows.forget import Forgotten, forget, forget_author, forget_old, traces
from flows.setup import Setup
from pipeline.case import CaseState
from pipeline.errors import SettingsError
from pipeline.mention import Mention
from pipeline.visit import Visit
from tests.storage.released import everything
from tests.town import Town

SAID = datetime(2026, 11, 2, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
PLAINTS, PRAISE = 6, 10


def set_clock(monkeypatch: pytest.MonkeyPatch, later: timedelta) -> None:
    monkeypatch.setattr(Setup, "now", lambda _: SAID + later)


@pytest.fixture
def at(town: Town, monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Sets the clock to so long after everything was said; until two days before there was a visit now and then."""

    def pass_by(later: timedelta) -> None:
        set_clock(monkeypatch, later)
        before = SAID + later - timedelta(days=2)
        with town.store() as store:
            store.note_visit(Visit(source="forum", started_at=before, ended_at=before))

    set_clock(monkeypatch, timedelta(hours=1))
    return pass_by


def keep(town: Town, words: str) -> Setup:
    """The settings, with these under [keep]; a case is opened within a week."""
    text = town.settings.read_text("utf-8").partition("[keep]")[0].replace('"3650d"', '"7d"')
    town.settings.write_text(f"{text}[keep]\n{words}\n", "utf-8")
    return town.setup()


def hear(town: Town) -> int:
    """A run without alerts; how many mentions were new."""
    setup = town.setup()
    with setup.store() as store:
        store.migrate()
    new = sum(collect.bring_home(setup, source).new for source in setup.sources)
    judge.analyse.fn(setup)
    judge.open_cases.fn(setup)
    return new


@pytest.fixture
def heard(town: Town, database: str, at: Callable[[timedelta], None]) -> Town:
    """Six complaints and ten kind words, each by another person, heard and told of an hour later."""
    del at
    town.use(database)
    town.write(plaints=PLAINTS, praise=PRAISE)
    keep(town, "")
    assert hear(town) == PLAINTS + PRAISE
    return town


def stored(town: Town) -> str:
    return str(everything(town.setup().database.get_secret_value()))


def test_what_is_older_than_the_settings_say_is_deleted_but_for_what_awaits_a_reply(
    heard: Town, at: Callable[[timedelta], None]
) -> None:
    setup = keep(heard, 'mentions = "30d"')
    at(timedelta(days=29))
    assert forget_old(setup) == Forgotten()
    at(timedelta(days=31))
    assert forget_old(setup) == Forgotten(mentions=PRAISE)
    assert "best run in years" not in stored(heard)
    with heard.store() as store:
        counts = store.counts()
        assert (counts.mentions, counts.cases, counts.waiting) == (PLAINTS, PLAINTS, PLAINTS)
        case, said = next((one.case, one.said[0][0]) for one in store.cases(1))
        assert store.close(case.key, "by phone", setup.now())
    assert said.text in stored(heard)
    assert forget_old(setup) == Forgotten(mentions=1)
    assert said.text not in stored(heard)
    with heard.store() as store:
        left = store.case(case.key)
        assert left is not None
        assert (left.state, left.closed_because, left.author) == (CaseState.CLOSED, "by phone", None)
        told = store.alerts_of(case.key)
        assert told
        assert {(one.alert.text, one.alert.who) for one in told} == {("(no longer kept)", None)}


def test_what_is_forgotten_is_not_heard_again_while_its_place_still_shows_it(
    heard: Town, at: Callable[[timedelta], None]
) -> None:
    setup = keep(heard, 'mentions = "30d"')
    at(timedelta(days=31))
    with heard.store() as store:
        for one in store.cases(9):
            store.close(one.case.key, "done", setup.now())
    assert forget_old(setup) == Forgotten(mentions=PLAINTS + PRAISE)
    assert hear(heard) == 0
    keep(heard, "")
    with heard.store() as store:
        before = store.counts()
    heard.entries.append("One thing more.")  # the feed is another, so it is read whole again
    assert hear(heard) > 1
    with heard.store() as store:
        after = store.counts()
    assert (after.cases, after.waiting, after.alerts) == (before.cases, 0, before.alerts)


def test_nothing_is_deleted_unless_the_settings_say_so(heard: Town, at: Callable[[timedelta], None]) -> None:
    at(timedelta(days=36500))
    before = stored(heard)
    forget.fn(heard.settings)
    assert stored(heard) == before


def test_raw_items_may_go_before_their_mentions(heard: Town, at: Callable[[timedelta], None]) -> None:
    strange = SimpleNamespace(item="{}", place="line 1", reason="no text")
    with heard.store() as store:
        store.save("forum", [], [], [strange], None, heard_at=SAID)
    setup = keep(heard, 'raws = "10d"')
    at(timedelta(days=9))
    assert forget_old(setup) == Forgotten()
    at(timedelta(days=11))
    assert forget_old(setup) == Forgotten(raws=PLAINTS + PRAISE, rejected=1)
    with heard.store() as store:
        assert store.counts().mentions == PLAINTS + PRAISE
        assert store.counts().rejected == 0
        assert store.raw(store.cases(1)[0].said[0][0].key) is None
    assert forget_old(setup) == Forgotten()


def test_mentions_cannot_be_forgotten_while_they_would_still_open_a_case(town: Town) -> None:
    with pytest.raises(
        SettingsError, match=r"keep\.mentions: mentions must be kept for at least as long .*open_within"
    ):
        keep(town, 'mentions = "6d"')
    assert keep(town, 'mentions = "7d"').keep.mentions == timedelta(days=7)


def test_all_that_one_person_said_is_deleted_whatever_awaits_a_reply(heard: Town) -> None:
    setup = heard.setup()
    with heard.store() as store:
        files = store.cases(99)
        case, said = next((one.case, one.said[0][0]) for one in files if one.said[0][0].source == "forum")
        author = said.author or ""
        strange = [SimpleNamespace(item=f'{{"by": "{who}"}}', place=who, reason="no text") for who in (author, "bob")]
        store.save("forum", [], [], strange, None, heard_at=SAID)
        assert author in stored(heard)
        assert forget_author(setup, store, traces(store, author, "survey")) == Forgotten()
        assert forget_author(setup, store, traces(store, author)) == Forgotten(mentions=1, rejected=1)
        left = store.case(case.key)
        assert left is not None
        assert (left.state, left.closed_because) == (CaseState.CLOSED, "erased on request")
        assert store.counts().mentions == PLAINTS + PRAISE - 1
        assert [one.place for one in store.rejected()] == ["bob"]
    assert author not in stored(heard)
    assert said.text not in stored(heard)


def test_of_a_case_with_others_in_it_the_name_goes_too(heard: Town) -> None:
    with heard.store() as store:
        first, other = (one for one in store.cases(2))
        writer = first.case.author or ""
        judged = other.said[0][1]
        assert judged is not None
        joined = judged.model_copy(update={"version": "later"})
        store.save_analyses([joined])
        assert store.write(first.case.model_copy(update={"author": writer}), joined, [])
        forget_author(heard.setup(), store, traces(store, writer))
        left = store.case(first.case.key)
        assert left is not None
        assert left.author is None
    assert writer not in stored(heard)


def test_a_clock_that_is_ahead_neither_deletes_nor_passes_over(
    heard: Town, at: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = keep(heard, 'mentions = "30d"')
    set_clock(monkeypatch, timedelta(days=400))
    heard.entries.append("One thing more.")
    assert hear(heard) == 1
    assert forget_old(setup) == Forgotten(doubted=True)
    at(timedelta(days=402))  # it stands for two days, so it is right
    assert forget_old(setup) == Forgotten(mentions=PRAISE + 1)


def test_what_awaits_a_reply_is_heard_again_when_its_author_edits_it(
    heard: Town, at: Callable[[timedelta], None]
) -> None:
    keep(heard, 'mentions = "30d"')
    at(timedelta(days=31))
    heard.entries[0] += " Now it came, broken."
    assert hear(heard) == 0
    assert "Now it came, broken." in stored(heard)


def people(town: Town, *said: tuple[str, str, str, str]) -> None:
    """Of each: source, key, author and id."""
    with town.store() as store:
        for source, key, author, number in said:
            words = {"source": source, "kind": "post", "text": "Hm.", "said_at": SAID}
            mention = Mention(key=key, author=author, author_id=number, **words)
            store.save(source, [mention], [{}], [], None, heard_at=SAID)


def strange(town: Town, source: str, *items: str) -> None:
    with town.store() as store:
        rows = [SimpleNamespace(item=item, place=item, reason="no text") for item in items]
        store.save(source, [], [], rows, None, heard_at=SAID)


def test_somebody_else_of_the_same_id_or_a_like_name_keeps_what_is_theirs(heard: Town) -> None:
    people(heard, ("forum", "x:1", "mia", "5"))
    strange(heard, "forum", '{"id": 5}', '{"id": 15, "by": "miami"}', "said mia: no", "said miami: no")
    strange(heard, "survey", '{"id": 5, "of": "survey"}', '{"by": {"name": "mia"}}')
    with heard.store() as store:
        theirs = next(one.case for one in store.cases(99) if one.said[0][0].source == "survey")
        with store._write() as connection:  # noqa: SLF001 - a stranger who has the same id there
            connection.execute(text("UPDATE cases SET author = '5' WHERE key = :key"), {"key": theirs.key})
        found = traces(store, "mia")
        assert forget_author(heard.setup(), store, found) == Forgotten(mentions=1, rejected=3)
        left = {one.item for one in store.rejected()}
        assert left == {'{"id": 15, "by": "miami"}', "said miami: no", '{"id": 5, "of": "survey"}'}
        assert (store.case(theirs.key) or theirs).author == "5"


@pytest.mark.parametrize("asked", ["Ann Example", "U-77"])
def test_asked_for_by_name_or_by_id_both_are_forgotten_however_often_it_is_cut_off(
    heard: Town, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(heard, ("forum", "x:1", "Ann Example", "U-77"))
    strange(heard, "forum", '{"by": "U-77"}', '{"by": "Ann Example"}')
    with heard.store() as store:
        for step in ("forget_author", "forget_mentions"):
            with monkeypatch.context() as patch:
                patch.setattr(store, step, lambda *_, **__: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    forget_author(heard.setup(), store, traces(store, asked))
        forget_author(heard.setup(), store, traces(store, asked))
    assert "U-77" not in stored(heard)
    assert "Ann Example" not in stored(heard)


def test_no_name_names_nobody(heard: Town) -> None:
    strange(heard, "forum", '{"by": ""}', "{}")
    with heard.store() as store:
        for blank in ("", "  "):
            with pytest.raises(SettingsError, match="this is no name"):
                traces(store, blank)


def test_what_nobody_could_read_is_forgotten_in_parts(
    heard: Town, at: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    strange(heard, "forum", *(f"{number}" for number in range(7)))
    setup = keep(heard, 'raws = "10d"')
    at(timedelta(days=11))
    monkeypatch.setattr("flows.forget.PART", 3)
    assert forget_old(setup) == Forgotten(raws=PLAINTS + PRAISE, rejected=7)


KILLED = """
import logging, os, signal, sys
from datetime import datetime
from pathlib import Path
from flows import forget
from flows.setup import Setup

deadline = int(sys.argv[2])

class Death(logging.Handler):
    count = 0
    def emit(self, record):
        if hasattr(record, "step"):
            Death.count += 1
            if Death.count == deadline:
                os.kill(os.getpid(), signal.SIGKILL)

logging.getLogger("flows").addHandler(Death())
logging.getLogger("flows").setLevel(logging.INFO)
Setup.now = lambda self: datetime.fromisoformat(sys.argv[3])
forget.PART = 3
forget.forget_old(Setup.read(Path(sys.argv[1])))
"""


def test_killed_after_any_part_the_next_run_forgets_the_rest(heard: Town, at: Callable[[timedelta], None]) -> None:
    keep(heard, 'mentions = "30d"\nraws = "10d"')
    at(timedelta(days=31))
    later = (SAID + timedelta(days=31)).isoformat()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    left = []
    for die_at in (1, 2, 0):
        words = [sys.executable, "-c", KILLED, str(heard.settings), str(die_at), later]
        ended = subprocess.run(words, env=env, check=False, timeout=120, stderr=subprocess.DEVNULL).returncode
        assert ended == (-signal.SIGKILL if die_at else 0)
        with heard.store() as store:
            left.append(store.counts().mentions)
    assert left == [PLAINTS + PRAISE - 3, PLAINTS + PRAISE - 9, PLAINTS]
    with heard.store() as store:
        assert store.raw(store.cases(1)[0].said[0][0].key) is None
