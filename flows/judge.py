"""Judge: what nobody has judged, or an older version did, and what a case has to be opened for."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Event, Thread

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.ended import discreet
from flows.events import case_opened
from flows.judgement import Past
from flows.setup import Setup
from flows.solved import endings
from pipeline.analysis import Analysis, Analyst
from pipeline.case import Decision, Step, author_of, awaited, carry_out, concerns, decide, fingerprint, thread_of
from pipeline.classifier import Reading
from pipeline.errors import EarfulError
from pipeline.mention import Mention
from pipeline.route import alerts, choose
from storage.store import Store

log = logging.getLogger(__name__)

BATCH = 1000
"""Mentions judged and saved at once: large enough for bulk writes, small enough for flat memory."""

LEASE = timedelta(minutes=5)
"""How long a judge keeps a batch to itself unless it says again that it does. A run killed while judging loses it to
the next run after this."""
RENEWED_EVERY = timedelta(minutes=1)
"""How often a judge says that it still judges: several times a lease, so that one failure does no harm."""
LONGEST_BATCH = timedelta(hours=2)
"""After this the next run may have a batch as well: whoever thinks so long has lost the thread."""


def outdated(setup: Setup) -> bool:
    """Whether a run has to judge the past again: another version judged something, and nobody does that apart."""
    if setup.judgement.past is Past.APART:
        return False
    with setup.store() as store:
        return bool(store.unanalysed(setup.analyst().version, 1))


@task(cache_policy=NO_CACHE)
@discreet()
def analyse(setup: Setup, *, past: bool = True) -> int:
    """Judge what nobody has judged, and what another version judged in the `past`; how many were judged.

    Each batch by the lesson adopted last, so that two runs agree, and do not undo each other's judgements without end.
    What another run is judging just now is left to it.
    """
    judged = 0
    with setup.store() as store, store.judge() as judge:

        def batch(version: str) -> list[Mention]:
            return store.take(judge, version, BATCH, now=setup.now(), lease=LEASE, past=past)

        while mentions := batch((analyst := setup.analyst()).version):
            judged += keep(setup, store, judge, analyst, mentions)
            log.info("%d judged", judged, extra={"step": "judge", "done": len(mentions)})
    return judged


def keep(setup: Setup, store: Store, judge: str, analyst: Analyst, mentions: Sequence[Mention]) -> int:
    """Judge these mentions and keep the judgements; how many were judged. They stay in hand, however long it takes."""
    with _renewed(setup, store, judge):
        return store.save_analyses(analyst.analyse([Reading.of(mention) for mention in mentions]))


@contextmanager
def _renewed(setup: Setup, store: Store, judge: str) -> Iterator[None]:
    over = Event()

    def renew() -> None:
        for _ in range(LONGEST_BATCH // RENEWED_EVERY):
            if over.wait(RENEWED_EVERY.total_seconds()):
                return
            with suppress(EarfulError):  # the next time may be soon enough
                store.keep_in_hand(judge, now=setup.now(), lease=LEASE)

    keeper = Thread(target=renew, name=f"lease of {judge}", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


@task(cache_policy=NO_CACHE)
@discreet()
def open_cases(setup: Setup) -> int:
    """Open, join, answer, reopen and close cases, oldest mention first; their alerts go to the outbox with them.

    Whatever version judged: a lesson may be adopted just before, and what was judged must not wait to be judged again.
    """
    opened, since = 0, setup.now() - setup.cases.open_within
    with setup.store() as store:
        while judged := store.unhandled(since, BATCH):
            idle = [analysis for mention, analysis in judged if not settle(setup, store, mention, analysis)]
            store.mark_handled(idle)
            log.info("%d cases seen to", len(judged), extra={"step": "open", "done": len(judged)})
            opened += len(judged) - len(idle)
    return opened


def settle(setup: Setup, store: Store, mention: Mention, analysis: Analysis) -> bool:
    """Take the one step `mention` asks for, with its alerts, in one transaction. False if it asks for none.

    Its brand's own words are looked at only for what they answer.
    """
    if not concerns(mention, analysis):
        return False
    known = store.case_of(mention.key)
    if known is not None and not set(analysis.grave) - set(known.grave):
        return False
    now, within = setup.now(), setup.cases.join_within
    related = store.related(
        author=author_of(mention),
        source=mention.source,
        thread=thread_of(mention),
        fingerprint=fingerprint(mention.text),
        since=mention.said_at - within,
    )
    replied_to = store.case_of(mention.parent) if mention.parent else None
    decision = decide(mention, analysis, related, join_within=within, replied_to=replied_to)
    if known is not None:  # an edit, or a better classifier, has found something grave in it
        decision = Decision(Step.JOIN if awaited(known) else Step.REOPEN, known)
    if decision.step is Step.NOTHING:
        return False
    routing = choose(mention, analysis, setup.grave_route, setup.routes)
    route = routing.route
    case, occasion = carry_out(
        decision, mention, analysis, route=route.name, team=route.team, reply_within=route.reply_within, now=now
    )
    reply = store.answer_to(mention.key) if decision.step is Step.OPEN and not case.grave else None
    if reply is not None:  # heard before what it answers
        case, occasion = case.model_copy(update={"answered_at": reply.said_at}), None
    place = setup.place(mention.source)
    if occasion:
        made = alerts(case, mention, routing, occasion=occasion, place=place, made_at=now)
    else:
        made = endings(setup, store, case, mention) if decision.step in {Step.ANSWER, Step.CLOSE} else []
    if store.write(case, analysis, made, was=decision.case):
        log.info("%s: %s", case.key, decision.step, extra={"step": "case", "done": 1})
        if decision.step is Step.OPEN:
            case_opened(case)
    return True  # written, or left to be decided again because another run or a person was faster
