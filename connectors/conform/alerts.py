"""Alerts that a sink is tried with."""

from datetime import UTC, datetime, timedelta

from pipeline.route import Alert
from pipeline.triage import Urgency

AT = datetime(2026, 10, 5, 12, tzinfo=UTC)
MINE = "conform"
"""The name of the sink."""
HOSTILE = (
    "<!channel> <@U123> @everyone @here **bold** _it_ `code` ~gone~ [mendit](https://evil.example/mend) "
    "<script>alert(1)</script> <b>loud</b> &lt;quiet&gt; {{template}} ${jndi} |spoiler| # heading > quote !pic.png!"
)
"""Markup of every kind of desk; its words must be read as words."""


def alert(number: int = 1, occasion: str = "", **more: object) -> Alert:
    """An alert of a case, as Earful makes them."""
    made: dict[str, object] = {
        "key": f"alert_{number:024x}",
        "sink": MINE,
        "case": "hackernews:41",
        "title": f"Hike: return or refund{occasion}",
        "who": "walker",
        "text": f"Wordnumber{number} says the pair squeaks & the shop, 5 < 6, is silent. Schön 😀",
        "where": "Hacker News",
        "why": ["route care: takes what no other route took", "service (93%)"],
        "team": "Care",
        "urgency": Urgency.HIGH,
        "reply_by": AT + timedelta(hours=4),
        "said_at": AT,
        "url": "https://news.ycombinator.com/item?id=41",
        "made_at": AT,
    }
    return Alert.model_validate({**made, **more})
