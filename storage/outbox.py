"""The outbox: alerts that wait to be sent, who is sending them, and what became of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Update, and_, case, or_, select, true, update

from pipeline.route import Alert
from pipeline.text import storable
from pipeline.triage import Urgency
from storage.database import Database, chunks, columns, insert, made, values
from storage.tables import ALERT, WAITING

LONGEST_PAUSE = timedelta(days=1)
"""No alert waits longer for its next try. One that seems to was put off by a clock that has been set right since."""

_ALERT = columns(Alert, ALERT)
SOLVED = "solved"
_UNTRIED = and_(ALERT.c.attempts == 0, ALERT.c.given == 0)
_CRITICAL, _ASKS = ALERT.c.urgency == str(Urgency.CRITICAL), ALERT.c.kind != SOLVED
_TURNS = (and_(_UNTRIED, _CRITICAL), and_(_UNTRIED, _ASKS), _CRITICAL, _ASKS, true())
"""Which alerts are given out first. Each is a question of its own, so that each comes from the index in order."""
SENT = and_(ALERT.c.sent_at.is_not(None), ALERT.c.dead_at.is_(None))
DEAD = and_(ALERT.c.sent_at.is_(None), ALERT.c.dead_at.is_not(None))
_DROPPED = and_(ALERT.c.sent_at.is_not(None), ALERT.c.dead_at.is_not(None))
UNSURE = ALERT.c.given > ALERT.c.attempts
"""Of an alert that nobody holds: it may have gone out once more than we know, for the end of a try is not known."""


class Fate(StrEnum):
    """What became of an alert. It is dead once nobody tries it any more, and dropped once a person agrees to that."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"
    DROPPED = "dropped"


