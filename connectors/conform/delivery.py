"""Delivery: one sink through every fault and story, one after the other, and the grade it gets."""

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from connectors.conform.alerts import HOSTILE, MINE, alert
from connectors.conform.faults import FAULTS, PATIENCE, Fault
from connectors.conform.grade import Failing, Grade, Severity
from connectors.conform.listener import Listener, patient
from connectors.conform.scene import Judged
from connectors.conform.stage import Stage
from connectors.conform.verdict import Verdict, said, secrets_of
from connectors.conform.world import Desk, Found
from connectors.contract import Sink
from pipeline.errors import EarfulError, RefusedError, SettingsError, TemporaryError
from pipeline.route import Alert

_WORD = re.compile(r"[^\W_]+")


@dataclass(slots=True)
class _AtDesk:
    """A desk as a place on a stage."""

    desk: Desk
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def answer(self, request: httpx.Request) -> httpx.Response:
        return self.desk.answer(request, self.now)

    def judge(self, listener: Listener) -> Judged:
        del listener
        return []


@dataclass(slots=True)
class Counter:
    """A sink, and the desk it sends to."""

    sink: Sink
    stage: Stage
    kind: type[Desk]
    verdict: Verdict
    desk: Desk
    address: str

    def fresh(self, fault: Fault | None = None, at: int = 1) -> None:
        """An empty desk."""
        self.desk = self.kind()
        self.desk.settings(self.address)  # some learn their own address here
        self.stage.place = _AtDesk(self.desk)
        self.stage.disturb(fault, at)

    def send(self, alert: Alert, timeout: float = 10.0, attempts: int = 1) -> str | Exception:
        """The receipt, or what it raised."""
        try:
            with patient(timeout, attempts) as http:
                return self.sink.send(http, alert)
        except Exception as error:  # noqa: BLE001 - what is not ours is judged, too
            return error


def delivered(kind: type[Sink], desk: type[Desk], only: Collection[str] | None = None) -> Grade:
    """The grade of a sink at its desk, for all faults and stories or `only` those named."""
    grade = Grade(kind.model_fields["kind"].default)
    started = time.perf_counter()
    stage = Stage(_AtDesk(desk()))
    with stage.serving() as address:
        sink = kind.model_validate({"name": MINE, **desk().settings(address)})
        counter = Counter(sink, stage, desk, Verdict(stage, MINE, secrets_of(sink)), desk(), address)
        grade.note(WELL, _well(counter))
        if grade.conforms:  # else every fault would find the same fault
            for name, story in STORIES.items():
                if only is None or name in only:
                    grade.take(name, story(counter, name))
            for fault in FAULTS:
                if only is None or fault.name in only:
                    came = _shown(counter, fault)
                    grade.take(fault.name, "it fits none of the desk's answers" if came is None else came)
    if stage.broken:
        grade.failings.append(Failing("the desk", Severity.TOLD, f"broke: {stage.broken}", "answers always"))
    grade.seconds = time.perf_counter() - started
    return grade


def _shown(counter: Counter, fault: Fault) -> list[Failing] | None:
    """The fault at each request of one delivery, and the delivery once more when it is mended; None: it fits none."""
    counter.fresh()
    counter.send(alert())
    clean, fitted = _times(counter.desk.found()), False
    for at in range(1, len(counter.stage.asked) + 1):
        counter.fresh(fault, at)
        first = counter.send(alert(), PATIENCE if fault.slow else 10.0, fault.attempts)
        if not counter.stage.hit:
            continue
        fitted, failings = True, list[Failing]()
        taken = counter.desk.found()
        if isinstance(first, Exception):
            failings += counter.verdict.expected(fault, first)
        elif not taken:
            told = "counted as sent though the desk never took it"
            failings.append(Failing(fault.name, Severity.LOST, told, "an error, and another try"))
        elif fault.must and fault.refuses and at == 1:
            failings.append(Failing(fault.name, Severity.UNNAMED, "went on as if all were well", "an error"))
        counter.stage.disturb()
        failings += _again(counter, fault, clean, accepted=bool(taken))
        if failings:
            where = f"request {at} of a delivery"
            return [Failing(each.fault, each.severity, f"{where}: {each.happened}", each.expected) for each in failings]
    return [] if fitted else None


