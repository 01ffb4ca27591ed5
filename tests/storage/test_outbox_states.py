"""The outbox under any sequence of senders that send, fail, die and come back late, and of people who step in."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from pipeline.route import Alert
from storage.outbox import Delivery, Fate
from storage.store import Store

LEASE = timedelta(minutes=5)
CLOCKS = st.sampled_from([timedelta(minutes=-2), timedelta(0), timedelta(minutes=2)])
"""How far the clock is off of whoever does something: two of them differ by four minutes at most."""
_sinks = count()


@dataclass(frozen=True)
class Held:
    """An alert in a sender's hands, until when it is its own."""

    alert: Alert
    until: datetime


class Senders(RuleBasedStateMachine):
    """Each run has a sink of its own in one database, so that it finds an empty outbox at once."""

    store = Store("sqlite:///:memory:")
    hands = Bundle("hands")

    @initialize()
    def open(self) -> None:
        self.store.migrate()
        self.sink, self.now = f"sink-{next(_sinks)}", datetime(2026, 3, 14, 12, tzinfo=UTC)
        self.put: dict[str, Alert] = {}
        self.holder: dict[str, datetime] = {}
        self.sent: set[str] = set()

    def _deliveries(self) -> list[Delivery]:
        return [one for fate in Fate for one in self.store.deliveries(fate, sink=self.sink)]

    @rule(
        kind=st.sampled_from(["case", "solved"]),
        urgency=st.sampled_from(["critical", "low"]),
        case=st.integers(0, 1),
        off=CLOCKS,
    )
    def make(self, kind: str, urgency: str, case: int, off: timedelta) -> None:
        key, at = f"A-{len(self.put)}", self.now + off
        said = {"kind": kind, "urgency": urgency, "case": f"{self.sink}-{case}", "title": "", "made_at": at}
        self.put[key] = Alert.model_validate({"key": key, "sink": self.sink, **said})
        self.store.put_alerts([self.put[key]])

    @rule(minutes=st.sampled_from([1, 4, 5, 61]))
    def pass_time(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(target=hands, off=CLOCKS)
    def take(self, off: timedelta) -> Held | None:
        now = self.now + off
        for alert in self.store.claim(self.sink, now, LEASE, 1):
            assert alert == self.put[alert.key]
            assert alert.key not in self.sent
            assert self.holder.get(alert.key, now) <= now, "given to two within a lease"
            self.holder[alert.key] = now + LEASE
            return Held(alert, now + LEASE)
        return None

    @rule(target=hands, held=consumes(hands), off=CLOCKS)
    def renew(self, held: Held | None, off: timedelta) -> Held | None:
        if held is None:
            return None
        until = self.now + off + LEASE
        ours = self.holder.get(held.alert.key) == held.until
        if not self.store.renew(held.alert, held.until, until):
            assert not ours, "lost though nobody took it"
            return held
        assert ours
        self.holder[held.alert.key] = until
        return Held(held.alert, until)

    @rule(held=consumes(hands))
    def succeed(self, held: Held | None) -> None:
        if held is not None:
            self.store.mark_sent(held.alert, "ok", self.now)
            self.sent.add(held.alert.key)
            self.holder.pop(held.alert.key, None)

    @rule(held=consumes(hands), unsure=st.booleans(), dies=st.booleans())
    def fail(self, held: Held | None, *, unsure: bool, dies: bool) -> None:
        if held is None:
            return
        next_at, dead_at = self.now + timedelta(minutes=1), self.now if dies else None
        marked = self.store.mark_failed(
            held.alert, "503", "nobody", next_at, held_until=held.until, unsure=unsure, dead_at=dead_at
        )
        assert marked == (self.holder.get(held.alert.key) == held.until), "only whoever holds it puts it back"
        if marked:
            self.holder.pop(held.alert.key)

    @rule(held=consumes(hands))
    def die(self, held: Held | None) -> None:
        """Nobody hears of it again."""

    @rule()
    def send_again(self) -> None:
        self.store.send_again(list(self.put.values()), self.now)
        for one in self.store.deliveries(Fate.WAITING, sink=self.sink):
            if not one.held(self.now):
                self.holder.pop(one.alert.key, None)

    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        if self.put:
            key = data.draw(st.sampled_from(sorted(self.put)))
            if self.store.drop(self.put[key], "dropped: enough", self.now):
                assert key not in self.sent
                assert self.holder.get(key, self.now) <= self.now, "it is being sent"
                self.holder.pop(key, None)

    @invariant()
    def nothing_vanishes(self) -> None:
        if not hasattr(self, "sink"):
            return
        fates = {one.alert.key: one.fate for one in self._deliveries()}
        assert fates.keys() == self.put.keys()
        assert {key for key, fate in fates.items() if fate is Fate.SENT} == self.sent
        waiting = sum(fate is Fate.WAITING for fate in fates.values())
        assert self.store.counts().alerts.get(self.sink, (0, 0)) == (waiting, len(self.sent))

    def teardown(self) -> None:
        """A quiet run at the end: whatever waits goes out."""
        if not hasattr(self, "sink"):
            return
        self.now += timedelta(days=2)
        while taken := self.store.claim(self.sink, self.now, LEASE, 1):
            self.store.mark_sent(taken[0], "ok", self.now)
            self.sent.add(taken[0].key)
        assert self.store.deliveries(Fate.WAITING, sink=self.sink) == []
        self.nothing_vanishes()


TestSenders = Senders.TestCase
TestSenders.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
