"""A file that somebody sends: a schema that is not ours is refused before anything of it runs, and
rows of any kind end in a typed error."""

from __future__ import annotations

import re
import shlex
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from tampering import raw, tamper

from store import DamagedStoreError, NotAStoreError, NotOurSchemaError, StoreError, TreeStore
from store.audit.verify import verify
from store.sqlite import our_schema, schema, typed_rows
from store.transfer.merge import merge
from store.transfer.pack import pack, pack_nodes

GOLDEN = Path(__file__).parent / "golden"
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
RUNS = f"BEGIN {ENDLESS} SELECT x FROM c; END"
# What runs by itself once a row is read or written, and what a person might add.
FOREIGN = {
    "view": f"CREATE VIEW mine AS {ENDLESS} SELECT x FROM c",
    "trigger on the log": f"CREATE TRIGGER mine AFTER INSERT ON event {RUNS}",
    "trigger on tidying": f"CREATE TRIGGER mine AFTER UPDATE ON node {RUNS}",
    "trigger on deleting": f"CREATE TRIGGER mine BEFORE DELETE ON upload {RUNS}",
    "table": "CREATE TABLE mine(a, b)",
    "generated column": "CREATE TABLE mine(a, b AS (hex(zeroblob(a))))",
    "virtual table": "CREATE VIRTUAL TABLE mine USING fts5(text)",
    "index": "CREATE INDEX mine ON node(depth)",
    "index on an expression": "CREATE INDEX mine ON node(hex(zeroblob(depth)))",
}
CHANGED = {
    "column": "ALTER TABLE node ADD COLUMN also TEXT",
    "missing column": "ALTER TABLE freed DROP COLUMN created_at",
    "missing table": "DROP TABLE outline",
    "missing rule": "DROP TRIGGER decision_no_update",
    "missing index": "DROP INDEX event_run",
    "older format said": "PRAGMA user_version = 4",
}


@pytest.fixture
def foreign(path: Path) -> Path:
    shutil.copy(GOLDEN / "growing-6.db", path)
    return path


def ways(path: Path, folder: Path) -> list:
    """Everything that opens a store."""
    mine = folder / "mine.pex.db"
    shutil.copy(GOLDEN / "format-6.db", mine)
    return [
        lambda: TreeStore.open(path, read_only=True).close(),
        lambda: TreeStore.open(path).close(),
        lambda: pack(path, folder / "packed.pex.db"),
        lambda: pack_nodes(path, folder / "part.pex.db", 1, ["R"]),
        lambda: merge(mine, path),
        lambda: merge(path, mine),
    ]


@pytest.mark.parametrize("sql", [*FOREIGN.values(), *CHANGED.values()], ids=[*FOREIGN, *CHANGED])
def test_what_is_not_ours_is_refused_by_every_way_in(
    foreign: Path, tmp_path: Path, sql: str
) -> None:
    with raw(foreign) as connection:
        connection.execute(sql)
    before = foreign.read_bytes()
    for way in ways(foreign, tmp_path):
        started = time.process_time()
        with pytest.raises(NotOurSchemaError, match=re.escape(str(foreign))):
            way()
        assert time.process_time() - started < 2
    assert foreign.read_bytes() == before
    assert not list(tmp_path.glob("pack*")) and not list(tmp_path.glob("part*"))
    found = verify(foreign)
    assert {finding.kind for finding in found.findings} >= {"schema"}


def forged(path: Path, name: str, sql: str, kind: str = "table") -> None:
    """Puts SQL into the schema that SQLite would not have let in."""
    with raw(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = ?, type = ?, rootpage = iif(? = 'view', 0, rootpage)"
            " WHERE name = ?", (sql, kind, kind, name),
        )  # fmt: skip


def sql_of(path: Path, name: str) -> str:
    with raw(path) as connection:
        return connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = ?", (name,)
        ).fetchone()[0]


@pytest.mark.parametrize("table", ["event", "node", "run", "freed"])
def test_a_table_that_is_a_view_without_end_hangs_nobody(foreign, tmp_path, table: str) -> None:
    with raw(foreign) as connection:  # its triggers and indexes would not fit a view
        for kind, name in connection.execute(
            "SELECT type, name FROM sqlite_master WHERE tbl_name = ? AND type <> 'table'"
            " AND name NOT LIKE 'sqlite_%'", (table,),
        ).fetchall():  # fmt: skip
            connection.execute(f"DROP {kind} {name}")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "DELETE FROM sqlite_master WHERE tbl_name = ? AND name LIKE 'sqlite_auto%'", (table,)
        )
    forged(
        foreign, table, f"CREATE VIEW {table} AS {ENDLESS} SELECT x AS id, x AS kind FROM c", "view"
    )
    for way in ways(foreign, tmp_path):
        with pytest.raises(StoreError):
            way()
    assert verify(foreign).findings


