from hypothesis import given
from hypothesis import strategies as some

from pipeline.triage.phrase import Phrases

LISTS = {"common": "the a my you", "driver": "driver* courier cab_driver", "glad": "great thank_you 😍"}


def said(phrase: str, text: str) -> str | None:
    """What a text says of one phrase, if it says it."""
    for begun in Phrases(LISTS, [("told", phrase)]).begun(text):
        hit = begun.search(text)
        if hit:
            return hit.group()
    return None


def test_slots_side_by_side_stand_side_by_side() -> None:
    assert said("stole my phone|wallet", "he stole my wallet") == "stole my wallet"
    assert said("stole my phone|wallet", "he stole all my wallet money") is None


def test_a_gap_lets_words_of_the_same_sentence_come_between() -> None:
    assert said("<driver> ..3 stole", "the drivers at yours stole it") == "drivers at yours stole"
    assert said("<driver> ..3 stole", "nice driver. somebody stole it") is None


def test_a_loose_gap_asks_for_no_order_and_no_sentence() -> None:
    assert said("lift ~4 dropped", "it dropped. that lift of yours") == "dropped. that lift"
    assert said("lift ~4 dropped", "the lift dropped") == "lift dropped"


def test_slots_in_another_order_than_the_row_are_not_even_searched_for() -> None:
    assert Phrases(LISTS, [("told", "stole ..3 wallet")]).begun("my wallet he stole") == []
    assert said("stole ..3 wallet", "my wallet, he stole my wallet") == "stole my wallet"


def test_a_phrase_is_not_searched_for_where_the_other_words_of_its_entries_are_missing() -> None:
    assert Phrases(LISTS, [("told", "want_out_of_it|no_more_life")]).begun("i want life out of this biscuit") == []
    assert said("want_out_of_it|e-mail_out", "I want, out-of it".lower()) == "want, out-of it"
    assert said("want_out_of_it|e-mail_out", "my e mail out") == "e mail out"


def test_an_entry_that_is_no_token_may_stand_anywhere() -> None:
    assert said("from ..1 which?|the_press", "press: anyone from which? following") == "from which?"


def test_a_word_elsewhere_can_be_asked_for_or_forbidden() -> None:
    assert said("sue & you", "i will sue, do you hear") == "sue"
    assert said("sue & you", "i will sue") is None
    assert said("sue ! <glad>", "i will sue 😍") is None
    assert said("sue ! <glad>", "thank you, i will sue") is None
    assert said("sue ! <glad>", "thank god, will you sue") == "sue"


def test_signs_of_an_entry() -> None:
    assert said("hurt*", "that hurts") == "hurts"
    assert said("e-bike", "ebike and e bike") == "ebike"
    assert said("didn't go", "it didnt go") == "didnt go"
    assert said("#_year_old", "my 8 year old") == "8 year old"
    assert said("took £#", "took $40 off") == "took $40"
    assert said("took £#", "took 40 off") is None


def test_only_whole_words_count_and_no_handles() -> None:
    assert said("sue", "pursue, sued, @sue") is None
    assert said("won", "won't") is None


def test_scripts_without_blanks_are_searched_within() -> None:
    assert said("怪我|病院", "昨日怪我をした") == "怪我"


@given(some.text())
def test_any_text_at_all_can_be_searched(text: str) -> None:
    for phrase in Phrases(LISTS, [("told", "<driver> ..3 stole"), ("told", "£# ~2 #"), ("told", "a ! <glad>")]).begun(
        text
    ):
        phrase.search(text)
