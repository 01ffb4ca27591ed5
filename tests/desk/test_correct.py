"""Where people say what was judged wrong: the queue, the correction, and what comes of it."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from desk.cli import app
from flows import collect
from flows import judge as judging
from pipeline.correction import SAID_SO
from pipeline.triage.learning import LEAST
from tests.town import PLAINT, PRAISE, Town

LOOSE = "Lovely colour, lovely laces. Pair number {number} was lovely, then the sole came loose."


def earful(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def judge(town: Town) -> None:
    """Judge and open cases, without Prefect's server."""
    setup = town.setup()
    judging.analyse.fn(setup)
    judging.open_cases.fn(setup)


def hear(town: Town) -> None:
    """What a run of the flow leaves behind."""
    setup = town.setup()
    with setup.store() as store:
        store.migrate()
    for source in setup.sources:
        collect.bring_home(setup, source)
    judge(town)


@pytest.fixture
def heard(town: Town, database: str) -> Town:
    """Two complaints and two words of praise, heard and judged, on SQLite and on PostgreSQL."""
    town.use(database)
    town.write(plaints=2, praise=2)
    hear(town)
    return town


def keys(town: Town, words: str) -> list[str]:
    """The keys of mentions with these words."""
    with town.store() as store:
        setup = town.setup()
        every = store.judged(setup.now().replace(year=2000), setup.now())
        return [mention.key for mention, _ in every if words in mention.text]


def asked(town: Town, *words: object) -> list[dict[str, Any]]:
    told = earful("review", "-s", town.settings, "--days", 3650, "--json", *words)
    assert told.exit_code == 0, told.output
    rows: list[dict[str, Any]] = json.loads(told.stdout)
    return rows


