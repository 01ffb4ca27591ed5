"""Plain text from what people typed."""

import re
from html import unescape
from html.parser import HTMLParser

_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
_BLOCKS = frozenset({"p", "br", "div", "li", "ul", "ol", "tr", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
_SILENT = frozenset({"script", "style", "template", "noscript"})
_SPACES = re.compile(r"[^\S\n]+")
_NO_TAG = re.compile(r"<(?=[^<>]*(?:<|\Z))|<(?=!\[|!--)")
"""A "<" that opens no tag: the parser takes quadratic time over one that never closes, and raises on marked ones."""
_LINES = re.compile(r" ?\n[\s]*\n[\s]*|[ ]?\n ?")


def storable(text: str) -> str:
    """The text without what no database can hold: NUL is dropped, half a surrogate pair becomes U+FFFD."""
    if (text.isascii() and "\x00" not in text) or not _NOT_STORABLE.search(text):
        return text
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", "")


class _Plain(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in _SILENT:
            self._silent += 1
        elif tag in _BLOCKS:
            self.said.append("\n\n" if tag == "p" else "\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT and self._silent:
            self._silent -= 1
        elif tag == "p":
            self.said.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said.append(data)


def _uncommented(html: str) -> str:
    """The text without its comments; the start of one that never ends is text."""
    kept, at = list[str](), 0
    while (start := html.find("<!--", at)) >= 0 and (end := html.find("-->", start + 4)) >= 0:
        kept.append(html[at:start])
        at = end + 3
    return "".join([*kept, html[at:]])


def plain(html: str) -> str:
    """What a reader sees of a piece of HTML: entities decoded once, paragraphs kept, tags and scripts gone."""
    if "<" in html:
        parser = _Plain()
        parser.feed(_NO_TAG.sub("&lt;", _uncommented(html)))
        parser.close()
        html = "".join(parser.said)
    else:
        html = unescape(html)
    return tidy(html)


def tidy(text: str) -> str:
    """The text with runs of spaces and empty lines shortened, and nothing else changed."""
    text = _SPACES.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " "))
    return _LINES.sub(lambda gap: "\n\n" if gap.group().count("\n") > 1 else "\n", text).strip()


def shorten(text: str, length: int) -> str:
    """At most `length` characters, cut at a word where one ends near, with an ellipsis if anything was cut."""
    if len(text) <= length:
        return text
    head = text[: max(0, length - 1)]
    space = head.rfind(" ")
    return (head[:space] if space > length * 0.7 else head).rstrip() + "…"
