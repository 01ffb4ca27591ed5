from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import plain, shorten, storable, tidy


@pytest.mark.parametrize(
    ("html", "read"),
    [
        ("<p>I&#x27;d &amp; you</p><p>two<br>lines</p>", "I'd & you\n\ntwo\nlines"),
        ("Tom &amp;amp; Co", "Tom &amp; Co"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ('<a href="https://x.example">#<span>hike</span></a>shoes', "#hikeshoes"),
        ("<script>alert(1)</script>kept<style>p{}</style>", "kept"),
        ("a&nbsp;&nbsp; b \t c", "a b c"),
        ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
        ("", ""),
        ("<![foo[bar]]>kept", "<![foo[bar]]>kept"),
        ("a <!-- hidden --> b <!-- never ends", "a b <!-- never ends"),
        ("I <3 you & <b>them</b>", "I <3 you & them"),
    ],
)
def test_html_becomes_what_a_reader_sees(html: str, read: str) -> None:
    assert plain(html) == read


@given(st.text())
def test_any_text_can_be_read_as_html(text: str) -> None:
    assert isinstance(plain(text), str)


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_storable_has_no_nul_and_no_half_pair(text: str) -> None:
    kept = storable(text)
    assert "\x00" not in kept
    assert kept.encode("utf-8").decode("utf-8") == kept
    assert storable(kept) == kept


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_ordinary_text_is_stored_as_it_is(text: str) -> None:
    assert storable(text) == text


@given(st.text(), st.integers(1, 50))
def test_a_shortened_text_is_never_too_long_and_says_that_it_was_cut(text: str, length: int) -> None:
    short = shorten(text, length)
    assert len(short) <= length
    assert short == text or short.endswith("…")


@given(st.text())
def test_tidying_twice_is_tidying_once(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


@pytest.mark.parametrize("hostile", ["a<b ", "<p ", "<!--", "<![", "<?", "</", "&#", "<a href='"])
def test_hostile_html_is_read_in_no_time(hostile: str) -> None:
    began = perf_counter()
    plain(hostile * 25_000)
    assert perf_counter() - began < 5  # quadratic time would be minutes
