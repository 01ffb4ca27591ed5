from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import SecretStr

from flows.setup import Setup
from pipeline.errors import SettingsError
from pipeline.triage.judge import Effort

GOOD = """\
database = "sqlite:///memory.db"

[brand]
name = "Hike"
authors = ["@hike@running.example"]
time_zone = "Europe/Berlin"

[[source]]
kind = "hackernews"
name = "hn"
phrase = "Hike"

[[source]]
kind = "mastodon"
name = "fedi"
tag = "hike"
token = "$FEDI_TOKEN"

[[sink]]
kind = "file"
name = "log"
path = "alerts.jsonl"

[[sink]]
kind = "slack"
name = "care"
url = "$CARE_URL"

[grave]
team = "Safety"
sinks = ["care", "log"]

[[route]]
name = "payments"
when = { category = ["billing_payment"], words = "charged? twice" }
team = "Payments"
reply_within = "1h"
sinks = ["care"]

[[route]]
name = "rest"
team = "Support"
reply_within = "4h"
sinks = ["log"]
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FEDI_TOKEN", "tok-3n")
    monkeypatch.setenv("CARE_URL", "https://hooks.slack.example/services/T0/B0/s3cret")
    path = tmp_path / "earful.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_good_settings_are_read_with_secrets_from_the_environment(settings: Path) -> None:
    setup = Setup.read(settings)
    assert [source.name for source in setup.sources] == ["hn", "fedi"]
    assert setup.source("fedi").model_dump()["token"] == SecretStr("tok-3n")
    assert setup.grave_route.reply_within == timedelta(minutes=30)
    assert setup.routes[0].reply_within == timedelta(hours=1)
    assert str(setup.zone) == "Europe/Berlin"


def test_no_secret_shows_in_the_settings_as_printed(settings: Path) -> None:
    shown = repr(Setup.read(settings))
    assert "s3cret" not in shown
    assert "tok-3n" not in shown


def test_paths_are_relative_to_the_settings_file_wherever_the_run_starts(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    setup = Setup.read(settings)
    folder = settings.resolve().parent
    assert setup.database.get_secret_value() == f"sqlite:///{folder / 'memory.db'}"
    assert str(setup.sink("log").model_dump()["path"]) == str(folder / "alerts.jsonl")
    assert setup.digest.folder == folder / "reports"


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ('tag = "hike"', 'tag = "hike"\ncolour = "red"', "line 17: source[2].colour: no such key"),
        ('phrase = "Hike"', "", "line 8: source[1].phrase: this key is needed"),
        ('name = "fedi"', 'name = "hn"', 'line 15: source[2].name: 2 sources are named "hn"'),
        ('sinks = ["log"]', 'sinks = ["lgo"]', 'no sink is named "lgo"; there are: care, log'),
        ('words = "charged? twice"', 'words = "charged? (twice"', "does not compile"),
        ('"$CARE_URL"', '"$CARE_URL_OF_OLD"', "set the environment variable CARE_URL_OF_OLD"),
        ('time_zone = "Europe/Berlin"', 'time_zone = "Berlin"', "line 6: brand.time_zone: no such time zone"),
        ('kind = "mastodon"', 'kind = "myspace"', "line 14: source[2].kind: there is no kind 'myspace'"),
        ('reply_within = "1h"', 'reply_within = "soon"', 'write a duration like "30m"'),
        ("billing_payment", "biling", "route[1].when.category"),
        (
            '[[route]]\nname = "rest"',
            '[[route]]\nname = "rest"\nwhen = { lane = "service" }',
            "the last [[route]] must",
        ),
        ('when = { category = ["billing_payment"], words = "charged? twice" }', "", "takes everything"),
        ('sinks = ["care", "log"]', "sinks = []", "a grave signal must reach somebody"),
        ("[brand]", "[brand", "this is not TOML"),
        ("[[source]]", "[[sources]]", "sources: no such key"),
        ("database = ", 'path = "x"\ndatabase = ', "path: no such key"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place_and_its_mend(
    settings: Path, wrong: str, right: str, said: str
) -> None:
    assert wrong in GOOD
    settings.write_text(GOOD.replace(wrong, right, 1), encoding="utf-8")
    with pytest.raises(SettingsError) as failure:
        Setup.read(settings)
    assert said in str(failure.value)
    assert str(failure.value).startswith(str(settings))


@pytest.mark.parametrize("taken", ["memory.db", "earful.toml", "alerts.jsonl", "./deeper/../memory.db"])
def test_the_cache_of_pages_is_a_file_of_its_own(settings: Path, taken: str) -> None:
    settings.write_text(f'{GOOD}\n[http]\ncache = "{taken}"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"line 47: http\.cache: this file is something else already"):
        Setup.read(settings)


@pytest.mark.parametrize("host", ["http://intranet.example", "intranet.example/wiki", "10.0.0.0/8", "*.example", "a:b"])
def test_a_private_host_that_no_request_could_be_meant_by_is_refused(settings: Path, host: str) -> None:
    settings.write_text(f'{GOOD}\n[http]\nprivate_hosts = ["{host}"]\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"http\.private_hosts: .* is no host; write \"intranet\.example\""):
        Setup.read(settings)


def test_only_the_paths_of_files_are_made_whole(settings: Path) -> None:
    source = '[[source]]\nkind = "file"\nname = "mail"\npath = "mail.csv"\nwhere = { folder = "Inbox" }\n\n[[sink]]'
    settings.write_text(GOOD.replace("[[sink]]", source, 1), encoding="utf-8")
    mail = Setup.read(settings).source("mail").model_dump()
    assert mail["where"] == {"folder": "Inbox"}
    assert mail["path"] == settings.resolve().parent / "mail.csv"


def test_all_faults_are_named_at_once(settings: Path) -> None:
    settings.write_text(GOOD.replace('tag = "hike"', "").replace("$CARE_URL", "$NOT_SET"), encoding="utf-8")
    with pytest.raises(SettingsError) as failure:
        Setup.read(settings)
    assert len(str(failure.value).splitlines()) == 2


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="earful init"):
        Setup.read(tmp_path / "earful.toml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "earful.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="UTF-8"):
        Setup.read(path)


@pytest.mark.parametrize("brand", ["Hike", 'Quote " & Söhne \\ 鞋', "{curly}"])
def test_what_init_writes_can_work_at_once(tmp_path: Path, brand: str) -> None:
    template = files("desk").joinpath("earful.toml").read_text(encoding="utf-8")
    path = tmp_path / "earful.toml"
    escaped = brand.replace("\\", "\\\\").replace('"', '\\"')
    path.write_text(template.format(brand=escaped, tag="brand"), encoding="utf-8")
    assert Setup.read(path).brand.name == brand


def test_a_miss_may_cost_more_in_one_source(settings: Path) -> None:
    assert Setup.read(settings).judgement.miss_cost_of("hn") == 4
    told = '[judgement]\neffort = "fast"\nmiss_cost = 2\n[judgement.sources."fedi"]\nmiss_cost = 10\n'
    settings.write_text(GOOD + told, encoding="utf-8")
    setup = Setup.read(settings)
    judgement = setup.judgement
    assert setup.analyst().effort is Effort.FAST
    assert (judgement.miss_cost_of("hn"), judgement.miss_cost_of("fedi")) == (2, 10)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("miss_cost = 0", "judgement.miss_cost"),
        ("miss_cost = -1", "judgement.miss_cost"),
        ("miss_cost = nan", "judgement.miss_cost"),
        ('effort = "harder"', "judgement.effort"),
        ('[judgement.sources."fedi"]\nmiss_cots = 10', "no such key"),
    ],
)
def test_a_judgement_that_cannot_be_is_named_with_its_line(settings: Path, told: str, words: str) -> None:
    settings.write_text(f"{GOOD}[judgement]\n{told}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=", line ") as error:
        Setup.read(settings)
    assert words in str(error.value)


def test_unless_it_is_said_the_slow_reader_is_asked_where_the_fast_one_is_not_sure(settings: Path) -> None:
    analyst = Setup.read(settings).analyst()
    assert (analyst.effort, analyst.classifier) == (Effort.AUTO, None)


def test_a_miss_may_cost_more_in_a_source_that_is_only_imported_by_hand(settings: Path) -> None:
    settings.write_text(f"{GOOD}[judgement.sources.nps]\nmiss_cost = 10\n", encoding="utf-8")
    assert Setup.read(settings).judgement.miss_cost_of("nps") == 10


def test_asking_for_the_lesson_makes_no_database(settings: Path) -> None:
    setup = Setup.read(settings)
    assert setup.lesson() is None
    assert not (settings.parent / "memory.db").exists()
    with setup.store() as store:
        store.migrate()
    assert setup.lesson() is None
