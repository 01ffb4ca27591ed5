"""E-mail: what stands in the mail, and what the mail server's answers mean."""

import smtplib
import socket
import ssl
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.sinks.email import Email, as_html, as_text, explained, message
from pipeline.errors import RefusedError, TemporaryError
from pipeline.triage import Urgency
from tests.connectors.sinks.receivers import PostOffice, an_alert, mail_server

ATTACK = '</h1></blockquote><script>alert(1)</script><img src="https://evil.example/x.png"> {{ 7*7 }}'
BREAK = "Hello\r\nBcc: everybody@example.com\r\n\r\nnew body"
PASSWORD = "correct horse battery"


def an_email(office: PostOffice, **told: Any) -> Email:  # noqa: ANN401 - any setting of Email
    return Email.model_validate(
        {
            "name": "mail",
            "host": "127.0.0.1",
            "port": office.port,
            "encryption": "none",
            "sender": "Earful <ears@hike.example>",
            "to": ["support@hike.example"],
        }
        | told
    )


def test_a_mail_says_who_it_is_from_and_that_no_person_wrote_it(http: httpx.Client, office: PostOffice) -> None:
    receipt = an_email(office, to=["support@hike.example", "Lead <lead@hike.example>"]).send(http, an_alert())
    (mail,) = office.mails
    assert mail["From"] == "Earful <ears@hike.example>"
    assert mail["To"] == "support@hike.example, Lead <lead@hike.example>"
    assert mail["Subject"] == "Hike: delivery"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == an_alert().made_at
    assert mail["Message-ID"] == receipt
    assert receipt.endswith("@hike.example>")
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_the_same_alert_is_the_same_mail_byte_for_byte(http: httpx.Client, office: PostOffice) -> None:
    sink = an_email(office)
    assert sink.send(http, an_alert()) == sink.send(http, an_alert())
    assert office.raw[0] == office.raw[1]


def test_alerts_of_one_case_hang_together(http: httpx.Client, office: PostOffice) -> None:
    for key, case in [("a", "one"), ("b", "one"), ("c", "two"), ("d", None)]:
        an_email(office).send(http, an_alert(key=key, case=case))
    first, second, other, alone = office.mails
    assert first["References"] == second["References"] != other["References"]
    assert first["Message-ID"] != second["Message-ID"]
    assert alone["References"] is None


def test_only_a_critical_case_is_marked_important() -> None:
    to = ("a@example.com",)
    assert message(an_alert(urgency=Urgency.CRITICAL), "b@example.com", to)["Importance"] == "high"
    assert message(an_alert(), "b@example.com", to)["Importance"] is None


def test_a_title_adds_no_header(http: httpx.Client, office: PostOffice) -> None:
    an_email(office).send(http, an_alert(title=BREAK, who=BREAK, key=BREAK, case=BREAK, where=BREAK))
    (mail,) = office.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Hello Bcc: everybody@example.com new body"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_a_line_with_a_dot_does_not_end_the_mail(http: httpx.Client, office: PostOffice) -> None:
    an_email(office).send(http, an_alert(kind="watch", text="before\n.\nQUIT\n..\nafter"))
    (mail,) = office.mails
    body = mail.get_body(("plain",))
    assert body is not None
    assert "before\n.\nQUIT\n..\nafter" in body.get_content().replace("\r\n", "\n")


def test_html_shows_a_strangers_markup_and_runs_none_of_it() -> None:
    told = dict.fromkeys(("title", "who", "text", "where", "team", "case", "key"), ATTACK)
    page = as_html(an_alert(**told, why=[ATTACK]))
    seen = _Seen(page)
    assert not seen.tags & {"script", "img", "iframe", "link", "form"}
    assert seen.text.count("<script>alert(1)</script>") == 8 + 1  # and once more as the page's title
    assert "49" not in seen.text.replace("2026", "")
    assert "{{ 7*7 }}" in seen.text


