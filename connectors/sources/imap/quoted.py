"""What an HTML mail quotes, found by the elements that mail programs put around it."""

import re
from dataclasses import dataclass, field

MARK = "<p>&gt;</p>"
"""Stands for a quote: plain text marks it so as well."""

_TAG = re.compile(r"<(/?)(div|blockquote|span)\b([^<>]*)>", re.IGNORECASE)
_NAMED = re.compile(r"\b(?:class|id|type)\s?=\s?(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_COMMENT = re.compile(r"<!--(?:.*?-->|.*)", re.DOTALL)
_LONGEST = 1_000
"""Characters of a tag that are looked at."""

_HOLDERS = ("gmail_quote", "protonmail_quote")
"""A quote with what says whose it is; own words between its block quotes are no quote."""
_QUOTES = ("yahoo_quoted", "mail-editor-reference-message-container", "olk_src_body_section")
_ASIDE = ("gmail_attr", "gmail_signature", "moz-cite-prefix")
"""Says whose words come next, or who writes."""
_LAST = ("divrplyfwdmsg", "appendonsend")
"""Behind it nothing is new."""


@dataclass
class _Reader:
    """The HTML on its way: `kept` is what is not quoted, `left_at` how deep the element lies that is left out now."""

    kept: list[str] = field(default_factory=list)
    open: list[tuple[str, int | None]] = field(default_factory=list)
    """The elements we are in, and of a holder where in `kept` it begins."""
    many: dict[str, int] = field(default_factory=dict)
    holders: int = 0
    quoted: list[int] = field(default_factory=list)
    """Where in `kept` the marks stand."""
    left_at: int | None = None

    def begin(self, tag: str, role: str) -> None:
        """An element opens."""
        holder = None
        role = "quote" if tag == "blockquote" and self.holders else role
        if self.left_at is None:
            if role in {"quote", "aside"}:
                self.left_at = len(self.open)
            if role == "quote":
                self.mark()
            elif role == "holder":
                holder = len(self.kept)
                self.holders += 1
        self.open.append((tag, holder))
        self.many[tag] = self.many.get(tag, 0) + 1

    def mark(self) -> None:
        """A quote stood here."""
        self.quoted.append(len(self.kept))
        self.kept.append(MARK)

    def end(self, tag: str) -> None:
        """An element is closed, and what was left open in it; one that never was opened is passed over."""
        while self.many.get(tag):
            inner = self.close()
            if inner == tag:
                return

    def close(self) -> str:
        """The innermost element ends. A holder in which nothing is marked is one quote itself."""
        tag, holder = self.open.pop()
        self.many[tag] -= 1
        if self.left_at == len(self.open):
            self.left_at = None
        if holder is not None:
            self.holders -= 1
            if not (self.quoted and self.quoted[-1] >= holder):
                del self.kept[holder:]
                self.mark()
        return tag


def unquoted(html: str) -> str:
    """The HTML with a mark where something was quoted; what stands behind a quote stays."""
    html = _COMMENT.sub("", html)
    reader, at = _Reader(), 0
    for tag in _TAG.finditer(html):
        left = reader.left_at is not None
        if not left:
            reader.kept.append(html[at : tag.start()])
        name = tag[2].lower()
        role = "" if tag[1] else _role(name, tag[3][:_LONGEST])
        if role == "last" and not left:
            reader.mark()
            at = len(html)
            break
        if tag[1]:
            reader.end(name)
        else:
            reader.begin(name, role)
        at = tag.end() if left or reader.left_at is not None else tag.start()  # lines end at a tag that stays
    if reader.left_at is None:
        reader.kept.append(html[at:])
    while reader.open:
        reader.close()
    return "".join(reader.kept)


def _role(tag: str, attributes: str) -> str:
    """What an element is for."""
    told = " ".join("".join(found) for found in _NAMED.findall(attributes)).lower() if attributes else ""
    if not told:
        return ""
    if tag == "blockquote":
        return "quote" if "cite" in told or any(name in told for name in _HOLDERS) else ""
    for role, names in (("last", _LAST), ("aside", _ASIDE), ("quote", _QUOTES), ("holder", _HOLDERS)):
        if any(name in told for name in names):
            return role
    return ""
