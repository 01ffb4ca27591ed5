"""Kill the store's work with SIGKILL after its first statement, after its second and so on, until it comes through.

`python killed.py URL`. Prints for every work a line of JSON: what was in the database after each kill, and at the end.
Not a test: test_processes.py starts it.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import alembic.command  # noqa: F401 - once here, not in every process that is killed
import worker
from sqlalchemy import event, func, inspect, select
from sqlalchemy.engine import Engine

from pipeline.correction import Question, corrections
from pipeline.coverage import Gap, Walk
from pipeline.mention import Mention
from pipeline.triage.lesson import Example, learn
from pipeline.visit import Visit
from storage.store import Store
from storage.tables import METADATA

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
MENTIONS = [Mention(key=f"forum:{number}", source="forum", kind="post", text="?", said_at=NOON) for number in range(3)]
EDITED = [mention.model_copy(update={"text": "!"}) for mention in MENTIONS]
STRANGE = SimpleNamespace(item="{}", place="line 1", reason="no text")


def save(store: Store) -> None:
    store.save("forum", MENTIONS, [{}] * 3, [STRANGE], "3", heard_at=NOON)


def edit(store: Store) -> None:
    store.save("forum", EDITED, [{"edited": True}] * 3, [], "4", heard_at=NOON)


def judge(store: Store) -> None:
    store.save_analyses([worker.analysis(mention) for mention in store.unanalysed("v1", 9)])


def correct(store: Store) -> None:
    judged = store.analysis(MENTIONS[1].key)
    assert judged is not None
    answers = {Question.LANE: "noise", Question.SENTIMENT: "neutral"}
    store.correct(corrections(judged, [], answers, by="Ann", at=NOON))


def adopt(store: Store) -> None:
    lesson = learn([Example("sole came loose", "lane", "service", (0.1, 0.8, 0.1))])
    store.adopt(lesson, at=NOON, learnt_until=NOON, since=None)


def settle(store: Store) -> None:
    store.write(worker.case(MENTIONS[0]), worker.analysis(MENTIONS[0]), worker.alerts(MENTIONS[0]))


def claim(store: Store) -> None:
    store.claim("chat", NOON, timedelta(hours=1), 9)


def note(store: Store) -> None:
    store.note_visit(Visit(source="forum", started_at=NOON, ended_at=NOON))


def forget(store: Store) -> None:
    keys = [mention.key for mention in MENTIONS]
    store.note_checked("forum", keys, keys[:1], at=NOON, settling=["chat"])


def leave_out(store: Store) -> None:
    walk = Walk(NOON, NOON, NOON - timedelta(hours=1), [Gap(None, NOON - timedelta(minutes=30), "cap")])
    store.save("forum", [], [], [], "5", heard_at=NOON, gone=[MENTIONS[1].key], walk=walk)


def state(url: str) -> dict[str, object]:
    """All that is in the database: the number of rows of every table, and what may differ in a row."""
    with Store(url) as store, store._read() as connection:  # noqa: SLF001 - looks behind the store
        tables = {
            name: METADATA.tables[name] for name in inspect(connection).get_table_names() if name in METADATA.tables
        }
        found: dict[str, object] = {}
        for name, table in tables.items():
            found[name] = connection.scalar(select(func.count()).select_from(table))
        for name, column in (
            ("mention", "text"),
            ("mention", "judged"),
            ("analysis", "handled"),
            ("analysis", "lane"),
            ("alert", "next_at"),
            ("cases", "state"),
            ("coverage", "why"),
        ):
            if name in tables:
                rows = connection.execute(select(tables[name].c[column]).order_by(*tables[name].primary_key))
                found[f"{name}.{column}"] = [str(row[0]) for row in rows]
        return found


def survives(url: str, work: Callable[[Store], object], statements: int) -> bool:
    """Whether the work came through in a process that is killed after so many statements."""
    child = os.fork()
    if child == 0:
        left = [statements]

        def count(*_: object) -> None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        with Store(url) as store:
            event.listen(Engine, "after_cursor_execute", count)
            work(store)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return status == 0


if __name__ == "__main__":
    address = sys.argv[1]
    for work in (Store.migrate, save, judge, settle, correct, adopt, claim, note, edit, forget, leave_out):
        before, killed, statements = state(address), [], 1
        while not survives(address, work, statements):
            killed.append(state(address))
            statements += 1
        told = {"work": work.__name__, "before": before, "killed": killed, "after": state(address)}
        print(json.dumps(told), flush=True)  # noqa: T201 - this is how the test hears it
