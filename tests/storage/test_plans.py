"""How SQLite answers what the store asks: whatever is already done is not looked at again."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from pipeline.correction import Question, corrections
from pipeline.mention import Mention
from storage.store import Store
from tests.storage.worker import analysis

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
DAY = timedelta(days=1)


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
    "unhandled": lambda store: store.unhandled("v1", NOON, 10),
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
    "sent_since": lambda store: store.sent_since(NOON),
    "alerts_of": lambda store: store.alerts_of("C-1"),
    "rejected": lambda store: store.rejected(NOON),
    "visits": lambda store: store.visits(NOON),
    "cursor": lambda store: store.cursor("a"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_reads_a_whole_table(question: str, sqlite_template: Path, tmp_path: Path) -> None:
    with Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'earful.db')}") as store:
        with asked(store) as sent:
            QUESTIONS[question](store)
        selects = [(statement, values) for statement, values in sent if statement.startswith("SELECT")]
        with store._read() as connection:  # noqa: SLF001 - plans are below the store's doors
            plans = [
                row.detail
                for statement, values in selects
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
    assert plans
    # An index of only what is left to do may be read whole.
    assert [step for step in plans if step.startswith("SCAN") and "ix_mention_unjudged" not in step] == []


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ("unanalysed", "ix_mention_unjudged"),
        ("unanalysed", "ix_analysis_version_said_at_lane"),
        ("unhandled", "ix_analysis_unhandled"),
        ("claim", "ix_alert_waiting"),
        ("waiting", "ix_alert_sent_at_made_at"),
    ],
)
def test_what_is_left_to_do_comes_from_the_index_of_it_in_order(
    question: str, index: str, sqlite_template: Path, tmp_path: Path
) -> None:
    with Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'earful.db')}") as store:
        with asked(store) as sent:
            QUESTIONS[question](store)
        with store._read() as connection:  # noqa: SLF001 - plans are below the store's doors
            plans = [
                row.detail
                for statement, values in sent
                if statement.startswith("SELECT")
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
    assert any(index in step for step in plans)
    assert question == "waiting" or not any("TEMP B-TREE" in step for step in plans)


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
