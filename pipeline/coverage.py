"""Coverage: which stretches of time are surely heard whole, and which are not and why."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import TypeVar

UNASKED = "no call at the source reached back there"
"""Why a time is unheard of which no walk told anything."""
MOST = 500
"""Stretches remembered of one source; of a time before them nothing is claimed."""
_EVER, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time of which something may not have been heard, and why, in words for a person.

    From `start` (included; null where nobody knows how far back) to `end` (excluded). Times are aware.
    """

    start: datetime | None
    end: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time of which everything is heard, from `start` (included) to `end` (excluded), as a walk told at `told_at`."""

    start: datetime
    end: datetime
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Unheard:
    """A gap as it is remembered: when a walk told it first, and when last.

    One that is `broken` no source told: a walk broke off there, and the next may have begun where it was read up to.
    """

    start: datetime | None
    end: datetime
    why: str
    first_at: datetime
    told_at: datetime
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk that began at `began` told at the time `at`: how far back it read, but for which gaps.

    One without a `reach` claims nothing. If it went on where another had broken off after its place had moved, it
    `resumed` the one that began then: what lies between was read by that one. One that goes `back` to a day asks
    beside the others, and what it leaves out they may have heard.
    """

    began: datetime
    at: datetime
    reach: datetime | None = None
    gaps: Sequence[Gap] = ()
    resumed: datetime | None = None
    back: bool = False


