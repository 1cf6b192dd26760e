"""Draws of what somebody could put into the rows of a store."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from tampering import tampered

from store.tables import hash_chain

DEEP = "[" * 5_000 + "]" * 5_000
TEXTS = (
    "", "x", "R", "R.L", "R.L.", "\x1b[31mred\x1b]0;title\x07", "\u202eabc\u2066", "\ue000\u200b",
    "a\nb\rc\x85d", "\ud7ff\u0301" * 20, "[/red][@click=app.quit]x", "1" * 5_000, "x" * 300_000,
    "2026-13-45T99", "nan", "-inf",
)  # fmt: skip
JSONS = (
    "[]", "{}", "null", "1", "NaN", "[1,2", "{},{}", '"text"', DEEP,
    '{"a":' * 5_000 + "1" + "}" * 5_000,
    '{"$number":"nan"}', '{"$number":"x"}', '{"$number":[]}', "1e999", "9" * 5_000,
    "[" + ",".join(["[]"] * 200_000) + "]",
)  # fmt: skip
NUMBERS: tuple[Any, ...] = (
    0,
    1,
    2,
    3,
    -1,
    5,
    10**6,
    2**31,
    2**63 - 1,
    -(2**63),
    0.5,
    -1.5,
    1e308,
    float("inf"),
    1e-320,
)
VALUES: tuple[Any, ...] = (
    None,
    *NUMBERS,
    *TEXTS,
    *JSONS,
    b"",
    b"\x00\xff",
    b"x" * 100_000,
    "\x00zero",
)
JSON_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**30,
    float("nan"),
    "",
    "R.L",
    "\x1b[2J\u202e",
    [],
    {},
    [[]],
    [1, "a", None],
    {"a": {}},
    {"structure": "layer"},
    "x" * 3_000,
    ["R.L", "R.F"],
)
JSON_COLUMNS = (
    "json",
    "architecture",
    "data",
    "content",
    "edit",
    "payload",
    "resamples",
    "metrics",
)


def spoil(path: Path, draw: random.Random) -> None:
    """Changes a few things in the rows, behind every rule; often so that no seal tells."""
    with tampered(path) as connection:
        for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
            draw.choice((_value, _value, _document, _document, _document, _row))(connection, draw)
        if draw.random() < 0.6:
            _seal_again(connection)
        if draw.random() < 0.4:  # so long a log that opening checks no pages
            columns = "run_id, node_id, kind, payload, created_at"
            connection.execute(
                f"INSERT OR IGNORE INTO event(id, {columns})"
                f" SELECT 50000, {columns} FROM event LIMIT 1"
            )


def _table(connection: sqlite3.Connection, draw: random.Random) -> str:
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    often = ["node", "event", "decision", "decision_kept", "run", "metric", "epoch", "result"]
    return str(draw.choice([*sorted(name for (name,) in tables), *often, *often]))


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _some(draw: random.Random) -> str:
    return draw.choice(("", " LIMIT 1 OFFSET 1", f" LIMIT 1 OFFSET {draw.randrange(12)}"))


def _try(connection: sqlite3.Connection, sql: str, parameters: tuple[Any, ...] = ()) -> None:
    with suppress(sqlite3.Error):  # what not even a tamperer can write
        connection.execute(sql, parameters)


def _value(connection: sqlite3.Connection, draw: random.Random) -> None:
    """Another value in a column: a strange one, or one of another row."""
    table = _table(connection, draw)
    columns = _columns(connection, table)
    column, key = draw.choice(columns), ", ".join(columns[:3])
    which = f"({key}) IN (SELECT {key} FROM {table} ORDER BY {columns[0]} DESC{_some(draw)})"
    if draw.random() < 0.4:
        other = f"(SELECT {column} FROM {table} ORDER BY random() LIMIT 1)"
        _try(connection, f"UPDATE OR IGNORE {table} SET {column} = {other} WHERE {which}")
        return
    value = draw.choice(JSONS if column in JSON_COLUMNS and draw.random() < 0.7 else VALUES)
    _try(connection, f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {which}", (value,))


def _row(connection: sqlite3.Connection, draw: random.Random) -> None:
    """A row that goes, or comes twice."""
    table = _table(connection, draw)
    columns = _columns(connection, table)
    key = ", ".join(columns[:3])
    which = f"({key}) IN (SELECT {key} FROM {table}{_some(draw)})"
    if draw.random() < 0.5:
        _try(connection, f"DELETE FROM {table} WHERE {which}")
        return
    others = ", ".join(columns[1:])
    _try(
        connection,
        f"INSERT OR IGNORE INTO {table}({', '.join(columns)})"
        f" SELECT 1000 + random() % 900, {others} FROM {table} WHERE {which}",
    )


def _document(connection: sqlite3.Connection, draw: random.Random) -> None:
    """One place in a JSON document that holds something else."""
    places = (
        ("settings", "json"), ("environment", "json"), ("run", "architecture"), ("run", "data"),
        ("proposal", "content"), ("node", "edit"), ("event", "payload"), ("event", "payload"),
        ("epoch", "content"), ("result", "resamples"), ("evaluation", "metrics"),
    )  # fmt: skip
    table, column = draw.choice(places)
    rows = []
    with suppress(sqlite3.Error):  # older formats lack some
        rows = connection.execute(
            f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL"
        ).fetchall()
    if not rows:
        return
    (text,) = draw.choice(sorted(rows, key=repr))
    try:
        value = json.loads(text)
    except (ValueError, RecursionError, TypeError):
        return
    text_now = json.dumps(changed(value, draw))
    _try(connection, f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (text_now, text))


def changed(value: Any, draw: random.Random) -> Any:
    if isinstance(value, dict) and value and draw.random() < 0.85:
        key = draw.choice(sorted(value))
        if draw.random() < 0.15:
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: changed(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.7:
        place = draw.randrange(len(value))
        return [*value[:place], changed(value[place], draw), *value[place + 1 :]]
    return draw.choice(JSON_VALUES)


def _seal_again(connection: sqlite3.Connection) -> None:
    """Seals that fit what the rows say now."""
    connection.row_factory = sqlite3.Row

    def rows(sql: str, parameters: Any) -> list[sqlite3.Row]:
        return connection.execute(sql, parameters).fetchall()

    try:
        previous = None
        events = rows("SELECT id, run_id, node_id, kind, payload, created_at FROM event", {})
        for event in events:
            previous = hash_chain.digest_of(rows, event, previous)
            connection.execute(
                "UPDATE seal SET digest = ? WHERE event_id = ?", (previous, event["id"])
            )
    except (ValueError, TypeError, sqlite3.Error):
        pass  # such rows have no seal
    finally:
        connection.row_factory = None
