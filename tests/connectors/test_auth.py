"""Keys that are fetched or kept in files: which answer means an old token, and where a key may stand."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from connectors.auth import Fetched, text_of
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError
from tests.connectors.worldly import client

PEM = "-----BEGIN PRIVATE KEY-----\nsesame\n-----END PRIVATE KEY-----\n"


class Door:
    """Gives tokens, and answers all else with what is left, the last for ever."""

    def __init__(self, *answers: httpx.Response, seconds: float = 3600) -> None:
        self.answers, self.seconds = list(answers), seconds
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            self.asked.append("token")
            return httpx.Response(200, json={"token": f"t{self.asked.count('token')}", "seconds": self.seconds})
        self.asked.append(request.headers["authorization"])
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def walk(self, times: int = 1, **more: Any) -> list[int]:  # noqa: ANN401 - of Fetched
        """Ask for so many pages; their statuses."""
        with client(self) as http:
            auth = Fetched(
                lambda: http.build_request("POST", "https://door.example/token"),
                lambda said: (said["token"], said["seconds"]),
                **more,
            )
            return [http.get("https://door.example/page", auth=auth).status_code for _ in range(times)]


def refusal(code: int, word: str) -> httpx.Response:
    return httpx.Response(code, json={"error": word})


WELL = httpx.Response(200, json={})
OLD: dict[str, Any] = {"refusals": (400, 401), "old": lambda answer: b"Expired" in answer.content}


def test_a_token_is_asked_for_once_and_again_before_it_ends() -> None:
    door = Door(WELL)
    door.walk(2)
    assert door.asked == ["token", "Bearer t1", "Bearer t1"]
    door = Door(WELL, seconds=30)
    door.walk(2)
    assert door.asked == ["token", "Bearer t1", "token", "Bearer t2"], "it would end while a page comes"


@pytest.mark.parametrize("code", [400, 401])
def test_a_refusal_that_means_an_old_token_brings_a_new_one(code: int) -> None:
    door = Door(WELL, refusal(code, "Expired"), WELL)
    assert door.walk(2, **OLD) == [200, 200]
    assert door.asked == ["token", "Bearer t1", "Bearer t1", "token", "Bearer t2"]


@pytest.mark.parametrize(("code", "kind"), [(400, ChangedError), (401, RefusedError)])
def test_any_other_refusal_is_asked_once_more_with_the_same_token_and_is_raised(
    code: int, kind: type[EarfulError]
) -> None:
    door = Door(WELL, refusal(code, "Wrong"))
    with pytest.raises(kind, match=str(code)):
        door.walk(2, **OLD)
    assert door.asked.count("token") == 1


def test_a_status_not_named_is_no_reason_for_a_new_token() -> None:
    door = Door(WELL, refusal(400, "Expired"))
    with pytest.raises(ChangedError):
        door.walk(2)
    assert door.asked == ["token", "Bearer t1", "Bearer t1"]


def test_a_token_refused_at_once_is_not_asked_for_again() -> None:
    door = Door(refusal(401, "Expired"))
    with pytest.raises(RefusedError):
        door.walk(**OLD)
    assert door.asked == ["token", "Bearer t1"]


def test_a_key_may_stand_in_the_settings_or_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key.p8").write_text(PEM, encoding="utf-8")
    for said in (PEM, PEM.strip(), PEM.replace("\n", "\\n"), str(tmp_path / "key.p8"), f" {tmp_path / 'key.p8'}\n"):
        assert text_of(SecretStr(said)).get_secret_value().strip() == PEM.strip()
    account = '{"private_key": "-----BEGIN\\nsesame"}'
    assert text_of(SecretStr(account)).get_secret_value() == account, "JSON decodes its own line ends"


@pytest.mark.parametrize("said", ["sesame", "/nowhere/sesame.p8", "", "sesame\x00", "s" * 5000])
def test_what_is_neither_a_key_nor_a_file_is_named_without_its_words(said: str) -> None:
    with pytest.raises(SettingsError, match="neither the text of a key nor a file") as caught:
        text_of(SecretStr(said))
    assert "sesame" not in str(caught.value)
