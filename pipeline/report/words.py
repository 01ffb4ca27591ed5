"""How a report puts its figures into words: names, shares, intervals, changes, days, and the first paragraph."""

from datetime import date, datetime, timedelta

from pipeline.report.figures import Peak, Report
from pipeline.trend import Difference, Mean, Rate, Trend

_NAMES = {
    "product_defect": "Faulty products",
    "technical_problem": "Technical problems",
    "delivery": "Delivery",
    "billing_payment": "Billing and payment",
    "return_refund": "Returns and refunds",
    "order_booking": "Orders and bookings",
    "account_access": "Account access",
    "staff_conduct": "Staff conduct",
    "wait_contact": "Waiting for support",
    "question": "Questions",
    "safety_legal": "Safety and legal",
    "other": "Something else",
    "product_quality": "Product quality",
    "ease_of_use": "Ease of use",
    "price_value": "Price and value",
    "service_quality": "Service quality",
    "brand_image": "Brand image",
    "emotional_connection": "Emotional connection",
    "speed_effort": "Speed and effort",
    "self_service": "Self-service",
    "email": "E-mail",
}
_LANGUAGES = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "bs": "Bosnian",
    "ca": "Catalan",
    "cs": "Czech",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "ga": "Irish",
    "gl": "Galician",
    "gu": "Gujarati",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "ka": "Georgian",
    "kk": "Kazakh",
    "kn": "Kannada",
    "ko": "Korean",
    "la": "Latin",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mr": "Marathi",
    "ms": "Malay",
    "ne": "Nepali",
    "nl": "Dutch",
    "no": "Norwegian",
    "pa": "Punjabi",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovene",
    "sq": "Albanian",
    "sr": "Serbian",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "zh": "Chinese",
}


def name(value: str) -> str:
    """A category, factor, stage, touchpoint or signal as people say it."""
    return _NAMES.get(value) or value.replace("_", " ").capitalize()


def language(code: str | None) -> str:
    """The English name of a language, or its code where we know none."""
    return "Language not clear" if code is None else _LANGUAGES.get(code, code)


def number(value: float) -> str:
    """1,234."""
    return f"{value:,.0f}"


def percent(share: float | None) -> str:
    """A share as people read it: never 0% or 100% for what is only near it."""
    if share is None:
        return "\N{EN DASH}"
    if 0 < share < 0.01:  # noqa: PLR2004 - one in a hundred, where whole percents end
        return "<1%"
    if 0.99 < share < 1:  # noqa: PLR2004 - and its mirror image
        return ">99%"
    return f"{share:.0%}"


def interval(rate: Rate | Mean) -> str:
    """Where the true share or mean lies."""
    if isinstance(rate, Mean):
        return f"{strength(rate.low)} to {strength(rate.high)}"
    return f"{rate.low * 100:.0f}\N{EN DASH}{rate.high * 100:.0f}%"


def strength(score: float | None) -> str:
    """A sentiment of -1..1, always with its sign."""
    return (
        "\N{EN DASH}"
        if score is None
        else f"{score:+.2f}".replace("-", "\N{MINUS SIGN}")
        .replace("+0.00", "0.00")
        .replace("\N{MINUS SIGN}0.00", "0.00")
    )


def times(change: Trend) -> str:
    """A change of a count, in words that do not make more of it than it is."""
    if change.ratio is None or change.before == 0:
        return "none before" if change.now else "none, as before"
    if change.low <= 1 and (change.high is None or change.high >= 1):
        return "no clear change"
    if change.ratio >= 2:  # noqa: PLR2004 - doubled
        return f"{change.ratio:.1f} times as many"
    return f"{abs(change.ratio - 1) * 100:.0f}% {'more' if change.ratio > 1 else 'fewer'}"


def points(change: Difference | None) -> str:
    """A change of a share in percentage points, with where it lies."""
    if change is None:
        return ""
    if not change.notable:
        return "no clear change"
    low, high = sorted((abs(change.low), abs(change.high)))
    way = "up" if change.difference > 0 else "down"
    return f"{way} {_point(abs(change.difference))} points ({_point(low)}\N{EN DASH}{_point(high)})"


