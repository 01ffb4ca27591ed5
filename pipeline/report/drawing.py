"""Drawing: Vega-Lite to SVG that takes its colours and letters from the page around it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import vl_convert
from markupsafe import Markup

WIDE, NARROW = 720, 340
"""Each chart is drawn for a desk and for a telephone, so that its letters keep their size; CSS shows one of the two."""

Spec = dict[str, Any]
_AXIS = {
    "labelColor": "var(--soft)",
    "titleColor": "var(--soft)",
    "gridColor": "var(--line)",
    "domainColor": "var(--strong-line)",
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "ticks": False,
    "labelPadding": 6,
}
_CONFIG = {
    "background": None,
    "view": {"stroke": None},
    "axis": _AXIS,
    "axisX": {"grid": False},
    "axisY": {"domain": False},
}
_NOT_OURS = re.compile(
    r' (?:font-family|xmlns:xlink|role|aria-[a-z]+|pointer-events|class|version)="[^"]*"'
    r'|<path d="(?:M0,0h0v0h0Z)?"(?: display="none")?/>'
)
_ID = re.compile(r'(\bid="|url\(#|href="#)([\w-]+)')


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure, drawn wide and narrow."""

    wide: Markup
    narrow: Markup


def draw(make: Callable[[int], Spec], *, ident: str, title: str, description: str) -> Chart:
    """Draw a chart at both widths. `ident` keeps the ids of all charts of a page apart."""
    wide, narrow = (
        _inline(_svg(make(width), width), ident=f"{ident}-{width}", title=title, description=description)
        for width in (WIDE, NARROW)
    )
    return Chart(wide=wide, narrow=narrow)


def _svg(spec: Spec, width: int) -> str:
    fit = {"type": "fit-x", "contains": "padding"}
    whole = {
        "width": width,
        "autosize": fit,
        "padding": {"left": 2, "right": 10, "top": 14, "bottom": 2},
        "config": _CONFIG,
    } | spec
    return vl_convert.vegalite_to_svg(whole, allowed_base_urls=[])


def _inline(svg: str, *, ident: str, title: str, description: str) -> Markup:
    """The SVG as part of a page: one image to a reader, ids of its own, letters of the page, nothing from elsewhere."""
    svg = _ID.sub(rf"\g<1>{ident}-\g<2>", _NOT_OURS.sub("", svg))
    named = f'<title id="{ident}-title">{escape(title)}</title><desc id="{ident}-desc">{escape(description)}</desc>'
    opening, _, rest = svg.partition(">")
    # Everything in the picture is made of our own words and numbers: no stranger's text is ever drawn.
    return Markup(f'{opening} role="img" aria-labelledby="{ident}-title {ident}-desc">{named}{rest}')  # noqa: S704
