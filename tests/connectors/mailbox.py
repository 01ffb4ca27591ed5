"""Mailbox: a mail server on loopback that speaks the IMAP that Earful asks for, and notes every command."""

import base64
import re
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

ARRIVED = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)


@dataclass
class Mailbox:
    """One folder of one account, and how the server behaves."""

    mails: dict[int, tuple[datetime, bytes]] = field(default_factory=dict)
    validity: int = 7
    login: tuple[str, str] = ("care@hike.example", 'pass "word"')
    token: str = "ya29.secret"
    folder: str = '"INBOX"'
    says_no: str = "NO [AUTHENTICATIONFAILED] care@hike.example and its password are wrong"
    breaks_after: int | None = None
    uid_behind: bool = False
    port: int = 0
    commands: list[str] = field(default_factory=list)

    def put(self, raw: bytes, at: datetime = ARRIVED) -> int:
        uid = max(self.mails, default=0) + 1
        self.mails[uid] = (at, raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        return uid


class _Session(socketserver.StreamRequestHandler):
    box: Mailbox
    timeout = 10

    def handle(self) -> None:
        self.say("* OK ready")
        while line := self.line():
            tag, _, command = line.partition(" ")
            self.box.commands.append(command)
            if self.box.breaks_after is not None and len(self.box.commands) > self.box.breaks_after:
                return
            verb = command.partition(" ")[0].upper()
            if verb == "UID":
                verb = " ".join(command.split(" ")[:2]).upper()
            with suppress(BrokenPipeError):
                getattr(self, "do_" + verb.lower().replace(" ", "_"), self.unknown)(tag, command)
            if verb == "LOGOUT":
                return

    def line(self) -> str:
        """A whole command: literals, which the client sends after we said go on, are put into their line as quotes."""
        line = self.rfile.readline().decode().rstrip("\r\n")
        while literal := re.search(r"\{(\d+)\}$", line):
            self.say("+ go on")
            told = self.rfile.read(int(literal[1])).decode().replace("\\", "\\\\").replace('"', '\\"')
            line = f'{line[: literal.start()]}"{told}"' + self.rfile.readline().decode().rstrip("\r\n")
        return line

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def unknown(self, tag: str, command: str) -> None:
        self.say(f"{tag} BAD {command.partition(' ')[0]} is not spoken here")

    def do_capability(self, tag: str, _: str) -> None:
        self.say("* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 AUTH=PLAIN", f"{tag} OK done")

    def do_login(self, tag: str, command: str) -> None:
        words = [
            re.sub(r"\\(.)", r"\1", quoted or bare)
            for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', command)
        ]
        self.say(f"{tag} OK in" if tuple(words[1:]) == self.box.login else f"{tag} {self.box.says_no}")

    def do_authenticate(self, tag: str, command: str) -> None:
        self.say("+ ")
        told = base64.b64decode(self.rfile.readline()).decode()
        user, password = self.box.login
        if told in {f"user={user}\x01auth=Bearer {self.box.token}\x01\x01", f"\0{user}\0{password}"}:
            self.say(f"{tag} OK in")
            return
        if "XOAUTH2" in command:
            self.say("+ " + base64.b64encode(b'{"status":"400"}').decode())
            assert self.rfile.readline() == b"\r\n", "after a refusal an empty answer is due"
        self.say(f"{tag} {self.box.says_no}")

    def do_examine(self, tag: str, command: str) -> None:
        if command.partition(" ")[2] != self.box.folder:
            self.say(f"{tag} NO [NONEXISTENT] no such folder")
            return
        numbering = (
            f"* OK [UIDVALIDITY {self.box.validity}] numbers",
            f"* OK [UIDNEXT {max(self.box.mails, default=0) + 1}]",
        )
        self.say(f"* {len(self.box.mails)} EXISTS", "* 0 RECENT", *numbering, f"{tag} OK [READ-ONLY] open")

    def do_uid_search(self, tag: str, command: str) -> None:
        places, *words = command.split(" ")[2:]
        first, _, end = places.partition(":")
        shown = dict([*self.box.mails.items()][int(first) - 1 : None if end == "*" else int(end)])
        if words[0] == "UID":
            start, last = int(words[1].partition(":")[0]), max(self.box.mails, default=0)
            found = [uid for uid in shown if uid >= start or uid == last]  # "*" is always the last
        else:
            day = datetime.strptime(words[1], "%d-%b-%Y").date()  # noqa: DTZ007 - a day
            found = [uid for uid, (at, _) in shown.items() if at.date() >= day]
        self.say("* SEARCH" + "".join(f" {uid}" for uid in found), f"{tag} OK found")

    def do_fetch(self, tag: str, command: str) -> None:  # of numbers and times only
        start = int(command.split(" ")[1].partition(":")[0])
        for number, (uid, (at, _)) in enumerate(self.box.mails.items(), start=1):
            if number >= start:
                self.say(f'* {number} FETCH (UID {uid} INTERNALDATE "{at.strftime("%d-%b-%Y %H:%M:%S +0000")}")')
        self.say(f"{tag} OK fetched")

    def do_uid_fetch(self, tag: str, command: str) -> None:
        asked = [int(uid) for uid in command.split(" ")[2].split(",")]
        most = int(re.search(r"BODY\.PEEK\[\]<0\.(\d+)>", command)[1])  # type: ignore[index]
        for number, (uid, (at, raw)) in enumerate(self.box.mails.items(), start=1):
            if uid in asked:
                raw = raw[:most]  # noqa: PLW2901 - the part that was asked for
                told = f"UID {uid}", f'INTERNALDATE "{at.strftime("%d-%b-%Y %H:%M:%S +0000")}"'
                before, behind = ("", f" {' '.join(told)}") if self.box.uid_behind else (f"{' '.join(told)} ", "")
                self.wfile.write(
                    f"* {number} FETCH ({before}BODY[]<0> {{{len(raw)}}}\r\n".encode() + raw + f"{behind})\r\n".encode()
                )
                self.say(f"* {number} FETCH (FLAGS ())")  # a server may say more than it was asked
        self.say(f"{tag} OK fetched")

    def do_logout(self, tag: str, _: str) -> None:
        self.say("* BYE", f"{tag} OK out")


@contextmanager
def serving(box: Mailbox, certificate: Path | None = None) -> Iterator[Mailbox]:
    """The server, on a free port, until the block ends; with a certificate it speaks TLS from the first byte."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def get_request(self) -> tuple[object, object]:
            connection, address = super().get_request()
            if certificate is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate)
                connection = context.wrap_socket(connection, server_side=True)
            return connection, address

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away is no fault of the test."""

    session = type("Session", (_Session,), {"box": box})
    with Server(("127.0.0.1", 0), session) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def standing(kind: str, folder: Path) -> Iterator[dict[str, int]]:
    """The place of a source that asks no web server, and the settings that lead there; of any other, nothing."""
    if kind != "imap":
        yield {}
        return
    box = Mailbox()
    for number, path in enumerate(sorted(folder.glob("*.eml"))):
        box.put(path.read_bytes(), ARRIVED + timedelta(hours=number))
    with serving(box):
        yield {"port": box.port}
