"""Listen: every 15 minutes. Hear what is new, judge it, open cases, send alerts.

Every step asks the store what is left to do, so a run that was killed needs no repair, only the next run.
"""

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import wait
from prefect.states import Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task, exponential_backoff

from connectors import AnySink, AnySource
from connectors.contract import Batch, fetch
from flows.setup import Setup
from pipeline.analysis import Analysis
from pipeline.case import Decision, Step, author_of, awaited, carry_out, concerns, decide, fingerprint, thread_of
from pipeline.classifier import Reading
from pipeline.errors import EarfulError, TemporaryError, told
from pipeline.mention import Mention, MentionKind
from pipeline.route import alerts, choose
from pipeline.text import shorten
from pipeline.visit import Visit
from storage.store import Store

log = logging.getLogger(__name__)

SIDE_BY_SIDE: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=8)
"""Sources and sinks are served side by side: they wait for the network, not for us."""
BATCH = 1000
"""Mentions judged and saved at once: large enough for bulk writes, small enough for flat memory."""
LEASE = timedelta(minutes=5)
"""How long one run keeps an alert to itself. A run killed while sending loses it to the next run after this."""
BACK_OFF = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
"""Waits after the first, second, third and every later failure of one alert."""
LONGEST_PAUSE = timedelta(days=1)
"""However long the other side asks us to wait."""
GIVE_UP_AFTER = 3
"""A sink that fails this often in a row is left alone until the next run; its alerts wait."""


