"""E-mail: what people write to a mailbox of yours, over IMAP. It is only read, and no mail is marked as read."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from email.errors import MessageError
from typing import Any, ClassVar, Literal, Self

import httpx
from pydantic import Field, SecretStr, model_validator

from connectors.contract import STRANGE, Item, Page, Source
from connectors.sources.imap import letter
from connectors.sources.imap.mailbox import Encryption, Mailbox, Sent, opened
from pipeline.errors import RecordError
from pipeline.mention import Mention, MentionKind

BATCH = 50
"""Mails asked for at once."""
AHEAD = timedelta(days=1)
"""So much later than it came no mail was written: its sender's clock is wrong."""
BEHIND = timedelta(days=14)
"""Nor so much earlier: servers give up after days."""
_PORTS: dict[Encryption, int] = {"tls": 993, "starttls": 143, "none": 143}


class Imap(Source, frozen=True, hide_input_in_errors=True):
    """One folder of a mailbox: each mail's newest words, without quotes and signature. Addresses are not kept.

    What programs send by themselves is left out: out-of-office notes, bounces, mail in bulk, Earful's own alerts.
    """

    label: ClassVar[str] = "E-mail"
    docs: ClassVar[str] = "https://www.rfc-editor.org/rfc/rfc3501"
    quiet_after: ClassVar[timedelta] = timedelta(days=7)
    aside: ClassVar[frozenset[str]] = frozenset({"encryption", "password", "token", "first_mails"})

    kind: Literal["imap"] = "imap"
    host: str = Field(min_length=1, description="Your mail server, such as imap.example.com.")
    port: int | None = Field(default=None, ge=1, le=65535, description="993 with tls, else 143, if left out.")
    encryption: Encryption = Field(
        default="tls", description="How the way is kept private: tls from the first byte, starttls, or none."
    )
    username: str = Field(min_length=1, description="Whose mailbox it is.")
    password: SecretStr | None = Field(default=None, description="The password; of many providers an app password.")
    token: SecretStr | None = Field(default=None, description="Instead of a password, an OAuth token (XOAUTH2).")
    folder: str = Field(default="INBOX", min_length=1, description="The folder to read.")
    own_addresses: tuple[str, ...] = Field(
        default=(), description='Who writes for the brand: addresses, or a whole domain as "@example.com".'
    )
    first_mails: int = Field(
        default=1_000, ge=1, description="How many of the newest to read at the very first call, without `first_day`."
    )
    largest: int = Field(
        default=1_000_000, ge=10_000, le=50_000_000, description="Bytes read of one mail; of a larger one the first."
    )

    @model_validator(mode="after")
    def _login(self) -> Self:
        if (self.password is None) == (self.token is None):
            raise ValueError("set `password` or `token`: one of them logs in")
        return self

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """By the server's own numbers, which only grow. Asks no web server, so `http` is not used.

        If the server numbers its mails anew, all are read again: the store knows them by their Message-ID.
        """
        del http
        place: dict[str, Any] = json.loads(since) if since else {}
        with opened(
            self.host,
            self.port or _PORTS[self.encryption],
            self.encryption,
            username=self.username,
            password=self.password.get_secret_value() if self.password else None,
            token=self.token.get_secret_value() if self.token else None,
            folder=self.folder,
        ) as mailbox:
            uids, place = self._asked(mailbox, place)
            for start in range(0, len(uids), BATCH):
                batch = uids[start : start + BATCH]
                sent = mailbox.mails(batch, self.largest)
                arrived = [mail.arrived_at for mail in sent if mail.arrived_at]
                if place.get("from") is None and arrived:
                    place = {**place, "from": min(arrived).isoformat()}
                items = [self._item(mail) for mail in sent]
                place = {**place, "uid": batch[-1]}
                yield Page([item for item in items if not item.get("machine")], cursor=json.dumps(place))
        reach = datetime.fromisoformat(place["from"]) if place.get("from") else None
        yield Page([], cursor=json.dumps(place), reach=reach)

    def parse(self, item: Item) -> Mention:
        """A mail as `letter` keeps it. One from the future, or from long before it came, was written when it came.

        When it came the last server says that took it: a mailbox that was moved tells a time of its own.
        """
        if "strange" in item:
            message = f"the mail cannot be read ({item['strange']})"
            raise RecordError(message)
        written = letter.as_time(item["date"])
        came = letter.as_time(item["received"]) or letter.as_time(item["arrived_at"])
        if written is None or (came is not None and not came - BEHIND <= written <= came + AHEAD):
            written = came
        if not (item["text"] or item["subject"]):
            message = "the mail has neither a text nor a subject"
            raise RecordError(message)
        return Mention.model_validate(
            {
                "key": f"imap:{item['native']}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.MESSAGE,
                "title": item["subject"],
                "text": item["text"] or item["subject"],
                "said_at": written,
                "author": item["author"],
                "author_id": item["author_id"],
                "language": item["language"],
                "thread": f"imap:{item['thread'] or item['native']}",
                "parent": f"imap:{item['parent']}" if item["parent"] else None,
                "by_brand": item["own"],
            }
        )

    def place(self, item: Item) -> str:
        """The folder and the mail's number in it."""
        return f"{self.folder} {item.get('uid', '?')}"[:100]

    def _asked(self, mailbox: Mailbox, place: dict[str, Any]) -> tuple[list[int], dict[str, Any]]:
        """The numbers to read, and the place as it is before them."""
        if place.get("validity") == mailbox.validity:
            return mailbox.after(place["uid"]), place
        start: date | None = self.first_day
        if place.get("from"):  # numbered anew: everything that was ever read, and a day for its server's zone
            start = datetime.fromisoformat(place["from"]).date() - timedelta(days=1)
        newest = mailbox.newest(self.first_mails if start is None else 1)
        uids = [*newest] if start is None else mailbox.since(start)
        first = datetime.combine(self.first_day, time(), UTC) if self.first_day else None
        if start is None and mailbox.many > self.first_mails:  # an old mail among the newest says nothing of the rest
            whole = mailbox.whole_since(newest)
            # the server's day may begin half a day after ours
            first = datetime.combine(whole, time(12), UTC) if whole else datetime.now(UTC)
        # what is older than asked for is not read at the next call either
        anew = {"validity": mailbox.validity, "uid": max(newest, default=0)}
        return uids, {**anew, "from": place.get("from") or (first.isoformat() if first else None)}

    def _item(self, mail: Sent) -> Item:
        where = {"uid": mail.uid, "arrived_at": mail.arrived_at.isoformat() if mail.arrived_at else None}
        try:
            return {**where, **letter.letter(mail.raw, self.own_addresses)}
        except (*STRANGE, MessageError) as error:
            return {**where, "strange": type(error).__name__}
