"""The signals that always go first, whatever the model says: harm, fraud, law, discrimination, press, leaked data."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_suffix(".toml").read_bytes()
VERSION = f"grave-{sha256(_FILE).hexdigest()[:12]}"
"""Changes with the patterns, and so whenever an answer could."""

_LONGEST = 400
_BREAK = re.compile(r"(?:[.!?]+[\"')\]]*(?=\s|$)|[\n\u2026]|[.!?]{2,})+")
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
    """The patterns of grave.toml, ready to search with."""

    begins: re.Pattern[str]
    meant: dict[str, frozenset[str]]
    says: dict[str, re.Pattern[str]]
    innocent: re.Pattern[str]


def _rules(told: dict[str, Any]) -> _Rules:
    parts: dict[str, str] = told["parts"]
    says = {name: _any_of(signal["says"], parts) for name, signal in told["signals"].items()}
    pairs = [
        (stem.replace("_", " "), name) for name, signal in told["signals"].items() for stem in signal["stems"].split()
    ]
    return _Rules(*_beginnings(pairs), says, _any_of(told["innocent"], parts))


def _any_of(patterns: list[str], parts: dict[str, str]) -> re.Pattern[str]:
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    for _ in range(2):  # a part may stand in another
        joined = re.sub(r"<(\w+)>", lambda part: parts[part[1]], joined)
    return re.compile(joined)


def _beginnings(pairs: list[tuple[str, str]]) -> tuple[re.Pattern[str], dict[str, frozenset[str]]]:
    """One search for all stems, by first letter, which makes it fast; and the signals that each stem can mean."""
    by_letter: dict[str, list[str]] = {}
    meant: dict[str, frozenset[str]] = {}
    for stem in sorted({stem for stem, _ in pairs}):
        by_letter.setdefault(stem[0], []).append(re.escape(stem[1:]).replace(r"\$", r"\b"))
        word = stem.rstrip("$")
        alike = {name for other, name in pairs if other.startswith(word) or word.startswith(other.rstrip("$"))}
        meant[word] = meant.get(word, frozenset()) | alike
    grouped = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in by_letter.items())
    return re.compile(rf"(?<![a-z])(?:{grouped})"), meant


_RULES = _rules(tomllib.loads(_FILE.decode()))


def grave(words: str) -> list[Signal]:
    """Each grave signal in a text at most once, in the order of the text.

    Reads English; of seven more languages only the plainest words.
    """
    flat = _flat(words)
    begun = [(hit.start(), _RULES.meant[hit.group()]) for hit in _RULES.begins.finditer(flat)]
    found: dict[str, Signal] = {}
    for start, end, names in _sentences(flat, begun):
        for name in names - found.keys():
            if span := _said(name, flat, start, end):
                found[name] = Signal(name, *span, words[slice(*span)])
    return sorted(found.values(), key=lambda signal: (signal.start, signal.name))


def _said(name: str, flat: str, start: int, end: int) -> tuple[int, int] | None:
    says, sentence = _RULES.says[name], flat[start:end]
    if not says.search(sentence):
        return None
    sober = _RULES.innocent.sub(lambda struck: "·" * len(struck.group()), sentence)
    hit = says.search(sober)
    return None if hit is None else (start + hit.start(), start + hit.end())


def _flat(words: str) -> str:
    """Lower case with plain quotes and spaces, and every character where it was."""
    low = words.lower()
    if len(low) != len(words):  # a few letters, such as İ, become two
        low = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in words)
    return low if low.isascii() and "`" not in low and "\t" not in low else low.translate(_FLAT)


def _sentences(flat: str, begun: list[tuple[int, frozenset[str]]]) -> Iterator[tuple[int, int, set[str]]]:
    """Each sentence in which something grave may begin: where it starts and ends, and what it may be.

    A sentence without end is cut, so that no pattern ever sees much text.
    """
    if not begun:
        return
    start = place = 0
    for stop in (*(gap.end() for gap in _BREAK.finditer(flat)), len(flat)):
        while start < stop:
            end = min(start + _LONGEST, stop)
            names: set[str] = set()
            while place < len(begun) and begun[place][0] < end:
                names |= begun[place][1]
                place += 1
            if names:
                yield start, end, names
            start = end
        if place == len(begun):
            return
