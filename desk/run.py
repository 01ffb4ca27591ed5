"""Runs of the real flow from the command line, and what came of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from prefect.client.schemas.objects import State
from pydantic import ValidationError
from rich.console import Console

from connectors.sources.file import File
from desk import show
from desk.demo.servers import open_town
from desk.progress import StepProgress
from flows.collect import bring_home
from flows.digest import report_of, write
from flows.listen import listen
from flows.settings import dotted, in_our_words
from flows.setup import Setup
from pipeline.errors import SettingsError, told
from pipeline.report import render
from pipeline.visit import Visit, together


def listen_once(settings: Path, console: Console) -> show.Listened:
    """Run the listen flow now, with progress on `console`. SettingsError before anything runs if it cannot work."""
    setup = Setup.read(settings)
    with setup.store() as store:
        store.migrate()
    began = setup.now()
    with StepProgress(console) as progress:
        try:
            state = listen(setup.path, return_state=True)
        except RuntimeError as error:
            if "Failed to reach API" not in str(error):
                raise
            mend = "start that server, or unset PREFECT_API_URL to run without one"
            raise SettingsError(f"PREFECT_API_URL: no Prefect server answers there; {mend}") from error
    with setup.store() as store:
        visits = list(together(store.visits(began, setup.now())).values())
        return show.Listened(
            visits=visits,
            judged=progress.counts["judge"],
            opened=store.cases_between(began, setup.now()),
            sent=store.sent_since(began),
            failed=not state.is_completed(),
            failures=_failures(state, visits),
            counts=store.counts(),
        )


def _failures(state: State, visits: list[Visit]) -> list[str]:
    """What failed, each thing once: sources by their last visit, sinks, and anything that is our own fault."""
    if state.is_completed():
        return []
    states = state.result(raise_on_failure=False)
    parts = [part for part in states if isinstance(part, State)] if isinstance(states, list) else [state]
    sources = {visit.error: f"{visit.source}: {told(visit.error, visit.who_acts)}" for visit in visits if visit.error}
    failed = [part for part in parts if not part.is_completed()]
    errors = [part.result(raise_on_failure=False) if part.data else part.message for part in failed]
    said = dict.fromkeys(str(error) or type(error).__name__ for error in errors)
    return [sources.pop(message, message) for message in said] + list(sources.values())


def import_once(settings: Path, file: Path, name: str | None, given: Mapping[str, Mapping[str, str]]) -> show.Imported:
    """Bring in `file` the way of every other source. SettingsError or RefusedError if it cannot be read."""
    setup = Setup.read(settings)
    listed = {source.name for source in setup.sources}
    stem = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in file.name.partition(".")[0])
    called = name or stem or "import"
    if called in listed:
        raise SettingsError(f'a source is named "{called}" already; give this import another name with --name')
    fields = {key: dict(value) for key, value in given.items() if key != "option"}
    told = {"kind": "file", "name": called, "path": str(file.resolve()), **fields, **given["option"]}
    try:
        source = File.model_validate(told)
    except ValidationError as error:
        faults = [f"{dotted(where)}: {what}" for where, what in map(in_our_words, error.errors())]
        raise SettingsError("\n".join(faults)) from None
    began, keeps = setup.now(), setup.keep.mentions
    with setup.store() as store:
        store.migrate()
    visit = bring_home(setup, source, noted=False)
    with setup.store() as store:
        store.note_visit(visit)
        aside = [(row.place, row.reason) for row in store.rejected(began) if row.source == called]
    return show.Imported(called, visit, aside, None if keeps is None else began - keeps)


def demo_once(folder: Path, page: Path, console: Console) -> None:
    """The demo: a month of the brand Hike, heard from servers on this machine by the real flow.

    Writes the report to `page` and keeps its database, alerts and settings in `folder`, anew each time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in ("earful.db", "earful.db-wal", "earful.db-shm", "earful-cache.db", "alerts.jsonl"):
        (folder / left).unlink(missing_ok=True)
    settings = folder / "earful.toml"
    end = datetime.now(UTC)
    console.print(
        "[bold]A month of Hike[/], a running-shoe brand that does not exist, told by servers on this machine."
    )
    with open_town(end, folder) as town:
        settings.write_text(town.settings(), encoding="utf-8")
        done = listen_once(settings, console)
    show.listened(console, done, as_json=False)
    console.print("\n[bold]Some of the alerts, and why they went there[/]")
    show.alerts(console, done.sent)
    setup = Setup.read(settings)
    last = end.astimezone(setup.zone).date() + timedelta(1)
    with setup.store() as store:
        start, until = (datetime.combine(day, time(), setup.zone) for day in (last - timedelta(31), last))
        report = report_of(setup, store, start, until)
    write(page, render(report))
    console.print()
    show.reported(console, report, page, as_json=False)
    console.print(
        f"\nLook around (Hike's servers are gone now, what they told is kept): [bold]earful cases -s {settings}[/]\n"
        'For your own brand: [bold]earful init "Your Brand"[/], then [bold]earful check[/] and '
        "[bold]earful try hacker-news[/];\n"
        "[bold]earful listen[/] hears and alerts once, and docs/deploy.md puts it on a schedule.",
        soft_wrap=True,
    )
