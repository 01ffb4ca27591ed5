"""The file: one line an alert, once, whatever happens."""

import json
import multiprocessing
import resource
import threading
from pathlib import Path

import httpx
import pytest

from connectors.client import open_client
from connectors.sinks.file import FileSink, line_of
from pipeline.errors import RefusedError, TemporaryError
from tests.connectors.sinks.receivers import an_alert


def keys(path: Path) -> list[str]:
    """The key of each line; every line must be whole."""
    return [json.loads(line)["key"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_alert_is_a_line_and_the_receipt_names_it(tmp_path: Path, http: httpx.Client) -> None:
    sink = FileSink(name="out", path=tmp_path / "new" / "alerts.jsonl")
    assert [sink.send(http, an_alert(key=key)) for key in "aba"] == [
        "alerts.jsonl:1",
        "alerts.jsonl:2",
        "alerts.jsonl:1",
    ]
    assert keys(sink.path) == ["a", "b"]


def test_a_key_that_begins_like_another_is_another(tmp_path: Path, http: httpx.Client) -> None:
    sink = FileSink(name="out", path=tmp_path / "alerts.jsonl")
    for key in ["a", "ab", 'a"', "a\\", "ä", 'a","kind":"case']:
        sink.send(http, an_alert(key=key))
        sink.send(http, an_alert(key=key))
    assert keys(sink.path) == ["a", "ab", 'a"', "a\\", "ä", 'a","kind":"case']


def test_a_crash_at_any_byte_of_a_line_loses_nothing_and_repeats_nothing(tmp_path: Path, http: httpx.Client) -> None:
    sink = FileSink(name="out", path=tmp_path / "alerts.jsonl")
    first, second = an_alert(key="first"), an_alert(key="second", text="ärger 🔥")
    for cut in range(len(line_of(second)) + 1):
        sink.path.write_bytes(line_of(first) + line_of(second)[:cut])
        assert sink.send(http, second) == "alerts.jsonl:2"
        assert sink.path.read_bytes() == line_of(first) + line_of(second)


def test_half_a_line_is_taken_out_when_another_alert_comes(tmp_path: Path, http: httpx.Client) -> None:
    sink = FileSink(name="out", path=tmp_path / "alerts.jsonl")
    torn, new = an_alert(key="torn"), an_alert(key="new")
    sink.path.write_bytes(line_of(torn)[:-20])
    sink.send(http, new)
    assert sink.path.read_bytes() == line_of(new)
    sink.path.write_bytes(line_of(torn)[:-1])
    sink.send(http, new)
    assert keys(sink.path) == ["torn", "new"]


def test_a_file_of_somebody_elses_is_left_alone(tmp_path: Path, http: httpx.Client) -> None:
    sink = FileSink(name="out", path=tmp_path / "thesis.txt")
    sink.path.write_text("My thesis\n\nends without a newline", encoding="utf-8")
    with pytest.raises(RefusedError, match="did not write"):
        sink.send(http, an_alert())
    assert sink.path.read_text(encoding="utf-8").endswith("ends without a newline")


def test_two_processes_at_once_write_each_alert_once(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_send_all, args=(path,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(timeout=30)
    assert [process.exitcode for process in both] == [0, 0]
    assert sorted(keys(path)) == sorted(f"k{number}" for number in range(60))


def test_two_threads_at_once_write_each_alert_once(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    both = [threading.Thread(target=_send_all, args=(path,)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(keys(path)) == sorted(f"k{number}" for number in range(60))


def test_a_place_that_cannot_be_written_is_the_operators_to_mend(tmp_path: Path, http: httpx.Client) -> None:
    (tmp_path / "taken").write_text("x\n", encoding="utf-8")
    for path in [tmp_path, Path("/dev/null"), tmp_path / "taken" / "alerts.jsonl"]:
        with pytest.raises(RefusedError, match="the operator must act"):
            FileSink(name="out", path=path).send(http, an_alert())


def test_what_a_full_disk_cut_off_is_written_whole_later(tmp_path: Path, http: httpx.Client) -> None:
    sink = FileSink(name="out", path=tmp_path / "alerts.jsonl")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        with pytest.raises(TemporaryError, match="tries again"):
            sink.send(http, an_alert())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert 0 < sink.path.stat().st_size <= 200
    sink.send(http, an_alert())
    assert sink.path.read_bytes() == line_of(an_alert())


def _send_all(path: Path) -> None:
    sink = FileSink(name="out", path=path)
    with open_client() as http:
        for number in range(60):
            sink.send(http, an_alert(key=f"k{number}"))
