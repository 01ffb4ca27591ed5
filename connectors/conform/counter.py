"""Counter: one sink, the desk it sends to, and the occasions on which it sends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from connectors.conform.alerts import MINE, alert
from connectors.conform.faults import LEISURE
from connectors.conform.leaks import leaked, secrets_of, words_of
from connectors.conform.listener import Listener, patient
from connectors.conform.scene import Judged
from connectors.conform.stage import Stage, copied
from connectors.conform.step import Overdue, PlaceError, broke
from connectors.conform.verdict import Verdict
from connectors.conform.world import Desk, Found
from connectors.contract import Sink
from pipeline.route import Alert


class StrayError(Exception):
    """What a sink did that no sink may do, in words."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What the desk knows already of the case, and the alert that is sent now."""

    name: str
    before: tuple[Alert, ...]
    sent: Alert

    def done(self, found: list[Found]) -> bool:
        """Whether the desk shows it: the words are there, and what is settled is over."""
        if self.sent.kind == "solved":
            return bool(found) and not any(each.open for each in found)
        return bool(times(found, number_of(self.sent))) and any(each.open for each in found)

    @property
    def undone(self) -> str:
        """What a person sees where it is not done."""
        return {"a solve": "the case is still open there", "a reopening": "the case is not open there again"}.get(
            self.name, "the alert is not to be found there"
        )

    def missing(self, found: list[Found], clean: list[Found]) -> list[int]:
        """The numbers of alerts whose words stood there when nothing went wrong, and do not now."""
        numbers = [number_of(each) for each in (*self.before, self.sent)]
        return [number for number in numbers if times(clean, number) and not times(found, number)]


FIRST = Occasion("a delivery", (), alert())
UPDATE = Occasion("an update", (alert(),), alert(2, " (the author is back)"))
SOLVE = Occasion("a solve", (alert(),), alert(2, kind="solved"))
REOPENING = Occasion("a reopening", (alert(), alert(2, kind="solved")), alert(3, " (open again)"))


@dataclass(frozen=True, slots=True)
class Clean:
    """An occasion when nothing goes wrong: how many requests it takes, and what a person finds then."""

    requests: int
    found: list[Found]


@dataclass(slots=True)
class Counter:
    """A sink, and the desk it sends to."""

    sink: Sink
    stage: Stage
    kind: type[Desk]
    address: str
    heard: list[str]
    """Who told a secret in a log or on the terminal, as `overhearing` writes it down."""
    desk: Desk = field(init=False)
    verdict: Verdict = field(init=False)
    told: list[str] = field(default_factory=list)
    """Where else a secret was told since somebody asked."""
    _clean: dict[str, Clean] = field(default_factory=dict)
    _begun: dict[str, Desk] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.verdict = Verdict(self.stage, MINE, secrets_of(self.sink))
        self.fresh()

    def fresh(self) -> None:
        """An empty desk, and nothing goes wrong."""
        desk = self.kind()
        desk.settings(self.address)  # some learn their own address here
        self._stand(desk)

    def begin(self, occasion: Occasion) -> None:
        """A desk that knows what came before, and nothing goes wrong."""
        if occasion.name in self._begun and (desk := copied(self._begun[occasion.name])) is not None:
            self._stand(desk)
            return
        self.fresh()
        for one in occasion.before:
            self.send(one)
        begun = copied(self.desk)
        if begun is not None and self.found(begun) == self.found():  # else it is all told anew each time
            self._begun[occasion.name] = begun
        self.stage.disturb()  # what was sent so far belongs to no occasion

    def clean(self, occasion: Occasion) -> Clean:
        """How it goes when nothing goes wrong."""
        if occasion.name not in self._clean:
            self.begin(occasion)
            self.send(occasion.sent)
            self._clean[occasion.name] = Clean(len(self.stage.asked), self.found())
        return self._clean[occasion.name]

    def repeated(self, occasion: Occasion, found: list[Found], *, accepted: bool) -> bool:
        """Whether an alert that was sent twice is found more often than it need be.

        What the desk never `accepted` may be told once only. What it did is known again by its key, or in its case's
        ticket, if at all; and there its words are, where the desk lets anybody read what was said before.
        """
        clean, number = self.clean(occasion).found, number_of(occasion.sent)
        known = self.desk.by_case or self.sink.honours_key
        things, words = len(found) - len(clean), times(found, number) - times(clean, number)
        return (things > 0 and (known or not accepted)) or (words > 0 and ((known and self.desk.knows) or not accepted))

    def occasions(self) -> Iterator[Occasion]:
        """Those that this sink meets, and comes through when nothing goes wrong: the others have a story each."""
        for one in (FIRST, UPDATE, *((SOLVE, REOPENING) if self.sink.settles else ())):
            if one.done(self.clean(one).found):
                yield one

    def send(self, alert: Alert, timeout: float = LEISURE, attempts: int = 1) -> str | Exception:
        """The receipt, or what it raised; a secret in either is written down."""
        try:
            with patient(timeout, attempts) as http:
                receipt: object = self.sink.send(http, alert)
        except (KeyboardInterrupt, Overdue):
            raise
        except Exception as error:  # noqa: BLE001 - what is not ours is judged, too
            self._listen("an error", words_of(error))
            return error
        except BaseException as error:  # noqa: BLE001 - sys.exit, for one
            return StrayError(broke(error))
        if not isinstance(receipt, str):
            return StrayError(f"send() returned {type(receipt).__name__}, and a receipt is a str")
        self._listen("a receipt", receipt)
        return receipt

    def found(self, desk: Desk | None = None) -> list[Found]:
        """What a person finds at the desk, or at another."""
        name = f"{type(self.desk).__name__}.found()"
        try:
            found: object = (self.desk if desk is None else desk).found()
        except Exception as error:  # noqa: BLE001 - whatever it is, the desk's owner is told
            raise PlaceError(f"{name} {broke(error)}; mend the desk: no word about the sink") from None
        if not isinstance(found, list) or not all(isinstance(each, Found) for each in found):
            raise PlaceError(f"{name} gave no list of Found; mend the desk: no word about the sink")
        return found

    def leaks(self) -> list[str]:
        """Where a secret was told since this was last asked, each place once."""
        told = [*self.told, *self.heard]
        self.told.clear()
        self.heard.clear()
        return list(dict.fromkeys(told))

    def _listen(self, where: str, words: str) -> None:
        if how := leaked(self.verdict.secrets, words):
            self.told.append(f"{where}, {how}")

    def _stand(self, desk: Desk) -> None:
        self.desk = desk
        self.stage.place = AtDesk(desk)
        self.stage.disturb()


@dataclass(slots=True)
class AtDesk:
    """A desk as a place on a stage."""

    desk: Desk
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the desk says."""
        return self.desk.answer(request, self.now)

    def judge(self, listener: Listener) -> Judged:
        """Nobody listens to a desk."""
        del listener
        return []


def number_of(alert: Alert) -> int:
    """Which one it is."""
    return int(alert.key.rpartition("_")[2], 16)


def times(found: list[Found], number: int = 1) -> int:
    """How often the words of this alert are to be read."""
    return sum(each.text.count(f"Wordnumber{number} ") for each in found)
