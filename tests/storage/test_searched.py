"""Words are found wherever they are, by whoever types whatever, and not after they were edited out or deleted."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from sqlite3 import sqlite_version_info

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from pipeline.analysis import Analysis
from pipeline.case import Case
from pipeline.mention import Mention
from storage import searched
from storage.store import Store

Say = Callable[..., Mention]
Judge = Callable[..., Analysis]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
often = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # searching changes nothing
)


def hear(store: Store, *mentions: Mention, gone: tuple[str, ...] = ()) -> None:
    store.save("forum", mentions, [{}] * len(mentions), [], None, heard_at=NOON, gone=gone)


def found(store: Store, words: str, limit: int = 50, **where: object) -> list[str]:
    return [one.mention.key for one in store.search(words, limit, **where)]  # type: ignore[arg-type] # as it comes


@pytest.fixture
def town(store: Store, say: Say) -> Store:
    """Some things said, the later the higher their number."""
    said = {
        "1": {"text": "My shoes fell apart in the rain."},
        "2": {"text": "Refund for shoes, please!", "title": "Torn apart"},
        "3": {"text": "Der Schuh ist SCHÖN, the refund came."},
        "4": {"text": "鞋子很舒服", "source": "shop"},
        "5": {"text": "on fire 🔥 100% cotton_blend"},
    }
    hear(store, *(say(f"forum:{key}", said_at=NOON + int(key) * HOUR, **more) for key, more in said.items()))
    return store


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("shoes", "21"),
        ("SHOES", "21"),
        ("shoe", ""),
        ("shoes refund", "2"),
        ("shoes OR refund", "321"),
        ("apart rain OR refund -shoes", "31"),
        ('"fell apart"', "1"),
        ('"apart fell"', ""),
        ("apart", "21"),
        ("refund -please", "3"),
        ("refund -came -please", ""),
        ('refund -"the refund"', "2"),
        ('"shoes please', "2"),
        ("schön", "3"),
        ("SCHÖN", "3"),
        ("舒服", "4"),
        ("鞋", "4"),
        ("舒服 OR 🔥", "54"),
        ("🔥", "5"),
        ("100%", "5"),
        ("cotton", "5"),
        ("-shoes", ""),
        ("OR", ""),
        ("", ""),
        (" - !!! ", ""),
        ("% OR _", ""),
        ("shoes' OR 1=1; --", "21"),
        ('shoes") OR (title:rain', ""),
        ("NEAR(shoes rain)", ""),
        ("shoes*", "21"),
    ],
)
def test_words_phrases_or_and_not_are_found_newest_first(town: Store, words: str, keys: str) -> None:
    assert found(town, words) == [f"forum:{key}" for key in keys]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("the shoes.They fell", "shoes They"),
        ("Refund/exchange never came", 'exchange "refund exchange"'),
        ("see nike.com today", "nike com nike.com"),
        ("order ABC-123, order-4711", "123 ABC-123 4711 abc"),
        ("ann@shop.com writes", "shop ann@shop.com"),
        ("AT&T is bad &shoes; <b>refund</b> <br/>sole", "T AT&T shoes refund sole"),
        ("C:\\refund\\now -5 1.5/3 10% a_b #tag", "refund now 5 3 10 b tag"),
        ("“Shoes” — don't…buy™", "shoes buy don't"),
    ],
)
def test_a_sign_parts_words_on_either_database(store: Store, say: Say, said: str, words: str) -> None:
    hear(store, say(text=said))
    parts = [*words.split(), words]
    assert [part for part in parts if found(store, part) != ["forum:1"]] == []


def test_in_any_mix_of_signs_every_word_and_every_run_of_them_is_found(store: Store, say: Say) -> None:
    chance = Random(5)
    texts = ["".join(chance.choices("ab1 .,-/:@<>&_'+~#=?!;%()", k=14)) for _ in range(150)]
    words = [re.findall("[a-z0-9]+", one) for one in texts]
    hear(store, *(say(f"forum:{number:03}", text=one) for number, one in enumerate(texts)))

    def there(run: list[str]) -> list[str]:
        holding = (any(one[at : at + len(run)] == run for at in range(len(one))) for one in words)
        return [f"forum:{number:03}" for number, holds in enumerate(holding) if holds]

    for one in words[:40]:
        if one:
            run = one[: chance.randint(1, 3)]
            assert found(store, f'"{chance.choice("./-@& ").join(run)}"', 200) == there(run), run


def test_a_phrase_too_long_for_a_search_is_found_by_its_first_words(store: Store, say: Say) -> None:
    sentence = "the sole came loose again and nobody at the help desk wanted to hear of it " * 5
    hear(store, say(text=sentence))
    assert found(store, f'"{sentence}"') == ["forum:1"]
    assert found(store, f'"{sentence[:150]} never"') == []


def on_old_sqlite(store: Store) -> None:
    with store._read() as connection:  # noqa: SLF001 - which database it is
        if connection.dialect.name != "sqlite" or sqlite_version_info >= (3, 42):
            pytest.skip("only an SQLite before 3.42")


def test_an_index_of_words_written_by_a_newer_sqlite_is_made_anew(town: Store, say: Say) -> None:
    on_old_sqlite(town)
    with town._write() as connection:  # noqa: SLF001 - as SQLite 3.42 marks what it wrote
        connection.execute(text("UPDATE mention_words_config SET v = 5 WHERE k = 'version'"))
    with Store(str(town._url)) as here:  # noqa: SLF001
        here.migrate()
        hear(here, say("forum:1", text="My boots are fine."), say("forum:6", text="New shoes.", said_at=NOON))
        assert found(here, "shoes OR boots") == ["forum:2", "forum:1", "forum:6"]


def test_when_all_is_forgotten_no_word_of_it_is_in_the_index(town: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    on_old_sqlite(town)
    monkeypatch.setattr(searched, "_FEW", 0)  # as if there were more mentions than are written anew at once
    town.forget_mentions("forum", ["forum:1", "forum:9"], "asked for", at=NOON)
    hear(town, gone=("forum:3",))

    def stays() -> list[bool]:
        with town._read() as connection:  # noqa: SLF001 - below the store's doors
            blocks = b"".join(connection.scalars(text("SELECT block FROM mention_words_data")))
        return [word in blocks for word in (b"rain", b"chon", b"efund")]

    assert stays()[:2] == [True, True]
    town.tidy_words()
    assert stays() == [False, False, True]
    assert found(town, "shoes") == ["forum:2"]


def test_an_accent_is_passed_over_on_sqlite_and_told_apart_on_postgresql(town: Store) -> None:
    with town._read() as connection:  # noqa: SLF001 - which database it is
        kind = connection.dialect.name
    assert found(town, "schon") == (["forum:3"] if kind == "sqlite" else [])


def test_time_source_and_lane_narrow_a_search_and_the_limit_keeps_the_newest(town: Store, judge: Judge) -> None:
    town.save_analyses([judge("forum:1"), judge("forum:2", lane="noise")])
    assert found(town, "shoes", 1) == ["forum:2"]
    assert found(town, "shoes", before=NOON + 2 * HOUR) == ["forum:1"]
    assert found(town, "shoes", since=NOON + 2 * HOUR) == ["forum:2"]
    assert found(town, "shoes", lane="service") == ["forum:1"]
    assert found(town, "鞋子", source="shop") == ["forum:4"]
    assert found(town, "鞋子", source="forum") == []


def test_what_is_found_comes_with_its_judgement_and_its_case(
    town: Store, judge: Judge, complain: Callable[..., Case]
) -> None:
    town.save_analyses([judge("forum:1")])
    analysis = town.analysis("forum:1")
    assert analysis is not None
    town.write(complain(), analysis, [])
    newer, older = town.search("shoes", 9)
    assert (older.analysis, older.case) == (analysis, "C-1")
    assert (newer.analysis, newer.case) == (None, None)


def test_edited_and_deleted_words_are_found_no_more_and_those_in_their_place_are(town: Store, say: Say) -> None:
    hear(town, say("forum:1", text="My boots are fine."), say("forum:2", text="Refund for shoes, please!", likes=3))
    assert found(town, "rain") == []
    assert found(town, "boots") == ["forum:1"]
    assert found(town, "torn") == []  # a title that is gone
    hear(town, gone=("forum:2", "forum:9"))
    assert found(town, "shoes OR refund") == ["forum:3"]
    hear(town, say("forum:6", text="New shoes.", said_at=NOON))
    assert found(town, "shoes") == ["forum:6"]


def test_a_mention_heard_again_is_found_once(town: Store, say: Say) -> None:
    hear(town, say("forum:1", text="My shoes fell apart in the rain.", likes=4), say("forum:7", text="shoes"))
    assert found(town, "shoes") == ["forum:2", "forum:1", "forum:7"]


def test_a_book_is_kept_and_found_by_its_beginning(store: Store, say: Say) -> None:
    """PostgreSQL would refuse a text with more words than an entry of its index holds."""
    book = " ".join(f"word{number}" for number in range(200_000))
    hear(store, say(text=book))
    assert found(store, "word77 word78") == ["forum:1"]
    assert store.search('"word3 word2"', 1) == []


@often
@given(words=st.text(max_size=60) | st.text("abc\"'-*():^{}+%_\\ OR\x00\ud800", max_size=40))
def test_any_text_is_a_search(town: Store, words: str) -> None:
    assert len(town.search(words, 3)) <= 3


@pytest.mark.parametrize("words", ["a " * 5000, '"' + "b" * 100_000 + '"', "-" * 9999, "a OR " * 5000, "字" * 60_000])
def test_a_search_of_any_length_is_answered(town: Store, words: str) -> None:
    assert town.search(words, 3) == []


def test_compacting_the_file_leaves_every_word_with_its_mention(town: Store, say: Say) -> None:
    """The index of words knows a mention by its place in the table, which SQLite keeps where there are other keys."""
    with town._read() as connection:  # noqa: SLF001 - which database it is
        if connection.dialect.name != "sqlite":
            pytest.skip("only SQLite numbers its rows")
    hear(town, gone=("forum:1", "forum:2"))
    with town._engine.connect() as connection:  # noqa: SLF001
        connection.connection.driver_connection.execute("VACUUM")  # type: ignore[union-attr] # it is open
    assert found(town, "refund") == ["forum:3"]
    hear(town, say("forum:8", text="refund", said_at=NOON))
    assert found(town, "refund") == ["forum:3", "forum:8"]
    with town._write() as connection:  # noqa: SLF001 - SQLite compares the index with the mentions, or raises
        connection.execute(text("INSERT INTO mention_words (mention_words, rank) VALUES ('integrity-check', 1)"))


def test_where_words_are_not_indexed_every_mention_is_looked_through(town: Store, say: Say) -> None:
    with town._write() as connection:  # noqa: SLF001 - as on a SQLite without FTS5
        if connection.dialect.name != "sqlite":
            pytest.skip("PostgreSQL always has its index")
        for what in ("TRIGGER mention_words_forget", "TRIGGER mention_words_replace", "TABLE mention_words"):
            connection.execute(text(f"DROP {what}"))
    hear(town, say("forum:9", text="More shoes.", said_at=NOON), gone=("forum:1",))
    assert found(town, "shoes") == ["forum:2", "forum:9"]
    assert found(town, '"refund for" -rain OR SHOES more') == ["forum:2", "forum:9"]
