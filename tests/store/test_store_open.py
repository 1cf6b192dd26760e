"""Files that are no sound store are refused and left alone; one process writes at a time."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from store_helpers import add, finish, make_run, root_of, start_python

from store import (
    DamagedStoreError,
    NewerStoreError,
    NotAStoreError,
    OlderStoreError,
    StoreError,
    StoreLockedError,
    StoreNotFoundError,
    StoreNotWritableError,
    TreeStore,
)
from store.sqlite import schema

GOLDEN = Path(__file__).parent / "golden"


def filled(path: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        node, _ = add(store, root_of(store))
        finish(store, node)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(b"<html>not found</html>" * 500)


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE node(id)")
    database.close()


def newer(path: Path) -> None:
    filled(path)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def newer_in_its_wal_only(path: Path) -> None:
    filled(path)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    wal = path.with_name(path.name + "-wal")
    copies = [(file, file.read_bytes()) for file in (path, wal)]
    database.close()
    for file, content in copies:
        file.write_bytes(content)


def cut_short(path: Path) -> None:
    filled(path)
    os.truncate(path, path.stat().st_size - 5000)


def damaged_page(path: Path) -> None:
    filled(path)
    database = sqlite3.connect(path)
    page = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'node'").fetchone()[0]
    database.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * schema.PAGE_SIZE)
        file.write(b"\xa5" * 4096)


def tables_missing(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        database.execute("CREATE TABLE node(id)")
    database.close()


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (empty, NotAStoreError, "0 bytes"),
        (garbage, NotAStoreError, "no SQLite database"),
        (foreign, NotAStoreError, "another program"),
        (newer, NewerStoreError, "format 99"),
        (newer_in_its_wal_only, NewerStoreError, "format 99"),
        (cut_short, DamagedStoreError, "cut short"),
        (damaged_page, DamagedStoreError, "table node"),
        (tables_missing, DamagedStoreError, "tables are missing"),
    ],
)
def test_file_is_refused_by_name_and_unchanged(
    path: Path, make: object, error: type[StoreError], words: str, read_only: bool
) -> None:
    assert callable(make)
    make(path)
    wal = path.with_name(path.name + "-wal")
    before = (path.read_bytes(), wal.read_bytes() if wal.exists() else b"")
    with pytest.raises(error, match=words) as refusal:
        TreeStore.open(path, read_only=read_only)
    assert str(path) in str(refusal.value)
    assert (path.read_bytes(), wal.read_bytes() if wal.exists() else b"") == before
    assert not path.with_name(path.name + ".lock").exists()


@pytest.mark.parametrize("length", [252, 248])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_name_that_leaves_none_for_the_files_beside_it_is_told(path, length, read_only) -> None:
    TreeStore.open(path, create=True).close()
    long = path.rename(path.with_name("n" * (length - 3) + ".db"))
    with pytest.raises(StoreNotFoundError, match=r"leaves no room .* rename the store"):
        TreeStore.open(long, read_only=read_only)
    TreeStore.open(long.rename(path), read_only=read_only).close()  # the remedy


def test_missing_file_and_folder_are_not_made(path: Path) -> None:
    with pytest.raises(StoreNotFoundError, match="pe-explore auto MODEL"):
        TreeStore.open(path)
    with pytest.raises(NotAStoreError, match="folder"):
        TreeStore.open(path.parent)
    with pytest.raises(StoreNotFoundError, match="does not exist"):
        TreeStore.open(path.parent / "no" / "where.db", create=True)
    with pytest.raises(ValueError, match="read_only"):
        TreeStore.open(path, create=True, read_only=True)
    assert list(path.parent.iterdir()) == []


def test_closed_store_is_one_file(path: Path) -> None:
    filled(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_path_may_hold_characters_of_a_uri(tmp_path: Path) -> None:
    path = tmp_path / "50% ?mode=memory#x & ü.db"
    filled(path)
    with TreeStore.open(path) as store:
        assert len(store.nodes(1)) == 3


def test_read_only_folder_can_be_read_and_says_why_it_cannot_be_written() -> None:
    folder = Path(tempfile.mkdtemp())
    path = folder / "a.db"
    try:
        filled(path)
        folder.chmod(0o555)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                if os.getuid() == 0:
                    os.setgid(65534)
                    os.setuid(65534)
                with pytest.raises(StoreNotWritableError, match="copy the store to another one"):
                    TreeStore.open(path)
                with pytest.raises(StoreNotWritableError, match="another place with --store"):
                    TreeStore.open(folder / "new.db", create=True)
                with TreeStore.open(path, read_only=True) as store:
                    assert len(store.nodes(1)) == 3
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert [file.name for file in folder.iterdir()] == ["a.db"]
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_second_writer_learns_who_writes(path: Path, store: TreeStore) -> None:
    make_run(store)
    child = start_python(
        "import sys, store\n"
        "try: store.TreeStore.open(sys.argv[1])\n"
        "except store.StoreLockedError as error: print(error)\n"
        "print(len(store.TreeStore.open(sys.argv[1], read_only=True).runs()))",
        str(path),
    )
    said, _ = child.communicate(timeout=120)
    assert f"process {os.getpid()} on " in said and "pe-explore log" in said
    assert said.endswith("\n1\n")
    with pytest.raises(StoreLockedError):
        TreeStore.open(path)
    holder = json.loads(path.with_name(path.name + ".lock").read_text())
    assert holder["pid"] == os.getpid() and set(holder) == {"pid", "host", "since"}
    store.close()
    TreeStore.open(path).close()


def test_forked_child_does_not_keep_the_lock(path: Path) -> None:
    store = TreeStore.open(path, create=True)
    ready, stop = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(ready[1], b"x")
        os.read(stop[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    store._connection._lock.abandon()  # type: ignore[union-attr]  # as if this process had died
    TreeStore.open(path).close()
    os.write(stop[1], b"x")
    os.waitpid(child, 0)
    store.close()


def test_reader_sees_what_a_writer_commits_and_nothing_half_done(
    path: Path, store: TreeStore
) -> None:
    root = root_of(store)
    with TreeStore.open(path, read_only=True) as reader:
        assert [node.name for node in reader.nodes(root.run_id)] == ["R"]
        with store._connection.writing():
            add(store, root)
            assert len(reader.nodes(root.run_id)) == 1
        assert len(reader.nodes(root.run_id)) == 3


def test_own_queries_cannot_write(store: TreeStore) -> None:
    make_run(store)
    database = store.database()
    assert [row["name"] for row in database["node"].rows] == ["R"]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database["run"].insert({"id": 5})
    database.close()


def test_older_store_is_brought_up_to_date_by_a_writer_only(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path)
    number = schema.newest_format()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE tag(name);\n"))
    before = path.read_bytes()
    TreeStore.open(path, read_only=True).close()  # what can be read as it is needs no migration
    monkeypatch.setattr(schema, "OLDEST_READABLE", number + 1)
    with pytest.raises(OlderStoreError, match=f"format {number}"):
        TreeStore.open(path, read_only=True)
    assert path.read_bytes() == before
    with TreeStore.open(path) as store:
        assert len(store.nodes(1)) == 3
        assert store._connection.rows("SELECT * FROM tag") == []
    TreeStore.open(path, read_only=True).close()


def test_failed_migration_leaves_the_store_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path)
    script = "CREATE TABLE tag(name);\nCREATE TABLE node(id);\n"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, script))
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            TreeStore.open(path)
    with TreeStore.open(path) as store:
        assert store._connection.rows("SELECT 1 FROM sqlite_schema WHERE name = 'tag'") == []
        assert len(store.nodes(1)) == 3


def test_two_processes_migrating_at_once_both_end_with_the_new_format(path: Path) -> None:
    filled(path)
    script = (
        "import sys, sqlite3, sqlite_utils\n"
        "from store.sqlite import schema\n"
        "schema.MIGRATIONS += ('CREATE TABLE tag(name);\\n', 'CREATE TABLE note(text);\\n')\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "schema.migrate(database); print(schema.format_of(database))\n"
    )
    children = [start_python(script, str(path)) for _ in range(2)]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        said, error = child.communicate(timeout=120)
        assert said == f"{schema.newest_format() + 2}\n", error


def test_two_processes_creating_at_once_make_one_store(path: Path) -> None:
    script = (
        "import sys, store, sqlite_utils\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "try: opened = store.TreeStore.open(sys.argv[1], create=True)\n"
        "except store.StoreLockedError: print('locked')\n"
        "else: print('opened', opened.runs())\n"
    )
    children = [start_python(script, str(path)) for _ in range(2)]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    said = sorted(child.communicate(timeout=120)[0] for child in children)
    assert said in (["locked\n", "opened []\n"], ["opened []\n", "opened []\n"])


def test_store_of_format_1_opens_for_ever(path: Path) -> None:
    from golden.make_format_1 import describe

    shutil.copy(GOLDEN / "format-1.db", path)
    expected = json.loads((GOLDEN / "format-1.json").read_text())
    with TreeStore.open(path) as store:  # a later format needs a writer once
        assert describe(store) == expected
        finish(store, store.node(1, "R.L.F"))
    with TreeStore.open(path, read_only=True) as store:
        assert store.node(1, "R.L.F").state == "ready"


@pytest.mark.parametrize("number", range(2, schema.newest_format() + 1))
def test_store_of_every_later_format_opens_for_ever(path: Path, number: int) -> None:
    from golden.make_format import describe

    shutil.copy(GOLDEN / f"format-{number}.db", path)
    expected = json.loads((GOLDEN / f"format-{number}.json").read_text())
    with TreeStore.open(path) as store:
        assert describe(store) == expected
        kept = {brief.name: brief.kept for chunk in store.summaries(1) for brief in chunk}
        assert kept == {node.name: node.kept for node in store.nodes(1)}


def test_importing_the_store_is_light() -> None:
    child = start_python(
        "import sys, store\n"
        "heavy = {'torch', 'numpy', 'sqlite_utils', 'textual', 'engine', 'explorer'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert child.communicate(timeout=120)[0] == "[]\n"
