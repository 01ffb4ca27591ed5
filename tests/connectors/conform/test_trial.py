"""Trial: what a source lacks where nothing goes wrong keeps nothing else from being tried."""

from collections.abc import Iterator

import httpx

from connectors.conform.bench import world_bench
from connectors.conform.grade import Severity
from connectors.conform.step import WELL
from connectors.conform.trial import tried
from connectors.contract import Page
from tests.connectors.conform.toy import Toy, ToyWorld


class Mumbler(Toy, frozen=True):
    """Does not say how far back it has heard all."""

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        for page in super().pages(http, since):
            yield Page(page.items, page.cursor)


class Restless(Mumbler, frozen=True):
    """Neither, and its place moves at every call."""

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        at, _, calls = (since or "").partition("#")
        for page in super().pages(http, at or None):
            yield Page(page.items, page.cursor and f"{page.cursor}#{calls}.")


def test_a_source_that_tells_no_reach_loses_that_and_is_tried_at_each_request_all_the_same() -> None:
    asked = []
    for kind in (Toy, Mumbler):
        with world_bench(kind, ToyWorld()) as bench:
            grade = tried("toy", bench, set())
            asked.append(bench.requests)
    assert asked[0] == asked[1] > (1, 1)
    (failing,) = grade.failings
    assert (failing.fault, failing.severity, grade.untried) == (WELL, Severity.TOLD, None)
    assert "did not say how far back it reached" in failing.happened


def test_a_place_that_moves_counts_more_than_a_reach_that_is_not_told() -> None:
    with world_bench(Restless, ToyWorld()) as bench:
        grade = tried("toy", bench, set())
    (failing,) = grade.failings
    assert (failing.fault, failing.severity) == (WELL, Severity.MOVED)
