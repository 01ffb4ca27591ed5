import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline.coverage import Coverage, Unheard
from pipeline.report import Report, measure, render, summary
from pipeline.report.words import interval, number, percent
from pipeline.sentiment import Feeling
from pipeline.trend import wilson
from pipeline.triage import Category, Lane

BERLIN = ZoneInfo("Europe/Berlin")
START, END = datetime(2026, 10, 1, tzinfo=BERLIN), datetime(2026, 11, 1, tzinfo=BERLIN)
WITHIN: dict[str, Any] = {"start": START, "end": END, "zone": BERLIN, "brand": "Hike"}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = '<script>alert("x")</script> <img src=x onerror=alert(1)> {{ 7 * 7 }} & "quoted" \u202eback'
CONTRAST = """() => {
  const light = c => { const v = c.map(x => { x /= 255; return x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4 });
    return .2126 * v[0] + .7152 * v[1] + .0722 * v[2] };
  const dot = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
  const painter = dot.getContext('2d', {willReadFrequently: true});
  const rgb = (...colours) => { painter.clearRect(0, 0, 1, 1);
    for (const c of colours) { painter.fillStyle = c; painter.fillRect(0, 0, 1, 1) }
    return [...painter.getImageData(0, 0, 1, 1).data].slice(0, 3) };
  const low = [];
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const at = words.currentNode.parentElement;
    if (!words.currentNode.data.trim() || !at.checkVisibility() || at.closest('.skip')) continue;
    const behind = [];
    for (let one = at; one; one = one.parentElement) behind.unshift(getComputedStyle(one).backgroundColor);
    const style = getComputedStyle(at), ink = at.closest('svg') ? style.fill : style.color;
    const [a, b] = [light(rgb(...behind, ink)), light(rgb(...behind))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) low.push([words.currentNode.data.trim(), ink, ((a + .05) / (b + .05)).toFixed(2)]);
  }
  return low;
}"""


class Reading(HTMLParser):
    """What a page is made of: its elements with their attributes, and nesting that closes what it opens."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.fixture(scope="session")
def page(report: Report) -> str:
    return render(report)


@pytest.fixture(scope="module")  # while it is open this thread runs an event loop, which Prefect would find
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture
def see(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens a page from a file, and in the end asserts that it raised nothing and asked nobody for anything."""
    faults: list[str] = []
    contexts = []

    def open_(html: str, *, width: int = 390, scheme: Any = "light") -> Page:  # noqa: ANN401 - a literal of Playwright's
        file = tmp_path / "report.html"
        file.write_text(html, encoding="utf-8")
        contexts.append(browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme))
        sheet = contexts[-1].new_page()
        sheet.on("pageerror", lambda error: faults.append(str(error)))
        sheet.on("console", lambda message: faults.append(message.text))
        sheet.on("request", lambda asked: None if asked.url == file.as_uri() else faults.append(asked.url))
        sheet.goto(file.as_uri())
        return sheet

    yield open_
    for context in contexts:
        context.close()
    assert [fault for fault in faults if not fault.startswith("data:")] == []


def test_every_headline_on_the_page_is_the_reports(page: str, report: Report) -> None:
    figures = re.findall(r'<dd class="figure">(.*?)</dd>', page)
    assert figures[:3] == [number(report.mentions), number(report.needs_reply.count), percent(report.complaint.share)]
    assert figures[4] == number(report.unscored.count)
    for rate in (report.complaint, report.negative, report.needs_reply, *(place.negative for place in report.sources)):
        assert rate.total == 0 or interval(rate) in page


