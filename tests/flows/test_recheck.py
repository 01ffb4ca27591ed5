from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connectors import SOURCES
from connectors.sources.feed import Feed
from connectors.sources.x import X
from flows.listen import listen
from flows.recheck import WITHIN, look_again
from flows.setup import Setup
from pipeline.errors import ChangedError
from pipeline.mention import Mention, MentionKind
from tests.town import Town

pytestmark = pytest.mark.usefixtures("prefect_api")


def test_a_run_deletes_what_was_deleted_and_a_look_up_that_fails_holds_up_no_alert(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted: list[str] = []

    def gone(_: Feed, __: httpx.Client, keys: Sequence[str]) -> set[str]:
        if not deleted:
            raise ChangedError("GET forum.test: not as documented; a developer must act")
        return {key for key in keys if key in deleted}

    monkeypatch.setattr(Feed, "recheck_after", timedelta(0))
    monkeypatch.setattr(Feed, "gone", gone)
    town.write(plaints=4, praise=0)
    state = listen(town.settings, return_state=True)
    assert state.is_failed()
    failed = [part.message for part in state.result(raise_on_failure=False) if part.is_failed()]
    assert len(failed) == 1
    assert "not as documented" in str(failed[0])
    assert len(town.logged()) == len(town.hooks) == 4

    with town.store() as store:
        case = next(file for file in store.cases() if file.case.source == "forum")
        deleted.append(case.case.first_mention)
    assert listen(town.settings, return_state=True).is_completed()
    with town.store() as store:
        assert store.mention(deleted[0]) is None
        assert store.last_visits()["forum"].gone == 1
        closed = store.case(case.case.key)
        assert closed is not None
        assert closed.closed_because == "deleted by its author"
        assert store.counts().waiting == 3
    assert len(town.hooks) == 4


def test_no_place_is_looked_up_only_when_that_has_ended() -> None:
    late = [kind.label for kind in SOURCES if kind.recheck_after is not None and kind.recheck_after >= WITHIN]
    assert late == []


def test_posts_on_x_are_looked_up_every_week_for_a_month(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()
    now = heard = datetime(2026, 10, 5, 12, tzinfo=UTC)

    def gone(_: X, __: httpx.Client, keys: Sequence[str]) -> set[str]:
        asked.append((now - heard).days)
        return set(keys if len(asked) > 2 else ())

    monkeypatch.setattr(X, "gone", gone)
    monkeypatch.setattr(Setup, "now", lambda _: now)
    setup, source = town.setup(), X(name="x", query="hike", token="sesame", recheck=True)
    with setup.store() as store:
        store.migrate()
        post = Mention(key="x:1", source="x", kind=MentionKind.POST, text="Hike broke", said_at=heard)
        store.save("x", [post], [{}], [], None, heard_at=heard)
    for day in range(40):
        now = heard + timedelta(days=day)
        look_again(setup, source)
    assert asked == [8, 16, 24]
    with setup.store() as store:
        assert store.mention("x:1") is None
