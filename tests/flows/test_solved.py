"""A settled case ends what other desks hold of it, once, and whatever happens meanwhile."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from connectors.conform.desks.pagerduty import PagerDutyDesk
from connectors.conform.desks.zendesk_ticket import ZendeskDesk
from desk.cli import app
from flows.judge import analyse, open_cases
from flows.send import send
from pipeline.errors import EarfulError
from pipeline.mention import Mention, MentionKind
from tests.connectors.sinks.receivers import Receiver, web_server
from tests.flows.one_source import Clock
from tests.town import Town

NOON = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=9)
PLAINT = "My parcel never arrived, order 77, and nobody answers my mails."
THANKS = "Thank you so much, the parcel is here, I love it, great service!"
ANSWER = "We are sorry, a new parcel is on its way."


class Desks:
    """A town whose route tells a pager and a help desk, both on loopback."""

    def __init__(self, town: Town, stack: ExitStack) -> None:
        self.town, self.pager, self.helpdesk = town, PagerDutyDesk(), ZendeskDesk()
        self.servers: list[Receiver] = []
        sinks = ""
        for desk in (self.pager, self.helpdesk):
            server = stack.enter_context(web_server())
            server.desk = desk
            self.servers.append(server)
            lines = "\n".join(f'{key} = "{value}"' for key, value in desk.settings(server.url).items())
            sinks += f'[[sink]]\nname = "{desk.kind}"\n{lines}\n\n'
        text = town.settings.read_text("utf-8").replace('["log", "desk"]', '["log", "pagerduty", "zendesk_ticket"]')
        town.settings.write_text(
            text.replace("[grave]", f"{sinks}[grave]") + '\n[judgement]\neffort = "fast"\n', "utf-8"
        )
        with town.store() as store:
            store.migrate()

    def say(self, number: int, text: str, *, by_brand: bool = False) -> None:
        """Something new in the one conversation, an hour after the last; then a run."""
        said = Mention(
            key=f"feed:{number}",
            source="forum",
            kind=MentionKind.POST if number == 1 else MentionKind.COMMENT,
            brand="Hike",
            by_brand=by_brand,
            text=text,
            said_at=NOON + timedelta(hours=number),
            author="hike-care" if by_brand else "ann",
            thread="feed:1",
            parent=None if number == 1 else "feed:1",
            url="https://forum.example/1",
        )
        with self.town.store() as store:
            store.save("forum", [said], [{}], [], None, heard_at=said.said_at)
        self.run()

    def run(self) -> list[str]:
        """Judge, open and send; the sinks that failed."""
        setup, failed = self.town.setup(), []
        analyse.fn(setup)
        open_cases.fn(setup)
        for sink in setup.sinks:
            try:
                send.fn(setup, sink)
            except EarfulError:
                failed.append(sink.name)
        return failed

    def close(self, key: str | None = None) -> str:
        key = key or self.pager.found()[0].key
        closed = CliRunner().invoke(
            app, ["cases", "close", key, "--because", "refunded", "-s", str(self.town.settings)]
        )
        assert closed.exit_code == 0, closed.output
        return key

    @property
    def open(self) -> tuple[list[bool], list[bool]]:
        return [one.open for one in self.pager.found()], [one.open for one in self.helpdesk.found()]


@pytest.fixture
def desks(town: Town) -> Iterator[Desks]:
    with ExitStack() as stack:
        yield Desks(town, stack)


def test_an_answer_ends_the_page_and_only_the_authors_thanks_the_ticket(desks: Desks) -> None:
    desks.say(1, PLAINT)
    assert desks.open == ([True], [True])
    desks.say(2, ANSWER, by_brand=True)
    assert desks.open == ([False], [True])
    desks.say(3, THANKS)
    assert desks.open == ([False], [False])
    (ticket,) = desks.helpdesk.found()
    assert THANKS in ticket.text
    assert "the author says it is settled" in ticket.text


def test_sinks_that_hold_nothing_never_hear_that_it_is_over(desks: Desks) -> None:
    desks.say(1, PLAINT)
    desks.say(2, ANSWER, by_brand=True)
    desks.close()
    desks.run()
    assert [alert["kind"] for alert in desks.town.logged()] == ["case"]
    assert desks.town.hooks == []  # the route does not tell it


def test_a_case_closed_by_hand_ends_everything_and_one_that_comes_back_begins_anew(desks: Desks) -> None:
    desks.say(1, PLAINT)
    desks.close()
    desks.run()
    assert desks.open == ([False], [False])
    assert "refunded" in desks.helpdesk.found()[0].text
    desks.say(4, "It never arrived after all, my parcel is lost again and nobody answers!")
    assert desks.open == ([False, True], [True])
    desks.close()
    desks.run()
    assert desks.open == ([False, False], [False])


def test_a_further_run_tells_nothing_twice(desks: Desks) -> None:
    desks.say(1, PLAINT)
    desks.close()
    desks.run()
    heard = [len(server.heard) for server in desks.servers]
    desks.run()
    assert [len(server.heard) for server in desks.servers] == heard


def test_a_page_is_not_opened_after_it_was_ended(desks: Desks) -> None:
    """Both wait, because the pager was down: the end must not overtake the beginning."""
    setup, (pager, _) = desks.town.setup(), desks.servers
    desks.say(1, PLAINT)
    (page,) = desks.pager.found()
    with desks.town.store() as store:
        waiting = next(one.alert for one in store.alerts_of(page.key) if one.alert.sink == "pagerduty")
        again = waiting.model_copy(update={"key": "alert_again", "made_at": setup.now()})
        store.put_alerts([again])
        store.claim("pagerduty", setup.now(), timedelta(0), 1)
        store.mark_failed(again, "down", "nobody", setup.now() + timedelta(seconds=2))
    desks.close()
    heard = len(pager.heard)
    desks.run()
    assert len(pager.heard) == heard  # the end waits for what was to be told before
    with desks.town.store() as store:
        (end,) = [
            one for one in store.alerts_of(page.key) if one.alert.kind == "solved" and one.alert.sink == "pagerduty"
        ]
        assert end.sent_at is None
        store.mark_sent(again, "ok", setup.now())
    desks.run()
    assert desks.open[0] == [False]


def test_the_end_of_a_case_that_was_taken_up_again_meanwhile_is_not_told(desks: Desks) -> None:
    desks.say(1, PLAINT)
    for server in desks.servers:
        server.status = 503
    desks.close()
    assert desks.run() == ["pagerduty", "zendesk_ticket"]
    desks.say(4, "It never arrived after all, my parcel is lost again and nobody answers!")
    for server in desks.servers:
        server.status = 200
    with desks.town.store() as store:
        later = desks.town.setup().now() + timedelta(hours=2)
        for kind in ("pagerduty", "zendesk_ticket"):
            for alert in store.claim(kind, later, timedelta(0), 9):
                store.mark_failed(alert, "", "", desks.town.setup().now())
    desks.run()
    assert desks.open == ([True], [True])
    with desks.town.store() as store:
        ends = [one for one in store.alerts_of(desks.pager.found()[0].key) if one.alert.kind == "solved"]
    assert {one.receipt for one in ends} == {"not sent: the case was taken up again"}


def fail(desks: Desks, clock: Clock) -> str:
    """A complaint that neither desk took; its case."""
    for server in desks.servers:
        server.status = 503
    desks.say(1, PLAINT)
    for server in desks.servers:
        server.status = 200
    with desks.town.store() as store:
        return str(next(one.alert.case for one in store.waiting(clock.now + timedelta(days=1)) if one.alert.case))


def test_what_was_given_up_opens_no_case_that_was_closed_meanwhile(desks: Desks, clock: Clock) -> None:
    case = fail(desks, clock)
    with desks.town.store() as store:
        lost = [one.alert for one in store.alerts_of(case) if one.alert.sink != "log"]
        for alert in lost:
            store.mark_failed(alert, "503", "the operator", clock.now, dead_at=clock.now)
    desks.close(case)
    with desks.town.store() as store:
        assert store.send_again(lost, clock.now) == 2
    assert desks.run() == []
    assert desks.open == ([], [])
    with desks.town.store() as store:
        assert [one.receipt for alert in lost for one in store.known(alert.key)] == [
            "not sent: the case needs nobody any more"
        ] * 2


def test_an_opening_that_a_clock_ahead_put_off_opens_nothing_once_its_case_is_closed(
    desks: Desks, clock: Clock
) -> None:
    clock.now += timedelta(minutes=3)
    case = fail(desks, clock)
    clock.now -= timedelta(minutes=3)
    desks.close(case)
    desks.run()
    clock.now += timedelta(hours=1)
    assert desks.run() == []
    assert desks.open == ([], [])


def test_a_case_that_comes_back_pages_though_a_clock_ahead_told_its_end(desks: Desks, clock: Clock) -> None:
    desks.say(1, PLAINT)
    clock.now += timedelta(minutes=3)
    desks.close()
    desks.run()
    clock.now -= timedelta(minutes=2)
    desks.say(4, "It never arrived after all, my parcel is lost again and nobody answers!")
    assert desks.open == ([False, True], [True])
