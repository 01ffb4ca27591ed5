"""The contract every classifier keeps, and what it is given to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import BaseModel

from pipeline.mention import Mention, MentionKind
from pipeline.trusted import taken


class Reason(BaseModel, frozen=True):
    """What carried one field of a judgement: a span of `Reading.words`, or a fact beside it.

    `start` and `end` count characters in `Reading.words`; both are null where the reason is no span of it (the stars,
    the kind). `weight` is signed: above 0 it spoke for the answer given, below 0 against it.
    """

    field: str
    text: str
    start: int | None = None
    end: int | None = None
    weight: float

    @classmethod
    def made(cls, field: str, text: str, weight: float, start: int | None = None, end: int | None = None) -> "Reason":
        """A reason of right values, unchecked: there are ten in an analysis."""
        return taken(cls, {"field": field, "text": text, "start": start, "end": end, "weight": weight}, _REASON)


_REASON = set(Reason.model_fields)
"""All reasons share it: they are frozen."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a judgement may depend on: the words, the stars and the kind. Nothing else.

    `key` is carried through to the answer. `rating` is on the scale `rating_min`..`rating_max`. `language` is what the
    source declared, an ISO 639-1 code, often missing and sometimes wrong.
    """

    key: str
    text: str
    kind: MentionKind = MentionKind.POST
    title: str | None = None
    rating: float | None = None
    rating_min: float = 0.0
    rating_max: float = 5.0
    language: str | None = None

    @classmethod
    def of(cls, mention: Mention) -> "Reading":
        """A comment's title is somebody else's headline, so it is not read as the author's words."""
        return cls(
            key=mention.key,
            text=mention.text,
            kind=mention.kind,
            title=None if mention.kind is MentionKind.COMMENT else mention.title,
            rating=mention.rating,
            rating_min=mention.rating_min or 0.0,
            rating_max=mention.rating_max or 5.0,
            language=mention.language,
        )

    @property
    def words(self) -> str:
        """Title and text as one: what is judged, and what a reason's `start` and `end` count in."""
        return f"{self.title}\n\n{self.text}" if self.title and self.title != self.text else self.text

    @property
    def stars(self) -> float | None:
        """The rating as a share of its scale, 0..1; None where there is none or the scale is impossible."""
        if self.rating is None or self.rating_max <= self.rating_min:
            return None
        return min(1.0, max(0.0, (self.rating - self.rating_min) / (self.rating_max - self.rating_min)))


Answer = TypeVar("Answer")


class Classifier(Protocol[Answer]):
    """Pure: no network, clock or chance; the same readings always get the same answers."""

    @property
    def version(self) -> str:
        """Changes whenever an answer could change; for a trained model it contains the weights' hash."""
        ...

    def classify(self, readings: Sequence[Reading]) -> list[Answer]:
        """One answer for each reading, in order. Any text at all is answered, never raised on."""
        ...
