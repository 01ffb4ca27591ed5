"""The charts of a report: what each of them shows, as Vega-Lite."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby

from pipeline.report.drawing import NARROW, WIDE, Chart, Spec, draw
from pipeline.report.figures import Peak, Report, Topic
from pipeline.report.words import day, name, number, percent, short

_LANES = ("service", "experience", "unscored", "noise")
_MOST_BARS, _WEEK = 93, 7
_BROAD = 0.56
"""The mean width of a letter in the broadest of common sans-serif fonts, as a share of its size."""


def lanes(report: Report) -> Chart:
    """Mentions a day, or a week where the period is long, stacked by lane, with the days that stood out named."""
    weekly = len(report.days) > _MOST_BARS
    bars: list[tuple[date, list[int]]] = []
    for start, group in groupby(report.days, key=lambda one: _monday(one.day) if weekly else one.day):
        together = list(group)
        bars.append((start, [sum(getattr(one, lane) for one in together) for lane in _LANES]))
    starts = [start for start, _ in bars]
    values = [
        {"day": start.isoformat(), "lane": lane, "place": place, "count": count}
        for start, counts in bars
        for place, (lane, count) in enumerate(zip(_LANES, counts, strict=True))
    ]
    totals = {start: sum(counts) for start, counts in bars}
    peaks = {(_monday(peak.day) if weekly else peak.day): peak for peak in report.peaks}

    def make(width: int) -> Spec:
        x = {"field": "day", "type": "ordinal", "axis": _days(starts, width), "scale": {"paddingInner": 0.22}}
        named = _named(peaks, starts, totals, width)
        return {
            "height": 260 if width == WIDE else 220,
            "layer": [
                {
                    "data": {"values": values},
                    "mark": {"type": "bar"},
                    "encoding": {
                        "x": x,
                        "y": {
                            "field": "count",
                            "type": "quantitative",
                            "axis": _counts("Mentions a week" if weekly else "Mentions a day"),
                        },
                        "color": _colours(_LANES),
                        "order": {"field": "place"},
                    },
                },
                *[
                    {
                        "data": {"values": [row]},
                        "mark": {
                            "type": "text",
                            "dy": -9,
                            "align": row["align"],
                            "fontSize": 12,
                            "fontWeight": 600,
                            "color": "var(--ink)",
                        },
                        "encoding": {
                            "x": x,
                            "y": {"field": "count", "type": "quantitative"},
                            "text": {"field": "text"},
                        },
                    }
                    for row in named
                ],
            ],
        }

    described = f"{number(report.mentions)} mentions. " + "; ".join(
        f"{day(p.day)}: {p.count} {p.what}" for p in report.peaks
    )
    return draw(make, ident="lanes", title="Mentions by lane", description=described)


def feelings(report: Report) -> Chart:
    """The shares of negative and positive mentions over time, each in the band where the true share lies."""
    stretches = [stretch for stretch in report.feelings if stretch.negative.total]
    starts = [stretch.first for stretch in stretches]
    daily = all(stretch.first == stretch.last for stretch in stretches)
    values = [
        {"day": stretch.first.isoformat(), "feeling": feeling, "share": rate.share, "low": rate.low, "high": rate.high}
        for stretch in stretches
        for feeling, rate in (("negative", stretch.negative), ("positive", stretch.positive))
    ]

    def make(width: int) -> Spec:
        x = {
            "field": "day",
            "type": "ordinal",
            "axis": _days(starts, width),
            "scale": {"type": "point", "padding": 0.4},
        }
        title = "Share of mentions" if daily else "Share of mentions, week by week"
        axis = {"title": title, "format": ".0%", "tickCount": 5} | _ABOVE
        y = {"field": "share", "type": "quantitative", "axis": axis, "scale": {"zero": True, "nice": True}}
        colour = _colours(("negative", "positive"))
        band = {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": colour}
        few = len(stretches) < 3  # noqa: PLR2004 - a band needs some way to go
        return {
            "height": 260 if width == WIDE else 220,
            "data": {"values": values},
            "layer": [
                {
                    "mark": {"type": "rule", "strokeWidth": 7, "opacity": 0.25}
                    if few
                    else {"type": "area", "opacity": 0.16},
                    "encoding": band,
                },
                {"mark": {"type": "line", "strokeWidth": 2.5}, "encoding": {"x": x, "y": y, "color": colour}},
                {
                    "mark": {"type": "point", "filled": True, "size": 48, "opacity": 1},
                    "encoding": {"x": x, "y": y, "color": colour, "shape": {"field": "feeling", "legend": None}},
                },
            ],
        }

    described = f"Overall {percent(report.negative.share)} negative and {percent(report.positive.share)} positive."
    return draw(make, ident="feelings", title="Share of negative and positive mentions", description=described)


def categories(topics: Sequence[Topic]) -> Chart:
    """What replies are needed for: the share of each category with its interval, the count written beside it."""
    values = [
        {
            "topic": name(topic.name),
            "share": topic.rate.share or 0,
            "low": topic.rate.low,
            "high": topic.rate.high,
            "label": f"{number(topic.rate.count)}{_arrow(topic)}",
        }
        for topic in topics
    ]

    def make(width: int) -> Spec:
        y = _names([name(topic.name) for topic in topics], width)
        axis = {
            "title": "Share of mentions that need a reply, with 95% interval",
            "format": ".0%",
            "tickCount": 5,
            "grid": True,
        }
        x = {"field": "share", "type": "quantitative", "axis": axis, "scale": {"domain": [0, _room(values, width)]}}
        if width == NARROW:
            axis["title"] = "Share of what needs a reply"
        text = {"type": "text", "align": "left", "dx": 8, "fontSize": 12, "fontWeight": 600, "color": "var(--ink)"}
        return {
            "height": {"step": 30},
            "data": {"values": values},
            "layer": [
                {"mark": {"type": "bar", "color": "var(--service)"}, "encoding": {"x": x, "y": y}},
                {
                    "mark": {"type": "rule", "strokeWidth": 1.5, "color": "var(--ink)"},
                    "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": y},
                },
                {"mark": text, "encoding": {"x": x | {"field": "high"}, "y": y, "text": {"field": "label"}}},
            ],
        }

    described = "; ".join(f"{row['topic']}: {row['label']}" for row in values)
    return draw(make, ident="categories", title="What people need a reply about", description=described)


def factors(topics: Sequence[Topic]) -> Chart:
    """What shapes the experience: mentions with a negative feeling to the left, with a positive one to the right."""
    values: list[Spec] = [
        {
            "topic": name(topic.name),
            "feeling": feeling,
            "count": sign * rate.count,
            "label": number(rate.count),
        }
        for topic in topics
        for feeling, sign, rate in (("negative", -1, topic.negative), ("positive", 1, topic.positive))
    ]
    most = max((abs(row["count"]) for row in values), default=1) or 1

    def make(width: int) -> Spec:
        y = _names([name(topic.name) for topic in topics], width)
        said = " mentions" if width == WIDE else ""
        left, right = (
            max([0, *(s * r["count"] for r in values)]) + most * (0.1 if width == WIDE else 0.26) for s in (-1, 1)
        )
        axis = {
            "title": f"← negative{said} · positive{said} →",
            "labelExpr": "format(abs(datum.value), ',')",
            "tickMinStep": 1,
            "grid": True,
        }
        x = {"field": "count", "type": "quantitative", "axis": axis, "scale": {"domain": [-left, right], "nice": False}}
        text = {"type": "text", "fontSize": 12, "fontWeight": 600, "color": "var(--ink)"}
        return {
            "height": {"step": 30},
            "data": {"values": values},
            "layer": [
                {"mark": "bar", "encoding": {"x": x, "y": y, "color": _colours(("negative", "positive"))}},
                {"mark": {"type": "rule", "color": "var(--strong-line)"}, "encoding": {"x": {"datum": 0}}},
                *[
                    {
                        "transform": [{"filter": f"datum.feeling === '{feeling}'"}],
                        "mark": text | {"align": align, "dx": dx},
                        "encoding": {"x": x, "y": y, "text": {"field": "label"}},
                    }
                    for feeling, align, dx in (("negative", "right", -6), ("positive", "left", 6))
                ],
            ],
        }

    described = "; ".join(f"{row['topic']} {row['feeling']}: {row['label']}" for row in values)
    return draw(make, ident="factors", title="What shapes the experience", description=described)


_ABOVE = {
    "titleAngle": 0,
    "titleAlign": "left",
    "titleAnchor": "end",
    "titleBaseline": "bottom",
    "titleX": 0,
    "titleY": -24,
    "labelPadding": 4,
}


def _counts(title: str) -> Spec:
    return {"title": title, "tickMinStep": 1, "tickCount": 5, "format": ",d"} | _ABOVE


def _names(names: Sequence[str], width: int) -> Spec:
    """A line for each name, with room for a broad font: the page chooses the letters, and they are not known here."""
    size = 13 if width == WIDE else 12
    extent = round(max(map(len, names), default=0) * size * _BROAD)
    axis = {"title": None, "labelLimit": 260, "labelFontSize": size, "labelColor": "var(--ink)", "minExtent": extent}
    return {"field": "topic", "type": "nominal", "sort": None, "axis": axis, "scale": {"paddingInner": 0.45}}


def _colours(fields: Sequence[str]) -> Spec:
    field = "lane" if fields is _LANES else "feeling"
    return {
        "field": field,
        "legend": None,
        "scale": {"domain": list(fields), "range": [f"var(--{one})" for one in fields]},
    }


def _days(starts: Sequence[date], width: int) -> Spec:
    """An axis of days that names as many as there is room for, and the first of them always."""
    step = max(1, -(-len(starts) // (8 if width == WIDE else 4)))
    if step > 3 and len(starts) > _WEEK:  # noqa: PLR2004 - from half a week on, whole weeks read best
        step = -(-step // _WEEK) * _WEEK
    named = {one.isoformat(): short(one) for one in starts[::step]}
    expression = f"{named}[datum.value]".replace("'", '"')
    return {"title": None, "values": list(named), "labelExpr": expression, "labelAngle": 0, "labelOverlap": False}


def _named(peaks: dict[date, Peak], starts: Sequence[date], totals: dict[date, int], width: int) -> list[Spec]:
    """What is written above the bars of days that stood out, leaning inwards at the edges.

    Of neighbours whose dates would meet, only the one that stood out most is named, and none whose date would be
    written over a taller bar; the others keep the mark.
    """
    rows: list[Spec] = []
    told: list[float] = []
    half = 0.08 if width == WIDE else 0.13
    for start, peak in sorted(peaks.items(), key=lambda item: (item[1].p, item[0])):
        at = starts.index(start)
        where = at / max(1, len(starts) - 1)
        align = "left" if where < 2 * half else "right" if where > 1 - 2 * half else "center"
        reach = round(half * len(starts)) * (1 if align == "center" else 2)
        beside = starts[max(0, at - reach) : at + reach + 1]
        room = all(abs(where - other) >= 2 * half for other in told) and all(totals[start] >= totals[d] for d in beside)
        told += [where] * room
        text = f"▲ {day(peak.day)}" if width == WIDE else f"▲ {short(peak.day)}"
        named = {"text": text, "align": align} if room else {"text": "▲", "align": "center"}
        rows.append({"day": start.isoformat(), "count": totals[start], **named})
    return rows


def _arrow(topic: Topic) -> str:
    if topic.trend is None or not topic.trend.notable:
        return ""
    return " ▲ more" if (topic.trend.ratio or 2) > 1 else " ▼ fewer"


def _room(values: Sequence[Spec], width: int) -> float:
    """Where the axis of shares ends: behind the last label."""
    return min(
        1.3, max((row["high"] + len(row["label"]) * (0.012 if width == WIDE else 0.03) for row in values), default=1)
    )


def _monday(value: date) -> date:
    return value - timedelta(days=value.weekday())
