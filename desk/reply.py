"""`earful reply`: answer a mention where it was said, once a person has read what goes out and said yes."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from desk.console import FAILED, HERE, UNUSABLE, Settings, err, in_words, out

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from pipeline.mention import Mention
    from storage.store import Store


def reply(
    key: Annotated[str, typer.Argument(help="A case or a mention, as `earful cases` shows it.")],
    text: Annotated[str, typer.Option("--text", "-t", help="What to answer; - reads it from the standard input.")],
    settings: Settings = HERE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send it without asking once more.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Though an earlier try may have got through: you looked, it did not.")
    ] = False,
) -> None:
    """Answer a mention where it was said. Shows what goes out and where, and asks before it does.

    Of a case the latest mention that is not yours is answered, and the case counts as answered. The same words go to
    the same mention once. Exit code 1 if nothing was sent, 2 if the place takes no such answer.

    Example: `earful reply C-7H2QK4MZ5P --text "So sorry, Mia. Your refund left us this morning."`
    """
    from flows.reply import fitting
    from flows.reply import reply as send
    from flows.setup import Setup

    said = typer.get_text_stream("stdin").read() if text == "-" else text
    with in_words():
        setup = Setup.read(settings)
        with setup.store() as store:
            store.migrate()
            mention = _mention(store, key)
            if mention is None:
                err.print(f"[red]There is no case or mention {escape(key)}.[/] `earful cases --all` lists the cases.")
                raise typer.Exit(UNUSABLE)
            words = fitting(setup, mention, said)
            out.print(Text.assemble((mention.author or "somebody", "bold"), f", {setup.place(mention.source)}:"))
            out.print(Padding(Text(mention.text, "dim"), (0, 0, 1, 2)))
            out.print(Text.assemble((setup.brand.name, "bold"), " answers in public:"))
            out.print(Padding(Text(words), (0, 0, 1, 2)))
            if not yes and not typer.confirm("Send it?"):
                err.print("Nothing was sent.")
                raise typer.Exit(FAILED)
            began = setup.now()
            sent = send(setup, store, mention, words, again=again)
    before = sent.sent_at is not None and sent.sent_at < began
    out.print(f"{'Was sent before, so it was not sent again' if before else 'Sent'}: {escape(sent.receipt or '')}")


def _mention(store: "Store", key: str) -> "Mention | None":
    """The mention of this key; of a case the latest that somebody else said."""
    if store.case(key) is None:
        return store.mention(key)
    return next((said for said, _ in store.said_in(key) if not said.by_brand), None)
