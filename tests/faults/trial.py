"""Trial: runs on one ground, one after the other; killed ones, spoilt ones, and quiet ones with an audit after them."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from connectors.conform.server import Wire
from tests.faults.audit import Audit, audit
from tests.faults.ground import Ground, Hook
from tests.faults.runs import Ended, Nursery, kill

HOURS = 2 * 3600.0
"""The clock is moved on so far from run to run: every lease, pause and rest of a host is over by then."""
WAYS = ("before", "after", "commit", "step", "asked", "taken", "answered", "any time")
"""Before and after a statement, at a commit, at a step that the log names; when the shop or a desk is asked, when a
desk has taken an alert, and when it has answered; and at any moment."""


@dataclass(slots=True)
class Tally:
    """What was done, and what was found."""

    seed: int
    runs: int = 0
    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many died of each way at each place."""
    found: Audit | None = None
    damage: list[str] = field(default_factory=list)
    """In words, with the number of the kill that did it."""


class Trial:
    """Runs on one ground. What happens there, and each kill, follows from the seed and the kill's number."""

    def __init__(self, ground: Ground, nursery: Nursery, seed: int = 0) -> None:
        self.ground, self._nursery = ground, nursery
        self.tally = Tally(seed)
        self.later = 0.0
        self.always: dict[str, object] = {}
        """What every plan says."""
        self._usual: Counter[str] = Counter()
        self._took = 1.0

    def plan(self, **more: object) -> dict[str, Any]:
        """A run at the trial's time."""
        return {"settings": str(self.ground.settings), "later": self.later, **self.always, **more}

    def begin(self) -> None:
        """A run that nothing happens to: it tells how much there is in one to be killed at."""
        self.ground.happen(random.Random(self.tally.seed))
        self.ground.begin()
        self._judge([self._nursery.first(self.plan())], 0, "nothing")
        self.later += HOURS
        self.ground.ended()

    def run(
        self,
        *,
        hook: Hook | None = None,
        meanwhile: Callable[[Sequence[int]], None] | None = None,
        then: Callable[[], None] | None = None,
        unanswered: bool = False,
        at_once: int = 1,
        **plan: object,
    ) -> list[Ended]:
        """One run, or several `at_once`, to which something happens; `then`, before anybody looks at what is left."""
        self.ground.begin(hook)
        ended = self._nursery.run([self.plan(**plan)] * at_once, meanwhile)
        if then is not None:
            then()
        self.ground.ended(spoilt=unanswered or any(each.killed for each in ended))
        self.tally.runs += at_once
        self.later += HOURS
        return ended

    def quiet(self, number: int = 0, way: str = "nothing", *, moved: bool = False) -> list[str]:
        """Nothing happens to this run; after it nothing may be left to do, and nothing may be wrong; what is, in words.

        A second one follows where the clock was `moved`: a lease may have been taken by a clock that was ahead.
        """
        ended = self.run()
        if moved:
            self.later += 24 * HOURS
            ended += self.run()
        return self._judge(ended, number, way)

    def _judge(self, ended: Sequence[Ended], number: int, way: str) -> list[str]:
        for what, many in [*ended[-1].done.items(), *self.ground.requests.items()]:
            self._usual[what] = max(self._usual[what] * 9 // 10, many)
        self._took = max(self._took * 0.9 if number else 0, ended[-1].took)
        with self.ground.store() as store:
            self.tally.found = audit(self.ground, store)
        wrong = [f"{name} {many}" for name, many in self.tally.found.damage.items()]
        wrong += [f"{place}: {error}: {said}" for each in ended for place, error, said in each.troubles]
        wrong += [f"it ended with {each.status}" for each in ended if each.status]
        self.tally.damage += [f"seed {self.tally.seed}, kill {number} ({way}): {each}" for each in wrong]
        return wrong

    def kill(self, number: int) -> None:
        """One run killed, then a quiet one, then the audit."""
        chance = random.Random(f"{self.tally.seed}:{number}")
        self.ground.happen(chance)
        way = WAYS[number % len(WAYS)]
        if way in {"before", "after", "commit", "step"}:
            (ended,) = self.run(die=[way, chance.randint(1, max(1, self._usual[way]))])
        elif way == "any time":
            (ended,) = self.run(meanwhile=after(chance.uniform(0, self._took)))
        else:
            ended = self._at_the_door(way, chance)
        if ended.killed:
            self.tally.kills[way, ended.place] += 1
            if chance.randrange(4) == 0:  # it had heard this, perhaps, and its alert waits or is on its way
                self.ground.regret(chance, len(self.ground.said), delete=chance.randrange(2) == 0)
            self.quiet(number, f"{way}, {ended.place}")
        else:  # it was faster than its death, and so a quiet run itself
            self._judge([ended], number, "survived")

    def _at_the_door(self, way: str, chance: random.Random) -> Ended:
        """Killed by what it talks to."""
        pids: list[int] = []
        where = chance.choice(["shop", "desk", "chat"] if way == "asked" else ["desk", "chat"])
        moment = "asked" if way == "asked" else "taken"
        at = chance.randint(1, max(1, self._usual[f"{where} {moment}"]))
        rest = chance.uniform(0, 0.01)

        def hook(name: str, now: str) -> Wire | None:
            if (name, now) == (where, moment) and self.ground.requests[f"{where} {moment}"] == at:
                while not pids:
                    time.sleep(0.001)
                if way == "answered":
                    Thread(target=after(rest), args=(pids,)).start()
                else:
                    kill(pids[0])
            return None

        return self.run(hook=hook, meanwhile=pids.extend)[0]


def after(rest: float) -> Callable[[Sequence[int]], None]:
    """Kills the first of some processes after so many seconds."""

    def soon(pids: Sequence[int]) -> None:
        time.sleep(rest)
        kill(pids[0])

    return soon


def campaign(trial: Trial, kills: int) -> Tally:
    """So many kills, and no further after the first damage: all that follows would only show it again."""
    trial.begin()
    number = 0
    while trial.tally.kills.total() < kills and not trial.tally.damage:
        number += 1
        trial.kill(number)
    return trial.tally