def test_every_table_and_figure_says_what_it_is(page: str, report: Report) -> None:
    reading = Reading(page)
    assert reading.open == []
    assert page.count("<caption>") == page.count("<table")
    assert page.count('class="chart"') == 4
    assert page.count("<figcaption") == page.count("<figure")
    assert all(svg["role"] == "img" and svg["aria-labelledby"] for svg in reading.all("svg"))
    ids = [attributes["id"] for _, attributes in reading.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {
        one for attributes in reading.all("svg", "section") for one in (attributes["aria-labelledby"] or "").split()
    }
    assert named <= set(ids)
    assert page.count(" October</th>") == len(report.days) + len(report.feelings)


def test_what_was_not_heard_stands_before_any_trend_and_says_why(page: str, said: Callable[..., Any]) -> None:
    head = page[: page.index(">Day by day<")]
    assert "What was not heard" in head
    for told in ("App Store reviews", "4 Oct, 00:00 to 4 Oct, 06:00", "The store shows the last 500 reviews only."):
        assert told in head
    assert "What was not heard" not in render(measure([said(1, START)], **WITHIN))
    many = [Unheard(START - timedelta(1), START + timedelta(day), HOSTILE, START, START) for day in range(1, 40)]
    told = render(measure([said(1, START)], **WITHIN, coverage={"app": Coverage(unheard=tuple(many))}))
    assert "<summary>33 more</summary>" in told
    assert told.count("from before this period") == 39
    assert told.count("until after it") == 8
    assert "<script>" not in told
    assert Reading(told).open == []


def test_headings_go_down_one_step_at_a_time(page: str) -> None:
    levels = [int(tag[1]) for tag, _ in Reading(page).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


def test_the_page_needs_nothing_from_elsewhere(page: str) -> None:
    reading = Reading(page)
    assert reading.all("script", "img", "iframe", "object", "image", "use") == []
    assert [link["href"] for link in reading.all("link")] == ["data:,"]
    assert "url(" not in page.replace("url(#", "")
    assert "@import" not in page


def test_the_same_report_is_the_same_page(page: str, grown: Callable[..., Any]) -> None:
    assert render(grown().report()) == page


def test_strangers_words_stay_words(said: Callable[..., Any], see: Callable[..., Page]) -> None:
    hostile: dict[str, Any] = {
        "text": HOSTILE,
        "author": "<b>bob</b>",
        "lane": Lane.SERVICE,
        "needs_reply": True,
        "category": Category.OTHER,
        "source": "<b>forum</b>",
        "versions": {"<u>": "</style><script>"},
    }
    pairs = [said(1, START, url="javascript:alert(1)", **hostile)]
    brand = measure(pairs, **(WITHIN | {"brand": "</title><script>alert(1)</script>"}))
    html = render(brand)
    assert Reading(html).all("script", "img", "b", "u") == []
    assert "javascript:" not in html
    sheet = see(html)
    assert sheet.locator("blockquote").inner_text() == HOSTILE
    assert sheet.title().startswith("</title><script>")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "http://[", "//x.example", "https:", None]
)
def test_only_the_web_is_linked(said: Callable[..., Any], url: str | None) -> None:
    service: dict[str, Any] = {"lane": Lane.SERVICE, "needs_reply": True, "category": Category.OTHER}
    report = measure([said(1, START, url=url, **service)], **WITHIN)
    assert report.categories[0].quotes[0].url is None
    linked = measure([said(1, START, url="https://x.example/?a=1&b='2'", **service)], **WITHIN)
    links = [link for link in Reading(render(linked)).all("a") if (link["href"] or "").startswith("http")]
    assert [link["href"] for link in links] == ["https://x.example/?a=1&b='2'"]
    assert {"nofollow", "noopener"} <= set((links[0]["rel"] or "").split())


