"""Runs of the real flow from the command line, and what came of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from prefect.client.schemas.objects import State
from rich.console import Console

from connectors.sources.file import File
from desk.progress import StepProgress
from flows.listen import bring_home, listen
from flows.setup import Setup
from pipeline.case import Case
from pipeline.errors import SettingsError
from pipeline.route import Alert
from pipeline.visit import Visit
from storage.store import Counts


@dataclass(frozen=True, slots=True)
class Listened:
    """What one run of the flow did, and what now lies in the store."""

    visits: list[Visit]
    judged: int
    opened: list[Case]
    sent: list[Alert]
    failures: list[str]
    counts: Counts = field(repr=False)

    @property
    def failed(self) -> bool:
        """Whether a source, a sink or the run itself failed."""
        return bool(self.failures)


def listen_once(settings: Path, console: Console) -> Listened:
    """Run the listen flow now, with progress on `console`. SettingsError before anything runs if it cannot work."""
    setup = Setup.read(settings)
    began = setup.now()
    with StepProgress(console) as progress:
        state = listen(setup.path, return_state=True)
    with setup.store() as store:
        return Listened(
            visits=store.visits(began, setup.now()),
            judged=progress.counts["judge"],
            opened=store.cases_between(began, setup.now()),
            sent=store.sent_since(began),
            failures=_failures(state),
            counts=store.counts(),
        )


def _failures(state: State) -> list[str]:
    if state.is_completed():
        return []
    states = state.result(raise_on_failure=False)
    parts = states if isinstance(states, list) else [state]
    return [str(part.message) for part in parts if isinstance(part, State) and not part.is_completed()]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import brought, and the rows it could not read."""

    source: str
    visit: Visit
    rejected: list[tuple[str, str]]


def import_once(settings: Path, file: Path, name: str | None, given: Mapping[str, Mapping[str, str]]) -> Imported:
    """Bring in `file` through the same path as every other source. SettingsError or RefusedError if it cannot be read."""
    setup = Setup.read(settings)
    listed = {source.name for source in setup.sources}
    stem = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in file.name.partition(".")[0])
    called = name or stem or "import"
    if called in listed:
        raise SettingsError(f'a source is named "{called}" already; give this import another name with --name')
    fields = {key: dict(value) for key, value in given.items() if key != "option"}
    source = File.model_validate(
        {"kind": "file", "name": called, "path": str(file.resolve()), **fields, **given["option"]}
    )
    began = setup.now()
    with setup.store() as store:
        store.migrate()
    visit = bring_home(setup, source)
    with setup.store() as store:
        aside = [(row.place, row.reason) for row in store.rejected(began) if row.source == called]
    return Imported(called, visit, aside)


def demo_once(folder: Path, page: Path, console: Console) -> None:
    """The demo: a month of the brand Hike, heard from servers on this machine by the real flow."""
    raise NotImplementedError
