"""What must hold between the rows of a sound store, whoever wrote them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from typing import TypeVar

from store.sqlite import canonical_json, formats, schema
from store.tables import hash_chain, node_summaries, structures

Problem = tuple[str, str, list[tuple[int, str]]]  # kind, what is wrong, with which nodes
Look = Callable[[sqlite3.Connection], Iterator[Problem]]
Item = TypeVar("Item")


def lineages(connection: sqlite3.Connection) -> Iterator[Problem]:
    """Every node is one deeper than its parent, in the same run, and named after it."""
    seen: dict[int, sqlite3.Row] = {}
    for node in connection.execute("SELECT * FROM node ORDER BY id"):
        who = [(node["run_id"], node["name"])]
        parent = seen.get(node["parent_id"])
        seen[node["id"]] = node
        where = f"{node['name']} (run {node['run_id']})"
        if node["parent_id"] is None:
            if (node["name"], node["depth"], node["structure"]) != ("R", 0, "root"):
                yield "lineage", f"{where} has no parent and is no root", who
            continue
        letters = structures.letters_of(node["structure"])
        if parent is None:
            yield "lineage", f"{where} has no parent that came before it", who
        elif parent["run_id"] != node["run_id"]:
            yield "lineage", f"{where} has a parent of run {parent['run_id']}", who
        elif node["depth"] != parent["depth"] + 1:
            yield "lineage", f"{where} is at depth {node['depth']}, not {parent['depth'] + 1}", who
        elif not re.fullmatch(re.escape(f"{parent['name']}.{letters}") + r"\d*", node["name"]):
            yield "lineage", f"{where} is not named after its parent {parent['name']}", who


def results(connection: sqlite3.Connection) -> Iterator[Problem]:
    """Every ready node has its result, and every result is what was stored."""
    metrics = _grouped(connection, "SELECT * FROM metric", lambda row: (row["name"], _value(row)))
    epochs = _grouped(
        connection,
        "SELECT * FROM epoch ORDER BY node_id, phase, number",
        lambda row: row["content"],
    )
    rows = connection.execute(
        "SELECT node.run_id, node.name, node.state, node.structure, node.id, result.* FROM node"
        " LEFT JOIN result ON result.node_id = node.id ORDER BY node.id"
    )
    with_first: set[int] = set()
    ready: dict[int, tuple[int, str]] = {}
    for row in rows:
        who = (row["run_id"], row["name"])
        if row["state"] == "ready":
            ready[row["id"]] = who
        if row["phase"] is None:
            continue
        if row["phase"] in ("root", "recovered"):
            with_first.add(row["id"])
        key = (row["id"], row["phase"])
        content = canonical_json.to_text(
            [
                row["snapshot_hash"],
                dict(metrics.get(key, ())),
                epochs.get(key, []),
                row["resamples"],
                row["seconds"],
            ],
            "the result",
        )
        if canonical_json.text_hash(content) != row["digest"]:
            text = f"{row['name']} (run {row['run_id']}): its {row['phase']} result has changed"
            yield "result", text, [who]
    for node_id, who in ready.items():
        if node_id not in with_first:
            yield "result", f"{who[1]} (run {who[0]}) is ready without a result", [who]


def decisions(connection: sqlite3.Connection) -> Iterator[Problem]:
    """A parent's decisions form one chain, and keep ready children of it only."""
    newest: dict[int, int] = {}
    for row in connection.execute(
        "SELECT decision.*, node.name, node.run_id AS home FROM decision"
        " JOIN node ON node.id = decision.parent_id ORDER BY decision.id"
    ):
        who = [(row["home"], row["name"])]
        where = f"decision {row['id']} on {row['name']} (run {row['home']})"
        if row["home"] != row["run_id"]:
            yield "decision", f"{where} says that it is of run {row['run_id']}", who
        if row["supersedes"] != newest.get(row["parent_id"]):
            yield "decision", f"{where} does not supersede the one before it", who
        newest[row["parent_id"]] = row["id"]
    for row in connection.execute(
        "SELECT decision.id, decision.parent_id, decision.newest_candidate, node_id, node.name,"
        " node.run_id, node.state, node.parent_id AS home FROM decision_kept"
        " JOIN decision ON decision.id = decision_id LEFT JOIN node ON node.id = node_id"
    ):
        if row["home"] != row["parent_id"] or row["node_id"] > (row["newest_candidate"] or 0):
            text = f"decision {row['id']} keeps node {row['node_id']}, no candidate of its parent"
            yield "decision", text, []
        elif row["state"] != "ready":
            text = f"{row['name']} is kept by decision {row['id']}, and is not ready"
            yield "decision", text, [(row["run_id"], row["name"])]


