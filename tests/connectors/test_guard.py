"""The guard: what a stranger's page or name leads to is never inside the house, unless the settings name it."""

import socket
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler

import pytest
from pydantic import BaseModel, SecretStr

from connectors import guard
from connectors.client import open_client
from connectors.guard import allowed_host, is_private, own_hosts
from pipeline.errors import RefusedError, SettingsError, TemporaryError
from tests.connectors.answers import never
from tests.connectors.serving import Answer, reply

NOT_PUBLIC = """
127.0.0.1 127.8.8.8 10.1.2.3 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254 100.64.0.1 100.127.255.255 0.0.0.0
0.1.2.3 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 192.0.0.1 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1
:: ::1 fe80::1 fe80::1%eth0 fc00::1 fd12:3456::1 fec0::1 ff02::1 2001:db8::1 100::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1
::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:7f00:1:: 2002:c0a8:1:: ::127.0.0.1 2001::1
"""
PUBLIC = "8.8.8.8 93.184.216.34 172.32.0.1 100.128.0.1 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1"


def hello(handler: BaseHTTPRequestHandler) -> None:
    reply(handler, 200, b"{}")


def port(address: str) -> str:
    return address.rpartition(":")[2].partition("/")[0]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Makes names lead to addresses, each look-up to the next ones; what was looked up."""

    def lead(**led: Iterable[list[str]]) -> list[str]:
        asked: list[str] = []
        answers = {name.replace("_", "."): iter(to) for name, to in led.items()}
        true = socket.getaddrinfo

        def look_up(host: str, port: int | None, *old: int, **more: int) -> list[object]:
            if host not in answers or more.get("flags"):
                return list(true(host, port, *old, **more))
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(answers[host])]

        monkeypatch.setattr(guard.socket, "getaddrinfo", look_up)
        return asked

    return lead


def test_every_address_that_is_not_of_the_public_internet_is_known() -> None:
    assert [address for address in NOT_PUBLIC.split() if not is_private(address)] == []
    assert [address for address in PUBLIC.split() if is_private(address)] == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_refused_however_it_is_written(serve: Callable[[Answer], str], host: str) -> None:
    asked: list[str] = []
    address = serve(lambda handler: asked.append(handler.path))
    with (
        open_client(allowed=(), sleep=never) as http,
        pytest.raises(RefusedError, match=r"is at a private address; the operator must act: .* \[http\] private_hosts"),
    ):
        http.get(f"http://{host}:{port(address)}/")
    assert asked == []


def test_only_the_host_and_port_that_are_allowed_are_asked(serve: Callable[[Answer], str]) -> None:
    address = serve(hello)
    for names in (None, ["127.0.0.1"], [f"127.0.0.1:{port(address)}"]):
        with open_client(allowed=names, sleep=never) as http:
            assert http.get(address).status_code == 200
    for names in ([], ["127.0.0.1:1"], ["localhost"], ["127.0.0.2"]):
        with open_client(allowed=names, sleep=never) as http, pytest.raises(RefusedError, match="private"):
            http.get(address)


def test_a_name_that_leads_inside_is_refused_unless_it_is_named(
    serve: Callable[[Answer], str], names: Callable[..., list[str]]
) -> None:
    address = serve(hello)
    names(hike_example=[["127.0.0.1"]] * 4)
    for allowed in ((), ("127.0.0.1",), ("other.example",)):
        with open_client(allowed=allowed, sleep=never) as http, pytest.raises(RefusedError, match=r"^hike\.example"):
            http.get(f"http://hike.example:{port(address)}/")
    with open_client(allowed=["Hike.Example."], sleep=never) as http:
        assert http.get(f"http://hike.example:{port(address)}/").status_code == 200


def test_a_name_that_changes_after_it_was_looked_at_leads_nowhere_else(
    serve: Callable[[Answer], str], names: Callable[..., list[str]]
) -> None:
    address = serve(hello)
    asked = names(hike_example=[["192.0.2.7"], ["127.0.0.1"]])
    with open_client(allowed=(), attempts=1, sleep=never) as http, pytest.raises(RefusedError):
        http.get(f"http://hike.example:{port(address)}/")
    assert asked == ["hike.example"], "looked up once: what was checked is what is connected to"


def test_one_private_address_among_public_ones_is_enough_to_refuse(names: Callable[..., list[str]]) -> None:
    names(hike_example=[["8.8.8.8", "10.0.0.1"]])
    with open_client(allowed=(), sleep=never) as http, pytest.raises(RefusedError, match="private"):
        http.get("http://hike.example/")


def test_where_one_address_takes_no_connection_the_next_is_tried(
    serve: Callable[[Answer], str], names: Callable[..., list[str]]
) -> None:
    address = serve(hello)
    names(hike_example=[["127.0.0.9", "127.0.0.1"]])
    with open_client(allowed=["hike.example"], sleep=never) as http:
        assert http.get(f"http://hike.example:{port(address)}/").status_code == 200


def test_a_redirect_leads_inside_no_more_than_an_address(
    serve: Callable[[Answer], str], names: Callable[..., list[str]]
) -> None:
    inside: list[str] = []
    secret = serve(lambda handler: inside.append(handler.path))
    address = serve(lambda handler: reply(handler, 302, Location=secret))
    names(hike_example=[["127.0.0.1"]])
    with open_client(allowed=["hike.example"], sleep=never) as http, pytest.raises(RefusedError, match="private"):
        http.get(f"http://hike.example:{port(address)}/", follow_redirects=True)
    assert inside == []


def test_a_name_nobody_knows_is_temporary_and_an_impossible_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(guard.socket, "getaddrinfo", unknown)
    with open_client(allowed=(), attempts=1) as http:
        with pytest.raises(TemporaryError, match="ConnectError"):
            http.get("http://hike.example/")
        with pytest.raises(SettingsError):
            http.get(f"http://{'h' * 70}ä.example/")


def test_the_settings_own_addresses_are_meant() -> None:
    class Part(BaseModel):
        url: SecretStr
        apis: dict[str, list[str]]
        phrase: str = "localhost"

    part = Part(
        url=SecretStr("http://127.0.0.1:9000/hook"),
        apis={
            "a": ["https://10.0.0.5/x", "https://hike.example", "http://[::1]:80"],
            "b": [
                "http://localhost:1",
                "//[",
                "HTTP://127.0.0.2:8000/",
                "http://127.0.0.3.:80",
                "http://a b.localhost/",
            ],
        },
    )
    assert own_hosts([part]) == {
        "127.0.0.1:9000",
        "10.0.0.5:443",
        "[::1]:80",
        "localhost:1",
        "127.0.0.2:8000",
        "127.0.0.3.:80",
    }


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("Intranet.Example.", "intranet.example", None),
        ("büro.example:8080", "xn--bro-hoa.example", 8080),
        ("my_host", "my_host", None),
        ("10.0.0.5:1", "10.0.0.5", 1),
        ("::1", "::1", None),
        ("[::1]", "::1", None),
        ("[0::1]:65535", "::1", 65535),
    ],
)
def test_an_allowed_host_is_read_as_it_is_asked_for(written: str, host: str, port: int | None) -> None:
    assert allowed_host(written) == (host, port)


@pytest.mark.parametrize(
    "written",
    ["", " ", "a b", "http://a.example", "a.example/x", "me@a.example", "*.example", "a:", "a:0", "a:65536", "a:1:2",
     "[::1", "[a]:80", ".a", "10.0.0.0/8"],
)  # fmt: skip
def test_what_is_no_host_is_not_allowed_in_silence(written: str) -> None:
    with pytest.raises(ValueError, match="is no host; write"):
        allowed_host(written)


def test_behind_a_proxy_an_address_with_a_last_dot_is_an_address(
    serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setenv("HTTP_PROXY", serve(lambda handler: asked.append(handler.path)).removesuffix("/here"))
    with open_client(allowed=(), sleep=never) as http, pytest.raises(RefusedError, match="private"):
        http.get("http://169.254.169.254./latest")
    assert asked == []


def test_a_name_in_other_letters_is_allowed_as_it_is_asked_for(
    serve: Callable[[Answer], str], names: Callable[..., list[str]]
) -> None:
    address = serve(hello)
    names(**{"xn--bro-hoa_example": [["127.0.0.1"]]})
    with open_client(allowed=["Büro.example"], sleep=never) as http:
        assert http.get(f"http://büro.example:{port(address)}/").status_code == 200
