"""GitHub: every issue, and every comment on it, that says a phrase. A token is advisable."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr, StringConstraints

from connectors.client import Address, changed, items_of, json_of, refused
from connectors.contract import Item, Page, Source
from connectors.newest import Back, epoch, moment
from connectors.paging import Found, Hidden, by_link, by_time
from connectors.privacy import discreet
from connectors.sources.github.refusals import GONE, MOVED, asking, explain_reply, is_gone
from pipeline.coverage import Gap
from pipeline.errors import RefusedError, SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

PAGE = 100
DEEPEST = 10
"""Pages of one search: GitHub gives its first 1,000 hits. https://docs.github.com/en/rest/search/search"""
FIRST_PAGES = 10
"""How far the very first walk goes back, if no `first_day` says it: the 1,000 issues that changed last."""
OVERLAP = timedelta(hours=1)
"""Read again at each call, for the search's index lags."""
PAUSES = {True: 2.1, False: 6.1}
"""Seconds between two searches, with and without a token: 30 or 10 a minute.
https://docs.github.com/en/rest/search/search#rate-limit"""
PAUSE = 0.8
"""Seconds between two other requests: 5,000 an hour with a token."""
THREADS = {True: 500, False: 12}
"""Threads whose comments are read in one call, with and without a token: 5,000 or 60 requests an hour. The rest waits.
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api"""
LOOKED_UP = 20
"""Mentions looked up in one call without a token, to see whether they are gone."""
REFUSALS = 3
"""Walks in which GitHub refuses the comments of an issue, after which they are given up."""
NARROWER = 6
"""How often the stretch of a search that GitHub broke off is halved."""
BROKEN_OFF = "GitHub broke off its search before it had seen everything"
FOUNDED = datetime(2008, 1, 1, tzinfo=UTC)
_ISSUE = re.compile(r"/([\w.-]+)/([\w.-]+)/(?:issues|pull)/(\d+)(?:$|[/?#])")
_KEY = re.compile(r"github:([\w.-]+/[\w.-]+)#(\d+)(?:/(\d+))?")
_UNSEEN = re.compile(r"<!--.*?-->", re.DOTALL)


