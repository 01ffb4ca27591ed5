"""What all runs share about other people's servers: the hosts left alone, the pauses, and whom nobody may ask."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from threading import Thread

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console

from connectors.circuits import FAILURES
from desk.status import status
from flows import hosts
from flows.hosts import Turns, asking
from flows.setup import Setup
from pipeline.errors import EarfulError, RefusedError, TemporaryError
from storage.store import Store
from tests.town import Town


@pytest.fixture
def store(town: Town) -> Iterator[Store]:
    with town.store() as store:
        store.migrate()
        yield store


@pytest.fixture
def shown(town: Town, store: Store) -> str:
    """The forum failed five times; what `earful status` prints."""
    town.broken["/forum.rss"] = 502
    ask(town, store, times=FAILURES)
    written = StringIO()
    status(Console(file=written, width=200), town.setup(), store, as_json=False)
    return written.getvalue()


def ask(town: Town, store: Store, *, times: int = 1) -> EarfulError | None:
    """What the last of so many requests to the forum raised."""
    raised = None
    for _ in range(times):
        try:
            with asking(town.setup(), store) as http:
                http.get(f"{town.address}/forum.rss")
        except EarfulError as error:
            raised = error
        else:
            raised = None
    return raised


def next_process() -> None:
    """Forget what this process knows, as the next one would."""
    hosts._circuits.clear()  # noqa: SLF001 - there is no other way to be another process


def test_a_host_that_failed_is_left_alone_by_the_next_process_too(
    town: Town, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.broken["/forum.rss"] = 502
    ask(town, store, times=FAILURES)
    for _ in range(2):
        left_alone = ask(town, store)
        assert isinstance(left_alone, TemporaryError)
        assert "is left alone until" in str(left_alone)
        assert left_alone.retry_after is not None
        assert left_alone.retry_after > timedelta(seconds=30)
        next_process()
    town.broken.clear()
    monkeypatch.setattr(Setup, "now", lambda _: datetime.now(UTC) + timedelta(minutes=2))
    assert ask(town, store) is None, "its rest is over, and it answers"
    assert store.circuits() == []
    next_process()
    assert ask(town, store) is None


def test_status_says_who_is_left_alone_until_when_and_why(town: Town, shown: str) -> None:
    host = town.address.removeprefix("http://")
    assert f"{host} is left alone until " in shown
    assert f", after 5 failures in a row: GET {host}/forum.rss: 502 Bad Gateway" in shown


def test_status_for_programs_says_it_too(town: Town, store: Store, shown: str) -> None:
    assert shown
    written = StringIO()
    status(Console(file=written), town.setup(), store, as_json=True)
    assert '"hosts_left_alone": [\n    {\n      "host": "127.0.0.1:' in written.getvalue()
    assert '"failures": 5' in written.getvalue()


def test_a_store_that_cannot_keep_it_does_not_hide_what_went_wrong(
    town: Town, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: object, __: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "keep_circuits", full)
        town.broken["/forum.rss"] = 502
        assert "502 Bad Gateway" in str(ask(town, store, times=FAILURES))
    assert "could not be stored (OSError)" in caplog.text
    assert "is left alone" in str(ask(town, store))
    assert [circuit.failures for circuit in store.circuits()] == [FAILURES], "kept as soon as that can be"


def test_only_the_addresses_that_the_settings_write_out_may_be_inside_the_house(town: Town, store: Store) -> None:
    assert ask(town, store) is None, "the settings say http://127.0.0.1:PORT"
    with asking(town.setup(), store) as http, pytest.raises(RefusedError, match=r"\[http\] private_hosts"):
        http.get("http://127.0.0.1:1/")
    text = town.settings.read_text("utf-8").replace("[http]\n", '[http]\nprivate_hosts = ["127.0.0.1"]\n')
    town.settings.write_text(text, "utf-8")
    with asking(town.setup(), store) as http, pytest.raises(TemporaryError, match="ConnectError"):
        http.get("http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("setting", "name"), [("", "earful-cache.db"), ('cache = "pages.db"', "pages.db"), ("cache = false", None)]
)
def test_public_pages_are_kept_beside_the_settings_unless_they_say_otherwise(
    town: Town, store: Store, setting: str, name: str | None
) -> None:
    text = town.settings.read_text("utf-8").replace("[http]\n", f"[http]\n{setting}\n")
    town.settings.write_text(text, "utf-8")
    before = set(town.folder.iterdir())
    with asking(town.setup(), store) as http:
        http.get(f"{town.address}/forum.rss", extensions={"cache": True})
        http.get(f"{town.address}/forum.rss", extensions={"cache": True})
        made = {path.name for path in {*town.folder.iterdir()} - before}
    assert made <= ({name, f"{name}-wal", f"{name}-shm"} if name else set())
    assert (name in made) is bool(name)


@pytest.mark.usefixtures("prefect_api")
def test_the_prefect_server_gives_the_turns_of_all_workers() -> None:
    workers = [Turns(lambda _, __: None), Turns(lambda _, __: None)]  # each knows nothing of the other
    asked: list[float] = []

    def work(turn: Turns) -> None:
        for _ in range(2):
            turn("hike.example", 1.0)
            asked.append(time.monotonic())

    threads = [Thread(target=work, args=(turn,)) for turn in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked.sort()
    assert asked[-1] - asked[0] > 2, "four requests, three pauses; the server counts whole seconds"
    with get_client(sync_client=True) as client:
        limit = client.read_global_concurrency_limit_by_name("earful-hike.example")
    assert (limit.limit, limit.slot_decay_per_second) == (1, 1.0)


@pytest.mark.usefixtures("prefect_api")
def test_a_limit_that_somebody_deleted_is_made_again(caplog: pytest.LogCaptureFixture) -> None:
    turn = Turns(lambda _, __: None)
    with get_client(sync_client=True) as client:
        for _ in range(2):
            turn("hill.example", 0.1)
            assert client.read_global_concurrency_limit_by_name("earful-hill.example").limit == 1
            client.delete_global_concurrency_limit_by_name("earful-hill.example")
    assert caplog.text.count("gives no turns") == 0


@pytest.mark.usefixtures("prefect_api")
def test_a_long_queue_for_one_host_takes_the_turns_from_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def crowded(name: str, **_: object) -> None:
        asked.append(name)
        if name == "earful-crowded.example":
            raise TimeoutError

    monkeypatch.setattr(hosts, "rate_limit", crowded)
    turn = Turns(lambda _, __: None)
    for host in ("crowded.example", "empty.example", "crowded.example", "empty.example"):
        turn(host, 1.0)
    assert asked == ["earful-crowded.example", "earful-empty.example", "earful-empty.example"]
    assert "crowded.example: the Prefect server gives no turn in time" in caplog.text


def test_without_a_prefect_server_each_process_keeps_its_own_pauses(caplog: pytest.LogCaptureFixture) -> None:
    kept: list[tuple[str, float]] = []
    turn = Turns(lambda host, pause: kept.append((host, pause)))
    with temporary_settings({PREFECT_API_URL: None}):
        turn("hike.example", 1.0)
    assert caplog.text == ""
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        for _ in range(3):
            turn("hike.example", 1.0)
    assert kept == [("hike.example", 1.0)] * 4
    assert caplog.text.count("gives no turns") == 1, "it is not asked again at once"
