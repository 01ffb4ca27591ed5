"""E-mail: a real conversation with a mail server on loopback, which is only ever read."""

import datetime as dt
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from connectors.contract import Batch, fetch
from connectors.sources.imap import BATCH, Imap, mailbox
from pipeline.errors import EarfulError, RefusedError, TemporaryError
from tests.connectors.mailbox import ARRIVED, Mailbox, serving


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with serving(Mailbox()) as box:
        yield box


def mail(number: int, text: str = "Wide", **headers: str) -> bytes:
    told = {"From": "Ann <ann@example.com>", "Subject": f"Mail {number}", "Message-ID": f"<{number}@example.com>"}
    head = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in (told | headers).items())
    return f"{head}Content-Type: text/plain; charset=utf-8\n\n{text}\n".encode()


def source(box: Mailbox, **more: Any) -> Imap:  # noqa: ANN401 - settings
    login = {"username": box.login[0], "password": box.login[1], "encryption": "none"}
    settings = {"name": "care", "host": "127.0.0.1", "port": box.port, **login, **more}
    return Imap.model_validate({name: value for name, value in settings.items() if value is not None})


def walk(box: Mailbox, since: str | None = None, batches: int | None = None, **more: Any) -> list[Batch]:  # noqa: ANN401 - settings
    came: list[Batch] = []
    with httpx.Client() as unused:
        for batch in fetch(source(box, **more), unused, since):
            came.append(batch)
            if len(came) == batches:
                break
    return came


def titles(batches: list[Batch]) -> list[str | None]:
    return [mention.title for batch in batches for mention in batch.mentions]


def keys(batches: list[Batch]) -> list[str]:
    return [mention.key for batch in batches for mention in batch.mentions]


def cursor(batches: list[Batch]) -> str:
    return [batch.cursor for batch in batches if batch.cursor][-1]


def test_every_mail_is_heard_once_in_order_and_none_is_marked(box: Mailbox) -> None:
    for number in range(1, BATCH * 2 + 4):
        box.put(mail(number))
    first = walk(box)
    assert titles(first) == [f"Mail {number}" for number in range(1, BATCH * 2 + 4)]
    box.put(mail(500))
    second = walk(box, cursor(first))
    assert titles(second) == ["Mail 500"]
    third = walk(box, cursor(second))
    assert (titles(third), cursor(third)) == ([], cursor(second)), "a search for what is above names the last mail"
    spoken = {command.partition(" ")[0] for command in box.commands}
    assert spoken <= {"CAPABILITY", "LOGIN", "EXAMINE", "FETCH", "UID", "LOGOUT"}
    assert all("BODY.PEEK[" in command for command in box.commands if command.startswith("UID FETCH"))


def test_dying_after_any_batch_loses_nothing(box: Mailbox) -> None:
    for number in range(BATCH * 2 + 4):
        box.put(mail(number))
    whole = walk(box)
    for batches in range(1, len(whole) + 1):
        begun = walk(box, batches=batches)
        rest = walk(box, cursor(begun))
        assert keys(begun) + keys(rest) == keys(whole), f"after {batches} batches"


def test_a_server_that_numbers_anew_is_read_again_and_nothing_gets_another_key(box: Mailbox) -> None:
    for number in range(3):
        box.put(mail(number), ARRIVED + timedelta(hours=number))
    first = walk(box)
    box.validity = 8
    box.mails = {uid * 100: held for uid, held in reversed(box.mails.items())}
    box.mails[900] = (ARRIVED + timedelta(days=1), mail(9))
    again = walk(box, cursor(first))
    assert set(keys(again)) == {*keys(first), *keys(again)}
    assert len(keys(again)) == 4
    assert titles(walk(box, cursor(again))) == []


