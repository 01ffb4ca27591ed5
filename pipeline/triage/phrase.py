"""Phrases: patterns written as words and gaps, found fast, because most texts lack one of the words they need.

A phrase is a row of slots, such as `<driver> ..6 stole|nicked ..3 my phone|wallet & <you> ! <glad>`:

- a slot is words of which one must stand there: `stole|nicked`; `<driver>` is a list of words with that name. `*` ends
  the beginning of a word, `_` is a space, `-` a hyphen, a space or nothing, `#` any number, `£#` any sum of money;
- slots side by side stand side by side; `..6` lets about six words of the same sentence come between, `~6` about six
  words in either order, whatever sentence they are in;
- `& slot` asks for a word anywhere in the passage, `! slot` that there is none.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property, reduce
from operator import or_

from pipeline.kept import Kept

_TOKEN = re.compile(r"[\w'&]+|[@$£€₹\u2600-\U0001faff]")
_PLAIN_TOKEN = re.compile(r"[a-z0-9_'&]+|[@$]")
"""A word, the sign of a handle or of money, or a sign beyond plain punctuation, such as an emoji."""
_LETTERS_A_WORD = 8
_SLACK = 4
"""Words by which a slot may begin before or end after the word that betrays it."""
_UNRANKED = 3_000
_GAP = re.compile(r"(\.\.|~)(\d+)")
_LIST = re.compile(r"<(\w+)>")
_SEVERAL = re.compile(r"[_#£-]")
_BESIDE = r"[^\w.!?\n]{1,3}"
_WORD_BEGINS, _SIGN_BEGINS, _WORD_ENDS = r"\b(?<!@)", r"(?<![\w@])", r"(?!\w|'t)"
_SIGNS = {"_": "[ ,'-]{1,2}", "-": "[ -]?", "'": "'?", "#": r"[£$€₹]?\d[\d,]*k?", "£": r"(?=[£$€₹])"}
_GLUE = str.maketrans("", "", " ,.'-_*")
"""What may stand between the words of an entry or within them, by `_SIGNS`, and the signs themselves."""
_EAST = "\u3040"
"""Scripts from here on write words without blanks between them."""
_MONEY = frozenset("£$€₹")
_NUMBER = "#"


class Phrase:
    """One phrase: the name of what it means, and how to find it."""

    __slots__ = ("__dict__", "bars", "beside", "name", "needs", "order", "others", "row")

    def __init__(self, name: str) -> None:
        """`name` is what it means; the rest is filled in by `Phrases`, which knows the lists."""
        self.name = name
        self.row: list[str | tuple[str, ...]] = []
        """The entries of each slot, and the gaps between the slots as they are written."""
        self.needs = self.bars = 0
        """Bits of the slots that must have a word in the passage, and of those that must not."""
        self.others: list[tuple[int, int]] = []
        """For each slot of the row but its rarest: its bit, and how many words away from the rarest it may stand."""
        self.order: list[int] = []
        """The bits of the slots in the order of the row; empty where any order will do."""
        self.beside: list[tuple[tuple[str, ...], bool]] = []
        """Entries of which one must be there, or none, where bits cannot tell."""

    def near(self, marks: list[int], place: int) -> bool:
        """Whether words of all its slots stand near a word of its rarest; `marks` are the slots of each word."""
        for bit, reach in self.others:
            for mark in marks[max(0, place - reach) : place + reach + 1]:
                if mark & bit:
                    break
            else:
                return False
        return True

    def in_order(self, marks: list[int]) -> bool:
        """Whether words of all its slots stand in the order of the row, two slots perhaps at one word."""
        place = 0
        for bit in self.order:
            while not marks[place] & bit:
                place += 1
                if place == len(marks):
                    return False
        return True

    def is_spelt_in(self, bare: str) -> bool:
        """Whether an entry of every slot stands in a passage without its `_GLUE`, letter by letter.

        Most phrases end here and are never made a pattern: making one takes as long as judging ten texts.
        """
        return all(any(map(bare.__contains__, letters)) for letters in self.spelt)

    @cached_property
    def spelt(self) -> list[tuple[str, ...]]:
        """For each slot of the row the letters of its entries."""
        return [_spelt(piece) for piece in self.row if not isinstance(piece, str)]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Made when it is first needed: most are needed seldom."""
        pieces = [piece if isinstance(piece, str) else _slot(piece) for piece in self.row]
        loose = [place for place, piece in enumerate(pieces) if piece.startswith("~")]
        if not loose:
            return _made(_row(pieces))
        one, other = _row(pieces[: loose[0]]), _row(pieces[loose[0] + 1 :])
        between = f".{{0,{int(pieces[loose[0]][1:]) * _LETTERS_A_WORD}}}?"
        return _made(f"{one}{between}{other}|{other}{between}{one}")

    def search(self, passage: str) -> re.Match[str] | None:
        """Where a flat passage says it first, if it does."""
        hit = self.pattern.search(passage)
        beside = ((_made(_slot(entries)).search(passage) is not None) is there for entries, there in self.beside)
        return hit if hit and all(beside) else None


