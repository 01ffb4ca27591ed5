"""A secret of the settings is found wherever it is told, and what is none is left alone."""

import json
import logging
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from connectors.conform.grade import Severity
from connectors.conform.leaks import leaked, secrets_of, words_of
from connectors.conform.sound import DISCREET
from connectors.conform.stories import STORIES
from connectors.contract import Item, Page, Source
from pipeline.errors import RefusedError, TemporaryError
from pipeline.mention import Mention
from tests.connectors.conform.toy import Toy
from tests.connectors.conform.trials import failing

TOLD = b64encode(b"ann:sesame/toy+key").decode()


@pytest.mark.parametrize(
    ("written", "how"),
    [
        ("key sesame/toy+key", "as it is"),
        (f"?key={quote('sesame/toy+key', safe='')}", "encoded for a URL"),
        *((f"{before}{TOLD}", "in base64") for before in ("Basic ", "POST /hooks/", "a/", "x-", "key=")),
        (f"Basic {urlsafe_b64encode(b'ann:~~sesame/toy+key??').decode()}-end", "in base64"),
        ("nothing of it", None),
    ],
)
def test_a_secret_is_found_however_it_is_written(written: str, how: str | None) -> None:
    assert leaked(["sesame/toy+key"], written) == how
    error = RefusedError("no")
    error.__cause__ = ValueError(written)
    assert leaked(["sesame/toy+key"], words_of(error)) == how


def test_the_parts_of_a_secret_are_secrets_too() -> None:
    assert leaked(["https://hooks.example/T0/abcdefghijklmnopqrst"], "POST /T0/abcdefghijklmnopqrst") == "as it is"
    assert leaked(["https://toy.example/rss?key=sesame-feed"], "with sesame-feed") == "as it is"
    assert leaked(["Bearer sesame-toy"], "with sesame-toy") == "as it is"
    assert (
        leaked([json.dumps({"key": "-----BEGIN-----\nabcdefghijklmnopqrstuv\n"})], "abcdefghijklmnopqrstuv")
        == "as it is"
    )


def test_of_an_address_that_is_a_secret_only_what_opens_it_is_one() -> None:
    feed = "https://x.example/product-reviews?format=atom10&key=abcdefgh"
    assert leaked([feed], '{"generator": "atom10", "self": "/product-reviews"}') is None
    assert leaked([feed], "with abcdefgh") == "as it is"
    signed = "https://x.example/invoke?api-version=1&sig=abc-def&state=0123456789abcdef"
    assert leaked([signed], "abc-def") == leaked([signed], "0123456789abcdef") == "as it is"
    hook = "https://x.example/messages/abcdefghijkl"
    assert leaked([hook], "abcdefghijkl") == "as it is"
    assert leaked([hook], "POST /messages") is None


def test_a_setting_is_a_secret_by_its_name_only_where_the_name_says_so() -> None:
    class Plain(Toy, frozen=True):
        page_key: str = "next-cursor"
        project_key: str = "HIKING"
        api_key: str = "plain-sesame"
        credentials: tuple[str, ...] = ("plain-password",)

    plain = Plain(name="toy", api="https://toy.example", key="sesame-toy")
    assert secrets_of(plain) == ["sesame-toy", "plain-sesame", "plain-password"]


class Logging(Toy, frozen=True):
    """Logs its key."""

    def parse(self, item: Item) -> Mention:
        logging.getLogger("toy").debug("with %s", quote(self.key.get_secret_value()))
        return super().parse(item)


class Linking(Toy, frozen=True):
    """Writes its key into the address of a mention."""

    def parse(self, item: Item) -> Mention:
        url = f"https://toy.example/{item['id']}?key={self.key.get_secret_value()}"
        return super().parse(item).model_copy(update={"url": url})


class Keeping(Toy, frozen=True):
    """Keeps its key in the raw items."""

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        for page in super().pages(http, since):
            items = [{**item, "auth": f"Basic {b64encode(b'ann:sesame-toy').decode()}"} for item in page.items]
            yield Page(items, page.cursor, reach=page.reach)


class Showing(Toy, frozen=True):
    """Shows its password to who looks at it."""

    password: str = "sesame-plain"


class Chaining(Toy, frozen=True):
    """Keeps the cause of an error, which tells the key."""

    def _notes(self, http: httpx.Client, start: datetime | None, number: int) -> list[Any]:
        try:
            return super()._notes(http, start, number)
        except TemporaryError as error:
            raise TemporaryError(str(error)) from ValueError(self.key.get_secret_value())


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Logging, "a secret was logged by the logger toy"),
        (Linking, "a mention tells a secret"),
        (Keeping, "what a raw item keeps tells a secret, in base64"),
        (Showing, "the connector's own look tells a secret"),
        (Chaining, "the error tells a secret of the settings"),
    ],
)
def test_a_secret_may_not_be_kept_logged_or_shown(kind: type[Source], why: str) -> None:
    found = failing(kind, DISCREET)
    assert found.severity is Severity.SECRET
    assert why in found.happened
    assert "sesame" not in found.happened


def test_what_is_logged_in_any_story_is_judged() -> None:
    assert [*STORIES][-1] == DISCREET, "the others must have happened before"