def _again(counter: Counter, fault: Fault, clean: int, *, accepted: bool) -> list[Failing]:
    """The same alert once more: it is there now, as once as the desk can know."""
    second = counter.send(alert())
    found = counter.desk.found()
    if isinstance(second, Exception):
        return [Failing(fault.name, Severity.LOST, f"does not recover: {said(second)}", "is sent as before")]
    if not _times(found):
        return [Failing(fault.name, Severity.LOST, "the alert never arrived", "it is there after another try")]
    if len({each.key for each in found}) > 1:
        return [Failing(fault.name, Severity.REPEATED, "another key at the second try", "the same key on every try")]
    one = counter.desk.by_case or not accepted
    knows = (counter.desk.by_case and counter.desk.knows) or not accepted
    if (one and len(found) > 1) or (knows and _times(found) > clean):
        return [Failing(fault.name, Severity.REPEATED, "a person finds it twice", "once, after two tries")]
    return []


def _times(found: list[Found], number: int = 1) -> int:
    return sum(each.text.count(f"Wordnumber{number} ") for each in found)


WELL = "nothing goes wrong"
Story = Callable[[Counter, str], list[Failing] | str]


def _well(counter: Counter) -> list[Failing]:
    """One alert arrives, with its words."""
    name = WELL
    counter.fresh()
    receipt = counter.send(alert())
    if isinstance(receipt, Exception):
        return [Failing(name, Severity.LOST, f"raised {said(receipt)}", "a receipt")]
    found = counter.desk.found()
    if len(found) != 1 or not _times(found):
        return [Failing(name, Severity.LOST, f"{len(found)} things at the desk", "one, with the words of the mention")]
    if any(secret in receipt for secret in counter.verdict.secrets):
        return [Failing(name, Severity.SECRET, "the receipt tells a secret", "an id or an address")]
    missing = [word for word in _WORD.findall(alert().text) if word not in found[0].text]
    told = f"of a stranger's text these words are not to be read: {', '.join(missing)}"
    return [Failing(name, Severity.DISTORTED, told, "every word")] if missing or not receipt else []


def _hostile(counter: Counter, name: str) -> list[Failing] | str:
    """A stranger writes markup: it arrives as words."""
    counter.fresh()
    sent = counter.send(alert(text=HOSTILE, who=HOSTILE, title=HOSTILE, where=HOSTILE, why=[HOSTILE]))
    if isinstance(sent, Exception):
        return [Failing(name, Severity.LOST, f"raised {said(sent)}", "a receipt")]
    text = "\n".join(each.text for each in counter.desk.found())
    missing = [word for word in _WORD.findall(HOSTILE) if word not in text]
    told = f"these words are not to be read: {', '.join(missing)}"
    return [Failing(name, Severity.DISTORTED, told, "markup arrives as words")] if missing else []


