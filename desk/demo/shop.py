"""The web shop's export of reviews, as exports are: a byte-order mark, semicolons, local times, three bad rows."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from desk.demo.story import Line

NAME = "hike-shop-reviews.csv"
ZONE = "Europe/Berlin"
HEAD = ("Review ID", "Date", "Customer", "Stars", "Product", "Bought at", "Language", "Comment")
BAD_ROWS = 3


def export(lines: Sequence[Line], end: datetime) -> bytes:
    """The file: all reviews, and between them a row without a date, one with six stars, one cut by semicolons."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEAD)
    rows = [_row(line, end) for line in lines]
    rows.insert(20, ("R-9001", "when the cat had kittens", "Elfi", 5, "Ridge 2", "web shop", "en", "Lovely shoes!"))
    rows.insert(61, ("R-9002", _date(lines[60], end), "Tester", 6, "Feather", "web shop", "en", "six stars if I could"))
    writer.writerows(rows[:90])
    text.write(f"R-9003;{_date(lines[88], end)};Bob;4;Ridge 2;web shop;en;good grip; bad laces; nice box\r\n")
    writer.writerows(rows[90:])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _row(line: Line, end: datetime) -> tuple[str | int, ...]:
    native, stars = f"R-{1000 + line.number}", line.rating or 0
    bought = (line.product or "", line.bought_at or "")
    return (native, _date(line, end), line.author, stars, *bought, line.language, line.text)


def _date(line: Line, end: datetime) -> str:
    return f"{line.said_at(end).astimezone(ZoneInfo(ZONE)):%d.%m.%Y %H:%M}"
