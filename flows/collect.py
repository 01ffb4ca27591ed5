"""Collect: fetch, parse, save. One source is walked from where it was left, each page saved before the next is asked.

Stopping anywhere loses nothing: a page, its place and what it tells of how far back it goes are saved together.
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import httpx
from pydantic import SecretStr

from connectors import AnySource
from connectors.contract import Batch, fetch
from flows.hosts import asking
from flows.keep import surely
from flows.setup import Setup
from flows.solved import settling
from pipeline.coverage import Walk
from pipeline.errors import ours, told
from pipeline.mention import Mention, MentionKind
from pipeline.visit import Visit
from storage.store import Store

log = logging.getLogger(__name__)


def bring_home(setup: Setup, source: AnySource, *, noted: bool = True) -> Visit:
    """Walk one source from where it was left, and count what came.

    The visit is `noted` too, however it ends; an import by hand is no source that could fall silent.
    """
    return _bring_home(setup, source, noted=noted)[0]


def go_back(setup: Setup, source: AnySource, day: date) -> tuple[Visit, Walk]:
    """Walk one source from a day on, and leave the place where it is; what came, and what the walk told that it read.

    The visit is not noted: that old things came is no sign that the source can be heard from where it was left.
    """
    return _bring_home(setup, source, noted=False, back_to=day)


def _bring_home(setup: Setup, source: AnySource, *, noted: bool, back_to: date | None = None) -> tuple[Visit, Walk]:
    visit = Visit(source=source.name, started_at=setup.now(), ended_at=setup.now())
    walk = Walk(visit.started_at, visit.started_at, back=back_to is not None)
    with setup.store() as store, asking(setup, store) as http:
        try:
            for heard, so_far in _walk(setup, source, store, http, visit, back_to=back_to):
                walk = so_far
                log.info("%s: %d heard", source.name, visit.heard, extra={"step": "hear", "done": heard})
        except Exception as error:
            failure = ours(error)
            visit.ended_at, visit.error, visit.who_acts = setup.now(), str(failure), failure.who_acts
            log.error("%s: %s", source.name, told(visit.error, visit.who_acts))  # noqa: TRY400 - it is raised
            if noted:
                _note_failed(store, visit)
            raise
        visit.ended_at = setup.now()
        if noted:
            store.note_visit(visit)
    return visit, walk


def _note_failed(store: Store, visit: Visit) -> None:
    """Note it if that can be: what went wrong at the source is worth more than that nobody could write it down."""
    try:
        store.note_visit(visit)
    except Exception as error:  # noqa: BLE001 - the source's error is raised after this
        log.error("%s: the visit is not noted: %s", visit.source, type(error).__name__)  # noqa: TRY400


def _walk(
    setup: Setup, source: AnySource, store: Store, http: httpx.Client, visit: Visit, *, back_to: date | None
) -> Iterator[tuple[int, Walk]]:
    """Each page, saved, and counted in `visit`; how many mentions it held, and what the walk has told until then."""
    cursor = None if back_to else store.cursor(source.name)
    since = _since(cursor, source)
    if cursor is not None and since is None:
        store.forget_coverage(source.name)  # of what is asked now, nothing was ever heard
    resumed = None if since is None else store.broken_off(source.name)
    walk = Walk(visit.started_at, visit.started_at, resumed=resumed, back=back_to is not None)
    asked = source.model_copy(update={"first_day": back_to}) if back_to else source
    pens, keep, sure = settling(setup), setup.keep, surely(store, visit.started_at)
    for batch in fetch(asked, http, since=since):
        now = setup.now()
        old = {mention.key for mention in batch.mentions if keep.forgets(mention.said_at, sure)}
        old -= store.mentions(old).keys()  # one that is still here may await a reply, and was edited perhaps
        heard = [pair for pair in zip(batch.mentions, batch.raws, strict=True) if pair[0].key not in old]
        if old:
            log.info("%s: %d passed over, too old for [keep]", source.name, len(old))
        mentions = [signed(setup, source, mention) for mention, _ in heard]
        walk = replace(walk, at=now, reach=batch.reach or walk.reach, gaps=(*walk.gaps, *batch.gaps))
        saved = store.save(
            source.name,
            mentions,
            [raw for _, raw in heard],
            batch.rejected,
            None if back_to else _place(source, batch),
            heard_at=now,
            # A source of this name may have been of another kind: it knows nothing of those keys.
            gone=[key for key in batch.gone if key.startswith(f"{source.kind}:")],
            settling=pens,
            walk=walk if batch.reach is not None or batch.gaps else replace(walk, gaps=()),
        )
        visit.new += saved.new
        visit.gone += saved.gone
        visit.heard += len(mentions)
        visit.rejected += len(batch.rejected)
        yield len(mentions), walk
    if not back_to:
        store.end_walk(source.name)


def signed(setup: Setup, source: AnySource, mention: Mention) -> Mention:
    """The mention with its brand on it, and marked where the brand said it itself."""
    own = {name.casefold().lstrip("@") for name in setup.brand.authors}
    names = {name.casefold().lstrip("@") for name in (mention.author, mention.author_id) if name}
    brand = mention.brand or source.brand or setup.brand.name
    # A reviewer's name is free text: anybody may call themselves like the brand.
    by_brand = mention.by_brand or (mention.kind is not MentionKind.REVIEW and bool(own & names))
    return mention.model_copy(update={"brand": brand, "by_brand": by_brand})


def _place(source: AnySource, batch: Batch) -> str | None:
    """How far the source is read after this page, with what it was asked."""
    return None if batch.cursor is None else f"{_asked(source)} {batch.cursor}"


def _asked(source: AnySource) -> str:
    """A short name of what a source is asked: with another phrase or tag, how far it was read means nothing.

    Only what was set counts: a setting that a later version adds must not send every source back to its start. Of a
    secret that may be left out only that it was set counts; one that is needed, such as a feed's address, is the place.
    """
    without = {"name", "brand", *source.aside}
    what = source.model_dump_json(exclude=without, exclude_defaults=True)
    for name, value in source:
        if name not in without and isinstance(value, SecretStr) and type(source).model_fields[name].is_required():
            what += f" {value.get_secret_value()}"
    return hashlib.sha256(f"{source.kind} {what}".encode()).hexdigest()[:12]


def _since(cursor: str | None, source: AnySource) -> str | None:
    """How far the source was read, if it was asked the same."""
    asked, _, since = (cursor or "").partition(" ")
    return since if asked == _asked(source) else None
