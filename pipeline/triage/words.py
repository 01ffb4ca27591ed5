"""What the triage model sees of a mention: its words, pairs of words, parts of words, and a few facts beside them.

Everything a word adds depends on that word alone, so what it adds to every answer can be kept and added up: that makes
the model fast, and the share of each word in an answer exact.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple
from unicodedata import category

from pipeline.classifier import Reading
from pipeline.mention import MentionKind
from pipeline.sentiment import Strength
from pipeline.triage.chunk import CHUNKS

READ = 5_000
"""Characters of a mention the model reads; nothing after them counts."""

_NEGATION_REACH = 3
_SHORTEST_PART, _LONGEST_PART = 2, 5

_NEGATIONS = (
    "not no never cannot cant dont wont isnt wasnt arent doesnt didnt couldnt wouldnt shouldnt havent hasnt hadnt aint "
    "nothing nobody none nor without neither hardly"
)
_NOT = frozenset(_NEGATIONS.split())
_ENDS_NEGATION = frozenset({"but", ".", "!", "?", ",", ";", "however"})


class Token(NamedTuple):
    """One word as the model knows it, and where it stands in `Reading.words`."""

    name: str
    start: int
    end: int

    @property
    def plain(self) -> str:
        """Its name without the mark of a negation before it."""
        return self.name.removeprefix("¬")


class Said:
    """What the model reads in a text: the names of its tokens in order, and where they stand when asked for.

    `plain` are the names as they are; in `names` those that stand after a negation begin with "¬".
    """

    __slots__ = ("_chunks", "_inside", "_words", "names", "plain")

    def __init__(self, words: str) -> None:
        self._words = words
        self._chunks = words[:READ].split()
        self._inside = list(map(CHUNKS.__getitem__, self._chunks))
        self.plain = [token[0] for chunk in self._inside for token in chunk]
        self.names = _marked(self.plain) if _negated(self.plain) else self.plain

    def spans(self) -> list[tuple[int, int]]:
        """Start and end of each token in the text."""
        # There may be one start more than there are chunks.
        both = zip(_starts(self._words[:READ], self._chunks), self._inside, strict=False)
        return [(start + first, start + last) for start, chunk in both for _, first, last in chunk]

    def tokens(self) -> list[Token]:
        """All tokens in order."""
        return [Token(name, *span) for name, span in zip(self.names, self.spans(), strict=True)]


def _starts(words: str, chunks: Sequence[str]) -> list[int]:
    """Where each chunk stands."""
    lengths = list(map(len, chunks))
    if sum(lengths) + len(chunks) - 1 == len(words):  # one blank between any two
        return list(accumulate(lengths, lambda start, length: start + length + 1, initial=0))
    starts, end = [], 0
    for chunk, length in zip(chunks, lengths, strict=True):
        start = words.index(chunk, end)
        starts.append(start)
        end = start + length
    return starts


def tokens(words: str) -> list[Token]:
    """The tokens of the first `READ` characters, in order. A name with a leading "¬" stands after a negation."""
    return Said(words).tokens()


def _negated(plain: Sequence[str]) -> bool:
    """Whether any of the names denies what follows it."""
    return not _NOT.isdisjoint(plain) or "n't " in " ".join(plain) + " "


def _marked(plain: Sequence[str]) -> list[str]:
    """The names with the mark on those that a negation reaches."""
    names, reach = [], 0
    for name in plain:
        if name in _ENDS_NEGATION:
            reach = 0
        names.append("¬" + name if reach > 0 and name[0].isalpha() else name)
        reach = _NEGATION_REACH if name in _NOT or name.endswith("n't") else reach - 1
    return names


def parts(name: str) -> Iterator[tuple[str, float]]:
    """The features of one token with their values: the word itself, the word after a negation, and its parts.

    The value of all parts together is as large as that of the word, however long it is.
    """
    plain = name.removeprefix("¬")
    yield "w " + plain, 1.0
    if name != plain:
        yield "n " + plain, 1.0
    found = pieces(plain)
    for piece in sorted(found):
        yield "c " + piece, len(found) ** -0.5


def pieces(plain: str) -> dict[str, None]:
    """The different parts of a word, by a name without any mark; none of what is no word."""
    bare = plain.lstrip("#")
    if not bare[:1].isalpha():
        return {}
    edged = f"_{bare}_"
    sizes = range(_SHORTEST_PART, _LONGEST_PART + 1)
    return dict.fromkeys([edged[at : at + size] for size in sizes for at in range(len(edged) - size + 1)])


def pair(left: str, right: str) -> str:
    """The feature of two tokens that stand side by side, by their names without the mark of negation."""
    return f"b {left} {right}"


_GRAMMAR = (
    "a an the and or but of to in on at for from by with as is are was were be been being am it its it's this that "
    "these those i i'm i've me my we us our you your he she him her his they them their who which so if then than "
    "there here have has had do does did will would can could just also very too when what some any up out about"
)
_SILENT = frozenset(_GRAMMAR.split())
_SPOKEN = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


@lru_cache(maxsize=50_000)
def telling(span: str) -> bool:
    """Whether a span tells a person anything: a word that is not mere grammar, or an emoji."""
    said = [word.lower().replace("\u2019", "'") for word in _SPOKEN.findall(span)]
    if said:
        return any(word not in _SILENT for word in said)
    return any(category(sign) == "So" for sign in span)


FACTS = (
    "stars",
    "few stars",
    "many stars",
    "no stars",
    "review",
    "compound",
    "strongly negative",
    "strongly positive",
    "positive words",
    "negative words",
    "no feeling words",
    "question mark",
    "ends with a question mark",
    "exclamation mark",
    "starts with a handle",
    "starts with a helper's handle",
    "handles",
    "link",
    "ends with a link",
    "hashtags",
    "quotes or reposts",
    "capitals",
    "one to three words",
    "up to ten words",
    "over thirty words",
    "over eighty words",
    "I or my",
    "you or your",
    "we or us",
    "negation",
    "starts with a question word",
    "numbers",
)
"""The facts beside the words, in the order of `facts`."""

_QUOTE = re.compile(r"[\"\u201c\u201d]@?\w")
_REPOST = re.compile(r"\s*[Rr][Tt]\b")
_REPOSTS = re.compile(r"\b[Rr][Tt] @")
_WIDE = re.compile(r"[^\x00-\x7f]")
_NO_LETTERS = bytes(code for code in range(128) if not chr(code).isalpha())
_NO_CAPITALS = bytes(code for code in range(128) if not chr(code).isupper())
_QUESTIONS = "how what when where why who which can could do does is are will would should any has have did"
_ASKS = frozenset(_QUESTIONS.split())
_ME = frozenset({"i", "my", "me", "i'm", "i've", "mine"})
_YOU = frozenset({"you", "your", "u", "ur", "you're"})
_US = frozenset({"we", "us", "our"})


def facts(reading: Reading, known: Sequence[Token], strength: Strength) -> list[float]:
    """The values of `FACTS`, each about 0..1 (the compound -1..1)."""
    return facts_of(reading, reading.words, [token.plain for token in known], strength)


def facts_of(reading: Reading, words: str, names: Sequence[str], strength: Strength) -> list[float]:
    """The same from the reading's words, if they are at hand, and the names of their tokens without any mark."""
    words = words[:READ]
    stars = reading.stars
    initials = "".join([name[0] for name in names])
    count = sum(map(str.isalpha, initials))
    first = names[0] if names else ""
    said = next((name for name in names if name[0] not in "<.\"'“"), "")
    own = set(names)
    return [
        0.0 if stars is None else 2 * stars - 1,
        float(stars is not None and stars <= 0.4),  # noqa: PLR2004 - two of five
        float(stars is not None and stars >= 0.75),  # noqa: PLR2004 - four of five
        float(stars is None),
        float(reading.kind is MentionKind.REVIEW),
        strength.compound,
        float(strength.compound < -0.5),  # noqa: PLR2004 - the outer quarter of VADER's range
        float(strength.compound > 0.5),  # noqa: PLR2004
        min(1.0, 2 * strength.positive),
        min(1.0, 2 * strength.negative),
        float(not strength.positive and not strength.negative),
        float("?" in own or "??" in own),
        float(words.rstrip().endswith("?")),
        float("!" in own or "!!" in own),
        float(first in {"<handle>", "<helper>"}),
        float(first == "<helper>"),
        min(1.0, (names.count("<handle>") + names.count("<helper>")) / 3),
        float("<url>" in own),
        float(bool(names) and names[-1] == "<url>"),
        min(1.0, initials.count("#") / 3),
        float(_quotes(words)),
        _capitals(words[:400]),
        float(count <= 3),  # noqa: PLR2004 - as named
        float(3 < count <= 10),  # noqa: PLR2004
        float(count > 30),  # noqa: PLR2004
        float(count > 80),  # noqa: PLR2004
        float(not own.isdisjoint(_ME)),
        float(not own.isdisjoint(_YOU)),
        float(not own.isdisjoint(_US)),
        float(_negated(names)),
        float(said in _ASKS),
        float("0" in initials or "0" in "".join([name[1:2] for name in own])),
    ]


def _quotes(words: str) -> bool:
    """Whether the text repeats another's, or quotes it."""
    if _REPOST.match(words) is not None or _QUOTE.search(words) is not None:
        return True
    return " @" in words and _REPOSTS.search(words) is not None


def _capitals(words: str) -> float:
    """The share of capitals among the letters; 0 where there are too few to say."""
    plain = words.encode("ascii", "ignore")
    wide = "" if len(plain) == len(words) else _WIDE.findall(words)
    letters = len(plain.translate(None, _NO_LETTERS)) + sum(map(str.isalpha, wide))
    if letters <= 3:  # noqa: PLR2004 - too few to say
        return 0.0
    return (len(plain.translate(None, _NO_CAPITALS)) + sum(map(str.isupper, wide))) / letters
