"""Case: one complaint somebody has to answer; when one is opened, joined, reopened, answered and closed."""

import hashlib
import re
import unicodedata
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Field, SQLModel

from pipeline.analysis import Analysis
from pipeline.mention import Mention
from pipeline.sentiment import Feeling
from pipeline.triage import Category, Lane, Urgency

_DRESSING = re.compile(r"^\s*rt\b|https?://\S+|@\S+")
_NOT_WORDS = re.compile(r"[\W_]+")
SETTLED = "the author says it is settled"
DELETED = "deleted by its author"
"""Why a case needs nobody any more of which nothing is left, and what stands where a stranger's words stood."""
_SAME_WORDS_FROM = 40
"""Fewer letters than this and two people may well have said the same by chance ("it crashes every time")."""


class CaseState(StrEnum):
    """Open cases wait for an answer, or for the author to say it is settled."""

    OPEN = "open"
    CLOSED = "closed"


class Case(SQLModel):
    """One complaint somebody has to answer. `key` is made from its first mention, so two runs cannot open it twice.

    `reply_by` is the deadline of the first reply; `answered_at` is when the brand first replied, null while it has not.
    """

    key: str
    state: CaseState = CaseState.OPEN
    first_mention: str
    brand: str | None
    source: str
    author: str | None
    thread: str | None
    fingerprint: str = Field(description="Of the words, so that a repost joins the case instead of opening another.")
    category: Category | None
    urgency: Urgency | None
    grave: list[str]
    route: str
    team: str
    opened_at: datetime
    reply_by: datetime
    last_said_at: datetime
    answered_at: datetime | None = None
    closed_at: datetime | None = None
    closed_because: str | None = None


class Step(StrEnum):
    """What a mention does to the cases."""

    OPEN = "open"
    JOIN = "join"
    REOPEN = "reopen"
    ANSWER = "answer"
    CLOSE = "close"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Decision:
    """One step, and the case it is taken on (null when a new one is opened or nothing happens)."""

    step: Step
    case: Case | None = None


def case_key(mention: Mention) -> str:
    """A short name people can type, always the same for the same first mention."""
    return "C-" + b32encode(hashlib.sha256(mention.key.encode()).digest())[:10].decode()


def author_of(mention: Mention) -> str | None:
    """Who said it, by the id that outlives a change of name where the source gives one."""
    return mention.author_id or mention.author


def thread_of(mention: Mention) -> str:
    """The conversation a mention belongs to: its thread, or the one it starts itself."""
    return mention.thread or mention.parent or mention.key


def fingerprint(text: str) -> str:
    """The same for the same words whatever the case, the handles, the links and the punctuation; empty if too short."""
    words = _NOT_WORDS.sub("", _DRESSING.sub("", unicodedata.normalize("NFKC", text).casefold()))
    return hashlib.sha256(words.encode()).hexdigest()[:32] if len(words) >= _SAME_WORDS_FROM else ""


def decide(
    mention: Mention,
    analysis: Analysis,
    related: Sequence[Case],
    *,
    join_within: timedelta,
    replied_to: Case | None = None,
) -> Decision:
    """What `mention` does, given the cases of its author, its thread and its words, newest first.

    `replied_to` is the case of the mention it replies to, if that belongs to one. Another author in the same thread has
    a case of their own; a repost of the same words has not. A case that was answered or closed is taken up again if its
    author complains again within `join_within`, or if what opened it was deleted and is shown again.
    """
    ours = [case for case in related if case.brand == mention.brand and _recent(case, mention, join_within)]
    if mention.by_brand:
        return _answered(mention, ours, replied_to)
    author = author_of(mention)
    same_author = [case for case in ours if case.author == author and (author or case.thread == thread_of(mention))]
    if not analysis.needs_reply:
        thanked = [case for case in same_author if case.thread == thread_of(mention) and _may_be_settled(case, mention)]
        return Decision(Step.CLOSE, thanked[0]) if thanked and _settled(analysis) else Decision(Step.NOTHING)
    opened = [case for case in related if case.key == case_key(mention)]
    if opened:
        return Decision(Step.JOIN if awaited(opened[0]) else Step.REOPEN, opened[0])
    words = fingerprint(mention.text)
    waiting = [case for case in same_author if awaited(case)]
    reposted = [case for case in ours if words and case.fingerprint == words and awaited(case)]
    for step, cases in ((Step.JOIN, waiting), (Step.REOPEN, same_author), (Step.JOIN, reposted)):
        if cases:
            return Decision(step, cases[0])
    return Decision(Step.OPEN)


