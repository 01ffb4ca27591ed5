"""Answers: transports that give prepared answers, for tests where only statuses and bodies matter."""

import httpx
import pytest

URL = "https://example.org/v1/things?key=sesame"


def raising(error: Exception) -> httpx.MockTransport:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    return httpx.MockTransport(answer)


def answering(*answers: httpx.Response) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """A transport that gives the answers in turn, the last for ever; and what it was asked."""
    left, asked = list(answers), list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return left.pop(0) if len(left) > 1 else left[0]

    return httpx.MockTransport(answer), asked


def status(code: int, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(code, headers=named, text="key=sesame")


def never(seconds: float) -> None:
    """A `sleep` for where nobody may wait."""
    pytest.fail(f"waited {seconds} seconds")
