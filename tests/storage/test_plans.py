"""How SQLite answers what the store asks: whatever is already done is not looked at again."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, inspect

from pipeline.correction import Question, corrections
from pipeline.mention import Mention
from pipeline.route import Alert
from storage.outbox import Fate
from storage.store import Store
from storage.tables import METADATA
from storage.unjudged import Stretch
from tests.storage.worker import alerts, analysis, case

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STRETCH = Stretch((NOON, ""), (NOON + DAY, ""))
ASKING = "SELECT", "INSERT INTO claim"


@contextmanager
def asked(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """The statements the store sends meanwhile, with their values."""
    sent: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, values: object, *___: object) -> None:
        sent.append((statement, values))

    event.listen(store._engine, "before_cursor_execute", note)  # noqa: SLF001 - plans are below the store's doors
    yield sent
    event.remove(store._engine, "before_cursor_execute", note)  # noqa: SLF001


QUESTIONS: dict[str, Callable[[Store], object]] = {
    "unanalysed": lambda store: store.unanalysed("v1", 10),
    "take": lambda store: store.take("ann", "v1", 10, now=NOON, lease=DAY),
    "take_stretch": lambda store: store.take_stretch("ann", STRETCH, "v1", 10, now=NOON, lease=DAY),
    "pages": lambda store: list(store.pages(STRETCH, 10)),
    "stretches": lambda store: store.stretches(NOON, NOON + DAY, 10, "v1"),
    "unhandled": lambda store: store.unhandled(NOON, 10),
    "judged": lambda store: list(store.judged(NOON, NOON + DAY)),
    "unjudged": lambda store: store.unjudged(NOON, NOON + DAY),
    "unreviewed": lambda store: list(store.unreviewed(NOON, NOON + DAY)),
    "lanes": lambda store: store.lanes("v1", NOON, NOON + DAY),
    "corrections": lambda store: store.corrections("a"),
    "held": lambda store: store.held(["a", "b"]),
    "corrected_of": lambda store: store.corrected_of("v1", NOON, NOON + DAY),
    "behind": lambda store: store.behind("v1"),
    "wording": lambda store: store.wording("a"),
    "mentions": lambda store: store.mentions(["a", "b"]),
    "analyses": lambda store: store.analyses(["a", "b"]),
    "case_of": lambda store: store.case_of("a"),
    "related": lambda store: store.related(author="a", source="b", thread="c", fingerprint="d", since=NOON),
    "cases": lambda store: store.cases(10, everything=True),
    "cases_between": lambda store: store.cases_between(NOON, NOON + DAY),
    "claim": lambda store: store.claim("chat", NOON, DAY, 10),
    "waiting": lambda store: store.waiting(NOON),
    "urgent": lambda store: store.urgent(),
    "deliveries": lambda store: [store.deliveries(fate, limit=9) for fate in Fate],
    "known": lambda store: store.known("A-1"),
    "unsure_since": lambda store: store.unsure_since(NOON),
    "sent_since": lambda store: store.sent_since(NOON),
    "alerts_of": lambda store: store.alerts_of("C-1"),
    "told": lambda store: store.told("C-1", ["chat", "mail"]),
    "rejected": lambda store: store.rejected(NOON),
    "visits": lambda store: store.visits(NOON),
    "cursor": lambda store: store.cursor("a"),
    "broken_off": lambda store: store.broken_off("a"),
    "unchecked": lambda store: store.unchecked("a", heard_since=NOON, checked_before=NOON, limit=10),
    "replies_to": lambda store: store.replies_to("a"),
    "trend": lambda store: store.trend([NOON, NOON + DAY]),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_reads_a_whole_table(question: str, sqlite_template: Path, tmp_path: Path) -> None:
    with Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'earful.db')}") as store:
        with asked(store) as sent:
            QUESTIONS[question](store)
        selects = [(statement, values) for statement, values in sent if statement.startswith(ASKING)]
        with store._read() as connection:  # noqa: SLF001 - plans are below the store's doors
            plans = [
                row.detail
                for statement, values in selects
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
    assert plans
    # An index of only what is left to do may be read whole, and what was found by an index.
    few = ("SCAN mention USING INDEX ix_mention_unjudged", "SCAN anon_", "SCAN (subquery")
    assert [step for step in plans if step.startswith("SCAN") and not step.startswith(few)] == []


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ("unanalysed", "ix_mention_unjudged"),
        ("unanalysed", "ix_analysis_version_said_at_lane"),
        ("take", "ix_mention_unjudged"),
        ("take", "ix_analysis_version_said_at_lane"),
        ("take_stretch", "ix_mention_said_at_key"),
        ("pages", "ix_mention_said_at_key"),
        ("stretches", "ix_mention_said_at_key"),
        ("unhandled", "ix_analysis_unhandled"),
        ("claim", "ix_alert_waiting"),
        ("waiting", "ix_alert_sent_at_made_at"),
    ],
)
def test_what_is_left_to_do_comes_from_the_index_of_it_in_order(
    question: str, index: str, sqlite_template: Path, tmp_path: Path
) -> None:
    with Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'earful.db')}") as store:
        store.save(
            "b",
            [mention := Mention(key="a", source="b", kind="post", text="?", said_at=NOON)],
            [{}],
            [],
            None,
            heard_at=NOON,
        )
        store.save_analyses([analysis(mention)])
        with asked(store) as sent:
            QUESTIONS[question](store)
        with store._read() as connection:  # noqa: SLF001 - plans are below the store's doors
            plans = [
                row.detail
                for statement, values in sent
                if statement.startswith(ASKING)
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
    assert any(index in step for step in plans)
    assert question in {"waiting", "stretches"} or not any("TEMP B-TREE" in step for step in plans)


NEEDED: dict[str, Callable[[Store], object]] = {
    "ix_mention_unjudged": QUESTIONS["unanalysed"],
    "ix_mention_said_at_key": QUESTIONS["judged"],
    "ix_mention_source_heard_at_checked_at": QUESTIONS["unchecked"],
    "ix_mention_by_brand": lambda store: store.answer_to("a"),
    "ix_mention_words": lambda store: store.search("fell apart -shoes", 10),
    "ix_rejected_heard_at": QUESTIONS["rejected"],
    "ix_visit_source_id": lambda store: store.note_look_up("a", None, NOON),
    "ix_visit_started_at": QUESTIONS["visits"],
    "ix_coverage_source": lambda store: store.forget_coverage("a"),
    "ix_analysis_unhandled": QUESTIONS["unhandled"],
    "ix_analysis_version_said_at_lane": QUESTIONS["lanes"],
    "ix_cases_author": QUESTIONS["related"],
    "ix_cases_thread": QUESTIONS["related"],
    "ix_cases_fingerprint": QUESTIONS["related"],
    "ix_cases_state_reply_by": QUESTIONS["cases"],
    "ix_cases_opened_at": QUESTIONS["cases_between"],
    "ix_case_mention_case_key": lambda store: store.cases(),
    "ix_correction_mention_key_number": QUESTIONS["corrections"],
    "ix_correction_held": QUESTIONS["held"],
    "ix_reply_mention_key": QUESTIONS["replies_to"],
    "ix_alert_waiting": QUESTIONS["claim"],
    "ix_alert_case": QUESTIONS["alerts_of"],
    "ix_alert_sink_sent_at": lambda store: store.counts(),
    "ix_alert_sent_at_made_at": QUESTIONS["waiting"],
}
"""Every index of ours, and a question that can be answered from it. One that nobody asks for is only to be kept up.

