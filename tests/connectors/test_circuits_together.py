"""Circuits that many threads and runs share: of what they are told at once, the longest wait holds."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest

from connectors.circuits import FAILURES, FIRST_REST, Circuits
from pipeline.circuit import Circuit
from pipeline.errors import TemporaryError
from tests.connectors.test_circuits import HOST, NOON, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuits(clock: Clock) -> Circuits:
    return Circuits(clock.now)


def test_only_one_request_tries_a_host_whose_rest_is_over(clock: Clock, circuits: Circuits) -> None:
    for _ in range(FAILURES):
        circuits.failed(HOST, "500", None)
    clock.at += FIRST_REST
    together, tried, refused = Barrier(8), list[int](), list[int]()

    def worker(number: int) -> None:
        together.wait()
        try:
            circuits.ask(HOST, "GET", timedelta(0))
        except TemporaryError:
            refused.append(number)
        else:
            tried.append(number)

    workers = [Thread(target=worker, args=(number,)) for number in range(8)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert (len(tried), len(refused)) == (1, 7)


def test_failures_of_requests_that_were_under_way_do_not_prolong_the_rest(clock: Clock, circuits: Circuits) -> None:
    for _ in range(FAILURES + 7):
        circuits.failed(HOST, "500", None)
    clock.at += FIRST_REST
    assert circuits.ask(HOST, "GET", timedelta(0)) == timedelta(0)


def test_a_good_answer_of_a_slow_request_does_not_end_the_wait_a_host_asked_for(circuits: Circuits) -> None:
    circuits.failed(HOST, "429", timedelta(hours=1))
    circuits.heard(HOST)
    with pytest.raises(TemporaryError, match="left alone until 22 Nov 13:00:00 UTC"):
        circuits.ask(HOST, "GET", timedelta(0))


@pytest.mark.parametrize("later", [None, timedelta(seconds=1)])
def test_a_failure_does_not_shorten_the_wait_a_host_asked_for(
    clock: Clock, circuits: Circuits, later: timedelta | None
) -> None:
    circuits.failed(HOST, "429", timedelta(hours=1))
    for _ in range(FAILURES + 1):
        circuits.failed(HOST, "500", later)
        assert [circuit.open_until for circuit in circuits.changed()] in ([NOON + timedelta(hours=1)], [])
    clock.at += timedelta(minutes=59)
    with pytest.raises(TemporaryError, match="left alone until 22 Nov 13:00:00 UTC"):
        circuits.ask(HOST, "GET", timedelta(0))


def test_a_longer_wait_counts_though_the_host_is_left_alone_already(circuits: Circuits) -> None:
    for _ in range(FAILURES):
        circuits.failed(HOST, "500", None)
    circuits.failed(HOST, "429", timedelta(hours=2))
    (circuit,) = circuits.changed()
    assert (circuit.failures, circuit.open_until) == (FAILURES, NOON + timedelta(hours=2))


def test_of_many_threads_that_fail_at_once_the_longest_wait_holds(circuits: Circuits) -> None:
    together = Barrier(8)

    def worker(number: int) -> None:
        together.wait()
        circuits.heard(HOST)
        circuits.rest(HOST, timedelta(minutes=number))
        circuits.failed(HOST, "429", timedelta(minutes=10 * number))
        circuits.heard(HOST)

    workers = [Thread(target=worker, args=(number,)) for number in range(8)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    with pytest.raises(TemporaryError) as caught:
        circuits.ask(HOST, "GET", timedelta(0))
    assert caught.value.retry_after == timedelta(minutes=70)


def test_a_longer_rest_takes_the_place_of_a_shorter_one_and_never_the_other_way_round(circuits: Circuits) -> None:
    for wait in (5, 3600, 5):
        circuits.rest(HOST, timedelta(seconds=wait))
    with pytest.raises(TemporaryError) as caught:
        circuits.ask(HOST, "GET", timedelta(0))
    assert caught.value.retry_after == timedelta(hours=1)


def test_of_what_others_found_out_the_longer_rest_holds(circuits: Circuits) -> None:
    def found(failures: int, hours: int | None) -> Circuit:
        return Circuit(host=HOST, failures=failures, open_until=hours and NOON + timedelta(hours=hours), why="429")

    for circuit in (found(1, None), found(1, 1), found(2, None)):
        circuits.learn([circuit])
    with pytest.raises(TemporaryError, match=r"left alone until 22 Nov 13:00:00 UTC after 2 failures"):
        circuits.ask(HOST, "GET", timedelta(0))


def test_what_could_not_be_kept_is_told_again(circuits: Circuits) -> None:
    circuits.failed(HOST, "500", None)
    changed = circuits.changed()
    assert circuits.changed() == []
    circuits.unkept(changed)
    assert circuits.changed() == changed
