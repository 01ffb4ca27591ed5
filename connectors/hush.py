"""Hush: no log of the libraries under the client leaves this process, for they write whole addresses and headers."""

import logging

_CHATTY = (
    "httpx", "httpcore", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks",
    "h2", "hpack", "hpack.hpack", "hpack.table",
    "hishel", "hishel.core.spec", "hishel._core._storages._sync_sqlite",
)  # fmt: skip
"""Each logger by its name: a filter is asked for records of its own logger only, not for those of the ones below."""


def hush() -> None:
    """Silence them, whatever level anybody sets; asked again it changes nothing."""
    for name in _CHATTY:
        logging.getLogger(name).addFilter(_silent)


def _silent(_: logging.LogRecord) -> bool:
    return False
