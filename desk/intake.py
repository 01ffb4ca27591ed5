"""The door for what is pushed: checks who sends it, keeps it on disk, and only then says thank you."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Never

import uvicorn
from rich.console import Console
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.signature import fault
from connectors.sources.intake import Intake
from connectors.spool import Spool, is_put_away
from flows.setup import Setup
from pipeline.errors import SettingsError

LARGEST_BODY = 1_000_000
"""Bytes; the specification asks senders for less than 20,000."""
BODY_WITHIN = 30.0
"""Seconds in which a whole message must have come."""
LATER = {"Retry-After": "60"}
"""When a sender may try again after we could not keep what it sent."""

log = logging.getLogger(__name__)


def serve(settings: Path, host: str, port: int, console: Console) -> None:
    """Take messages for every source of kind intake until stopped. SettingsError where that cannot begin."""
    setup = Setup.read(settings)
    sources = [source for source in setup.sources if isinstance(source, Intake)]
    if not sources:
        raise SettingsError(f'{settings}: no [[source]] is of kind = "intake", so nobody could be heard')
    paths = [source.path.resolve() for source in sources]
    if len({*paths}) < len(paths):
        raise SettingsError(f"{settings}: two sources of kind intake share one `path`; give each its own file")
    if any(is_put_away(path, other) for path in paths for other in paths):
        raise SettingsError(
            f"{settings}: the `path` of one source of kind intake is that of another with more behind it"
        )
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise SettingsError(f"{host}:{port}: cannot listen there ({error.strerror}); choose another --port") from error
    with listening:
        own = listening.getsockname()[1]
        for source in sources:
            console.print(f"[bold]{source.name}[/]: http://{host}:{own}/{source.name}", soft_wrap=True)
        config = uvicorn.Config(
            door(sources), log_level="warning", access_log=False, server_header=False, lifespan="off"
        )
        uvicorn.Server(config).run(sockets=[listening])


def door(sources: Sequence[Intake], *, now: Callable[[], float] = time.time) -> Starlette:
    """The server: POST /NAME for each of these sources."""
    spools = {source.name: Spool(source.path) for source in sources}
    named = {source.name: source for source in sources}

    async def take(request: Request) -> Response:
        source = named.get(request.path_params["name"])
        if source is None:
            raise HTTPException(404, "no source of kind intake has this name")
        body = _checked(source, request, await _content(request), now())
        sent_as, heard_at = request.headers["webhook-id"], datetime.now(UTC).isoformat()
        try:
            fresh = await run_in_threadpool(spools[source.name].put, sent_as, body, heard_at)
        except OSError as error:
            log.error("%s: %s: %s", source.name, source.path, error.strerror)  # noqa: TRY400 - no traceback: not ours
            raise HTTPException(503, "it cannot be kept now; send it again", LATER) from None
        log.info("%s: %s", source.name, "taken" if fresh else "known already")
        return Response(status_code=204)

    return Starlette(routes=[Route("/{name}", take, methods=["POST"])], exception_handlers={HTTPException: _refused})


async def _content(request: Request) -> bytes:
    """The body; one that is too long is not read where its length is told."""
    told = request.headers.get("content-length", "")
    read = bytearray()
    if not (told.isdecimal() and int(told) > LARGEST_BODY):
        try:
            async with asyncio.timeout(BODY_WITHIN):
                async for piece in request.stream():
                    read += piece
                    if len(read) > LARGEST_BODY:
                        break
                else:
                    return bytes(read)
        except TimeoutError:
            raise HTTPException(408, "the message did not come in time") from None
        except ClientDisconnect:
            raise HTTPException(400, "the message broke off") from None
    raise HTTPException(413, f"a message has at most {LARGEST_BODY:,} bytes")


def _checked(source: Intake, request: Request, content: bytes, now: float) -> dict[str, Any] | list[Any]:
    """What the message says, if it is signed by one who knows the secret and is JSON."""
    wrong = fault(source.secrets, request.headers, content, now)
    if wrong:
        log.warning("%s: refused a message: %s", source.name, wrong)
        raise HTTPException(401, wrong)
    try:
        body = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the message is no JSON") from None
    if not isinstance(body, dict | list):
        raise HTTPException(400, "the message is JSON, but no object and no list")
    return body


async def _refused(_: Request, why: Exception) -> Response:
    if not isinstance(why, HTTPException):
        raise why
    return JSONResponse({"error": why.detail}, why.status_code, why.headers)


def _no_number(name: str) -> Never:
    raise ValueError(name)
