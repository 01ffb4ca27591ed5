"""The command line: one command for each thing a person wants of Earful."""

import json
import logging
import sys
from importlib.metadata import version as installed_version
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from desk import (
    alerts,
    backfill,
    backup,
    cases,
    conform,
    correct,
    find,
    forget,
    judge_again,
    listen,
    record,
    reply,
    report,
    show,
    trends,
    why,
)
from desk.console import FAILED, HERE, UNUSABLE, Json, Settings, err, in_words, out
from desk.status import status as status_of
from pipeline.errors import SettingsError
from pipeline.triage.judge import Effort

app = typer.Typer(
    name="earful",
    help="Hear every review and mention of a brand, answer for the complaints, learn from the rest.",
    epilog="Start with: earful demo. For your own brand: earful init, then earful check.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)
app.add_typer(cases.app, name="cases")
app.add_typer(alerts.app, name="alerts")
app.command()(correct.review)
app.command()(correct.correct)
app.command()(correct.learn)
app.command()(why.why)
app.command()(conform.conform)
app.command()(record.record)
app.command()(reply.reply)
app.command()(report.report)
app.command()(backfill.backfill)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(forget.forget)
app.command()(judge_again.judge_again)
app.command()(find.find)
app.command()(trends.trends)
app.command()(listen.listen)


def main() -> None:
    """Run the command line; errors that Earful knows are said in words, without a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("flows").setLevel(logging.CRITICAL)  # what a step reports, its command says in its own words
    app()


def _version(*, asked: bool) -> None:
    if asked:
        out.print(f"earful {installed_version('earful')}")
        raise typer.Exit


@app.callback()
def _earful(
    version: Annotated[
        bool, typer.Option("--version", callback=lambda asked: _version(asked=asked), is_eager=True)
    ] = False,
) -> None:
    del version


@app.command()
def init(
    brand: Annotated[str, typer.Argument(help="Your brand, as people write it.")] = "Hike",
    settings: Settings = HERE,
    force: Annotated[bool, typer.Option(help="Write over a file that is there.")] = False,
) -> None:
    """Write a commented earful.toml to start from.

    Example: `earful init "Acme Shoes"`
    """
    if settings.exists() and not force:
        err.print(f"[red]{settings} is there already[/]; --force writes over it")
        raise typer.Exit(UNUSABLE)
    tag = "".join(letter for letter in brand.lower() if letter.isalnum()) or "brand"
    template = files("desk").joinpath("earful.toml").read_text(encoding="utf-8")
    name = json.dumps(brand, ensure_ascii=False)[1:-1]
    with in_words():
        settings.write_text(template.format(brand=name, tag=tag), encoding="utf-8")
    out.print(f"Wrote [bold]{settings}[/]. Next: [bold]earful check[/], then [bold]earful try hacker-news[/].")


@app.command()
def check(settings: Settings = HERE, as_json: Json = False) -> None:
    """Say what is wrong with the settings, before anything runs.

    Exit code 0 when everything can work, 2 when something cannot. Example: `earful check -s /srv/earful.toml`
    """
    from flows.setup import Setup

    with in_words():
        setup = Setup.read(settings)
        with setup.store() as store:
            store.migrate()
            heard = store.last_visits()
    show.checked(out, setup, heard, as_json=as_json)


@app.command("try")
def try_(
    name: Annotated[str, typer.Argument(metavar="SOURCE", help="Name of a source in the settings.")],
    settings: Settings = HERE,
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="Stop after this many mentions.")] = 10,
    as_json: Json = False,
) -> None:
    """Fetch and judge what one source says now, and save nothing.

    Example: `earful try hacker-news -n 5`
    """
    from connectors.contract import fetch
    from flows.collect import signed
    from flows.setup import Setup
    from pipeline.classifier import Reading

    with in_words():
        setup = Setup.read(settings)
        source = setup.source(name)
        mentions, rejected = [], []
        with setup.http() as http:
            for batch in fetch(source, http, since=None):
                mentions += [signed(setup, source, mention) for mention in batch.mentions]
                rejected += batch.rejected
                if len(mentions) >= most:
                    break
        mentions = mentions[:most]
        analyses = setup.analyst().analyse([Reading.of(mention) for mention in mentions])
    show.tried(out, setup, list(zip(mentions, analyses, strict=True)), rejected, as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet, also gzipped.")],
    settings: Settings = HERE,
    name: Annotated[str | None, typer.Option(help="Name of the source; the file's own name if not given.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="FIELD=COLUMN, such as text=Comment; again for each.")
    ] = None,
    constant: Annotated[list[str] | None, typer.Option(help="FIELD=VALUE for every row, such as brand=Hike.")] = None,
    where: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: only such rows.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="SETTING=VALUE of the source, such as rating_max=10.")
    ] = None,
) -> None:
    """Bring in an export once. Rows that cannot be read are kept aside with their line and reason.

    Importing the same file again adds nothing. Afterwards `earful listen` judges and routes. Exit code 1 if rows were
    kept aside, 2 if the file is not what its name says.

    Example, a survey from 0 to 10: `earful import nps.csv --column text=Comment --column rating=Score
    --option rating_min=0 --option rating_max=10`
    """
    from desk.run import import_once

    with in_words(refused=UNUSABLE):
        pairs = {"columns": column, "constants": constant, "where": where, "option": option}
        done = import_once(settings, file, name, {kind: _pairs(kind, given or []) for kind, given in pairs.items()})
    show.imported(out, done)
    if done.visit.rejected:
        raise typer.Exit(FAILED)


def _pairs(kind: str, given: list[str]) -> dict[str, str]:
    for pair in given:
        if "=" not in pair:
            raise SettingsError(f"--{kind.rstrip('s')} {pair}: write it as NAME=VALUE")
    return {pair.partition("=")[0]: pair.partition("=")[2] for pair in given}


@app.command()
def intake(
    settings: Settings = HERE,
    host: Annotated[str, typer.Option(help="Where to listen; put a server with TLS before it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8700,
) -> None:
    """Take what your programs push, signed, for every source of kind intake, until stopped; `listen` then hears it.

    Example: `earful intake --port 8700`
    """
    from desk.intake import serve

    with in_words():
        serve(settings, host, port, out)


@app.command()
def analyse(
    file: Annotated[
        Path, typer.Argument(metavar="IN", help="JSONL, CSV or Parquet, also gzipped, with a column text.")
    ],
    out_file: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write; the terminal if not given.")
    ] = None,
    effort: Annotated[
        Effort,
        typer.Option(help="fast: words only; accurate: the slow readers for all; auto: the quicker where needed."),
    ] = Effort.ACCURATE,
) -> None:
    """Judge texts without storing anything: one JSON object for each row, in order.

    The format is a public contract: docs/analyse.md. Exit code 1 if rows could not be read (they are answered with an
    `error`), 2 if the file is not what its name says.

    Example: `earful analyse reviews.csv --out judged.jsonl`
    """
    from desk.analyse import analyse_file
    from pipeline.analysis import Analyst

    with in_words(refused=UNUSABLE):
        done = analyse_file(file, out_file, Analyst(effort))
    err.print(
        f"{show.counted(done.rows, 'row')} judged" + (f", {done.errors:,} could not be read" if done.errors else "")
    )
    if done.errors:
        raise typer.Exit(FAILED)


@app.command()
def status(settings: Settings = HERE, as_json: Json = False) -> None:
    """Say when each source was last heard, how far, and what is stuck. Exit code 1 if something needs a person.

    Example: `earful status --json`
    """
    from flows.setup import Setup

    with in_words():
        setup = Setup.read(settings)
        with setup.store() as store:
            store.migrate()
            healthy = status_of(out, setup, store, as_json=as_json)
    if not healthy:
        raise typer.Exit(FAILED)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its database, alerts and settings.")] = Path(
        "earful-demo"
    ),
    page: Annotated[Path, typer.Option("--out", "-o", help="Where the report is written.")] = Path("report.html"),
) -> None:
    """Hear a month of a brand that does not exist, through the real connectors, from servers on this machine.

    Example: `earful demo --out hike.html`
    """
    from desk.run import demo_once

    with in_words():
        demo_once(folder, page, out)
