"""Judgement: how hard Earful thinks, and when it asks a person; the table [judgement] of the settings."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from pipeline.doubt import MISS_COST
from pipeline.triage.judge import Effort


class Past(StrEnum):
    """Who judges again what another version judged."""

    LISTEN = "listen"
    APART = "apart"


MissCost = Annotated[float, Field(gt=0, le=1000)]


class Weighed(BaseModel, frozen=True, extra="forbid"):
    """What counts otherwise for the mentions of one source."""

    miss_cost: MissCost | None = Field(default=None, description="Instead of the one of [judgement].")


class Judgement(BaseModel, frozen=True, extra="forbid"):
    """How hard Earful thinks, and when it asks a person."""

    effort: Effort = Field(
        default=Effort.AUTO,
        description="fast: words only; accurate: the slow readers for all; auto: the quicker of them where needed.",
    )
    classifier: str | None = Field(
        default=None,
        min_length=1,
        description='Another slow reader: a folder, or "package.module:Class". See docs/classifiers.md.',
    )
    miss_cost: MissCost = Field(
        default=MISS_COST,
        description="A complaint missed costs as much as this many mentions looked at in vain: see `earful review`.",
    )
    past: Past = Field(
        default=Past.LISTEN,
        description="Who judges the past again after an update: listen, or apart, by `earful judge-again` only.",
    )
    sources: dict[str, Weighed] = Field(default={}, description="What counts otherwise for a source, by its name.")

    def miss_cost_of(self, source: str) -> float:
        """What a miss costs in this source."""
        own = self.sources[source].miss_cost if source in self.sources else None
        return self.miss_cost if own is None else own
