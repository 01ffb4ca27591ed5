import gzip
import json
from pathlib import Path
from zlib import crc32

import pytest

from pipeline.errors import SettingsError
from pipeline.triage import labelled
from pipeline.triage.model import GRAVE, HEADS

GOOD = {
    "id": "t1",
    "text": "the zip broke",
    "kind": "review",
    "rating": "2/5",
    "lane": "service",
    "complaint": "yes",
    "sentiment": "negative",
    "category": "product_defect",
    "urgency": "normal",
    "stage": "use",
    "touchpoint": "product",
    "factor": "",
}


def gold(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_corrupt_label_file_is_refused_with_every_bad_line_named(tmp_path: Path) -> None:
    good = json.dumps(GOOD)
    bad = [
        "{not json",
        json.dumps(GOOD | {"lane": "servise"}),
        json.dumps(GOOD | {"factor": "price_value"}),
        json.dumps(GOOD | {"text": "  "}),
        "[]",
    ]
    with pytest.raises(SettingsError) as refused:
        labelled.gold(gold(tmp_path / "train.jsonl", good, *bad, good))
    said = str(refused.value)
    assert "train.jsonl" in said
    assert "nothing was changed" in said
    for number, what in (
        (2, "no JSON"),
        (3, "lane is 'servise'; it may be service, experience, noise"),
        (4, "always and only"),
        (5, "no text"),
        (6, "no object"),
    ):
        assert f"line {number}: " in said
        assert what in said
    assert "line 1:" not in said
    assert "line 7:" not in said


def test_of_many_bad_lines_ten_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="line 10: no JSON; and 15 more"):
        labelled.gold(gold(tmp_path / "train.jsonl", *["{"] * 25))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One set of two texts, and a file of labels that can be written anew."""
    with gzip.open(tmp_path / "app_urr.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write('{"text": "it crashes", "rating": "2"}\n{"text": "it sings", "rating": ""}\n')
    monkeypatch.setattr(labelled, "LABELS", tmp_path / "labels.csv")
    return tmp_path


def label(data: Path, *rows: tuple[str, int, str, dict[str, str]]) -> None:
    lines = [f"set,line,check,{','.join(HEADS)}"]
    for name, line, text, answers in rows:
        check = f"{crc32(text.encode()):08x}"
        lines.append(f"{name},{line},{check},{','.join((GOOD | answers)[head] for head in HEADS)}")
    (data / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_our_labels_find_their_texts_by_set_and_line(data: Path) -> None:
    label(data, ("app_urr", 0, "it crashes", {}), ("app_urr", 1, "it sings", {}))
    first, second = labelled.labels(data)
    assert (first["text"], first["kind"], first["rating"]) == ("it crashes", "review", "2/5")
    assert second["rating"] is None
    assert {head: first[head] for head in HEADS} == {head: GOOD[head] for head in HEADS}


def test_a_label_whose_text_is_not_there_or_another_is_named_by_its_line(data: Path) -> None:
    label(
        data,
        ("app_urr", 0, "another text", {}),
        ("app_urr", 7, "it crashes", {}),
        ("no_such_set", 0, "it crashes", {}),
        ("app_urr", 0, "it crashes", {"urgency": "soon"}),
    )
    with pytest.raises(SettingsError) as refused:
        labelled.labels(data)
    for said in ("line 2: the text is another", "line 3: no such text", "line 4: no such text", "line 5: urgency is"):
        assert said in str(refused.value)


def test_every_label_that_ships_has_its_text(shared: Path) -> None:
    rows = labelled.labels(shared / "data" / "train")
    assert len(rows) == 16_216
    known = {json.loads(line)["text"] for line in (shared / "gold" / "dev.jsonl").read_text().splitlines()}
    assert known.isdisjoint(row["text"] for row in rows), "a text of dev was labelled for training"


def test_our_own_grave_mentions_and_those_of_the_sets_come_with_their_signal(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled, "GRAVES", data / "graves.csv")
    monkeypatch.setattr(labelled, "WRITTEN", data / "graves.txt")
    check = f"{crc32(b'it crashes'):08x}"
    (data / "graves.csv").write_text(f"set,line,check,grave\napp_urr,0,{check},none\n", encoding="utf-8")
    (data / "graves.txt").write_text("injury: cut to the bone: twice\n-: killer app\n", encoding="utf-8")
    found = [(row["text"], row["grave"]) for row in labelled.graves(data)]
    assert found == [("it crashes", "none"), ("cut to the bone: twice", "injury"), ("killer app", "none")]
    (data / "graves.txt").write_text("injury: a cut\nhurt: a cut\nlegal:\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"graves.txt cannot be learnt from: line 2: grave is 'hurt'.*line 3: "):
        labelled.graves(data)


def test_every_grave_text_is_there_and_none_is_measured_with(shared: Path) -> None:
    rows = labelled.graves(shared / "data" / "train")
    assert {row["grave"] for row in rows} == set(GRAVE)
    kept = (Path(__file__).parent / "grave_kept.txt").read_text(encoding="utf-8").casefold()
    dev = {json.loads(line)["text"] for line in (shared / "gold" / "dev.jsonl").read_text().splitlines()}
    assert not [row["id"] for row in rows if row["text"] in dev or f": {row['text'].casefold()}\n" in kept]


def test_every_mention_of_our_own_can_be_learnt_from_and_none_is_measured_with(shared: Path) -> None:
    rows = labelled.written()
    assert len({row["id"] for row in rows}) == len({row["text"] for row in rows}) == len(rows) == 3_555
    measured = {json.loads(line)["text"] for line in (shared / "gold" / "dev.jsonl").read_text().splitlines()}
    measured |= {json.loads(line)["text"] for line in (shared / "gold" / "train.jsonl").read_text().splitlines()}
    for path in (shared / "data" / "bench").glob("*.jsonl.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as bench:
            measured |= {json.loads(line).get("text") for line in bench}
    assert not [row["id"] for row in rows if row["text"] in measured], "other people's words are not ours"
