"""Whether a file's tables, indexes and triggers are ours, statement by statement, and no other.

What SQLite runs by itself stands in the schema: views, triggers, generated columns, defaults,
checks, virtual tables. So it is compared before anything else is asked of a file.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shlex
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from store.errors import NotOurSchemaError
from store.sqlite import schema

Key = tuple[str, str]  # type and name
Objects = dict[Key, tuple[str, str | None]]  # the table it belongs to, and its SQL
What = Literal["missing", "differs", "not ours"]

# By its old name: nothing in the file can have that one.
_OBJECTS = "SELECT type, name, tbl_name, sql, rootpage FROM sqlite_master LIMIT ?"
_MOST_FOREIGN = 1_000  # beyond ours, so many are looked at
# What ANALYZE leaves; it helps SQLite to plan and says nothing about rows.
_STATISTICS = {
    ("table", "sqlite_stat1"): "CREATE TABLE sqlite_stat1(tbl,idx,stat)",
    ("table", "sqlite_stat4"): "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)",
}
# The schemas that the scripts of each format make, so that a store opens without running them. A
# test holds them against the scripts, which never change.
_DIGESTS = {
    1: "79596a3b850a49ec07b99db7c10f378dc8166e51bbab44dc5af40d44c8481918",
    2: "868484309ada842f4933bc76ed17dbc2531ecd526a8fcebce6e2562f8b6cebd6",
    3: "5b0ce398d98e56b7eda1671518541d50a1e14512f9655bd342c819311ef341e6",
    4: "3fe317681dc6002d367c3cb66fe20a0f3fd7204246028e8c5d4400452d9d865a",
    5: "4573ddf2e7d4fd75c481ae5a7328a401db2057ab1265cdcf2224fdef521e1103",
    6: "6d27dee79548c02a7340ba7c4794494d7b8a849263b826a7629b18bdd99ed8d0",
    7: "6d27dee79548c02a7340ba7c4794494d7b8a849263b826a7629b18bdd99ed8d0",  # a row more, no table
}
_RENAMED = re.compile(r'CREATE TABLE "(\w+)"')  # versions of SQLite write a renamed table so or so
_PLAIN_NAME = re.compile(r"\w{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SchemaDifference:
    """One table, index, trigger or view that is not as our scripts make it."""

    kind: str
    name: str
    what: What

    def __str__(self) -> str:
        words = {"missing": "is missing", "differs": "differs", "not ours": "is not ours"}
        return f"{self.kind} {self.name} {words[self.what]}"


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raises NotOurSchemaError, with the first difference and the way out."""
    if found := differences(connection):
        raise NotOurSchemaError(_explained(found, path))


def differences(connection: sqlite3.Connection) -> list[SchemaDifference]:
    """What is not as the scripts up to the file's format make it; what is foreign comes first."""
    number = schema.format_of(connection)
    rows = _rows(connection)
    found = _objects(rows)
    if digest_of(found) == _DIGESTS.get(number) and _has_own_pages(rows):
        return []
    return _compared(_expected(number), found, rows)


def digest_of(objects: Objects) -> str:
    """The hash of a schema, whatever the order of its statements."""
    return hashlib.sha256(json.dumps(sorted(objects.items())).encode()).hexdigest()


def expected(number: int) -> Objects:
    """What the scripts up to a format make."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        for script in schema.MIGRATIONS[:number]:
            for statement in schema.statements(script):
                fresh.execute(statement)
        return _objects(_rows(fresh))


@functools.cache
def _expected_of(number: int, scripts: tuple[str, ...]) -> Objects:
    return expected(number)


def _expected(number: int) -> Objects:
    return _expected_of(number, tuple(schema.MIGRATIONS))


def _rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    limit = _MOST_FOREIGN + sum(script.count("CREATE ") for script in schema.MIGRATIONS)
    return [tuple(row) for row in connection.execute(_OBJECTS, (limit,))]


def _objects(rows: Sequence[tuple[object, ...]]) -> Objects:
    found: Objects = {}
    for kind, name, table, sql, _ in rows:
        key = (str(kind), str(name))
        text = None if sql is None else _RENAMED.sub(r"CREATE TABLE \1", str(sql), count=1)
        if text is not None and _STATISTICS.get(key) == text:
            continue
        if key in found:
            text = f"{found[key][1]}; {text}"  # twice is not ours
        found[key] = (str(table), text)
    return found


def _has_own_pages(rows: Sequence[tuple[object, ...]]) -> bool:
    """Whether no two tables or indexes lie on the same pages."""
    roots = [row[4] for row in rows if row[0] in ("table", "index")]
    return len(set(roots)) == len(roots)


def _compared(
    ours: Objects, theirs: Objects, rows: Sequence[tuple[object, ...]]
) -> list[SchemaDifference]:
    foreign = [SchemaDifference(*key, "not ours") for key in sorted(theirs.keys() - ours.keys())]
    changed = [
        SchemaDifference(*key, "differs")
        for key in sorted(ours.keys() & theirs.keys())
        if ours[key] != theirs[key]
    ]
    missing = [SchemaDifference(*key, "missing") for key in sorted(ours.keys() - theirs.keys())]
    found = [*foreign, *changed, *missing]
    if not found and not _has_own_pages(rows):
        return [SchemaDifference("table", "sqlite_master", "differs")]
    return found


def _explained(found: Sequence[SchemaDifference], path: Path) -> str:
    first = found[0]
    others = f" ({len(found) - 1} more: `pe-explore verify` names them)" if len(found) > 1 else ""
    if first.what == "not ours":
        return (
            f"{path} holds the {first.kind} {first.name!r}, which pe-explore did not make{others}. "
            f"SQLite would run it, so nothing else was asked of the file. {_way_out(first, path)}"
        )
    how = "is missing" if first.what == "missing" else "is not the one that pe-explore makes"
    return (
        f"the {first.kind} {first.name!r} of {path} {how}{others}, so nothing else was asked of "
        "the file. Another program has changed it; take a copy that only pe-explore wrote to"
    )


def _way_out(foreign: SchemaDifference, path: Path) -> str:
    if foreign.kind not in ("table", "view", "index", "trigger") or not (
        _PLAIN_NAME.fullmatch(foreign.name) and not foreign.name.startswith("sqlite_")
    ):
        return "Take a copy that only pe-explore wrote to"
    command = shlex.join(["sqlite3", str(path), f'DROP {foreign.kind.upper()} "{foreign.name}"'])
    return (
        f"If it is your own, take it out with `{command}`, and keep such things in a file of your "
        "own that ATTACHes the store; if somebody sent you the file, ask them for another copy"
    )