def _passing(_task: Task[..., Any], _run: TaskRun, state: State) -> bool:
    """Whether trying again now can help: a TemporaryError passes by itself, if the other side asks for no more time."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, TemporaryError) and error.retry_after is None


PATIENT: dict[str, Any] = {
    "retries": 1,
    "retry_delay_seconds": exponential_backoff(backoff_factor=5),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": _passing,
}


@flow(name="listen", task_runner=SIDE_BY_SIDE, validate_parameters=False, persist_result=False)
def listen(settings: Path = Path("earful.toml")) -> list[State]:
    """Hear, judge, open, send. Fails for a broken source or sink, after all the others are served."""
    setup = Setup.read(Path(settings))
    with setup.store() as store:
        store.migrate()
    heard = [collect.submit(setup, source) for source in setup.sources]
    wait(heard)
    done = see_to(setup, past=False)
    if done[0].is_completed() and outdated(setup):
        done += see_to(setup, past=True)  # after what is new: it may take long
    return [*(future.state for future in heard), *done, *orphans(setup)]


def see_to(setup: Setup, *, past: bool) -> list[State]:
    """Judge, open cases, send. Whatever fails holds up nothing after it: not what was judged before, and no alert."""
    judged: State[str] = analyse(setup, past=past, return_state=True)
    version = judged.result() if judged.is_completed() else None
    opened: State[int] = open_cases(setup, version, return_state=True)
    sent = [send.submit(setup, sink) for sink in setup.sinks]
    wait(sent)
    return [judged, opened, *(future.state for future in sent)]


def outdated(setup: Setup) -> bool:
    """Whether another version than the present one judged something last."""
    with setup.store() as store:
        return bool(store.unanalysed(setup.analyst().version, 1))


@task(cache_policy=NO_CACHE, task_run_name="collect {source.name}", **PATIENT)
def collect(setup: Setup, source: AnySource) -> int:
    """Bring home what is new from one source. Stopping halfway loses nothing."""
    return bring_home(setup, source).new


def bring_home(setup: Setup, source: AnySource, *, noted: bool = True) -> Visit:
    """Walk one source from where it was left, saving each page before the next is asked for.

    The visit is `noted` too, however it ends; an import by hand is no source that could fall silent.
    """
    visit = Visit(source=source.name, started_at=setup.now(), ended_at=setup.now())
    with setup.store() as store, setup.http() as http:
        try:
            for batch in fetch(source, http, since=_since(store.cursor(source.name), source)):
                mentions = [signed(setup, source, mention) for mention in batch.mentions]
                visit.new += save(store, source, batch, mentions, setup.now())
                visit.heard += len(mentions)
                visit.rejected += len(batch.rejected)
                log.info("%s: %d heard", source.name, visit.heard, extra={"step": "hear", "done": len(mentions)})
        except EarfulError as error:
            visit.error, visit.who_acts = str(error), error.who_acts
            log.error("%s: %s", source.name, told(str(error), error.who_acts))  # noqa: TRY400 - no traceback: not ours
            raise
        except Exception as error:
            visit.error, visit.who_acts = type(error).__name__, "a developer"
            raise
        finally:
            visit.ended_at = setup.now()
            if noted:
                store.note_visit(visit)
    return visit


def signed(setup: Setup, source: AnySource, mention: Mention) -> Mention:
    """The mention with its brand on it, and marked where the brand said it itself."""
    own = {name.casefold().lstrip("@") for name in setup.brand.authors}
    names = {name.casefold().lstrip("@") for name in (mention.author, mention.author_id) if name}
    brand = mention.brand or source.brand or setup.brand.name
    # A reviewer's name is free text: anybody may call themselves like the brand.
    by_brand = mention.by_brand or (mention.kind is not MentionKind.REVIEW and bool(own & names))
    return mention.model_copy(update={"brand": brand, "by_brand": by_brand})


def save(store: Store, source: AnySource, batch: Batch, mentions: Sequence[Mention], now: datetime) -> int:
    """One page into the store, cursor and all, in one transaction; how many mentions are new."""
    cursor = None if batch.cursor is None else f"{_asked(source)} {batch.cursor}"
    return store.save(source.name, mentions, batch.raws, batch.rejected, cursor, heard_at=now)


def _asked(source: AnySource) -> str:
    """A short name of what a source is asked: with another phrase or tag, how far it was read means nothing.

    Only what was set counts: a setting that a later version adds must not send every source back to its start.
    """
    what = source.model_dump_json(exclude={"name", "brand"}, exclude_defaults=True)
    return hashlib.sha256(f"{source.kind} {what}".encode()).hexdigest()[:12]


def _since(cursor: str | None, source: AnySource) -> str | None:
    """How far the source was read, if it was asked the same."""
    asked, _, since = (cursor or "").partition(" ")
    return since if asked == _asked(source) else None


@task(cache_policy=NO_CACHE)
def analyse(setup: Setup, *, past: bool = True) -> str:
    """Judge what nobody has judged, and what another version of the classifiers judged in the `past`; the version.

    Each batch by the lesson adopted last, so that two runs agree, and do not undo each other's judgements without end.
    """
    judged = 0
    with setup.store() as store:
        while mentions := store.unanalysed((analyst := setup.analyst()).version, BATCH, past=past):
            analyses = analyst.analyse([Reading.of(mention) for mention in mentions])
            store.save_analyses(analyses)
            judged += len(analyses)
            log.info("%d judged", judged, extra={"step": "judge", "done": len(analyses)})
    return analyst.version


@task(cache_policy=NO_CACHE)
def open_cases(setup: Setup, version: str | None = None) -> int:
    """Open, join, answer, reopen and close cases, oldest mention first; their alerts go to the outbox with them.

    Of what `version` judged; the present one if it is not given. A lesson may be adopted just before: it has judged
    nothing yet, and what was judged must not wait for it.
    """
    version, opened = version or setup.analyst().version, 0
    since = setup.now() - setup.cases.open_within
    with setup.store() as store:
        while judged := store.unhandled(version, since, BATCH):
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
    made = alerts(case, mention, routing, occasion=occasion, place=place, made_at=now) if occasion else []
    if store.write(case, analysis, made, was=decision.case):
        log.info("%s: %s", case.key, decision.step, extra={"step": "case", "done": 1})
    return True  # written, or left to be decided again because another run or a person was faster


@task(cache_policy=NO_CACHE, task_run_name="send {sink.name}")
def send(setup: Setup, sink: AnySink) -> int:
    """Deliver what waits for one sink, oldest first. Each alert is marked when it is out, so nobody hears it twice.

    A failing alert waits for its next try and the rest goes on; a sink that fails again and again is left for this run.
    The outbox is the retry: Prefect must not try again by itself.
    """
    sent, in_a_row, failure = 0, 0, None
    with setup.store() as store, setup.http() as http:
        while in_a_row < GIVE_UP_AFTER and (claimed := store.claim(sink.name, setup.now(), LEASE, 1)):
            alert = claimed[0]
            try:
                receipt = sink.send(http, alert.model_copy(update={"text": shorten(alert.text, sink.text_limit)}))
            except EarfulError as error:
                failure, in_a_row = error, in_a_row + 1
                store.mark_failed(alert, str(error), error.who_acts, setup.now() + pause(store.attempts(alert), error))
                log.error("%s: %s", sink.name, told(str(error), error.who_acts))  # noqa: TRY400 - not our fault
            else:
                store.mark_sent(alert, receipt, setup.now())
                sent, in_a_row = sent + 1, 0
                log.info("%s: %s sent", sink.name, alert.key, extra={"step": "send", "done": 1})
    if failure is not None:
        raise failure
    return sent


def orphans(setup: Setup) -> list[State]:
    """A failure for each sink that is named no more while alerts still wait for it."""
    with setup.store() as store:
        waiting = {name: wait for name, (wait, _) in store.counts().alerts.items() if wait}
    lost = sorted(waiting.keys() - {sink.name for sink in setup.sinks})
    mend = "which is no sink any more; name a sink so again in the settings"
    return [Failed(message=f'{waiting[name]} alerts wait for "{name}", {mend}') for name in lost]


def pause(attempts: int, error: EarfulError) -> timedelta:
    """How long an alert waits after `attempts` failures and this one; never less than the other side asked."""
    usual = BACK_OFF[min(attempts, len(BACK_OFF) - 1)]
    asked = error.retry_after if isinstance(error, TemporaryError) else None
    return max(usual, min(asked or usual, LONGEST_PAUSE))
