"""The intake's file and its reader: nothing twice, nothing half, nothing lost when somebody keeps the file small."""

import gzip
import json
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors import spool
from connectors.contract import Batch, fetch
from connectors.signature import TOLERANCE, fault, sign
from connectors.sources.intake import Intake
from connectors.spool import PAGE, Spool
from pipeline.errors import RefusedError

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = "2026-10-05T09:00:00+00:00"


def source(path: Path, **more: Any) -> Intake:  # noqa: ANN401 - settings
    settings = {"name": "till", "path": path, "secret": SECRET, "fields": {"text": "$.said"}}
    return Intake.model_validate({**settings, **more})


def walk(path: Path, since: str | None = None, batches: int | None = None, **more: Any) -> list[Batch]:  # noqa: ANN401 - settings
    came: list[Batch] = []
    with httpx.Client() as unused:
        for batch in fetch(source(path, **more), unused, since):
            came.append(batch)
            if len(came) == batches:
                break
    return came


def texts(batches: list[Batch]) -> list[str]:
    return [mention.text for batch in batches for mention in batch.mentions]


def cursor(batches: list[Batch]) -> str:
    return [batch.cursor for batch in batches if batch.cursor][-1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "till.jsonl"


def put(path: Path, *numbers: int) -> None:
    kept = Spool(path)
    for number in numbers:
        kept.put(f"msg_{number}", {"said": f"Mail {number}"}, AT)


def test_what_was_put_is_read_once_and_known_by_its_message(path: Path) -> None:
    put(path, 1, 2)
    first = walk(path)
    assert [mention.key for mention in first[0].mentions] == ["intake:till:msg_1", "intake:till:msg_2"]
    assert first[0].mentions[0].said_at == datetime(2026, 10, 5, 9, tzinfo=UTC)
    assert first[-1].reach == datetime(2026, 10, 5, 9, tzinfo=UTC)
    put(path, 3)
    second = walk(path, cursor(first))
    assert texts(second) == ["Mail 3"]
    assert cursor(walk(path, cursor(second))) == cursor(second)


def test_the_same_message_again_is_kept_once_also_by_another_server(path: Path) -> None:
    one, other = Spool(path), Spool(path)
    assert [one.put("msg_1", {}, AT), one.put("msg_1", {}, AT), other.put("msg_1", {}, AT)] == [True, False, False]
    assert [other.put("msg_2", {}, AT), one.put("msg_2", {}, AT), Spool(path).put("msg_2", {}, AT)] == [
        True,
        False,
        False,
    ]
    assert len(path.read_bytes().splitlines()) == 2


def test_many_servers_at_one_file_do_not_mix_their_lines(path: Path) -> None:
    servers = [Spool(path) for _ in range(4)]

    def write(number: int) -> bool:
        return servers[number % 4].put(f"msg_{number // 2}", {"said": "x" * 20_000}, AT)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(80))) == 40
    assert len({json.loads(line)["id"] for line in path.read_bytes().splitlines()}) == 40


def test_half_a_line_is_not_read_until_it_is_whole_and_a_server_takes_it_out(path: Path) -> None:
    put(path, 1)
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(whole[:-10])
    first = walk(path)
    assert texts(first) == ["Mail 1"]
    put(path, 2)
    assert texts(walk(path, cursor(first))) == ["Mail 2"]
    assert path.read_bytes().startswith(whole)
    assert len(path.read_bytes().splitlines()) == 2


