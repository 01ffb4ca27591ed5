"""Digest: Monday 08:00 in the brand's time zone. Last week on one page, and word of it to those who read it."""

from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.artifacts import show_report
from flows.ended import all_of, discreet, ended
from flows.listen import SIDE_BY_SIDE
from flows.send import send
from flows.setup import Setup
from pipeline.report import Report, measure, render, summary
from pipeline.route import Alert, alert_key
from storage.store import Store

USUAL = timedelta(days=28)
"""What a peak is held against: four weeks before the period, even if the period is shorter."""


@flow(name="digest", task_runner=SIDE_BY_SIDE, persist_result=False)
@discreet()
def digest(settings: Path = Path("earful.toml")) -> State[Any]:
    """Write last week's report into the folder of [digest] and tell its sinks."""
    setup = Setup.read(settings)
    end = last_monday(setup.now().astimezone(setup.zone))
    start = end - timedelta(days=7)
    page = setup.digest.folder / f"{setup.brand.name.lower().replace(' ', '-')}-{start:%Y-%m-%d}.html"
    with setup.store() as store:
        store.migrate()
        report = report_of(setup, store, start, end)
        write(page, render(report))
        store.put_alerts(word_of(setup, report, page, start))
    show_report(setup, report, page)
    return ended(all_of(setup.sinks, [send.submit(setup, sink) for sink in setup.sinks]))


def last_monday(now: datetime) -> datetime:
    """The midnight that last week ended with, on the clock of `now`'s own zone."""
    day = now.date() - timedelta(days=now.weekday())
    return datetime.combine(day, time(), tzinfo=now.tzinfo)


def report_of(setup: Setup, store: Store, start: datetime, end: datetime) -> Report:
    """What was said from `start` (included) to `end` (excluded), measured beside the equal time before it."""
    usual = start - max(end - start, USUAL)
    if setup.keep.mentions is not None:  # of what is older only that is left which awaits a reply
        usual = max(usual, setup.now() - setup.keep.mentions)
    return measure(
        store.judged(start, end),
        before=store.judged(usual, start),
        start=start,
        end=end,
        zone=setup.zone,
        brand=setup.brand.name,
        visits=store.visits(start, end),
        cases=store.cases_of(start, end),
        labels={source.name: setup.place(source.name) for source in setup.sources},
        quiet_after={source.name: source.quiet_after for source in setup.sources},
        coverage=store.coverage(),
        unanalysed=store.counts().unanalysed,
        rejected=store.counts().rejected,
        as_of=setup.now(),
    )


def write(page: Path, html: str) -> None:
    """The page, whole or not at all: it takes its name only when it is complete."""
    page.parent.mkdir(parents=True, exist_ok=True)
    draft = page.parent / f"{page.name}.part"
    draft.write_text(html, encoding="utf-8")
    draft.replace(page)


def word_of(setup: Setup, report: Report, page: Path, start: datetime) -> list[Alert]:
    """The alerts that say a report lies ready, one a sink, once a week."""
    return [
        Alert(
            key=alert_key("digest", f"{start:%Y-%m-%d}", sink),
            sink=sink,
            kind="digest",
            title=f"{setup.brand.name}: the week of {start:%d %B %Y}",
            text=summary(report),
            where=str(page),
            made_at=setup.now(),
        )
        for sink in setup.digest.sinks
    ]
