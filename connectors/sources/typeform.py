"""Typeform: the answers to one form, their ratings on the scale of the question."""

import logging
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, ClassVar, Literal, Self

import httpx
from pydantic import Field, SecretStr, model_validator

from connectors import values
from connectors.client import Address, changed, items_of, json_of
from connectors.contract import STRANGE, Item, Page, Source
from connectors.newest import moment
from pipeline.coverage import Gap
from pipeline.errors import RecordError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

PAGE = 1_000
"""The most responses one answer holds."""
PAUSE = 0.5
"""Seconds between two requests: Typeform takes two a second.
https://www.typeform.com/developers/get-started/#rate-limits"""
OVERLAP = timedelta(hours=6)
"""Read again at each call: what was submitted in the last half hour may be missing.
https://www.typeform.com/developers/responses/reference/retrieve-responses/"""
LOOKED_UP = 100
"""The most responses that one request looks up, so that its address stays short."""

_USUAL = {"nps": (0.0, 10.0), "opinion_scale": (0.0, 10.0), "rating": (1.0, 5.0)}
"""The ends a new question of each type has; who made the form may have set others, which the form tells."""
_OF_FORM = {"pause": PAUSE, "expected": {403, 404}}
_MEND = "Give the token forms:read, or set rating_min and rating_max"
_UNFOUND = "Typeform did not give all the responses it told of; some were not found"
log = logging.getLogger(__name__)
Told = Literal["author", "author_id", "product", "country", "language", "url"]


