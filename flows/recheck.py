"""Recheck: whether what was said lately still stands where it was said; what was deleted there is deleted here."""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import httpx

from connectors import AnySource
from flows.hosts import asking
from flows.setup import Setup
from flows.solved import settling
from pipeline.errors import ChangedError, EarfulError, told
from storage.store import Store

WITHIN = timedelta(days=60)
"""Only what was heard within this time is looked up again: by then a deletion has mostly happened, and calls cost. At
least twice as long as any source waits, or nothing of that one would ever be looked up."""
AT_ONCE = 100
"""Mentions of one source looked up in one run, the longest unchecked first."""
PART = 25
"""Mentions asked for at once, so that what cannot be looked up holds up few others."""
PATIENCE = 8
"""Failures of one run: enough to find the one mention of a part that cannot be looked up."""
MANY, NEARLY_ALL = 10, 0.9
"""So many mentions looked up, and such a share of them gone, are believed at a second look only: a look-up that goes to
the wrong address, or that a key may not make, finds nothing at all."""
SECOND_LOOK = timedelta(days=1)
"""How long after the first."""


def look_again(setup: Setup, source: AnySource) -> int:
    """Look up the mentions of one source that are due for it; how many were deleted, there and here.

    What cannot be looked up is raised once all the others are seen to, and stands with the last visit until it can.
    """
    if source.recheck_after is None:
        return 0
    now = setup.now()
    with setup.store() as store, asking(setup, store) as http:
        keys = store.unchecked(
            source.name, heard_since=now - WITHIN, checked_before=now - source.recheck_after, limit=AT_ONCE
        )
        if not keys:
            return 0
        # A source of this name may have been of another kind: it knows nothing of those keys.
        known = [key for key in keys if key.startswith(f"{source.kind}:")]
        store.note_checked(source.name, set(keys) - set(known), (), at=now)
        asked, gone, alone, failure = 0, set[str](), list[str](), None
        for part, found in _asked(source, http, known):
            if isinstance(found, Exception):
                failure = found
                alone += part
                continue
            asked += len(part)
            gone |= found
            store.note_checked(source.name, set(part) - found, (), at=setup.now())
        doubted = _doubted(store, asked, gone, now)
        if doubted:
            store.note_missed(doubted, at=now, again_after=now - source.recheck_after + SECOND_LOOK)
            failure = failure or _unbelieved(source, len(doubted), asked)
        if asked:  # one that cannot be looked up while others can waits for its next turn
            store.note_checked(source.name, alone, (), at=now)
        count = store.note_checked(source.name, (), gone - doubted, at=setup.now(), settling=settling(setup))
        store.note_look_up(source.name, None if failure is None else _why(failure), now)
    if failure is not None:
        raise failure
    return count


def _asked(
    source: AnySource, http: httpx.Client, keys: Sequence[str]
) -> Iterator[tuple[Sequence[str], set[str] | Exception]]:
    """The keys in parts, each with what is gone of it. A part that fails is asked for in halves, after the others.

    Of a failure, the mention that cannot be looked up even alone; none if it is not known which one that is.
    """
    waiting = deque(keys[start : start + PART] for start in range(0, len(keys), PART))
    patience = PATIENCE
    while waiting and patience:
        part = waiting.popleft()
        try:
            found = source.gone(http, part) & set(part)
        except Exception as error:  # noqa: BLE001 - raised when the others are seen to
            patience -= 1
            yield part if len(part) == 1 else (), error
            middle = len(part) // 2
            waiting.extend(half for half in (part[:middle], part[middle:]) if middle)
        else:
            yield part, found


def _doubted(store: Store, asked: int, gone: set[str], now: datetime) -> set[str]:
    """Of what is gone, that which is believed at a second look only."""
    if asked < MANY or len(gone) < NEARLY_ALL * asked:
        return set()
    return gone - store.missed(gone, now - SECOND_LOOK)


def _unbelieved(source: AnySource, missed: int, asked: int) -> ChangedError:
    return ChangedError(
        f"{source.name}: {missed} of {asked} mentions looked up are said to be deleted; {source.label} may have "
        "changed, or the look-up goes to the wrong address or with a key that may not see them. Open one of them; if "
        f"it is there, mend the settings within {SECOND_LOOK.days * 24} hours: then what is still gone is deleted here"
    )


def _why(error: Exception) -> str:
    return told(str(error), error.who_acts) if isinstance(error, EarfulError) else type(error).__name__
