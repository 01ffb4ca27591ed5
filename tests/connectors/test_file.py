"""Files as people export them: found columns, bad rows kept aside, wrong files refused whole, nothing read twice."""

import csv
import gzip
import io
import json
import logging
import os
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.contract import Batch, fetch
from connectors.sources.file import File
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

HEAD = "id;date;stars;text\n"
ROW = "1;2026-09-24 10:15;4;Good shoes\n"


def nobody(request: httpx.Request) -> httpx.Response:
    message = f"a file asks nobody, least of all {request.url.host}"
    raise AssertionError(message)


def walk(path: Path, since: str | None = None, **more: object) -> list[Batch]:
    source = File.model_validate({"name": "export", "path": path, **more})
    with httpx.Client(transport=httpx.MockTransport(nobody)) as http:
        return list(fetch(source, http, since))


def read(path: Path, content: str | bytes, **more: object) -> list[Mention]:
    """The mentions of a file in which every row can be read."""
    batches = walk(written(path, content), **more)
    assert not [rejected.reason for batch in batches for rejected in batch.rejected]
    return [mention for batch in batches for mention in batch.mentions]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def texts(batches: list[Batch]) -> list[str]:
    return [mention.text for batch in batches for mention in batch.mentions]


def aside(batches: list[Batch]) -> list[tuple[str, str]]:
    return [(rejected.place, rejected.reason) for batch in batches for rejected in batch.rejected]


