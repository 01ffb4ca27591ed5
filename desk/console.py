"""What every command shares: the terminal, the settings option, exit codes, and errors said in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from pipeline.errors import EarfulError, RefusedError, SettingsError, told

FAILED = 1
"""Exit code: it ran, and a source, a sink or a row failed."""
UNUSABLE = 2
"""Exit code: nothing ran; the settings or the words of the command cannot work."""

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Settings = Annotated[
    Path,
    typer.Option("--settings", "-s", envvar="EARFUL_SETTINGS", help="The settings file.", show_default=True),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of words for a person.")]
HERE = Path("earful.toml")


@contextmanager
def in_words(refused: int = FAILED) -> Iterator[None]:
    """Say what Earful knows went wrong in words, and end with the exit code a script can use.

    `refused` is the one for a RefusedError: a file that is refused whole is unusable, a source that refuses has failed.
    """
    try:
        yield
    except SettingsError as error:
        err.print(f"[red]The settings cannot work.[/]\n{escape(str(error))}", soft_wrap=True)
        raise typer.Exit(UNUSABLE) from error
    except EarfulError as error:
        err.print(f"[red]{escape(told(str(error), error.who_acts))}[/]", soft_wrap=True)
        raise typer.Exit(refused if isinstance(error, RefusedError) else FAILED) from error
    except OSError as error:  # a file of the user's that cannot be written or read
        err.print(f"[red]{escape(str(error.filename))}: {error.strerror}[/]", soft_wrap=True)
        raise typer.Exit(UNUSABLE) from error
