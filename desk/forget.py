"""`earful forget`: delete what has been kept long enough, or all that one person said, who asked for it."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from desk.console import FAILED, HERE, UNUSABLE, Json, Settings, err, in_words, out
from desk.show import counted, dump

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from flows.forget import Forgotten


def forget(
    settings: Settings = HERE,
    author: Annotated[
        str | None, typer.Option(help="Instead: all that somebody of this name or id said, exactly as written.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="With --author: only what was said in this source.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --author: delete without asking once more.")] = False,
    as_json: Json = False,
) -> None:
    """Delete what is older than [keep] in the settings says: mentions, with all that was made of them. For ever.

    Nothing is deleted where [keep] says nothing. A case that awaits a reply keeps what was said in it. With --author
    what one person said is deleted, whatever awaits a reply; it asks first. Exit code 1 if nothing was deleted because
    you said no, 2 if the settings or the options cannot work.

    Example: `earful forget --author "mia@mastodon.example"`
    """
    from flows.forget import forget_author, forget_old, traces
    from flows.setup import Setup

    with in_words():
        setup = Setup.read(settings)
        if author is None:
            if source is not None or yes:
                err.print("[red]--source and --yes go with --author[/]")
                raise typer.Exit(UNUSABLE)
            done, idle = forget_old(setup), not (setup.keep.mentions or setup.keep.raws)
        else:
            idle = False
            with setup.store() as store:
                store.migrate()
                found = traces(store, author, source)
                what = f"{counted(len(found.said), 'mention')} and {counted(len(found.unread), 'unreadable item')}"
                if not yes and not typer.confirm(f"Delete {what} for ever?", err=True):
                    err.print("Nothing was deleted.")
                    raise typer.Exit(FAILED)
                done = forget_author(setup, store, found)
    if as_json:
        dump(out, asdict(done))
        return
    _say(done, idle=idle)
    if author is not None:
        again = f"What {author} said stays where it was said: if it is shown there again, it is heard again."
        out.print(escape(again) + " Messages, tickets, reports and backups made before keep it too.", soft_wrap=True)


def _say(done: "Forgotten", *, idle: bool) -> None:
    if idle:
        out.print("Everything is kept for ever: set `mentions` or `raws` under [bold]\\[keep][/] to change that.")
        return
    parts = (
        counted(done.mentions, "mention"),
        counted(done.raws, "raw item"),
        counted(done.rejected, "unreadable item"),
    )
    out.print(f"Forgotten: {', '.join(parts)}.")
    if done.doubted:
        late = (
            "The clock is more than a week past the last visit, so this went by that visit, in case the clock is wrong:"
        )
        out.print(f"{late} if it is right, [bold]earful listen[/], and forget again in a day.", soft_wrap=True)
