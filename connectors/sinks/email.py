"""Email: one message for each alert, as text and as HTML, through any SMTP server."""

import hashlib
import re
import smtplib
import ssl
from contextlib import closing, suppress
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses, parseaddr
from typing import ClassVar, Literal, Self

import httpx
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.contract import Sink
from connectors.wording import OPEN, QUOTES, WHY, byline, facts, footer, line, link, reasons, title, visible
from pipeline.errors import EarfulError, RefusedError, TemporaryError
from pipeline.route import Alert
from pipeline.text import shorten
from pipeline.triage import Urgency

TIMEOUT = 30.0
"""Seconds a server may be silent."""

SUBJECT_LIMIT = 150
LOOPBACK = ("localhost", "127.0.0.1", "::1")

_ACT = "the operator must act:"
_SPEC = re.compile(r"[!-?A-~]+@[!-?A-~]+")  # ASCII: a server must offer SMTPUTF8 for more, and few do
_LATER = range(400, 500)
_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
_PAGES = Environment(
    loader=PackageLoader("connectors", "sinks"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Email(Sink, frozen=True, hide_input_in_errors=True):
    """People's mailboxes. `SSL_CERT_FILE` in the environment names the certificates of a server of your own."""

    label: ClassVar[str] = "E-mail"
    docs: ClassVar[str] = "https://www.rfc-editor.org/rfc/rfc6409"
    text_limit: ClassVar[int] = 5_000

    kind: Literal["email"] = "email"
    host: str = Field(min_length=1, description="Your mail server, such as smtp.example.com.")
    port: int = Field(default=587, ge=1, le=65_535, description="587 with starttls, 465 with tls, often 25 with none.")
    encryption: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the way is kept private: starttls, tls from the first byte, or none."
    )
    username: str | None = Field(default=None, description="Who logs in, if the server asks.")
    password: SecretStr | None = Field(default=None, description="The password that goes with the username.")
    sender: str = Field(description='Who it comes from: "Earful <earful@example.com>".')
    to: tuple[str, ...] = Field(min_length=1, description="Who gets it, one address each.")

    @field_validator("sender", "to", mode="after")
    @classmethod
    def _addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for one in (value,) if isinstance(value, str) else value:
            address(one)
        return value

    @model_validator(mode="after")
    def _login(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("a username needs its password, and a password its username")
        if self.password is not None and self.encryption == "none" and self.host not in LOOPBACK:
            raise ValueError('a password is not sent where anybody can read it: encryption is "starttls" or "tls"')
        return self

    def send(self, http: httpx.Client, alert: Alert) -> str:
        """Hand one alert to the mail server; the receipt is its Message-ID, the same on every try."""
        del http
        mail, begun = message(alert, self.sender, self.to), False
        try:
            with closing(self._dial()) as server:
                self._greet(server)
                begun = True
                refused = server.send_message(mail)
                with suppress(smtplib.SMTPException, OSError):  # it is delivered: a rude goodbye must not repeat it
                    server.quit()
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            raise explained(
                error, f"smtp {self.host}:{self.port}", begun=begun
            ) from None  # the server may have quoted the login
        heard = len(self.to) - len(refused)
        return str(mail["Message-ID"]) + (f" to {heard} of {len(self.to)}" if refused else "")

    def _dial(self) -> smtplib.SMTP:
        # Our name is the sender's domain: asking for the computer's own would wait for the network and tell it to all.
        name = address(self.sender).domain
        if self.encryption == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, name, timeout=TIMEOUT, context=context)
        return smtplib.SMTP(self.host, self.port, name, timeout=TIMEOUT)

    def _greet(self, server: smtplib.SMTP) -> None:
        if self.encryption == "starttls":
            server.starttls(context=ssl.create_default_context())
        if self.username is not None and self.password is not None:
            server.login(self.username, self.password.get_secret_value())


def message(alert: Alert, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """The alert as a mail: text first, HTML beside it. The same alert gives the same mail, byte for byte."""
    mail = EmailMessage(policy=SMTP)
    origin = address(sender)
    mail["From"] = origin
    mail["To"] = [address(one) for one in to]
    mail["Subject"] = title(alert, SUBJECT_LIMIT)
    mail["Date"] = format_datetime(alert.made_at)
    mail["Message-ID"] = _id(alert.key, origin)
    if alert.case:
        # All alerts of one case hang on a message that was never sent, which is how mail programs gather them.
        mail["In-Reply-To"] = mail["References"] = _id(f"case {alert.case}", origin)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if alert.urgency is Urgency.CRITICAL:
        mail["Importance"] = "high"
    mail.set_content(as_text(alert))
    mail.add_alternative(as_html(alert), subtype="html")
    mail.set_boundary(f"earful-{_digest(alert.key)}")
    return mail


def as_text(alert: Alert) -> str:
    """The alert for a reader of plain text; a stranger's words are quoted line by line."""
    mark = "> " if alert.kind in QUOTES else ""
    text = shorten(visible(alert.text), Email.text_limit)
    why = "\n".join([f"{WHY[alert.kind]}:", *(f"- {reason}" for reason in reasons(alert))])
    parts = [
        title(alert, 300),
        " · ".join(byline(alert)),
        "\n".join(f"{mark}{said}" for said in text.split("\n")) if text else "",
        "\n".join(f"{name}: {value}" for name, value in facts(alert)),
        why if reasons(alert) else "",
        f"{OPEN[alert.kind]}: {link(alert)}" if link(alert) else "",
        f"-- \n{footer(alert)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_html(alert: Alert) -> str:
    """The alert as a page without images, scripts or anything fetched; Jinja escapes every value."""
    return _PAGES.get_template("email.html.j2").render(
        quoted=alert.kind in QUOTES,
        title=title(alert, 300),
        byline=byline(alert),
        paragraphs=[part for part in shorten(visible(alert.text), Email.text_limit).split("\n") if part.strip()],
        facts=facts(alert),
        urgent=alert.urgency is Urgency.CRITICAL,
        heading=WHY[alert.kind],
        reasons=reasons(alert),
        link=link(alert),
        open=OPEN[alert.kind],
        footer=footer(alert),
    )


def address(text: str) -> Address:
    """One mailbox, "Name <name@example.com>" or the bare address. Raises ValueError if it is not exactly one."""
    name, spec = parseaddr(text)
    if len(getaddresses([text])) != 1 or not _SPEC.fullmatch(spec):
        raise ValueError('write one address in plain letters, such as "Earful <earful@example.com>"')
    try:
        return Address(display_name=line(name, 100), addr_spec=spec)
    except (MessageError, ValueError, IndexError) as error:
        raise ValueError(f"this is no e-mail address: {type(error).__name__}") from None


def explained(error: Exception, place: str, *, begun: bool) -> EarfulError:
    """Our error for one of smtplib's: 4xx and a lost line are for later, 5xx and a closed door for the operator.

    Nothing the server wrote is repeated but its numbers: it may have quoted the login or the message. A mail that was
    never `begun` has not arrived.
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = min(error.recipients.values())  # one that is for later speaks for all
        return _answered(code, said, place, "it takes none of the recipients, check `to`")
    if isinstance(error, smtplib.SMTPResponseException):
        login = isinstance(error, smtplib.SMTPAuthenticationError)
        mend = "check username and password" if login else "check sender, recipients and what the server allows"
        return _answered(error.smtp_code, error.smtp_error, place, mend)
    if isinstance(error, ssl.SSLCertVerificationError):
        return RefusedError(
            f"{place}: its certificate is not trusted ({error.verify_message}); {_ACT} check host and SSL_CERT_FILE"
        )
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError | smtplib.SMTPException):
        why = f"{place}: {error.strerror or type(error).__name__}; {TemporaryError.who_acts}"
        return TemporaryError(why, unsure=begun)
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return TemporaryError(f"{place}: the server hung up; {TemporaryError.who_acts}", unsure=begun)
    return RefusedError(f"{place}: {type(error).__name__}; {_ACT} check port, encryption, login and addresses")


def _answered(code: int, said: bytes | str, place: str, mend: str) -> EarfulError:
    number = _ENHANCED.search(said.decode("ascii", "replace") if isinstance(said, bytes) else said)
    answer = f"{place}: {code} {number.group()}" if number else f"{place}: {code}"
    if code in _LATER:
        return TemporaryError(f"{answer}; {TemporaryError.who_acts}")
    return RefusedError(f"{answer}; {_ACT} {mend}")


def _id(key: str, origin: Address) -> str:
    return f"<{_digest(key)}@{origin.domain}>"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:40]
