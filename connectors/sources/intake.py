"""Intake: what your own programs push to `earful intake`, signed as Standard Webhooks 1.0 has it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import httpx
import jsonpath
from pydantic import Field

from connectors import spool
from connectors.contract import STRANGE, Item, Page
from connectors.mapping import JsonPath, Shaped, compiled
from connectors.newest import moment
from connectors.signature import SigningSecret
from pipeline.coverage import Gap
from pipeline.errors import RefusedError


class Intake(Shaped, frozen=True, hide_input_in_errors=True):
    """A door of your own: whoever knows the secret posts JSON to /NAME of `earful intake`. Here it is read.

    What was accepted waits in a file, so nothing is lost while nobody listens. That file may be renamed at any time, as
    by logrotate, and packed with gzip; it is read to its end as long as its new name is the old one with a dot and
    anything, or a dash and a number, behind it.
    """

    label: ClassVar[str] = "Signed intake"
    docs: ClassVar[str] = "https://www.standardwebhooks.com"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)
    aside: ClassVar[frozenset[str]] = frozenset({"secret", "old_secrets"})

    kind: Literal["intake"] = "intake"
    path: Path = Field(description="The file in which `earful intake` keeps what came; each source needs its own.")
    secret: SigningSecret = Field(description="Known to the sender too: whsec_ and 24 to 64 random bytes in base64.")
    old_secrets: tuple[SigningSecret, ...] = Field(
        default=(), description="Secrets on their way out: a message signed with one of them is taken as well."
    )
    items: JsonPath = Field(
        default="$", description="Where mentions stand in a message; $.reviews[*] where several do."
    )

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that a message may be signed with."""
        return tuple(value.get_secret_value() for value in (self.secret, *self.old_secrets))

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """What came after `since`. Asks nobody, so `http` is not used."""
        del http
        began = datetime.now(UTC)
        gaps: list[Gap] = []
        mark = since
        try:
            for read in spool.read(self.path, since):
                if read.lost:
                    why = f"{self.path.name} was taken away, or damaged, before all of it was read"
                    gaps.append(Gap(None, began, why))
                    continue
                mark = read.mark.cursor()
                kept, gone = self.gone_among([item for message in read.messages for item in self._items(message)])
                yield Page(kept, cursor=mark, gone=gone)
            reach = moment(spool.kept_since(self.path))
        except OSError as error:
            raise RefusedError(f"{self.name}: {self.path}: {error.strerror}; check who may read it") from error
        yield Page([], cursor=mark, reach=reach, gaps=gaps)

    def _items(self, message: dict[str, Any]) -> Iterable[Item]:
        """The mentions of one message. One without an id of its own is known by that of its message."""
        sent_as, heard_at, body = (message.get(name) for name in ("id", "heard_at", "body"))
        if not isinstance(sent_as, str) or not isinstance(heard_at, str):
            return [{"strange": "no message", "id": message.get("at")}]
        try:
            nodes = compiled(self.items).findall(body) if isinstance(body, dict | list) else []
        except (*STRANGE, jsonpath.JSONPathError) as error:
            return [{"strange": type(error).__name__, "id": sent_as}]
        found = [self.found(node, heard_at) for node in nodes]
        if "id" in self.fields:
            return found
        return [{"id": f"{sent_as}/{number}" if number else sent_as, **item} for number, item in enumerate(found)]
