"""Grade: what a connector kept of what was asked of it, and the reason for every point it lost."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """What sort of failing it is."""

    LOST = "lost"
    SECRET = "secret told"  # noqa: S105 - a word for a failing
    REPEATED = "repeated"
    DISTORTED = "distorted"
    MOVED = "moved"
    ENDLESS = "endless"
    UNNAMED = "unnamed"
    TOLD = "not told"


COSTS: dict[Severity, int] = dict.fromkeys(Severity, 25) | {
    Severity.LOST: 100,
    Severity.SECRET: 50,
    Severity.UNNAMED: 10,
    Severity.TOLD: 5,
}
"""The points of a hundred that a failing costs. A mention or an alert lost costs all of them."""


@dataclass(frozen=True, slots=True)
class Failing:
    """One point of the list that was not kept: under which fault, what happened, and what should have."""

    fault: str
    severity: Severity
    happened: str
    expected: str


@dataclass(slots=True)
class Grade:
    """How one connector did. `passed` and `skipped` are names of faults; a skipped one comes with its reason.

    `untried`: why faults were left untried that might have cost points; then there is no grade, but for the worst one.
    `notes`: what a person must know of how something was tried.
    """

    kind: str
    passed: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    failings: list[Failing] = field(default_factory=list)
    seconds: float = 0.0
    untried: str | None = None
    notes: dict[str, str] = field(default_factory=dict)

    def note(self, fault: str, failings: list[Failing]) -> None:
        """Write down what came of one fault; of several failings under it the gravest counts."""
        if failings:
            self.failings.append(max(failings, key=lambda each: COSTS[each.severity]))
        else:
            self.passed.append(fault)

    def take(self, fault: str, came: list[Failing] | str) -> None:
        """Write down what came of one fault, or why it does not apply."""
        if isinstance(came, str):
            self.skipped[fault] = came
        else:
            self.note(fault, came)

    @property
    def faults(self) -> int:
        """How many faults it was shown."""
        return len(self.passed) + len(self.failings)

    @property
    def points(self) -> int | None:
        """100, less what each failing costs; None where too little was tried and some would be left."""
        left = max(0, 100 - sum(COSTS[each.severity] for each in self.failings))
        return None if self.untried and left else left

    @property
    def letter(self) -> str | None:
        """A for all kept; F as soon as anything was lost; None where there are no points."""
        points = self.points
        if points is None:
            return None
        return next(
            letter for letter, least in (("A", 100), ("B", 85), ("C", 70), ("D", 50), ("F", 0)) if points >= least
        )

    @property
    def conforms(self) -> bool:
        """Whether it was tried, and kept all that applies to it."""
        return not self.failings and not self.untried

    def told(self) -> dict[str, Any]:
        """The grade as JSON holds it."""
        return {
            "kind": self.kind,
            "letter": self.letter,
            "points": self.points,
            "untried": self.untried,
            "passed": self.passed,
            "skipped": self.skipped,
            "failings": [asdict(each) for each in self.failings],
            "notes": self.notes,
            "seconds": round(self.seconds, 2),
        }
