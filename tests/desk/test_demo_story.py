import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest

from desk.demo import appstore, hackernews
from desk.demo.story import AUTHORS, DAYS, PLACES, Line, first_midnight, story
from pipeline.triage.grave import grave

END = datetime(2026, 3, 29, 9, 41, tzinfo=UTC)


def _all() -> list[Line]:
    return list(chain.from_iterable(story().values()))


def test_several_hundred_people_say_something() -> None:
    assert 450 <= len(_all()) <= 600
    assert len({line.author for line in _all()}) >= 250
    assert all(len(story()[place]) >= 20 for place in PLACES)


def test_nobody_says_what_another_said_but_who_reposts() -> None:
    said = Counter(re.sub(r"\W+", " ", line.text).casefold() for line in _all())
    reposts = [line for line in _all() if line.theme == "repost"]
    assert len(reposts) >= 3
    assert len(said) == len(_all()) - len(reposts)
    assert len({line.text for line in reposts} - {line.text for line in _all() if line.theme == "outage"}) == 0


def test_nobody_writes_by_a_template() -> None:
    words = [re.findall(r"\w+", line.text.casefold()) for line in _all() if line.theme != "repost"]
    openings = Counter(" ".join(said[:5]) for said in words if len(said) > 5)
    assert max(openings.values()) <= 2


@pytest.mark.parametrize(
    ("theme", "least"),
    [
        *(("praise", 100), ("outage", 40), ("account", 15), ("delivery", 15), ("defect", 12), ("question", 10)),
        *(("injury", 12), ("noise", 15), ("spam", 5), ("stock", 8), ("news", 5), ("brand", 20), ("thanks", 10)),
        *(("refund", 5), ("order", 5), ("wait", 5), ("tech", 8), ("wish", 5), ("rival", 5), ("sizing", 4)),
        *(("advocate", 6), ("access", 4), ("staff", 3), ("press", 3), ("privacy", 3), ("price", 4), ("legal", 1)),
    ],
)
def test_every_theme_is_told(theme: str, least: int) -> None:
    assert Counter(line.theme for line in _all())[theme] >= least


def test_the_month_lies_before_its_end_whatever_the_hour() -> None:
    for end in (END, END.replace(hour=0, minute=0), END.replace(hour=23, minute=59)):
        times = [line.said_at(end) for line in _all()]
        assert first_midnight(end) <= min(times)
        assert max(times) < end
        assert end - min(times) <= timedelta(days=DAYS + 1)
    assert {line.day for line in _all()} == set(range(DAYS))


def test_the_outage_makes_a_spike() -> None:
    per_day = Counter(line.day for line in _all())
    usual = sorted(per_day.values())[DAYS // 2]
    assert per_day[18] > 2 * usual
    assert {line.day for line in _all() if line.theme == "outage"} <= {17, 18, 19, 24}


def test_the_injuries_are_grave_and_the_praise_is_not() -> None:
    english = [line for line in _all() if line.language == "en" and line.country in {None, "us", "gb"}]
    found = {line: {signal.name for signal in grave(line.text)} for line in english}
    hurt = [line for line in english if line.theme == "injury"]
    assert sum("injury" in found[line] for line in hurt) >= 0.6 * len(hurt)
    assert {name for names in found.values() for name in names} >= {"injury", "legal", "press", "data_leak"}
    fine = {"praise", "advocate", "noise", "stock", "spam", "wish", "sizing", "access", "thanks"}
    assert [line.text for line in english if line.theme in fine and found[line]] == []


def test_every_answer_follows_what_it_answers() -> None:
    for lines in story().values():
        known = {line.id: line for line in lines if line.id}
        for line in lines:
            if line.reply_to:
                assert line.said_at(END) > known[line.reply_to].said_at(END), line.text


def test_a_case_is_complained_of_answered_and_thanked_for_in_one_thread() -> None:
    thread = [line for line in story()["mastodon"] if "mira1" in {line.id, line.reply_to}]
    assert [line.theme for line in thread] == ["refund", "brand", "thanks"]
    assert thread[0].author == thread[2].author
    assert thread[1].author in AUTHORS


def test_the_advocate_has_many_followers_and_says_much() -> None:
    advocate = [line for line in story()["mastodon"] if line.theme == "advocate"]
    assert len({line.author for line in advocate}) == 1
    assert min(line.followers for line in advocate) >= 10_000


def test_only_the_brand_speaks_for_the_brand() -> None:
    assert {line.author for line in _all() if line.theme == "brand"} == set(AUTHORS)
    assert all(line.theme == "brand" for line in _all() if line.author in AUTHORS)


def test_reviews_come_from_every_country_in_its_language() -> None:
    of = Counter(line.country for line in story()["appstore"])
    assert {country for country in appstore.COUNTRIES if of[country] > 1} == {"us", "gb", "de", "fr", "es", "jp"}
    assert of["it"] == 1
    assert of["ie"] == 0
    japanese = [line for line in story()["appstore"] if line.country == "jp"]
    assert all(re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", line.text) for line in japanese)
    assert {line.version for line in story()["appstore"]} >= {"4.1.0", "4.2.0", "4.2.1"}


def test_hacker_news_would_find_every_line_by_the_brands_name() -> None:
    for line in story()["hackernews"]:
        said = f"{line.title} {line.url} {line.text}" if line.story else line.text
        assert re.search(r"\bhike", said.casefold()), line.text
    assert hackernews.FIRST_ID > 900_000_000
