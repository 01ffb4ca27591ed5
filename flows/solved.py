"""Solved: which sinks are told that a case needs nobody any more, and whether that still holds at their turn."""

from connectors import AnySink
from flows.setup import Setup
from pipeline.case import Case, CaseState, awaited
from pipeline.mention import Mention
from pipeline.route import Alert, solved
from storage.store import Store


def settling(setup: Setup, *, closed: bool = True) -> list[str]:
    """The sinks that are told that a case is closed, or else only answered, where they heard of it."""
    return [sink.name for sink in setup.sinks if _ends(sink, closed=closed)]


def endings(setup: Setup, store: Store, case: Case, mention: Mention) -> list[Alert]:
    """An alert for each sink that heard of the case and must hear that `mention` settled it; none while it waits."""
    sinks = [] if awaited(case) else store.told(case.key, settling(setup, closed=_closed(case)))
    return solved(case, sinks, mention=mention, place=setup.place(mention.source), made_at=setup.now())


def overtaken(store: Store, alert: Alert, sink: AnySink) -> str | None:
    """Why this alert is not sent any more: its case was taken up again before the sink could be told that it is solved.

    Or the other way round: it is solved, and the sink would open again what nobody may ever end.
    """
    case = store.case(alert.case) if alert.case else None
    over = case is not None and not awaited(case) and _ends(sink, closed=_closed(case))
    if alert.kind == "solved":
        return None if over else "the case was taken up again"
    return "the case needs nobody any more" if over else None


def _ends(sink: AnySink, *, closed: bool) -> bool:
    """Whether what this sink holds of a case ends: a ticket once it is closed, a page once it is answered."""
    return sink.settles and (closed or sink.answer_settles)


def _closed(case: Case) -> bool:
    return case.state is CaseState.CLOSED
