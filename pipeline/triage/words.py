"""What the triage model sees of a mention: its words, pairs of words, parts of words, and a few facts beside them.

Everything a word adds depends on that word alone, so what it adds to every answer can be kept and added up: that makes
the model fast, and the share of each word in an answer exact.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from unicodedata import category

from pipeline.classifier import Reading
from pipeline.mention import MentionKind
from pipeline.sentiment import Strength

READ = 5_000
"""Characters of a mention the model reads; nothing after them counts."""

_NEGATION_REACH = 3
_SHORTEST_PART, _LONGEST_PART = 2, 5
_LONGEST_WORD = 40

_TOKEN = re.compile(
    r"""
\s*+(?:
    (?P<plain>[A-Za-z]++(?=[\s,!?;)]|\.\s|$))
  | (?P<word>[^\W\d_]+(?:['\u2019][^\W\d_]+)*(?![\w@]|[.:][\w/]|-\w))
  | (?P<url>[Hh][Tt][Tt][Pp][Ss]?://\S{0,300}|[Ww]{3}\.\S{1,300}|\b[A-Za-z0-9-]{1,40}\.(?:com|net|org|co|ly|gl|me|tt|be|uk|in)/\S{0,300})
  | (?P<mail>[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64})
  | (?P<handle>@\w{1,60})
  | (?P<tag>\#\w{1,100})
  | (?P<number>[$£€₹]?\d[\d.,:/]{0,30}%?)
  | (?P<part>[^\W\d_]+(?:['\u2019][^\W\d_]+)*)
  | (?P<smiley>[:;=]['-]?[()DPpOo/\\|*\[\]]+|<3|</3)
  | (?P<marks>[!?.…]+)
  | (?P<sign>[^\w\s])
)
    """,
    re.VERBOSE,
)
_RUN = re.compile(r"(\w)\1{2,}")
_DIGIT = re.compile(r"\d")
_NEGATIONS = (
    "not no never cannot cant dont wont isnt wasnt arent doesnt didnt couldnt wouldnt shouldnt havent hasnt hadnt aint "
    "nothing nobody none nor without neither hardly"
)
_NOT = frozenset(_NEGATIONS.split())
_ENDS_NEGATION = frozenset({"but", ".", "!", "?", ",", ";", "however"})
_HELPERS = re.compile(r"support|help|care|service|assist|hears|answers", re.IGNORECASE)
_DRESSING = frozenset(map(chr, (0xAC, 0x200B, 0x200C, 0x200D, 0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400))))
"""Our own mark; joiners, variation selectors and skin tones, which dress the emoji before them."""


class Token(NamedTuple):
    """One word as the model knows it, and where it stands in `Reading.words`."""

    name: str
    start: int
    end: int

    @property
    def plain(self) -> str:
        """Its name without the mark of a negation before it."""
        return self.name.removeprefix("¬")


def tokens(words: str) -> list[Token]:
    """The tokens of the first `READ` characters, in order. A name with a leading "¬" stands after a negation."""
    found: list[Token] = []
    reach = 0
    for match in _TOKEN.finditer(words, 0, READ):
        sort = match.lastgroup or ""
        name = _name(sort, match[sort])
        if not name:
            continue
        if name in _ENDS_NEGATION:
            reach = 0
        negated = reach > 0 and name[0].isalpha()
        found.append(Token("¬" + name if negated else name, *match.span(sort)))
        reach = _NEGATION_REACH if name in _NOT or name.endswith("n't") else reach - 1
    return found


@lru_cache(maxsize=50_000)
def _name(sort: str, said: str) -> str:
    """What the model calls a token; nothing for what it passes over."""
    fixed = {"url": "<url>", "mail": "<mail>", "handle": "<helper>" if _HELPERS.search(said) else "<handle>"}
    match sort:
        case "plain" | "word" | "part":
            return _RUN.sub(r"\1\1", said.lower().replace("\u2019", "'"))[:_LONGEST_WORD]
        case "marks":
            return "..." if said[0] in ".…" and said != "." else said[0] * min(len(said), 2)
        case "sign":
            return "" if said in _DRESSING else said
        case "number":
            return _DIGIT.sub("0", said)[:8]
        case "tag":
            return said.lower()[:_LONGEST_WORD]
        case _:
            return fixed.get(sort, said[:3])


def parts(name: str) -> Iterator[tuple[str, float]]:
    """The features of one token with their values: the word itself, the word after a negation, and its parts.

    The value of all parts together is as large as that of the word, however long it is.
    """
    plain = name.removeprefix("¬")
    yield "w " + plain, 1.0
    if name != plain:
        yield "n " + plain, 1.0
    bare = plain.lstrip("#")
    if not bare[:1].isalpha():
        return
    edged = f"_{bare}_"
    pieces = {
        edged[at : at + size]
        for size in range(_SHORTEST_PART, _LONGEST_PART + 1)
        for at in range(len(edged) - size + 1)
    }
    value = len(pieces) ** -0.5
    for piece in sorted(pieces):
        yield "c " + piece, value


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

_REPOST = re.compile(r"^\s*RT\b|\bRT @|[\"\u201c\u201d]@?\w", re.IGNORECASE)
_QUESTIONS = "how what when where why who which can could do does is are will would should any has have did"
_ASKS = frozenset(_QUESTIONS.split())


def facts(reading: Reading, known: list[Token], strength: Strength) -> list[float]:
    """The values of `FACTS`, each about 0..1 (the compound -1..1)."""
    words = reading.words[:READ]
    stars = reading.stars
    names = [token.name.removeprefix("¬") for token in known]
    spoken = [name for name in names if name[0].isalpha()]
    count = len(spoken)
    first = names[0] if names else ""
    said = next((name for name in names if name[0] not in "<.\"'“"), "")
    own = set(names)
    letters = sum(map(str.isalpha, words[:400]))
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
        min(1.0, sum(name[0] == "#" for name in names) / 3),
        float(_REPOST.search(words) is not None),
        sum(map(str.isupper, words[:400])) / letters if letters > 3 else 0.0,  # noqa: PLR2004 - too few to say
        float(count <= 3),  # noqa: PLR2004 - as named
        float(3 < count <= 10),  # noqa: PLR2004
        float(count > 30),  # noqa: PLR2004
        float(count > 80),  # noqa: PLR2004
        float(not own.isdisjoint({"i", "my", "me", "i'm", "i've", "mine"})),
        float(not own.isdisjoint({"you", "your", "u", "ur", "you're"})),
        float(not own.isdisjoint({"we", "us", "our"})),
        float(any(name in _NOT or name.endswith("n't") for name in own)),
        float(said in _ASKS),
        float(any(name[0] == "0" or name[1:2] == "0" for name in names)),
    ]