def test_html_fetches_nothing_and_links_only_to_the_mention() -> None:
    seen = _Seen(as_html(an_alert()))
    assert seen.addresses == ["https://apps.example.com/reviews/11873"]
    assert _Seen(as_html(an_alert(url='javascript:alert("x")'))).addresses == []


def test_html_suits_a_phone_and_the_dark() -> None:
    page = as_html(an_alert())
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    assert 'name="color-scheme" content="light dark"' in page


def test_every_line_of_a_stranger_is_quoted_in_the_text_part() -> None:
    text = as_text(an_alert(text="one\n\n-- \nReply by: never"))
    assert "> one\n> \n> -- \n> Reply by: never\n" in text
    assert text.count("\nReply by: ") == 1


@settings(max_examples=30)
@given(st.lists(st.text(alphabet=st.characters(), max_size=300), min_size=8, max_size=12))
def test_any_words_at_all_make_a_mail(words: list[str]) -> None:
    title, who, text, where, team, key, case, *why = words
    told = {
        "title": title,
        "who": who,
        "text": text,
        "where": where,
        "team": team,
        "key": key,
        "case": case,
        "why": why,
    }
    mail = message(an_alert(**told), "a@example.com", ("b@example.com",)).as_bytes()
    assert max(map(len, mail.split(b"\r\n"))) < 998


def test_starttls_with_a_trusted_certificate_and_a_login(
    http: httpx.Client, tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
    with mail_server(PostOffice(login=("ears", PASSWORD)), starttls=tls[0]) as office:
        sink = an_email(office, encryption="starttls", username="ears", password=PASSWORD)
        sink.send(http, an_alert())
        assert office.secured == [True]
        assert PASSWORD not in f"{sink!r} {sink}"


def test_tls_from_the_first_byte(
    http: httpx.Client, tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
    with mail_server(PostOffice(), tls=tls[0]) as office:
        an_email(office, encryption="tls").send(http, an_alert())
        assert len(office.mails) == 1  # this server speaks nothing but TLS


@pytest.mark.parametrize("encryption", ["starttls", "tls"])
def test_a_certificate_nobody_vouches_for_is_the_operators_to_mend(
    http: httpx.Client, tls: tuple[ssl.SSLContext, Path], encryption: str
) -> None:
    way = {"starttls": tls[0]} if encryption == "starttls" else {"tls": tls[0]}
    with mail_server(PostOffice(), **way) as office:
        with pytest.raises(RefusedError, match="certificate is not trusted"):
            an_email(office, encryption=encryption).send(http, an_alert())
        assert office.mails == []


def test_a_server_without_starttls_gets_nothing(http: httpx.Client, office: PostOffice) -> None:
    with pytest.raises(RefusedError, match="check port, encryption"):
        an_email(office, encryption="starttls").send(http, an_alert())
    assert office.mails == []


def test_a_plain_server_on_the_tls_port_is_the_operators_to_mend(http: httpx.Client, office: PostOffice) -> None:
    with pytest.raises(RefusedError, match="check port, encryption"):
        an_email(office, encryption="tls").send(http, an_alert())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, RefusedError),
        (f"454 4.7.0 not now, {PASSWORD}", TemporaryError),
        (f"535 5.7.8 {PASSWORD}?", RefusedError),
    ],
)
def test_a_login_that_is_refused_names_no_password(
    http: httpx.Client, caplog: pytest.LogCaptureFixture, answer: str | None, error: type[Exception]
) -> None:
    caplog.set_level("DEBUG")
    told = {} if answer is None else {"AUTH": answer}
    with mail_server(PostOffice(login=("ears", "another"), answers=told)) as office, pytest.raises(error) as caught:
        an_email(office, username="ears", password=PASSWORD).send(http, an_alert())
    logged = "".join(record.getMessage() for record in caplog.records if record.name != "mail.log")
    assert PASSWORD not in f"{caught.value} {caught.value!r} {logged}"
    assert f"127.0.0.1:{office.port}" in str(caught.value)
    if error is RefusedError:
        assert "check username and password" in str(caught.value)


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("421 4.3.2 closing", TemporaryError),
        ("450 4.2.1 mailbox busy", TemporaryError),
        ("452 4.3.1 too full", TemporaryError),
        ("550 5.7.1 said parcel", RefusedError),
        ("554 5.6.0 no", RefusedError),
    ],
)
def test_4xx_is_for_later_and_5xx_for_the_operator(
    http: httpx.Client, office: PostOffice, verb: str, answer: str, error: type[Exception]
) -> None:
    office.answers[verb] = answer
    with pytest.raises(error, match=answer[:9].replace(".", r"\.")) as caught:
        an_email(office).send(http, an_alert())
    assert "parcel" not in str(caught.value)
    assert office.mails == []