_FATES: dict[Fate, Any] = {Fate.WAITING: WAITING, Fate.SENT: SENT, Fate.DEAD: DEAD, Fate.DROPPED: _DROPPED}
_LATEST = {Fate.WAITING: ALERT.c.made_at, Fate.DEAD: ALERT.c.dead_at.desc()}


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert and what became of it: tries so far, when it may be tried again, the last error and who must act.

    `given` counts the tries, `attempts` those of which it is known how they ended; `who_acts` is unknown while it is
    tried, and `error` is while the try before had no end: who had it died. `dead_at` is when it was given up.
    """

    alert: Alert
    attempts: int
    given: int
    next_at: datetime
    sent_at: datetime | None
    dead_at: datetime | None
    receipt: str | None
    error: str | None
    who_acts: str | None

    @property
    def fate(self) -> Fate:
        """What became of it."""
        if self.dead_at is None:
            return Fate.WAITING if self.sent_at is None else Fate.SENT
        return Fate.DEAD if self.sent_at is None else Fate.DROPPED

    def held(self, now: datetime) -> bool:
        """Whether somebody has it to send it, or had when it died a moment ago."""
        return self.fate is Fate.WAITING and self.given > 0 and self.who_acts is None and self.next_at > now

    def unsure(self, now: datetime) -> bool:
        """Whether it may have gone out, or gone out twice, unknown to us: a try of it has no known end."""
        return self.given > self.attempts + self.held(now)


_FATE = [ALERT.c[name] for name in Delivery.__slots__[1:]]


class Outbox(Database):
    """The mouth's part of the store. An alert is known by its key and its sink together."""

    def put_alerts(self, alerts: Sequence[Alert]) -> None:
        """Let these alerts wait to be sent. One that is known already, whatever became of it, stays as it is."""
        with self._write() as connection:
            put(connection, alerts)

    def put_before(self, keys: Iterable[str]) -> set[str]:
        """Those of these alerts that were put here already, for whatever sink."""
        with self._read() as connection:
            return set(connection.scalars(select(ALERT.c.key).where(ALERT.c.key.in_(sorted(set(keys))))))

    def claim(self, sink: str, now: datetime, lease: timedelta, limit: int) -> list[Alert]:
        """Take up to `limit` waiting alerts of `sink` to send them. No one else gets them until `now + lease`.

        What was never tried comes before what failed, so that nothing holds up an alert by being refused again and
        again, or by killing whoever sends it; among them what is critical first and that a case is solved last; then
        the oldest. A sender that dies gives them back by itself when the lease is over. That a case is solved waits for
        whatever was to be told of it before, unless that is dead: a page must not be opened after it was ended.

        The time is the caller's. Clocks may differ by less than a lease; an alert put off by one that went further
        ahead does not wait for that time to come.
        """
        earlier = ALERT.alias()
        before = select(earlier.c.key).where(
            earlier.c.case == ALERT.c.case,
            earlier.c.sink == ALERT.c.sink,
            earlier.c.sent_at.is_(None),
            earlier.c.dead_at.is_(None),
            earlier.c.kind != SOLVED,
            earlier.c.made_at <= ALERT.c.made_at,
        )
        ours = (
            select(*_ALERT)
            .where(WAITING, ALERT.c.sink == sink, or_(ALERT.c.kind != SOLVED, ~before.exists()))
            .order_by(ALERT.c.next_at, ALERT.c.key)
        )
        due = [ours.where(ALERT.c.next_at <= now, turn) for turn in _TURNS]
        far = or_(ALERT.c.who_acts.is_(None), ALERT.c.next_at > now + LONGEST_PAUSE + 2 * lease)
        due.append(ours.where(ALERT.c.next_at > now + 2 * lease, far))
        last = case((ALERT.c.who_acts.is_not(None), ALERT.c.error))  # nothing if the try before never ended
        taken: list[Alert] = []
        with self._write() as connection:
            for question in due:
                next_ones = question.limit(limit - len(taken)).with_for_update(skip_locked=True)
                some = [made(Alert, row) for row in connection.execute(next_ones)]
                for chunk in chunks([alert.key for alert in some]):
                    given = update(ALERT).where(ALERT.c.sink == sink, ALERT.c.key.in_(chunk))
                    held = {"next_at": now + lease, "given": ALERT.c.given + 1, "who_acts": None, "error": last}
                    connection.execute(given.values(held))
                taken += some
                if len(taken) == limit:
                    break
        return taken

    def renew(self, alert: Alert, held_until: datetime, until: datetime) -> bool:
        """Keep an alert that is being sent for longer. False if it is not ours any more: the lease had run out."""
        with self._write() as connection:
            renewed = _ours(alert, held_until).values(next_at=until)
            return connection.execute(renewed).rowcount == 1

    def mark_sent(self, alert: Alert, receipt: str, at: datetime) -> None:
        """The alert is out; it is never given out again. A receipt is a fact, also from one whose lease had run out."""
        sent = {"sent_at": at, "dead_at": None, "receipt": storable(receipt), "error": None, "who_acts": None}
        with self._write() as connection:
            one = _known(alert.key, alert.sink).where(~SENT)
            connection.execute(one.values(sent | {"attempts": ALERT.c.attempts + 1}))

    def mark_failed(
        self,
        alert: Alert,
        error: str,
        who_acts: str,
        next_at: datetime,
        *,
        held_until: datetime | None = None,
        unsure: bool = False,
        dead_at: datetime | None = None,
    ) -> bool:
        """The alert did not go out. It waits until `next_at`, then anybody may take it; with `dead_at` nobody does.

        Nothing happens, and the answer is False, if it waits no more, or is `held_until` another time than the caller
        had it: then somebody else sends it. `unsure`: it may have gone out all the same.
        """
        failed = {"error": storable(error), "who_acts": who_acts, "next_at": next_at, "dead_at": dead_at}
        one = _one(alert) if held_until is None else _ours(alert, held_until)
        with self._write() as connection:
            marked = one.values(failed | {"attempts": ALERT.c.attempts + (0 if unsure else 1)})
            return connection.execute(marked).rowcount == 1

    def drop(self, alert: Alert, receipt: str, at: datetime, *, held: bool = False) -> bool:
        """Never send this alert; the receipt says why. False if it was sent, or dropped, before, or is being sent.

        `held`: by the one who had it to send it, and did not.
        """
        over = {"sent_at": at, "dead_at": at, "receipt": storable(receipt), "attempts": ALERT.c.attempts + int(held)}
        with self._write() as connection:
            one = _one(alert) if held else _known(alert.key, alert.sink).where(_free(at))
            return connection.execute(one.values(over)).rowcount == 1

    def send_again(self, alerts: Sequence[Alert], at: datetime) -> int:
        """Let these be due at `at`, with all tries before them: the dead, and those put off after a failure.

        How many there were; one that is sent, or being sent, stays as it is. Its tries count anew; that it may have
        gone out stays known.
        """
        anew = {"dead_at": None, "next_at": at, "given": case((UNSURE, 1), else_=0), "attempts": 0}
        with self._write() as connection:
            ordered = sorted({(alert.key, alert.sink) for alert in alerts})
            return sum(connection.execute(_known(*one).where(_free(at)).values(anew)).rowcount for one in ordered)

    def known(self, key: str, sink: str | None = None) -> list[Delivery]:
        """The alerts of this key, one a sink; only that of `sink` where it is given."""
        return self._deliveries(_of(_deliveries().where(ALERT.c.key == key), sink))

    def deliveries(self, fate: Fate, *, sink: str | None = None, limit: int = 1000) -> list[Delivery]:
        """Alerts of which this became: what waits the oldest first, all else the latest first."""
        question = select(*_ALERT, *_FATE).where(_FATES[fate])
        ordered = question.order_by(_LATEST.get(fate, ALERT.c.sent_at.desc()), ALERT.c.key, ALERT.c.sink)
        return self._deliveries(_of(ordered, sink).limit(limit))

    def stuck(self, older_than: datetime) -> list[Alert]:
        """Alerts made before `older_than` that still wait, oldest first, 1,000 at most."""
        return [delivery.alert for delivery in self.waiting(older_than)]

    def waiting(self, older_than: datetime, limit: int = 1000) -> list[Delivery]:
        """Alerts made before `older_than` that still wait, oldest first, with what went wrong."""
        return self._deliveries(_deliveries().where(WAITING, ALERT.c.made_at < older_than).limit(limit))

    def urgent(self) -> list[Delivery]:
        """Critical alerts that were tried in vain and still wait, oldest first, 1,000 at most."""
        return self._deliveries(_deliveries().where(WAITING, _CRITICAL, ALERT.c.error.is_not(None)).limit(1000))

    def sent_since(self, since: datetime) -> list[Alert]:
        """Alerts that went out at `since` or later, in the order they were made."""
        return [delivery.alert for delivery in self._deliveries(_deliveries().where(SENT, ALERT.c.sent_at >= since))]

    def unsure_since(self, since: datetime) -> list[Alert]:
        """Of the alerts that went out at `since` or later those that may have gone out before, the latest sent last."""
        found = select(*_ALERT, *_FATE).where(SENT, UNSURE, ALERT.c.sent_at >= since)
        ordered = found.order_by(ALERT.c.sent_at, ALERT.c.key, ALERT.c.sink)
        return [delivery.alert for delivery in self._deliveries(ordered)]

    def alerts_of(self, case_key: str) -> list[Delivery]:
        """What was or will be told about a case, oldest first."""
        return self._deliveries(_deliveries().where(ALERT.c.case == case_key))

    def told(self, case_key: str, sinks: Iterable[str]) -> list[str]:
        """Those of the sinks that heard of a case, or will."""
        with self._read() as connection:
            return heard_by(connection, case_key, sinks)

    def _deliveries(self, question: Select[Any]) -> list[Delivery]:
        with self._read() as connection:
            rows = connection.execute(question).all()
        return [Delivery(made(Alert, row), *row[len(_ALERT) :]) for row in rows]