class Phrases:
    """Many phrases, sorted by the rarest of their slots."""

    def __init__(self, lists: dict[str, str], phrases: Iterable[tuple[str, str]]) -> None:
        """Reads `phrases`, pairs of a name and a phrase.

        `lists` holds the entries of each `<list>` with blanks between them, and under `common` the commonest words.
        """
        self._lists = lists
        self._rank = {word: rank for rank, word in enumerate(["#", *lists["common"].split()], 1)}
        self._read_before: dict[str, tuple[str, ...]] = {}
        self._bits: dict[str, int] = {}
        self._placeless = 0
        """Bits of slots with an entry, such as `which?`, that is no token: the words do not tell where it stands."""
        self._whole: dict[str, int] = {}
        self._begun: dict[str, int] = {}
        self._known = Kept(self._learn)
        self._keyed: dict[int, list[_Keyed]] = {}
        for name, text in phrases:
            self._read(name, text)
        self._lengths = sorted({len(begun) for begun in self._begun})
        self._keys = sum(self._keyed)
        self._order = {key: place for place, key in enumerate(self._keyed)}

    def begun(self, passage: str) -> list[Phrase]:
        """The phrases whose every slot has one of its words in a flat passage, near enough to the others."""
        tokens = (_PLAIN_TOKEN if passage.isascii() else _TOKEN).findall(passage)
        begins = list(map(self._known.__getitem__, tokens))
        marks = [mark for mark, _ in begins]
        present = reduce(or_, marks, 0)
        found: dict[Phrase, None] = {}
        for place, (_, keyed) in enumerate(begins):
            for needs, bars, phrase in keyed:
                possible = present & needs == needs and not present & bars and phrase not in found
                if possible and phrase.near(marks, place):
                    found[phrase] = None
        if not found:
            return []
        bare = passage.translate(_GLUE)
        return [phrase for phrase in found if phrase.in_order(marks) and phrase.is_spelt_in(bare)]

    def _learn(self, token: str) -> "_Known":
        """The slots that a token can betray, and the phrases of which it can fill the rarest."""
        if token.isalpha() and token < _EAST:
            parts = {token}
        else:
            parts = {token, *token.split("'"), *token.split("&")} if token < _EAST else set(token)
        if not token.isalpha() and any(map(str.isdecimal, token)):
            parts |= {"#", *re.split(r"\d+", token)}
        if token in _MONEY:
            parts.add("£")
        bits = 0
        for part in parts:
            bits |= self._whole.get(part, 0)
            for length in self._lengths:
                bits |= self._begun.get(part[:length], 0) if length <= len(part) else 0
        keys = sorted(_single(bits & self._keys), key=self._order.__getitem__)
        return bits, tuple([entry for key in keys for entry in self._keyed[key]])

    def _read(self, name: str, text: str) -> None:
        phrase, sign, place = Phrase(name), "", 0
        slots: list[tuple[float, int, int]] = []
        for piece in text.split():
            gap = _GAP.fullmatch(piece)
            if piece in {"&", "!"}:
                sign = piece
            elif gap:
                phrase.row.append(piece)
                place += int(gap[2])
            else:
                entries = self._entries(piece)
                several = tuple(entry for entry in entries if _SEVERAL.search(entry)) if sign else ()
                bit = self._bit(f"{sign}{piece}", [entry for entry in entries if sign != "!" or entry not in several])
                if sign == "!":
                    phrase.bars |= bit
                    phrase.beside += [(several, False)] if several else []
                else:
                    phrase.needs |= bit
                    if sign:
                        phrase.beside += [(entries, True)] if several else []
                    else:
                        phrase.row.append(entries)
                        slots.append((self._cost(entries), bit, place))
                        place += 1
                sign = ""
        while isinstance(phrase.row[-1], str):  # a gap at the end means nothing
            phrase.row.pop()
        _, key, stands = min(slots)
        phrase.others = [(bit, abs(at - stands) + _SLACK) for _, bit, at in slots if bit != key]
        if not any(isinstance(piece, str) and piece.startswith("~") for piece in phrase.row):
            phrase.order = [bit for _, bit, _ in slots if not bit & self._placeless]
        self._keyed.setdefault(key, []).append((phrase.needs, phrase.bars, phrase))

    def _entries(self, piece: str) -> tuple[str, ...]:
        if piece not in self._read_before:
            entries: list[str] = []
            for part in piece.split("|"):
                named = _LIST.fullmatch(part)
                words = self._lists[named[1]].split() if named else ()
                entries += [entry for word in words for entry in self._entries(word)] if named else [part]
            self._read_before[piece] = tuple(entries)
        return self._read_before[piece]

    def _bit(self, piece: str, entries: Iterable[str]) -> int:
        if piece not in self._bits:
            bit = self._bits[piece] = 1 << len(self._bits)
            for entry in entries:
                for word in _forms(self._rarest(entry)):
                    table, bare = self._begun if word.endswith("*") else self._whole, word.rstrip("*")
                    table[bare] = table.get(bare, 0) | bit
                    if bare != _NUMBER and not _TOKEN.fullmatch(bare):
                        self._placeless |= bit
        return self._bits[piece]

    def _cost(self, entries: Iterable[str]) -> float:
        """How likely a slot is filled in any text: a guess from the ranks of its words among the commonest."""
        words = (word for entry in entries for word in _forms(self._rarest(entry)))
        return sum(1 / self._rank.get(word.rstrip("*"), _UNRANKED) for word in words)

    def _rarest(self, entry: str) -> str:
        """The word of an entry that a text has least often: without it, no text has the entry."""
        return max(entry.split("_"), key=lambda word: (self._rank.get(word, _UNRANKED), len(word)))


