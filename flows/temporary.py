"""Temporary: the server that Prefect starts for itself where none is named, in a process that goes on after a run."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # seconds, for nothing where a server is named
    from prefect.server.api.server import SubprocessASGIServer


def revive() -> None:
    """Where that server has died, let the next run start another at its address: Prefect itself never looks again."""
    server = _server()
    if server is not None and server.server_process is not None and server.server_process.poll() is not None:
        server.running = False


def kill() -> None:
    """End it at once, for whoever ends without Python's own farewell, which would stop it."""
    server = _server()
    if server is not None and server.server_process is not None:
        server.server_process.kill()


def _server() -> "SubprocessASGIServer | None":
    loaded = sys.modules.get("prefect.server.api.server")  # Prefect loads it to start one
    return None if loaded is None else loaded.SubprocessASGIServer()
