"""`earful record` against a real server: what it writes holds no secret and nobody's data, and the kit replays it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from connectors.conform.server import Wire, serving, whole
from desk.cli import app

TOKEN = "hush/hush+tooth&1"
SETTINGS = """
[brand]
name = "Hike"

[[source]]
kind = "mastodon"
name = "fedi"
instance = "{address}"
tag = "hike"
token = "{token}"

[[source]]
kind = "file"
name = "survey"
path = "survey.csv"

[[sink]]
kind = "file"
name = "log"
path = "alerts.jsonl"

[grave]
team = "Safety"
sinks = ["log"]

[[route]]
name = "rest"
team = "Care"
reply_within = "1d"
sinks = ["log"]
"""
PEOPLE = (
    "Annabel Quirk",
    "annabel_quirk",
    "cleo_dee",
    "Cleo Dee",
    "annabel@mail.example",
    "+44 20 7946 0958",
    "10.1.2.3",
)
MANY = 45


def _status(number: int) -> dict[str, Any]:
    author = ("annabel_quirk", "Annabel Quirk") if number % 2 else ("cleo_dee", "Cleo Dee")
    said = f"Shoe {number} pinches, says Annabel Quirk: annabel@mail.example, +44 20 7946 0958, from 10.1.2.3 #hike"
    return {
        "id": str(1000 + number),
        "created_at": f"2026-10-05T12:{number:02}:00.000Z",
        "edited_at": None,
        "in_reply_to_id": None,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": f"https://social.example/users/{author[0]}/statuses/{1000 + number}",
        "url": f"https://social.example/@{author[0]}/{1000 + number}",
        "content": f"<p>{said}</p>",
        "reblog": None,
        "account": {
            "id": str(number % 2 + 7),
            "acct": author[0],
            "display_name": author[1],
            "avatar": f"https://social.example/{author[0]}.png",
            "followers_count": 12,
            "bot": False,
        },
        "tags": [{"name": "hike"}],
    }


def _place(request: httpx.Request) -> Wire:
    """A timeline of a hashtag, which repeats the key it was asked with in a header and a link."""
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    asked = request.url.params
    lowest, highest = int(asked.get("min_id", 0)), int(asked.get("max_id", 9_999))
    fitting = [one for one in map(_status, range(MANY, 0, -1)) if lowest < int(one["id"]) < highest]
    page = fitting[-40:] if "min_id" in asked else fitting[:40]
    headers = {"set-cookie": f"session={TOKEN}"}
    if page:
        here = f"{request.url.copy_with(query=None)}?limit=40"
        ways = {"next": f"max_id={page[-1]['id']}", "prev": f"min_id={page[0]['id']}"}
        headers["link"] = ", ".join(f'<{here}&{way}>; rel="{name}"' for name, way in ways.items())
    return whole(httpx.Response(200, headers=headers, json=page))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    with serving(_place) as address:
        file = tmp_path / "earful.toml"
        file.write_text(SETTINGS.format(address=address.replace("127.0.0.1", "localhost"), token=TOKEN), "utf-8")
        yield file


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, " ".join(done.output.split())


def test_what_is_recorded_holds_no_secret_and_nobody_and_replays_through_the_kit(settings: Path) -> None:
    code, told = run("record", "fedi", "-s", str(settings))
    assert (code, f"and {MANY} mentions to recordings/fedi" in told) == (0, True)
    folder = settings.parent / "recordings/fedi"
    assert sorted(file.name for file in folder.iterdir()) == ["exchanges.json", "expected.json", "settings.json"]
    written = "".join(file.read_text("utf-8") for file in folder.iterdir())
    assert [one for one in (*PEOPLE, TOKEN, "tooth", ".png", "set-cookie") if one in written] == []
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    assert len(expected) == MANY
    authors = {one["author"] for one in expected}
    assert (len(authors), all(author.startswith("person-") for author in authors)) == (2, True)
    assert all("Shoe" in one["text"] and "person@example.com" in one["text"] for one in expected)
    code, told = run("conform", "connectors.sources.mastodon:Mastodon", "--recordings", str(folder), "--json")
    assert (code, json.loads(told)[0]["failings"]) == (0, [])
    assert json.loads(told)[0]["points"] == 100


def test_a_recording_that_was_cut_says_that_the_kit_cannot_replay_it(settings: Path) -> None:
    code, told = run("record", "fedi", "-s", str(settings), "--pages", "1", "--out", "cut")
    assert code == 0
    assert "There is more than 1 page: `earful conform` replays only what was walked to its end." in told
    assert len(json.loads((settings.parent / "cut/exchanges.json").read_text("utf-8"))) == 1


def test_a_place_that_says_something_new_at_every_call_is_told_of(settings: Path) -> None:
    said = iter(range(1, 1000))

    def busy(request: httpx.Request) -> Wire:
        lowest = int(request.url.params.get("min_id", 0))
        fresh = [one for one in (_status(number) for number in range(next(said), 0, -1)) if int(one["id"]) > lowest]
        return whole(httpx.Response(200, json=fresh))

    with serving(busy) as address:
        settings.write_text(
            SETTINGS.format(address=address.replace("127.0.0.1", "localhost"), token=TOKEN), encoding="utf-8"
        )
        code, told = run("record", "fedi", "-s", str(settings), "--out", "busy")
    assert code == 0
    assert "Something new came at every call, the last one too: `earful conform` replays only" in told


def test_what_is_refused_or_asks_no_server_writes_nothing(settings: Path) -> None:
    settings.write_text(settings.read_text("utf-8").replace('tag = "hike"', 'tag = "hike"\nfirst_pages = 0'), "utf-8")
    assert run("record", "fedi", "-s", str(settings))[0] == 2
    settings.write_text(settings.read_text("utf-8").replace("\nfirst_pages = 0", ""), "utf-8")
    (settings.parent / "survey.csv").write_text("id,text,at\n1,fine,2026-10-05\n", "utf-8")
    code, told = run("record", "survey", "-s", str(settings))
    assert (code, "was not asked anything over HTTP, so there is nothing to record" in told) == (1, True)
    code, told = run("record", "nobody", "-s", str(settings))
    assert (code, "fedi" in told) == (2, True)
    assert not (settings.parent / "recordings").exists()


def test_a_place_that_refuses_is_told_and_nothing_is_written(settings: Path) -> None:
    with serving(lambda _: whole(httpx.Response(403))) as address:
        settings.write_text(SETTINGS.format(address=address, token=TOKEN), "utf-8")
        code, told = run("record", "fedi", "-s", str(settings))
    assert (code, "could not be walked; nothing was written" in told, TOKEN in told) == (1, True, False)
    assert not (settings.parent / "recordings").exists()