def shift(change: Difference | None) -> str:
    """A change of the mean sentiment, with where it lies."""
    if change is None:
        return ""
    if not change.notable:
        return "no clear change"
    return f"{'up' if change.difference > 0 else 'down'} {abs(change.difference):.2f}"


def day(value: date, *, weekday: bool = False, year: bool = False) -> str:
    """14 October, with the weekday before and the year behind where asked."""
    text = f"{value.day} {value:%B}"
    return f"{f'{value:%A} ' if weekday else ''}{text}{f' {value.year}' if year else ''}"


def moment(value: datetime) -> str:
    """14 Oct, 09:05."""
    return f"{short(value)}, {value:%H:%M}"


def short(value: date) -> str:
    """14 Oct."""
    return f"{value.day} {value:%b}"


def period(start: datetime, end: datetime) -> str:
    """From its first to its last day, both of them in it: 1 to 31 October 2026."""
    first, last = start.date(), (end - timedelta(microseconds=1)).date()
    if first == last:
        return day(first, year=True)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}\N{EN DASH}{day(last, year=True)}"
    return f"{day(first, year=first.year != last.year)} \N{EN DASH} {day(last, year=True)}"


def lasting(value: timedelta) -> str:
    """A length of time in its two largest units: 2 days 4 h, 1 h 20 min, 5 min."""
    minutes = max(1, round(value.total_seconds() / 60))
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} day{'s' if days > 1 else ''}" + (f" {hours} h" if hours else "")
    return f"{hours} h" + (f" {minutes} min" if minutes else "") if hours else f"{minutes} min"


def peak(value: Peak) -> str:
    """What stood out on one day, and what it was mostly about."""
    said = f"{number(value.count)} {value.what}, noise left out, against a usual {value.usual:.0f}"
    mostly = value.mostly is not None and value.mostly_count * 3 >= value.count
    return f"{day(value.day, weekday=True)} brought {said}" + (
        f", most often about {name(value.mostly or '').lower()} ({number(value.mostly_count)})" if mostly else ""
    )


def loudest(peaks: list[Peak]) -> list[Peak]:
    """One peak a day: where mentions and complaints both stood out, the mentions."""
    found: dict[date, Peak] = {}
    for item in sorted(peaks, key=lambda item: item.what != "mentions"):
        found.setdefault(item.day, item)
    return [found[key] for key in sorted(found)]


def summary(report: Report) -> str:
    """The period in a few plain sentences: how much, what needs people, what stood out, what is still open."""
    if not report.mentions:
        return f"Nothing was heard about {report.brand} in this period."
    heard = f"{report.brand} was mentioned {_count(report.mentions, 'time')}"
    change = times(report.before.mentions) if report.before else ""
    if change.endswith(("more", "fewer", "many")):
        heard += f", {change} {'as' if change.endswith('many') else 'than'} in the period before"
    said = [f"{heard}."]
    if report.needs_reply.count:
        needed = f"{_count(report.needs_reply.count, 'mention')} needed a reply."
        said.append(needed[0].upper() + needed[1:])
    else:
        said.append("None of it needed a reply.")
    said += [f"{peak(item)}." for item in sorted(loudest(report.peaks), key=lambda item: (item.p, item.day))[:1]]
    grown = [
        topic for topic in report.categories if topic.trend and topic.trend.notable and (topic.trend.ratio or 2) > 1
    ]
    if grown and not report.peaks:
        said.append(f"{name(grown[0].name)} came up more often than before, beyond chance.")
    overdue = report.answers.overdue if report.answers else 0
    if overdue:
        said.append(f"{_count(overdue, 'case')} {'is' if overdue == 1 else 'are'} past the deadline without an answer.")
    return " ".join(said)


def _point(share: float) -> str:
    """Percentage points: whole from one up, in tenths below, and never 0 for what is only near it."""
    if share * 100 >= 1:
        return f"{share * 100:.0f}"
    return f"{share * 100:.1f}" if share * 1000 >= 1 else "<0.1"


def _count(count: int, noun: str) -> str:
    return {1: f"one {noun}"}.get(count, f"{number(count)} {noun}s").replace("one time", "once")
