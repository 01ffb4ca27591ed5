"""The two lists: what the settings may name is what is listed, each once."""

from typing import get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from connectors import SINKS, SOURCES, AnySink, AnySource
from connectors.contract import Sink, Source


def test_the_settings_know_exactly_what_is_listed() -> None:
    assert get_args(get_args(AnySource)[0]) == SOURCES
    assert get_args(get_args(AnySink)[0]) == SINKS
    assert all(issubclass(each, Source) for each in SOURCES)
    assert all(issubclass(each, Sink) for each in SINKS)


def test_no_two_share_a_kind() -> None:
    for listed in (SOURCES, SINKS):
        kinds = [each.model_fields["kind"].default for each in listed]
        assert len(set(kinds)) == len(kinds)


def test_the_kind_chooses_the_source() -> None:
    adapter: TypeAdapter[Source] = TypeAdapter(AnySource)
    source = adapter.validate_python({"kind": "hackernews", "name": "hn", "phrase": "Hike"})
    assert source.label == "Hacker News"
    with pytest.raises(ValidationError, match="hackernews"):
        adapter.validate_python({"kind": "hackernew", "name": "hn"})


def test_an_unknown_setting_is_refused() -> None:
    adapter: TypeAdapter[Source] = TypeAdapter(AnySource)
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        adapter.validate_python({"kind": "hackernews", "name": "hn", "phrase": "Hike", "phrases": "Hike"})


def test_a_number_that_is_a_name_may_be_written_as_one() -> None:
    adapter: TypeAdapter[Source] = TypeAdapter(AnySource)
    source = adapter.validate_python({"kind": "steam", "name": "steam", "app_id": 291480})
    assert source == adapter.validate_python({"kind": "steam", "name": "steam", "app_id": "291480"})