_Keyed = tuple[int, int, Phrase]
_Known = tuple[int, tuple[_Keyed, ...]]


def _single(bits: int) -> Iterator[int]:
    """Each bit that is set, by itself."""
    while bits:
        yield bits & -bits
        bits &= bits - 1


@cache
def _made(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


def _row(pieces: list[str]) -> str:
    """The slots of a row and what may stand between them."""
    found, between = "", ""
    for piece in pieces:
        gap = _GAP.fullmatch(piece)
        if gap:
            between = rf"[^.!?\n]{{1,{int(gap[2]) * _LETTERS_A_WORD + 2}}}?"
        else:
            found += (between if found else "") + piece
            between = _BESIDE
    return found


@cache
def _slot(entries: tuple[str, ...]) -> str:
    """A regular expression for a slot; by first letters, which makes it fast."""
    by_letters: dict[str, list[str]] = {}
    for entry in entries:
        first = 2 if entry[:2].isalnum() and entry[:2].isascii() else 0
        by_letters.setdefault(entry[:first], []).append(_pattern(entry[first:]))
    words = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in by_letters.items())
    if entries[0] > _EAST:
        return f"(?:{words})"
    begins = _WORD_BEGINS if all(entry[0].isalnum() for entry in entries) else _SIGN_BEGINS
    return f"{begins}(?:{words}){_WORD_ENDS}"


@cache
def _spelt(entries: tuple[str, ...]) -> tuple[str, ...]:
    """What of each entry stands in any text that has it: all of its letters, or the most in a row without a number."""
    return tuple({max(re.split("[#£]", entry.translate(_GLUE)), key=len) for entry in entries})


def _pattern(entry: str) -> str:
    """What an entry looks like in flat text."""
    made = "".join(_SIGNS.get(sign, re.escape(sign)) for sign in entry.rstrip("*"))
    made = made.replace(_SIGNS["#"] + _SIGNS["_"], _SIGNS["#"] + "[ -]{0,2}")
    return made + (r"[\w']*" if entry.endswith("*") else "")


def _forms(word: str) -> list[str]:
    """The forms in which a word of an entry can stand as a token; a star stays at the end."""
    star = "*" if word.endswith("*") else ""
    bare = word.rstrip("*")
    if bare > _EAST:
        return [bare[0]]
    if bare.startswith("£"):
        return ["£"]
    if "-" in bare:
        longest = max(pieces := bare.split("-"), key=len)
        return [bare.replace("-", "") + star, longest + (star if longest is pieces[-1] else "")]
    return [bare + star, bare.replace("'", "") + star] if "'" in bare else [bare + star]
