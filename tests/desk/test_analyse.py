import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

import desk.analyse
import desk.hands
from connectors.sources.file import File
from desk.analyse import FIELDS, _Judge, _tasks
from desk.cli import app
from pipeline.analysis import Analyst
from pipeline.triage.judge import Effort

ROWS: list[dict[str, Any]] = [
    {"id": "a", "text": "My parcel is two weeks late and nobody answers my mails."},
    {"id": 7, "text": "Absolutely love these shoes", "rating": "5/5", "kind": "review"},
    {"id": "c", "text": ""},
    {"id": "d", "text": "😀"},
    {"id": "e", "text": "Das Paket kam kaputt an und niemand antwortet auf meine Mails.", "rating": 1, "rating_max": 5},
    {"id": "f", "text": "x" * 100_000},
    {"id": "g", "text": "a\u0000b \u05e9\u05dc\u05d5\u05dd"},
    {"text": "no id here, where is my refund?"},
]


def analyse(path: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["analyse", str(path), *words])


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_each_row_is_answered_in_order_with_exactly_the_public_fields(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    told = analyse(jsonl(tmp_path / "in.jsonl", ROWS), "--out", str(out))
    assert told.exit_code == 0, told.output
    answers = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [answer["id"] for answer in answers] == ["a", 7, "c", "d", "e", "f", "g", 8]
    for answer in answers:
        assert list(answer) == ["id", *FIELDS]
        assert set(answer["lane_probabilities"]) == {"service", "experience", "noise"}
        assert answer["lane"] in {"service", "experience", "noise", "unscored"}
        assert answer["sentiment"] in {"negative", "neutral", "positive", "unscored"}
    late, love, empty, _, german, *_ = answers
    assert (late["lane"], late["needs_reply"], late["complaint"], late["sentiment"]) == (
        "service",
        True,
        True,
        "negative",
    )
    assert (love["lane"], love["complaint"], love["sentiment"], love["category"]) == (
        "experience",
        False,
        "positive",
        None,
    )
    assert (empty["lane"], empty["sentiment"], empty["sentiment_score"]) == ("unscored", "unscored", None)
    assert (german["lane"], german["language"], german["needs_reply"]) == ("unscored", "de", True)


def test_a_reason_points_at_the_words_it_names(tmp_path: Path) -> None:
    answer = json.loads(analyse(jsonl(tmp_path / "in.jsonl", ROWS[:1])).stdout)
    spans = [reason for reason in answer["reasons"] if reason["start"] is not None]
    assert spans
    for reason in spans:
        assert ROWS[0]["text"][reason["start"] : reason["end"]] == reason["text"]


@pytest.mark.parametrize("form", ["csv", "jsonl.gz", "parquet"])
def test_every_format_gives_the_same_answers(tmp_path: Path, form: str) -> None:
    rows = [{"id": f"r{n}", "text": row["text"]} for n, row in enumerate(ROWS[:2])]
    path = tmp_path / f"in.{form}"
    if form == "csv":
        path.write_text("id,text\n" + "".join(f'{row["id"]},"{row["text"]}"\n' for row in rows), encoding="utf-8")
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    expected = analyse(jsonl(tmp_path / "same.jsonl", rows)).stdout
    assert analyse(path).stdout == expected


def test_how_hard_it_thinks_can_be_said(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "in.jsonl", ROWS[:2])
    told = {
        effort: json.loads(analyse(path, "--effort", effort).stdout.splitlines()[0])["versions"] for effort in Effort
    }
    assert [versions["effort"] for versions in told.values()] == [*Effort]
    assert ["second" in versions for versions in told.values()] == [False, True, True]
    assert json.loads(analyse(path).stdout.splitlines()[0])["versions"] == told[Effort.ACCURATE]


def test_a_long_file_is_answered_in_order_whatever_number_of_cores_judges_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"id": number, "text": f"{row['text'][:200]} {number}"} for number, row in enumerate(ROWS * 15)]
    path = jsonl(tmp_path / "in.jsonl", rows)
    monkeypatch.setattr(desk.analyse, "ROWS", 10)
    told = []
    for cores in (1, 3):
        monkeypatch.setattr(desk.hands, "usable_cores", lambda cores=cores: cores)
        told.append(analyse(path, "--effort", "fast").stdout.splitlines())
    assert [json.loads(line)["id"] for line in told[0]] == list(range(120))
    assert told[0] == told[1]


def test_a_helper_is_told_all_it_needs_to_answer_the_same(tmp_path: Path) -> None:
    source = File(
        kind="file",
        name="analyse",
        path=jsonl(tmp_path / "in.jsonl", [*ROWS[:4], {"text": 1}]),
        columns={"said_at": ""},
    )
    judge = _Judge(source, Analyst(Effort.FAST))
    (rows,) = _tasks(source)
    assert pickle.loads(pickle.dumps(judge))(pickle.loads(pickle.dumps(rows))) == judge(rows)


def test_a_row_that_cannot_be_read_is_answered_in_its_place_with_why(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"id": 1, "text": "fine"}\nnot json\n{"id": 3, "text": "fine"}\n', encoding="utf-8")
    told = analyse(path)
    assert told.exit_code == 1
    answers = [json.loads(line) for line in told.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [1, 2, 3]
    assert [("error" in answer) for answer in answers] == [False, True, False]
    assert "1 could not be read" in told.stderr


@pytest.mark.parametrize(
    ("name", "content"), [("a.parquet", b"text\nhi\n"), ("b.jsonl.gz", b"no gzip"), ("c.csv", b"\0\1\2" * 99)]
)
def test_a_file_that_is_not_what_its_name_says_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    out = tmp_path / "out.jsonl"
    told = analyse(path, "--out", str(out))
    assert told.exit_code == 2
    assert name in told.stderr
    assert not out.exists()


def test_the_labelled_set_is_answered_whole(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "dev.jsonl"
    assert analyse(shared / "gold" / "dev.jsonl", "--out", str(out)).exit_code == 0
    asked = [json.loads(line)["id"] for line in (shared / "gold" / "dev.jsonl").read_text("utf-8").splitlines()]
    assert [json.loads(line)["id"] for line in out.read_text("utf-8").splitlines()] == asked
    assert len(asked) == 441
