"""The signals that go first whatever the lane, as phrases tell them: harm, fraud, law, discrimination, press, data."""

import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pipeline.triage.phrase import Phrase, Phrases

_FILE = Path(__file__).with_suffix(".toml").read_bytes()
VERSION = f"grave-{sha256(_FILE).hexdigest()[:12]}"
"""Changes with the patterns, and so whenever an answer could."""

_LONGEST = 400
_BREAK = re.compile(r"(?:[.!?]+[\"')\]]*(?=\s|$)|[\n\u2026]|[.!?]{2,})+")
_POINT = re.compile(r"\.(?=\w)(?<=\w\.)|\.(?:(?<=\bmr\.)|(?<=\bmrs\.)|(?<=\bms\.)|(?<=\bdr\.)|(?<=\bst\.))")
"""A point that ends no sentence."""
# Curly quotes and accents used as quotes become plain, dashes a hyphen, odd blanks a space.
_FLAT = str.maketrans("\u2019\u2018\u00b4`\u201c\u201d\u2013\u2014\xa0\t", "''''\"\"--  ")


@dataclass(frozen=True, slots=True)
class Signal:
    """One grave thing a text says, and the words that say it: `text` is `words[start:end]`.

    `name` is one of injury, fraud, legal, discrimination, self_harm, press, data_leak and child_safety.
    """

    name: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Rules:
    """What grave.toml says, ready to search with."""

    innocent: re.Pattern[str]
    phrases: Phrases


def _rules(told: dict[str, Any]) -> _Rules:
    sure = [(name, phrase) for name, signal in told["signals"].items() for phrase in signal["phrases"]]
    hints = [
        (name, f"{phrase} ! <glad>") for name, signal in told["signals"].items() for phrase in signal.get("hints", ())
    ]
    innocent = "|".join(f"(?:{pattern})" for pattern in told["innocent"])
    return _Rules(re.compile(innocent), Phrases(told["lists"], sure + hints))


_RULES = _rules(tomllib.loads(_FILE.decode()))


def grave(words: str) -> list[Signal]:
    """Each grave signal in a text at most once, in the order of the text.

    Reads English; of seven more languages only the plainest words.
    """
    found: dict[str, Signal] = {}
    for start, passage in _passages(_flat(words)):
        begun = _RULES.phrases.begun(passage)
        if begun:
            for name, begin, end in _said(passage, begun, found.keys()):
                found[name] = Signal(name, start + begin, start + end, words[start + begin : start + end])
    return sorted(found.values(), key=lambda signal: (signal.start, signal.name)) if found else []


def _said(passage: str, begun: list[Phrase], known: Collection[str]) -> Iterator[tuple[str, int, int]]:
    """What a passage says of the phrases it may say, and where; nothing that is known already."""
    flat = _POINT.sub(",", passage) if "." in passage else passage
    sober = ""
    for phrase in begun:
        if phrase.name in known or not phrase.search(flat):
            continue
        sober = sober or _RULES.innocent.sub(lambda struck: "·" * len(struck.group()), flat)
        hit = phrase.search(sober)
        if hit:
            yield phrase.name, hit.start(), hit.end()


def _passages(flat: str) -> Iterator[tuple[int, str]]:
    """Parts of at most 400 characters, cut where a sentence ends if one does, so that no pattern sees much text."""
    start = 0
    while len(flat) - start > _LONGEST:
        ends = [gap.end() for gap in _BREAK.finditer(flat, start, start + _LONGEST)]
        end = ends[-1] if ends and ends[-1] > start else start + _LONGEST
        yield start, flat[start:end]
        start = end
    if start < len(flat):
        yield start, flat[start:]


def _flat(words: str) -> str:
    """Lower case with plain quotes and spaces, and every character where it was."""
    low = words.lower()
    if len(low) != len(words):  # a few letters, such as İ, become two
        low = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in words)
    return low if low.isascii() and "`" not in low and "\t" not in low else low.translate(_FLAT)