def parquet(path: Path, **columns: list[Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "reviews.csv"


# What is read


def test_a_row_becomes_a_mention_with_every_common_column_found(file: Path) -> None:
    head = (
        "Review ID,Created at,Stars,Review text,Headline,User name,Permalink,Locale,Conversation,Brand,Product,Land\n"
    )
    row = "r1,2026-09-24T10:15:00+02:00,4.5,Good,Nice,Ann,https://s.example/1,en-GB,c9,Hike,Trail 2,UK\n"
    (mention,) = read(file, head + row)
    assert mention.model_dump(exclude_none=True) == {
        "key": "file:export:r1", "source": "export", "kind": MentionKind.REVIEW, "text": "Good", "title": "Nice",
        "said_at": datetime(2026, 9, 24, 8, 15, tzinfo=UTC), "url": "https://s.example/1", "author": "Ann",
        "language": "en", "rating": 4.5, "rating_min": 1, "rating_max": 5, "thread": "file:export:c9", "brand": "Hike",
        "product": "Trail 2", "country": "UK", "by_brand": False,
    }  # fmt: skip


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(file: Path, delimiter: str) -> None:
    buffer = io.StringIO()
    rows = [["id", "text"], ["1", "a, b; c"], ["2", "two\r\nlines | here"], ["3", 'a "quoted"\tword']]
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    assert [mention.text for mention in read(file, buffer.getvalue())] == [tidy(text) for _, text in rows[1:]]


def test_excels_first_line_names_the_delimiter(file: Path) -> None:
    assert [mention.text for mention in read(file, "sep=|\r\nid|text\r\n1|a, b, c\r\n")] == ["a, b, c"]


def test_a_column_of_texts_alone_needs_no_delimiter(file: Path) -> None:
    assert [mention.text for mention in read(file, 'Text\nGood\n"Bad, slow"\n')] == ["Good", "Bad, slow"]


def test_columns_of_the_same_name_or_none_lose_nothing(file: Path) -> None:
    (batch,) = walk(written(file, "text,,text\na,b,c\n"))
    assert batch.raws[0]["row"] == {"text": "a", "column 2": "b", "text 3": "c"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_of_encodings_are_understood(file: Path, encoding: str) -> None:
    content = "id;text;land\n1;Grüße\u2028 aus Köln 👟;DE\n2;Schön;AT\n".encode(encoding)
    assert [mention.key for mention in read(file, content)] == ["file:export:1", "file:export:2"]
    assert "Köln 👟" in read(file, content)[0].text


def test_what_is_not_utf8_is_read_as_cp1252_and_said_so(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert [mention.text for mention in read(file, "text;a\nGrüße: 5 €;1\n".encode("cp1252"))] == ["Grüße: 5 €"]
    assert caplog.messages == ["export: reviews.csv is not UTF-8, read as cp1252"]


def test_a_named_encoding_is_used(file: Path) -> None:
    content = "text;a\nЖёлтый;1\n".encode("koi8-r")
    assert [mention.text for mention in read(file, content, encoding="koi8-r")] == ["Жёлтый"]


def test_one_broken_line_does_not_change_the_encoding_of_the_rest(file: Path) -> None:
    batches = walk(written(file, b"id,text\n1,Gr\xc3\xbc\xc3\x9fe\n2,Gr\xfc\xdfe\n3,K\xc3\xb6ln\n"))
    assert texts(batches) == ["Grüße", "Köln"]
    assert aside(batches) == [("line 3", "the row is not written in utf-8 as the rest of the file")]


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_gzip_is_known_by_its_bytes(tmp_path: Path, name: str) -> None:
    assert len(read(tmp_path / name, gzip.compress((HEAD + ROW).encode()))) == 1


@pytest.mark.parametrize("name", ["x.parquet", "x.parquet.gz"])
def test_parquet_keeps_its_types(tmp_path: Path, name: str) -> None:
    columns = {
        "id": [1.0, 2.0],
        "comment": ["Good", "Bad"],
        "created": [datetime(2026, 9, 24, 10, tzinfo=UTC), datetime(2026, 9, 25, 10, tzinfo=UTC)],
        "stars": [4.0, float("nan")],
        "tags": [["a"], []],
    }
    path = parquet(tmp_path / name, **columns)
    if name.endswith(".gz"):
        written(path, gzip.compress(path.read_bytes()))
    (batch,) = walk(path)
    assert [(mention.key, mention.rating) for mention in batch.mentions] == [
        ("file:export:1", 4),
        ("file:export:2", None),
    ]
    assert batch.mentions[1].said_at == datetime(2026, 9, 25, 10, tzinfo=UTC)
    assert json.dumps(batch.raws, allow_nan=False)


def test_a_file_without_a_telling_name_is_known_by_what_it_holds(tmp_path: Path) -> None:
    assert len(read(tmp_path / "export", HEAD + ROW)) == 1
    assert len(read(tmp_path / "export", '{"text": "a"}\n')) == 1
    parquet(tmp_path / "export", text=["a"])
    assert texts(walk(tmp_path / "export")) == ["a"]


# What it means


@pytest.mark.parametrize(
    ("date", "said_at"),
    [
        ("2026-09-24T10:15:00Z", "2026-09-24T10:15:00+00:00"),
        ("2026-09-24 10:15:00 +0200", "2026-09-24T08:15:00+00:00"),
        ("2026-09-24 10:15:00 UTC", "2026-09-24T10:15:00+00:00"),
        ("2026-09-24 10:15", "2026-09-24T08:15:00+00:00"),
        ("24.09.2026 10:15", "2026-09-24T08:15:00+00:00"),
        ("24.12.2026", "2026-12-23T23:00:00+00:00"),
        ("2026/09/24", "2026-09-23T22:00:00+00:00"),
        ("September 24, 2026", "2026-09-23T22:00:00+00:00"),
        ("Thu, 24 Sep 2026 10:15:00 -0500", "2026-09-24T15:15:00+00:00"),
        ("Thu Sep 24 10:15:00 +0000 2026", "2026-09-24T10:15:00+00:00"),
        (1790244900, "2026-09-24T10:15:00+00:00"),
        (1790244900000, "2026-09-24T10:15:00+00:00"),
        ("1790244900.5", "2026-09-24T10:15:00.500000+00:00"),
        (946684800, "2000-01-01T00:00:00+00:00"),
    ],
)
def test_dates_are_read_in_the_zone_of_the_settings_unless_they_name_one(
    tmp_path: Path, date: object, said_at: str
) -> None:
    content = json.dumps({"text": "a", "ts": date})
    (mention,) = read(tmp_path / "x.jsonl", content, timezone="Europe/Berlin")
    assert mention.said_at.isoformat() == said_at


@pytest.mark.parametrize(
    "date", ["03/04/2026", "2026-02-30", "31.02.2026 11:05", "yesterday", "46289", "0001-01-01", "9" * 13]
)
def test_a_date_that_is_none_or_not_a_sure_one_costs_its_row(file: Path, date: str) -> None:
    batches = walk(written(file, f"{HEAD}{ROW}2;{date};5;Fine\n"))
    assert aside(batches) == [("line 3", "the date is none, or not a sure one")]
    assert texts(batches) == ["Good shoes"]


def test_a_date_format_settles_what_is_not_sure(file: Path) -> None:
    (mention,) = read(file, "date,text\n03/04/2026,a\n", date_format="%d/%m/%Y")
    assert mention.said_at == datetime(2026, 4, 3, tzinfo=UTC)


def test_a_row_without_a_date_was_said_when_the_file_was_written(file: Path) -> None:
    written(file, "date;text\n;Good\n")
    os.utime(file, (1790244900, 1790244900))
    assert walk(file)[0].mentions[0].said_at == datetime(2026, 9, 24, 10, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "more", "rating"),
    [
        ({"score": "4,5"}, {"rating_max": 10}, (4.5, 1, 10)),
        ({"score": 0}, {"rating_min": 0, "rating_max": 10}, (0, 0, 10)),
        ({"score": "4/5"}, {}, (4, 1, 5)),
        ({"score": "8 out of 10"}, {}, (8, 1, 10)),
        ({"score": "2 von 6"}, {"rating_max": 10}, (2, 1, 6)),
        ({"stars": 3}, {}, (3, 1, 5)),
        ({"nps": 0}, {}, (0, 0, 10)),
        ({"stars": 7, "max": 10}, {}, (7, 1, 10)),
        ({"grade": 2}, {"columns": {"rating": "grade"}, "rating_max": 6}, (2, 1, 6)),
    ],
)
def test_a_rating_has_its_scale(
    tmp_path: Path, row: dict[str, Any], more: dict[str, Any], rating: tuple[float, ...]
) -> None:
    (mention,) = read(tmp_path / "x.jsonl", json.dumps({"text": "a"} | row), **more)
    assert (mention.rating, mention.rating_min, mention.rating_max) == rating
    assert mention.kind is MentionKind.REVIEW


@pytest.mark.parametrize("rating", ["11", "0", "-1", "good", "1e400", "inf", "7/5"])
def test_a_rating_off_its_scale_costs_its_row(file: Path, rating: str) -> None:
    batches = walk(written(file, f"{HEAD}{ROW}2;;{rating};Fine\n"))
    assert texts(batches) == ["Good shoes"]
    assert aside(batches)[0][0] == "line 3"
    assert aside(batches)[0][1].startswith(("the rating is off the scale 1 to 5", "the rating is no number"))


def test_a_rating_without_words_is_a_mention_and_a_row_without_either_is_none(file: Path) -> None:
    batches = walk(written(file, HEAD + "1;;5;\n2;;;\n3;;;  \n"))
    assert [(mention.rating, mention.text) for mention in batches[0].mentions] == [(5, "")]
    assert aside(batches) == [(f"line {line}", "it has neither text nor rating") for line in (3, 4)]


@pytest.mark.parametrize("nothing", ["", "-", "?/10", "n/a", "NaN", "null", "k. A."])
def test_a_word_for_nothing_is_no_rating_and_no_date(file: Path, nothing: str) -> None:
    (mention,) = read(file, f"{HEAD}1;{nothing};{nothing};{nothing or 'nothing'}\n")
    assert (mention.rating, mention.text) == (None, nothing or "nothing")


def test_a_title_alone_is_what_was_said(file: Path) -> None:
    assert [mention.text for mention in read(file, "title;text\nBroken;\n")] == ["Broken"]


@pytest.mark.parametrize(
    ("text", "html", "said"),
    [
        ("Good &amp; solid &#39;shoe&#39;", False, "Good & solid 'shoe'"),
        ("I <3 it &copy=1 &nosuch; R&D", False, "I <3 it &copy=1 &nosuch; R&D"),
        ("&amp;amp;", False, "&amp;"),
        ("<p>One</p><p>Two &lt;3</p>", True, "One\n\nTwo <3"),
    ],
)
def test_entities_are_decoded_once(tmp_path: Path, text: str, said: str, *, html: bool) -> None:
    assert [mention.text for mention in read(tmp_path / "x.jsonl", json.dumps({"text": text}), html=html)] == [said]


def test_the_settings_name_columns_and_constants(file: Path) -> None:
    more = {
        "columns": {"text": "Was war los?", "brand": "Haus"},
        "constants": {"brand": "Hike", "kind": "survey", "country": "DE", "language": "de"},
    }
    mentions = read(file, "Was war los?;Haus;Land;text\nNichts;Hike Pro;AT;x\nViel;;CH;x\n", **more)
    assert [mention.text for mention in mentions] == ["Nichts", "Viel"]
    assert [mention.brand for mention in mentions] == ["Hike Pro", "Hike"]  # a named column first, then the constant
    assert {(mention.country, mention.kind, mention.language) for mention in mentions} == {
        ("DE", MentionKind.SURVEY, "de")
    }


def test_a_column_can_be_named_as_none(file: Path) -> None:
    (mention,) = read(file, "text;user;date\nGood;Ann;03/04/2026\n", columns={"author": "", "said_at": ""})
    assert mention.author is None


def test_a_kind_of_another_vocabulary_counts_only_where_it_is_asked_for(file: Path) -> None:
    assert read(file, "text;kind\nGood;tweet\n")[0].kind is MentionKind.POST
    assert read(file, "text;kind\nGood;message\n")[0].kind is MentionKind.MESSAGE
    batches = walk(written(file, "text;kind\nGood;tweet\nFine;post\n"), columns={"kind": "kind"})
    assert [line for line, _ in aside(batches)] == ["line 2"]


def test_the_brand_of_the_source_wins_over_a_column_nobody_named(file: Path) -> None:
    assert read(file, "text;company\nGood;Acme\n", brand="Hike")[0].brand == "Hike"


def test_only_rows_with_the_values_asked_for_come_in(file: Path) -> None:
    content = "text;speaker\na;client\nb;agent\nc;client\nd;\n"
    assert [mention.text for mention in read(file, content, where={"speaker": "client"})] == ["a", "c"]
    assert [mention.text for mention in read(file, content, where={"speaker": ["client", "agent"]})] == ["a", "b", "c"]


def test_a_row_without_an_id_has_the_same_key_every_time_and_equal_rows_are_one(file: Path) -> None:
    first = [mention.key for mention in read(file, "text;date\na;2026-09-24\na;2026-09-24\na;2026-09-25\n")]
    second = [mention.key for mention in read(file, "date;more;text\n2026-09-24;x;a\n2026-09-25;y;a\n")]
    assert first[0] == first[1] != first[2]
    assert second == first[1:]


def test_an_endless_id_makes_a_key_that_can_be_stored(file: Path) -> None:
    assert len(read(file, f"id;text\n{'x' * 5000};a\n")[0].key) < 512


# Bad rows


def test_each_bad_row_is_kept_aside_with_its_line_and_the_good_ones_are_in(file: Path) -> None:
    content = HEAD + 'a;;;"two\nlines"\nb;;5\nc;;;x;y\nd;;;nul \x00 here\n\n;;;\ne;;;"open\nf;;;closed"";\ng;;;fine\n'
    batches = walk(written(file, content))
    assert texts(batches) == ["two\nlines", "fine"]
    assert [(line, why.partition(" (")[0]) for line, why in aside(batches)] == [
        ("line 4", "the row has 3 columns, where the head has 4"),
        ("line 5", "the row has 5 columns, where the head has 4"),
        ("line 6", "the row has NUL bytes in it"),
        ("line 8", "it has neither text nor rating"),
        ("line 9", "the quotes of the row do not match"),
        ("line 10", "the row has 5 columns, where the head has 4"),
    ]
    assert "nul" in batches[0].rejected[2].item
    assert "nul" not in batches[0].rejected[2].reason


def test_a_quote_that_is_never_closed_costs_its_own_line_only(file: Path) -> None:
    rows = "".join(f"{number};;;row {number}\n" for number in range(5000))
    batches = walk(written(file, f'{HEAD}x;;;"never closed\n{rows}'))
    assert len(texts(batches)) == 5000
    assert [line for line, _ in aside(batches)] == ["line 2"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("not json", "is no JSON (Expecting value, column 1)"),
        ('{"text": "cut', "is no JSON (Unterminated string starting at, column 10)"),
        ('{"text": NaN}', "is no JSON (ValueError)"),
        ("[1, 2]", "is JSON, but no object with columns"),
        ("null", "is JSON, but no object with columns"),
        ("[" * 100_000, "is no JSON (RecursionError)"),
        ('{"id": ' + "9" * 5000 + "}", "is no JSON (ValueError)"),
        ('{"text": {"a": 1}}', "has neither text nor rating"),
        ("{}", "has neither text nor rating"),
    ],
)
def test_a_broken_line_of_json_is_kept_aside(tmp_path: Path, line: str, why: str) -> None:
    batches = walk(written(tmp_path / "x.jsonl", f'{{"text": "a"}}\n{line}\n\n{{"text": "b"}}\n'))
    assert texts(batches) == ["a", "b"]
    ((place, reason),) = aside(batches)
    assert (place, reason) in {("line 2", f"the row {why}"), ("line 2", f"it {why}")}


def test_texts_no_database_can_hold_are_made_storable(tmp_path: Path) -> None:
    assert [m.text for m in read(tmp_path / "x.jsonl", '{"text": "a\\u0000b \\ud800 👟"}')] == ["ab \ufffd 👟"]


def test_a_file_of_bad_rows_only_fails_and_is_read_again(file: Path) -> None:
    written(file, "id;text\n1\n2\n")
    with pytest.raises(ChangedError, match="none of 2 items could be read"):
        walk(file)


# Wrong files


@pytest.mark.parametrize(
    ("name", "content", "mend"),
    [
        ("x.csv.gz", b"id;text\n1;a\n", "is not packed with gzip, as its name says; rename it"),
        (
            "x.csv.gz",
            gzip.compress(b"id;text\n" + b"1;a\n" * 9000, mtime=0)[:-20],
            "cut short or damaged; copy or export it again",
        ),
        ("x.csv.gz", gzip.compress(b"id;text\n1;a\n", mtime=0)[:-6] + b"\0" * 6, "cut short or damaged"),
        ("x.csv.gz", gzip.compress(gzip.compress(b"id;text\n1;a\n", mtime=0), mtime=0), "packed with gzip twice"),
        ("x.parquet", b"id;text\n1;a\n", "is not Parquet, as it is called"),
        ("x.parquet", b"PAR1 and nothing more", "is damaged (ArrowInvalid); copy or export it again"),
        ("x.csv", b"PAR1 and nothing more", "is Parquet, not CSV as it is called; rename it"),
        ("x.jsonl", b"id;text\n1;a\n", "is no JSON lines, as it is called"),
        ("x.jsonl", b'[{"text": "a"}\n', "is a JSON list that is broken or cut short"),
        ("x.csv", b'{"text": "a"}\n{"text": "b"}\n', "is JSON lines, not CSV as it is called; rename it"),
        ("x.csv", b'{"rows": [\n{"a": 1},\n2]}', "is JSON, but with no line for each row"),
        ("x.csv", b"PK\x03\x04\x14\x00", "is an Excel workbook or a ZIP archive; save the sheet as"),
        ("x.csv", bytes(range(256)) * 99, "is no text at all"),
        ("x.csv", b"id;text\n1;\x81\x8d\xff\n", "encoding that cannot be told; set `encoding`"),
        ("x.csv", b"<!DOCTYPE html><html>", "is a web page"),
        ("x.csv", b"id;text\r1;a\r2;b\r", "old Macintosh way"),
        ("x.csv", b"", "is empty"),
        ("x.csv", b"\n\n", "is empty"),
        ("x.csv", b"id;text;" + b"x" * 17_000_000, "line 1 has no end"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused_whole(
    tmp_path: Path, name: str, content: bytes, mend: str
) -> None:
    path = written(tmp_path / name, content)
    with pytest.raises(RefusedError) as raised:
        walk(path)
    assert str(raised.value).startswith(f"{name}: ")
    assert mend in str(raised.value)


def test_nothing_of_a_gzip_that_is_cut_at_its_end_is_yielded(tmp_path: Path) -> None:
    whole = gzip.compress("".join([HEAD, *(f"{n};;;{os.urandom(9).hex()}\n" for n in range(5000))]).encode())
    source = File(name="export", path=written(tmp_path / "x.csv.gz", whole[:-4]))
    with httpx.Client() as http, pytest.raises(RefusedError, match="cut short"):
        next(iter(source.pages(http, None)))


def test_a_missing_file_a_folder_and_a_locked_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"x\.csv: is not there; check the path"):
        walk(tmp_path / "x.csv")
    with pytest.raises(RefusedError, match="cannot be read"):
        walk(tmp_path)


def test_an_empty_file_of_json_lines_has_no_mentions(tmp_path: Path) -> None:
    assert read(tmp_path / "x.jsonl", "") == []


@pytest.mark.parametrize(
    ("content", "more", "mend"),
    [
        ("a;b\n1;2\n", {}, 'no column known to hold the text; set columns = { text = "…" }, one of: a, b'),
        ("a;text\n1;2\n", {"columns": {"title": "Titel"}}, "has no column 'Titel'; its columns are: a, text"),
        ("a;text\n1;2\n", {"where": {"speaker": "client"}}, "has no column 'speaker'"),
        ("date;text\n03/04/2026;a\n04/04/2026;b\n", {}, "the dates cannot be read for sure; set `date_format`"),
        ("score;text\n4;a\n5;b\n", {}, "the ratings cannot be read; set `rating_min` and `rating_max`"),
    ],
)
def test_settings_that_fit_no_row_are_named_before_a_row_is_read(
    file: Path, content: str, more: dict[str, Any], mend: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        walk(written(file, content), **more)
    assert str(raised.value).startswith("export: reviews.csv: ")
    assert mend in str(raised.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"timezone": "Mars/Olympus"}, "IANA name"),
        ({"encoding": "klingon"}, "no such encoding"),
        ({"rating_min": 5, "rating_max": 5}, "rating_max must be above"),
        ({"columns": {"mood": "x"}}, "Input should be"),
        ({"constants": {"kind": "rant"}}, "constants.kind is one of post, comment"),
        ({"delimiter": "::"}, "at most 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        File.model_validate({"name": "x", "path": "x.csv", **more})


# Going on


def rows_of(first: int, last: int) -> str:
    return "".join(f'{number};;;"row\n{number}"\n' for number in range(first, last))


def numbers(batches: list[Batch]) -> list[int]:
    return [int(text.removeprefix("row\n")) for text in texts(batches)]


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_a_file_read_once_is_read_on_where_it_grew_and_from_the_start_where_it_changed(
    tmp_path: Path, name: str
) -> None:
    def write(content: str) -> None:
        written(path, gzip.compress(content.encode()) if name.endswith("gz") else content)

    path = tmp_path / name
    write(HEAD + rows_of(0, 2500))
    first = walk(path)
    assert [len(batch.mentions) for batch in first] == [1000, 1000, 500]
    again = walk(path, first[-1].cursor)
    assert (texts(again), again[-1].cursor) == ([], first[-1].cursor)
    assert numbers(walk(path, first[0].cursor)) == list(range(1000, 2500))
    write(HEAD + rows_of(0, 2600))
    grown = walk(path, first[-1].cursor)
    assert numbers(grown) == list(range(2500, 2600))
    assert aside(walk(path, grown[-1].cursor)) == []
    write(HEAD + rows_of(1, 2600))
    assert numbers(walk(path, grown[-1].cursor)) == list(range(1, 2600))
    write(HEAD + rows_of(1, 5))
    assert numbers(walk(path, grown[-1].cursor)) == list(range(1, 5))


def test_other_settings_read_the_same_file_again(file: Path) -> None:
    cursor = walk(written(file, HEAD + ROW))[-1].cursor
    assert texts(walk(file, cursor)) == []
    assert texts(walk(file, cursor, constants={"brand": "Hike"})) == ["Good shoes"]


def test_a_last_line_that_was_half_written_is_read_again_whole(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "id;text\n1;a\n2;half")
    cursor = walk(path)[-1].cursor
    assert texts(walk(written(path, "id;text\n1;a\n2;half\n3;c\n"), cursor)) == ["c"]
    assert texts(walk(written(path, "id;text\n1;a\n2;half of it\n3;c\n"), cursor)) == ["a", "half of it", "c"]


def test_what_is_written_while_we_read_waits_for_the_next_time(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", HEAD + rows_of(0, 1500))
    source = File(name="export", path=path)
    with httpx.Client() as http:
        pages = source.pages(http, None)
        first = next(pages)
        with path.open("a") as more:
            more.write(rows_of(1500, 1600) + '1600;;;"half')
        rest = list(pages)
        assert len(first.items) + sum(len(page.items) for page in rest) == 1500
        written(path, HEAD + rows_of(0, 1700))
        later = [item for page in source.pages(http, rest[-1].cursor) for item in page.items]
    assert [item["row"]["id"] for item in later] == [str(number) for number in range(1500, 1700)]


def test_parquet_goes_on_by_rows_and_starts_again_where_it_changed(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", text=[f"t{number}" for number in range(2500)])
    first = walk(path)
    assert len(texts(first)) == 2500
    assert texts(walk(path, first[-1].cursor)) == []
    assert texts(walk(path, first[0].cursor)) == [f"t{number}" for number in range(1000, 2500)]
    parquet(path, text=["new"])
    assert texts(walk(path, first[-1].cursor)) == ["new"]


def test_a_cursor_of_a_grown_json_file_survives_rows_without_optional_columns(tmp_path: Path) -> None:
    more = {"columns": {"title": "head"}, "where": {"by": "client"}}
    path = written(tmp_path / "x.jsonl", '{"text": "a", "head": "A", "by": "client"}\n')
    cursor = walk(path, **more)[-1].cursor
    with path.open("a") as added:
        added.write('{"text": "b", "by": "client"}\n{"text": "c"}\n')
    assert texts(walk(path, cursor, **more)) == ["b"]


def test_memory_stays_flat_however_long_the_file_is(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = written(tmp_path / f"{rows}.csv.gz", gzip.compress((HEAD + rows_of(0, rows)).encode(), 1))
        source = File(name="export", path=path)
        with httpx.Client() as http:
            tracemalloc.start()
            assert sum(len(page.items) for page in source.pages(http, None)) == rows
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return most

    peak(1000)  # what is imported and cached at first use
    assert peak(12_000) < 1.3 * peak(3_000)


CELL = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\r\n\t", exclude_characters="\ufeff"),
    max_size=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=20),
    delimiter=st.sampled_from(",;\t|"),
    packed=st.booleans(),
)
def test_whatever_a_csv_writer_wrote_comes_out_once_as_it_went_in(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str, *, packed: bool
) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "text", "other"), *((number, *row) for number, row in enumerate(rows))])
    content = buffer.getvalue().encode()
    path = written(tmp_path / "x.csv", gzip.compress(content) if packed else content)
    source = File(name="x", path=path, delimiter=delimiter)
    with httpx.Client() as http:
        items = [item for page in source.pages(http, None) for item in page.items]
    assert [tuple(item["row"].values()) for item in items] == [(str(n), *row) for n, row in enumerate(rows)]


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(rows=st.lists(st.dictionaries(st.sampled_from(["text", "id", "date", "stars", "x"]), VALUES), max_size=20))
def test_whatever_is_json_comes_out_once_as_it_went_in_and_is_a_mention_or_kept_aside(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    path = written(tmp_path / "x.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    source = File(name="x", path=path)
    try:
        with httpx.Client() as http:
            pages = list(source.pages(http, None))
    except SettingsError:
        return
    items = [item for page in pages for item in page.items]
    assert [item["row"] for item in items] == rows
    try:
        (batch,) = walk(path)
    except ChangedError:
        return
    assert len(batch.mentions) + len(batch.rejected) == len(rows)


@given(content=st.binary(max_size=300))
@example(content=b"\r\x00")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_any_bytes_at_all_are_read_or_refused_by_name(tmp_path: Path, content: bytes) -> None:
    for name in ("x.csv", "x.jsonl", "x"):
        try:
            walk(written(tmp_path / name, content))
        except EarfulError as error:
            assert name in str(error) or "export: none of" in str(error)  # noqa: PT017 - most are refused, some are read


# Real files


def test_the_usual_traps_of_a_survey_export(shared: Path) -> None:
    path = shared / "fixtures/csv_import/survey_export_semicolon.csv"
    batches = walk(path, rating_min=0, rating_max=10, timezone="Europe/Berlin")
    assert [(m.key, m.rating, m.language, m.text.count("\n")) for m in batches[0].mentions] == [
        ("file:export:1", 9, "de", 0),
        ("file:export:2", 0, "de", 1),
    ]
    assert batches[0].mentions[0].said_at == datetime(2026, 9, 24, 8, 15, tzinfo=UTC)
    assert [line for line, _ in aside(batches)] == ["line 5", "line 6"]


def test_the_usual_traps_of_a_review_export(shared: Path) -> None:
    batches = walk(shared / "fixtures/csv_import/reviews_export.jsonl")
    assert [(m.key, m.rating, m.rating_max, m.language) for m in batches[0].mentions] == [
        ("file:export:a1", 4.5, 5, "en"),
        ("file:export:a1", 4.5, 5, "en"),
        ("file:export:a2", 2, 10, None),
    ]
    assert [line for line, _ in aside(batches)] == ["line 4"]
    assert "&amp;" not in batches[0].mentions[0].text


def test_customers_of_a_real_care_log_are_read_without_settings_but_who_speaks(shared: Path) -> None:
    batches = walk(shared / "data/train/ibm_customer_care.jsonl.gz", where={"speaker": "client"})
    mentions = [mention for batch in batches for mention in batch.mentions]
    assert (len(mentions), aside(batches)) == (1177, [])
    assert all(2018 <= mention.said_at.year <= 2020 and mention.brand and mention.thread for mention in mentions)


def test_every_row_of_the_labelled_mentions_can_be_read(shared: Path) -> None:
    batches = walk(shared / "gold/dev.jsonl")
    assert (len(texts(batches)), aside(batches)) == (441, [])


def test_real_lounge_reviews_are_read_without_settings(shared: Path) -> None:
    batches = walk(shared / "data/train/skytrax_lounge.jsonl.gz")
    mentions = [mention for batch in batches for mention in batch.mentions]
    assert (len(mentions), aside(batches)) == (2244, [])
    assert {mention.rating_max for mention in mentions if mention.rating is not None} == {10}
    assert all(mention.brand and mention.said_at.year < 2016 for mention in mentions)
