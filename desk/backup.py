"""`earful backup` and `earful restore`: everything Earful remembers in one file, and back."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from desk.console import HERE, UNUSABLE, Json, Settings, in_words, out
from desk.show import counted, dump, span


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it.")],
    settings: Settings = HERE,
    force: Annotated[bool, typer.Option(help="Write over a backup that is there, once the new one is whole.")] = False,
    as_json: Json = False,
) -> None:
    """Write all that Earful remembers to one file, as it stands at one moment; others may go on listening.

    The file holds what people said, and is readable by you only. With PostgreSQL it takes pg_dump and pg_restore, as
    new as the server. Exit code 2 if there is no backup; what was in the file before is left as it was.

    Example: `earful backup /backups/earful-monday.backup --force`
    """
    from flows.setup import Setup

    with in_words(refused=UNUSABLE):
        setup = Setup.read(settings)
        with setup.store() as store:
            made = store.back_up(file, over=force)
    if as_json:
        dump(out, {"file": str(file), "bytes": made.size, "schema": made.revision})
        return
    out.print(
        f"Wrote [bold]{escape(str(file))}[/], {made.size:,} bytes. It holds what people said: keep it as safe as that."
    )


def restore(
    file: Annotated[Path, typer.Argument(help="What `earful backup` wrote.")],
    settings: Settings = HERE,
    as_json: Json = False,
) -> None:
    """Bring back what a backup holds, into an empty database; all or nothing. An older schema is brought up to date.

    Let nothing listen meanwhile. Alerts that waited when the backup was made may have gone out since, so they are held
    back. Exit code 2 if nothing was restored.

    Example: `earful restore /backups/earful-monday.backup`
    """
    from flows.setup import Setup

    with in_words(refused=UNUSABLE):
        setup = Setup.read(settings)
        with setup.store() as store:
            done = store.restore(file, at=setup.now())
            counts, visits = store.counts(), store.last_visits().values()
    heard_at = max((last.visit.ended_at for last in visits), default=None)
    if as_json:
        whole = {"mentions": counts.mentions, "cases": counts.cases, "held_back": done.held}
        dump(out, {"schema": done.revision, "heard_until": heard_at} | whole)
        return
    until = f", heard until {heard_at.astimezone(setup.zone):%d %b %Y %H:%M}" if heard_at else ""
    out.print(f"Restored {counted(counts.mentions, 'mention')} and {counted(counts.cases, 'case')}{until}.")
    if done.held:
        held = f"{counted(done.held, 'alert')} waited then and may have gone out since, so none goes out by itself:"
        out.print(f"{held} [bold]earful alerts[/] shows them and sends those you choose.", soft_wrap=True)
    open_within = setup.cases.open_within
    if heard_at is not None and setup.now() - heard_at > open_within:
        out.print(
            f"[red]What was said more than {span(open_within)} ago opens no case[/], and the backup is older: set "
            "`open_within` of \\[cases] longer before you listen, or look yourself with [bold]earful find[/].",
            soft_wrap=True,
        )
    out.print(
        "The next [bold]earful listen[/] goes on from there. What was said since is heard again where its place still "
        "shows it, and a case opened since is opened and told again, under the same key: where that is honoured nobody "
        "hears it twice. What was corrected, closed, answered or deleted since the backup is not known any more.",
        soft_wrap=True,
    )
