"""What must not be stored cannot be stored, not even by a program that goes past us."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from store_helpers import add, decide, finish, root_of

from store import TreeStore
from store.audit.verify import verify
from store.sqlite.schema import statements


@pytest.fixture
def raw(path: Path) -> sqlite3.Connection:
    with TreeStore.open(path, create=True) as store:
        root = root_of(store)
        layer, _ = add(store, root)
        finish(store, layer)
        decide(store, root, layer)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


@pytest.mark.parametrize("table", ["decision", "decision_kept", "event", "result", "metric"])
def test_history_is_append_only(raw: sqlite3.Connection, table: str) -> None:
    column = raw.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchone()[0]
    for sql in (
        f"DELETE FROM {table}",
        f"UPDATE {table} SET {column} = {column}",
        f"REPLACE INTO {table} SELECT * FROM {table}",
    ):
        with pytest.raises(sqlite3.IntegrityError, match=r"append-only|never changes"):
            raw.execute(sql)


NODE = (
    "INSERT INTO node(run_id, parent_id, proposal_id, name, structure, depth, edit, state, "
    "created_at) VALUES "
)
DECISION = "INSERT INTO decision(run_id, parent_id, actor, reason, supersedes, created_at) VALUES "


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE node SET name = 'R.X' WHERE id = 2",
        'UPDATE node SET edit = \'{"structure":"layer"}\' WHERE id = 2',
        "UPDATE node SET parent_id = NULL WHERE id = 2",
        "DELETE FROM node WHERE id = 3",
        "UPDATE node SET state = 'queued' WHERE id = 2",
        "UPDATE node SET state = 'ready' WHERE id = 3",
        "UPDATE node SET state = 'failed' WHERE id = 3",
        "UPDATE node SET state = 'lost' WHERE id = 3",
        "UPDATE node SET error = 'none' WHERE id = 3",
        NODE + "(1, NULL, NULL, 'R', 'root', 0, NULL, 'ready', '')",
        NODE + "(1, 1, 1, 'R.L2', 'layer', 1, '{\"structure\":\"layer\"}', 'ready', '')",
        NODE + "(1, 1, 1, 'R.L2', 'layer', 1, '{\"structure\":\"head\"}', 'queued', '')",
        NODE + "(1, 1, 1, 'R.L2', 'layer', 2, '{\"structure\":\"layer\"}', 'queued', '')",
        NODE + "(1, 1, 1, 'R.Lx', 'layer', 1, '{\"structure\":\"layer\"}', 'queued', '')",
        NODE + "(1, 3, 1, 'R.F.L', 'layer', 2, '{\"structure\":\"layer\"}', 'queued', '')",
        NODE + "(9, 1, 1, 'R.L2', 'layer', 1, '{\"structure\":\"layer\"}', 'queued', '')",
        DECISION + "(1, 1, 'me', '', NULL, '')",
        DECISION + "(1, 2, 'me', '', 1, '')",
        "INSERT INTO decision_kept VALUES (1, 3, 1)",
        "INSERT INTO decision_kept VALUES (1, 1, 1)",
        "INSERT INTO metric VALUES (2, 'recovered', 'x', NULL, NULL)",
        "INSERT INTO metric VALUES (2, 'recovered', 'x', 9e999, NULL)",
        "INSERT INTO metric VALUES (2, 'recovered', 'x', 1.0, 'nan')",
        "INSERT INTO metric VALUES (2, 'tuned', 'x', 1.0, NULL)",
        "INSERT INTO result SELECT 3, 'tuned', snapshot_hash, 1, NULL, digest, '' FROM result",
        "INSERT INTO result SELECT 1, 'recovered', snapshot_hash, 1, NULL, digest, '' FROM result",
        "DELETE FROM snapshot",
        "DELETE FROM snapshot_chunk",
        "UPDATE snapshot_chunk SET data = x'00'",
        "UPDATE run SET seed = 'seven'",
        "INSERT INTO settings VALUES ('short', '{}')",
        "INSERT INTO event(run_id, kind, payload, created_at) VALUES (1, 'x', 'no json', '')",
        "INSERT INTO event(run_id, kind, payload, created_at) VALUES (9, 'x', '{}', '')",
    ],
)
def test_wrong_states_cannot_be_written(raw: sqlite3.Connection, sql: str) -> None:
    before = list(raw.iterdump())
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(sql)
    assert list(raw.iterdump()) == before


def test_phases_of_a_later_program_are_for_ready_nodes_and_come_last(path: Path, raw) -> None:
    later = (
        "INSERT INTO result SELECT {node}, 'merged', snapshot_hash, 2, NULL, digest, '' FROM result"
    )
    later += " WHERE phase = 'recovered'"
    with pytest.raises(sqlite3.IntegrityError, match="state does not allow"):
        raw.execute(later.format(node=3))  # which is queued
    raw.execute(later.format(node=2))
    raw.execute("INSERT INTO metric VALUES (2, 'merged', 'val_accuracy', 12.5, NULL)")
    raw.close()
    with TreeStore.open(path) as store:
        node = store.node_by_id(2)
        assert node.phases == ("recovered", "merged") and node.seconds == 3.5
        assert node.metrics["val_accuracy"] == 12.5
        finish(store, node, "tuned", metrics={})
        assert store.node_by_id(2).phases == ("recovered", "tuned", "merged")
        assert store.node_by_id(2).metrics["val_accuracy"] == 12.5
    kinds = {finding.kind for finding in verify(path).findings}
    assert "outline" not in kinds and "schema" not in kinds


def test_file_is_set_up_to_keep_what_was_acknowledged(store: TreeStore) -> None:
    connection = store._connection._open_sqlite()
    values = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "page_size", "foreign_keys", "busy_timeout")
    }
    assert values.pop("busy_timeout") >= 1000
    full = 2
    assert values == {
        "journal_mode": "wal",
        "synchronous": full,
        "page_size": 16384,
        "foreign_keys": 1,
    }
    tables = connection.execute("PRAGMA table_list").fetchall()
    ours = [row for row in tables if not row["name"].startswith("sqlite_")]
    assert len(ours) > 10 and all(row["strict"] for row in ours)


def test_script_is_cut_into_statements_around_triggers() -> None:
    script = "CREATE TABLE a(b);\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n SELECT 1;\nEND;\n"
    assert len(list(statements(script))) == 2
