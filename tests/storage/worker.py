"""One of several processes on one database: does the work named in each line it reads, and says what it did.

`python worker.py URL`. Not a test: test_processes.py starts it.
"""

import json
import sys
from datetime import UTC, datetime, timedelta

from pipeline.analysis import Analysis
from pipeline.case import Case
from pipeline.correction import Question, corrections
from pipeline.mention import Mention
from pipeline.route import Alert
from pipeline.triage.lesson import Example, learn
from storage.store import Store

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
MANY = 60


def migrate(store: Store) -> int:
    store.migrate()
    return store.counts().mentions


def save(store: Store) -> int:
    """Everybody hears the same, in pages of 10, in another order within each."""
    new = 0
    for start in range(0, MANY, 10):
        keys = [f"forum:{number}" for number in range(start, start + 10)]
        page = [Mention(key=key, source="forum", kind="post", text=key, said_at=NOON) for key in reversed(keys)]
        new += store.save("forum", page, [{}] * 10, [], str(start), heard_at=NOON).new
    return new


def judge(store: Store) -> int:
    """Everybody judges what is left, 20 at a time."""
    kept = 0
    while mentions := store.unanalysed("v1", 20):
        kept += store.save_analyses([analysis(mention) for mention in mentions])
    return kept


def settle(store: Store) -> int:
    """Everybody opens a case for everything."""
    opened = 0
    while judged := store.unhandled(NOON, 20):
        for mention, seen in judged:
            opened += store.write(case(mention), seen, alerts(mention))
    return opened


def claim(store: Store) -> list[str]:
    """Everybody takes alerts until none is left."""
    taken: list[str] = []
    while mine := store.claim("chat", NOON + timedelta(hours=1), timedelta(hours=1), 3):
        taken += [alert.key for alert in mine]
    return taken


def correct(store: Store) -> str:
    """Everybody says the same of one mention."""
    judged = store.analysis("forum:0")
    told = [] if judged is None else corrections(judged, [], {Question.LANE: "noise"}, by="Ann", at=NOON)
    latest = store.correct(told)
    return "" if latest is None else latest.lane


def adopt(store: Store) -> bool:
    """Everybody has learnt the same."""
    lesson = learn([Example("sole came loose", "lane", "service", (0.1, 0.8, 0.1))])
    return store.adopt(lesson, at=NOON, learnt_until=NOON, since=None)


def analysis(mention: Mention) -> Analysis:
    """A judgement as good as any."""
    unknown = ["language", "complaint", "complaint_probability", "sentiment_score", "category", "urgency", "stage"]
    return Analysis.model_validate(
        dict.fromkeys([*unknown, "touchpoint", "factor"])
        | {"mention_key": mention.key, "version": "v1", "versions": {}, "lane": "service", "lane_probabilities": {}}
        | {"needs_reply": True, "sentiment": "unscored", "grave": [], "reasons": []}
    )


def case(mention: Mention) -> Case:
    """A case of its own for every mention."""
    return Case.model_validate(
        dict.fromkeys(["brand", "author", "thread", "category", "urgency"])
        | {"key": f"C-{mention.key}", "first_mention": mention.key, "source": "forum", "fingerprint": "", "grave": []}
        | {"route": "all", "team": "care", "opened_at": NOON, "reply_by": NOON, "last_said_at": NOON}
    )


def alerts(mention: Mention) -> list[Alert]:
    """One for each of two sinks."""
    return [Alert(key=f"A-{mention.key}", sink=sink, title="", made_at=NOON) for sink in ("chat", "mail")]


if __name__ == "__main__":
    works = {
        "migrate": migrate,
        "save": save,
        "judge": judge,
        "settle": settle,
        "claim": claim,
        "correct": correct,
        "adopt": adopt,
    }
    print("ready", flush=True)  # noqa: T201 - this is how the test hears it
    for line in sys.stdin:
        with Store(sys.argv[1]) as opened:
            print(json.dumps(works[line.strip()](opened)), flush=True)  # noqa: T201
