import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.mention import MentionKind
from pipeline.report.quotes import Best, Fans, chosen, order_of, quote

NOON = datetime(2026, 10, 10, 12, tzinfo=UTC)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 1000)), max_size=200), st.integers(1, 6))
def test_the_best_are_the_best_of_all_however_few_are_kept(things: list[tuple[int, int]], keep: int) -> None:
    best: Best[tuple[int, int]] = Best(keep)
    for name, rank in things:
        best.add(name, (float(rank), str(name)), (name, rank))
    each = {name: min(rank for other, rank in things if other == name) for name, _ in things}
    expected = sorted(each.items(), key=lambda item: (item[1], str(item[0])))[:keep]
    assert best.best() == expected


def test_what_others_took_up_is_quoted_first_and_a_bare_word_last(said: Callable[..., Any]) -> None:
    long = "This is long enough to say something about it."
    pairs = [
        said(1, NOON, text="@hike https://hike.example #hike ok", likes=900),
        said(2, NOON, text=long),
        said(3, NOON, text=long, likes=3),
        said(4, NOON, text=long, reposts=2),
        said(5, NOON, text=long, lane_probabilities={"experience": 0.99}),
    ]
    ordered = sorted(pairs, key=lambda pair: order_of(*pair))
    assert [mention.key for mention, _ in ordered] == [f"forum:{number}" for number in (4, 3, 5, 2, 1)]


def test_no_words_are_quoted_twice(said: Callable[..., Any]) -> None:
    words = "Ordered on the 2nd and still nothing has arrived at my door"
    pairs = [said(1, NOON, text=words), said(2, NOON, text=f"RT @x {words.upper()}!"), said(3, NOON, text="Another")]
    assert [found.mention for found in chosen(pairs, {}, 3)] == ["forum:1", "forum:3"]


def test_a_comments_headline_is_not_put_in_its_authors_mouth(said: Callable[..., Any]) -> None:
    comment = said(1, NOON, text="No.", title="Hike closes shops", kind=MentionKind.COMMENT)
    review = said(2, NOON, text="Wore out.", title="Disappointed", kind=MentionKind.REVIEW)
    assert quote(*comment, {}).text == "No."
    assert quote(*review, {}).text == "Disappointed\n\nWore out."


def test_advocates_are_known_by_reach_then_by_coming_back(said: Callable[..., Any]) -> None:
    pairs = [
        said(1, NOON, author="quiet", author_id="7"),
        said(2, NOON, author="renamed", author_id="7"),
        said(3, NOON, author="known", author_reach=5000),
        said(4, NOON, author="once"),
        said(5, NOON, author=None),
    ]
    random.Random(2).shuffle(pairs)
    fans = Fans()
    for pair in pairs:
        fans.add(*pair)
    found = fans.best({"forum": "Trail forum"}, 5)
    assert [(fan.mentions, fan.reach) for fan in found] == [(1, 5000), (2, None), (1, None)]
    assert found[1].author == "quiet"
    assert found[0].quote.source == "Trail forum"


def test_of_very_many_advocates_those_who_reach_farthest_are_kept(said: Callable[..., Any]) -> None:
    fans = Fans()
    for number in range(2000):
        fans.add(*said(number, NOON, author=f"a{number}", author_reach=(number * 7919) % 2003))
    assert [fan.reach for fan in fans.best({}, 3)] == [2002, 2001, 2000]
