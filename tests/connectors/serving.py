"""Serving: real servers on the loopback, for what sockets do and no mock can tell."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(respond: Answer, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that answers every GET and CONNECT by a function; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            respond(self)

        def do_CONNECT(self) -> None:
            respond(self)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/here"
    finally:
        server.shutdown()
        server.server_close()


def reply(handler: BaseHTTPRequestHandler, code: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(code)
    for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving_http2(tls: ssl.SSLContext, *headers: tuple[str, str], body: bytes = b"{}") -> Iterator[str]:
    """A server that speaks HTTP/2 only and gives everybody the same answer; its address."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            side = H2Connection(H2Configuration(client_side=False))
            side.initiate_connection()
            self.request.sendall(side.data_to_send())
            while data := self.request.recv(65_535):
                for event in side.receive_data(data):
                    if isinstance(event, RequestReceived):
                        side.send_headers(event.stream_id, [(":status", "200"), *headers])
                        side.send_data(event.stream_id, body, end_stream=True)
                self.request.sendall(side.data_to_send())

    class Server(ThreadingTCPServer):
        daemon_threads = True

        def get_request(self) -> tuple[socket.socket, object]:
            asked, address = super().get_request()
            return tls.wrap_socket(asked, server_side=True), address

    tls.set_alpn_protocols(["h2"])
    with Server(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}/here"
        server.shutdown()