def put(connection: Connection, alerts: Sequence[Alert], *, mention_key: str | None = None) -> None:
    """Let alerts wait, as a part of a larger transaction; `mention_key` is whose words they quote."""
    fate = dict.fromkeys((column.name for column in _FATE), None)
    fate |= {"attempts": 0, "given": 0, "mention_key": mention_key}
    ordered = sorted(alerts, key=lambda alert: (alert.key, alert.sink))
    for chunk in chunks([values(alert) | fate | {"next_at": alert.made_at} for alert in ordered]):
        connection.execute(insert(connection, ALERT).on_conflict_do_nothing(), chunk)


def heard_by(connection: Connection, case_key: str, sinks: Iterable[str]) -> list[str]:
    """Those of the sinks that heard of a case, or will, as a part of a larger transaction.

    One whose only alert is dead, or was dropped, has not heard of it, unless that may have gone out unknown to us.
    """
    ours = select(ALERT.c.sink).where(ALERT.c.case == case_key, ALERT.c.sink.in_(sorted(sinks)))
    heard = ours.where(or_(ALERT.c.dead_at.is_(None), UNSURE)).distinct()
    return sorted(connection.scalars(heard))


def _deliveries() -> Select[Any]:
    return select(*_ALERT, *_FATE).order_by(ALERT.c.made_at, ALERT.c.key, ALERT.c.sink)


def _of(question: Select[Any], sink: str | None) -> Select[Any]:
    return question if sink is None else question.where(ALERT.c.sink == sink)


def _known(key: str, sink: str) -> Update:
    return update(ALERT).where(ALERT.c.key == key, ALERT.c.sink == sink)


def _one(alert: Alert) -> Update:
    """The alert, if it still waits: what is sent stays sent."""
    return _known(alert.key, alert.sink).where(WAITING)


def _ours(alert: Alert, until: datetime) -> Update:
    """The alert, if who had it until then still has it."""
    return _one(alert).where(ALERT.c.next_at == until, ALERT.c.who_acts.is_(None))


def _free(at: datetime) -> ColumnElement[bool]:
    """Dead, or waiting in nobody's hands: a person may decide about it."""
    return or_(DEAD, and_(WAITING, or_(ALERT.c.who_acts.is_not(None), ALERT.c.next_at <= at, ALERT.c.given == 0)))
