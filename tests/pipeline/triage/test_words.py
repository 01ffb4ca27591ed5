from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.classifier import Reading
from pipeline.sentiment import Vader
from pipeline.triage.words import FACTS, READ, facts, pair, parts, telling, tokens


def names(text: str) -> list[str]:
    return [token.name for token in tokens(text)]


def test_people_links_addresses_and_numbers_become_placeholders() -> None:
    assert names("@anna see https://t.co/x or www.hike.com or bit.ly/abc mail a.b@hike.com paid £12.50") == [
        *["<handle>", "see", "<url>", "or", "<url>", "or", "<url>"],
        *["mail", "<mail>", "paid", "£00.00"],
    ]


def test_a_helpers_handle_is_told_from_others() -> None:
    assert names("@HikeHelp @brand_support @anna") == ["<helper>", "<helper>", "<handle>"]


def test_shouting_and_drawling_change_nothing_but_the_drawl() -> None:
    assert names("SOOOO Good") == ["soo", "good"]


def test_a_word_after_a_negation_is_marked_until_the_sentence_turns() -> None:
    assert names("not a good shoe, but nice. good") == ["not", "¬a", "¬good", "¬shoe", ",", "but", "nice", ".", "good"]
    assert names("it doesn\u2019t fit") == ["it", "doesn't", "¬fit"]


def test_a_missing_space_after_a_full_stop_still_parts_two_words() -> None:
    assert names("great product.But it broke") == ["great", "product", ".", "but", "it", "broke"]


def test_emoji_are_words_and_their_dressing_is_not() -> None:
    assert names("👍🏽 ❤️") == ["👍", "❤"]


def test_our_own_mark_in_a_text_is_passed_over() -> None:
    assert names("¬ ¬good") == ["good"]


def test_a_token_names_its_place() -> None:
    text = "The SOLE came off"
    assert [text[token.start : token.end] for token in tokens(text)] == ["The", "SOLE", "came", "off"]


def test_all_parts_of_a_word_together_weigh_as_much_as_the_word() -> None:
    found = dict(parts("refund"))
    assert found["w refund"] == 1
    whole = sum(value**2 for name, value in found.items() if name.startswith("c "))
    assert abs(whole - 1) < 1e-9


def test_a_negated_word_keeps_its_plain_features_and_adds_its_own() -> None:
    assert dict(parts("¬good")) == {**dict(parts("good")), "n good": 1.0}


def test_a_pair_forgets_the_negation() -> None:
    assert pair(*[token.plain for token in tokens("not good")]) == "b not good"


@given(st.text(), st.none() | st.floats(-10, 10))
def test_every_fact_is_known_and_in_range_for_any_text(text: str, rating: float | None) -> None:
    reading = Reading(key="k", text=text, rating=rating)
    found = facts(reading, tokens(text), Vader().strength(text))
    assert len(found) == len(FACTS)
    assert all(-1 <= value <= 1 for value in found), dict(zip(FACTS, found, strict=True))


@given(st.text())
def test_tokens_stand_in_order_and_never_overlap(text: str) -> None:
    found = tokens(text)
    assert all(left.end <= right.start for left, right in pairwise(found))
    assert all(token.name and "\n" not in token.name for token in found)


def test_nothing_after_the_cap_is_read() -> None:
    assert names(" " * READ + "late") == []


def test_a_span_tells_something_if_it_is_more_than_grammar() -> None:
    assert all(telling(span) for span in ("refund", "my refund", "😡"))
    assert not any(telling(span) for span in ("my", "do it", "36", "?", ". ", "“"))
