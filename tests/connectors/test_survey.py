"""Surveys as files: what each kind of question asks for is a scale, and its answers are of kind survey."""

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from connectors.contract import Batch, fetch
from connectors.sources.file import File
from pipeline.errors import RefusedError
from pipeline.mention import MentionKind

DELIGHTED = [
    {
        "id": "1",
        "person": "9",
        "survey_type": "nps",
        "score": 0,
        "comment": "Sohle löst sich",
        "created_at": 1392335579,
    },
    {"id": "2", "person": "8", "survey_type": "nps", "score": 10, "comment": None, "created_at": 1392335600},
]


def walk(path: Path, since: str | None = None, **more: object) -> list[Batch]:
    source = File.model_validate({"name": "survey", "path": path, **more})
    with httpx.Client() as unused:
        return list(fetch(source, unused, since))


@pytest.mark.parametrize(
    ("scale", "answer", "ends"), [("nps", 0, (0, 10)), ("csat", 5, (1, 5)), ("thumbs", 1, (0, 1)), ("ces", 7, (1, 7))]
)
def test_the_kind_of_survey_says_the_scale(tmp_path: Path, scale: str, answer: int, ends: tuple[int, int]) -> None:
    path = tmp_path / "survey.csv"
    path.write_text(f"id;score;comment\n1;{answer};Good\n", encoding="utf-8")
    (batch,) = walk(path, scale=scale)
    (mention,) = batch.mentions
    assert (mention.rating, mention.rating_min, mention.rating_max) == (answer, *ends)
    assert mention.kind is MentionKind.SURVEY


def test_an_answer_off_the_scale_is_kept_aside_and_the_rest_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "survey.csv"
    path.write_text("id;score;comment\n1;11;Good\n2;0;Bad\n3;;No number\n", encoding="utf-8")
    (batch,) = walk(path, scale="nps")
    assert [(mention.rating, mention.text) for mention in batch.mentions] == [(0, "Bad"), (None, "No number")]
    assert [aside.reason for aside in batch.rejected] == [
        "the rating is off the scale 0 to 10; set rating_min and rating_max right"
    ]
    assert batch.mentions[1].kind is MentionKind.SURVEY, "no number given is still an answer to a survey"


def test_own_ends_win_over_those_of_the_kind_of_survey(tmp_path: Path) -> None:
    path = tmp_path / "survey.csv"
    path.write_text("id;score;comment\n1;5;Good\n", encoding="utf-8")
    (batch,) = walk(path, scale="ces", rating_max=5)
    assert (batch.mentions[0].rating_min, batch.mentions[0].rating_max) == (1, 5)
    with pytest.raises(ValidationError, match="rating_max must be above"):
        walk(path, scale="ces", rating_max=1)


def test_an_export_that_is_one_json_list_is_read_and_known_again(tmp_path: Path) -> None:
    path = tmp_path / "responses.json"
    path.write_text(json.dumps([*DELIGHTED, 7], indent=1), encoding="utf-8")
    (batch,) = walk(path, scale="nps")
    assert [(mention.key, mention.rating, mention.text) for mention in batch.mentions] == [
        ("file:survey:1", 0, "Sohle löst sich"),
        ("file:survey:2", 10, ""),
    ]
    assert batch.mentions[0].said_at == datetime(2014, 2, 13, 23, 52, 59, tzinfo=UTC)
    assert [(aside.place, aside.reason) for aside in batch.rejected] == [
        ("row 3", "the row is JSON, but no object with columns")
    ]
    (again,) = walk(path, batch.cursor, scale="nps")
    assert (again.mentions, again.cursor) == ([], batch.cursor)
    path.write_text(json.dumps([*DELIGHTED, {**DELIGHTED[0], "id": "3"}]), encoding="utf-8")
    (more,) = walk(path, batch.cursor, scale="nps")
    assert [mention.key for mention in more.mentions] == ["file:survey:1", "file:survey:2", "file:survey:3"]


@pytest.mark.parametrize("first", ['["id", "comment", "score"]', "[]", "7"])
def test_lines_of_json_whose_first_is_a_list_are_lines(tmp_path: Path, first: str) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text("\n".join([first, *(json.dumps(row) for row in DELIGHTED)]) + "\n", encoding="utf-8")
    (batch,) = walk(path, scale="nps")
    assert [mention.key for mention in batch.mentions] == ["file:survey:1", "file:survey:2"]
    assert [(aside.place, aside.reason) for aside in batch.rejected] == [
        ("line 1", "the row is JSON, but no object with columns")
    ]


def test_a_json_list_on_one_line_is_a_list(tmp_path: Path) -> None:
    path = tmp_path / "responses.json"
    path.write_text(json.dumps(DELIGHTED) + "\n\n", encoding="utf-8")
    (batch,) = walk(path, scale="nps")
    assert len(batch.mentions) == 2


def test_a_json_list_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "responses.json"
    path.write_text(json.dumps(DELIGHTED)[:-5], encoding="utf-8")
    with pytest.raises(RefusedError, match="is a JSON list that is broken or cut short"):
        walk(path, scale="nps")


def test_the_documented_delighted_export_is_read(shared: Path) -> None:
    (batch,) = walk(shared / "fixtures/delighted/survey_responses_examples.json", scale="nps")
    assert [(mention.key, mention.rating, mention.rating_max, mention.text) for mention in batch.mentions] == [
        ("file:survey:5435", 0, 10, "Really Really Horrible"),
        ("file:survey:5436", 10, 10, ""),
    ]
    assert batch.mentions[1].said_at == datetime.fromtimestamp(1392335600, UTC)
    assert batch.mentions[0].url == "https://app.delighted.com/r/REDACTED"
    assert {mention.kind for mention in batch.mentions} == {MentionKind.SURVEY}


def test_the_german_survey_export_is_read(shared: Path) -> None:
    more = {"scale": "nps", "timezone": "Europe/Berlin"}
    (batch,) = walk(shared / "fixtures/csv_import/survey_export_semicolon.csv", **more)
    assert [(mention.key, mention.rating, mention.text) for mention in batch.mentions] == [
        ("file:survey:1", 9, "Super; gerne wieder 😊"),
        ("file:survey:2", 0, "Nie wieder!\nZu langsam"),
    ]
    assert batch.mentions[0].said_at == datetime(2026, 9, 24, 8, 15, tzinfo=UTC)
    assert {mention.language for mention in batch.mentions} == {"de"}
    assert len(batch.rejected) == 2
