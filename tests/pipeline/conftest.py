"""Mentions and analyses to decide about."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.analysis import Analysis
from pipeline.mention import Mention

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture
def mention() -> Callable[..., Mention]:
    """A mention with what the test says about it; the rest is ordinary."""

    def make(key: str = "mastodon:1", **said: object) -> Mention:
        ordinary = {
            "source": "mastodon",
            "kind": "post",
            "text": "My order never came",
            "said_at": NOON,
            "author": "mia",
        }
        return Mention.model_validate({"key": key, **ordinary, **said})

    return make


@pytest.fixture
def analysis() -> Callable[..., Analysis]:
    """An analysis of a late order in the service lane, changed as the test says."""

    def make(**judged: object) -> Analysis:
        ordinary: dict[str, Any] = {
            "mention_key": "mastodon:1",
            "version": "v1",
            "versions": {"triage": "v1"},
            "language": "en",
            "lane": "service",
            "lane_probabilities": {"service": 0.9, "experience": 0.08, "noise": 0.02},
            "needs_reply": True,
            "complaint": True,
            "complaint_probability": 0.9,
            "sentiment": "negative",
            "sentiment_score": -0.6,
            "category": "delivery",
            "urgency": "normal",
            "stage": "delivery",
            "touchpoint": None,
            "factor": None,
            "grave": [],
            "reasons": [{"field": "lane", "text": "never came", "start": 9, "end": 19, "weight": 1.2}],
        }
        return Analysis.model_validate({**ordinary, **judged})

    return make


@pytest.fixture
def thanks(analysis: Callable[..., Analysis]) -> Analysis:
    """An analysis of a word of thanks."""
    return analysis(
        lane="experience", needs_reply=False, complaint=False, sentiment="positive", sentiment_score=0.8, category=None
    )
