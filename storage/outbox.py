"""The outbox: alerts that wait to be sent, who is sending them, and what became of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Update, select, update

from pipeline.route import Alert
from pipeline.text import storable
from storage.database import Database, chunks, columns, insert, made, values
from storage.tables import ALERT, WAITING

_ALERT = columns(Alert, ALERT)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert and what became of it: tries so far, when it may be tried again, the last error and who must act."""

    alert: Alert
    attempts: int
    next_at: datetime
    sent_at: datetime | None
    receipt: str | None
    error: str | None
    who_acts: str | None


_FATE = [ALERT.c[name] for name in Delivery.__slots__[1:]]


class Outbox(Database):
    """The mouth's part of the store. An alert is known by its key and its sink together."""

    def put_alerts(self, alerts: Sequence[Alert]) -> None:
        """Let these alerts wait to be sent. One that is known already, waiting or sent, stays as it is."""
        with self._write() as connection:
            put(connection, alerts)

    def put_before(self, keys: Iterable[str]) -> set[str]:
        """Those of these alerts that were put here already, waiting or sent, for whatever sink."""
        with self._read() as connection:
            return set(connection.scalars(select(ALERT.c.key).where(ALERT.c.key.in_(sorted(set(keys))))))

    def claim(self, sink: str, now: datetime, lease: timedelta, limit: int) -> list[Alert]:
        """Take up to `limit` waiting alerts of `sink` to send them, oldest first. No one else gets them for a `lease`.

        A sender that dies gives them back by itself when the lease is over.
        """
        due = (
            select(*_ALERT)
            .where(WAITING, ALERT.c.sink == sink, ALERT.c.next_at <= now)
            .order_by(ALERT.c.next_at, ALERT.c.key)
            .limit(limit)
        )
        with self._write() as connection:
            taken = [made(Alert, row) for row in connection.execute(due.with_for_update(skip_locked=True))]
            for chunk in chunks([alert.key for alert in taken]):
                ours = update(ALERT).where(ALERT.c.sink == sink, ALERT.c.key.in_(chunk))
                connection.execute(ours.values(next_at=now + lease))
        return taken

    def mark_sent(self, alert: Alert, receipt: str, at: datetime) -> None:
        """The alert is out; it is never given out again."""
        sent = {"sent_at": at, "receipt": storable(receipt), "error": None, "who_acts": None}
        with self._write() as connection:
            connection.execute(_one(alert).values(sent | {"attempts": ALERT.c.attempts + 1}))

    def mark_failed(self, alert: Alert, error: str, who_acts: str, next_at: datetime) -> None:
        """The alert did not go out. It waits until `next_at`, then anybody may take it."""
        failed = {"error": storable(error), "who_acts": who_acts, "next_at": next_at}
        with self._write() as connection:
            connection.execute(_one(alert).values(failed | {"attempts": ALERT.c.attempts + 1}))

    def attempts(self, alert: Alert) -> int:
        """How often this alert has been tried so far."""
        question = select(ALERT.c.attempts).where(ALERT.c.key == alert.key, ALERT.c.sink == alert.sink)
        with self._read() as connection:
            return connection.scalar(question) or 0

    def stuck(self, older_than: datetime) -> list[Alert]:
        """Alerts made before `older_than` that still wait, oldest first, 1,000 at most."""
        return [delivery.alert for delivery in self.waiting(older_than)]

    def waiting(self, older_than: datetime, limit: int = 1000) -> list[Delivery]:
        """Alerts made before `older_than` that still wait, oldest first, with what went wrong."""
        return self._deliveries(_deliveries().where(WAITING, ALERT.c.made_at < older_than).limit(limit))

    def sent_since(self, since: datetime) -> list[Alert]:
        """Alerts that went out at `since` or later, in the order they were made."""
        return [delivery.alert for delivery in self._deliveries(_deliveries().where(ALERT.c.sent_at >= since))]

    def alerts_of(self, case_key: str) -> list[Delivery]:
        """What was or will be told about a case, oldest first."""
        return self._deliveries(_deliveries().where(ALERT.c.case == case_key))

    def _deliveries(self, question: Select[Any]) -> list[Delivery]:
        with self._read() as connection:
            rows = connection.execute(question).all()
        return [Delivery(made(Alert, row), *row[len(_ALERT) :]) for row in rows]


def put(connection: Connection, alerts: Sequence[Alert]) -> None:
    """Let alerts wait, as a part of a larger transaction."""
    fate = dict.fromkeys((column.name for column in _FATE), None) | {"attempts": 0}
    ordered = sorted(alerts, key=lambda alert: (alert.key, alert.sink))
    for chunk in chunks([values(alert) | fate | {"next_at": alert.made_at} for alert in ordered]):
        connection.execute(insert(connection, ALERT).on_conflict_do_nothing(), chunk)


def _deliveries() -> Select[Any]:
    return select(*_ALERT, *_FATE).order_by(ALERT.c.made_at, ALERT.c.key, ALERT.c.sink)


def _one(alert: Alert) -> Update:
    """The alert, if it still waits: what is sent stays sent."""
    return update(ALERT).where(ALERT.c.key == alert.key, ALERT.c.sink == alert.sink, WAITING)
