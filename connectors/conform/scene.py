"""Scene: what is said in a world in the course of a trial, and what a listener must have heard of it."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import httpx

from connectors.conform.grade import Severity
from connectors.conform.listener import Listener
from connectors.conform.step import PlaceError
from connectors.conform.world import Said, World
from pipeline.mention import Mention

STEP = timedelta(seconds=20)
"""Between two things said."""
REST = timedelta(minutes=5)
"""Between the last thing said and the listener's call."""

_NUMBER = re.compile(r"Hike(?:</\w+>)? (\d+) ")
_TEXTS = (
    "Hike {} is a great shoe #hike",
    'Hike {} pinches & squeaks, 5 < 6 and "why" isn\'t known #hike',
    "Hike {} trägt sich schön, 靴が好き 😀 #hike",
)

Judged = list[tuple[Severity, str]]


def text(number: int, version: int = 0) -> str:
    """The words of one thing; another version has other words."""
    said = _TEXTS[number % len(_TEXTS)].format(number)
    return said.replace("#hike", f"once more {version} #hike") if version else said


def numbers(words: str) -> set[int]:
    """Which things these words, or a piece of JSON, tell of."""
    return {int(found) for found in _NUMBER.findall(words)}


@dataclass(slots=True)
class Scene:
    """A world, what was said in it, and what time it is there."""

    world: World
    now: datetime
    said: list[Said] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the place says at this moment, dated by its own clock."""
        answer = self.world.answer(request, tuple(self.said), self.now)
        answer.headers.setdefault("date", self.now.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        return answer

    def say(self, many: int = 1, step: timedelta = STEP) -> list[Said]:
        """So many things are said one after the other, and a little time goes by."""
        new = []
        for _ in range(many):
            self.now += step
            new.append(self.arrive(self.now))
        self.now += REST
        return new

    def arrive(self, at: datetime) -> Said:
        """One thing appears now that was said then."""
        number = len(self.said) + 1
        made = Said(number, at, text(number))
        self.said.append(made)
        return made

    def edit(self, number: int, *, silently: bool = False) -> Said:
        """Its author gives it other words now."""
        place = next(place for place, each in enumerate(self.said) if each.number == number)
        edited = replace(self.said[place], text=text(number, 1), edited_at=None if silently else self.now)
        self.said[place] = edited
        return edited

    def reuse(self, number: int) -> Said:
        """It was taken back, and now another thing has its number: other words, at another time."""
        place = next(place for place, each in enumerate(self.said) if each.number == number)
        self.said[place] = Said(number, self.now, text(number, 2))
        return self.said[place]

    def delete(self, number: int) -> None:
        """Its author takes it back."""
        self.said = [replace(each, deleted=True) if each.number == number else each for each in self.said]

    def judge(self, listener: Listener, excused: Collection[int] = ()) -> Judged:
        """What the listener lacks, calls gone though it lives, has twice, or has otherwise than it was said."""
        heard = heard_of(listener)
        living = [each for each in self.said if not each.deleted and each.number not in excused]
        lost = [each.number for each in living if each.number not in heard]
        gone = [each.number for each in living if not listener.gone.isdisjoint(heard.get(each.number, ()))]
        twice = {number: keys for number, keys in heard.items() if len(keys) > 1 and number not in excused}
        told: Judged = []
        if lost:
            told.append((Severity.LOST, f"{len(lost)} of {len(living)} things said were never heard ({some(lost)})"))
        if gone:
            told.append((Severity.LOST, f"{len(gone)} of {len(living)} that are living are called gone ({some(gone)})"))
        if twice:
            keys = " and ".join(sorted(next(iter(twice.values()))))
            told.append((Severity.REPEATED, f"{len(twice)} were heard under two keys, such as {keys}"))
        other = [(each, differs) for each in living if (differs := self._differs(each, heard.get(each.number, {})))]
        if other:
            (one, (name, was, now)), *_ = other
            told.append(
                (Severity.DISTORTED, f"{len(other)} read otherwise: {name} of {one.number}, {was!r} as {now!r}")
            )
        return told

    def _differs(self, said: Said, heard: dict[str, Mention]) -> tuple[str, object, object] | None:
        """The first field in which what was heard of a thing is not what was said: its name, what was and what is."""
        if not heard:
            return None
        mention = next((each for each in heard.values() if each.text == said.text), None)
        if mention is None:
            return "text", said.text, next(iter(heard.values())).text
        truth = self.world.truth(said)
        times = [truth.pop("said_at")] if "said_at" in truth else [said.at, said.edited_at or said.at]
        if all(abs(mention.said_at - at) >= timedelta(seconds=1) for at in times):
            return "said_at", times[0].isoformat(), mention.said_at.isoformat()
        for name, was in truth.items():
            if name not in Mention.model_fields:
                why = f"{type(self.world).__name__}.truth() tells of {name!r}, which no mention has"
                raise PlaceError(f"{why}; mend the world: no word about the source")
            now = getattr(mention, name)
            keyed = name in {"thread", "parent"} and isinstance(was, str) and isinstance(now, str)
            if not (_ends(now, was) if keyed else now == was):
                return name, was, now
        return None

    def covered(self, listener: Listener) -> set[int]:
        """What the listener itself says that it may not have heard."""
        return {
            each.number
            for each in self.said
            if any((gap.start is None or gap.start <= each.at) and each.at <= gap.end for gap in listener.gaps)
        }

    def overclaimed(self, listener: Listener) -> Judged:
        """What was said within the reach that the listener claims, is in no gap it tells of, and was not heard."""
        if listener.reach is None:
            return [(Severity.TOLD, "the last page of a walk did not say how far back it reached")]
        within = {each.number for each in self.said if each.at >= listener.reach}
        outside = {each.number for each in self.said} - within | self.covered(listener)
        lost = [told for severity, told in self.judge(listener, outside) if severity is Severity.LOST]
        return [(Severity.LOST, f"it claims to have heard all since {listener.reach}, but {each}") for each in lost]


def _ends(key: str, native: str) -> bool:
    """Whether a key ends with this id, and not only with its last letters: 17 is not 7."""
    before = key.removesuffix(native)
    return key.endswith(native) and not (native[:1].isalnum() and before[-1:].isalnum())


def heard_of(listener: Listener) -> dict[int, dict[str, Mention]]:
    """What was heard of each thing, by its keys; the brand's answers tell of none."""
    heard: dict[int, dict[str, Mention]] = {}
    for key, mention in listener.kept.items():
        if not (mention.by_brand and mention.parent):
            for number in numbers(f"{mention.text} "):
                heard.setdefault(number, {})[key] = mention
    return heard


def some(values: Iterable[int] | Iterable[str]) -> str:
    """A few of them, for a person who looks for them."""
    listed = [str(value) for value in values]
    return ", ".join(listed[:5]) + (" …" if len(listed) > 5 else "")  # noqa: PLR2004 - a handful