class GitHub(Source, frozen=True):
    """Issues on GitHub that say a phrase, and the comments that say it, found by GitHub's own search.

    An issue is known by its repository's name: if that is renamed, what changes there later is heard as new.
    """

    label: ClassVar[str] = "GitHub"
    docs: ClassVar[str] = "https://docs.github.com/en/rest/search/search#search-issues-and-pull-requests"
    quiet_after: ClassVar[timedelta] = timedelta(days=30)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=7)
    reply_limit: ClassVar[int | None] = 65_536
    aside: ClassVar[frozenset[str]] = frozenset({"token"})

    kind: Literal["github"] = "github"
    phrase: str = Field(min_length=2, max_length=200, description="Your product's name, as people write it.")
    within: tuple[Annotated[str, StringConstraints(pattern=r"^(repo:[\w.-]+/[\w.-]+|(org|user):[\w.-]+)$")], ...] = (
        Field(default=(), description='Only there, such as ["repo:hike/app", "org:hike"]; everywhere if left out.')
    )
    comments: bool = Field(default=True, description="Read the comments of the issues found as well.")
    token: SecretStr | None = Field(
        default=None, description="A personal access token: more requests, and needed to reply. No scope is needed."
    )
    api: Address = Field(default="https://api.github.com", description="Where the API answers.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """The issues that say it and changed since, from the newest back; then comments of others, a thread at a time.

        The cursor holds the time of the newest change, the threads whose comments are still to be read, and how often
        GitHub refused one of them. Where it broke off a search, the next walk searches all of it again.
        """
        began = datetime.now(UTC)
        place: dict[str, Any] = json.loads(since) if since else {"newest": None, "waiting": {}}
        waiting: dict[str, str | None] = place["waiting"]
        back = Back.to(place["newest"], self.first_day, OVERLAP)
        gaps = list[Gap]()
        for where in ("title,body", "comments") if self.comments else ("title,body",):
            hidden = list[Hidden]()
            walk = by_time(
                partial(self._search, http, where, back.bound, gaps=gaps),
                second=_changed,
                native=lambda issue: issue.get("id"),
                deepest=DEEPEST,
                hidden=hidden,
            )
            for page in back.read(walk, lambda issue: moment(issue.get("updated_at")), most=FIRST_PAGES):
                yield page if where != "comments" else Page([])
                for thread in _places(page.items) if where == "comments" else ():
                    waiting.setdefault(thread, _iso(back.bound) if back.bound else None)
            gaps += back.gaps(hidden, "GitHub gives no more issues of one second", epoch)
        newest = place["newest"] if any(gap.why == BROKEN_OFF for gap in gaps) else _told(back.newest)
        place = {"newest": newest, "waiting": waiting, "refusals": place.get("refusals", {})}
        if newest or waiting:
            yield Page([], cursor=json.dumps(place))  # newest first: safe only now
        until = max(began, back.newest or began) + timedelta(seconds=1)
        yield from self._threads(http, place, until, gaps)
        if waiting:
            why = f"the comments of {len(waiting)} issues are read at the next calls, to stay within GitHub's limits"
            gaps.append(Gap(back.reach, until, why))
        yield Page([], reach=back.reach, gaps=gaps)

    def parse(self, item: Item) -> Mention:
        """An issue, or a comment to which `pages` adds its `thread`."""
        thread = item.get("thread")
        user = item.get("user") or {}
        body = tidy(_UNSEEN.sub("", item.get("body") or ""))
        issue = thread or _thread(item)
        return Mention.model_validate(
            {
                "key": f"github:{issue}/{int(item['id'])}" if thread else f"github:{issue}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT if thread else MentionKind.POST,
                "title": None if thread else item["title"],
                "text": body if thread else body or item["title"],
                "said_at": item["created_at"],
                "url": item.get("html_url"),
                "author": user.get("login"),
                "author_id": str(user["id"]) if user.get("id") else None,
                "thread": f"github:{issue}",
                "parent": f"github:{issue}" if thread else None,
                "likes": (item.get("reactions") or {}).get("+1"),
                "replies": None if thread else item.get("comments"),
            }
        )

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """What GitHub itself says is not there; what moved to another repository is not gone.

        Without a token it lets us look up but a few: any of them, so that in the end each has its turn.
        """
        found = set[str]()
        for key in keys if self.token or len(keys) <= LOOKED_UP else random.sample(keys, LOOKED_UP):
            if told := _KEY.fullmatch(key):
                repo, number, comment = told.groups()
                path = f"issues/comments/{comment}" if comment else f"issues/{number}"
                answer = self._get(http, f"/repos/{repo}/{path}", PAUSE, expected=set(GONE))
                found |= {key} if is_gone(answer) else set()
        return found

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """A comment on the issue; its address."""
        told = _KEY.fullmatch(mention.key)
        if self.token is None or told is None or not text or len(text) > (self.reply_limit or 0):
            raise SettingsError(
                f"{self.name}: a reply needs a `token` that may write, a mention of GitHub, and 1 to "
                f"{self.reply_limit} characters"
            )
        url = f"{self.api}/repos/{told[1]}/issues/{told[2]}/comments"
        answer = http.post(url, json={"body": text}, headers=self._headers, extensions={"explain": explain_reply})
        said = json_of(answer, dict)
        return str(said.get("html_url") or said.get("id") or "")

    def place(self, item: Item) -> str:
        """The issue, and the native id."""
        return f"{item.get('thread') or item.get('number') or '?'}/{item.get('id') or '?'}"[:100]

    def _search(
        self, http: httpx.Client, where: str, start: datetime | None, end: int | None, number: int, *, gaps: list[Gap]
    ) -> Found:
        """One page of the search. Where GitHub broke off its search, of the newer half, and of its newer half."""
        low, high = start or FOUNDED, epoch(end) or datetime.now(UTC)
        floor = start
        for _ in range(NARROWER):
            found, incomplete = self._hits(http, where, floor, end, number)
            if not incomplete:
                narrowed = floor != start
                return Found(
                    found.items, found.more or narrowed, int(low.timestamp()) if narrowed and not found.more else None
                )
            low += (high - low) / 2
            floor = low = low.replace(microsecond=0)
        gaps.append(Gap(start, high, BROKEN_OFF))
        return self._hits(http, where, start, end, number)[0]

    def _hits(
        self, http: httpx.Client, where: str, start: datetime | None, end: int | None, number: int
    ) -> tuple[Found, bool]:
        if last := epoch(end):
            updated = f"updated:{_iso(start)}..{_iso(last)}" if start else f"updated:<={_iso(last)}"
        else:
            updated = f"updated:>={_iso(start)}" if start else ""
        phrase = " ".join(self.phrase.replace('"', " ").split())
        query = " ".join(filter(None, (f'"{phrase}"', "type:issue", f"in:{where}", *self.within, updated)))
        asked = {"q": query, "sort": "updated", "order": "desc", "per_page": PAGE, "page": number}
        answer = self._get(http, "/search/issues", PAUSES[self.token is not None], params=asked)
        said = json_of(answer, dict)
        if not isinstance(said.get("items"), list):
            raise changed(answer, "answered no list of issues")
        return Found(items_of(discreet(said["items"])), "next" in answer.links), said.get("incomplete_results") is True

    def _threads(self, http: httpx.Client, place: dict[str, Any], until: datetime, gaps: list[Gap]) -> Iterator[Page]:
        """The comments of the threads that wait, as many as one call bears.

        One that GitHub refuses, such as one that the law forbids to show, waits behind the others and is given up in
        the end. It is raised when these are served, or at once if it is not the only one: then it is our token.
        """
        waiting, refusals = place["waiting"], place["refusals"]
        trouble: RefusedError | None = None
        for thread in list(waiting)[: THREADS[self.token is not None]]:
            bound = waiting.pop(thread)
            try:
                yield from self._comments(http, thread, bound)
                refusals.pop(thread, None)
            except RefusedError as error:
                refusals[thread] = refusals.get(thread, 0) + 1
                if refusals[thread] >= REFUSALS:
                    del refusals[thread]
                    gaps.append(Gap(moment(bound), until, "GitHub does not show the comments of one issue"))
                elif trouble:
                    raise
                else:
                    waiting[thread], trouble = bound, error
            yield Page([], cursor=json.dumps(place))
        if trouble:
            raise trouble

    def _comments(self, http: httpx.Client, thread: str, since: str | None) -> Iterator[Page]:
        """The comments of a thread that say the phrase; none where it was deleted or moved meanwhile."""
        repo, _, number = thread.partition("#")
        asked = {"per_page": PAGE, **({"since": since} if since else {})}
        url = httpx.URL(f"{self.api}/repos/{repo}/issues/{number}/comments", params=asked)
        extensions = asking(PAUSE, {*MOVED, *GONE})
        for answer in by_link(http, url, headers=self._headers, extensions=extensions):
            if answer.status_code in (*MOVED, *GONE):
                issue = self._get(http, f"/repos/{repo}/issues/{number}", PAUSE, expected={*MOVED, *GONE})
                if not is_gone(issue) and issue.status_code not in MOVED:
                    raise refused(answer, "GitHub shows the issue and not its comments; check what the token may read")
                return
            comments = items_of(discreet(json_of(answer, list)))
            yield Page([{**comment, "thread": thread} for comment in comments if self._says_it(comment)])

    def _says_it(self, comment: Item) -> bool:
        said = str(comment.get("body") or "")
        return "strange" in comment or " ".join(self.phrase.casefold().split()) in " ".join(said.casefold().split())

    def _get(
        self,
        http: httpx.Client,
        path: str,
        pause: float,
        params: dict[str, Any] | None = None,
        expected: set[int] | None = None,
    ) -> httpx.Response:
        extensions = asking(pause, expected or set())
        return http.get(self.api + path, params=params, headers=self._headers, extensions=extensions)

    @property
    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        return headers | ({"Authorization": f"Bearer {self.token.get_secret_value()}"} if self.token else {})


def _thread(issue: Item) -> str:
    """Where an issue stands, such as "hike/app#12"; every address in it says so."""
    for field in ("html_url", "url", "comments_url"):
        if told := _ISSUE.search(str(issue.get(field) or "")):
            return f"{told[1]}/{told[2]}#{told[3]}"
    raise KeyError("html_url")


def _places(issues: list[Item]) -> Iterator[str]:
    """Where the issues with comments stand."""
    for issue in issues:
        if issue.get("comments") != 0:
            try:
                yield _thread(issue)
            except KeyError:  # it is kept aside
                continue


def _changed(issue: Item) -> int | None:
    changed_at = moment(issue.get("updated_at"))
    return int(changed_at.timestamp()) if changed_at else None


def _told(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