@pytest.mark.parametrize(
    ("change", "becomes"),
    [("CHECK(", "CHECK(1 OR "), (" STRICT", ""), (" NOT NULL", ""), ("TEXT", "BLOB"), ("(", "( ")],
)
def test_a_constraint_that_was_taken_away_is_noticed(foreign, change: str, becomes: str) -> None:
    forged(foreign, "event", sql_of(foreign, "event").replace(change, becomes, 1))
    with pytest.raises(NotOurSchemaError, match=r"'event' of .* is not the one"):
        TreeStore.open(foreign, read_only=True)


def test_a_trigger_of_ours_with_more_in_it_is_noticed(foreign: Path) -> None:
    name = "event_no_update"
    sql = sql_of(foreign, name).replace("BEGIN", f"BEGIN {ENDLESS} SELECT x FROM c;")
    forged(foreign, name, sql, "trigger")
    with pytest.raises(NotOurSchemaError, match=name):
        TreeStore.open(foreign)


def test_two_tables_on_the_same_pages_are_noticed(foreign: Path) -> None:
    with raw(foreign) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master"
            " WHERE name = 'settings') WHERE name = 'environment'"
        )
    with pytest.raises(NotOurSchemaError):
        TreeStore.open(foreign, read_only=True)


def test_hundreds_of_tables_are_refused_at_once(foreign: Path) -> None:
    with raw(foreign) as connection:
        connection.execute("BEGIN")
        for number in range(400):
            connection.execute(f"CREATE TABLE t{number}({', '.join(f'c{i}' for i in range(50))})")
        connection.execute("COMMIT")
    started = time.process_time()
    with pytest.raises(NotOurSchemaError):
        TreeStore.open(foreign, read_only=True)
    assert time.process_time() - started < 5


def test_the_way_out_that_the_message_names_helps(foreign: Path) -> None:
    for sql in (FOREIGN["view"], "CREATE TABLE also_mine(a)"):
        with raw(foreign) as connection:
            connection.execute(sql)
    for _ in range(2):
        with pytest.raises(NotOurSchemaError) as told:
            TreeStore.open(foreign)
        command = re.search(r"`(sqlite3 .*?)`,", str(told.value))
        assert command is not None
        program, path, statement = shlex.split(command[1])
        assert (program, path) == ("sqlite3", str(foreign))
        with raw(foreign) as connection:
            connection.execute(statement)
    TreeStore.open(foreign).close()


def test_a_name_made_to_be_copied_into_a_shell_is_no_part_of_the_way_out(foreign: Path) -> None:
    with raw(foreign) as connection:
        connection.execute("CREATE VIEW \"x'; touch gone; '\" AS SELECT 1")
    with pytest.raises(NotOurSchemaError) as told:
        TreeStore.open(foreign)
    assert "DROP" not in str(told.value)


@pytest.mark.parametrize("name", [path.stem for path in sorted(GOLDEN.glob("*.db"))])
def test_files_of_every_format_and_history_are_ours(path: Path, name: str) -> None:
    shutil.copy(GOLDEN / f"{name}.db", path)
    with raw(path) as connection:
        assert our_schema.differences(connection) == []
    TreeStore.open(path).close()  # step by step to the newest format
    with raw(path) as connection:
        connection.execute("ANALYZE")
        connection.execute("VACUUM")
        assert our_schema.differences(connection) == []
    TreeStore.open(path, read_only=True).close()


def test_the_hashes_of_our_schemas_are_those_of_the_scripts() -> None:
    for number in range(1, schema.newest_format() + 1):
        made = our_schema.digest_of(our_schema.expected(number))
        assert our_schema._DIGESTS[number] == made, f"format {number}"


def test_every_column_has_the_type_that_rows_are_held_to(path: Path) -> None:
    TreeStore.open(path, create=True).close()
    types = {"INTEGER": {int}, "REAL": {float}, "TEXT": {str}, "BLOB": {bytes}}
    with raw(path) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        for (table,) in tables:
            if table.startswith("sqlite_"):
                continue
            for _, name, kind, not_null, _, key in connection.execute(
                f"PRAGMA table_info({table})"
            ):
                if (table, name) == ("snapshot_chunk", "data"):  # read as "part"
                    continue
                assert typed_rows.TYPES[name] == types[kind], f"{table}.{name}"
                assert not_null or key or name in typed_rows.MAYBE_NULL, f"{table}.{name}"


