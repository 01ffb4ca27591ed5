"""What a source is asked: which settings, when they change, send it back to its start, and which leave its place."""

import json
from datetime import date, timedelta
from typing import Any, get_args

import pytest
from pydantic import SecretStr

from connectors import SOURCES
from connectors.contract import Batch, Source
from flows.collect import _place, _since
from tests.connectors.replay import FIXTURES

SETTINGS = [
    (kind, setting)
    for kind in SOURCES
    for setting in kind.model_fields
    if setting not in {"kind", "name", "brand"}  # what is heard is the same, under another name
]


def listening(kind: type[Source]) -> Source:
    settings = json.loads((FIXTURES / kind.model_fields["kind"].default / "settings.json").read_text("utf-8"))
    return kind.model_validate(settings)


def other(value: Any, annotation: Any) -> Any:  # noqa: ANN401, PLR0911 - of any type
    """Another value of the same type."""
    match value:
        case None:
            (one, *_) = (each for each in get_args(annotation) if each is not type(None))
            return {SecretStr: SecretStr("a"), date: date(2026, 1, 2), float: 2.0, int: 2}.get(one, "a")
        case SecretStr():
            return SecretStr(value.get_secret_value() + "a")
        case bool():
            return not value
        case timedelta():
            return value + timedelta(hours=1)
        case dict():
            return {} if value else {"a": SecretStr("a") if SecretStr in get_args(annotation) else "a"}
        case tuple():
            return () if value else (SecretStr("a") if SecretStr in get_args(annotation) else "a",)
        case str() if literal := [each for each in get_args(annotation) if isinstance(each, str) and each != value]:
            return literal[0]
        case _:
            return type(value)(f"{value}1")


@pytest.mark.parametrize(("kind", "setting"), SETTINGS, ids=[f"{kind.__name__}-{name}" for kind, name in SETTINGS])
def test_a_setting_sends_a_source_back_only_if_it_changes_what_is_heard(kind: type[Source], setting: str) -> None:
    source = listening(kind)
    before, field = getattr(source, setting), kind.model_fields[setting]
    optional_secret = isinstance(before, SecretStr) and not field.is_required()
    after = None if optional_secret else other(before, field.annotation)
    changed = source.model_copy(update={setting: after})
    place = _place(source, Batch([], [], cursor="far"))  # type: ignore[arg-type] - each is one of AnySource
    kept = _since(place, changed) == "far"  # type: ignore[arg-type]
    assert kept is (setting in kind.aside), "the setting is `aside`, or the source is asked something else"


@pytest.mark.parametrize("kind", SOURCES)
def test_what_is_aside_is_a_setting_of_the_source(kind: type[Source]) -> None:
    assert kind.aside <= kind.model_fields.keys() - Source.model_fields.keys()