def test_a_full_disk_leaves_nothing_half_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(path, 1)
    before = path.read_bytes()
    kept = Spool(path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            kept.put("msg_2", {"said": "Mail 2"}, AT)
    assert path.read_bytes() == before
    assert kept.put("msg_2", {"said": "Mail 2"}, AT), "the sender tries again, and then it is kept"


def test_a_file_that_was_put_away_is_read_to_its_end_first(path: Path) -> None:
    put(path, 1, 2)
    first = walk(path, batches=1)
    put(path, 3)
    path.rename(path.with_name("till.jsonl.2"))
    put(path, 4)
    path.rename(path.with_name("till.jsonl.1"))
    os.utime(path.with_name("till.jsonl.2"), (1, 1))
    put(path, 5)
    assert texts(walk(path, cursor(first))) == ["Mail 3", "Mail 4", "Mail 5"]
    assert texts(walk(path)) == [f"Mail {number}" for number in range(1, 6)]


def test_what_is_left_is_all_read_where_the_place_itself_was_put_away_for_good(path: Path) -> None:
    put(path, 1)
    first = walk(path)
    path.unlink()
    for number, name in ((2, "till.jsonl.2"), (3, "till.jsonl.1")):
        put(path, number)
        path.rename(path.with_name(name))
        os.utime(path.with_name(name), (number, number))
    put(path, 4)
    second = walk(path, cursor(first))
    assert texts(second) == ["Mail 2", "Mail 3", "Mail 4"]
    assert len(second[-1].gaps) == 1
    assert texts(walk(path, cursor(second))) == []


@pytest.mark.parametrize("name", ["till.jsonl.1", "till.jsonl-20261122", "till.jsonl.2.gz", "till.jsonl-20261122.gz"])
def test_every_name_that_a_file_is_put_away_under_is_known_and_packing_does_not_matter(path: Path, name: str) -> None:
    put(path, 1)
    first = walk(path)
    put(path, 2)
    away = path.with_name(name)
    path.rename(away)
    if name.endswith(".gz"):
        away.write_bytes(gzip.compress(away.read_bytes()))
    put(path, 3)
    second = walk(path, cursor(first))
    assert (texts(second), second[-1].gaps) == (["Mail 2", "Mail 3"], [])


def test_a_file_with_another_name_is_no_part_of_it(path: Path) -> None:
    put(path, 1)
    put(path.with_name("till.jsonlines"), 2)
    put(path.with_name("till.jsonl-shop"), 3)
    assert texts(walk(path)) == ["Mail 1"]


def test_a_packed_file_that_is_damaged_is_read_as_far_as_it_goes_and_told(path: Path) -> None:
    put(path, *range(200))
    away = path.with_name("till.jsonl.1.gz")
    away.write_bytes(gzip.compress(path.read_bytes())[:-20])
    path.unlink()
    put(path, 999)
    came = walk(path)
    assert texts(came)[0] == "Mail 0"
    assert texts(came)[-1] == "Mail 999"
    assert [gap.why for gap in came[-1].gaps] == ["till.jsonl was taken away, or damaged, before all of it was read"]
    assert (texts(walk(path, cursor(came))), walk(path, cursor(came))[-1].gaps) == ([], [])


def test_what_is_just_being_packed_is_read_once_and_no_gap(path: Path) -> None:
    put(path, 1, 2)
    path.rename(path.with_name("till.jsonl.1"))
    packed = gzip.compress(path.with_name("till.jsonl.1").read_bytes())
    path.with_name("till.jsonl.1.gz").write_bytes(packed[:30])
    came = walk(path)
    assert (texts(came), came[-1].gaps) == (["Mail 1", "Mail 2"], [])


def test_nobody_is_thanked_for_a_line_that_is_not_on_disk_yet(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(path, 1)  # as by a server that died between writing it down and having it on disk
    synced: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", synced.append)
        assert not Spool(path).put("msg_1", {"said": "Mail 1"}, AT)
    assert len(synced) == 1


def test_learning_what_is_there_takes_little_memory(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number in range(60):
            file.write(json.dumps({"id": f"msg_{number}", "heard_at": AT, "body": "x" * 500_000}) + "\n")
    kept = Spool(path)
    tracemalloc.start()
    try:
        assert not kept.put("msg_59", {}, AT)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_a_server_goes_on_in_a_new_file_once_the_old_one_was_put_away(path: Path) -> None:
    kept = Spool(path)
    kept.put("msg_1", {"said": "Mail 1"}, AT)
    path.rename(path.with_name("till.jsonl.1"))
    assert not kept.put("msg_1", {"said": "Mail 1"}, AT), "it still knows what it took"
    assert kept.put("msg_2", {"said": "Mail 2"}, AT)
    assert len(path.read_bytes().splitlines()) == 1


def test_a_file_that_was_taken_away_unread_is_told_as_a_gap(path: Path) -> None:
    put(path, 1)
    first = walk(path)
    path.unlink()
    gone = walk(path, cursor(first))
    assert (texts(gone), cursor(gone), gone[-1].gaps) == ([], cursor(first), []), "nothing came since"
    put(path, 2)
    second = walk(path, cursor(first))
    assert texts(second) == ["Mail 2"]
    assert [gap.why for gap in second[-1].gaps] == ["till.jsonl was taken away, or damaged, before all of it was read"]
    assert texts(walk(path, cursor(second))) == []


@pytest.mark.parametrize("cut", [slice(1, None), slice(0, 2)])
def test_a_file_that_was_cut_is_read_again_from_its_start(path: Path, cut: slice) -> None:
    put(path, 1, 2, 3)
    first = walk(path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[cut]))
    put(path, 4)
    again = walk(path, cursor(first))
    assert texts(again)[-1] == "Mail 4"
    assert {mention.key for batch in again for mention in batch.mentions} <= {
        f"intake:till:msg_{n}" for n in range(1, 5)
    }


def test_lines_of_nobody_are_kept_aside_alone_and_many_are_read_a_page_at_a_time(path: Path) -> None:
    put(path, *range(PAGE + 1))
    with path.open("ab") as file:
        file.write(b'\xff\n[1]\n{"id": 7}\n{"id":"m","heard_at":"2026-10-05T09:00:00+00:00","body":[]}\n')
    batches = walk(path)
    assert len(texts(batches)) == PAGE + 1
    assert sum(len(batch.rejected) for batch in batches) == 4
    for stop in range(1, len(batches) + 1):
        begun = walk(path, batches=stop)
        assert sorted(texts(begun) + texts(walk(path, cursor(begun)))) == sorted(texts(batches))


def test_no_file_yet_is_silence_and_an_unreadable_one_is_named(path: Path) -> None:
    assert (texts(walk(path)), [batch.cursor for batch in walk(path)]) == ([], [None])
    path.mkdir()
    with pytest.raises(RefusedError, match="who may read it"):
        walk(path)


def test_the_oldest_message_says_since_when_all_is_kept(path: Path) -> None:
    assert spool.kept_since(path) is None
    put(path, 1)
    assert spool.kept_since(path) == AT


def test_a_secret_that_is_none_is_refused_without_being_told(path: Path) -> None:
    for more in ({"secret": "sesame"}, {"old_secrets": ["sesame"]}):
        with pytest.raises(ValidationError, match="a secret is") as caught:
            source(path, **more)
        assert "sesame" not in str(caught.value)
    assert SECRET not in repr(source(path))


# Signatures


def headers(content: bytes, at: int, secret: str = SECRET, sent_as: str = "msg_1") -> dict[str, str]:
    signature = sign(secret, sent_as, at, content)
    return {"webhook-id": sent_as, "webhook-timestamp": str(at), "webhook-signature": signature}


def test_the_vectors_of_the_specification_are_taken_in_their_time_only(shared: Path) -> None:
    vectors = json.loads((shared / "fixtures/standard_webhooks/signature_vectors.json").read_text(encoding="utf-8"))
    for vector in vectors:
        told, content = vector["headers"], vector["payload"].encode()
        at = int(told["webhook-timestamp"])
        late = TOLERANCE.total_seconds()
        for now in (at - late, at, at + late):
            assert fault([vector["secret"]], told, content, now) is None
        for now in (at - late - 1, at + late + 1):
            assert fault([vector["secret"]], told, content, now) == "webhook-timestamp is too far from the time here"
        assert fault([vector["secret"]], told, content + b" ", at) == "no signature fits"


def test_any_of_several_signatures_may_fit_any_of_several_secrets() -> None:
    other = "whsec_" + "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcg=="
    told = headers(b"{}", 1000)
    told["webhook-signature"] = f"v1a,xyz v1,AAAA {told['webhook-signature']}"
    assert fault([other, SECRET], told, b"{}", 1000) is None
    assert fault([other], told, b"{}", 1000) == "no signature fits"


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": ""}, {"webhook-signature": ""}, {"webhook-timestamp": ""}, {"webhook-id": "msg_2"},
        {"webhook-timestamp": "1001"}, {"webhook-timestamp": "-1000"}, {"webhook-timestamp": "1e3"},
        {"webhook-timestamp": "9" * 400}, {"webhook-timestamp": "\u0661\u0660\u0660\u0660"},
        {"webhook-signature": "v1,ü v1,"},
    ],
)  # fmt: skip
def test_anything_else_is_refused(change: dict[str, str]) -> None:
    assert fault([SECRET], {**headers(b"{}", 1000), **change}, b"{}", 1000)
