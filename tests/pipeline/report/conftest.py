"""A month of a brand's life, made up and always the same, for every test of the report."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.analysis import Analysis
from pipeline.case import Case, CaseState, case_key
from pipeline.coverage import Coverage, Unheard
from pipeline.mention import Mention, MentionKind
from pipeline.report import Report, measure
from pipeline.sentiment import Feeling
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint, Urgency
from pipeline.visit import Visit

ZONE = ZoneInfo("Europe/Berlin")
START, END = datetime(2026, 10, 1, tzinfo=ZONE), datetime(2026, 11, 1, tzinfo=ZONE)
SOURCES = {"forum": "Trail forum", "app": "App Store reviews", "social": "Mastodon #hike", "news": "News feeds"}

TEXTS = json.loads(Path(__file__).with_name("month.json").read_text(encoding="utf-8"))
SERVICE: dict[Category, list[str]] = {Category(name): texts for name, texts in TEXTS["service"].items()}
EXPERIENCE = [(Factor(factor), Feeling(feeling), text) for factor, feeling, text in TEXTS["experience"]]
UNREAD: dict[str, str] = TEXTS["unread"]
PLACES = {
    Category.TECHNICAL_PROBLEM: (Stage.PURCHASE, Touchpoint.APP),
    Category.DELIVERY: (Stage.DELIVERY, Touchpoint.PRODUCT),
    Category.RETURN_REFUND: (Stage.SUPPORT, Touchpoint.EMAIL),
    Category.PRODUCT_DEFECT: (Stage.USE, Touchpoint.PRODUCT),
    Category.WAIT_CONTACT: (Stage.SUPPORT, Touchpoint.PHONE),
    Category.QUESTION: (Stage.CONSIDERATION, None),
    Category.BILLING_PAYMENT: (Stage.PURCHASE, Touchpoint.WEBSITE),
    Category.STAFF_CONDUCT: (Stage.PURCHASE, Touchpoint.STORE),
}


Pair = tuple[Mention, Analysis]


@dataclass
class Month:
    """What a report is measured from."""

    pairs: list[Pair] = field(default_factory=list)
    before: list[Pair] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)

    def report(self) -> Report:
        return measure(
            self.pairs,
            start=START,
            end=END,
            zone=ZONE,
            brand="Hike",
            before=self.before,
            visits=self.visits,
            cases=self.cases,
            labels=SOURCES,
            quiet_after={"forum": timedelta(days=2), "news": timedelta(days=14)},
            coverage={"app": missed(3, why="The store shows the last 500 reviews only."), "social": missed(9)},
            unanalysed=3,
            rejected=1,
        )


def missed(*days: int, why: str = "GET social.example/api/v2/search: 503") -> Coverage:
    """Six hours of which something may be missing, on each of these days."""
    began = [START + timedelta(days=day) for day in days]
    return Coverage(unheard=tuple(Unheard(one, one + timedelta(hours=6), why, one, one) for one in began))


def pair(number: int, said_at: datetime, **fields: object) -> Pair:
    """A mention and its analysis; `fields` go to whichever of the two has them."""
    mention: dict[str, object] = {
        "key": f"forum:{number}",
        "source": "forum",
        "kind": MentionKind.POST,
        "text": f"Something was said about the brand, number {number}.",
        "said_at": said_at,
        "url": f"https://forum.example/{number}",
        "author": f"walker{number}",
    }
    analysis: dict[str, object] = {
        "mention_key": mention["key"],
        "version": "1",
        "versions": {"language": "lingua-2", "sentiment": "vader-3.3.2", "triage": "triage-1-4be1"},
        "language": "en",
        "lane": Lane.EXPERIENCE,
        "lane_probabilities": {"service": 0.1, "experience": 0.8, "noise": 0.1},
        "needs_reply": False,
        "complaint": False,
        "complaint_probability": 0.2,
        "sentiment": Feeling.NEUTRAL,
        "sentiment_score": 0.0,
        "category": None,
        "urgency": None,
        "stage": None,
        "touchpoint": None,
        "factor": None,
        "grave": [],
        "reasons": [],
    }
    for name, value in fields.items():
        for noun, known in ((mention, Mention.model_fields), (analysis, Analysis.model_fields)):
            if name in known:
                noun[name] = value
    return Mention.model_validate(mention), Analysis.model_validate(analysis)


def _service(number: int, said_at: datetime, chance: random.Random, category: Category) -> Pair:
    stage, touchpoint = PLACES[category]
    grim = category is not Category.QUESTION
    return pair(
        number,
        said_at,
        source=chance.choices(["forum", "app", "social"], [2, 5, 3])[0],
        text=chance.choice(SERVICE[category]),
        lane=Lane.SERVICE,
        lane_probabilities={"service": 0.7 + chance.random() * 0.29, "experience": 0.1, "noise": 0.01},
        needs_reply=True,
        complaint=grim,
        category=category,
        urgency=chance.choices(list(Urgency), [0, 2, 6, 2])[0],
        stage=stage,
        touchpoint=touchpoint,
        sentiment=Feeling.NEGATIVE if grim and chance.random() < 0.85 else Feeling.NEUTRAL,
        sentiment_score=round(chance.uniform(-0.9, 0.1), 4),
        likes=int(chance.paretovariate(1.2)),
        replies=chance.randint(0, 4),
    )


def _experience(number: int, said_at: datetime, chance: random.Random) -> Pair:
    factor, feeling, text = chance.choices(EXPERIENCE, [9, 4, 6, 4, 2, 4, 2, 2, 3, 2, 1])[0]
    scores = {Feeling.POSITIVE: (0.2, 0.95), Feeling.NEUTRAL: (-0.1, 0.1), Feeling.NEGATIVE: (-0.9, -0.1)}
    return pair(
        number,
        said_at,
        source=chance.choices(["forum", "app", "social"], [3, 3, 5])[0],
        text=text,
        author=f"trail_{chance.randint(1, 160)}",
        author_reach=int(90 * chance.paretovariate(0.9)) if chance.random() < 0.6 else None,
        factor=factor,
        complaint=feeling is Feeling.NEGATIVE,
        sentiment=feeling,
        sentiment_score=round(chance.uniform(*scores[feeling]), 4),
        stage=chance.choices([Stage.USE, Stage.LOYALTY, Stage.AWARENESS, Stage.PURCHASE], [6, 2, 2, 1])[0],
        touchpoint=chance.choices([Touchpoint.PRODUCT, Touchpoint.APP, Touchpoint.SOCIAL, None], [6, 1, 1, 1])[0],
        likes=int(chance.paretovariate(1)),
        reposts=chance.randint(0, 2),
    )


def life(start: datetime, days: int, *, seed: int, daily: float = 20, outage: int | None = None) -> Iterator[Pair]:
    """What is said over some days: an outage of the shop on one of them brings a spike."""
    chance = random.Random(seed)
    number = seed * 1_000_000
    weights = [3, 4, 3, 3, 2, 3, 2, 1]
    for day in range(days):
        moments = sorted(chance.random() for _ in range(round(chance.gauss(daily, daily**0.5))))
        rush = sorted(0.3 + chance.random() * 0.4 for _ in range(48 if day == outage else 0))
        for at, rushed in sorted([(moment, False) for moment in moments] + [(moment, True) for moment in rush]):
            number += 1
            said_at = start + timedelta(days=day + at)
            kind = chance.random()
            if rushed:
                yield _service(number, said_at, chance, Category.TECHNICAL_PROBLEM)
            elif kind < 0.36:
                yield _service(number, said_at, chance, chance.choices(list(SERVICE), weights)[0])
            elif kind < 0.84:
                yield _experience(number, said_at, chance)
            elif kind < 0.95:
                yield pair(number, said_at, source="social", lane=Lane.NOISE, text="Great day for a hike with the dog!")
            elif kind < 0.98:
                code, text = chance.choice(list(UNREAD.items()))
                yield pair(number, said_at, text=text, language=code, **_UNSCORED)
            else:
                yield pair(number, said_at, source="social", by_brand=True, text="Our autumn range is here.")


_UNSCORED: dict[str, object] = {
    "lane": Lane.UNSCORED,
    "lane_probabilities": {"service": None, "experience": None, "noise": None},
    "complaint": None,
    "complaint_probability": None,
    "sentiment": Feeling.UNSCORED,
    "sentiment_score": None,
}


def case_of(mention: Mention, analysis: Analysis, *, answered: timedelta | None, within: timedelta) -> Case:
    return Case(
        key=case_key(mention),
        state=CaseState.OPEN if answered is None else CaseState.CLOSED,
        first_mention=mention.key,
        brand="Hike",
        source=mention.source,
        author=mention.author,
        thread=mention.key,
        fingerprint="",
        category=analysis.category,
        urgency=analysis.urgency,
        grave=analysis.grave,
        route="grave" if analysis.grave else "everything else",
        team="safety" if analysis.grave else "support",
        opened_at=mention.said_at,
        reply_by=mention.said_at + within,
        last_said_at=mention.said_at,
        answered_at=None if answered is None else mention.said_at + answered,
    )


def lived(seed: int = 1, daily: float = 20) -> Month:
    """A whole month with everything in it that a report can tell."""
    month = Month(before=list(life(START - timedelta(days=31), 31, seed=seed + 100, daily=daily)))
    pairs = list(life(START, 31, seed=seed, daily=daily, outage=13))
    injury = pair(
        9_999_999,
        START + timedelta(days=20, hours=9),
        text="The sole came loose on a descent, I fell and broke my wrist. I have photographs.",
        lane=Lane.SERVICE,
        needs_reply=True,
        complaint=True,
        category=Category.SAFETY_LEGAL,
        urgency=Urgency.CRITICAL,
        grave=["injury"],
        sentiment=Feeling.NEGATIVE,
        sentiment_score=-0.8,
        stage=Stage.USE,
        touchpoint=Touchpoint.PRODUCT,
    )
    arabic = pair(
        9_999_998,
        START + timedelta(days=5, hours=9),
        text="أفضل حذاء للجري اشتريته في حياتي، شكرا لكم!",
        author="عداء الجبال",
        author_reach=52_000,
        language="ar",
        factor=Factor.EMOTIONAL_CONNECTION,
        sentiment=Feeling.POSITIVE,
        sentiment_score=0.9,
        likes=900,
    )
    month.pairs = sorted([*pairs, injury, arabic], key=lambda said: said[0].said_at)
    chance = random.Random(seed)
    for mention, analysis in month.pairs:
        if analysis.needs_reply and (analysis.grave or chance.random() < 0.8):
            answered = None if chance.random() < 0.06 else timedelta(minutes=chance.expovariate(1 / 50))
            month.cases.append(case_of(mention, analysis, answered=answered, within=timedelta(hours=4)))
    day = START.astimezone(UTC)
    month.visits = [
        Visit(
            source="app",
            started_at=day + timedelta(hours=6 * number),
            ended_at=day + timedelta(hours=6 * number, seconds=4),
            error="GET reviews.example/de/page=1: 403" if 40 < number < 46 else None,
            who_acts="the operator" if 40 < number < 46 else None,
        )
        for number in range(124)
    ]
    return month


@pytest.fixture(scope="session")
def month() -> Month:
    """A month of several hundred mentions, with the month before it."""
    return lived()


@pytest.fixture(scope="session")
def report(month: Month) -> Report:
    """What that month comes to."""
    return month.report()


@pytest.fixture(scope="session")
def said() -> Callable[..., Pair]:
    """Makes one mention with its analysis: `said(number, said_at, **fields of either)`."""
    return pair


@pytest.fixture(scope="session")
def grown() -> Callable[..., Month]:
    """Makes a month of any size: `grown(seed, daily)`."""
    return lived
