"""What every command shares: the terminal, the settings option, exit codes, and errors said in words."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment

from connectors.wording import bared
from pipeline.errors import EarfulError, RefusedError, SettingsError, told

FAILED = 1
"""Exit code: it ran, and a source, a sink or a row failed."""
UNUSABLE = 2
"""Exit code: nothing ran; the settings or the words of the command cannot work."""


class Terminal(Console):
    """A terminal on which strangers' words are only words: they move no cursor, colour nothing, turn no line round."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As Rich does, without what cannot be seen; the controls Rich gives itself stay."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(bared(segment.text), segment.style)


out = Terminal(highlight=False)
err = Terminal(stderr=True, highlight=False)

Settings = Annotated[
    Path,
    typer.Option("--settings", "-s", envvar="EARFUL_SETTINGS", help="The settings file.", show_default=True),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of words for a person.")]
HERE = Path("earful.toml")
_YEARS = 1900, 2999
"""Days in them have a midnight in any zone, and a day after."""


def _known(day: datetime | None) -> datetime | None:
    """The day, or a word to who gave one no calendar reaches."""
    if day is not None and not _YEARS[0] <= day.year <= _YEARS[1]:
        raise typer.BadParameter(f"{day:%Y-%m-%d} is no day Earful can know of: {_YEARS[0]} to {_YEARS[1]}")
    return day


FirstDay = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], callback=_known, help="First day.")]
LastDay = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], callback=_known, help="Last day, included.")
]


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