def log(connection: sqlite3.Connection) -> Iterator[Problem]:
    """The log tells of every result and every decision."""
    told = {
        row[0]
        for row in connection.execute(
            "SELECT json_extract(payload, '$.decision') FROM event WHERE kind = 'decision'"
        )
    }
    for (decision_id,) in connection.execute("SELECT id FROM decision ORDER BY id"):
        if decision_id not in told:
            yield "log", f"the log says nothing of decision {decision_id}", []
    results_told = {
        (row[0], row[1])
        for row in connection.execute(
            "SELECT node_id, json_extract(payload, '$.phase') FROM event WHERE kind = 'result'"
        )
    }
    for row in connection.execute(
        "SELECT node_id, phase, node.name, node.run_id FROM result JOIN node ON node.id = node_id"
        " WHERE phase <> 'root' ORDER BY node_id"
    ):
        if (row["node_id"], row["phase"]) not in results_told:
            who = (row["run_id"], row["name"])
            text = f"the log says nothing of the {row['phase']} result of {row['name']}"
            yield "log", f"{text} (run {row['run_id']})", [who]


def letters(connection: sqlite3.Connection) -> Iterator[Problem]:
    """A structure's letters are those that every store gives it."""
    if schema.format_of(connection) < formats.WITH_EVALUATIONS:
        return
    for row in connection.execute("SELECT name, letters FROM structure ORDER BY name"):
        if structures.letters_of(row["name"]) != row["letters"]:
            yield "lineage", f"the structure {row['name']} has the letters {row['letters']}", []


def evaluations(connection: sqlite3.Connection) -> Iterator[Problem]:
    """The log tells of every evaluation."""
    if schema.format_of(connection) < formats.WITH_EVALUATIONS:
        return
    told = "SELECT node_id, payload FROM event WHERE kind = 'evaluation'"
    keys = {
        (node_id, *(payload.get(name) for name in ("phase", "kind", "settings")))
        for node_id, text in connection.execute(told)
        if isinstance(payload := canonical_json.from_text(text), dict)
    }
    for row in connection.execute(
        "SELECT evaluation.*, node.name, node.run_id FROM evaluation"
        " JOIN node ON node.id = node_id ORDER BY evaluation.id"
    ):
        if (row["node_id"], row["phase"], row["kind"], row["settings_hash"]) not in keys:
            text = f"the log says nothing of an evaluation ({row['kind']}) of {row['name']}"
            yield "evaluation", f"{text} (run {row['run_id']})", [(row["run_id"], row["name"])]


def summaries(connection: sqlite3.Connection) -> Iterator[Problem]:
    """What first screens show of nodes is what the nodes are."""
    if schema.format_of(connection) < formats.WITH_SUMMARIES:
        return
    for row in connection.execute(_WRONG_SUMMARIES):
        text = f"the outline of {row['name']} (run {row['run_id']}) is not that of the node"
        yield "outline", text, []


_WRONG_SUMMARIES = f"""
SELECT name, run_id FROM node WHERE id IN (
  SELECT id FROM (SELECT * FROM ({node_summaries.DERIVED}) EXCEPT SELECT * FROM outline))
"""


def chain(connection: sqlite3.Connection) -> Iterator[Problem]:
    """Every line of the log, and the rows it tells of, are what was written."""

    def rows(sql: str, parameters: hash_chain.Parameters) -> list[sqlite3.Row]:
        return connection.execute(sql, parameters).fetchall()

    yield from hash_chain.broken(rows, schema.format_of(connection))


# What is looked at, in words and as the table that holds it, and the kind of what is found.
ALL: tuple[tuple[str, str, str, Look], ...] = (
    ("the structures", "structure", "lineage", letters),
    ("the tree", "node", "lineage", lineages),
    ("the results", "result", "result", results),
    ("the decisions", "decision", "decision", decisions),
    ("the evaluations", "evaluation", "evaluation", evaluations),
    ("the log", "event", "log", log),
    ("the outlines", "outline", "outline", summaries),
    ("the seals", "seal", "seal", chain),
)


def _value(row: sqlite3.Row) -> float:
    return float(row["value"] if row["nonfinite"] is None else row["nonfinite"])


def _grouped(
    connection: sqlite3.Connection, sql: str, item: Callable[[sqlite3.Row], Item]
) -> dict[tuple[int, str], list[Item]]:
    found: dict[tuple[int, str], list[Item]] = {}
    for row in connection.execute(sql):
        found.setdefault((row["node_id"], row["phase"]), []).append(item(row))
    return found
