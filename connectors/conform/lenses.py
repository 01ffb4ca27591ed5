"""Lenses: another look of everything a place says, for as long as it stands: drift of its form, another order."""

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
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


def shuffled(answer: httpx.Response) -> httpx.Response:
    """Every list of items in no order: first the even places, then the odd ones from the end."""
    return _altered(answer, _shuffle)


@dataclass(slots=True)
class Drifting:
    """In one item of `EVERY` one field, another one in each, is missing, null or of another type.

    `spoilt` are these items by number, each with the name of its odd field; `nameless` the words of those that do not
    tell their number any more.
    """

    change: Change
    turn: int
    spoilt: dict[int, str] = field(default_factory=dict)
    nameless: dict[int, str] = field(default_factory=dict)

    def __call__(self, answer: httpx.Response) -> httpx.Response:
        """The answer, some of its items drifted."""
        return _altered(answer, self._drift)

    def _drift(self, items: list[Any]) -> None:
        for item in items:
            for number in numbers(_words(item)):
                if drifts(number, self.turn):
                    self.spoilt[number] = _spoil(item, self.change, number // EVERY + self.turn * 7)
                    if number not in numbers(_words(item)):
                        self.nameless[number] = _words(item)
                    break


@dataclass(slots=True)
class Larger:
    """A page on which the items of all later pages stand, too, as they were seen before.

    While it `learns`, it only looks.
    """

    learns: bool = True
    seen: dict[str, dict[int, Any]] = field(default_factory=dict)
    """The items by where they stood and by number."""

    def __call__(self, answer: httpx.Response) -> httpx.Response:
        """The answer, with more on it than was asked for."""
        place = re.sub(r"[\d;]+", "#", answer.request.url.path)
        return _altered(answer, partial(self._learn if self.learns else self._add, self.seen.setdefault(place, {})))

    @property
    def most(self) -> int:
        """How many items stood at one place."""
        return max(map(len, self.seen.values()), default=0)

    def _learn(self, seen: dict[int, Any], items: list[Any]) -> None:
        for item in items:
            for number in numbers(_words(item)):
                seen.setdefault(number, deepcopy(item))

    def _add(self, seen: dict[int, Any], items: list[Any]) -> None:
        here = {number for item in items for number in numbers(_words(item))}
        order = list(seen)
        after = max((order.index(number) for number in here if number in seen), default=len(order))
        added = [seen[number] for number in order[after + 1 :] if number not in here]
        items.extend(deepcopy(each) for number, each in enumerate(added) if each not in added[:number])


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


def _shuffle(items: list[Any]) -> None:
    items[:] = items[::2] + items[1::2][::-1]


def _double(items: list[Any]) -> None:
    items.extend(deepcopy(items))


def _words(value: Any) -> str:  # noqa: ANN401 - JSON is anything
    return json.dumps(value, ensure_ascii=False)


def _spoil(item: Any, change: Change, which: int) -> str:  # noqa: ANN401 - JSON is anything
    """Make one field odd, and say which."""
    places = list(_places(item))
    holder, name = places[which % len(places)]
    if change == "missing":
        del holder[name]
    elif change == "null":
        holder[name] = None
    else:
        holder[name] = {"odd": which} if isinstance(holder[name], str | int | float) else "odd"
    return name


def _places(value: Any) -> Iterator[tuple[dict[str, Any], str]]:  # noqa: ANN401 - JSON is anything
    """Every field of an object and of what stands in it."""
    if isinstance(value, dict):
        for name, held in value.items():
            yield value, name
            yield from _places(held)
    elif isinstance(value, list):
        for held in value:
            yield from _places(held)
