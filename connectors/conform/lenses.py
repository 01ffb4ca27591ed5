"""Lenses: another look of everything a place says, for as long as it stands: drift of its form, another order."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, Literal

import httpx

from connectors.conform.faults import lists_of
from connectors.conform.scene import numbers

Lens = Callable[[httpx.Response], httpx.Response]
Change = Literal["missing", "null", "another type"]

EVERY = 3
"""One item in so many drifts; the others must be heard as ever."""


def backwards(answer: httpx.Response) -> httpx.Response:
    """Every list of items the other way round."""
    return _altered(answer, _turn)


def doubled(answer: httpx.Response) -> httpx.Response:
    """Every item twice on its page."""
    return _altered(answer, _double)


def drifting(change: Change, turn: int) -> Lens:
    """In one item of `EVERY` one field, another one in each, is missing, null or of another type."""

    def drift(items: list[Any]) -> None:
        for item in items:
            for number in numbers(_words(item)):
                if drifts(number, turn):
                    _spoil(item, change, number // EVERY + turn * 7)
                    break

    return lambda answer: _altered(answer, drift)


def drifts(number: int, turn: int) -> bool:
    """Whether this thing is one of those that drift."""
    return number % EVERY == turn % EVERY


def _altered(answer: httpx.Response, change: Callable[[list[Any]], None]) -> httpx.Response:
    """The answer with every outermost list of items changed; as it is where it is no JSON."""
    try:
        said = json.loads(answer.content)
    except ValueError:
        return answer
    found = next((items for items in lists_of(said) if numbers(_words(items))), None)
    if found is None:
        return answer
    change(found)
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    made = httpx.Response(answer.status_code, headers=headers, content=json.dumps(said).encode())
    made.extensions |= answer.extensions | {"altered": True}
    return made


def _turn(items: list[Any]) -> None:
    items.reverse()


def _double(items: list[Any]) -> None:
    items.extend(deepcopy(items))


def _words(value: Any) -> str:  # noqa: ANN401 - JSON is anything
    return json.dumps(value, ensure_ascii=False)


def _spoil(item: Any, change: Change, which: int) -> None:  # noqa: ANN401 - JSON is anything
    places = list(_places(item))
    holder, name = places[which % len(places)]
    if change == "missing":
        del holder[name]
    elif change == "null":
        holder[name] = None
    else:
        holder[name] = {"odd": which} if isinstance(holder[name], str | int | float) else "odd"


def _places(value: Any) -> Iterator[tuple[dict[str, Any], str]]:  # noqa: ANN401 - JSON is anything
    """Every field of an object and of what stands in it."""
    if isinstance(value, dict):
        for name, held in value.items():
            yield value, name
            yield from _places(held)
    elif isinstance(value, list):
        for held in value:
            yield from _places(held)
