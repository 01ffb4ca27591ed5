"""`earful reply`: what goes out, where, and that it goes out once."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from connectors.conform.server import Wire, serving, whole
from desk.cli import app
from flows.judge import settle
from flows.setup import Setup
from pipeline.analysis import Analyst
from pipeline.classifier import Reading
from pipeline.mention import Mention, MentionKind
from pipeline.triage.judge import Effort

SETTINGS = """
[brand]
name = "Hike"
[grave]
team = "Safety"
sinks = ["log"]
[[route]]
name = "rest"
team = "Support"
reply_within = "4h"
[[sink]]
kind = "file"
name = "log"
path = "alerts.jsonl"
[[source]]
kind = "mastodon"
name = "fedi"
instance = "{address}"
tag = "hike"
token = "hush"
[[source]]
kind = "hackernews"
name = "hn"
phrase = "Hike"
[http]
attempts = 1
"""


@dataclass
class Place:
    """A Mastodon instance that takes replies, and what it was told."""

    folder: Path
    address: str = ""
    status: int = 200
    answered: dict[str, object] | None = None
    told: list[httpx.Request] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> Wire:
        self.told.append(request)
        if self.status == 0:
            return Wire((b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{",), end="reset")
        said = self.answered or {"id": "900", "url": f"{self.address}/@hike/900"}
        return whole(httpx.Response(self.status, json=said, request=request))

    def earful(self, *words: str, said: str = "") -> Result:
        return CliRunner().invoke(app, [*words, "-s", str(self.folder / "earful.toml")], input=said)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    there = Place(tmp_path)
    with serving(there.answer) as address:
        there.address = address
        (tmp_path / "earful.toml").write_text(SETTINGS.format(address=address), encoding="utf-8")
        yield there


PLAINT = "I ordered two weeks ago, it never came and nobody answers. Where is my parcel?"


def heard(
    place: Place, key: str, source: str = "fedi", *, text: str = PLAINT, author: str = "mia@social.example"
) -> Mention:
    mention = Mention(
        key=key,
        source=source,
        kind=MentionKind.POST,
        text=text,
        said_at=datetime(2026, 11, 1, tzinfo=UTC),
        author=author,
    )
    setup = Setup.read(place.folder / "earful.toml")
    with setup.store() as store:
        store.migrate()
        store.save(source, [mention], [{}], [], None, heard_at=setup.now())
    return mention


@pytest.fixture
def key(place: Place) -> str:
    return heard(place, f"mastodon:{place.address.removeprefix('http://')}/800").key


def test_a_reply_shows_what_goes_out_and_goes_out_once_a_person_says_yes(place: Place, key: str) -> None:
    done = place.earful("reply", key, "--text", "So sorry, Mia.", said="y\n")
    assert done.exit_code == 0, done.output
    words = " ".join(done.output.split())
    assert "mia@social.example" in words
    assert "Where is my parcel?" in words
    assert "Hike answers in public: @mia@social.example So sorry, Mia." in words
    assert f"{place.address}/@hike/900" in words
    (request,) = place.told
    assert request.url.path == "/api/v1/statuses"
    assert b"So" in request.content
    assert b"800" in request.content


@pytest.mark.parametrize("said", ["n\n", "", "maybe\n"])
def test_nothing_goes_out_without_a_clear_yes(place: Place, key: str, said: str) -> None:
    assert place.earful("reply", key, "--text", "So sorry.", said=said).exit_code == 1
    assert place.told == []


def test_the_same_words_go_to_the_same_mention_once(place: Place, key: str) -> None:
    for _ in range(3):
        done = place.earful("reply", key, "--text", "So sorry.", "--yes")
        assert done.exit_code == 0
    assert len(place.told) == 1
    assert "not sent again" in " ".join(done.output.split())
    assert place.earful("reply", key, "--text", "Any news, Mia?", "--yes").exit_code == 0
    assert len(place.told) == 2


def test_what_may_have_arrived_is_sent_again_only_when_a_person_has_looked(place: Place, key: str) -> None:
    place.status = 0
    assert place.earful("reply", key, "--text", "So sorry.", "--yes").exit_code == 1
    place.status = 200
    done = place.earful("reply", key, "--text", "So sorry.", "--yes")
    assert done.exit_code == 1
    assert "--again" in done.output
    assert len(place.told) == 1
    assert place.earful("reply", key, "--text", "So sorry.", "--yes", "--again").exit_code == 0
    keys = [request.headers["idempotency-key"] for request in place.told]
    assert len(keys) == 2
    assert len(set(keys)) == 1  # so that the instance knows it, should the first have arrived


def test_a_refusal_of_an_earlier_try_is_forgotten_with_the_next(place: Place, key: str) -> None:
    """Refused, then lost on the way: now it may be out, whatever was said before."""
    place.status = 403
    assert place.earful("reply", key, "--text", "So sorry.", "--yes").exit_code == 1
    place.status = 0
    assert place.earful("reply", key, "--text", "So sorry.", "--yes").exit_code == 1
    assert len(place.told) == 2
    place.status = 200
    for _ in range(2):
        done = place.earful("reply", key, "--text", "So sorry.", "--yes")
        assert done.exit_code == 1
        assert "--again" in done.output
    assert len(place.told) == 2


def test_what_was_taken_with_a_strange_answer_may_be_out_and_is_not_sent_again_by_itself(
    place: Place, key: str
) -> None:
    place.answered = {"ok": True}
    done = place.earful("reply", key, "--text", "So sorry.", "--yes")
    assert "gave neither address nor id" in " ".join(done.output.split())
    done = place.earful("reply", key, "--text", "So sorry.", "--yes")
    assert "--again" in done.output
    assert len(place.told) == 1


def test_a_strangers_words_move_no_cursor_and_turn_no_line_round(place: Place) -> None:
    words = "paid \x1b[2J\x9b1A \u202egnp.exe \x1b]0;owned\x07"
    said = heard(place, f"mastodon:{place.address.removeprefix('http://')}/802", text=words, author="mia\x1b[8m\u202e")
    done = place.earful("reply", said.key, "--text", "So sorry.", said="n\n")
    assert "gnp.exe" in done.output
    assert not set("\x1b\x9b\x07\u202e") & set(done.output)


def test_what_is_shown_is_what_goes_out(place: Place, key: str) -> None:
    done = place.earful("reply", key, "--text", " So   sorry,\n\n\n\nMia. ", said="y\n")
    assert "  @mia@social.example So sorry,\n\n  Mia.\n" in "\n".join(
        line.rstrip() for line in done.output.splitlines()
    )
    assert httpx.QueryParams(place.told[0].content.decode())["status"] == "@mia@social.example So sorry,\n\nMia."


def test_what_was_refused_can_be_ordered_again_at_once(place: Place, key: str) -> None:
    place.status = 403
    refused = place.earful("reply", key, "--text", "So sorry.", "--yes")
    assert refused.exit_code == 1
    assert "the operator must act" in " ".join(refused.output.split())
    place.status = 200
    assert place.earful("reply", key, "--text", "So sorry.", "--yes").exit_code == 0


Wrong = Callable[[Place, str], tuple[str, str]]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda _, key: (key, "x" * 501), "1 to 500 characters, not 506"),
        (lambda _, key: (key, " \n "), "characters, not 0"),
        (lambda _, __: ("C-NOSUCHCASE", "Hello"), "no case or mention C-NOSUCHCASE"),
        (lambda place, _: (heard(place, "hackernews:41", "hn").key, "Hello"), "takes no replies from a program"),
        (lambda place, _: (heard(place, "bluesky:at://x/1").key, "Hello"), "is Mastodon now, and this was said elsew"),
    ],
)
def test_what_cannot_go_out_is_said_before_anything_does(place: Place, key: str, wrong: Wrong, why: str) -> None:
    to, text = wrong(place, key)
    done = place.earful("reply", to, "--text", text, "--yes")
    assert done.exit_code == 2
    assert why in " ".join(done.output.split())
    assert place.told == []


@pytest.mark.parametrize("text", ["x" * 501, " \n "])
def test_what_cannot_go_out_is_said_before_a_person_is_asked(place: Place, key: str, text: str) -> None:
    done = place.earful("reply", key, "--text", text)
    assert done.exit_code == 2
    assert "Send it?" not in done.output


def test_a_status_of_another_instance_is_not_answered_on_this_one(place: Place) -> None:
    done = place.earful("reply", heard(place, "mastodon:elsewhere.example/800").key, "--text", "So sorry.", "--yes")
    assert done.exit_code == 2
    assert "another instance" in " ".join(done.output.split())
    assert place.told == []


def test_the_text_may_come_from_the_standard_input(place: Place, key: str) -> None:
    assert place.earful("reply", key, "--text", "-", "--yes", said="So sorry,\nMia.\n").exit_code == 0
    sent = place.told[0].content.decode()
    assert "Mia." in sent


def test_a_case_that_was_answered_waits_no_longer(place: Place) -> None:
    mention = heard(place, f"mastodon:{place.address.removeprefix('http://')}/801")
    setup = Setup.read(place.folder / "earful.toml")
    (analysis,) = Analyst(Effort.FAST).analyse([Reading.of(mention)])
    with setup.store() as store:
        store.save_analyses([analysis])
        settle(setup, store, mention, analysis)
        case = store.case_of(mention.key)
    assert case is not None
    assert place.earful("reply", case.key, "--text", "So sorry.", "--yes").exit_code == 0
    assert b"801" in place.told[0].content
    (listed,) = json.loads(place.earful("cases", "--all", "--json").output)
    assert listed["answered_at"] is not None
