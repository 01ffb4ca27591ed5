"""Small bad connectors, one for each thing the kit must find out: each loses points for the reason named."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import httpx
import pytest
from pydantic import model_validator

from connectors.conform.bench import WorldOpening
from connectors.conform.grade import Failing, Severity
from connectors.conform.killed import spread
from connectors.conform.recorded import recorded_bench
from connectors.conform.scene import Scene
from connectors.conform.sound import NO_EXPECTATION, SOUND, sound
from connectors.conform.trial import tried
from connectors.conform.world import Said
from connectors.contract import Item, Page, Source
from pipeline.errors import RefusedError, TemporaryError
from pipeline.mention import Mention, MentionKind
from tests.connectors.conform.toy import Toy, ToyWorld
from tests.connectors.conform.trials import NOTES, WELL, failing, opened, recorded, recordings


class RatedWorld(ToyWorld):
    """Notes of which the place tells who wrote them, where they stand and how many stars they give."""

    def truth(self, said: Said) -> dict[str, Any]:
        del said
        rating = {"rating": 4, "rating_min": 1, "rating_max": 5}
        return {
            "author": "ann",
            "kind": "review",
            "language": "en",
            "parent": "7",
            "url": "https://toy.example/n",
            **rating,
        }


class Rated(Toy, frozen=True):
    """Reads them as they are."""

    other: ClassVar[dict[str, Any]] = {}

    def parse(self, item: Item) -> Mention:
        truth: dict[str, Any] = {"author": "ann", "kind": MentionKind.REVIEW, "language": "en", "parent": "toy:7"}
        truth |= {"url": "https://toy.example/n", "rating": 4, "rating_min": 1, "rating_max": 5}
        return super().parse(item).model_copy(update={**truth, **self.other})


def test_living_mentions_that_a_walk_calls_gone_are_lost() -> None:
    class Undertaker(Toy, frozen=True):
        def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
            for page in super().pages(http, since):
                yield Page(page.items, page.cursor, [f"toy:{item['id']}" for item in page.items[:1]], page.reach)

    found = failing(Undertaker, WELL)
    assert found.severity is Severity.LOST
    assert "that are living are called gone" in found.happened


def test_a_deletion_that_nobody_notices_is_not_followed() -> None:
    class Blind(Toy, frozen=True):
        def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
            del http, keys
            return set()

    assert "do not tell that it was taken back" in failing(Blind, "one that is taken back").happened


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("said_at", datetime(2020, 1, 1, tzinfo=UTC)),
        ("author", None),
        ("rating", 5),
        ("rating_max", 10),
        ("kind", MentionKind.POST),
        ("language", "de"),
        ("parent", None),
        ("url", "https://toy.example/elsewhere"),
    ],
)
def test_every_field_the_place_tells_of_is_compared(field: str, value: object) -> None:
    class Flawed(Rated, frozen=True):
        other: ClassVar[dict[str, Any]] = {field: value}

    found = failing(Flawed, WELL, RatedWorld())
    assert found.severity is Severity.DISTORTED
    assert f"read otherwise: {field} of " in found.happened


def test_a_source_that_reads_every_field_right_loses_nothing() -> None:
    with opened(Rated, RatedWorld()) as bench:
        assert tried("toy", bench, {"one that is edited", SOUND}).failings == []


@pytest.mark.parametrize("hours", [6, -6])
def test_a_clock_is_truly_ahead_of_ours_or_behind_it(hours: int) -> None:
    place = WorldOpening(ToyWorld(), timedelta(hours=hours)).fresh()
    assert isinstance(place, Scene)
    assert abs(place.now - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(minutes=1)


def test_who_hears_nothing_of_a_place_whose_clock_is_ahead_loses_it() -> None:
    class Punctual(Toy, frozen=True):
        def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
            now = datetime.now(UTC).isoformat()
            for page in super().pages(http, since):
                yield Page([item for item in page.items if item["at"] <= now], page.cursor, reach=page.reach)

    found = failing(Punctual, "a clock six hours ahead")
    assert found.severity is Severity.LOST
    assert "never heard" in found.happened


def test_a_strange_item_may_not_vanish() -> None:
    class Tidy(Toy, frozen=True):
        def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
            for page in super().pages(http, since):
                yield Page([item for item in page.items if item.get("at")], page.cursor, reach=page.reach)

    found = failing(Tidy, "a field missing in some items")
    assert "strange items vanished, such as one with an odd 'at'" in found.happened


def test_strange_items_without_an_id_may_not_become_one() -> None:
    class Careless(Toy, frozen=True):
        def parse(self, item: Item) -> Mention:
            return super().parse({**item, "id": item["id"] or "none"})

    assert "are mentions of one key, toy:none" in failing(Careless, "a field null in some items").happened


def test_one_refused_setting_costs_its_own_points_and_the_rest_is_graded() -> None:
    class Choosy(Toy, frozen=True):
        @model_validator(mode="after")
        def _near(self) -> Self:
            if "invalid" in self.api:
                raise ValueError("not that one")
            return self

    with opened(Choosy) as bench:
        found = tried("toy", bench, {"a name that is not found", "a port where nobody listens"})
    assert "a port where nobody listens" in found.passed
    (one,) = found.failings
    assert "its settings refuse https://earful-conform.invalid" in one.happened


def test_without_expectations_fewer_points_can_be_earned(tmp_path: Path) -> None:
    with recorded_bench(Toy, recordings(tmp_path, NOTES)) as bench:
        found = tried("toy", bench, {NO_EXPECTATION, SOUND})
    assert found.points == 90
    assert found.failings[0].happened.startswith("no expectation recorded")
    assert SOUND in found.passed


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"text": " "}, "it says nothing"),
        ({"said_at": datetime(1970, 1, 1, tzinfo=UTC)}, "it was said at 1970"),
        ({"said_at": datetime(2199, 1, 1, tzinfo=UTC)}, "it was said at 2199"),
        ({"rating": 7.0}, "off its scale"),
        ({"key": "toy:None"}, "one key for several things"),
        ({"url": "n/1"}, "its url is 'n/1'"),
    ],
)
def test_what_needs_no_expectation_is_looked_at(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    class Odd(Toy, frozen=True):
        def parse(self, item: Item) -> Mention:
            return super().parse(item).model_copy(update=change)

    assert any(why in each for each in recorded(Odd, recordings(tmp_path, NOTES), SOUND))


class Counting(Toy, frozen=True):
    """Tells another time at every walk."""

    count: ClassVar[list[int]] = []

    def parse(self, item: Item) -> Mention:
        self.count.append(1)
        at = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(seconds=len(self.count))
        return super().parse(item).model_copy(update={"said_at": at})


class Numbering(Toy, frozen=True):
    """Counts its keys up."""

    count: ClassVar[list[int]] = []

    def parse(self, item: Item) -> Mention:
        self.count.append(1)
        return super().parse(item).model_copy(update={"key": f"toy:{len(self.count)}"})


@pytest.mark.parametrize(
    ("kind", "severity", "why"),
    [
        (Counting, Severity.DISTORTED, "and at another walk"),
        (Numbering, Severity.REPEATED, "keys of one walk are not those of the next"),
    ],
)
def test_ids_and_times_that_are_others_at_the_next_walk_are_found(
    tmp_path: Path, kind: type[Source], severity: Severity, why: str
) -> None:
    with recorded_bench(kind, recordings(tmp_path, NOTES)) as bench:
        failings = sound(SOUND)(bench)
    assert [each.severity for each in failings if isinstance(each, Failing)] == [severity]
    assert why in str(failings)


def test_an_expectation_is_compared_field_by_field_and_only_as_far_as_it_goes(tmp_path: Path) -> None:
    expected = [
        {"key": f"toy:{note['id']}", "source": "toy", "kind": "post", "text": note["text"], "said_at": note["at"]}
        for note in NOTES
    ]
    assert recorded(Toy, recordings(tmp_path, NOTES, expected), NO_EXPECTATION) == []
    expected[1]["author"] = "ann"
    assert any("author of toy:2" in each for each in recorded(Toy, recordings(tmp_path, NOTES, expected), WELL))


RESETS = (
    "429 until an epoch second",
    "429 for seconds from now",
    "429 until an ISO time",
    "429 until an epoch second, by another name",
    "429 for milliseconds",
)


@pytest.mark.parametrize("fault", RESETS)
def test_a_reset_header_may_not_be_ignored(fault: str) -> None:
    class Deaf(Toy, frozen=True):
        def _notes(self, http: httpx.Client, start: datetime | None, number: int) -> list[Any]:
            try:
                return super()._notes(http, start, number)
            except TemporaryError as error:
                raise TemporaryError(str(error)) from None

    assert "understood a wait of None" in failing(Deaf, fault).happened


def test_nobody_asks_again_before_the_stated_moment() -> None:
    class Impatient(Toy, frozen=True):
        def _notes(self, http: httpx.Client, start: datetime | None, number: int) -> list[Any]:
            with suppress(TemporaryError):
                return super()._notes(http, start, number)
            return super()._notes(http, start, number)

    found = failing(Impatient, RESETS[0])
    assert "asked 1 times more before the 90 s were over" in found.happened


class HastyWorld(ToyWorld):
    """Its source moves its place with every page, newest first."""

    def settings(self, address: str) -> dict[str, Any]:
        return {**super().settings(address), "flaw": "moves early"}


def test_a_process_is_killed_at_every_request_up_to_a_number_that_the_grade_tells() -> None:
    assert spread(7, 25) == [1, 2, 3, 4, 5, 6, 7]
    chosen = spread(200, 12)
    assert (len(chosen), chosen[0], chosen[-1]) == (12, 1, 200)

    found = failing(Toy, "killed at any request", HastyWorld())
    assert found.severity is Severity.LOST
    assert "killed at request 2 of the first walk" in found.happened


class Impossible(Toy, frozen=True):
    """Ends at the first page that holds something known, as if pages were always in order and never grew."""

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        known, number, newest = set[Any](), 0, since
        while True:
            notes = self._notes(http, None, number)
            fresh = [note for note in notes if note["id"] not in known and (not since or note["at"] > since)]
            known |= {note["id"] for note in notes}
            newest = max([*(note["at"] for note in notes), newest or ""])
            yield Page(fresh)
            if len(fresh) != 10:
                break
            number += 1
        yield Page(
            [], cursor=newest, reach=datetime.fromisoformat(since) if since else datetime(1990, 1, 1, tzinfo=UTC)
        )


class Cutting(Impossible, frozen=True):
    """Hears as many of a page as it asked for."""

    def _notes(self, http: httpx.Client, start: datetime | None, number: int) -> list[Any]:
        notes = super()._notes(http, start, number)
        return notes if len(notes) <= 10 else notes[:9]


class Remembering(Toy, frozen=True):
    """Never hears an id twice."""

    seen: ClassVar[dict[str, set[Any]]] = {}

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        known = set(json.loads(since)["known"]) if since else set()
        start = json.loads(since)["at"] if since else None
        for page in super().pages(http, start):
            fresh = [item for item in page.items if item["id"] not in known]
            known |= {item["id"] for item in page.items}
            cursor = json.dumps({"at": page.cursor, "known": sorted(known)}) if page.cursor else None
            yield Page(fresh, cursor, reach=page.reach)


class Ending(Toy, frozen=True):
    """Takes "gone" for the end of the list."""

    def _notes(self, http: httpx.Client, start: datetime | None, number: int) -> list[Any]:
        try:
            return super()._notes(http, start, number)
        except RefusedError:
            return []


class Between(Toy, frozen=True):
    """Hears nothing twice in one second."""

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        times = set[str]()
        for page in super().pages(http, since):
            fresh = [item for item in page.items if item["at"] not in times]
            times |= {item["at"] for item in page.items}
            yield Page(fresh, page.cursor, reach=page.reach)


@pytest.mark.parametrize(
    ("kind", "fault", "severity"),
    [
        (Cutting, "a page larger than asked for", Severity.LOST),
        (Impossible, "one that appears late", Severity.LOST),
        (Impossible, "every item twice on its page", Severity.LOST),
        (Remembering, "an id that is used again", Severity.LOST),
        (Ending, "410, gone for good", Severity.UNNAMED),
        (Ending, "409, a conflict", Severity.UNNAMED),
        (Between, "many in one second, over several pages", Severity.LOST),
    ],
)
def test_what_pages_and_ids_do_costs_who_does_not_expect_it(kind: type[Source], fault: str, severity: Severity) -> None:
    assert failing(kind, fault).severity is severity
