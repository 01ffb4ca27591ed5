"""`earful alerts`: what a person sees of the outbox, and may decide about it."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from desk.cli import app
from pipeline.route import Alert
from storage.outbox import Delivery, Fate
from tests.town import Town

MINUTE = timedelta(minutes=1)


def earful(town: Town, *words: object) -> Result:
    return CliRunner().invoke(app, ["alerts", *(str(word) for word in words), "-s", str(town.settings)])


def words(told: Result) -> str:
    return " ".join((told.output + told.stderr).split())


def alert(town: Town, key: str, sink: str = "desk", **said: object) -> Alert:
    secret = {"title": "Hike: refund", "who": "ann", "text": "My words."}
    return Alert.model_validate({"key": key, "sink": sink, "made_at": now(town) - MINUTE, **secret, **said})


def now(town: Town) -> datetime:
    return town.setup().now()


@pytest.fixture
def outbox(town: Town) -> Town:
    """One that is dead, one that waits after a failure, one that went out."""
    with town.store() as store:
        store.migrate()
        store.put_alerts([alert(town, key, case="C-1") for key in ("alert_dead", "alert_waits", "alert_sent")])
        store.claim("desk", now(town), timedelta(minutes=5), 3)
        refused = "POST 127.0.0.1: 410; the operator must act: take it out of the settings"
        store.mark_failed(alert(town, "alert_dead"), refused, "the operator", now(town), dead_at=now(town))
        later = now(town) + 90 * MINUTE
        store.mark_failed(alert(town, "alert_waits"), "POST 127.0.0.1: 503", "nobody: again", later, unsure=True)
        store.mark_sent(alert(town, "alert_sent"), "alert_sent: 204", now(town))
    return town


def known(town: Town, key: str) -> Delivery:
    with town.store() as store:
        (delivery,) = store.known(key)
    return delivery


def test_all_that_a_person_must_know_of_each_alert_is_listed_and_nobodys_words(outbox: Town) -> None:
    told = words(earful(outbox))
    assert told.index("alert_dead dead case C-1 → desk") < told.index("alert_waits waiting") < told.index("alert_sent")
    assert "1 try, given up" in told
    assert "410; the operator must act: take it out" in told
    assert "next try in 89m" in told
    assert "alert_sent: 204" in told
    assert "3 shown; in all 1 wait, 1 are dead letters." in told
    assert f"earful alerts send --all-dead -s {outbox.settings}" in told
    assert "My words." not in told
    assert "ann" not in told.split()


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        (("--dead",), ["alert_dead"]),
        (("--waiting",), ["alert_waits"]),
        (("--dead", "--waiting"), ["alert_dead", "alert_waits"]),
        (("--sink", "log"), []),
        (("--sink", "desk", "-n", 1), ["alert_dead", "alert_waits", "alert_sent"]),
    ],
)
def test_a_person_may_ask_for_some_of_them(outbox: Town, asked: tuple[object, ...], keys: list[str]) -> None:
    told: list[dict[str, Any]] = json.loads(earful(outbox, *asked, "--json").stdout)
    assert [one["key"] for one in told] == keys
    assert all("My words." not in str(one) for one in told)


def test_a_script_gets_the_state_the_tries_and_who_acts(outbox: Town) -> None:
    dead, waits, sent = json.loads(earful(outbox, "--json").stdout)
    assert (dead["state"], dead["tries"], dead["who_acts"], dead["sent_at"]) == ("dead", 1, "the operator", None)
    assert (waits["state"], waits["may_have_gone_out_before"]) == ("waiting", False)  # the webhook knows its key
    assert (sent["state"], sent["receipt"], sent["error"]) == ("sent", "alert_sent: 204", None)


def test_where_keys_are_not_known_it_is_said_that_one_may_have_gone_out_before(
    outbox: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sinks.webhook.Webhook.honours_key", False)
    assert words(earful(outbox)).count("may have gone out already: look for its key there") == 1
    assert earful(outbox, "send", "alert_waits", "--now").exit_code == 0
    assert words(earful(outbox)).count("may have gone out twice: look for its key there") == 1
    status = CliRunner().invoke(app, ["status", "-s", str(outbox.settings)])
    assert "1 alert for desk may have gone out twice" in words(status)
    monkeypatch.setattr("flows.watch.UNSURE_TOLD", timedelta(0))
    status = CliRunner().invoke(app, ["status", "-s", str(outbox.settings)])
    assert "may have gone out twice" not in words(status)


def test_a_dead_letter_is_sent_again_by_the_next_run_with_its_own_key(outbox: Town) -> None:
    told = earful(outbox, "send", "alert_dead")
    assert (told.exit_code, words(told)) == (0, "1 alert will be sent again. The next `earful listen` sends them.")
    delivery = known(outbox, "alert_dead")
    assert (delivery.fate, delivery.given) == (Fate.WAITING, 0)
    assert delivery.next_at <= now(outbox)


def test_all_dead_letters_of_a_sink_are_sent_at_once_where_a_person_wants_it(outbox: Town) -> None:
    with outbox.store() as store:
        store.put_alerts([alert(outbox, "alert_other", "log")])
        store.mark_failed(alert(outbox, "alert_other", "log"), "full", "the operator", now(outbox), dead_at=now(outbox))
    told = earful(outbox, "send", "--all-dead", "--sink", "desk", "--now")
    assert told.exit_code == 0, told.output
    assert words(told) == "1 alert sent to desk."
    assert [key for key, _ in outbox.hooks] == ["alert_dead"]
    assert known(outbox, "alert_other").fate is Fate.DEAD


def test_what_cannot_be_sent_now_is_said_with_who_must_act(outbox: Town) -> None:
    outbox.broken["/hook"] = 404
    told = earful(outbox, "send", "alert_dead", "--now")
    assert told.exit_code == 1
    assert "desk: POST 127.0.0.1" in words(told)
    assert "the operator must act" in words(told)


def test_what_was_put_off_is_due_at_once_where_a_person_says_so(outbox: Town) -> None:
    assert earful(outbox, "send", "alert_waits").exit_code == 0
    assert known(outbox, "alert_waits").next_at <= now(outbox)


def test_an_alert_that_nobody_needs_is_dropped_with_the_reason(outbox: Town) -> None:
    told = earful(outbox, "drop", "alert_dead", "--because", "told by phone")
    assert (told.exit_code, words(told)) == (0, "Dropped alert_dead: told by phone")
    assert known(outbox, "alert_dead").receipt == "dropped: told by phone"
    assert "alert_dead dropped" in words(earful(outbox))
    assert words(earful(outbox, "send", "alert_dead")).startswith("alert_dead for desk is dropped: dropped 0s ago")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("send", "alert_x"), "There is no alert alert_x."),
        (("drop", "alert_x", "--because", "?"), "There is no alert alert_x."),
        (("send", "alert_dead", "--sink", "log"), "There is no alert alert_dead for the sink log."),
        (("send", "alert_sent"), "alert_sent for desk is sent: sent"),
        (("drop", "alert_sent", "--because", "?"), "alert_sent for desk is sent: sent"),
        (("send",), "Name one alert, or say --all-dead."),
        (("send", "alert_dead", "--all-dead"), "Name one alert, or say --all-dead."),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(outbox: Town, asked: tuple[object, ...], said: str) -> None:
    with outbox.store() as store:
        before = [store.deliveries(fate) for fate in Fate]
    told = earful(outbox, *asked)
    assert told.exit_code == 2
    assert said in words(told)
    with outbox.store() as store:
        assert [store.deliveries(fate) for fate in Fate] == before


def test_an_alert_that_is_being_sent_is_left_to_its_sender(outbox: Town) -> None:
    with outbox.store() as store:
        store.put_alerts([alert(outbox, "alert_held")])
        assert store.claim("desk", now(outbox), timedelta(minutes=5), 1)
    assert "alert_held being sent" in words(earful(outbox))
    told = earful(outbox, "send", "alert_held")
    assert told.exit_code == 2
    assert "alert_held for desk is being sent: another run may take it in 4m" in words(told)


def test_one_that_is_being_sent_is_not_dropped(outbox: Town) -> None:
    with outbox.store() as store:
        store.put_alerts([alert(outbox, "alert_held")])
        store.claim("desk", now(outbox), timedelta(minutes=5), 1)
    told = earful(outbox, "drop", "alert_held", "--because", "told by phone")
    assert told.exit_code == 2
    assert "alert_held for desk is being sent" in words(told)
    assert "Dropped" not in words(told)
    assert known(outbox, "alert_held").fate is Fate.WAITING


def test_one_that_must_wait_for_another_is_not_said_to_be_sent(outbox: Town) -> None:
    with outbox.store() as store:
        store.put_alerts([alert(outbox, "alert_end", case="C-1", kind="solved")])
    told = earful(outbox, "send", "alert_end", "--now")
    assert told.exit_code == 1
    assert "alert_end for desk is waiting" in words(told)


def test_whatever_goes_wrong_at_one_sink_names_no_secret_and_the_next_is_served(
    outbox: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strange(*_: object) -> str:
        raise ValueError("https://hooks.test/SECRET")

    monkeypatch.setattr("connectors.sinks.webhook.Webhook.send", strange)
    with outbox.store() as store:
        store.put_alerts([alert(outbox, "alert_dead", "log")])
    told = earful(outbox, "send", "alert_dead", "--now")
    assert told.exit_code == 1
    assert "desk: ValueError" in words(told)
    assert "SECRET" not in words(told)
    assert "1 alert sent to log." in words(told)


def test_a_sink_that_is_named_no_more_is_pointed_out(outbox: Town) -> None:
    with outbox.store() as store:
        store.put_alerts([alert(outbox, "alert_lost", "gone")])
        store.mark_failed(alert(outbox, "alert_lost", "gone"), "410", "the operator", now(outbox), dead_at=now(outbox))
    assert "No sink of the settings is named gone" in words(earful(outbox, "send", "alert_lost"))


def test_status_fails_while_there_are_dead_letters_and_is_well_once_they_are_seen_to(outbox: Town) -> None:
    def status(*more: str) -> Result:
        return CliRunner().invoke(app, ["status", "-s", str(outbox.settings), *more])

    told = status()
    assert told.exit_code == 1
    assert "1 alert for desk reached nobody, and will not be tried again: earful alerts --dead" in words(told)
    sinks = {sink["name"]: sink for sink in json.loads(status("--json").stdout)["sinks"]}
    assert (sinks["desk"]["dead"], sinks["desk"]["waiting"], sinks["desk"]["twice"]) == (1, 1, 0)
    earful(outbox, "drop", "alert_dead", "--because", "told by phone")
    assert status().exit_code == 0
