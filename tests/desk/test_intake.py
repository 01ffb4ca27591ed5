"""The door for what is pushed, as a real server on loopback: it thanks for nothing that is not on disk."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from connectors.signature import sign
from connectors.sources.intake import Intake
from connectors.spool import Spool
from desk.cli import app
from desk.intake import LARGEST_BODY, door

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD = "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcg=="
BODY = b'{"said": "The sole came off \xf0\x9f\x98\xa0"}'


@pytest.fixture
def till(tmp_path: Path) -> Intake:
    settings = {"name": "till", "path": tmp_path / "till.jsonl", "secret": SECRET, "old_secrets": [OLD]}
    return Intake.model_validate({**settings, "fields": {"text": "$.said"}})


@pytest.fixture
def visitor(till: Intake) -> TestClient:
    return TestClient(door([till]))


def signed(content: bytes = BODY, sent_as: str = "msg_1", secret: str = SECRET, ago: int = 0) -> dict[str, str]:
    at = int(time.time()) - ago
    signature = sign(secret, sent_as, at, content)
    return {"webhook-id": sent_as, "webhook-timestamp": str(at), "webhook-signature": signature}


def kept(till: Intake) -> list[dict[str, object]]:
    return [json.loads(line) for line in till.path.read_bytes().splitlines()] if till.path.exists() else []


def test_a_signed_message_is_kept_once_and_thanked_for_each_time(till: Intake, visitor: TestClient) -> None:
    for secret in (SECRET, OLD, SECRET):
        assert visitor.post("/till", content=BODY, headers=signed(secret=secret)).status_code == 204
    (message,) = kept(till)
    assert (message["id"], message["body"]) == ("msg_1", {"said": "The sole came off 😠"})


def test_what_is_not_taken_says_why_and_is_not_kept(till: Intake, visitor: TestClient) -> None:
    def post(content: bytes, headers: dict[str, str], name: str = "till") -> tuple[int, str]:
        answer = visitor.post(f"/{name}", content=content, headers=headers)
        return answer.status_code, answer.json()["error"]

    huge = b'"' + b"x" * LARGEST_BODY + b'"'
    assert post(BODY, signed(), "nobody") == (404, "no source of kind intake has this name")
    assert post(BODY, {})[0] == 401
    assert post(BODY + b" ", signed()) == (401, "no signature fits")
    assert post(BODY, signed(ago=301)) == (401, "webhook-timestamp is too far from the time here")
    for broken in (b"said=no", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', b""):
        assert post(broken, signed(broken)) == (400, "the message is no JSON")
    assert post(b"7", signed(b"7"))[0] == 400
    assert post(huge, signed(huge)) == (413, "a message has at most 1,000,000 bytes")
    assert visitor.get("/till").status_code == 405
    assert kept(till) == []


def test_a_long_message_that_hides_its_length_is_refused_as_well(visitor: TestClient) -> None:
    answer = visitor.post("/till", content=(b"x" * 100_000 for _ in range(20)), headers=signed())
    assert answer.status_code == 413


def test_what_cannot_be_kept_is_asked_for_again(
    till: Intake, visitor: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "put", full)
        answer = visitor.post("/till", content=BODY, headers=signed())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert visitor.post("/till", content=BODY, headers=signed()).status_code == 204
    assert len(kept(till)) == 1


# The whole program

SETTINGS = f"""
[brand]
name = "Hike"
[grave]
team = "care"
sinks = ["out"]
[[sink]]
kind = "file"
name = "out"
path = "alerts.jsonl"
[[route]]
name = "all"
team = "care"
reply_within = "1d"
sinks = ["out"]
[[source]]
kind = "intake"
name = "till"
path = "till.jsonl"
secret = "{SECRET}"
fields = {{ text = "$.said" }}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "earful.toml"
    path.write_text(SETTINGS, encoding="utf-8")
    return path


def start(settings: Path) -> tuple[subprocess.Popen[str], str]:
    """`earful intake` on a free port; the process and the address it told."""
    command = [sys.executable, "-m", "desk", "intake", "-s", str(settings), "--port", "0"]
    folder = Path(__file__).resolve().parents[2]
    server = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}
    )
    assert server.stdout is not None
    return server, server.stdout.readline().split()[-1]


@pytest.fixture
def running(settings: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    server, address = start(settings)
    yield server, address
    server.kill()
    server.communicate()


def post(address: str, number: int) -> bool:
    sent_as = f"msg_{number}"
    content = json.dumps({"said": f"Mail {number}"}).encode()
    for _ in range(50):  # as a sender does: until somebody says thank you
        try:
            answer = httpx.post(address, content=content, headers=signed(content, sent_as), timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
            continue
        return answer.status_code == 204
    return False


def test_a_server_killed_in_the_middle_has_kept_all_it_thanked_for(
    settings: Path, running: tuple[subprocess.Popen[str], str]
) -> None:
    server, address = running
    thanked: list[int] = []

    def send(number: int) -> None:
        content = json.dumps({"said": f"Mail {number}"}).encode()
        try:
            answer = httpx.post(address, content=content, headers=signed(content, f"msg_{number}"), timeout=5)
        except httpx.TransportError:
            return
        if answer.status_code == 204:
            thanked.append(number)
            if len(thanked) == 20:
                server.send_signal(signal.SIGKILL)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(60)))
    assert 20 <= len(thanked) < 60
    path = settings.with_name("till.jsonl")
    ids = [json.loads(line)["id"] for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    assert {f"msg_{number}" for number in thanked} <= {*ids}
    again, address = start(settings)
    try:
        assert all(post(address, number) for number in range(60))
    finally:
        again.terminate()
        again.communicate(timeout=20)
    lines = path.read_bytes().splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(f"msg_{number}" for number in range(60))


def test_what_cannot_work_is_said_before_anything_listens(settings: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = CliRunner().invoke(app, ["intake", "-s", str(settings), "--port", str(taken.getsockname()[1])])
    assert told.exit_code == 2
    assert "cannot listen there" in told.output
    settings.write_text(
        SETTINGS + SETTINGS.partition("[[source]]")[2].join(["[[source]]", ""]).replace('"till"', '"b"')
    )
    told = CliRunner().invoke(app, ["intake", "-s", str(settings)])
    assert (told.exit_code, "share one `path`" in " ".join(told.output.split())) == (2, True)
    two = SETTINGS + SETTINGS.partition("[[source]]")[2].join(["[[source]]", ""]).replace('"till"', '"b"')
    settings.write_text(two.replace('"till.jsonl"', '"till.jsonl.b"', 1))
    told = CliRunner().invoke(app, ["intake", "-s", str(settings)])
    assert (told.exit_code, "with more behind it" in " ".join(told.output.split())) == (2, True)
    settings.write_text(SETTINGS.partition("[[source]]")[0])
    told = CliRunner().invoke(app, ["intake", "-s", str(settings)])
    assert (told.exit_code, 'of kind = "intake"' in " ".join(told.output.split())) == (2, True)