Piece = TypeVar("Piece", Stretch, Unheard)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of one source: what is heard whole, and what may not be. In order of time; no two overlap."""

    complete: tuple[Stretch, ...] = ()
    unheard: tuple[Unheard, ...] = ()

    @property
    def since(self) -> datetime | None:
        """Since when everything is heard, up to the last walk; None where it left something out, or none ever told."""
        behind = any(gap.end > one.end for one in self.complete[-1:] for gap in self.unheard)
        return self.complete[-1].start if self.complete and not behind else None

    @property
    def until(self) -> datetime | None:
        """Up to when anything is heard whole; None where no walk ever told."""
        return self.complete[-1].end if self.complete else None

    def lasting(self, one: Unheard) -> bool:
        """Whether a later walk went well and left this gap: then nothing will close it by itself."""
        return bool(self.complete) and self.complete[-1].end > one.told_at

    def after(self, walk: Walk) -> "Coverage":
        """What is known once this walk has told what it read.

        It closes the gaps that it read again. Where it tells of a gap itself, that time is heard whole no more,
        whoever claimed it before: what is said late or edited there was not read. Nothing is heard of what is still
        to come: who claims that had a clock that was ahead.
        """
        late = (walk.at, _NEVER)
        if self.until is not None and self.until > walk.at:
            return replace(self, complete=tuple(_minus(self.complete, [late]))).after(walk)
        past = [replace(gap, end=min(gap.end, walk.at)) for gap in walk.gaps]
        gaps = [gap for gap in map(self._placed, past) if gap is not None]
        read: list[Stretch] = []
        if walk.reach is not None:
            whole = [Stretch(walk.reach, min(walk.began, walk.at), walk.at), *self._resumed(walk, walk.reach)]
            read = list(_minus(whole, [_ends(gap) for gap in walk.gaps]))
        told: list[Unheard] = []
        for gap in gaps:
            new = Unheard(gap.start, gap.end, gap.why, self._first(gap, walk.at), walk.at)
            told += _minus([new], [_ends(one) for one in told])
        holes = [] if walk.back else [_ends(gap) for gap in gaps]
        if walk.back:
            told = list(_minus(told, [*map(_ends, self.complete), *map(_ends, self.unheard)]))
        complete = _joined([*_minus(self.complete, holes), *read])
        ended = [late] if read else []  # a clock that is wrong hears nothing
        left = _minus(self.unheard, [*holes, *map(_ends, read), *ended])
        again = walk.reach is not None and not walk.back
        unheard = [*(_kept(one, walk.at, lost=again) for one in left), *told]
        for before, later in pairwise(complete):
            hole = Unheard(before.end, later.start, UNASKED, walk.at, walk.at)
            unheard += _minus([hole], list(map(_ends, unheard)))
        return _short(Coverage(tuple(complete), tuple(sorted(unheard, key=_ends))))

    def broken(self, began: datetime, at: datetime, why: str) -> "Coverage":
        """What is known after a walk broke off: nothing more, and of the time since the last good one nothing yet.

        What a source told is missing of that time stays its own gap: no next walk need bring that.
        """
        if self.until is not None and self.until > at:
            return replace(self, complete=tuple(_minus(self.complete, [(at, _NEVER)]))).broken(began, at, why)
        if self.until is None or self.until >= began:
            return self
        lost = Gap(self.until, began, why)
        new = Unheard(lost.start, lost.end, why, self._first(lost, at, broken=True), at, broken=True)
        left = [piece for one in self.unheard for piece in _minus([one], [_ends(lost)] if one.broken else [])]
        unheard = [*left, *_minus([new], list(map(_ends, left)))]
        return _short(replace(self, unheard=tuple(sorted(unheard, key=_ends))))

    def _resumed(self, walk: Walk, reach: datetime) -> Iterator[Stretch]:
        """What the walk that broke off had read: no more than until it began, and nothing that a source left out."""
        if walk.resumed is not None and self.until is not None:
            between = Stretch(self.until, min(reach, walk.resumed, walk.began, walk.at), walk.at)
            yield from _minus([between], [_ends(one) for one in self.unheard if not one.broken])

    def _first(self, gap: Gap, at: datetime, *, broken: bool = False) -> datetime:
        """When this gap was told first: by an earlier walk, if it is a part of what that told, or that still grows."""
        return min([at, *(one.first_at for one in self.unheard if one.broken == broken and self._same(one, gap))])

    def _same(self, one: Unheard, gap: Gap) -> bool:
        (start, end), (since, until) = _ends(one), _ends(gap)
        return (start <= since and until <= end) or (start < until and since < end and not self.lasting(one))

    def missing(self, start: datetime, end: datetime) -> list[Gap]:
        """Everything from `start` to `end` that is not surely heard, with the reason where one was told."""
        asked = [Stretch(start, end, end)]
        told = [Gap(max(one.start or start, start), min(one.end, end), one.why) for one in self.unheard]
        told = [gap for gap in told if (gap.start or start) < gap.end]
        known = [*map(_ends, self.complete), *((gap.start or start, gap.end) for gap in told)]
        rest = [Gap(one.start, one.end, UNASKED) for one in _minus(asked, known)]
        return sorted([*told, *rest], key=lambda gap: gap.end)

    def _placed(self, gap: Gap) -> Gap | None:
        """A gap of which nobody knows how far back it goes ends where something is heard whole. None if none is left.

        So says the walk only that it did not look there; one that names its start says that it looked.
        """
        if gap.start is None:
            before = [stretch.end for stretch in self.complete if stretch.start < gap.end]
            gap = replace(gap, start=before[-1]) if before else gap
        return gap if (gap.start or _EVER) < gap.end else None


def spoken(start: datetime | None, end: datetime, zone: tzinfo) -> str:
    """A stretch of time on a clock, its end named in full only where it is another day."""
    until = end.astimezone(zone)
    if start is None:
        return f"before {until:%d %b %Y %H:%M}"
    since = start.astimezone(zone)
    same = since.date() == until.date()
    return f"{since:%d %b %Y %H:%M} to {until:%H:%M}" if same else f"{since:%d %b %Y %H:%M} to {until:%d %b %Y %H:%M}"


def _ends(one: Stretch | Unheard | Gap) -> tuple[datetime, datetime]:
    return one.start or _EVER, one.end


def _kept(one: Unheard, at: datetime, *, lost: bool) -> Unheard:
    """The gap, told no later than now; what the next walk after one that broke off left out is `lost`."""
    broken = one.broken and not lost
    return replace(one, first_at=min(one.first_at, at), told_at=min(one.told_at, at), broken=broken)


def _minus(pieces: Iterable[Piece], cuts: Sequence[tuple[datetime, datetime]]) -> Iterator[Piece]:
    """What is left of the pieces outside the cuts."""
    for piece in pieces:
        start = piece.start or _EVER
        for cut in sorted(cuts):
            if cut[1] <= start or cut[0] >= piece.end or cut[0] >= cut[1]:
                continue
            if cut[0] > start:
                yield _between(piece, start, cut[0])
            start = cut[1]
        if start < piece.end:
            yield _between(piece, start, piece.end)


def _between(piece: Piece, start: datetime, end: datetime) -> Piece:
    if start == _EVER and piece.start is None:
        return replace(piece, end=end)
    return replace(piece, start=start, end=end)


def _short(coverage: Coverage) -> Coverage:
    ends = sorted([*(one.end for one in coverage.complete), *(one.end for one in coverage.unheard)])
    if len(ends) <= MOST:
        return coverage
    forgotten = ends[-MOST - 1]
    return Coverage(
        tuple(one for one in coverage.complete if one.end > forgotten),
        tuple(one for one in coverage.unheard if one.end > forgotten),
    )


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same time in as few stretches as can be, in order."""
    joined: list[Stretch] = []
    for one in sorted(stretches, key=_ends):
        last = joined[-1] if joined else None
        if last is not None and one.start <= last.end:
            joined[-1] = Stretch(last.start, max(last.end, one.end), max(last.told_at, one.told_at))
        else:
            joined.append(one)
    return joined
