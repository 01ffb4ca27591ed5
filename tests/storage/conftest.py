"""What the tests of the memory share: an open store, and short ways to say and to judge something."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from pipeline.analysis import Analysis
from pipeline.case import Case
from pipeline.classifier import Reason
from pipeline.mention import Mention
from pipeline.route import Alert
from storage.store import Store

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database that has been migrated from nothing: once, since it takes longer than most tests."""
    file = tmp_path_factory.mktemp("template") / "earful.db"
    with Store(f"sqlite:///{file}") as made:
        made.migrate()
    return file


@pytest.fixture(scope="session")
def postgresql_template(postgres: str) -> str:
    """The name of a PostgreSQL database that has been migrated from nothing."""
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE template_of_stores"))
    engine.dispose()
    with Store(_named(postgres, "template_of_stores")) as made:
        made.migrate()
    return "template_of_stores"


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A migrated and empty store, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        file = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "earful.db")
        with Store(f"sqlite:///{file}") as opened:
            yield opened
        return
    template, address = request.getfixturevalue("postgresql_template"), request.getfixturevalue("postgres")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE store_of_a_test TEMPLATE {template}"))
        try:
            with Store(_named(address, "store_of_a_test")) as opened:
                yield opened
        finally:
            connection.execute(text("DROP DATABASE store_of_a_test WITH (FORCE)"))
    engine.dispose()


def _named(address: str, database: str) -> str:
    return make_url(address).set(database=database).render_as_string(hide_password=False)


@pytest.fixture
def say() -> Callable[..., Mention]:
    def mention(key: str = "forum:1", **said: object) -> Mention:
        return Mention.model_validate(
            {"key": key, "source": "forum", "kind": "post", "text": "My shoes fell apart.", "said_at": NOON} | said
        )

    return mention


@pytest.fixture
def judge() -> Callable[..., Analysis]:
    def analysis(key: str = "forum:1", version: str = "v1", **judged: object) -> Analysis:
        usual = {
            "mention_key": key,
            "version": version,
            "versions": {"triage": version},
            "language": "en",
            "lane": "service",
            "lane_probabilities": {"service": 0.9, "experience": 0.07, "noise": 0.03},
            "needs_reply": True,
            "complaint": True,
            "complaint_probability": 0.8,
            "sentiment": "negative",
            "sentiment_score": -0.4,
            "category": "product_defect",
            "urgency": "normal",
            "stage": "use",
            "touchpoint": "product",
            "factor": None,
            "grave": [],
            "reasons": [Reason(field="lane", text="fell apart", start=9, end=19, weight=1.5)],
        }
        return Analysis.model_validate(usual | judged)

    return analysis


@pytest.fixture
def complain() -> Callable[..., Case]:
    def case(key: str = "C-1", mention: str = "forum:1", **said: object) -> Case:
        usual = {
            "key": key,
            "first_mention": mention,
            "brand": "Hike",
            "source": "forum",
            "author": "ann",
            "thread": mention,
            "fingerprint": "",
            "category": "product_defect",
            "urgency": "normal",
            "grave": [],
            "route": "faults",
            "team": "care",
            "opened_at": NOON,
            "reply_by": NOON.replace(hour=14),
            "last_said_at": NOON,
        }
        return Case.model_validate(usual | said)

    return case


@pytest.fixture
def tell() -> Callable[..., Alert]:
    def alert(key: str = "A-1", sink: str = "chat", **said: object) -> Alert:
        return Alert.model_validate({"key": key, "sink": sink, "title": "A complaint", "made_at": NOON} | said)

    return alert
