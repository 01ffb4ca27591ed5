"""What the tests of connectors may ask for."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.connectors.serving import Answer, serving


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts a server on the loopback that answers by a function; its address."""
    with ExitStack() as servers:

        def start(respond: Answer, tls: ssl.SSLContext | None = None) -> str:
            return servers.enter_context(serving(respond, tls))

        yield start
