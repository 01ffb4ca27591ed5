"""The audit finds every kind of damage: a check that cannot fail would prove nothing."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Executable, Table, delete, insert, select, update

from storage.tables import ALERT, CASE_MENTION, CASES, MENTION
from tests.faults import runs
from tests.faults.audit import audit
from tests.faults.databases import Databases, open_trial
from tests.faults.ground import UNKEYED, Ground, Heard
from tests.faults.runs import Ended, Nursery
from tests.faults.trial import Trial


@pytest.fixture(scope="module")
def whole(databases: Databases, front: Path) -> Iterator[Ground]:
    """A ground after a quiet run, when all is well."""
    with open_trial("sqlite", databases, front) as trial:
        trial.ground.say(2)
        trial.ground.say(1, plaints=False)
        trial.begin()
        assert trial.tally.damage == []
        yield trial.ground


@pytest.fixture
def ground(whole: Ground) -> Iterator[Ground]:
    """The same, as it was, for whoever breaks something."""
    files = [whole.folder / name for name in ("earful.db", "alerts.jsonl")]
    before = [file.read_bytes() for file in files]
    memory = {
        name: deepcopy(getattr(whole, name))
        for name in ("said", "due", "shown", "heard", "excused", "known_again", "_may")
    }
    yield whole
    for file, content in zip(files, before, strict=True):
        file.write_bytes(content)
    for name, value in memory.items():
        setattr(whole, name, value)


def tell(ground: Ground, *statements: Executable) -> None:
    with ground.store() as store, store._write() as connection:  # noqa: SLF001 - damages what the store keeps
        for statement in statements:
            connection.execute(statement)


def row(ground: Ground, table: Table, **other: object) -> dict[str, Any]:
    with ground.store() as store, store._read() as connection:  # noqa: SLF001 - looks behind the store
        return {**connection.execute(select(table)).mappings().first(), **other}


def lines(ground: Ground, change: Callable[[list[str]], list[str]]) -> None:
    path = ground.folder / "alerts.jsonl"
    path.write_text("".join(change(path.read_text("utf-8").splitlines(keepends=True))), "utf-8")


def heard_twice(ground: Ground) -> None:
    ground.heard.append(next(one for one in ground.heard if one.sink == UNKEYED))


def never_heard(ground: Ground) -> None:
    ground.say(1)
    number = len(ground.said)
    ground.delete(number)
    tell(ground, insert(CASES).values(row(ground, CASES, key="C-new", first_mention=f"rest:shop:{number}")))


FIRST = MENTION.c.text.startswith("Hike 1 ")
QUOTED = ALERT.c.text.startswith("Hike 1 ")
DAMAGE: dict[str, tuple[Callable[[Ground], object], dict[str, int]]] = {
    "a mention is gone": (
        lambda ground: tell(ground, delete(MENTION).where(FIRST)),
        {"mentions_lost": 1, "cases_lost": 1, "cases_invented": 1},
    ),
    "a mention is there under two keys": (
        lambda ground: tell(ground, insert(MENTION).values(row(ground, MENTION, key="rest:again"))),
        {"mentions_doubled": 1},
    ),
    "an edit was not heard": (lambda ground: ground.edit(1), {"mentions_stale": 1}),
    "a deletion was not heard": (lambda ground: ground.delete(1), {"mentions_invented": 1}),
    "a mention was never judged": (
        lambda ground: tell(ground, update(MENTION).where(FIRST).values(judged=False)),
        {"mentions_unjudged": 1},
    ),
    "a complaint has no case": (
        lambda ground: tell(
            ground, delete(CASE_MENTION).where(CASE_MENTION.c.mention_key.in_(select(MENTION.c.key).where(FIRST)))
        ),
        {"cases_lost": 1, "cases_invented": 1},
    ),
    "a second case of the same": (
        lambda ground: tell(ground, insert(CASES).values(row(ground, CASES, key="C-again"))),
        {"cases_doubled": 1, "cases_invented": 1},
    ),
    "a case of what was taken back before anybody heard it": (
        never_heard,
        {"cases_invented": 1},
    ),
    "an alert never came": (lambda ground: lines(ground, lambda all_: all_[1:]), {"alerts_lost": 1}),
    "an alert stands in the file twice": (
        lambda ground: lines(ground, lambda all_: [*all_, all_[0]]),
        {"alerts_repeated_keyed": 1},
    ),
    "a thing is told of under two keys": (
        lambda ground: lines(ground, lambda all_: [*all_, json.dumps(json.loads(all_[0]) | {"key": "other"}) + "\n"]),
        {"alerts_repeated_keyed": 1},
    ),
    "an alert came to the chat twice": (heard_twice, {"alerts_repeated_unkeyed": 1}),
    "an alert is not marked as sent": (
        lambda ground: tell(ground, update(ALERT).where(QUOTED, ALERT.c.sink == "log").values(sent_at=None)),
        {"alerts_waiting": 1},
    ),
    "praise is told of": (
        lambda ground: ground.heard.append(Heard(UNKEYED, "new", 3)),
        {"alerts_invented": 1},
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_the_audit_finds_that(ground: Ground, what: str) -> None:
    harm, found = DAMAGE[what]
    with ground.store() as store:
        assert audit(ground, store).damage == {}
    harm(ground)
    with ground.store() as store:
        assert audit(ground, store).damage == found


@pytest.mark.parametrize(
    ("sink", "repeated"), [("desk", "alerts_repeated_keyed"), (UNKEYED, "alerts_repeated_unkeyed")]
)
def test_a_repeat_is_excused_once_where_a_run_died_before_it_marked_the_alert(
    ground: Ground, sink: str, repeated: str
) -> None:
    one = next(one for one in ground.heard if one.sink == sink)
    ours = update(ALERT).where(ALERT.c.key == one.key, ALERT.c.sink == sink)
    tell(ground, ours.values(sent_at=None))
    ground.ended(spoilt=True)
    tell(ground, ours.values(sent_at=ground.now))
    ground._take(one)  # noqa: SLF001 - as if it was sent
    with ground.store() as store:
        found = audit(ground, store)
    assert (found.damage, found.known_again + found.excused) == ({}, 1)
    ground._take(one)  # noqa: SLF001
    with ground.store() as store:
        assert audit(ground, store).damage == {repeated: 1}


@pytest.mark.parametrize("quiet", [True, False], ids=["after the next run", "marked before the death"])
def test_a_repeat_is_not_excused(ground: Ground, *, quiet: bool) -> None:
    one = next(one for one in ground.heard if one.sink == UNKEYED)
    ours = update(ALERT).where(ALERT.c.key == one.key, ALERT.c.sink == UNKEYED)
    if quiet:
        tell(ground, ours.values(sent_at=None))
    ground.ended(spoilt=True)
    if quiet:
        tell(ground, ours.values(sent_at=ground.now))
        ground.ended()
    ground._take(one)  # noqa: SLF001 - as if it was sent
    with ground.store() as store:
        assert audit(ground, store).damage == {"alerts_repeated_unkeyed": 1}


def test_a_first_quiet_run_that_fails_is_damage_though_the_second_is_well(ground: Ground) -> None:
    class Two:
        """A nursery whose first run fails."""

        def __init__(self) -> None:
            self.left = [Ended(1, status=1, troubles=[("send desk", "KeyError", "no")]), Ended(2)]

        def run(self, *_: object) -> list[Ended]:
            return [self.left.pop(0)]

    wrong = Trial(ground, cast("Nursery", Two())).quiet(moved=True)
    assert wrong == ["send desk: KeyError: no", "it ended with 1"]


def test_a_run_that_hangs_is_killed_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LIMIT", 0.1)
    ours, theirs = socket.socketpair()
    with subprocess.Popen(["sleep", "60"]) as sleeper, ours, theirs:
        theirs.sendall(json.dumps({"pid": sleeper.pid, "born": [sleeper.pid]}).encode() + b"\n")
        with pytest.raises(TimeoutError):
            Nursery(ours).run([{}])
        assert sleeper.wait() == -signal.SIGKILL
