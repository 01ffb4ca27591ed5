"""Ended: how a run went as a whole, and in its state's message what failed and who must act."""

from collections.abc import Iterable, Sequence
from contextlib import ContextDecorator
from types import TracebackType
from typing import Any

from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, wait
from prefect.states import Completed, Failed

from connectors import AnySink, AnySource
from pipeline.errors import EarfulError, ours, told
from pipeline.text import shorten

Part = tuple[str, State[Any]]
"""What a person calls a part of a run, and how it ended."""
MOST_NAMED = 20
"""Failures named in one message; the rest are counted."""
LONGEST = 300
"""Characters told of one failure."""


class discreet(ContextDecorator):  # noqa: N801 - written like a function
    """Another's error leaves a task or a flow as one of ours, with none behind it: Prefect keeps every word it sees.

    No generator: a task travels to the workers of a cluster with all that is around it.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            raise ours(error) from None


def all_of(places: Sequence[AnySource | AnySink], futures: Sequence[PrefectFuture[Any]]) -> list[Part]:
    """Wait for what was submitted for each place, side by side."""
    wait(list(futures))
    return [(place.name, future.state) for place, future in zip(places, futures, strict=True)]


def ended(parts: Iterable[Part]) -> State[Any]:
    """The state a run ends in, from the states of its parts, which are its result.

    One part that failed fails the run: every other was served before.
    """
    named = list(parts)
    failed = list(dict.fromkeys(_said(name, state) for name, state in named if not state.is_completed()))
    states = [state for _, state in named]
    if not failed:
        return Completed(message=f"All {len(states)} parts went well.", data=states)
    more = f"; and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
    return Failed(message="; ".join(failed[:MOST_NAMED]) + more, data=states)


def _said(name: str, state: State[Any]) -> str:
    error = None if state.data is None else state.result(raise_on_failure=False)
    if isinstance(error, EarfulError):
        what = told(str(error), error.who_acts)
    elif isinstance(error, Exception):  # another's words may hold a secret
        what = told(type(error).__name__, EarfulError.who_acts)
    else:
        what = state.message or state.name or "it did not end"
    return shorten(what if not name or what.startswith(f"{name}:") else f"{name}: {what}", LONGEST)
