"""Sentiment, and VADER reading it."""

from enum import StrEnum


class Feeling(StrEnum):
    """The author's feeling towards what the mention is about. UNSCORED where we cannot read it."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"
    UNSCORED = "unscored"