def _long(counter: Counter, name: str) -> list[Failing] | str:
    """Everything is as long as it may be, or longer."""
    for letter in ("a", "😀", "<", "&", '"'):
        counter.fresh()
        words = (f"{letter * 9} " * (counter.sink.text_limit // 10 + 1))[: counter.sink.text_limit]
        sent = counter.send(alert(text=words, title=letter * 3_000, who=letter * 900, why=[letter * 600] * 30))
        if isinstance(sent, Exception) or not counter.desk.found():
            told = f"with many {letter!r}: {said(sent) if isinstance(sent, Exception) else 'nothing at the desk'}"
            return [Failing(name, Severity.LOST, told, "it is cut to what the desk takes")]
    return []


def _sparse(counter: Counter, name: str) -> list[Failing] | str:
    """Nothing is known but a title; and what a watch and a digest say."""
    nothing: dict[str, object] = {
        "who": None,
        "text": "",
        "where": "",
        "why": [],
        "team": "",
        "urgency": None,
        "reply_by": None,
    }
    for kind in ("case", "watch", "digest"):
        counter.fresh()
        case = "hackernews:41" if kind == "case" else None
        less = {**alert().model_dump(), **nothing, "said_at": None, "url": None, "kind": kind, "case": case}
        sent = counter.send(Alert.model_validate(less))
        if isinstance(sent, Exception) or not counter.desk.found():
            told = f"a {kind}: {said(sent) if isinstance(sent, Exception) else 'nothing at the desk'}"
            return [Failing(name, Severity.LOST, told, "it arrives")]
    return []


def _same_case(counter: Counter, name: str) -> list[Failing] | str:
    """The same case is told of again: its ticket says more, and no second one is opened."""
    counter.fresh()
    for number in (1, 2):
        sent = counter.send(alert(number, " (the author is back)" if number > 1 else ""))
        if isinstance(sent, Exception):
            return [Failing(name, Severity.LOST, f"raised {said(sent)}", "a receipt")]
    found = counter.desk.found()
    if not all(_times(found, number) for number in (1, 2)):
        return [Failing(name, Severity.LOST, "the second alert's words are nowhere", "both are to be read")]
    wanted = 1 if counter.desk.by_case else 2
    told = f"{len(found)} things at the desk"
    return [Failing(name, Severity.REPEATED, told, f"{wanted}")] if len(found) != wanted else []


def _settled(counter: Counter, name: str) -> list[Failing] | str:
    """The case is settled: its ticket or page ends, and opens again when the case does."""
    if not counter.sink.settles:
        return "it is told of no settled case"
    counter.fresh()
    for one in (alert(), alert(2, kind="solved"), alert(2, kind="solved")):
        sent = counter.send(one)
        if isinstance(sent, Exception):
            return [Failing(name, Severity.UNNAMED, f"raised {said(sent)}", "a receipt")]
    if any(each.open for each in counter.desk.found()):
        return [Failing(name, Severity.DISTORTED, "it is still open", "a settled case ends its ticket or page")]
    sent = counter.send(alert(3))
    if isinstance(sent, Exception) or not any(each.open for each in counter.desk.found()):
        return [Failing(name, Severity.LOST, "a case that is open again is not to be seen", "an open ticket or page")]
    return []


def _unreachable(where: str, errors: tuple[type[EarfulError], ...], *, tls: bool = False) -> Story:
    def story(counter: Counter, name: str) -> list[Failing] | str:
        counter.fresh()
        with counter.stage.serving(tls=tls) as there:
            address = where or (there if tls else there.replace("http:", "https:"))
            try:
                sink = type(counter.sink).model_validate({"name": MINE, **counter.kind().settings(address)})
            except ValueError:
                return "its settings refuse such an address"
            elsewhere = Counter(sink, counter.stage, counter.kind, counter.verdict, counter.desk, address)
            sent = elsewhere.send(alert(), timeout=5)
        if isinstance(sent, errors):
            return []
        told = said(sent) if isinstance(sent, Exception) else "counted as sent"
        gravity = Severity.UNNAMED if isinstance(sent, Exception) else Severity.LOST
        return [Failing(name, gravity, told, " or ".join(each.__name__ for each in errors))]

    return story


_FAR: tuple[type[EarfulError], ...] = (TemporaryError, SettingsError, RefusedError)

STORIES: dict[str, Story] = {
    "markup in a stranger's words": _hostile,
    "everything as long as it may be": _long,
    "nothing known but a title": _sparse,
    "the same case again": _same_case,
    "a case that is settled": _settled,
    "a name that is not found": _unreachable("http://earful-conform.invalid", _FAR),
    "a port where nobody listens": _unreachable("http://127.0.0.1:9", _FAR),
    "TLS with a server that speaks none": _unreachable("", _FAR),
    "a certificate nobody trusts": _unreachable("", (RefusedError,), tls=True),
}
"""What may happen to a sink besides faults of the wire."""