def cases(town: Town, *words: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(earful("cases", "-s", town.settings, "--json", *words).stdout)
    return rows


def test_praise_corrected_to_service_opens_a_case_on_the_next_run(heard: Town) -> None:
    key = keys(heard, PRAISE[:20])[0]
    assert len(cases(heard)) == 2
    words = ("--lane", "service", "--category", "return_refund", "--urgency", "high", "--by", "Ann")
    told = earful("correct", key, "-s", heard.settings, *words)
    assert told.exit_code == 0, told.output + told.stderr
    assert f"{key} is now: service, return refund, high, positive." in told.output
    assert "The next `earful listen` sees to its case" in told.output
    judge(heard)
    opened = next(row for row in cases(heard) if row["first_mention"] == key)
    assert (opened["category"], opened["urgency"]) == ("return_refund", "high")
    told = earful("correct", key, "-s", heard.settings, *words)
    assert "that was said before" in told.output
    judge(heard)
    assert len(cases(heard)) == 3


def test_a_complaint_corrected_away_keeps_its_case_and_the_list_of_cases_says_so(heard: Town) -> None:
    row = cases(heard)[0]
    told = earful("correct", row["key"], "-s", heard.settings, "--lane", "experience", "--by", "Ann")
    assert told.exit_code == 0, told.output + told.stderr
    close = told.output[told.output.index("earful cases") :].split("\n")[0]
    assert f"close {row['key']} --because" in close
    judge(heard)
    assert len(cases(heard)) == 2
    shown = earful("cases", "-s", heard.settings)
    assert shown.output.count("a person said experience") == 1
    said = next(one for one in cases(heard) if one["key"] == row["key"])["said"][0]["analysis"]
    assert (said["lane"], said["needs_reply"]) == ("experience", False)
    assert said["reasons"][0] == {"field": "lane", "text": SAID_SO, "start": None, "end": None, "weight": 1.0}
    assert earful("cases", "-s", heard.settings, "close", row["key"]).exit_code == 0
    assert "a person said" not in earful("cases", "-s", heard.settings, "--all").output


def test_the_report_counts_corrected_answers(heard: Town) -> None:
    def lanes() -> tuple[int, int]:
        page = heard.folder / "page.html"
        days = ("--from", "2026-11-01", "--to", "2026-11-07")
        whole = json.loads(earful("report", "-s", heard.settings, *days, "-o", page, "--json").stdout)
        return whole["service"], whole["experience"]

    before = lanes()
    earful("correct", keys(heard, PRAISE[:20])[0], "-s", heard.settings, "--lane", "service", "--by", "Ann")
    assert lanes() == (before[0] + 1, before[1] - 1)


def test_what_is_in_doubt_is_listed_with_its_why_until_somebody_says_what_is_right(heard: Town) -> None:
    assert asked(heard) == []
    cautious = '[judgement]\nmiss_cost = 4\n[judgement.sources."survey"]\nmiss_cost = 1000\n'
    heard.settings.write_text(heard.settings.read_text("utf-8") + cautious, "utf-8")
    rows = asked(heard)
    assert {row["mention"]["source"] for row in rows} == {"survey"}
    assert all("but service at" in row["why"][0] for row in rows)
    assert [row["at_stake"] for row in rows] == sorted((row["at_stake"] for row in rows), reverse=True)
    assert asked(heard, "--source", "forum") == []
    assert asked(heard, "-n", 1) == rows[:1]
    key = rows[0]["mention"]["key"]
    shown = earful("review", "-s", heard.settings, "--days", 3650)
    assert key in shown.output
    assert f"earful correct {key} --right --by NAME" in shown.output.replace("\n", "")
    told = earful("correct", key, "-s", heard.settings, "--right", "--by", "Ann")
    assert told.exit_code == 0
    assert f"{key} is confirmed: experience, positive." in told.output
    assert [row["mention"]["key"] for row in asked(heard)] == [row["mention"]["key"] for row in rows[1:]]


def test_an_answer_that_cannot_be_is_refused_and_nothing_is_written(heard: Town) -> None:
    key = keys(heard, PRAISE[:20])[0]
    for words, say in (
        (("--lane", "servise"), '"servise" is no lane; say one of: service, experience, noise'),
        (("--category", "delivery"), "belongs to the service lane"),
        ((), "Say what is right"),
        (("--right", "--lane", "noise"), "Say what is right"),
    ):
        told = earful("correct", key, "-s", heard.settings, "--by", "Ann", *words)
        assert told.exit_code == 2, words
        assert say in " ".join(told.stderr.split())
    told = earful("correct", key, "-s", heard.settings, "--by", " ", "--right")
    assert told.exit_code == 2
    assert "say who" in told.stderr
    with heard.store() as store:
        assert store.corrections(key) == []


def test_a_mention_that_is_not_there_or_not_judged_is_said(heard: Town) -> None:
    told = earful("correct", "forum:none", "-s", heard.settings, "--right", "--by", "Ann")
    assert told.exit_code == 1
    assert "There is no mention forum:none" in " ".join(told.stderr.split())
    setup = heard.setup()
    source = setup.source("survey")
    rows = (heard.folder / "survey.csv").read_text("utf-8")
    (heard.folder / "survey.csv").write_text(rows.replace("Absolutely love", "Absolutely adore"), "utf-8")
    collect.bring_home(setup, source)
    with heard.store() as store:
        waiting = store.unanalysed("none", 9)
    edited = next(one.key for one in waiting if "adore" in one.text)
    told = earful("correct", edited, "-s", heard.settings, "--right", "--by", "Ann")
    assert told.exit_code == 1
    assert "waits to be judged" in " ".join(told.stderr.split())


def test_a_correction_can_be_read_by_a_script_and_named_by_the_environment(
    heard: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARFUL_BY", "Ann")
    key = keys(heard, PRAISE[:20])[0]
    told = json.loads(earful("correct", key, "-s", heard.settings, "--sentiment", "neutral", "--json").stdout)
    assert [(one["field"], one["said"], one["answer"], one["by"]) for one in told["corrections"]] == [
        ("sentiment", "positive", "neutral", "Ann")
    ]
    assert told["analysis"]["sentiment"] == "neutral"


def teach(town: Town, number: int) -> list[str]:
    """So many mentions that the model takes for praise, corrected to service by a person."""
    rows = "".join(f'{n},"{LOOSE.format(number=n)}",2026-11-02 12:00,person-{n}\n' for n in range(number))
    (town.folder / "survey.csv").write_text("id,text,said_at,author\n" + rows, "utf-8")
    hear(town)
    taught = keys(town, "sole came loose")
    for key in taught:
        words = ("--lane", "service", "--category", "product_defect", "--by", "Ann")
        assert earful("correct", key, "-s", town.settings, *words).exit_code == 0
    return taught


def learn(town: Town, *words: object) -> tuple[int, dict[str, Any]]:
    told = earful("learn", "-s", town.settings, "--json", *words)
    return told.exit_code, json.loads(told.stdout)


def test_there_is_nothing_to_learn_from_a_few(town: Town) -> None:
    teach(town, LEAST - 1)
    told = earful("learn", "-s", town.settings)
    assert told.exit_code == 1
    assert f"{LEAST - 1} mentions are corrected; it takes {LEAST}" in " ".join(told.output.split())
    with town.store() as store:
        assert store.lesson() is None


def test_a_lesson_that_harms_nothing_is_adopted_once_and_said_in_a_table(town: Town) -> None:
    teach(town, LEAST)
    code, dry = learn(town, "--dry-run")
    assert (code, dry["good"], dry["adopted"]) == (0, True, False)
    with town.store() as store:
        assert store.lesson() is None
    code, first = learn(town)
    assert (code, first["adopted"], first["lesson"]) == (0, True, dry["lesson"])
    assert {row["among"] for row in first["changes"]} == {"corrections", "regression set"}
    assert not [row for row in first["changes"] if row["verdict"] == "worse"]
    code, second = learn(town)
    assert (code, second["adopted"], second["lesson"]) == (0, False, first["lesson"])
    with town.store() as store:
        lesson, adopted = store.lesson(), store.adopted()
    assert lesson is not None
    assert adopted is not None
    assert lesson.version == adopted.version == first["lesson"]
    standing = json.loads(earful("status", "-s", town.settings, "--json").stdout)
    assert (standing["lesson"]["version"], standing["drift"]) == (first["lesson"], [])
    shown = " ".join(earful("status", "-s", town.settings).output.split())
    assert f"the lesson in use is {first['lesson']}" in shown
    assert f"{LEAST} were judged by another version" in shown
    shown = earful("learn", "-s", town.settings).output
    for column in ("question", "measured on", "before", "after", "95 %", "regression set", "lane"):
        assert column in shown
    assert "nothing to adopt" in " ".join(shown.split())


def test_a_lesson_that_does_harm_is_not_adopted_and_named(town: Town, tmp_path: Path) -> None:
    teach(town, LEAST)
    gold = tmp_path / "gold"
    gold.mkdir()
    row = {"dataset": "shop", "kind": "survey", "rating": None, "lane": "experience", "sentiment": "positive"}
    rows = [row | {"id": str(n), "text": LOOSE.format(number=n)} for n in range(30)]  # as if all that was right
    (gold / "dev.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    code, told = learn(town, "--gold", gold)
    assert (code, told["good"], told["adopted"]) == (1, False, False)
    assert "lane in the gold dev (all)" in told["why"]
    with town.store() as store:
        assert store.lesson() is None


def test_a_gold_folder_that_is_none_and_a_line_that_is_wrong_are_named(town: Town, tmp_path: Path) -> None:
    told = earful("learn", "-s", town.settings, "--gold", tmp_path / "none")
    assert told.exit_code == 2
    assert "there is no dev.jsonl" in " ".join(told.stderr.split())
    (tmp_path / "dev.jsonl").write_text("{}\n", "utf-8")
    told = earful("learn", "-s", town.settings, "--gold", tmp_path)
    assert told.exit_code == 2
    assert "line 1" in told.stderr


def test_after_learning_every_run_judges_by_the_lesson_the_past_included(town: Town) -> None:
    teach(town, LEAST)
    town.entries = [LOOSE.format(number=99), PRAISE.format(number=1)]
    hear(town)
    unseen, praise = keys(town, "number 99")[0], keys(town, PRAISE[:20])[0]
    with town.store() as store:
        before = store.analyses([unseen, praise])
    assert before[unseen].lane == "experience"
    _, told = learn(town)
    assert told["adopted"]
    hear(town)
    with town.store() as store:
        after = store.analyses([unseen, praise])
    assert (after[unseen].lane, after[unseen].category) == ("service", "product_defect")
    assert after[praise].lane == before[praise].lane
    assert after[praise].versions["lesson"] == told["lesson"]
    assert after[praise].version != before[praise].version


def test_a_damaged_lesson_stops_the_run_by_name_and_learning_makes_it_anew(town: Town) -> None:
    teach(town, LEAST)
    _, told = learn(town)
    with sqlite3.connect(town.folder / "earful.db") as database:
        database.execute("UPDATE lesson SET content = '{}'")
    database.close()
    status = earful("status", "-s", town.settings)
    assert status.exit_code == 1
    words = " ".join(status.output.split())
    assert "no mention can be judged: lesson 1 in the database" in words
    assert "last heard" in words
    standing = json.loads(earful("status", "-s", town.settings, "--json").stdout)
    assert not standing["healthy"]
    assert "is damaged" in standing["judgement_error"]
    code, again = learn(town)
    assert (code, again["adopted"], again["lesson"]) == (0, True, told["lesson"])
    assert earful("status", "-s", town.settings).exit_code == 0


def test_a_damaged_lesson_is_made_anew_though_its_latest_correction_was_edited_away(town: Town) -> None:
    teach(town, LEAST + 1)
    _, told = learn(town)
    rows = (town.folder / "survey.csv").read_text("utf-8")
    with town.store() as store:
        taught = max(store.taught(99), key=lambda one: one[1][0].at)[0]
    (town.folder / "survey.csv").write_text(rows.replace(taught.text, "All is well."), "utf-8")
    hear(town)
    with sqlite3.connect(town.folder / "earful.db") as database:
        database.execute("UPDATE lesson SET content = '{}'")
    database.close()
    code, again = learn(town)
    assert (code, again["corrected"], again["adopted"]) == (0, LEAST, True)
    assert again["lesson"] != told["lesson"]
    assert earful("status", "-s", town.settings).exit_code == 0


def test_what_cannot_be_read_is_not_counted_among_what_is_learnt_from(town: Town) -> None:
    foreign = "Seit drei Wochen warte ich auf meine Schuhe und niemand antwortet mir."
    rows = f'99,"{foreign}",2026-11-02 12:00,mia\n'
    teach(town, LEAST - 1)
    (town.folder / "survey.csv").write_text("id,text,said_at,author\n" + rows, "utf-8")
    hear(town)
    key = keys(town, foreign)[0]
    assert earful("correct", key, "-s", town.settings, "--lane", "service", "--by", "Ann").exit_code == 0
    code, told = learn(town)
    assert (code, told["corrected"], told["unreadable"]) == (1, LEAST - 1, 1)
    assert f"{LEAST - 1} mentions are corrected, besides 1 in languages that Earful cannot judge" in told["why"]


def test_a_complaint_nobody_can_read_keeps_its_case_when_a_person_says_it_is_right(town: Town) -> None:
    rows = "id,text,said_at,author,rating\n1,Seit drei Wochen warte ich auf meine Schuhe.,2026-11-02 12:00,mia,1\n"
    (town.folder / "survey.csv").write_text(rows, "utf-8")
    hear(town)
    row = cases(town)[0]
    told = earful("correct", row["key"], "-s", town.settings, "--right", "--by", "Ann")
    assert told.exit_code == 0, told.output + told.stderr
    assert "is confirmed: unscored, negative." in told.output
    assert "close" not in told.output


def test_a_word_taken_back_by_somebody_else_is_a_change_and_all_of_it_can_be_read(heard: Town) -> None:
    key = keys(heard, PRAISE[:20])[0]
    earful("correct", key, "-s", heard.settings, "--lane", "service", "--by", "Ann")
    told = earful("correct", key, "-s", heard.settings, "--lane", "experience", "--by", "Bob")
    assert f"{key} is now: experience" in told.output
    shown = " ".join(earful("why", key, "-s", heard.settings).output.split())
    assert "lane: experience → service, by Ann" in shown
    assert "lane: experience is right, by Bob" in shown
    assert "a person said" not in shown
    earful("correct", key, "-s", heard.settings, "--lane", "noise", "--by", "Ann")
    assert "a person said noise" in " ".join(earful("why", key, "-s", heard.settings).output.split())
    made = json.loads(earful("why", key, "-s", heard.settings, "--json").stdout)
    assert [(one["answer"], one["by"]) for one in made["corrections"]] == [
        ("service", "Ann"),
        ("experience", "Bob"),
        ("noise", "Ann"),
    ]
    assert made["answers"][0]["answer"] == "experience"


def test_any_text_is_judged_as_the_settings_say_where_there_are_any(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach(town, LEAST)
    words = ("why", "--text", LOOSE.format(number=99), "--json")
    monkeypatch.chdir(tmp_path / "..")
    bare = json.loads(earful(*words).stdout)["answers"][0]
    assert learn(town)[1]["adopted"]
    taught = json.loads(earful(*words, "-s", town.settings).stdout)["answers"][0]
    assert (bare["answer"], taught["answer"]) == ("experience", "service")


def test_where_nothing_was_looked_at_the_review_says_what_waits_and_refuses_a_source_there_is_not(town: Town) -> None:
    town.write(plaints=2, praise=2)
    setup = town.setup()
    with setup.store() as store:
        store.migrate()
    for source in setup.sources:
        collect.bring_home(setup, source)
    words = ("review", "-s", town.settings, "--days", 3650)
    assert "4 wait to be judged: earful listen" in " ".join(earful(*words).output.split())
    assert "2 wait to be judged" in " ".join(earful(*words, "--source", "survey").output.split())
    told = earful(*words, "--source", "suvrey")
    assert told.exit_code == 2
    assert 'No source is named "suvrey"; there are: forum, survey' in " ".join(told.stderr.split())


def test_two_who_learn_at_once_adopt_one_lesson(town: Town, database: str) -> None:
    town.use(database)
    teach(town, LEAST)
    words = [sys.executable, "-m", "desk", "learn", "-s", str(town.settings), "--json"]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=300)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    told = [json.loads(one) for one in said]
    assert sorted(one["adopted"] for one in told) == [False, True]
    assert len({one["lesson"] for one in told}) == 1


def test_a_complaint_and_praise_are_what_the_tests_take_them_for(heard: Town) -> None:
    with heard.store() as store:
        assert store.counts().by_lane == {"service": 2, "experience": 2}
    assert len(keys(heard, PLAINT[:20])) == 2
