"""JSON objects that are stored once, under their hash: settings and environments."""

from __future__ import annotations

from typing import Literal

from store.sqlite import canonical_json
from store.sqlite.connection import Connection

Table = Literal["settings", "environment"]


def keep(connection: Connection, table: Table, text: str) -> str:
    """The hash of a document, which is stored once however many rows share it. Only inside
    `writing`."""
    address = canonical_json.text_hash(text)
    connection.execute(f"INSERT OR IGNORE INTO {table}(hash, json) VALUES (?, ?)", (address, text))
    return address


def copy(source: Connection, into: Connection, table: Table, address: str) -> None:
    """Have a document of another store here too. Only inside `writing`."""
    row = source.row(f"SELECT json FROM {table} WHERE hash = ?", (address,))
    if row is None:
        raise source.damaged(f"the {table} document {address[:12]} is not there")
    into.execute(f"INSERT OR IGNORE INTO {table}(hash, json) VALUES (?, ?)", (address, row["json"]))
