"""The tokens of what stands between two blanks, which no token reaches across."""

import re

from pipeline.kept import Kept

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
_HELPERS = re.compile(r"support|help|care|service|assist|hears|answers", re.IGNORECASE)
_DRESSING = frozenset(map(chr, (0xAC, 0x200B, 0x200C, 0x200D, 0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400))))
"""Our own mark; joiners, variation selectors and skin tones, which dress the emoji before them."""


def _tokens(chunk: str) -> tuple[tuple[str, int, int], ...]:
    """The name of each token, and its start and end in the chunk."""
    if chunk.isascii() and chunk.isalpha():
        return ((_name("plain", chunk), 0, len(chunk)),)
    found = []
    for match in _TOKEN.finditer(chunk):
        sort = match.lastgroup or ""
        if name := _name(sort, match[sort]):
            found.append((name, *match.span(sort)))
    return tuple(found)


def _name(sort: str, said: str) -> str:  # noqa: PLR0911 - a return for each sort
    """What the model calls a token; nothing for what it passes over."""
    match sort:
        case "plain" | "word" | "part":
            return _RUN.sub(r"\1\1", said.lower().replace("\u2019", "'"))[:_LONGEST_WORD]
        case "marks":
            return "..." if said[0] in ".…" and said != "." else said[0] * min(len(said), 2)
        case "sign":
            return "" if said in _DRESSING else said
        case "number":
            return _DIGIT.sub("0", said)[:8]
        case "handle":
            return "<helper>" if _HELPERS.search(said) else "<handle>"
        case "tag":
            return said.lower()[:_LONGEST_WORD]
        case "url" | "mail":
            return f"<{sort}>"
        case _:
            return said[:3]


CHUNKS = Kept(_tokens)
"""By chunk, the name of each token in it, and its start and end there."""
