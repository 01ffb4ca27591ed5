"""Sound: what every mention must be whatever was said, and what may be kept and shown of the settings' secrets."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from connectors.conform.bench import Bench, Story
from connectors.conform.faults import FAULTS
from connectors.conform.grade import Failing, Severity
from connectors.conform.leaks import leaked
from connectors.conform.listener import MOST_WALKS, Listener
from connectors.conform.recorded import Recorded
from connectors.conform.scene import some
from connectors.conform.verdict import said
from pipeline.mention import Mention

NO_EXPECTATION = "what is expected is written down"
SOUND = "ids, times and fields of two walks"
DISCREET = "secrets in what is kept, logged and shown"
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""No place is older."""
AHEAD = timedelta(days=1)
"""A place's clock may be this far ahead of ours."""
SHOWN = ("401, the key was revoked", "500, broken", "a word where the list of items was")
"""Faults whose errors are looked at for secrets, for each sort of person who must act."""


def expected(name: str) -> Story:
    """Recordings without expected.json are judged by the connector's own words, which cannot show what it misread."""

    def story(bench: Bench) -> list[Failing] | str:
        if not isinstance(bench.opening, Recorded):
            return "the world knows what was said"
        told = "no expectation recorded: the first walk's own outcome counts as the truth"
        wanted = "expected.json beside the recordings: the mentions, read by a person"
        return [] if bench.opening.told else [Failing(name, Severity.UNNAMED, told, wanted)]

    return story


def sound(name: str) -> Story:
    """Two walks from the start bring the same: ids that are unique and stable, times that can be, nothing empty."""

    def story(bench: Bench) -> list[Failing] | str:
        first = bench.fresh()
        walks = first, Listener()
        for listener in walks:
            for _ in range(MOST_WALKS):
                before = listener.cursor
                error = bench.walk(listener)
                if error is not None:
                    return [Failing(name, Severity.LOST, f"raised {said(error)}", "a walk to its end")]
                if listener.clashes:
                    told = f"one key for several things: {some(sorted(listener.clashes))}"
                    return [Failing(name, Severity.LOST, told, "a key of its own for each")]
                if listener.cursor == before:
                    break
        return _same(name, *walks) or _whole(bench, name, first)

    return story


def _same(name: str, first: Listener, second: Listener) -> list[Failing]:
    other = first.kept.keys() ^ second.kept.keys()
    if other:
        told = f"{len(other)} keys of one walk are not those of the next: {some(sorted(other))}"
        return [Failing(name, Severity.REPEATED, told, "the same thing has the same key at every walk")]
    for key, mention in first.kept.items():
        again = second.kept[key]
        for field in type(mention).model_fields:
            if getattr(mention, field) != getattr(again, field):
                told = f"{field} of {key} is {getattr(mention, field)!r}, and at another walk {getattr(again, field)!r}"
                return [Failing(name, Severity.DISTORTED, told, "the same thing reads the same at every walk")]
    return []


def _whole(bench: Bench, name: str, listener: Listener) -> list[Failing]:
    latest = datetime.now(UTC) + AHEAD
    for key, mention in listener.kept.items():
        wrong = _wrong(mention, bench.source.name, latest)
        if wrong:
            return [Failing(name, Severity.DISTORTED, f"{key}: {wrong}", "every field holds what it is for")]
    return []


def _wrong(mention: Mention, source: str, latest: datetime) -> str | None:
    """What cannot be true of a mention, whatever was said."""
    url = urlsplit(mention.url or "https://none")
    if not mention.key.strip() or mention.key.endswith((":", ":None", ":null")):
        return "its key holds no id"
    if not (mention.text.strip() or (mention.title or "").strip() or mention.rating is not None):
        return "it says nothing"
    if mention.source != source:
        return f"its source is {mention.source!r}, and the settings call it {source!r}"
    if url.scheme not in {"http", "https"} or not url.netloc:
        return f"its url is {mention.url!r}"
    return _mistimed(mention, latest) or _off_scale(mention)


def _mistimed(mention: Mention, latest: datetime) -> str | None:
    if not EARLIEST <= mention.said_at <= latest:
        return f"it was said at {mention.said_at.isoformat()}"
    if mention.edited_at and not mention.said_at - AHEAD <= mention.edited_at <= latest:
        return f"it was edited at {mention.edited_at.isoformat()}, and said at {mention.said_at.isoformat()}"
    return None


def _off_scale(mention: Mention) -> str | None:
    rating, low, high = mention.rating, mention.rating_min, mention.rating_max
    if rating is not None and (low is None or high is None or not low <= rating <= high):
        return f"its rating of {rating:g} is off its scale {low} to {high}"
    return None


def discreet(name: str) -> Story:
    """No secret of the settings is in a raw item, a mention, a cursor, an error, a log or the connector's own look."""

    def story(bench: Bench) -> list[Failing] | str:
        secrets = bench.verdict.secrets
        if not secrets:
            return "its settings have no secret"
        listener = bench.fresh()
        bench.walk(listener)
        kept = {
            "what a raw item keeps": _written([raw for _, raw in listener.raws]),
            "what a rejected item keeps": "\n".join(listener.aside),
            "a mention": _written([mention.model_dump(mode="json") for mention in listener.kept.values()]),
            "the cursor": listener.cursor or "",
            "a gap": _written([gap.why for gap in listener.gaps]),
            "the connector's own look": f"{bench.source!r} {bench.source} {bench.source.model_dump_json()}",
        }
        told = [f"{place} tells a secret, {how}" for place, words in kept.items() if (how := leaked(secrets, words))]
        for fault in FAULTS:
            if fault.name in SHOWN:
                bench.stage.disturb(fault)
                error = bench.walk(Listener())
                if error is not None:
                    failings = bench.verdict.named(name, error)
                    told += [each.happened for each in failings if each.severity is Severity.SECRET]
        told += [f"a secret was logged by {who}" for who in dict.fromkeys(bench.overheard)]
        return [Failing(name, Severity.SECRET, "; ".join(told[:3]), "nobody can read a secret")] if told else []

    return story


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