# ------------------------------------------------------------ rows


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("UPDATE node SET parent_id = 5 - id WHERE id IN (2, 3)",), "came before it"),
        (("UPDATE node SET parent_id = NULL WHERE id = 3",), "a second root"),
        (("DELETE FROM node WHERE id = 1",), "no root|no parent"),
        (("UPDATE node SET depth = 1000000000 WHERE id = 2",), "no candidate of its parent"),
        (("UPDATE node SET name = 'R.' || char(27) || '[31m' WHERE id = 2",), "not named after"),
        (("UPDATE node SET edit = NULL WHERE id = 2",), "no candidate of its parent"),
        (("UPDATE node SET edit = '[1' WHERE id = 2",), "the edit of node 2"),
        (("UPDATE node SET edit = '[]' WHERE id = 2",), "not a JSON object"),
        (("UPDATE node SET state = 'lost' WHERE id = 2",), "in the state 'lost'"),
        (("UPDATE node SET created_at = x'ff00' WHERE id = 2",), "created_at"),
        (("UPDATE metric SET value = NULL WHERE node_id = 2",), "has no value|NULL value|metric"),
        (("DELETE FROM settings",), "lacks its settings"),
        (("UPDATE run SET architecture = 'null'",), "the architecture of run 1"),
        (("UPDATE event SET payload = zeroblob(70000000) WHERE id = 2",), "larger|payload"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_long", [False, True])
def test_rows_that_are_no_tree_are_named(foreign: Path, changes, words: str, is_long: bool) -> None:
    tamper(foreign, *changes)
    if is_long:  # opening checks no pages then
        columns = "run_id, node_id, kind, payload, created_at"
        tamper(
            foreign, f"INSERT INTO event(id, {columns}) SELECT 50000, {columns} FROM event LIMIT 1"
        )
    with (
        pytest.raises(DamagedStoreError, match=words) as told,
        TreeStore.open(foreign, read_only=True) as store,
    ):
        run = store.runs()[0]
        store.nodes(run.id)
        store.events(run.id)
    assert str(foreign) in str(told.value) and len(str(told.value)) < 1_000


DEEP = "[" * 5_000 + "]" * 5_000


@pytest.mark.parametrize(
    "text",
    [DEEP, f'{{"a":{DEEP}}}', '{"a":' * 5_000 + "1" + "}" * 5_000, "{},{}", "[]", "7", '"x"', "{",
     '{"$number":"x"}', '{"$number":[]}', '{"a":{"$number":"x"}}', "9" * 5_000,
     "x" * 1_000],
    ids=range(13),
)  # fmt: skip
@pytest.mark.parametrize("table", ["event", "proposal", "run", "settings", "epoch"])
def test_documents_of_any_form_are_a_typed_error(foreign: Path, table: str, text: str) -> None:
    column = {"event": "payload", "run": "data", "settings": "json"}.get(table, "content")
    with raw(foreign) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"DROP TRIGGER IF EXISTS {table}_no_update")
        connection.execute(f"UPDATE {table} SET {column} = ?", (text,))
        if (sql := dict(_triggers()).get(f"{table}_no_update")) is not None:
            connection.execute(sql)
    with pytest.raises(DamagedStoreError), TreeStore.open(foreign, read_only=True) as store:
        run = store.runs()[0]
        store.events(run.id)
        for node in store.nodes(run.id):
            store.proposals(node.id)
            store.epochs(node.id)


def test_a_document_that_is_too_long_is_not_read(foreign: Path) -> None:
    long = '{"a":[' + "[]," * 6_000_000 + "[]]}"
    with raw(foreign) as connection:
        connection.execute("DROP TRIGGER event_no_update")
        connection.execute("UPDATE event SET payload = ? WHERE id = 2", (long,))
        connection.execute(dict(_triggers())["event_no_update"])
    with (
        TreeStore.open(foreign, read_only=True) as store,
        pytest.raises(DamagedStoreError, match=r"line 2 of the log .* characters"),
    ):
        store.events(1)


def _triggers() -> list[tuple[str, str]]:
    with closing(sqlite3.connect(GOLDEN / "growing-6.db")) as connection:
        return connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()


def test_walks_along_circles_end(foreign: Path) -> None:
    tamper(
        foreign,
        "UPDATE node SET parent_id = (SELECT max(id) FROM node WHERE name LIKE 'R.L.%')"
        " WHERE name = 'R.L'",
        "UPDATE outline SET kept = 1",
    )
    with TreeStore.open(foreign, read_only=True) as store:
        deep = store._connection.rows(
            "SELECT id FROM node WHERE name LIKE 'R.L.%' ORDER BY id DESC"
        )
        with pytest.raises(DamagedStoreError, match="way"):
            store.lineage(deep[0]["id"])
        store.kept_path(1)
        store.freeable()


def test_a_query_that_would_take_far_longer_than_its_file_explains_is_given_up(foreign) -> None:
    node = "run_id, parent_id, proposal_id, name, structure, depth, edit, state, created_at"
    count = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 12000)"
    tamper(
        foreign,
        "DELETE FROM decision", "DELETE FROM decision_kept",
        f"{count} INSERT INTO node({node}) SELECT run_id, 1, proposal_id, 'R.L' || (x + 100),"
        " structure, depth, edit, 'queued', '' FROM c, node WHERE name = 'R.L'",
        f"{count} INSERT INTO decision(run_id, parent_id, newest_candidate, actor, reason,"
        " supersedes, created_at) SELECT 1, 1, (SELECT max(id) FROM node), 'x', '', x, '' FROM c",
    )  # fmt: skip
    started = time.process_time()
    with (
        TreeStore.open(foreign, read_only=True) as store,
        pytest.raises(DamagedStoreError, match="many times longer"),
    ):
        store.decisions(1)
    assert time.process_time() - started < 10


def test_an_sqlite_file_of_another_program_is_still_none_of_ours(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("CREATE TABLE event(id)")
    with pytest.raises(NotAStoreError, match="another program"):
        TreeStore.open(path)
