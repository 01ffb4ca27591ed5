"""`earful review`, `correct` and `learn`: where people say what was judged wrong, and Earful learns from it."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.markup import escape

from desk import review as shown
from desk.console import FAILED, HERE, UNUSABLE, Json, Settings, err, in_words, out
from desk.show import dump, span
from pipeline.case import awaited
from pipeline.correction import ANSWERS, Correction, Question, confirmations, corrections
from pipeline.triage import Lane

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from flows.setup import Setup
    from pipeline.analysis import Analysis
    from storage.store import Store


def _answer(question: Question, help_: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(f"--{question}", help=f"{help_}: {', '.join(ANSWERS[question])}.")
    return option


def review(
    settings: Settings = HERE,
    source: Annotated[str | None, typer.Option(help="Only mentions of this source.")] = None,
    days: Annotated[int, typer.Option(min=1, help="Look back so many days.")] = 30,
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="Show this many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List the mentions Earful is in doubt about, the most urgent first, each with its why.

    What is corrected or confirmed leaves the list. How early Earful doubts is `miss_cost` under [judgement].
    Example: `earful review --source app-reviews --json`
    """
    from flows.setup import Setup

    with in_words():
        setup = Setup.read(settings)
        with setup.store() as store:
            store.migrate()
            heard = {one.name for one in setup.sources} | store.last_visits().keys()
            if source is not None and source not in heard:
                _refuse(f'No source is named "{source}"; there are: {", ".join(sorted(heard))}')
            queue = shown.queue(setup, store, timedelta(days=days), source, most)
    if as_json:
        dump(out, [shown.entry(one) for one in queue.shown])
        return
    shown.listed(out, setup, queue, days)


def correct(
    key: Annotated[str, typer.Argument(help="The mention, as `earful review` shows it, or a case, such as C-7H2QK4M.")],
    by: Annotated[str, typer.Option(envvar="EARFUL_BY", help="Who says so.")],
    lane: Annotated[str | None, _answer(Question.LANE, "The right lane")] = None,
    category: Annotated[str | None, _answer(Question.CATEGORY, "The right category, in service")] = None,
    urgency: Annotated[str | None, _answer(Question.URGENCY, "The right urgency, in service")] = None,
    sentiment: Annotated[str | None, _answer(Question.SENTIMENT, "The right sentiment")] = None,
    right: Annotated[bool, typer.Option("--right", help="All that was judged is right.")] = False,
    settings: Settings = HERE,
    as_json: Json = False,
) -> None:
    """Say what a mention should have been judged as. It counts at once, and whatever later versions think.

    Exit code 1 if there is no such judgement, 2 if the answer cannot be.
    Example: `earful correct hackernews:41 --lane service --category delivery --by Ann`
    """
    from flows.setup import Setup

    given = {Question.LANE: lane, Question.CATEGORY: category, Question.URGENCY: urgency, Question.SENTIMENT: sentiment}
    answers = {question: answer for question, answer in given.items() if answer is not None}
    if right == bool(answers):
        _refuse("Say what is right: --lane, --category, --urgency or --sentiment; or --right if all of it is.")
    with in_words():
        setup = Setup.read(settings)
        with setup.store() as store:
            store.migrate()
            case = store.case(key)
            mention = case.first_mention if case else key
            wording = store.wording(mention)  # before the rest: who reads older words corrects nothing
            analysis = _judged(store, mention)
            known = store.held([mention]).get(mention, [])
            try:
                told = (
                    confirmations(analysis, known, by=by, at=setup.now(), wording=wording)
                    if right
                    else corrections(analysis, known, answers, by=by, at=setup.now(), wording=wording)
                )
            except ValueError as error:
                _refuse(str(error))
            latest = store.correct(told) if told else analysis
            if latest is None:
                _fail(f"{mention} was edited or judged anew meanwhile: look at it again.")
            _corrected(setup, store, analysis, latest, told, as_json=as_json)


def learn(
    settings: Settings = HERE,
    gold: Annotated[
        Path | None, typer.Option(help="A folder with dev.jsonl: labelled mentions to measure on as well.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and adopt nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Learn from the corrections, and adopt what was learnt if it makes nothing worse.

    Measured before and after on the regression set that ships (and on --gold): by question, language and source. Every
    run after it judges by the new lesson, the past included. Exit code 1 if there is too little to learn from, or if
    the lesson would do harm. Example: `earful learn --dry-run`
    """
    from desk.learning import learnt
    from flows.learn import teach
    from flows.setup import Setup

    with in_words():
        setup = Setup.read(settings)
        with setup.store() as store:
            store.migrate()
        done = teach(setup, gold=gold, dry_run=dry_run)
    learnt(out, done, as_json=as_json)
    if not done.good:
        raise typer.Exit(FAILED)


def _judged(store: "Store", key: str) -> "Analysis":
    if store.mention(key) is None:
        _fail(
            f"There is no mention {key}.", "`earful review` lists those in doubt, `earful cases --json` all of a case."
        )
    analysis = store.analysis(key)
    if analysis is None:
        _fail(f"{key} waits to be judged.", "`earful listen` judges it.")
    return analysis


def _corrected(
    setup: "Setup",
    store: "Store",
    before: "Analysis",
    latest: "Analysis",
    told: list[Correction],
    *,
    as_json: bool,
) -> None:
    """What is known now, and what comes of it."""
    if as_json:
        made = [correction.model_dump(mode="json") for correction in told]
        dump(out, {"corrections": made, "analysis": latest.model_dump(mode="json")})
        return
    key = escape(latest.mention_key)
    answers = [getattr(latest, question) for question in Question]
    words = ", ".join(str(answer).replace("_", " ") for answer in answers if answer is not None)
    if not told:
        out.print(f"{key}: that was said before. It is {words}.", soft_wrap=True)
        return
    out.print(f"{key} {'is confirmed' if latest == before else 'is now'}: [bold]{words}[/].", soft_wrap=True)
    case = store.case_of(latest.mention_key)
    other = "" if setup.path == HERE.resolve() else f" -s {setup.path}"
    if case is not None and not latest.needs_reply and awaited(case):
        mend = f'earful cases{other} close {case.key} --because "a person said {latest.lane}"'
        out.print(escape(f"Its case {case.key} stays open until somebody closes it: {mend}"), soft_wrap=True)
    mention = store.mention(latest.mention_key)
    if case is None and latest.lane is Lane.SERVICE and before.lane is not Lane.SERVICE and mention is not None:
        age, within = setup.now() - mention.said_at, setup.cases.open_within
        late = (
            f"It was said {span(age)} ago, longer than `open_within` ({span(within)}) under \\[cases]: no case opens."
        )
        out.print(late if age > within else "The next `earful listen` sees to its case.", soft_wrap=True)


def _refuse(words: str) -> NoReturn:
    err.print(f"[red]{escape(words)}[/]", soft_wrap=True)
    raise typer.Exit(UNUSABLE)


def _fail(words: str, hint: str = "") -> NoReturn:
    err.print(f"[red]{escape(words)}[/] {escape(hint)}".rstrip(), soft_wrap=True)
    raise typer.Exit(FAILED)