def test_the_first_call_reads_the_newest_and_says_how_far_it_reached(box: Mailbox) -> None:
    for number in range(10):
        box.put(mail(number), ARRIVED + timedelta(hours=8 * number))
    first = walk(box, first_mails=3)
    assert titles(first) == ["Mail 7", "Mail 8", "Mail 9"]  # of the 7th, 17:00, and of the 8th of October
    assert first[-1].reach == datetime(2026, 10, 8, 12, tzinfo=UTC), "of the 7th there may be more"
    again = walk(box, cursor(first), first_mails=3)
    assert (titles(again), again[-1].reach) == ([], first[-1].reach)


def test_an_old_mail_among_the_newest_does_not_make_the_reach_old(box: Mailbox) -> None:
    for number in range(8):
        box.put(mail(number), ARRIVED + timedelta(days=number))
    box.put(mail(8), ARRIVED - timedelta(days=2_000))  # moved in from an archive
    assert walk(box, first_mails=3)[-1].reach == datetime(2026, 10, 11, 12, tzinfo=UTC)
    assert walk(box, first_mails=9)[-1].reach == ARRIVED - timedelta(days=2_000), "it is all that ever came"


def test_a_first_call_that_reads_no_day_whole_claims_none(box: Mailbox) -> None:
    began = datetime.now(UTC)
    for number in range(5):
        box.put(mail(number))
    reach = walk(box, first_mails=3)[-1].reach
    assert reach is not None
    assert reach >= began


def test_a_folder_of_any_size_is_searched_a_part_at_a_time(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "SEARCHED", 3)
    for number in range(8):
        box.put(mail(number), ARRIVED + timedelta(days=number))
    first = walk(box, first_day="2026-10-06")
    assert titles(first) == [f"Mail {number}" for number in range(1, 8)]
    searches = [command for command in box.commands if "SEARCH" in command]
    assert [command.split(" ")[2] for command in searches] == ["7:*", "4:6", "1:3"]
    box.put(mail(8))
    box.commands.clear()
    assert titles(walk(box, cursor(first), first_day="2026-10-06")) == ["Mail 8"]
    assert [command for command in box.commands if "SEARCH" in command] == [
        "UID SEARCH 7:* UID 9:*",
        "UID SEARCH 4:6 UID 9:*",
    ]


def test_a_first_day_is_how_far_the_first_call_goes(box: Mailbox) -> None:
    for number in range(4):
        box.put(mail(number), ARRIVED + timedelta(days=number))
    first = walk(box, first_day="2026-10-07")
    assert titles(first) == ["Mail 2", "Mail 3"]
    assert first[-1].reach == datetime(2026, 10, 7, tzinfo=UTC)
    later = walk(box, first_day="2026-11-01")
    assert titles(later) == []
    box.put(mail(9), ARRIVED)
    assert titles(walk(box, cursor(later), first_day="2026-11-01")) == ["Mail 9"], "what comes new is heard"


def test_an_empty_folder_is_a_place_to_go_on_from(box: Mailbox) -> None:
    first = walk(box)
    assert titles(first) == []
    box.put(mail(1))
    assert titles(walk(box, cursor(first))) == ["Mail 1"]


def test_a_number_told_behind_the_mail_is_read_as_well(box: Mailbox) -> None:
    box.uid_behind = True
    box.put(mail(1, text="UID 77 is in the text"))
    assert titles(walk(box)) == ["Mail 1"]


def test_of_a_large_mail_the_beginning_is_read(box: Mailbox) -> None:
    box.put(mail(1, text="Wide. " + "x" * 60_000))
    ((mention,), _) = [batch.mentions for batch in walk(box, largest=10_000)]
    assert mention.text.startswith("Wide. xxx")
    assert len(mention.text) < 10_000


