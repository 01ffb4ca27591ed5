"""Sendings: what may happen to a sink besides faults of the wire."""

import re
from collections.abc import Callable
from functools import partial

from connectors.conform.alerts import HOSTILE, MINE, alert
from connectors.conform.counter import UPDATE, Counter, number_of, times
from connectors.conform.faults import FAR, NO_NAME, NO_PORT
from connectors.conform.grade import Failing, Severity
from connectors.conform.leaks import leaked
from connectors.conform.step import WELL
from connectors.conform.verdict import said
from connectors.conform.world import Desk
from pipeline.errors import EarfulError, RefusedError
from pipeline.route import Alert

Story = Callable[[Counter, str], list[Failing] | str]
"""Something that happens at a desk; what was not kept, or why it does not apply."""
_WORD = re.compile(r"[^\W_]+")


def well(counter: Counter) -> list[Failing]:
    """One alert arrives, with its words, and a receipt comes back."""
    counter.fresh()
    receipt = counter.send(alert())
    if isinstance(receipt, Exception):
        return [Failing(WELL, Severity.LOST, f"raised {said(receipt)}", "a receipt")]
    found = counter.found()
    if len(found) != 1 or not times(found):
        return [Failing(WELL, Severity.LOST, f"{len(found)} things at the desk", "one, with the words of the mention")]
    missing = [word for word in _WORD.findall(alert().text) if word not in found[0].text]
    told = f"of a stranger's text these words are not to be read: {', '.join(missing)}"
    if missing:
        return [Failing(WELL, Severity.DISTORTED, told, "every word")]
    return [] if receipt else [Failing(WELL, Severity.TOLD, "an empty receipt", "an id, or what the other side said")]


def _hostile(counter: Counter, name: str) -> list[Failing] | str:
    """A stranger writes markup: it arrives as words."""
    counter.fresh()
    sent = counter.send(alert(text=HOSTILE, who=HOSTILE, title=HOSTILE, where=HOSTILE, why=[HOSTILE]))
    if isinstance(sent, Exception):
        return [Failing(name, Severity.LOST, f"raised {said(sent)}", "a receipt")]
    text = "\n".join(each.text for each in counter.found())
    missing = [word for word in _WORD.findall(HOSTILE) if word not in text]
    told = f"these words are not to be read: {', '.join(missing)}"
    return [Failing(name, Severity.DISTORTED, told, "markup arrives as words")] if missing else []