PostgreSQL is forbidden to read a whole table meanwhile: with so few rows here it would. So this shows that an index
fits its question, and not that PostgreSQL takes it among a million rows.
"""


def test_every_index_is_there_for_a_question(store: Store) -> None:
    with store._read() as connection:  # noqa: SLF001 - the schema is no value to hand out
        looks, kind = inspect(connection), connection.dialect.name
        made = {str(index["name"]) for table in METADATA.tables for index in looks.get_indexes(table)}
        rules = {str(one["name"]) for table in METADATA.tables for one in looks.get_unique_constraints(table)}
    assert made - rules == {*NEEDED} - ({"ix_mention_words"} if kind == "sqlite" else set())
    _fill(store)
    idle = {
        index for index, question in NEEDED.items() if not any(_used(index, step) for step in _plan(store, question))
    }
    assert idle == set()


def _fill(store: Store) -> None:
    """As it is after a while: much is said, all but the last of it seen to, and every alert but one is out."""
    said = [
        Mention(key=f"b:{number}", source="b", kind="post", text=f"word{number}", said_at=NOON + number * DAY)
        for number in range(400)
    ]
    store.save("b", said, [{}] * len(said), [], None, heard_at=NOON)
    store.save_analyses(judged := [analysis(one) for one in said])
    store.mark_handled(judged[:-50])
    for mention, seen in zip(said[-50:-1], judged[-50:-1], strict=True):
        store.write(case(mention), seen, [])
    store.put_alerts(put := [Alert(key=f"A-{number}", sink="chat", title="", made_at=NOON) for number in range(50)])
    for alert in put[1:]:
        store.mark_sent(alert, "", NOON + DAY)
    with store._write() as connection:  # noqa: SLF001 - PostgreSQL does so by itself, in time; SQLite never does
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE")


def _plan(store: Store, question: Callable[[Store], object]) -> list[str]:
    """How the database answers what the question sends, where it would rather not read a whole table."""
    with asked(store) as sent:
        question(store)
    with store._read() as connection:  # noqa: SLF001 - plans are below the store's doors
        explain = "EXPLAIN QUERY PLAN"
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            explain = "EXPLAIN"
        return [
            str(row[-1])
            for statement, values in sent
            if statement.startswith(("SELECT", "UPDATE", "DELETE")) and "sqlite_master" not in statement
            for row in connection.exec_driver_sql(f"{explain} {statement}", values)
        ]


def _used(index: str, step: str) -> bool:
    return index in step or (index == "ix_mention_words" and "VIRTUAL TABLE INDEX" in step)


def test_deleting_and_pruning_look_at_nothing_else(sqlite_template: Path, tmp_path: Path) -> None:
    """They hold the only pen of the database meanwhile."""
    with Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'earful.db')}") as store:
        mention = Mention(key="a", source="b", kind="post", text="?", said_at=NOON)
        store.save("b", [mention], [{}], [], None, heard_at=NOON)
        store.save_analyses([analysis(mention)])
        store.write(case(mention), analysis(mention), alerts(mention))
        with asked(store) as sent:
            assert store.note_checked("b", ["a", "c"], ["a"], at=NOON, settling=["chat"]) == 1
            store.prune_visits(NOON)
        with store._read() as connection:  # noqa: SLF001 - plans are below the store's doors
            plans = [
                row.detail
                for statement, values in sent
                if statement.startswith(("SELECT", "UPDATE", "DELETE"))
                and "mention_words" not in statement  # the index of words is written anew: what is deleted is gone
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
    assert any("alert" in step for step in plans)
    assert [step for step in plans if step.startswith("SCAN") and "CONSTANT ROW" not in step] == []


def test_a_correction_looks_at_no_other_mention_and_no_other_case(sqlite_template: Path, tmp_path: Path) -> None:
    """It holds the only pen of the database meanwhile."""
    with Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'earful.db')}") as store:
        mention = Mention(key="a", source="b", kind="post", text="?", said_at=NOON)
        store.save("b", [mention], [{}], [], None, heard_at=NOON)
        store.save_analyses([analysis(mention)])
        told = corrections(analysis(mention), [], {Question.CATEGORY: "delivery"}, by="Ann", at=NOON)
        with asked(store) as sent:
            assert store.correct(told) is not None
        with store._read() as connection:  # noqa: SLF001 - plans are below the store's doors
            plans = [
                row.detail
                for statement, values in sent
                if statement.startswith(("SELECT", "UPDATE"))
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
    assert any("cases" in step for step in plans)
    assert [step for step in plans if step.startswith("SCAN")] == []
