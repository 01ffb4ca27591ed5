"""What a mail says: the newest words, however its program quotes, signs and encodes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.imap.letter import LONGEST_PART, letter, newest

OWN = "The sole came off."


@pytest.mark.parametrize(
    "below",
    [
        "",
        "\n\n> We are on it.\n> Soon.",
        "\n\nOn Tue, 24 Sep 2026 at 10:11, Hike Care <care@hike.example> wrote:\n> We are on it.",
        "\n\nOn Tue, 24 Sep 2026 at 10:11 Hike Care\n<care@hike.example> wrote:\n\n> We are on it.",
        "\n\nAm Di., 24. Sept. 2026 um 10:11 Uhr schrieb Hike Care <care@hike.example>:\n\n> Wir sind dran.",
        "\n\nLe mar. 24 sept. 2026 à 10:11, Hike Care <care@hike.example> a écrit :\n> Nous y sommes.",
        "\n\nEl mar, 24 sept 2026, Hike Care escribió:\n> Estamos en ello.",
        "\n\n-----Original Message-----\nFrom: Hike Care\nWe are on it.",
        "\n\n-------- Ursprüngliche Nachricht --------\nVon: Hike Care\nWir sind dran.",
        "\n\nFrom: Hike Care <care@hike.example>\nSent: Tuesday, 10:11\nTo: Ann\nSubject: Re: Sole\n\nWe are on it.",
        "\n\n______________________\nVon: Hike Care\nGesendet: Dienstag\nAn: Ann\nBetreff: AW: Sohle\n\nWir sind dran.",
        "\n-- \nAnn Berg\nTel. 030 1234",
        "\n--\nAnn Berg",
        "\n\nSent from my iPhone",
        "\n\nVon meinem Samsung gesendet",
        "\n\nGet Outlook for Android",
    ],
)
def test_quotes_and_signatures_are_not_what_somebody_says_now(below: str) -> None:
    assert newest(OWN + below.replace("\n", "\r\n")) == OWN


def test_answers_between_quoted_lines_stay() -> None:
    text = "Hello,\n\nOn Tue, Care wrote:\n> Which size?\n44\n> Which colour?\nRed\n"
    assert newest(text) == "Hello,\n\n44\n\nRed"


@pytest.mark.parametrize(
    "text",
    [
        "Von: Berlin\nNach: Köln\nDatum: 24.09.\nDer Zug kam nie.",
        "From: the shop\nTo: my door\nNothing arrived -- nothing.",
        "On Tuesday I wrote:\nno answer since.",
        "5 > 3, and I know it.\nOn it goes.",
        "My reference --original message-- is lost.",
    ],
)
def test_what_only_looks_like_a_quote_is_kept(text: str) -> None:
    assert newest(text) == text


def test_a_mail_of_nothing_but_a_quote_is_what_they_say() -> None:
    forwarded = "---------- Forwarded message ---------\nFrom: Shop\nYour parcel is lost."
    assert newest(forwarded) == forwarded
    assert newest("> Which size?") == "> Which size?"


@given(st.text())
def test_any_text_at_all_is_read(text: str) -> None:
    said = newest(text)
    assert {*said.split()} <= {*text.split()}
    assert bool(said) == bool(text.strip())


def read(head: str, body: str = "Wide") -> dict[str, object]:
    return letter(f"{head}\n\n{body}\n".encode(), ())


def test_html_is_read_without_what_it_quotes() -> None:
    head = "From: ann@example.com\nContent-Type: text/html; charset=utf-8"
    for quote in (
        '<div class="gmail_quote">On Tue wrote:<blockquote>We are on it</blockquote></div>',
        '<blockquote type="cite">We are on it</blockquote>',
        '<div id="divRplyFwdMsg">From: Care</div><div>We are on it</div>',
        "<p>On Tue, 24 Sep 2026, Hike Care &lt;care@hike.example&gt; wrote:</p><p>We are on it</p>",
    ):
        assert read(head, f"<p>The sole &amp; the lace</p>{quote}")["text"] == "The sole & the lace", quote
    assert read(head, '<blockquote type="cite">We are on it</blockquote>')["text"] == "We are on it"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            """<p>Hi,</p><div class="moz-cite-prefix">On 24.09.26 Hike wrote:</div><blockquote type="cite"><div>We are
            on it</div><blockquote type="cite">Wide</blockquote></blockquote><p>The sole came off again</p>""",
            "Hi,\n\nThe sole came off again",
        ),
        (
            """<div class="gmail_quote gmail_quote_container"><div class="gmail_attr">On Tue, Hike wrote:<br></div>
            <blockquote class="gmail_quote">Which size?</blockquote><div>44</div>
            <blockquote>Which colour?</blockquote><div>Red</div></div>""",
            "44\n\nRed",
        ),
        (
            '<blockquote type="cite">On Mon, Hike wrote:</blockquote><p>On Tuesday I wrote:</p><p>no answer since</p>',
            "On Tuesday I wrote:\n\nno answer since",
        ),
        ('<div>Wide</div><div class="gmail_signature">Ann Berg<br>030 1234</div><div>and hot</div>', "Wide\nand hot"),
        ('<!--[if mso]><div class="gmail_quote"><![endif]--><p>Wide</p>', "Wide"),
        ('<p>See class="gmail_quote" in my mail</p><p>Wide</p>', 'See class="gmail_quote" in my mail\n\nWide'),
        ("<blockquote>It lasts a lifetime</blockquote><p>says your shop</p>", "It lasts a lifetime\n\nsays your shop"),
        ("<div>Wide</span></div></blockquote><p>and hot</p>", "Wide\n\nand hot"),
    ],
)
def test_what_stands_behind_and_between_quotes_stays(body: str, said: str) -> None:
    assert read("From: ann@example.com\nContent-Type: text/html; charset=utf-8", body)["text"] == said


PICTURE = "--b\nContent-Type: image/png\nContent-Disposition: inline; filename=a.png\n\nxxx\n"
NOTE = "--b\nContent-Type: text/plain; name=log.txt\nContent-Disposition: attachment\n\nsecret log\n"


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_a_text_that_a_picture_cuts_in_two_is_read_whole(kind: str) -> None:
    texts = [f"--b\nContent-Type: text/{kind}\n\n{text}\n" for text in ("Look:", "The sole came off")]
    body = f"{texts[0]}{PICTURE}{NOTE}{texts[1]}--b--"
    told = read('From: a@b.example\nContent-Type: multipart/mixed; boundary="b"', body)
    assert told["text"] == "Look:\n\nThe sole came off"


@pytest.mark.parametrize("charset", ["utf-8", "x-unknown", "us-ascii", "cp1252", ""])
def test_a_charset_that_is_wrong_or_unknown_loses_no_letter(charset: str) -> None:
    encoded = "Grüße, 5 €".encode("cp1252" if charset == "cp1252" else "utf-8")
    raw = f"From: a@b.example\nContent-Type: text/plain; charset={charset}\n\n".encode() + encoded
    assert letter(raw, ())["text"] == "Grüße, 5 €"


def test_a_letter_cut_in_two_where_a_part_is_too_long_spoils_no_other() -> None:
    raw = "From: a@b.example\nContent-Type: text/html; charset=utf-8\n\nü<b>".encode() + "ü".encode() * LONGEST_PART
    assert str(letter(raw, ())["text"]).startswith("üüü")


def test_a_language_is_one_of_two_letters() -> None:
    for told, language in (("de-AT", "de"), ("fil-PH", None), ("German", None), ("en, de", "en")):
        assert read(f"Content-Language: {told}")["language"] == language


def test_plain_text_is_preferred_unless_it_is_empty() -> None:
    def both(plain: str) -> str:
        parts = f"--b\nContent-Type: text/plain\n\n{plain}\n--b\nContent-Type: text/html\n\n<p>from html</p>\n--b--"
        return str(read('From: a@b.example\nContent-Type: multipart/alternative; boundary="b"', parts)["text"])

    assert both("from plain") == "from plain"
    assert both("  ") == "from html"


def test_names_are_decoded_after_they_are_taken_apart() -> None:
    told = read("From: =?utf-8?Q?M=C3=BCller=2C_J=C3=B6rg?= <joerg@example.com>")
    assert told["author"] == "Müller, Jörg"
    assert read("From: Grün <g@example.com>")["author"] == "Grün", "raw letters, as some programs send them"
    assert read("From: =?utf-8?B?!!!?= <g@example.com>")["author_id"], "a name that is none costs the name only"
    assert (read("Subject: x")["author"], read("Subject: x")["author_id"]) == (None, None)


@pytest.mark.parametrize(
    "head",
    [
        "Content-Type: ;;;", "Content-Type: multipart/mixed", "Message-ID: <<>>", "Date: 99 Foo", "From: <",
        "From: @@,,",
        "Content-Type: text/plain; charset*=utf-8''%", "Subject: =?x?y?z?=", "References: <a\nIn-Reply-To: b>",
        "Content-Transfer-Encoding: base64", "Content-Type: message/rfc822",
    ],
)  # fmt: skip
def test_headers_that_are_not_as_they_should_be_stop_nothing(head: str) -> None:
    assert isinstance(read(head)["text"], str)


@pytest.mark.parametrize(
    "piece",
    [
        "<div class=", "<blockquote ", '<div class="gmail_quote">', "<div></span>", "</div>", "<!--", "> ",
        "On a wrote:\n", "From: x\nSent: y\n", "--\n", "\n",
    ],
)  # fmt: skip
def test_a_hostile_mail_takes_no_time(piece: str) -> None:
    body = piece * (800_000 // len(piece))
    started = time.process_time()
    read("From: a@b.example\nContent-Type: text/html", body)
    read("From: a@b.example", body)
    assert time.process_time() - started < 10


def test_a_charset_that_takes_quadratic_time_is_none() -> None:
    started = time.process_time()
    body = "b" * 300_000 + "-" + "a" * 300_000
    assert str(read("Content-Type: text/plain; charset=punycode", body)["text"]).startswith("bbb")
    assert time.process_time() - started < 2