def test_what_programs_send_is_left_out_and_the_place_moves_on(box: Mailbox) -> None:
    for number, header in enumerate(
        ({"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"Return_Path": "<>"}, {"X_Autoreply": "yes"})
    ):
        box.put(mail(number, **header))
    box.put(mail(7, Precedence="list", List_Id="<care.example.com>", Auto_Submitted="no"))
    first = walk(box)
    assert titles(first) == ["Mail 7"], "many a support address is a mailing list"
    assert json.loads(cursor(first))["uid"] == 5


def test_the_brands_own_words_are_known_by_address_or_domain(box: Mailbox) -> None:
    box.put(mail(1, From="Hike <Care@Hike.example>"))
    box.put(mail(2, From="help@partner.example"))
    box.put(mail(3, From="hike.example@evil.example"))
    own = ["@hike.example", "help@partner.example"]
    told = [mention.by_brand for batch in walk(box, own_addresses=own) for mention in batch.mentions]
    assert told == [True, True, False]


def test_no_address_is_kept_anywhere(box: Mailbox) -> None:
    box.put(mail(1, From='"ann@example.com" <ann@example.com>', To="care@hike.example", Cc="ben@example.com"))
    (first, _) = walk(box)
    (mention,) = first.mentions
    assert mention.author is None
    assert len(mention.author_id or "") == 32
    assert "@" not in json.dumps(first.raws) + mention.model_dump_json()


def test_a_mail_that_cannot_be_read_is_kept_aside_alone(box: Mailbox) -> None:
    box.put(b"")
    box.put(mail(2, Date="yesterday"))
    (first, _) = walk(box)
    assert [mention.said_at for mention in first.mentions] == [ARRIVED], "without a date it was said when it came"
    assert [(aside.place, aside.reason) for aside in first.rejected] == [
        ("INBOX 1", "the mail has neither a text nor a subject")
    ]


def test_a_sender_whose_clock_is_ahead_wrote_when_the_mail_came(box: Mailbox) -> None:
    box.put(mail(1, Date="Mon, 5 Oct 2099 11:00:00 +0200"))
    box.put(mail(2, Date="Sun, 4 Oct 2026 11:00:00 +0200"))
    (first, _) = walk(box)
    assert [each.said_at for each in first.mentions] == [ARRIVED, datetime(2026, 10, 4, 9, tzinfo=UTC)]


def test_a_sender_whose_clock_stands_still_wrote_when_the_mail_came(box: Mailbox) -> None:
    box.put(mail(1, Date="Thu, 1 Jan 1970 00:00:00 +0000"))
    old = "from mx.example by hike.example; Fri, 1 Feb 2019 09:00:30 +0000"
    box.put(mail(2, Date="Fri, 1 Feb 2019 09:00:00 +0000", Received=old))
    (first, _) = walk(box)
    moved = datetime(2019, 2, 1, 9, tzinfo=UTC)
    assert [each.said_at for each in first.mentions] == [ARRIVED, moved], "the second only moved to another server"


def test_a_thread_is_known_by_its_first_mail_and_a_parent_by_what_is_answered(box: Mailbox) -> None:
    box.put(mail(1))
    box.put(mail(2, In_Reply_To="<1@example.com>"))
    box.put(mail(3, References="<1@example.com>\n <2@example.com>"))
    (first, _) = walk(box)
    one, two, three = first.mentions
    assert (one.thread, two.thread, three.thread) == (one.key,) * 3
    assert (one.parent, two.parent, three.parent) == (None, one.key, two.key)


def test_a_mail_without_an_id_is_known_by_what_it_says(box: Mailbox) -> None:
    for text in ("Wide", "Narrow", "Wide"):
        box.put(mail(1, text=text).replace(b"Message-ID: <1@example.com>\n", b""))
    assert len({*keys(walk(box))}) == 2


@pytest.mark.parametrize("token", ["ya29.secret", None])
def test_a_token_or_a_password_of_any_letters_logs_in(token: str | None) -> None:
    with serving(Mailbox(login=("care@hike.example", "Grüße 5€"))) as box:
        box.put(mail(1))
        assert titles(walk(box, token=token, password=None if token else "Grüße 5€")) == ["Mail 1"]


@pytest.mark.parametrize("username", ["hike care", "HIKE\\care", 'the "care" (all)', "care%"])
def test_a_name_of_any_signs_logs_in(username: str) -> None:
    with serving(Mailbox(login=(username, 'pass "word"'))) as box:
        box.put(mail(1))
        assert titles(walk(box)) == ["Mail 1"]
        login = next(command for command in box.commands if command.startswith("LOGIN"))
        assert login.startswith('LOGIN "'), "a bare word may hold no such signs"


def refusal(box: Mailbox, **more: Any) -> EarfulError:  # noqa: ANN401 - settings
    with pytest.raises(EarfulError) as caught:
        walk(box, **more)
    told = repr(caught.value) + str(caught.value.__cause__)
    assert "secret" not in told
    assert "care@hike.example" not in told
    return caught.value


def test_a_refused_login_is_for_the_operator(box: Mailbox) -> None:
    wrong = refusal(box, password="secret")
    assert type(wrong) is RefusedError
    assert str(wrong).startswith(f"imap 127.0.0.1:{box.port}: refuses the login; check `username` and `password`")
    assert type(refusal(box, password=None, token="secret-old")) is RefusedError


def test_a_server_without_time_is_asked_again_later(box: Mailbox) -> None:
    box.says_no = "NO [UNAVAILABLE] our database sleeps"
    assert type(refusal(box, password="secret")) is TemporaryError


def test_a_missing_folder_is_for_the_operator_and_foreign_names_are_written_as_imap_does() -> None:
    with serving(Mailbox(folder='"Entw&APw-rfe &- \\"mehr\\""')) as box:
        assert "check `folder`" in str(refusal(box, folder="Nowhere"))
        box.put(mail(1))
        assert titles(walk(box, folder='Entwürfe & "mehr"')) == ["Mail 1"]


def test_a_connection_that_breaks_anywhere_is_temporary_and_loses_nothing(box: Mailbox) -> None:
    box.put(mail(1))
    walk(box)
    for after in range(len(box.commands) - 1):
        box.commands.clear()
        box.breaks_after = after
        assert type(refusal(box)) is TemporaryError, f"after {after} commands"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert type(refusal(Mailbox(port=nobody.getsockname()[1]))) is TemporaryError


def certificate(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - dt.timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_the_way_is_private_and_a_stranger_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = certificate(tmp_path / "own.pem")
    with serving(Mailbox(), own) as box:
        box.put(mail(1))
        untrusted = refusal(box, encryption="tls", host="localhost")
        assert type(untrusted) is RefusedError
        assert "certificate is not trusted" in str(untrusted)
        monkeypatch.setenv("SSL_CERT_FILE", str(own))
        assert titles(walk(box, encryption="tls", host="localhost")) == ["Mail 1"]


def test_a_login_needs_one_secret_and_shows_none() -> None:
    base = {"name": "care", "host": "imap.example.com", "username": "care"}
    for more in ({}, {"password": "secret", "token": "secret"}):
        with pytest.raises(ValidationError, match="set `password` or `token`") as caught:
            Imap.model_validate({**base, **more})
        assert "secret" not in str(caught.value)
    assert "sesame" not in repr(Imap.model_validate({**base, "password": "sesame"}))


def test_the_sample_mails_are_heard(shared: Path, box: Mailbox) -> None:
    for name, at in (("imap1", datetime(2014, 5, 9, 8, tzinfo=UTC)), ("complaint_multipart_utf8", ARRIVED)):
        box.put((shared / f"fixtures/email/{name}.eml").read_bytes(), at)
    (first, _) = walk(box)
    some, complaint = first.mentions
    assert (some.title, some.text, some.author) == ("some subject", "Some plain text\nSome second line", "Nanashi")
    assert some.said_at == datetime(2014, 5, 9, 7, tzinfo=UTC)
    assert complaint.text == "Ich warte seit drei Wochen auf mein Geld. Unmöglich!"
    assert (complaint.title, complaint.author) == ("Rückerstattung dringend", "Jörg Müller")
    assert complaint.said_at == datetime(2026, 9, 24, 8, 11, 12, tzinfo=UTC)
    assert complaint.parent == complaint.thread != complaint.key
