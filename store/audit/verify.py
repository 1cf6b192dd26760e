"""Whether a store holds what it was told to hold: every page, hash, lineage, decision and edit.

It works on damaged files: what can still be read is checked, and what cannot is a finding.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from store.audit import row_checks
from store.audit.tensor_shapes import (
    Shapes,
    header_bytes,
    mismatch,
    shapes_of,
)
from store.sqlite import canonical_json, file_checks, formats, our_schema, schema
from store.sqlite.connection import raise_translated, reader
from store.tables import nodes

Who = tuple[int, str]  # a node: its run's id, and its name
Progress = Callable[[int, int], None]  # bytes of snapshots read, and all of them
# What is checked, and what is counted of it.
KINDS = {
    "schema": "tables, indexes and triggers",
    "pages": "pages",
    "reference": "tables",
    "document": "settings and environments",
    "lineage": "nodes",
    "result": "results",
    "decision": "decisions",
    "evaluation": "evaluations",
    "log": "events",
    "outline": "outlines",
    "seal": "sealed lines of the log",
    "snapshot": "snapshots",
    "edit": "networks beside their parent's",
}
_MOST_ROWS = 20  # of one kind of damage


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: what, and with which nodes ((run's id, name) of each)."""

    kind: str  # one of KINDS
    text: str
    nodes: tuple[Who, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of a whole store found.

    `usable` are the ready nodes whose weights and lineage are sound, `unusable` the other ready
    ones, `freed` those whose weights were freed after they had been dropped.
    """

    findings: tuple[Finding, ...]
    usable: tuple[Who, ...]
    unusable: tuple[Who, ...]
    freed: tuple[Who, ...]
    num_snapshots: int
    num_bytes: int
    num_checked: Mapping[str, int]  # by kind; absent for what could not be looked at


@dataclass
class _Check:
    """A check under way."""

    connection: sqlite3.Connection
    findings: list[Finding] = field(default_factory=list)
    # By hash, of sound snapshots; None where a sound one holds no tensors that can be read.
    shapes: dict[str, Shapes | None] = field(default_factory=dict)
    num_checked: dict[str, int] = field(default_factory=dict)

    def found(self, kind: str, text: str, *nodes: Who) -> None:
        self.findings.append(Finding(kind, text, nodes))

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        return self.connection.execute(sql, parameters).fetchall()

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Damage met while reading is a finding, and ends only this part of the check."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                error = sqlite3.OperationalError("it takes far longer than its size can explain")
            self.found("pages", f"{what} cannot be read: {error}")
        except (sqlite3.DatabaseError, ValueError, TypeError, LookupError, AttributeError) as error:
            self.found("pages", f"{what} cannot be read: {error}")


def verify(path: Path, progress: Progress = lambda done, total: None) -> Verification:
    """Checks all of a store; it is only read, whatever its format.

    Raises StoreNotFoundError, NotAStoreError, NewerStoreError, and DamagedStoreError where not
    even its header can be read.
    """
    file_checks.check_header(path)
    try:
        connection = reader(path)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise_translated(error, path)
    with closing(connection):
        check = _Check(connection)
        connection.execute("BEGIN")  # one state of the store, whoever writes meanwhile
        is_ours = False
        with check.reading("the schema"):
            is_ours = _check_schema(check)
        if not is_ours:
            return _summary(check, {})
        with check.reading("the file"):
            _check_pages(check)
        with check.reading("a document"):
            _check_documents(check)
        for what, table, kind, look in row_checks.ALL:
            with check.reading(what):
                for found_kind, text, nodes in look(connection):
                    check.found(found_kind, text, *nodes)
                if _has_table(check, table):
                    check.num_checked[kind] = _count(check, table)
        sizes: dict[str, int] = {}
        with check.reading("the list of snapshots"):
            sizes = _sizes(check)
        _check_snapshots(check, sizes, progress)
        with check.reading("the edits"):
            _check_edits(check)
        return _summary(check, sizes)


# Of a freed result only the hash is left.
_FREED = "SELECT node_id, phase FROM freed"
_SNAPSHOTS = """
SELECT snapshot.hash, snapshot.num_bytes FROM snapshot
WHERE EXISTS(SELECT 1 FROM result WHERE snapshot_hash = snapshot.hash) ORDER BY snapshot.hash
"""
_RESULTS = f"""
SELECT node.id, node.run_id, node.parent_id, node.name, node.edit, result.phase,
  result.snapshot_hash
FROM node LEFT JOIN result ON result.node_id = node.id
WHERE node.state = 'ready' ORDER BY node.id, {nodes.PHASE_ORDER}
"""


def _check_schema(check: _Check) -> bool:
    """Whether the rest can be asked of the file: nothing in it runs that is not ours."""
    check.num_checked["schema"] = len(our_schema.expected(schema.format_of(check.connection)))
    found = our_schema.differences(check.connection)
    for difference in found:
        check.found("schema", str(difference))
    if any(difference.what != "missing" for difference in found):
        check.found("schema", "nothing else was looked at, since SQLite would run what is not ours")
        return False
    return True


def _check_pages(check: _Check) -> None:
    for row in check.rows(f"PRAGMA integrity_check({_MOST_ROWS})"):
        if row[0] != "ok":
            check.found("pages", row[0].replace("\n", " "))
    check.num_checked["pages"] = check.rows("PRAGMA page_count")[0][0]
    check.num_checked["reference"] = _count(check, "sqlite_master WHERE type = 'table'")
    for row in check.rows("PRAGMA foreign_key_check")[:_MOST_ROWS]:
        check.found("reference", f"a row of {row[0]} refers to a row of {row[2]} that is not there")


def _check_documents(check: _Check) -> None:
    for table in ("settings", "environment"):
        rows = check.rows(f"SELECT hash, json FROM {table}")
        check.num_checked["document"] = check.num_checked.get("document", 0) + len(rows)
        for row in rows:
            if canonical_json.text_hash(row["json"]) != row["hash"]:
                check.found("document", f"{table} {row['hash'][:12]} are not what was stored")


def _sizes(check: _Check) -> dict[str, int]:
    """The size of each snapshot, by its hash."""
    sizes: dict[str, int] = {}
    for row in check.rows(_SNAPSHOTS):
        if isinstance(row["hash"], str) and isinstance(row["num_bytes"], int):
            sizes[row["hash"]] = row["num_bytes"]
        else:
            check.found("snapshot", "a snapshot has a hash or a size that is none")
    return sizes


def _check_snapshots(check: _Check, sizes: dict[str, int], progress: Progress) -> None:
    with check.reading("the list of freed snapshots"):
        for gone in _freed_hashes(check):
            sizes.pop(gone, None)
    done, total = 0, sum(sizes.values())
    check.num_checked["snapshot"] = len(sizes)
    for address, num_bytes in sizes.items():
        damage = None
        try:
            damage, start = _read_snapshot(check.connection, address, num_bytes)
        except (sqlite3.DatabaseError, TypeError) as error:
            damage, start = f"it cannot be read: {error}", b""
        if damage is None:
            check.shapes[address] = shapes_of(start)
        else:
            users = _users(check, address)
            names = ", ".join(f"{name} (run {run})" for run, name in users)
            check.found("snapshot", f"snapshot {address[:12]} of {names}: {damage}", *users)
        done += num_bytes
        progress(done, total)


def _read_snapshot(
    connection: sqlite3.Connection, address: str, num_bytes: int
) -> tuple[str | None, bytes]:
    """What is wrong with a snapshot (None: nothing), and its first bytes, header included."""
    digest, start, length = hashlib.sha256(), b"", 0
    rows = connection.execute(
        "SELECT position, data FROM snapshot_chunk WHERE hash = ? ORDER BY position", (address,)
    )
    for expected, row in enumerate(rows):
        if row[0] != expected:
            return f"its part {expected} is missing", start
        digest.update(row[1])
        length += len(row[1])
        if not start or len(start) < (header_bytes(start) or 0):
            start += row[1]
    if length != num_bytes:
        return f"{length} bytes of {num_bytes} are there", start
    if digest.hexdigest() != address:
        return "its bytes have changed since they were stored", start
    return None, start


def _users(check: _Check, address: str) -> list[Who]:
    rows = check.rows(
        "SELECT DISTINCT node.run_id, node.name, node.id FROM result JOIN node"
        " ON node.id = node_id WHERE snapshot_hash = ? ORDER BY node.id",
        address,
    )
    return [(row["run_id"], row["name"]) for row in rows]


def _has_table(check: _Check, table: str) -> bool:
    return bool(check.rows("SELECT 1 FROM sqlite_master WHERE name = ?", table))


def _count(check: _Check, table: str) -> int:
    number: int = check.rows(f"SELECT count(*) FROM {table}")[0][0]
    return number


def _has_freed(check: _Check) -> bool:
    return schema.format_of(check.connection) >= formats.WITH_FREED


def _freed(check: _Check) -> set[tuple[int, str]]:
    """(node's id, phase) of the results whose weights were freed."""
    rows = check.rows(_FREED) if _has_freed(check) else []
    return {(row["node_id"], row["phase"]) for row in rows}


def _freed_hashes(check: _Check) -> set[str]:
    """The snapshots that only freed results refer to."""
    freed = _freed(check)
    rows = check.rows("SELECT node_id, phase, snapshot_hash FROM result") if freed else []
    used = {row["snapshot_hash"] for row in rows if (row["node_id"], row["phase"]) not in freed}
    return {row["snapshot_hash"] for row in rows} - used


def _check_edits(check: _Check) -> None:
    """That each node's tensors are its parent's after the edit, in every phase the same."""
    shapes: dict[int, Shapes] = {}
    for row in check.rows(_RESULTS):
        address = row["snapshot_hash"]
        if address not in check.shapes:
            continue  # damaged (told already), or freed
        own, who = check.shapes[address], (row["run_id"], row["name"])
        where = f"{row['name']} (run {row['run_id']}, {row['phase']})"
        if own is None:
            check.found("edit", f"{where}: its snapshot holds no tensors that can be read", who)
            continue
        if row["id"] in shapes:
            if shapes[row["id"]] != own:
                check.found("edit", f"{where}: its tensors have other shapes than before", who)
            continue
        shapes[row["id"]] = own
        if row["parent_id"] in shapes:
            check.num_checked["edit"] = check.num_checked.get("edit", 0) + 1
            problem = _problem_of_edit(row["edit"], shapes[row["parent_id"]], own)
            if problem is not None:
                check.found("edit", f"{where}: {problem}", who)


def _problem_of_edit(text: str, before: Shapes, after: Shapes) -> str | None:
    """Why an edit does not lead from its parent's tensors to the node's; None where it does."""
    try:
        edit = canonical_json.from_text(text)
    except (ValueError, TypeError) as error:
        return f"its edit cannot be read: {error}"
    return mismatch(edit, before, after) if isinstance(edit, dict) else "its edit is no object"


def _summary(check: _Check, sizes: dict[str, int]) -> Verification:
    """What can still be used: sound newest weights, and sound rows from the root down (damaged
    weights of an ancestor do not matter)."""
    damaged_rows = {n for f in check.findings if f.kind in ("lineage", "edit") for n in f.nodes}
    groups: dict[str, dict[Who, None]] = {"usable": {}, "unusable": {}, "freed": {}}
    with check.reading("the nodes"):
        freed = _freed(check)
        newest = {row["id"]: row for row in check.rows(_RESULTS)}  # of several phases, the last
        for row in newest.values():
            who = (row["run_id"], row["name"])
            if _lineage(who) & damaged_rows:
                group = "unusable"
            elif (row["id"], row["phase"]) in freed:
                group = "freed"
            else:
                group = "usable" if row["snapshot_hash"] in check.shapes else "unusable"
            groups[group][who] = None
    return Verification(
        findings=tuple(check.findings),
        usable=tuple(groups["usable"]),
        unusable=tuple(groups["unusable"]),
        freed=tuple(groups["freed"]),
        num_snapshots=len(sizes),
        num_bytes=sum(sizes.values()),
        num_checked=check.num_checked,
    )


def _lineage(node: Who) -> set[Who]:
    """A node and those that its name leads through."""
    parts = node[1].split(".")
    return {(node[0], ".".join(parts[:i])) for i in range(1, len(parts) + 1)}
