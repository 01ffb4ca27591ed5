"""Forget: nightly. What has been kept for as long as the settings say is deleted, and no earlier."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from prefect import flow

from flows.ended import discreet
from flows.keep import LEAP, surely
from flows.setup import Setup
from flows.solved import settling
from pipeline.errors import SettingsError
from storage.forgotten import ERASED, OUTLIVED
from storage.outlived import Name
from storage.store import Store

log = logging.getLogger(__name__)

PART = 500
"""Mentions forgotten in one transaction: others who write wait for no more than that."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was deleted: mentions with all that was made of them, raw items alone, and items nobody could read.

    `doubted`: the clock went on so far since the last visit that nothing is deleted by it yet; see `surely`.
    """

    mentions: int = 0
    raws: int = 0
    rejected: int = 0
    doubted: bool = False


@flow(name="forget", persist_result=False)
@discreet()
def forget(settings: Path = Path("earful.toml")) -> None:
    """Delete what is older than [keep] says; nothing where it says nothing."""
    forget_old(Setup.read(Path(settings)))


def forget_old(setup: Setup) -> Forgotten:
    """Delete what is older than [keep] says, in parts. Stopping halfway is no harm: the next run goes on."""
    keep, mentions, raws, rejected = setup.keep, 0, 0, 0
    with setup.store() as store:
        store.migrate()
        now = setup.now()
        sure = surely(store, now)
        if keep.mentions is not None:
            before = sure - keep.mentions
            parts = iter(lambda: _forget(setup, store, store.outlived(before, PART), OUTLIVED), 0)
            mentions = _in_parts("mentions", parts)
        if keep.raws is not None:
            raws = _in_parts("raw items", _raws(store, sure - keep.raws))
        kept = [one for one in (keep.mentions, keep.raws) if one is not None]
        if kept:
            heard_before = sure - min(kept)
            rejected = _in_parts("unreadable items", iter(lambda: store.forget_rejected(heard_before, PART), 0))
        store.tidy_words()  # what was deleted where it was said, too
    if kept and sure < now:
        log.warning("the clock went on by more than %d days since the last visit: kept as if it had not", LEAP.days)
    return Forgotten(mentions, raws, rejected, doubted=bool(kept) and sure < now)


@dataclass(frozen=True, slots=True)
class Traces:
    """What there is of one person: mentions with their sources, names in cases, and items nobody could read, by id."""

    said: list[tuple[str, str]]
    cases: set[Name]
    unread: list[int]


def traces(store: Store, author: str, source: str | None = None) -> Traces:
    """All that somebody of this name or id said, and where else they are named. SettingsError if that is no name.

    The id of one who was asked for by name, and the name of one asked for by id, count where that mention was heard:
    elsewhere they may be another's.
    """
    if not author.strip():
        raise SettingsError("this is no name: give --author the name or id that `earful cases` or `earful find` shows")
    said = store.said_by(author, source)
    cases, names = {(source, author)}, {(source, author)}
    for start in range(0, len(said), PART):
        for one in store.mentions(key for _, key in said[start : start + PART]).values():
            cases |= {(one.source, name) for name in [one.author_id or one.author] if name}
            names |= {(one.source, name) for name in (one.author, one.author_id) if name}
    return Traces(said, cases, store.unread_of(names))


def forget_author(setup: Setup, store: Store, found: Traces) -> Forgotten:
    """Delete all that was found of somebody, what still awaits a reply too. Stopping halfway, it is found again."""
    # The mentions last: they tell the next try what else to look for.
    rejected = store.forget_author(found.cases, found.unread)
    mentions = _forget(setup, store, found.said, ERASED)
    store.tidy_words()
    log.info("%d mentions and %d unreadable items erased", mentions, rejected)
    return Forgotten(mentions=mentions, rejected=rejected)


def _raws(store: Store, before: datetime) -> Iterator[int]:
    """Delete the raw items of what was said before, a part at a time; how many."""
    after = None
    while places := store.raws_before(before, PART, after):
        after = places[-1]
        yield store.forget_raws(key for _, key in places)


def _forget(setup: Setup, store: Store, found: Sequence[tuple[str, str]], because: str) -> int:
    """Delete mentions, given with their sources, a part of one source at a time; how many there were."""
    pens, done = settling(setup), 0
    for source in sorted({source for source, _ in found}):
        keys = [key for whose, key in found if whose == source]
        for start in range(0, len(keys), PART):
            part = keys[start : start + PART]
            done += store.forget_mentions(source, part, because, at=setup.now(), settling=pens)
    return done


def _in_parts(what: str, parts: Iterable[int]) -> int:
    """Do one part after the other; how much it was."""
    done = 0
    for some in parts:
        done += some
        log.info("%d %s forgotten", done, what, extra={"step": "forget", "done": some})
    return done
