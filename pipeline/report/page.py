"""The page of a report: one HTML file that needs nothing else, on a desk, on a telephone, on paper or read aloud."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.report import charts, words
from pipeline.report.figures import Report
from pipeline.trend import CONFIDENCE, FALSE_ALARMS, FALSE_DISCOVERIES, WARM_UP
from pipeline.triage import Stage, Touchpoint

SHADED_FROM = 5
"""A cell of the journey with fewer mentions says its number, but is not coloured: its share would be chance."""
TOLD_MOST = 6
"""So many pressing cases are told in full; the others stand in a table."""
TOLD_GAPS = 6
"""So many times of which something may be missing stand in sight; the others are a click away."""
_TOLD_PEAKS = 4
"""So many days that stood out are told in words; the chart marks all."""

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.filters |= {
    word.__name__: word
    for word in (
        words.day,
        words.interval,
        words.language,
        words.lasting,
        words.moment,
        words.name,
        words.number,
        words.peak,
        words.percent,
        words.points,
        words.shift,
        words.short,
        words.strength,
        words.times,
    )
}


def render(report: Report) -> str:
    """One self-contained HTML page: no script, no request to anywhere, the same bytes for the same report."""
    peaks = words.loudest(report.peaks)
    told = sorted(peaks, key=lambda peak: (peak.p, peak.day))[:_TOLD_PEAKS]
    cells = {(cell.stage, cell.touchpoint): cell for cell in report.journey}
    return _PAGES.get_template("report.html.j2").render(
        report=report,
        summary=words.summary(report),
        period=words.period(report.start, report.end),
        before=words.period(report.before.start, report.before.end) if report.before else None,
        peaks=sorted(told, key=lambda peak: peak.day),
        more_peaks=len(peaks) - len(told),
        lanes=charts.lanes(report) if report.mentions else None,
        feelings=charts.feelings(report) if report.negative.total else None,
        category_bars=charts.categories(report.categories)
        if any(one.rate.count for one in report.categories)
        else None,
        factor_bars=charts.factors(report.factors) if report.factors else None,
        cells=cells,
        stages=[stage for stage in (*Stage, None) if any(place[0] == stage for place in cells)],
        touchpoints=[
            touchpoint for touchpoint in (*Touchpoint, None) if any(place[1] == touchpoint for place in cells)
        ],
        told_most=TOLD_MOST,
        told_gaps=TOLD_GAPS,
        shaded_from=SHADED_FROM,
        confidence=CONFIDENCE,
        false_alarms=FALSE_ALARMS,
        false_discoveries=FALSE_DISCOVERIES,
        warm_up=WARM_UP,
    )
