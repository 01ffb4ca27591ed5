"""Learn: weekly if you like. From people's corrections, a lesson that is adopted only if it makes nothing worse."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.ended import discreet
from flows.setup import Setup
from pipeline.errors import SettingsError
from pipeline.triage.learning import LEAST, REGRESSION, Change, changes, examples, labelled, left_out, readable
from pipeline.triage.lesson import Lesson
from pipeline.triage.lesson import learn as learn_from

log = logging.getLogger(__name__)

MOST = 2000
"""Mentions learnt from, the last corrected first: the fit stays a matter of seconds, and old habits fade."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What came of it. `lesson` is None where there was too little to learn from; `why` is for a person.

    `corrected` and `confirmed` count the mentions that Earful can read, `unreadable` the corrected ones it cannot.
    """

    corrected: int
    confirmed: int
    unreadable: int
    lesson: Lesson | None
    changes: Sequence[Change]
    adopted: bool
    good: bool
    why: str


@flow(name="learn", persist_result=False)
@discreet()
def learn(settings: Path = Path("earful.toml")) -> State[str]:
    """Learn from the corrections. Fails where the lesson would do harm; too little to learn from is no failure."""
    setup = Setup.read(settings)
    with setup.store() as store:
        store.migrate()
    done = teach(setup)
    if done.lesson is not None and not done.good:
        return Failed(message=f"{done.why} The lesson in use stays.", data=done.why)
    return Completed(message=done.why, data=done.why)


def teach(setup: Setup, *, gold: Path | None = None, dry_run: bool = False) -> Learnt:
    """Learn from the corrections that hold, measure, and let everybody judge by it if nothing is worse beyond noise.

    `gold` is a folder with a dev.jsonl of labelled mentions to measure on as well. Two at once do no harm: what was
    learnt from the later corrections stays. SettingsError where `gold` cannot be read.
    """
    if gold is not None and not (gold / "dev.jsonl").is_file():
        raise SettingsError(f"--gold {gold}: there is no dev.jsonl in that folder")
    sets = {"regression set": REGRESSION} | ({} if gold is None else {"gold dev": gold / "dev.jsonl"})
    rows = {name: labelled(path) for name, path in sets.items()}
    with setup.store() as store:
        before = store.adopted()
        taught = store.taught(MOST)
    chances = readable(setup.analyst(taught=False).triage)
    found = examples(taught, chances)
    read = {mention.key for mention, _ in found}
    corrected = sum(any(one.erred for one in told) for mention, told in taught if mention.key in read)
    unreadable = sum(any(one.erred for one in told) for _, told in taught) - corrected
    nothing = Learnt(corrected, len(read) - corrected, unreadable, None, [], adopted=False, good=False, why="")
    if corrected < LEAST:
        return replace(nothing, why=f"{_few(nothing)}. `earful review` shows where to look.")
    lesson = learn_from([one for _, ours in found for one in ours])
    measured = left_out(found)
    for name, given in rows.items():
        measured += changes(name, given, chances, lesson)
    done = replace(nothing, lesson=lesson, changes=measured)
    harm = [one for one in measured if one.verdict == "worse"]
    log.info("%s: from %d corrected mentions, worse in %d groups", lesson.version, corrected, len(harm))
    if harm:
        where = ", ".join(f"{one.head} in the {one.among} ({one.group})" for one in harm)
        return replace(done, why=f"Not adopted: it would do worse beyond chance on {where}.")
    if dry_run:
        return replace(done, good=True, why="A dry run: nothing is adopted.")
    until = max(one.at for _, corrections in taught for one in corrections)
    with setup.store() as store:
        if store.adopt(lesson, at=setup.now(), learnt_until=until, since=before):
            return replace(done, adopted=True, good=True, why="Adopted: the next run judges everything by it.")
    return replace(done, good=True, why="This is the lesson in use, or a later one is: nothing to adopt.")


def _few(done: Learnt) -> str:
    there = f"{done.corrected} mention{' is' if done.corrected == 1 else 's are'} corrected"
    if done.unreadable:
        there += f", besides {done.unreadable} in languages that Earful cannot judge"
    return f"{there}; it takes {LEAST} to learn from"
