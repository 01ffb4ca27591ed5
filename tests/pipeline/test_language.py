import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.languages import CORPUS, corpus, named, told, turned_away
from pipeline.language import Language, language

GREETINGS = {
    "ar": "هذا المنتج سيئ للغاية ولن أشتريه مرة أخرى",
    "de": "Die Schuhe sind nach zwei Wochen kaputt gegangen, sehr enttäuschend",
    "es": "Las zapatillas llegaron rotas y nadie contesta el teléfono",
    "fr": "Les chaussures sont arrivées cassées et personne ne répond",
    "he": "הנעליים הגיעו שבורות ואף אחד לא עונה",
    "hi": "जूते टूटे हुए आए और कोई जवाब नहीं देता",
    "it": "Le scarpe sono arrivate rotte e nessuno risponde al telefono",
    "ja": "靴が壊れて届いたのに誰も返事をくれません",
    "ko": "신발이 망가진 채로 도착했는데 아무도 답하지 않아요",
    "pl": "Buty przyszły zepsute i nikt nie odbiera telefonu",
    "pt": "Os sapatos chegaram quebrados e ninguém responde ao telefone",
    "ru": "Кроссовки пришли рваные, и никто не отвечает",
    "sv": "Skorna kom trasiga och ingen svarar i telefonen",
    "th": "รองเท้ามาถึงพังและไม่มีใครตอบ",
    "tr": "Ayakkabılar bozuk geldi ve kimse telefona bakmıyor",  # noqa: RUF001 - Turkish as it is written
    "zh": "鞋子到货时就坏了，没有人回复",  # noqa: RUF001 - Chinese as it is written
}


@pytest.mark.parametrize(("code", "text"), GREETINGS.items())
def test_a_sentence_in_another_language_is_named_and_not_judged(code: str, text: str) -> None:
    found = language(text)
    assert (found.code, found.readable) == (code, False)


@pytest.mark.parametrize(
    "text",
    [
        "My order never arrived and nobody answers the phone",
        "DONT LOSE MY LUGGAGE!!!",
        "Worst. Shoes. Ever.",
        "refund pls",
        "@HikeHelp DM sent https://t.co/abc",
        "Love 'em",
        "ok",
        "gr8 shoes m8, 10/10 wud buy agen",
        "I ordered the jalapeño crème brûlée and it was cold",
        "Damn this bank bro",
        "Im over this bank",
        "Dont order here",
        "reset my router pls",
    ],
)
def test_english_however_short_or_shouted_is_judged(text: str) -> None:
    assert language(text).readable


def test_a_word_or_two_that_could_be_any_language_is_judged_without_a_name() -> None:
    assert language("Hike Hike").code in {None, "en"}
    assert language("Hike Hike").readable


def test_a_script_we_do_not_read_is_turned_away_however_short() -> None:
    assert not language("плохо").readable
    assert not language("ひどい").readable


def test_an_english_complaint_with_a_few_foreign_letters_is_judged() -> None:
    assert language("the app shows ошибка and then it crashes every time I open it").readable


def test_a_wrong_declaration_does_not_turn_english_away() -> None:
    assert language("The zipper broke after two days", declared="es").code == "en"


def test_a_declaration_helps_where_a_text_is_short() -> None:
    assert language("Hmm", declared="en-GB").code == "en"


def test_no_letters_are_no_language() -> None:
    for nothing in ("", " ", "😀😀", "12345", "?!", "\x00", "https://t.co/abc"):
        assert language(nothing).code is None
        assert language(nothing).readable


@given(st.text(), st.none() | st.text())
def test_any_text_and_any_declaration_is_answered(text: str, declared: str | None) -> None:
    found = language(text, declared)
    assert found.code is None or len(found.code) == 2


@settings(deadline=None, max_examples=25)
@given(st.text(min_size=1, max_size=50), st.none() | st.sampled_from(["en", "de", "zh-Hant-TW", "xx", "\u0130"]))
def test_a_hundred_thousand_characters_of_anything_take_less_than_a_second(text: str, declared: str | None) -> None:
    long = (text * 100_000)[:100_000]
    started = time.process_time()
    language(long, declared)
    assert time.process_time() - started < 1


def test_half_a_surrogate_pair_is_passed_over() -> None:
    assert language("\ud83d this shoe is great \udc00").code == "en"


@pytest.mark.parametrize(
    "text",
    [
        "bhai ye app bilkul bakwas hai, paise kat gaye aur refund nahi mila",
        "order abhi tak nahi aaya, customer service wale phone bhi nahi uthate",
        "mujhe ye phone bahut accha laga, battery poore din chalti hai",
        "Please mere paise wapas karo, 10 din ho gaye hain",
    ],
)
def test_hindi_in_our_letters_is_named_and_not_judged_though_it_borrows_from_english(text: str) -> None:
    assert language(text) == Language("hi", readable=False)


def test_a_text_in_two_languages_is_judged_where_most_of_it_is_english() -> None:
    assert language("yaar the delivery guy was so rude to my mother, I want my money back now").readable
    assert language("Jeg elsker dansk design, but this lamp flickers and nobody writes back").readable
    assert not language("Der Support ist ein Witz, I don't care, aber so geht man nicht mit Kunden um").readable


def test_loan_words_make_no_text_english() -> None:
    assert language("Das Update der App ist super, der Support online auch").code == "de"
    assert language("La app no funciona, el customer service tampoco").code == "es"


def test_a_declaration_decides_where_the_words_do_not() -> None:
    assert language("De er alle så venlige og flinke her", declared="no").code == "no"
    assert language("De er alle så venlige og flinke her", declared="da").code == "da"


@pytest.mark.parametrize(("text", "code"), [("плохо", "ru"), ("สวัสดี", "th"), ("καλό", "el"), ("好", "zh")])
def test_a_word_in_a_script_of_its_own_is_named_by_it(text: str, code: str) -> None:
    assert language(text + text).code == code


def test_the_corpus_holds_enough_of_each_language_as_long_as_a_review_line() -> None:
    rows = corpus()
    assert all(40 <= len(text) <= 200 for _, text in rows)
    assert len(set(rows)) == len(rows)
    of = told(rows)
    assert len(of) >= 20
    assert min(one.rows for one in of.values()) >= 25
    assert CORPUS.name == "languages.txt"


def test_twenty_languages_are_told_apart() -> None:
    of = told(corpus())
    assert named(of) >= 0.98
    assert {code: one.named for code, one in of.items() if one.named < 0.95} == {}


def test_nothing_but_english_is_judged_and_all_english_is() -> None:
    of = told(corpus())
    assert of.pop("en").away == 0
    assert min(one.away for one in of.values()) >= 0.95


def test_of_the_labelled_mentions_only_those_in_other_languages_are_turned_away(shared: Path) -> None:
    lines = (shared / "gold" / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    away = {row["id"] for row in map(json.loads, lines) if not language(row["text"]).readable}
    # Spanish, Portuguese (twice), Japanese and French; every other row of dev is English.
    assert away == {"g0022", "g0163", "g0170", "g0491", "g0817"}


def test_of_ten_thousand_english_mentions_hardly_any_is_turned_away(shared: Path) -> None:
    assert len(turned_away(shared)) <= 30
