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

_NOT_WORDS = re.compile(r"^rt\b|https?://\S+|@\S+|[\W_]+")
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
    words = _NOT_WORDS.sub("", unicodedata.normalize("NFKC", text).casefold())
    return hashlib.sha256(words.encode()).hexdigest()[:32] if len(words) >= _SAME_WORDS_FROM else ""


def decide(mention: Mention, analysis: Analysis, related: Sequence[Case], *, join_within: timedelta) -> Decision:
    """What `mention` does, given the cases of its author, its thread and its words, newest first.

    Another author in the same thread has a case of their own; a repost of the same words has not. A case that was
    answered or closed is taken up again if its author complains again within `join_within`.
    """
    ours = [case for case in related if _recent(case, mention, join_within)]
    if mention.by_brand:
        answered = [case for case in ours if case.thread == thread_of(mention) and case.answered_at is None]
        return Decision(Step.ANSWER, answered[0]) if answered else Decision(Step.NOTHING)
    author = author_of(mention)
    same_author = [case for case in ours if case.author == author and (author or case.thread == thread_of(mention))]
    if analysis.needs_reply:
        words = fingerprint(mention.text)
        reposted = [case for case in ours if words and case.fingerprint == words]
        for case in same_author + reposted:
            if case.state is CaseState.OPEN:
                return Decision(Step.JOIN, case)
        for case in same_author:
            return Decision(Step.REOPEN, case)
        if reposted:
            return Decision(Step.JOIN, reposted[0])
        return Decision(Step.OPEN)
    for case in same_author:
        if case.state is CaseState.OPEN and case.thread == thread_of(mention) and _settled(analysis):
            return Decision(Step.CLOSE, case)
    return Decision(Step.NOTHING)


def _settled(analysis: Analysis) -> bool:
    return analysis.lane is Lane.EXPERIENCE and analysis.sentiment is Feeling.POSITIVE and not analysis.complaint


def _recent(case: Case, mention: Mention, within: timedelta) -> bool:
    return abs(mention.said_at - case.last_said_at) <= within
