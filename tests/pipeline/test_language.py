import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.language import language

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


@given(st.text(), st.none() | st.text(max_size=5))
def test_any_text_at_all_is_answered(text: str, declared: str | None) -> None:
    found = language(text, declared)
    assert found.code is None or len(found.code) == 2


def test_half_a_surrogate_pair_is_passed_over() -> None:
    assert language("\ud83d this shoe is great \udc00").code == "en"


def test_of_the_labelled_english_mentions_hardly_any_is_turned_away(shared: Path) -> None:
    lines = (shared / "gold" / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    away = [text for text in texts if not language(text).readable]
    # Five of dev are Spanish, Japanese or Portuguese; beyond them at most 0.3 %.
    assert len(away) <= 5 + 0.003 * len(texts)
