"""Why: how a judgement hangs on each word, by judging again without it; and what people said of it."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from desk.console import FAILED, HERE, UNUSABLE, Json, Settings, err, in_words, out
from desk.show import ago, dump, table
from pipeline.analysis import Analyst
from pipeline.classifier import Reading
from pipeline.correction import Correction
from pipeline.errors import SettingsError
from pipeline.triage import Lane
from pipeline.triage.judge import Effort
from pipeline.triage.without import Explained, without

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from flows.setup import Setup

FIELDS = ("lane", "complaint", "sentiment", "category")
SHOWN = 5
_STRONG, _WEAK = 1.0, 0.1
"""Natural log-odds: a word with more decides much, with less hardly anything."""


def why(
    key: Annotated[str | None, typer.Argument(help="Key of a stored mention, as `earful cases` shows it.")] = None,
    text: Annotated[str | None, typer.Option(help="Or any text.")] = None,
    settings: Settings = HERE,
    effort: Annotated[Effort | None, typer.Option(help="Judge as hard as this; as set if not given.")] = None,
    as_json: Json = False,
) -> None:
    """Show how a judgement hangs on each word: it is made again without the word.

    True to whatever classifier decides. What people said of a stored mention stands above it. A text is judged as the
    settings say, where there are any. Example: `earful why --text "Ordered two weeks ago, still no parcel"`
    """
    if (key is None) == (text is None):
        err.print("[red]Name a stored mention, or give --text[/]")
        raise typer.Exit(UNUSABLE)
    with in_words():
        setup = _setup(settings) if text is None or settings.exists() else None
        reading, said, held = Reading(key="text", text=text or ""), list[Correction](), list[Correction]()
        if setup is not None and key is not None:
            reading, said, held = _stored(setup, key)
        if setup is not None and not as_json:
            _people(said, held, setup.now())
        analyst = Analyst() if setup is None else setup.analyst()
        if effort is not None:
            analyst = Analyst(effort, classifier=analyst.classifier, lesson=analyst.lesson)
        if analyst.analyse([reading])[0].lane is Lane.UNSCORED:
            err.print("[yellow]Unscored: Earful cannot judge this language, or there are no words.[/]")
            raise typer.Exit(FAILED)
        told = without(analyst.triage, reading, FIELDS)
    if told[0].answer != "service":  # only there is a category asked for
        told = [one for one in told if one.field != "category"]
    if as_json:
        found = [
            {"field": one.field, "answer": one.answer, "probability": round(one.chance, 4), "reasons": _dumped(one)}
            for one in told
        ]
        dump(out, {"answers": found, "corrections": [one.model_dump(mode="json") for one in said]})
        return
    _show(reading.words, told)


def _setup(settings: Path) -> "Setup":
    from flows.setup import Setup

    return Setup.read(settings)


def _stored(setup: "Setup", key: str) -> tuple[Reading, list[Correction], list[Correction]]:
    """The mention, all that people ever said of its judgement, and what of it holds."""
    with setup.store() as store:
        store.migrate()
        mention = store.mention(key)
        if mention is None:
            raise SettingsError(f"there is no mention {key}; `earful cases` and `earful review` show keys")
        return Reading.of(mention), store.corrections(key), store.held([key]).get(key, [])


def _people(said: Sequence[Correction], held: Sequence[Correction], now: datetime) -> None:
    """What people said, in the order they did; what was replaced, or of other words, is dim."""
    wrong = [one.answer.replace("_", " ") for one in held if one.erred]
    if wrong:
        out.print(Text(f"a person said {', '.join(wrong)}; what follows is what Earful says by itself", "yellow"))
    for one in said:
        what = f"{one.said or 'nothing'} → {one.answer}" if one.erred else f"{one.answer} is right"
        line = f"{one.field}: {what.replace('_', ' ')}, by {one.by}, {ago(one.at, now)}, of {one.version}"
        out.print(Text(line, "" if one in held else "dim"), soft_wrap=True)


def _dumped(one: Explained) -> list[dict[str, object]]:
    return [reason.model_dump(exclude={"field"}) for reason in one.reasons]


def _show(words: str, told: Sequence[Explained]) -> None:
    lane = told[0]
    marked = Text(words)
    for reason in lane.reasons:
        if reason.start is not None and abs(reason.weight) >= _WEAK:
            strong = "bold " if abs(reason.weight) >= _STRONG else ""
            marked.stylize(f"{strong}{'green' if reason.weight > 0 else 'red'}", reason.start, reason.end)
    out.print(marked)
    out.print(Text(f"green speaks for {lane.answer}, red against it", "dim"))
    shown = table("field", "answer", "probability", "without these it would be less sure")
    for one in told:
        speaking = [f"{reason.text} (+{reason.weight:.1f})" for reason in one.reasons[:SHOWN] if reason.weight >= _WEAK]
        shown.add_row(one.field, one.answer, f"{one.chance:.0%}", Text(", ".join(speaking) or "no single word"))
    out.print(shown)