def test_a_period_without_a_mention_is_a_whole_page(see: Callable[..., Page]) -> None:
    report = measure([], labels={"forum": "Trail forum"}, quiet_after={"forum": timedelta(days=1)}, **WITHIN)
    html = render(report)
    assert "Nothing was heard about Hike" in html
    assert "%" not in re.sub(r"<style>.*?</style>|95%|5%", "", html, flags=re.DOTALL)
    sheet = see(html)
    assert sheet.locator("h2").count() == 10
    assert sheet.locator("table", has_text="Failed visits").get_by_role("row", name="Trail forum").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_read_on_a_telephone_and_a_desk_by_day_and_by_night(
    page: str, see: Callable[..., Page], width: int, scheme: str
) -> None:
    sheet = see(page, width=width, scheme=scheme)
    assert sheet.evaluate("document.documentElement.scrollWidth") == width
    assert sheet.evaluate(CONTRAST) == []
    shown = sheet.locator("svg:visible")
    assert shown.count() == 4
    for place in range(4):
        box = shown.nth(place).bounding_box()
        assert box is not None
        assert 300 < box["width"] <= width
        outside = shown.nth(place).evaluate(
            "svg => [...svg.querySelectorAll('text')].filter(text => text.getAttribute('opacity') !== '0')"
            ".filter(text => { const a = text.getBoundingClientRect(), b = svg.getBoundingClientRect();"
            "return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1 })"
            ".map(text => text.textContent)"
        )
        assert outside == []


def test_everything_is_reached_by_keyboard_alone(page: str, see: Callable[..., Page]) -> None:
    sheet = see(page)
    sheet.keyboard.press("Tab")
    assert sheet.evaluate("document.activeElement.textContent") == "Skip to the figures"
    details = sheet.locator("details").first
    details.locator("summary").focus()
    sheet.keyboard.press("Enter")
    assert details.get_by_role("table").is_visible()
    regions = sheet.locator(".scroll")
    assert all(regions.nth(place).get_attribute("tabindex") == "0" for place in range(regions.count()))


def test_writing_from_right_to_left_runs_from_right_to_left(page: str, see: Callable[..., Page]) -> None:
    quote = see(page).locator("blockquote", has_text="أفضل حذاء").first
    assert quote.evaluate("quote => getComputedStyle(quote).direction") == "rtl"


def test_it_prints_light_and_wide_whatever_the_screen(page: str, see: Callable[..., Page]) -> None:
    sheet = see(page, scheme="dark")
    sheet.emulate_media(media="print")
    assert sheet.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert sheet.locator(".chart .wide").first.is_visible()
    assert not sheet.locator("details").first.is_visible()
    assert sheet.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_long_words_and_many_mentions_keep_the_page_in_shape(
    said: Callable[..., Any], grown: Callable[..., Any], see: Callable[..., Page]
) -> None:
    month = grown(seed=2, daily=165)
    longest: dict[str, Any] = {
        "text": "W" * 4000 + " 👩‍👩‍👧‍👦" * 200,
        "author": "M" * 300,
        "author_reach": 10**9,
        "likes": 10**9,
        "source": "S" * 60,
        "sentiment": Feeling.POSITIVE,
        "sentiment_score": 0.9,
        "factor": "brand_image",
    }
    month.pairs.append(said(1, END - timedelta(minutes=1), **longest))
    report = month.report()
    assert report.mentions > 5000
    html = render(report)
    assert len(html) < 250_000
    for width in (320, 1280):
        assert see(html, width=width).evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize(("days", "mentions"), [(1, 3), (2, 500), (400, 900)])
def test_a_day_and_a_year_are_drawn_as_well(
    said: Callable[..., Any], see: Callable[..., Page], days: int, mentions: int
) -> None:
    end = START + timedelta(days=days)
    pairs = [said(number, START + timedelta(days=days * number / mentions)) for number in range(mentions)]
    sheet = see(render(measure(pairs, **(WITHIN | {"end": end}))))
    assert sheet.evaluate("document.documentElement.scrollWidth") == 390
    assert sheet.locator("svg:visible").count() == 2


def test_the_first_paragraph_says_what_happened(report: Report) -> None:
    said = summary(report)
    assert said.startswith(f"Hike was mentioned {report.mentions} times")
    assert f"{report.needs_reply.count} mentions needed a reply." in said
    assert "Wednesday 14 October brought" in said
    assert "technical problems" in said


def test_a_share_is_never_rounded_to_certainty() -> None:
    assert percent(wilson(1, 1000).share) == "<1%"
    assert percent(wilson(999, 1000).share) == ">99%"
    assert percent(wilson(0, 0).share) == "\N{EN DASH}"
