"""Measuring a period: one walk over its mentions, then every figure of the report from what was counted."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from pipeline.analysis import Analysis
from pipeline.case import Case
from pipeline.coverage import Coverage
from pipeline.mention import Mention
from pipeline.report.clock import answers, call, concerns, urgent
from pipeline.report.figures import Before, Cell, Day, Peak, Place, Quote, Report, Stretch, Topic, Unjudged
from pipeline.report.gaps import Listening, unheard
from pipeline.report.quotes import Best, Fans, chosen, order_of, quote
from pipeline.report.tally import Tally
from pipeline.sentiment import Feeling
from pipeline.trend import WARM_UP, WINDOW, Trend, difference, notable, spikes, trend, wilson
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint
from pipeline.visit import Visit

Pairs = Iterable[tuple[Mention, Analysis]]
_ENOUGH_A_DAY, _FORTNIGHT, _SCRAP = 40, 14, 4
_EMPTY_HEAD = 7
_CALLS, _QUOTES, _ADVOCATES = 25, 3, 6


def measure(
    pairs: Pairs,
    *,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    brand: str,
    before: Pairs = (),
    visits: Sequence[Visit] = (),
    cases: Sequence[Case] = (),
    labels: Mapping[str, str] | None = None,
    quiet_after: Mapping[str, timedelta] | None = None,
    coverage: Mapping[str, Coverage] | None = None,
    unanalysed: int = 0,
    rejected: int = 0,
    as_of: datetime | None = None,
) -> Report:
    """Measure what was said from `start` to before `end`, beside the period of equal length before it.

    `pairs` and `before` come in the order of `said_at` and may reach beyond their period: what lies outside is passed
    over. Only peaks are held against up to four weeks of `before`, however short the period. `labels` and
    `quiet_after` are by name of source; a source named there is reported even if nothing was heard. `as_of` is when
    the clocks of cases are read, the end by default. Raises ValueError for a period without length or time zone.
    """
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        raise ValueError("a period starts before it ends, and both ends have a time zone")
    named, now = dict(labels or {}), as_of or end
    equal = _back(start, end, zone)
    earlier = Tally(equal, start, zone)
    usual = Tally(min(equal, _back(start, start + timedelta(days=WINDOW), zone)), start, zone)
    listening = Listening(start, min(now, end), quiet_after or {})
    for mention, analysis in before:
        earlier.add(mention, analysis)
        usual.add(mention, analysis)
        listening.hear(mention)
    ours = [case for case in cases if concerns(case, start=start, end=end, as_of=now)]
    pressing = urgent(ours, as_of=now)
    wanted = {case.first_mention for case in pressing[:_CALLS]}
    found: dict[str, tuple[Mention, Analysis]] = {}
    tally, fans = Tally(start, end, zone), Fans()
    said: defaultdict[Category | Factor, Best[tuple[Mention, Analysis]]] = defaultdict(Best)
    for mention, analysis in pairs:
        listening.hear(mention)
        if mention.key in wanted:
            found[mention.key] = (mention, analysis)
        if not tally.add(mention, analysis):
            continue
        topic = analysis.category if analysis.lane is Lane.SERVICE else analysis.factor
        if topic is not None and analysis.lane in {Lane.SERVICE, Lane.EXPERIENCE}:
            said[topic].add(
                mention.author_id or mention.author or mention.key, order_of(mention, analysis), (mention, analysis)
            )
        if analysis.lane is Lane.EXPERIENCE and analysis.sentiment is Feeling.POSITIVE:
            fans.add(mention, analysis)
    quotes = {topic: chosen(best.best(), named, _QUOTES) for topic, best in said.items()}
    quoted = {key: quote(*pair, named) for key, pair in found.items()}
    all_ = tally.all
    watched, peaks = _peaks(tally, usual)
    return Report(
        brand=brand,
        zone=zone.key,
        start=start.astimezone(zone),
        end=end.astimezone(zone),
        mentions=all_["mentions"],
        service=all_[Lane.SERVICE],
        experience=all_[Lane.EXPERIENCE],
        noise=all_[Lane.NOISE],
        by_brand=all_["by_brand"],
        unscored=wilson(all_[Lane.UNSCORED], all_["mentions"]),
        needs_reply=wilson(all_["needs_reply"], all_["mentions"]),
        complaint=wilson(all_["complaint"], all_["weighed"]),
        negative=wilson(all_[Feeling.NEGATIVE], all_["felt"]),
        positive=wilson(all_[Feeling.POSITIVE], all_["felt"]),
        sentiment=tally.sentiment,
        before=_before(tally, earlier),
        days=[_day(day, tally.days[day]) for day in tally.calendar()],
        peaks=peaks,
        watched_days=watched,
        feelings=_feelings(tally),
        categories=_topics(tally.categories, quotes, _trends(tally, earlier)),
        factors=_topics(tally.factors, quotes, {}),
        journey=_journey(tally),
        nowhere=tally.journey[None, None]["mentions"],
        sources=_places(tally, named, quiet_after or {}),
        answers=answers(ours, as_of=now) if cases else None,
        calls=[
            call(case, as_of=now, label=named.get(case.source, case.source), quote=quoted.get(case.first_mention))
            for case in pressing[:_CALLS]
        ],
        more_calls=max(0, len(pressing) - _CALLS),
        advocates=fans.best(named, _ADVOCATES),
        unjudged=_unjudged(tally),
        unanalysed=unanalysed,
        rejected=rejected,
        gaps=listening.gaps(visits, named),
        unheard=unheard(coverage or {}, named, start, end, as_of=now),
        versions={name: sorted(known) for name, known in sorted(tally.versions.items())},
    )


def _begun(earlier: Tally) -> list[date]:
    """The days before the period on which we listened already: with 7 mentions to be expected, no silence is chance."""
    days = earlier.calendar()
    heard = [number for number, day in enumerate(days) if earlier.days[day]["mentions"]]
    if not heard:
        return []
    first = heard[0]
    expected = first * earlier.all["mentions"] / (len(days) - first)
    return days[first:] if expected > _EMPTY_HEAD else days


def _before(tally: Tally, earlier: Tally) -> Before | None:
    days = _begun(earlier)
    if not days:
        return None
    now, then = tally.all, earlier.all
    start = max(earlier.start, datetime.combine(days[0], time(), tally.zone))
    lengths = {"days_now": len(tally.calendar()), "days_before": len(days)}
    return Before(
        start=start.astimezone(tally.zone),
        end=earlier.end.astimezone(tally.zone),
        mentions=trend(now["mentions"], then["mentions"], **lengths),
        needs_reply=trend(now["needs_reply"], then["needs_reply"], **lengths),
        complaint=difference(wilson(now["complaint"], now["weighed"]), wilson(then["complaint"], then["weighed"])),
        sentiment=difference(tally.sentiment, earlier.sentiment),
        negative=difference(wilson(now[Feeling.NEGATIVE], now["felt"]), wilson(then[Feeling.NEGATIVE], then["felt"])),
    )


def _trends(tally: Tally, earlier: Tally) -> dict[Category, Trend]:
    """Every category against the period before; all of them are judged together."""
    days = _begun(earlier)
    if not days:
        return {}
    names = [name for name in Category if name in tally.categories or name in earlier.categories]
    lengths = {"days_now": len(tally.calendar()), "days_before": len(days)}
    counts = [(tally.categories[name]["mentions"], earlier.categories[name]["mentions"]) for name in names]
    return dict(zip(names, notable([trend(now, then, **lengths) for now, then in counts]), strict=True))


def _topics(
    counted: Mapping[Category, Counter[str]] | Mapping[Factor, Counter[str]],
    quotes: Mapping[Category | Factor, list[Quote]],
    trends: Mapping[Category, Trend],
) -> list[Topic]:
    total = sum(facts["mentions"] for facts in counted.values())
    topics = [
        Topic(
            name=name,
            rate=wilson(facts["mentions"], total),
            negative=wilson(facts[Feeling.NEGATIVE], facts["felt"]),
            positive=wilson(facts[Feeling.POSITIVE], facts["felt"]),
            trend=trends.get(name) if isinstance(name, Category) else None,
            quotes=quotes.get(name, []),
        )
        for name, facts in counted.items()
        if facts["mentions"] or (isinstance(name, Category) and name in trends)
    ]
    return sorted(topics, key=lambda topic: (-topic.rate.count, topic.name))


def _peaks(tally: Tally, usual: Tally) -> tuple[int, list[Peak]]:
    """How many days of the period had a usual to be held against, and those that stood out."""
    past, days = _begun(usual), tally.calendar()
    series = [usual.days[day] for day in past] + [tally.days[day] for day in days]
    first = next((number for number, facts in enumerate(series) if facts["about"]), len(series))
    peaks: list[Peak] = []
    for what, fact in (("mentions", "about"), ("complaints", "complaint")):
        for spike in spikes([facts[fact] for facts in series]):
            if spike.index < len(past):
                continue
            day = days[spike.index - len(past)]
            mostly = max(Category, key=lambda name: tally.days[day][name])
            count = tally.days[day][mostly]
            peaks.append(
                Peak(
                    day=day,
                    what=what,
                    count=spike.count,
                    usual=spike.usual,
                    p=spike.p,
                    mostly=mostly if count else None,
                    mostly_count=count,
                )
            )
    return max(0, min(len(days), len(series) - first - WARM_UP)), sorted(peaks, key=lambda peak: peak.day)


def _day(day: date, facts: Counter[str]) -> Day:
    lanes = {str(lane): facts[lane] for lane in Lane}
    return Day(day=day, complaints=facts["complaint"], **lanes)


def _feelings(tally: Tally) -> list[Stretch]:
    """Share of feelings a day where a day says enough or the period is short, else a week from Monday to Sunday."""
    days = tally.calendar()
    daily = len(days) <= _FORTNIGHT or tally.all["felt"] >= _ENOUGH_A_DAY * len(days)
    stretches: list[Stretch] = []
    for together in [[day] for day in days] if daily else _weeks(days):
        negative, positive, felt = (
            sum(tally.days[day][fact] for day in together) for fact in (Feeling.NEGATIVE, Feeling.POSITIVE, "felt")
        )
        stretches.append(
            Stretch(
                first=together[0], last=together[-1], negative=wilson(negative, felt), positive=wilson(positive, felt)
            )
        )
    return stretches


def _weeks(days: list[date]) -> list[list[date]]:
    """Weeks from Monday to Sunday; the scrap of one at either end of the period goes with its neighbour."""
    weeks = [list(week) for _, week in groupby(days, key=lambda day: day.isocalendar()[:2])]
    if len(weeks[0]) < _SCRAP:
        weeks[:2] = [weeks[0] + weeks[1]]
    if len(weeks[-1]) < _SCRAP:
        weeks[-2:] = [weeks[-2] + weeks[-1]]
    return weeks


def _journey(tally: Tally) -> list[Cell]:
    return [
        Cell(
            stage=stage,
            touchpoint=touchpoint,
            mentions=facts["mentions"],
            negative=wilson(facts[Feeling.NEGATIVE], facts["felt"]),
        )
        for stage in (*Stage, None)
        for touchpoint in (*Touchpoint, None)
        if (stage or touchpoint) and (facts := tally.journey[stage, touchpoint])["mentions"]
    ]


def _places(tally: Tally, labels: Mapping[str, str], known: Iterable[str]) -> list[Place]:
    places = []
    for source in {*tally.sources, *labels, *known}:
        facts = tally.sources[source]
        places.append(
            Place(
                source=source,
                label=labels.get(source, source),
                mentions=facts["mentions"],
                complaint=wilson(facts["complaint"], facts["weighed"]),
                negative=wilson(facts[Feeling.NEGATIVE], facts["felt"]),
                **{str(lane): facts[lane] for lane in Lane},
            )
        )
    return sorted(places, key=lambda place: (-place.mentions, place.label, place.source))


def _unjudged(tally: Tally) -> list[Unjudged]:
    found = [
        Unjudged(language=language, unscored=facts[Lane.UNSCORED], without_feeling=facts["unfelt"])
        for language, facts in tally.languages.items()
    ]
    return sorted(found, key=lambda row: (-row.unscored - row.without_feeling, row.language or ""))


def _back(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """As many local days before the start as the period has: a change of the clocks moves nothing."""
    first, last = (moment.astimezone(zone).replace(tzinfo=None) for moment in (start, end))
    return (first - (last - first)).replace(tzinfo=zone)