def test_a_mail_some_recipients_may_have_is_sent_and_the_receipt_says_so(
    http: httpx.Client, office: PostOffice
) -> None:
    office.refuses = ("gone@hike.example",)
    receipt = an_email(office, to=["gone@hike.example", "here@hike.example"]).send(http, an_alert())
    assert receipt.endswith("> to 1 of 2")
    assert len(office.mails) == 1


def test_a_rude_goodbye_after_delivery_is_no_failure(http: httpx.Client, office: PostOffice) -> None:
    office.answers["QUIT"] = "421 4.4.2 get out"
    assert an_email(office).send(http, an_alert())
    assert len(office.mails) == 1


def test_a_server_that_is_not_there_is_tried_again_later(http: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(TemporaryError, match="Connection refused; nobody"):
        an_email(PostOffice(port=port)).send(http, an_alert())


def test_a_server_that_hangs_up_or_stays_silent_is_tried_again_later(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sinks.email.TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(TemporaryError) as caught:
            an_email(PostOffice(port=silent.getsockname()[1])).send(http, an_alert())
        connection, _ = silent.accept()
        connection.close()
    assert not caught.value.unsure


@pytest.mark.parametrize("error", [TimeoutError("timed out"), smtplib.SMTPServerDisconnected("gone")])
def test_a_line_that_breaks_leaves_it_unsure_only_once_the_mail_was_begun(error: Exception) -> None:
    for begun in (False, True):
        known = explained(error, "smtp mail.test:25", begun=begun)
        assert isinstance(known, TemporaryError)
        assert known.unsure is begun


def test_a_name_may_be_in_any_script(http: httpx.Client, office: PostOffice) -> None:
    an_email(office, to=["Jürgen <j@hike.example>"], sender='"Öhr, 耳" <ears@hike.example>').send(
        http, an_alert(title="Ärger 🔥")
    )
    (mail,) = office.mails
    assert mail["From"].addresses[0].display_name == "Öhr, 耳"
    assert mail["Subject"] == "Ärger 🔥"


@pytest.mark.parametrize(
    ("told", "mend"),
    [
        ({"sender": "nobody"}, "write one address"),
        ({"sender": "öhr@example.com"}, "in plain letters"),
        ({"to": ["a@bücher.example"]}, "in plain letters"),
        ({"sender": "a@example.com, b@example.com"}, "write one address"),
        ({"to": ["a@example.com\r\nBcc: b@example.com"]}, "address"),
        ({"to": ["a..b@example.com"]}, "no e-mail address"),
        ({"to": ["a@b..example"]}, "no e-mail address"),
        ({"to": []}, "at least 1"),
        ({"username": "ears"}, "needs its password"),
        ({"password": "x"}, "needs its password"),
        ({"host": "mail.example", "username": "ears", "password": "x"}, "anybody can read it"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"encryption": "ssl"}, "'starttls', 'tls' or 'none'"),
    ],
)
def test_settings_that_cannot_work_say_how_to_mend_them(told: dict[str, object], mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        an_email(PostOffice(port=25), **told)


class _Seen(HTMLParser):
    """What a mail program makes of a page: its tags, its words, where it goes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "action", "background"}]

    def handle_data(self, data: str) -> None:
        self.text += data
