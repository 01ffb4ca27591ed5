"""`earful record`: a live source's answers as a fixture, without secrets and people."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from desk.console import FAILED, HERE, Settings, err, in_words, out
from desk.show import counted

if TYPE_CHECKING:  # they take a while to import
    import httpx

    from connectors.contract import Source
    from pipeline.mention import Mention

MOST_WALKS = 3
"""A place that says something new at every call is called so often."""


def record(
    name: Annotated[str, typer.Argument(metavar="SOURCE", help="Name of a source in the settings.")],
    settings: Settings = HERE,
    folder: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write; recordings/SOURCE if not given.")
    ] = None,
    pages: Annotated[int, typer.Option(min=1, max=100, help="Stop after so many pages.")] = 3,
) -> None:
    """Write down what a source answers now, for tests: settings.json, exchanges.json and expected.json.

    Secrets and the names, addresses and pictures of people are taken out; what they said is not: read the files before
    you share them. Nothing is stored. `earful conform` replays them; where a source signs with its key, write some key
    of that form into settings.json first. Example: `earful record hacker-news --pages 2`
    """
    from connectors.client import open_client
    from connectors.recorder import Recorder, replayed
    from flows.setup import Setup
    from pipeline.errors import EarfulError

    with in_words():
        setup = Setup.read(settings)
        source = setup.source(name)
        recorder = Recorder(source)
        with setup.http() as http:
            http.event_hooks = {"response": [recorder.note]}
            try:
                heard, cut = _heard(source, http, pages)
            except EarfulError:
                err.print(f"[red]{name} could not be walked; nothing was written.[/] `earful try {name}` may say more.")
                raise
        exchanges = recorder.exchanges(heard)
        if not exchanges:
            err.print(f"[red]{name} was not asked anything over HTTP, so there is nothing to record.[/]")
            raise typer.Exit(FAILED)
        told = recorder.settings()
        with open_client(transport=replayed(exchanges)) as http:  # with the key still in hand: some must sign with it
            expected, _ = _heard(source, http, pages)
        where = folder or Path("recordings") / name
        where.mkdir(parents=True, exist_ok=True)
        mentions = sorted(
            (one.model_dump(mode="json", exclude_defaults=True) for one in expected), key=lambda one: one["key"]
        )
        for file, content in (("settings", told), ("exchanges", exchanges), ("expected", mentions)):
            _write(where / f"{file}.json", content)
    out.print(f"Wrote {len(exchanges)} answers and {len(mentions)} mentions to [bold]{where}[/].", end=" ")
    out.print("Read them before you share them.")
    if cut:
        out.print(f"{cut}: `earful conform` replays only what was walked to its end.")


def _heard(source: "Source", http: "httpx.Client", pages: int) -> "tuple[list[Mention], str | None]":
    """What so many pages tell, and why that is not all; None: it is, up to a call that heard nothing new.

    Whoever replays the recording calls again, and must get the answers of a later call.
    """
    from connectors.contract import fetch

    heard: dict[str, Mention] = {}
    cursor: str | None = None
    for _ in range(MOST_WALKS):
        since = cursor
        for number, batch in enumerate(fetch(source, http, since), 1):
            heard |= {mention.key: mention for mention in batch.mentions}
            cursor = batch.cursor or cursor
            if number == pages:
                if batch.reach is None:  # which only a walk's last page tells
                    return list(heard.values()), f"There is more than {counted(pages, 'page')}"
                break
        if cursor == since:
            return list(heard.values()), None
    return list(heard.values()), "Something new came at every call, the last one too"


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