class Typeform(Source, frozen=True, hide_input_in_errors=True):
    """Responses to one form. Only the named answers and hidden fields are kept; the rest may tell who somebody is."""

    label: ClassVar[str] = "Typeform"
    docs: ClassVar[str] = "https://www.typeform.com/developers/responses/reference/retrieve-responses/"
    quiet_after: ClassVar[timedelta] = timedelta(days=30)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=30)
    aside: ClassVar[frozenset[str]] = frozenset({"token"})

    kind: Literal["typeform"] = "typeform"
    api: Address = Field(
        default="https://api.typeform.com", description="Where it answers; in the EU https://api.eu.typeform.com."
    )
    form: str = Field(pattern=r"^\w{1,64}$", description="The form's id: the end of its address.")
    token: SecretStr = Field(description="A personal access token with responses:read, and forms:read for scales.")
    text_refs: tuple[str, ...] = Field(
        default=(), description="The questions whose answers are the text, by their ref; all long texts if left out."
    )
    rating_ref: str | None = Field(
        default=None, description="The question that asks for a number; the first scale or rating if left out."
    )
    rating_min: float | None = Field(default=None, description="Lower end of its scale, if not as the form says now.")
    rating_max: float | None = Field(default=None, description="Upper end of its scale, if not as the form says now.")
    hidden: dict[Told, str] = Field(
        default_factory=dict, description='What a hidden field holds: { author_id = "customer_id" }.'
    )

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.rating_min is not None and self.rating_max is not None and self.rating_min >= self.rating_max:
            raise ValueError("rating_max must be above rating_min")
        return self

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """From a while before `since`, the newest time read before, on; oldest first, by time.

        Not by the token of a response: it cannot be sent together with an order, and what it is without one is not
        promised. Only where one second has more responses than a page holds we go on by token, to the end, and count.
        """
        newest = moment(since)
        bound = (
            newest - OVERLAP if newest else datetime.combine(self.first_day, time(), UTC) if self.first_day else None
        )
        start, after, oldest = bound, "", None
        known, gaps = dict[str, datetime | None](), list[Gap]()
        owed, scales = 0, dict[str, tuple[float, float]]()
        began = datetime.now(UTC)
        while True:
            items, total = self._responses(http, start, after)
            tokens = {token: moment(item.get("submitted_at")) for item in items if (token := _token(item))}
            new = [item for item in items if not _token(item) or _token(item) not in known]
            if not scales and any(map(self._needs_scale, new)):
                scales = self._scales(http)
            kept = [self._kept(item, scales) for item in new if _is_whole(item)]
            yield Page([item for item in kept if not self._is_silent(item)])
            fresh = tokens.keys() - known.keys()
            known |= tokens
            times = [at for item in items if (at := moment(item.get("submitted_at"))) is not None]
            newest = max([*times, *([newest] if newest else [])], default=None)
            oldest = min([*times, *([oldest] if oldest else [])], default=None)
            last = max(times, default=None)
            ended = not items or total <= len(tokens)
            if not ended and not after and last is not None and (start is None or last > start):
                start = last
            elif not ended and (not after or fresh) and (token := _token(items[-1])):
                owed, after = owed if after else total, token
            else:
                found = sum(at is None or start is None or at >= start for at in known.values())
                if not ended or found < owed:
                    gaps = [Gap(start, began, _UNFOUND)]
                break
        cursor = min(newest, began).isoformat() if newest else None
        yield Page([], cursor=cursor, reach=bound or oldest or began, gaps=gaps)

    def parse(self, item: Item) -> Mention:
        """A response that was submitted."""
        if "strange" in item:
            raise RecordError("the response is no object")
        text, rated = self._told(item)
        if not text and rated is None:
            raise RecordError(
                "the response has neither a text nor a rating on a known scale; set rating_min and rating_max"
            )
        rating = rated or (None, None, None)
        told = {field: item["hidden"][name] for field, name in self.hidden.items() if item["hidden"].get(name)}
        return Mention.model_validate(
            {
                "key": self._key(item.get("token") or item["response_id"]),
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.SURVEY,
                "text": text,
                "said_at": item["submitted_at"],
                **dict(zip(("rating", "rating_min", "rating_max"), rating, strict=True)),
                **told,
                "language": values.language(told.get("language")),
            }
        )

    def _told(self, item: Item) -> tuple[str, tuple[float, float, float] | None]:
        """The text, and the rating on its scale."""
        answers = item["answers"]
        by_ref = {answer["field"].get("ref"): answer for answer in answers}
        wanted = [by_ref[ref] for ref in self.text_refs if ref in by_ref]
        said = wanted if self.text_refs else [each for each in answers if each["field"].get("type") == "long_text"]
        return "\n\n".join(tidy(each) for each in map(_said, said) if each), self._rated(answers, by_ref)

    def _is_silent(self, item: Item) -> bool:
        """Whether somebody left out all that is asked for here; what cannot be read is not left out unseen."""
        try:
            return "strange" not in item and self._told(item) == ("", None)
        except STRANGE:
            return False

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """The responses that are not found any more, where one that is still there is found beside them."""
        natives = {key.removeprefix(self._key("")): key for key in keys if key.startswith(self._key(""))}
        gone, listed = set[str](), sorted(natives)
        some, _ = self._responses(http, None, "", page_size=1) if listed else ([], 0)
        witness = {_token(item) for item in some[:1]} - {""}
        for start in range(0, len(listed) if witness else 0, LOOKED_UP):
            asked = listed[start : start + LOOKED_UP]
            wanted = {*asked} | witness
            items, total = self._responses(http, None, "", included_response_ids=",".join(sorted(wanted)))
            living = {_token(item) for item in items}
            if total != len(items) or not witness <= living <= wanted:  # it may be cut, or is of something else
                continue
            gone |= {natives[native] for native in asked if native not in living}
        return gone

    def place(self, item: Item) -> str:
        """The response's token."""
        return _token(item)[:100] or "?"

    def _responses(
        self, http: httpx.Client, start: datetime | None, after: str, **more: str | int
    ) -> tuple[list[Item], int]:
        """One page, and how many responses fit in all."""
        asked: dict[str, str | int] = {"page_size": PAGE, **more}
        if start is not None:
            asked["since"] = start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        asked |= {"after": after} if after else {"sort": "submitted_at,asc"}
        answer = self._ask(http, "/responses", params=asked, extensions={"pause": PAUSE})
        said = json_of(answer, dict)
        items, total = said.get("items"), said.get("total_items")
        if not isinstance(items, list):
            raise changed(answer, "answered no list of responses")
        return items_of(items), total if isinstance(total, int) else len(items) + 1

    def _scales(self, http: httpx.Client) -> dict[str, tuple[float, float]]:
        """Both ends of what the form's questions ask for, by their id and their ref."""
        answer, found = self._ask(http, "", extensions=_OF_FORM), dict[str, tuple[float, float]]()
        if answer.is_error:
            log.warning(
                "%s: %d: may not read the form; usual scales are taken. %s", self.name, answer.status_code, _MEND
            )
            return found
        fields = json_of(answer, dict).get("fields")
        if not isinstance(fields, list):
            raise changed(answer, "answered a form without fields")
        while fields:
            field = fields.pop()
            properties = field.get("properties") if isinstance(field, dict) else None
            if not isinstance(properties, dict):
                continue
            inner, steps = properties.get("fields"), properties.get("steps")
            fields += inner if isinstance(inner, list) else []  # of a group
            if isinstance(steps, int) and field.get("type") in _USUAL:
                low = 1.0 if field["type"] == "rating" or properties.get("start_at_one") is True else 0.0
                found |= {str(field.get(name)): (low, low + steps - 1) for name in ("id", "ref")}
        return found

    def _ask(self, http: httpx.Client, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - as httpx
        headers = {"Authorization": f"Bearer {self.token.get_secret_value()}"}
        return http.get(f"{self.api}/forms/{self.form}{path}", headers=headers, **more)

    def _needs_scale(self, item: Item) -> bool:
        """Whether the form must tell on which scale somebody answered."""
        answers = item.get("answers") if self.rating_min is None or self.rating_max is None else None
        fields = [answer.get("field") for answer in items_of(answers)] if isinstance(answers, list) else []
        return any(isinstance(each, dict) and each.get("type") in ("opinion_scale", "rating") for each in fields)

    def _kept(self, item: Item, scales: dict[str, tuple[float, float]]) -> Item:
        """Without what tells who and where somebody is: the browser, the network, answers and fields nobody named."""
        if "strange" in item:
            return item
        kept: Item = {name: item[name] for name in ("token", "response_id", "submitted_at") if name in item}
        answers, hidden = item.get("answers"), item.get("hidden")
        held = (
            [_with_ends(answer, scales) for answer in answers or [] if self._wanted(answer)]
            if isinstance(answers, list | None)
            else None
        )
        shown = (
            {name: hidden[name] for name in self.hidden.values() if name in hidden} if isinstance(hidden, dict) else {}
        )
        return {**kept, "answers": held, "hidden": shown}

    def _wanted(self, answer: object) -> bool:
        """Whether an answer may be told; a strange one costs its response, unless it is not asked for."""
        field = answer.get("field") if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or not isinstance(field, dict):
            return True
        named = {*self.text_refs, *([self.rating_ref] if self.rating_ref else [])}
        kinds = {*_USUAL, *(() if self.text_refs else ("long_text",))}
        return str(field.get("ref")) in named or (
            str(field.get("type")) in kinds and str(answer.get("type")) in {"text", "number"}
        )

    def _rated(self, answers: list[Item], by_ref: dict[str, Item]) -> tuple[float, float, float] | None:
        """The number with its scale; None where nobody gave one."""
        numbers = [each for each in answers if each["field"].get("type") in _USUAL]
        answer = by_ref.get(self.rating_ref) if self.rating_ref else next(iter(numbers), None)
        if answer is None:
            return None
        known = "ends" in answer or (self.rating_min is not None and self.rating_max is not None)
        low, high = answer.get("ends") or _USUAL.get(answer["field"].get("type"), (math.nan, math.nan))
        low = low if self.rating_min is None else self.rating_min
        high = high if self.rating_max is None else self.rating_max
        value = answer["number"]
        if type(value) not in {int, float}:
            raise RecordError("the rating is no number")
        if not low <= value <= high:
            if not known:
                return None  # on a scale that the form did not tell us; the words are worth hearing all the same
            message = f"the rating is off the scale {low:g} to {high:g}; set rating_min and rating_max right"
            raise RecordError(message)
        return float(value), low, high

    def _key(self, token: str) -> str:
        return f"typeform:{self.form}/{token}"


def _with_ends(answer: Any, scales: dict[str, tuple[float, float]]) -> Any:  # noqa: ANN401 - a strange one is anything
    """An answer with both ends of its question's scale, where the form tells them."""
    field = answer.get("field") if scales and isinstance(answer, dict) else None
    places = [str(field.get(name)) for name in ("id", "ref")] if isinstance(field, dict) else []
    return next(({**answer, "ends": list(scales[place])} for place in places if place in scales), answer)


def _said(answer: Item) -> str:
    """What somebody wrote or chose."""
    held: Any = answer[answer["type"]]
    if isinstance(held, dict):  # a choice, or several; "other" is what was written beside them
        told = [held.get("label"), *(held.get("labels") or []), held.get("other")]
        return ", ".join(each for each in told if isinstance(each, str))
    if isinstance(held, bool):
        return "yes" if held else "no"
    return held if isinstance(held, str) else f"{held:g}"


def _token(item: Item) -> str:
    """The response's id, under its old name where that is the only one."""
    return str(item.get("token") or item.get("response_id") or "")


def _is_whole(item: Item) -> bool:
    """Not what was begun and never submitted; what does not say so may be whole."""
    kind = item.get("response_type")
    return not isinstance(kind, str) or kind == "completed"
