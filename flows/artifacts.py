"""Artifacts: what a person reads of a run in Prefect: heard and judged, alerts, what was not heard, the report.

Names, counts and errors, never a text or an author. They are a courtesy: without a server that lasts none is made, and
one that cannot be made fails no run.
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.runtime import deployment, flow_run

from connectors import AnySource
from flows.events import served
from flows.setup import Setup
from pipeline.coverage import Coverage, spoken
from pipeline.errors import told
from pipeline.report import Report, summary
from pipeline.visit import together
from storage.store import Counts, Store

log = logging.getLogger(__name__)

GAPS_OF = timedelta(days=30)
"""What was not heard before this is no news."""
MOST_GAPS = 100
"""Rows of one table."""


class Steps(logging.Handler):
    """Counts what the steps of a run report to have done, taken from what the flows log: `with Steps() as steps:`."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.done = Counter[str]()

    def __enter__(self) -> Self:
        flows = logging.getLogger("flows")
        self._level = flows.level
        if not flows.isEnabledFor(logging.INFO):
            flows.setLevel(logging.INFO)
        flows.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        flows = logging.getLogger("flows")
        flows.removeHandler(self)
        flows.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record; only a step's is counted."""
        step = getattr(record, "step", None)
        if step is not None:
            self.done[step] += int(getattr(record, "done", 0))


def show_run(setup: Setup, sources: Sequence[AnySource], began: datetime, steps: Steps) -> None:
    """Three tables: what was heard of these sources and judged since `began`, the alerts, and what was not heard."""
    if not served():
        return
    with _courtesy("the run"), setup.store() as store:
        counts, done = store.counts(), steps.done
        said = (
            f"{done['judge']:,} judged, {done['case']:,} steps taken on cases, {done['gone']:,} found deleted; "
            f"{counts.unanalysed:,} not yet judged, {counts.waiting:,} cases wait for an answer."
        )
        _put("table", "heard", list(_heard(setup, store, sources, began)), said)
        _show_alerts(setup, store, counts, began)
        gaps = list(_gaps(setup, store, sources))
        missed = f"something may be missing of {len(gaps)} of them" if gaps else "nothing is known to be missing"
        told_of = f"Stretches of the last {GAPS_OF.days} days: {missed}."
        _put("table", "gaps", gaps[:MOST_GAPS], told_of)


def show_report(setup: Setup, report: Report, page: Path) -> None:
    """Where the report lies, and its first figures."""
    if not served():
        return
    with _courtesy("the report"):
        figures = {
            "mentions": report.mentions,
            "need a reply": report.needs_reply.count,
            "complaints": report.complaint.count,
            "positive": report.positive.count,
            "negative": report.negative.count,
            "cases past their deadline": report.answers.overdue if report.answers else 0,
        }
        rows = "\n".join(f"| {name} | {count:,} |" for name, count in figures.items())
        last = report.end - timedelta(days=1)
        markdown = (
            f"# {setup.brand.name}, {report.start:%d %b} to {last:%d %b %Y}\n\n{summary(report)}\n\n"
            f"The page: [{page.name}]({page.resolve().as_uri()}), on the machine that ran this: `{page.resolve()}`\n\n"
            f"| | |\n|---|---|\n{rows}\n"
        )
        _put("markdown", "report", markdown, "A week on one page.")


@contextmanager
def _courtesy(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - no run fails because a table could not be drawn
        log.warning("%s is not shown in Prefect (%s)", what, type(error).__name__)


def _put(kind: Literal["table", "markdown"], what: str, shown: object, description: str) -> None:
    """Prefect's own `create_table_artifact` leaves its connection open.

    The key is the deployment's name with `what`, so that each group has a history of its own; the flow's without one.
    """
    name = deployment.name or flow_run.flow_name or "earful"
    key = re.sub(r"[^a-z0-9]+", "-", f"{name}-{what}".lower()).strip("-")
    run = UUID(flow_run.id) if flow_run.id else None
    data = shown if isinstance(shown, str) else json.dumps(shown)
    with get_client(sync_client=True) as client:
        client.create_artifact(ArtifactCreate(key=key, type=kind, description=description, data=data, flow_run_id=run))


def _heard(setup: Setup, store: Store, sources: Sequence[AnySource], began: datetime) -> Iterator[dict[str, object]]:
    """What came of each source since `began`, of all tries together: the last tells how it ended."""
    visits = together(store.visits(began))
    for source in sources:
        visit = visits.get(source.name)
        row: dict[str, object] = {"source": source.name, "place": setup.place(source.name)}
        if visit is None:
            yield row | {"error": "not visited"}
            continue
        yield row | {
            "heard": visit.heard,
            "new": visit.new,
            "set aside": visit.rejected,
            "deleted": visit.gone,
            "seconds": round((visit.ended_at - visit.started_at).total_seconds(), 1),
            "error": told(visit.error, visit.who_acts) if visit.error else visit.unchecked or "",
        }


def _show_alerts(setup: Setup, store: Store, counts: Counts, began: datetime) -> None:
    """For each sink what went out since `began`, what waits, and what is dead."""
    sent = Counter(alert.sink for alert in store.sent_since(began))
    tried = [one for one in store.waiting(setup.now()) if one.error]
    rows = []
    for name in dict.fromkeys([*(sink.name for sink in setup.sinks), *counts.alerts]):
        failed = [one for one in tried if one.alert.sink == name]
        error = next((told(str(one.error), one.who_acts) for one in failed), "")
        waiting, dead = counts.alerts.get(name, (0, 0))[0], counts.dead.get(name, 0)
        figures = {"sent": sent[name], "failed": len(failed), "waiting": waiting, "dead": dead}
        rows.append({"sink": name, **figures, "error": error})
    said = (
        "Sent since this run began, by it and by those beside it. What failed waits for its next try; "
        "`earful alerts` shows what is dead."
    )
    _put("table", "alerts", rows, said)


def _gaps(setup: Setup, store: Store, sources: Sequence[AnySource]) -> Iterator[dict[str, object]]:
    known, now = store.coverage(), setup.now()
    for source in sources:
        coverage = known.get(source.name, Coverage())
        for gap in sorted(coverage.unheard, key=lambda one: one.end, reverse=True):
            if now - gap.end < GAPS_OF:
                when, by_itself = spoken(gap.start, gap.end, setup.zone), not coverage.lasting(gap)
                yield {"source": source.name, "when": when, "why": gap.why, "may close by itself": by_itself}
