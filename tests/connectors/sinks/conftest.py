"""What the tests of every sink ask for: a client, and the other side."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from connectors.client import open_client
from tests.connectors.sinks.receivers import PostOffice, Receiver, certificate, mail_server, web_server


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """The real client; only its waiting is left out."""
    with open_client(sleep=lambda _: None) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with web_server() as server:
        yield server


@pytest.fixture
def office() -> Iterator[PostOffice]:
    """A mail server that wants no login and offers no encryption."""
    with mail_server(PostOffice()) as server:
        yield server


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's certificate, and the file to trust it by."""
    return certificate(tmp_path_factory.mktemp("tls"))
