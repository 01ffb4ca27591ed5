"""Quotes: the few mentions of each topic that a report shows, chosen from any number of them in little memory."""

import re
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from pipeline.analysis import Analysis
from pipeline.case import author_of, fingerprint
from pipeline.classifier import Reading
from pipeline.mention import Mention
from pipeline.report.figures import Advocate, Quote
from pipeline.text import shorten

_KEPT, _LONGEST, _TELLING = 24, 360, 30
_ADDRESSES = re.compile(r"https?://\S+|[@#]\S+")

Kept = TypeVar("Kept")
Order = tuple[float | str, ...]


class Best(Generic[Kept]):
    """The best few of any number of things, one for each name, in whatever order they come; smaller is better."""

    def __init__(self, keep: int = _KEPT) -> None:
        self._keep = keep
        self._kept: dict[Hashable, tuple[Order, Kept]] = {}
        self._bar: Order | None = None

    def add(self, name: Hashable, order: Order, thing: Kept) -> None:
        """Take `thing` unless there is a better one of that name, or enough better ones."""
        if self._bar is not None and order > self._bar:
            return
        known = self._kept.get(name)
        if known is not None and known[0] <= order:
            return
        self._kept[name] = (order, thing)
        if len(self._kept) > self._keep * 4:
            best = sorted(self._kept.items(), key=lambda kept: kept[1][0])[: self._keep]
            self._kept = dict(best)
            self._bar = best[-1][1][0]

    def best(self) -> list[Kept]:
        """What was kept, best first."""
        ordered = sorted(self._kept.values(), key=lambda kept: kept[0])
        return [thing for _, thing in ordered][: self._keep]


class Fans:
    """Authors who told of good experiences: how often, how far they reach, and the best of what they said."""

    def __init__(self) -> None:
        self._fans: dict[tuple[str, str], tuple[int, int, Order, Mention, Analysis]] = {}

    def add(self, mention: Mention, analysis: Analysis) -> None:
        """Count one good experience. Of very many authors only those who reach farthest or come back are kept."""
        who = author_of(mention)
        if who is None:
            return
        order = order_of(mention, analysis)
        name = (mention.source, who)
        count, reach, best, said, judged = self._fans.get(name, (0, 0, order, mention, analysis))
        if order < best:
            best, said, judged = order, mention, analysis
        self._fans[name] = (count + 1, max(reach, mention.author_reach or 0), best, said, judged)
        if len(self._fans) > 20 * _KEPT:
            self._fans = dict(self._ranked()[: 10 * _KEPT])

    def best(self, labels: dict[str, str], count: int) -> list[Advocate]:
        """The first `count`: by reach, then by how often, then by what their words set off."""
        return [
            Advocate(author=said.author or who, mentions=times, reach=reach or None, quote=quote(said, judged, labels))
            for (_, who), (times, reach, _, said, judged) in self._ranked()[:count]
        ]

    def _ranked(self) -> list[tuple[tuple[str, str], tuple[int, int, Order, Mention, Analysis]]]:
        return sorted(self._fans.items(), key=lambda fan: (-fan[1][1], -fan[1][0], fan[1][2]))


def engagement(mention: Mention) -> int:
    """What a mention set off among others: a repost weighs more than a reply, and a reply more than a like."""
    return max(0, (mention.likes or 0) + 2 * (mention.replies or 0) + 3 * (mention.reposts or 0))


def order_of(mention: Mention, analysis: Analysis) -> Order:
    """Who is quoted first: what says something, what others took up, what we are surest of; the key ends every tie."""
    terse = len(_ADDRESSES.sub("", mention.text)) < _TELLING
    sure = analysis.lane_probabilities.get(analysis.lane) or 0.0
    return (float(terse), -float(engagement(mention)), -sure, mention.key)


def quote(mention: Mention, analysis: Analysis, labels: dict[str, str]) -> Quote:
    """A mention as a report shows it."""
    return Quote(
        mention=mention.key,
        text=shorten(Reading.of(mention).words, _LONGEST),
        author=mention.author,
        source=labels.get(mention.source, mention.source),
        said_at=mention.said_at,
        url=web(mention.url),
        language=analysis.language,
        feeling=analysis.sentiment,
        engagement=engagement(mention),
    )


def chosen(said: Iterable[tuple[Mention, Analysis]], labels: dict[str, str], count: int) -> list[Quote]:
    """The first `count` of them, no words twice."""
    quotes: dict[str, Quote] = {}
    for mention, analysis in said:
        if len(quotes) < count:
            quotes.setdefault(fingerprint(mention.text) or mention.text, quote(mention, analysis, labels))
    return list(quotes.values())


def web(url: str | None) -> str | None:
    """The address, if it is one that a reader can safely follow."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.netloc else None
