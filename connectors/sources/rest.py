"""Any REST API that answers JSON: the settings say where it pages, and what in an item is what."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, ClassVar, Literal, Self

import httpx
import jsonpath
from pydantic import Field, SecretStr, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from connectors.client import Address, changed, json_of
from connectors.contract import STRANGE, Item, Page
from connectors.mapping import JsonPath, Shaped, compiled
from connectors.newest import moment
from connectors.paging import STALE, joined
from pipeline.coverage import Gap
from pipeline.route import Duration

_FORMATS = {"iso": "%Y-%m-%dT%H:%M:%SZ", "date": "%Y-%m-%d"}
_FORGOTTEN = {400, 404, 410, 416, 422}
"""How an API says that it does not know a place any more."""
_PARAMS = {"page": "page", "offset": "offset", "token": "cursor"}


def _as_written(value: str, check: ValidatorFunctionWrapHandler) -> str:
    check(value)
    return value


WholeAddress = Annotated[Address, WrapValidator(_as_written)]
"""An address with its last slash, where it has one: some servers know only one of the two."""


class Rest(Shaped, frozen=True, hide_input_in_errors=True):
    """Whatever an API of your own tells, such as the reviews of your shop: one address, read page by page."""

    label: ClassVar[str] = "Any REST API"
    docs: ClassVar[str] = "https://www.rfc-editor.org/rfc/rfc9535"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)
    aside: ClassVar[frozenset[str]] = frozenset({"most_pages", "overlap", "pause"})

    kind: Literal["rest"] = "rest"
    url: WholeAddress = Field(description="The address that is asked.")
    method: Literal["GET", "POST"] = Field(default="GET", description="With POST all parameters go into a JSON body.")
    headers: dict[str, SecretStr] = Field(
        default_factory=dict,
        description='Sent with every request: { Authorization = "$SHOP_KEY" }, and in the environment "Bearer …".',
    )
    params: dict[str, str] = Field(default_factory=dict, description="Parameters of every request.")
    secret_params: dict[str, SecretStr] = Field(default_factory=dict, description="Those of them that are secrets.")
    items: JsonPath = Field(
        description="Where the list of items stands, such as $.reviews. End it in [*] where no list is no error."
    )
    paging: Literal["none", "link", "page", "offset", "token"] = Field(
        default="none",
        description="By a link (in the header Link, or where `next` says), a page's number, an offset in items, or a "
        "token that stands where `next` says.",
    )
    next: JsonPath | None = Field(default=None, description="Where the next page's token or link stands: $.meta.next.")
    page_param: str | None = Field(
        default=None, description="The parameter that takes it; page, offset or cursor if left out."
    )
    first_page: int = Field(default=1, ge=0, description="The number of the first page.")
    most_pages: int = Field(default=1_000, ge=1, description="After so many pages a call ends, and says so.")
    since_param: str | None = Field(
        default=None, description="The parameter from when on is asked; without it everything is read at each call."
    )
    since_format: Literal["iso", "epoch", "milliseconds", "date"] = Field(
        default="iso", description="How it is written; all in UTC."
    )
    overlap: Duration = Field(
        default=timedelta(hours=1), description="So much before the newest is read again, for what came late."
    )
    newest_first: bool = Field(
        default=False, description="The API promises newest first: then a call ends where all is older than known."
    )
    pause: float = Field(default=0, ge=0, le=600, description="Seconds between two requests that its terms ask for.")

    @model_validator(mode="after")
    def _pages(self) -> Self:
        if self.paging == "token" and self.next is None:
            raise ValueError('paging = "token" needs `next`: where in an answer the token stands, such as $.next')
        if (self.since_param or self.newest_first) and "said_at" not in self.fields:
            raise ValueError("since_param and newest_first need fields.said_at: how far was read is known by it")
        return self

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """All pages since `overlap` before `since`, the time of the newest item read before; in any order.

        A time to come is no place to go on from: the cursor never passes the present. A call that ended at `most_pages`
        is gone on with where it ended; what came meanwhile is for the call after that.
        """
        began = datetime.now(UTC)
        broken: dict[str, Any] = json.loads(since) if since and since.startswith("{") else {}
        newest = moment(broken["newest"] if broken else since)
        bound = moment(broken["bound"]) if broken else newest - self.overlap if newest else None
        if bound is None and self.first_day is not None:
            bound = datetime.combine(self.first_day, time(), UTC)
        first = moment(broken.get("began")) or began
        oldest: datetime | None = None
        capped = None
        for number, (items, following) in enumerate(self._lists(http, bound, self._begun(broken)), start=1):
            kept, gone = self.gone_among(items)
            yield Page(kept, gone=gone)
            times = [at for item in items if (at := self._said_at(item)) is not None]
            newest = max([*times, *([newest] if newest else [])], default=None)
            oldest = min([*times, *([oldest] if oldest else [])], default=None)
            if self.newest_first and bound and times and max(times) < bound:
                break
            if following is not None and number == self.most_pages:
                capped = following
                break
        why = f"there are more than {self.most_pages:,} pages; raise `most_pages` of {self.name}"
        if capped is not None and not self.newest_first:  # nobody knows what was not read
            moments = {"began": first, "bound": bound, "newest": newest}
            told = {name: at.isoformat() if at else None for name, at in moments.items()}
            place = json.dumps({**told, "paging": self.paging, "place": capped})
            yield Page([], cursor=place, gaps=[Gap(bound, began, why)])
            return
        cursor = min(newest, first).isoformat() if newest else None
        if capped is None:
            meanwhile = (
                "what came while several calls read on, each from where the one before ended, is read by the next"
            )
            gaps = [Gap(first, began, meanwhile)] if broken else []
            yield Page([], cursor=cursor, reach=bound or oldest or began, gaps=gaps)
            return
        gaps = [Gap(bound, oldest, why)] if bound and oldest and bound < oldest else []
        yield Page([], cursor=cursor, reach=bound if gaps else oldest, gaps=gaps)

    def _lists(
        self, http: httpx.Client, bound: datetime | None, begun: str | int | None
    ) -> Iterator[tuple[list[Item], str | int | None]]:
        """The items of each page, from where a call before ended, and the place of the next where there may be one."""
        asked: dict[str, str | int] = dict(self.params)
        if self.since_param and bound is not None:
            asked[self.since_param] = self._written(bound)
        start = {"page": self.first_page, "offset": 0}.get(self.paging)
        place: str | int | None = start if begun is None else begun
        turned, known, stale = {place}, set[str](), 0
        while True:
            answer = self._ask(http, place, asked, expected=set() if begun is None else _FORGOTTEN)
            if answer.is_client_error:  # a place is not kept for ever: then from the start
                place, begun, turned = start, None, {start}
                continue
            begun = None
            said = json_of(answer)
            raws = self._found(answer, said)
            marks = {json.dumps(raw, sort_keys=True, default=str) for raw in raws}
            stale = stale + 1 if marks <= known else 0  # some APIs give their last page for ever
            known |= marks
            place = self._after(answer, said, place, 0 if stale >= STALE else len(raws))
            if place in turned and not raws:  # some name their last place again, with nothing there
                place = None
            heard_at = _dated(answer).isoformat()
            yield [self.found(raw, heard_at) for raw in raws], place
            if place is None:
                return
            if place in turned:
                raise changed(answer, "names the same page twice")
            turned.add(place)

    def _begun(self, broken: dict[str, Any]) -> str | int | None:
        """Where a call before ended, if the settings still page the same way at the same host."""
        place: str | int | None = broken.get("place")
        own = httpx.URL(self.url)
        if broken.get("paging") != self.paging or place is None:
            return None
        url = httpx.URL(str(place)) if self.paging == "link" else own
        return place if (url.scheme, url.netloc) == (own.scheme, own.netloc) else None

    def _after(self, answer: httpx.Response, said: object, place: str | int | None, many: int) -> str | int | None:
        """The place of the next page, behind one of so many new items; None where there is none."""
        if self.paging in {"page", "offset"} and isinstance(place, int):
            return place + (1 if self.paging == "page" else many) if many else None
        following = self._following(answer, said)
        return str(self._linked(answer, following)) if following and self.paging == "link" else following

    def _ask(
        self, http: httpx.Client, place: str | int | None, asked: dict[str, str | int], *, expected: set[int]
    ) -> httpx.Response:
        """The page at a place; None is the first."""
        url, params = httpx.URL(self.url), asked
        if place is not None and self.paging == "link":
            url, params = httpx.URL(str(place)), {} if self.method == "GET" else asked  # a link says all
        elif place is not None:
            params = {**asked, self.page_param or _PARAMS[self.paging]: place}
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        secret = {name: value.get_secret_value() for name, value in self.secret_params.items()}
        extensions = {"expected": expected} | ({"pause": self.pause} if self.pause else {})
        if self.method == "GET":
            whole = url.copy_merge_params({**{name: str(value) for name, value in params.items()}, **secret})
            return http.get(whole, headers=headers, extensions=extensions)
        return http.post(url, json={**params, **secret}, headers=headers, extensions=extensions)

    def _found(self, answer: httpx.Response, said: object) -> list[Any]:
        """The items of an answer; ChangedError where no list stands where it should."""
        if not isinstance(said, dict | list):
            raise changed(answer, f"answered no object and no list ({type(said).__name__})")
        nodes = _nodes(answer, self.items, said)
        if self.items.endswith("[*]"):
            return nodes
        if len(nodes) != 1 or not (nodes[0] is None or isinstance(nodes[0], list)):
            raise changed(answer, "answered no list where `items` says it stands")
        return list(nodes[0] or [])

    def _following(self, answer: httpx.Response, said: object) -> str | None:
        if self.paging == "link" and self.next is None:
            return answer.links.get("next", {}).get("url")
        if self.paging not in {"link", "token"} or self.next is None or not isinstance(said, dict | list):
            return None
        told = next(iter(_nodes(answer, self.next, said)), None)
        if told is None or told is False or told == "":
            return None
        if told is True or not isinstance(told, str | int):
            raise changed(answer, "names a next page that is neither token nor link")
        return str(told)

    def _linked(self, answer: httpx.Response, link: str) -> httpx.URL:
        url, own = joined(answer, link), httpx.URL(self.url)
        if (url.scheme, url.netloc) != (own.scheme, own.netloc):  # the keys are for this host alone
            raise changed(answer, f"names a page at another host, {url.host}")
        for name in self.secret_params:  # they are sent with it again, and a place must not hold them
            url = url.copy_remove_param(name)
        return url

    def _written(self, at: datetime) -> str:
        if self.since_format in _FORMATS:
            return at.astimezone(UTC).strftime(_FORMATS[self.since_format])
        return str(int(at.timestamp()) * (1000 if self.since_format == "milliseconds" else 1))

    def _said_at(self, item: Item) -> datetime | None:
        try:
            return self.when(item.get("said_at"))
        except STRANGE:
            return None


def _nodes(answer: httpx.Response, path: str, said: dict[str, Any] | list[Any]) -> list[Any]:
    try:
        return list(compiled(path).findall(said))
    except (jsonpath.JSONPathError, RecursionError):
        raise changed(answer, "is nested too deep for its JSONPath") from None


def _dated(answer: httpx.Response) -> datetime:
    """When the answer was given."""
    try:
        told = parsedate_to_datetime(answer.headers.get("date", ""))
        return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return datetime.now(UTC)
