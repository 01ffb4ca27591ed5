"""What a page of rows written at once keeps, whatever its values: on both databases what a row of its own would."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Table, event, select

from pipeline.analysis import Analysis
from pipeline.errors import EarfulError
from pipeline.mention import Mention
from storage import bulk
from storage.bulk import Rule, kept_as_it_is, put
from storage.database import values
from storage.heard import _latest_raw
from storage.store import Store
from storage.tables import ANALYSIS, MENTION, RAW
from storage.thought import _latest

Say = Callable[..., Mention]
Judge = Callable[..., Analysis]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def heard(mention: Mention, **other: object) -> dict[str, Any]:
    return values(mention) | {"heard_at": NOON, "wording": 0, "judged": False} | other


def judged(analysis: Analysis, **other: object) -> dict[str, Any]:
    return values(analysis) | {"reasons": [], "said_at": NOON, "handled": False} | other


def keep(store: Store, table: Table, *rows: dict[str, Any], rule: Rule = kept_as_it_is) -> int:
    with store._write() as connection:  # noqa: SLF001 - a row of any value, whatever a noun would refuse
        return put(connection, table, rows, rule)


def kept(store: Store, table: Table) -> list[dict[str, Any]]:
    with store._read() as connection:  # noqa: SLF001 - the columns as they are
        return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]


def statements(store: Store) -> list[str]:
    """Every INSERT from now on."""
    said: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT"):
            said.append(statement)

    event.listen(store._engine, "before_cursor_execute", hear)  # noqa: SLF001 - nobody else sees them
    return said


def on_postgresql(store: Store) -> bool:
    return store.place.startswith("postgresql")


def test_only_what_was_new_is_counted_and_what_was_known_stays(store: Store, say: Say) -> None:
    assert keep(store, MENTION, heard(say("forum:2", text="first"))) == 1
    page = [heard(say(f"forum:{number}", text="later")) for number in (1, 2, 3)]
    assert keep(store, MENTION, *page) == 2
    assert [row["text"] for row in kept(store, MENTION)] == ["later", "first", "later"]


def test_what_is_replaced_is_counted_too(store: Store, say: Say) -> None:
    keep(store, MENTION, heard(say("forum:1")), heard(say("forum:2")))
    raw = [{"mention_key": f"forum:{number}", "source": "forum", "item": "{}"} for number in (1, 2)]
    assert keep(store, RAW, raw[0], rule=_latest_raw) == 1
    assert keep(store, RAW, *(row | {"item": '"other"'} for row in raw), rule=_latest_raw) == 2
    assert [row["item"] for row in kept(store, RAW)] == ['"other"', '"other"']


@pytest.mark.parametrize(
    "said_at",
    [
        NOON.replace(microsecond=123_456),
        NOON.replace(microsecond=1, tzinfo=ZoneInfo("Asia/Kolkata")),
        datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        NOON.replace(tzinfo=timezone(timedelta(hours=1, seconds=32))),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_a_time_of_any_zone_is_kept_to_the_microsecond(store: Store, say: Say, said_at: datetime) -> None:
    keep(store, MENTION, heard(say(), said_at=said_at))
    (row,) = kept(store, MENTION)
    # In UTC: two times of one zone are compared by their clocks, and an hour that comes twice has one clock.
    assert row["said_at"] == said_at.astimezone(UTC)


def test_a_time_without_a_zone_is_refused_and_not_guessed(store: Store, say: Say) -> None:
    with pytest.raises(ValueError, match="timezone"):
        keep(store, MENTION, heard(say(), heard_at=NOON.replace(tzinfo=None)))
    assert kept(store, MENTION) == []


@pytest.mark.parametrize("number", [0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1e16, 4, None])
def test_a_number_is_kept_to_the_last_bit(store: Store, say: Say, number: float | None) -> None:
    keep(store, MENTION, heard(say(), rating=number, likes=2**63 - 1, replies=-(2**63)))
    (row,) = kept(store, MENTION)
    assert repr(row["rating"]) == repr(None if number is None else float(number))
    assert (row["likes"], row["replies"]) == (2**63 - 1, -(2**63))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_stored_neither_as_nothing_nor_as_the_highest(
    store: Store, say: Say, number: float
) -> None:
    with pytest.raises(ValueError, match="finite"):
        keep(store, MENTION, heard(say("forum:1")), heard(say("forum:2"), rating=number))
    assert kept(store, MENTION) == []


@pytest.mark.parametrize("text", ["null", "", "   ", '{"a": 1}', '\\u0000 \\" \x01\x7f\u2028\ufeff\U0001f600\t\r\n'])
def test_a_text_that_looks_like_a_document_stays_a_text(store: Store, say: Say, text: str) -> None:
    keep(store, MENTION, heard(say(), text=text, title=text))
    (row,) = kept(store, MENTION)
    assert (row["text"], row["title"]) == (text, text)


@pytest.mark.parametrize(
    "document",
    [None, [], ["null", None], {"z": 1, "a": {"b": [0.1, True]}}, ["half a pair \ud83d"], ["a NUL \x00"], ['\\" é']],
)
def test_a_document_is_kept_as_it_is(store: Store, say: Say, judge: Judge, document: object) -> None:
    keep(store, MENTION, heard(say()))
    keep(store, ANALYSIS, judged(judge(), reasons=document, complaint=None), rule=_latest)
    (row,) = kept(store, ANALYSIS)
    assert row["reasons"] == document
    assert row["complaint"] is None


def test_rows_of_unlike_columns_are_refused(store: Store, say: Say) -> None:
    whole = heard(say("forum:1"))
    for other in (heard(say("forum:2"), missed_at=None), {name: whole[name] for name in whole if name != "title"}):
        with pytest.raises(ValueError, match="rows of mention have other columns"):
            keep(store, MENTION, whole, other)
    assert kept(store, MENTION) == []


def test_a_field_without_a_column_is_not_lost_in_silence(store: Store, say: Say) -> None:
    with pytest.raises(ValueError, match="rows of mention have other columns"):
        keep(store, MENTION, heard(say(), colour="red"))


def test_what_the_database_refuses_is_told_without_what_people_said(store: Store, say: Say) -> None:
    page = [heard(say("forum:1", text="my secret")), heard(say("forum:2"), text="also secret \x00", url="secret too")]
    if not on_postgresql(store):
        assert keep(store, MENTION, *page) == 2  # SQLite keeps a NUL
        return
    with pytest.raises(EarfulError) as refused:
        keep(store, MENTION, *page)
    assert str(refused.value) == "the database refuses rows of mention: unsupported Unicode escape sequence"
    assert refused.value.__suppress_context__  # or the traceback would say it
    assert kept(store, MENTION) == []


def test_large_pages_go_in_pieces_in_their_order(store: Store, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_DOCUMENT", 5_000)
    keep(store, MENTION, heard(say("forum:03", text="first")))
    page = [heard(say(f"forum:{number:02}", text="é" * 1_000)) for number in range(10)]
    said = statements(store)
    assert keep(store, MENTION, *page) == 9
    assert [row["text"][:5] for row in kept(store, MENTION)] == ["é" * 5] * 3 + ["first"] + ["é" * 5] * 6
    # Two rows are somewhat less than a document may be.
    assert len(said) == (5 if on_postgresql(store) else 1)


def test_a_very_long_row_goes_by_itself_in_its_turn(store: Store, say: Say, judge: Judge) -> None:
    keep(store, MENTION, *(heard(say(f"forum:{number}")) for number in range(5)))
    said = statements(store)
    lengths = [10, 200_000, 200_000, 20, 30]
    rows = [judged(judge(f"forum:{at}"), reasons=["é\ud83d\x00" * length]) for at, length in enumerate(lengths)]
    assert keep(store, ANALYSIS, *rows, rule=_latest) == 5
    assert [row["reasons"] for row in kept(store, ANALYSIS)] == [row["reasons"] for row in rows]
    assert ["json_to_recordset" in one for one in said] == (
        [True, False, False, True] if on_postgresql(store) else [False]
    )


def test_a_mention_judged_twice_in_one_call_is_judged_as_the_last_says(store: Store, say: Say, judge: Judge) -> None:
    keep(store, MENTION, heard(say()))
    assert store.save_analyses([judge(version="v1")]) == 1
    with store._write() as connection:  # noqa: SLF001 - as if its alerts had gone out
        connection.execute(ANALYSIS.update().values(handled=True))
    # The last is the judgement that was handled: whatever stood before it in the same call was never seen by anybody.
    assert store.save_analyses([judge(version="v2", lane="noise"), judge(version="v1")]) == 2
    (row,) = kept(store, ANALYSIS)
    assert (row["version"], row["lane"], row["handled"]) == ("v1", "service", True)
    assert store.save_analyses([judge(version="v1"), judge(version="v2", lane="noise")]) == 2
    (row,) = kept(store, ANALYSIS)
    assert (row["version"], row["lane"], row["handled"]) == ("v2", "noise", False)
    assert store.counts().by_lane == {"noise": 1}
