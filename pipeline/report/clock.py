"""The clock of a report: which cases it tells of, and where each stood when it was made."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

from pipeline.case import Case, CaseState
from pipeline.report.figures import Answers, Call, Quote, Standing
from pipeline.trend import wilson
from pipeline.triage import Urgency

_PRESSING = frozenset({Urgency.CRITICAL, Urgency.HIGH})
_MISSED = frozenset({Standing.OVERDUE, Standing.LATE})
_STANDINGS, _URGENCIES = list(Standing), list(Urgency)


def concerns(case: Case, *, start: datetime, end: datetime, as_of: datetime) -> bool:
    """Whether a case belongs to the period: said or opened in it, or brought into it without an answer."""
    waiting = case.opened_at < start and standing(case, as_of=as_of) in {Standing.OVERDUE, Standing.WAITING}
    return waiting or start <= case.opened_at < end or start <= case.last_said_at < end


def standing(case: Case, *, as_of: datetime) -> Standing:
    """Where a case stood against its clock at `as_of`; what happened later had not happened yet."""
    if case.answered_at is not None and case.answered_at <= case.opened_at:
        return Standing.BEFORE
    if case.answered_at is not None and case.answered_at <= as_of:
        return Standing.LATE if case.answered_at > case.reply_by else Standing.IN_TIME
    if case.state is CaseState.CLOSED and case.closed_at is not None and case.closed_at <= as_of:
        return Standing.CLOSED
    return Standing.OVERDUE if case.reply_by < as_of else Standing.WAITING


def urgent(cases: Iterable[Case], *, as_of: datetime) -> list[Case]:
    """The cases somebody should look at: grave, critical, high or past the deadline; the most pressing first."""
    found = [
        case for case in cases if case.grave or case.urgency in _PRESSING or standing(case, as_of=as_of) in _MISSED
    ]
    return sorted(found, key=lambda case: _order(case, as_of))


def call(case: Case, *, as_of: datetime, label: str, quote: Quote | None) -> Call:
    """A case as a report tells of it."""
    return Call(
        case=case.key,
        standing=standing(case, as_of=as_of),
        category=case.category,
        urgency=case.urgency,
        grave=case.grave,
        team=case.team,
        source=label,
        author=case.author,
        opened_at=case.opened_at,
        reply_by=case.reply_by,
        answered_at=case.answered_at,
        quote=quote,
    )


def answers(cases: Sequence[Case], *, as_of: datetime) -> Answers:
    """How the clock was kept over all cases of the period."""
    stood = [standing(case, as_of=as_of) for case in cases]
    in_time, late = stood.count(Standing.IN_TIME), stood.count(Standing.LATE)
    waits = [
        (case.answered_at - case.opened_at).total_seconds()
        for case in cases
        if case.answered_at and case.opened_at < case.answered_at <= as_of
    ]
    return Answers(
        opened=len(cases),
        in_time=wilson(in_time, in_time + late),
        before=stood.count(Standing.BEFORE),
        closed=stood.count(Standing.CLOSED),
        waiting=stood.count(Standing.WAITING),
        overdue=stood.count(Standing.OVERDUE),
        first_reply=timedelta(seconds=median(waits)) if waits else None,
    )


def _order(case: Case, as_of: datetime) -> tuple[bool, bool, int, int, datetime, str]:
    """Grave before the rest, still to be answered before answered, then by urgency and deadline."""
    urgency = _URGENCIES.index(case.urgency) if case.urgency else len(_URGENCIES)
    stood = standing(case, as_of=as_of)
    done = stood not in {Standing.OVERDUE, Standing.WAITING}
    return (not case.grave, done, _STANDINGS.index(stood), urgency, case.reply_by, case.key)