def awaited(case: Case) -> bool:
    """Whether somebody still has to answer."""
    return case.state is CaseState.OPEN and case.answered_at is None


def _answered(reply: Mention, ours: Sequence[Case], replied_to: Case | None) -> Decision:
    """The brand's own words answer the case they reply to; in a thread with one awaited case, they answer that.

    With several customers in a thread nobody can tell whom they answer, so all go on waiting.
    """
    there = [case for case in ours if case.thread == thread_of(reply)] if replied_to is None else [replied_to]
    meant = [case for case in there if awaited(case) and case.last_said_at <= reply.said_at]
    return Decision(Step.ANSWER, meant[0]) if len(meant) == 1 else Decision(Step.NOTHING)


def _may_be_settled(case: Case, mention: Mention) -> bool:
    """A cheerful word settles only what the brand has answered before, and nothing grave."""
    answered = case.answered_at is not None and case.answered_at <= mention.said_at
    return case.state is CaseState.OPEN and answered and not case.grave


def concerns(mention: Mention, analysis: Analysis) -> bool:
    """Whether `mention` can change any case at all; most mentions cannot, and need no look at the cases."""
    return mention.by_brand or analysis.needs_reply or _settled(analysis)


def carry_out(
    decision: Decision,
    mention: Mention,
    analysis: Analysis,
    *,
    route: str,
    team: str,
    reply_within: timedelta,
    now: datetime,
) -> tuple[Case, str | None]:
    """The case after a step other than NOTHING, and the occasion to alert somebody for (null: nobody needs to hear).

    A joined case alerts only if it became grave; otherwise one case is one alert until the brand has answered. The
    occasion of one taken up again says when, for the same mention may do so twice: deleted, and shown again.
    """
    case = decision.case
    if case is None:
        return _opened(mention, analysis, route=route, team=team, reply_within=reply_within, now=now), "opened"
    changes: dict[str, object] = {"last_said_at": max(case.last_said_at, mention.said_at)}
    occasion = None
    if decision.step is Step.ANSWER:
        changes = {"answered_at": mention.said_at}
    elif decision.step is Step.CLOSE:
        changes |= {"state": CaseState.CLOSED, "closed_at": mention.said_at, "closed_because": SETTLED}
    elif decision.step is Step.REOPEN:
        occasion = f"again:{mention.key}:{now.isoformat()}"
        changes |= {"state": CaseState.OPEN, "answered_at": None, "closed_at": None, "closed_because": None}
        changes |= {"reply_by": now + reply_within, "route": route, "team": team}
    if decision.step in {Step.JOIN, Step.REOPEN}:
        if case.key == case_key(mention):  # what opened it was deleted meanwhile, and whose it was forgotten
            changes |= {"author": case.author or author_of(mention)}
            changes |= {"fingerprint": case.fingerprint or fingerprint(mention.text)}
            occasion = occasion and f"shown:{mention.key}:{now.isoformat()}"
        changes["urgency"] = _graver(case.urgency, _urgency(analysis))
        if set(analysis.grave) - set(case.grave):
            occasion = f"grave:{mention.key}"
            changes |= {"grave": sorted({*case.grave, *analysis.grave}), "route": route, "team": team}
            changes["reply_by"] = min(case.reply_by, now + reply_within)
    return case.model_copy(update=changes), occasion


def _opened(
    mention: Mention, analysis: Analysis, *, route: str, team: str, reply_within: timedelta, now: datetime
) -> Case:
    return Case(
        key=case_key(mention),
        first_mention=mention.key,
        brand=mention.brand,
        source=mention.source,
        author=author_of(mention),
        thread=thread_of(mention),
        fingerprint=fingerprint(mention.text),
        category=analysis.category,
        urgency=_urgency(analysis),
        grave=sorted(analysis.grave),
        route=route,
        team=team,
        opened_at=now,
        reply_by=now + reply_within,
        last_said_at=mention.said_at,
    )


def _urgency(analysis: Analysis) -> Urgency | None:
    """A case with a grave signal is critical, whatever lane its words are in."""
    return Urgency.CRITICAL if analysis.grave else analysis.urgency


def _graver(one: Urgency | None, other: Urgency | None) -> Urgency | None:
    order = [*Urgency, None]
    return min(one, other, key=order.index)


def _settled(analysis: Analysis) -> bool:
    return analysis.lane is Lane.EXPERIENCE and analysis.sentiment is Feeling.POSITIVE and not analysis.complaint


def _recent(case: Case, mention: Mention, within: timedelta) -> bool:
    return abs(mention.said_at - case.last_said_at) <= within