def _long(counter: Counter, name: str) -> list[Failing] | str:
    """Everything is as long as it may be, or longer."""
    for letter in ("a", "😀", "<", "&", '"'):
        counter.fresh()
        words = (f"{letter * 9} " * (counter.sink.text_limit // 10 + 1))[: counter.sink.text_limit]
        sent = counter.send(alert(text=words, title=letter * 3_000, who=letter * 900, why=[letter * 600] * 30))
        if isinstance(sent, Exception) or not counter.found():
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
        if isinstance(sent, Exception) or not counter.found():
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
    found = counter.found()
    if not all(times(found, number) for number in (1, 2)):
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
    if any(each.open for each in counter.found()):
        return [Failing(name, Severity.DISTORTED, "it is still open", "a settled case ends its ticket or page")]
    sent = counter.send(alert(3))
    found = counter.found()
    if isinstance(sent, Exception) or not any(each.open for each in found):
        return [Failing(name, Severity.LOST, "a case that is open again is not to be seen", "an open ticket or page")]
    if not times(found, 3):
        told = "what was said when the case opened again is nowhere"
        return [Failing(name, Severity.LOST, told, "its words in the open ticket or page")]
    return []


def _twice(counter: Counter, name: str) -> list[Failing] | str:
    """The same alert is sent twice, and both times taken: whether a person finds it once, as the sink says."""
    always = True
    for occasion in counter.occasions():
        clean = counter.clean(occasion).found
        counter.begin(occasion)
        for _ in range(2):
            sent = counter.send(occasion.sent)
            if isinstance(sent, Exception):
                return [Failing(name, Severity.LOST, f"{occasion.name}: raised {said(sent)}", "a receipt, both times")]
        found, number = counter.found(), number_of(occasion.sent)
        things, words = len(found) - len(clean), times(found, number) - times(clean, number)
        always = always and things <= 0 and words <= 0
        if counter.sink.honours_key and counter.repeated(occasion, found, accepted=True):
            told = f"{occasion.name}: it declares honours_key, and a person finds twice what was sent under one key"
            return [Failing(name, Severity.REPEATED, told, "found once, or honours_key = False")]
    if always and not counter.sink.honours_key:
        told = "it declares that it does not honour keys, and a person finds once what was sent twice"
        return [Failing(name, Severity.TOLD, told, "honours_key = True, or nobody knows that it is safe to send again")]
    return []


def _deleted(counter: Counter, name: str) -> list[Failing] | str:
    """A person deletes the ticket, before more is told of its case or at any moment meanwhile."""
    if UPDATE not in counter.occasions():
        return "no case is told of again"
    counter.begin(UPDATE)
    if not counter.desk.delete():
        return "nobody deletes anything at this desk"
    for at in range(1, counter.clean(UPDATE).requests + 1):
        if failings := _deleted_at(counter, name, at):
            where = f"deleted before request {at} of an update"
            return [Failing(name, each.severity, f"{where}: {each.happened}", each.expected) for each in failings]
    return []


def _deleted_at(counter: Counter, name: str, at: int) -> list[Failing]:
    counter.begin(UPDATE)
    counter.stage.disturb(meddle=partial(_delete, counter.desk, at))
    first = counter.send(UPDATE.sent)
    unnamed = counter.verdict.named(name, first) if isinstance(first, Exception) else []
    counter.stage.disturb()
    if unnamed:
        return unnamed
    accepted = bool(times(counter.found(), 2))
    if not isinstance(first, Exception) and not accepted:
        told = "counted as sent though its words are nowhere"
        return [Failing(name, Severity.LOST, told, "another ticket, or an error and another try")]
    second = counter.send(UPDATE.sent)
    found = counter.found()
    if isinstance(second, Exception) or not UPDATE.done(found):
        told = said(second) if isinstance(second, Exception) else "the alert never arrived"
        return [Failing(name, Severity.LOST, told, "another ticket, after another try at the latest")]
    if counter.repeated(UPDATE, found, accepted=accepted):
        return [Failing(name, Severity.REPEATED, "a person finds it twice", "once, after two tries")]
    return []


def _delete(desk: Desk, at: int, number: int) -> None:
    if number == at and not times(desk.found(), 2):  # else a person could read it before
        desk.delete()


def _itself(counter: Counter, name: str) -> list[Failing] | str:
    """What is printed of the sink itself, as a debugger or a log may."""
    how = leaked(counter.verdict.secrets, f"{counter.sink!r} {counter.sink}")
    told = f"repr() tells a secret, {how}"
    return [Failing(name, Severity.SECRET, told, "a secret is a SecretStr in the settings")] if how else []


def _unreachable(where: str, errors: tuple[type[EarfulError], ...], *, tls: bool = False) -> Story:
    def story(counter: Counter, name: str) -> list[Failing] | str:
        with counter.stage.serving(tls=tls) as there:
            address = where or (there if tls else there.replace("http:", "https:"))
            try:
                sink = type(counter.sink).model_validate({"name": MINE, **counter.kind().settings(address)})
            except ValueError:
                return "its settings refuse such an address"
            elsewhere = Counter(sink, counter.stage, counter.kind, address, counter.heard, told=counter.told)
            sent = elsewhere.send(alert())
        if isinstance(sent, errors):
            return []
        told = said(sent) if isinstance(sent, Exception) else "counted as sent"
        gravity = Severity.UNNAMED if isinstance(sent, Exception) else Severity.LOST
        return [Failing(name, gravity, told, " or ".join(each.__name__ for each in errors))]

    return story


STORIES: dict[str, Story] = {
    "markup in a stranger's words": _hostile,
    "everything as long as it may be": _long,
    "nothing known but a title": _sparse,
    "the same case again": _same_case,
    "a case that is settled": _settled,
    "the same alert twice": _twice,
    "a ticket that a person deleted": _deleted,
    "what it says of itself": _itself,
    "a name that is not found": _unreachable(NO_NAME, FAR),
    "a port where nobody listens": _unreachable(NO_PORT, FAR),
    "TLS with a server that speaks none": _unreachable("", FAR),
    "a certificate nobody trusts": _unreachable("", (RefusedError,), tls=True),
}
"""What may happen to a sink besides faults of the wire."""
