"""Guard: no connection to a private address that the settings do not name, whatever name leads there."""

import re
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpcore
import httpx
from pydantic import BaseModel, SecretStr

from connectors.deadline import SocketOptions, Timed
from pipeline.errors import RefusedError

_NAT64 = IPv6Network("64:ff9b::/96")
_HOST = re.compile(r"(?:\[(?P<address>[^\[\]]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[1-9][0-9]{0,4}))?")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")
_LAST_PORT = 65_535


class Guard(httpcore.NetworkBackend):
    """Looks a name up once and connects to the very address it has looked at: a name cannot change in between.

    Refused are loopback, private, link-local, multicast, reserved, unspecified and carrier addresses, also inside an
    IPv6 address, unless the host that is asked, or `host:port`, is `allowed`. If one address of a name is private, the
    name is refused. `allowed` None: no host is refused.
    """

    def __init__(self, allowed: Collection[str] | None) -> None:
        self._allowed = None if allowed is None else {allowed_host(entry) for entry in allowed}
        self._sockets = Timed()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.NetworkStream:
        """As httpcore asks for it: a connection to the first address that takes one."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(error) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        self._check(host, port, addresses)
        failure: Exception = httpcore.ConnectError("it has no address")
        for address in addresses:
            try:
                return self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def check_literal(self, host: str, port: int) -> None:
        """Refuse a host that is written as a private address: all there is to see where a proxy looks names up."""
        address = literal(host)
        if address is not None:
            self._check(host, port, [address])

    def _check(self, host: str, port: int, addresses: Iterable[str]) -> None:
        name = _plain(host)
        if self._allowed is None or not self._allowed.isdisjoint({(name, None), (name, port)}):
            return
        if any(map(is_private, addresses)):
            raise RefusedError(
                f"{host}: is at a private address; the operator must act: "
                "if that is meant, name it in [http] private_hosts"
            )


def is_private(address: str) -> bool:
    """Whether an address is not one of the public internet's; one that holds an IPv4 address is judged by that."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        found = _inner(found) or found
    odd = found.is_multicast or found.is_reserved or (isinstance(found, IPv6Address) and found.is_site_local)
    return odd or not found.is_global


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a mapped, 6to4 or NAT64 address leads to. Behind DNS64 every public host has such a one."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def literal(host: str) -> str | None:
    """The address that a host is written as, in any form a socket takes, such as 127.1 or 0x7f000001; None for a name.

    Nothing is looked up.
    """
    try:
        found = socket.getaddrinfo(host.rstrip("."), None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return str(found[0][4][0])


def own_hosts(parts: Iterable[BaseModel]) -> set[str]:
    """Every `host:port` that settings write as an address of numbers or as localhost: who writes that means it."""
    found = set()
    for text in _texts([part.model_dump() for part in parts]):
        with suppress(httpx.InvalidURL, ValueError):
            url = httpx.URL(text)
            if url.scheme in {"http", "https"} and (is_this_machine(url.host) or literal(url.host)):
                host = f"[{url.host}]:{port_of(url)}" if ":" in url.host else f"{url.host}:{port_of(url)}"
                allowed_host(host)
                found.add(host)
    return found


def port_of(url: httpx.URL) -> int:
    """The port that an address leads to."""
    return url.port or (443 if url.scheme == "https" else 80)


def _texts(value: object) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        for inner in value:
            yield from _texts(inner)


def is_this_machine(host: str) -> bool:
    """Whether a host is localhost or a loopback address; a proxy's would be another machine."""
    address = literal(host)
    if address is not None:
        return ip_address(address.partition("%")[0]).is_loopback
    return _plain(host) == "localhost" or _plain(host).endswith(".localhost")


def allowed_host(written: str) -> tuple[str, int | None]:
    """A host, as it is asked for, and its port if it names one: "[::1]:80", "büro.example:8080", "10.0.0.5".

    ValueError, with the mend, for anything else.
    """
    with suppress(ValueError):
        return str(ip_address(written)), None  # that of IPv6 has colons of its own
    found = _HOST.fullmatch(written)
    port = int(found["port"]) if found and found["port"] else None
    with suppress(ValueError, httpx.InvalidURL):
        if found and (port or 0) <= _LAST_PORT:
            if found["address"]:
                return str(ip_address(found["address"])), port
            name = _plain(httpx.URL(scheme="http", host=found["name"]).raw_host.decode())
            if _NAME.fullmatch(name):
                return name, port
    raise ValueError(f'{written!r} is no host; write "intranet.example", or one port of it, "intranet.example:8080"')


def _plain(host: str) -> str:
    """One form for every way to write a host: "[::1]", "Intranet.Example."."""
    host = host.strip().lower().removeprefix("[").removesuffix("]").rstrip(".")
    with suppress(ValueError):
        host = str(ip_address(host))
    return host
