"""A run's rows from one store into another: whole, from where the other ends, or a part of it.

Ids are given anew; names, contents and times stay. Rows come in the order in which they were made,
so that every rule of the schema watches over them a second time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from store.records import JsonObject, Phase
from store.sqlite import canonical_json, formats
from store.sqlite.clock import timestamp
from store.sqlite.connection import Connection, SqlValue
from store.tables import documents, hash_chain, nodes, snapshots, stored, structures

_RESULTS = f"""
SELECT result.*, freed.created_at AS freed_at FROM result LEFT JOIN freed USING (node_id, phase)
WHERE node_id = ? ORDER BY {nodes.PHASE_ORDER}
"""
# Of the copied results that keep their weights, the snapshots.
_SNAPSHOTS = """
SELECT DISTINCT node.id, result.snapshot_hash FROM node JOIN result ON result.node_id = node.id
LEFT JOIN freed USING (node_id, phase)
WHERE node.run_id = ? AND freed.node_id IS NULL ORDER BY node.id
"""
_EVALUATIONS = """
SELECT evaluation.* FROM evaluation JOIN node ON node.id = evaluation.node_id
WHERE node.run_id = ? ORDER BY evaluation.id
"""
_EVALUATED = """
SELECT 1 FROM evaluation WHERE node_id = ? AND phase = ? AND kind = ? AND settings_hash = ?
"""


@dataclass(frozen=True, slots=True)
class Part:
    """Which nodes of a run are copied, and of which of them the weights, candidates and
    decisions; ids of the store that they come from."""

    nodes: Collection[int]
    with_weights: Collection[int]
    parents: Collection[int]


@dataclass
class RunCopy:
    """One run on its way from a store to another.

    First `upload`, which may be repeated; then `insert` inside one `writing` of `into`. The caller
    holds `source` in one `reading` from before the one until after the other.
    """

    source: Connection
    into: Connection
    source_run: int
    part: Part | None = None  # None: all of it
    after_event: int = 0  # of the source: what `into` holds of the log already
    _nodes: dict[int, int] = field(default_factory=dict)  # new ids by old ones
    _proposals: dict[int, int] = field(default_factory=dict)
    _decisions: dict[int, int] = field(default_factory=dict)
    _freed: set[int] = field(default_factory=set)  # old ids; their weights are gone there too
    _left_out: dict[int, list[Phase]] = field(default_factory=dict)  # phases by new ids

    def upload(self) -> int:
        """Puts in the weights that are missing; how many bytes that were.

        Raises SnapshotDamagedError where the source's are damaged.
        """
        num_bytes = 0
        rows = self.source.rows(_SNAPSHOTS, (self.source_run,))
        wanted = {row["snapshot_hash"]: None for row in rows if self._has_weights(row["id"])}
        for address in wanted:
            if snapshots.is_complete(self.into, address):
                continue
            content = snapshots.read(self.source, address)
            snapshots.upload(self.into, address, content)
            num_bytes += len(content)
        return num_bytes

    def insert(self, into_run: int | None = None) -> int:
        """Writes all other rows, as a new run or behind those of one that is there; its id.

        Raises DamagedStoreError where the source's rows break a rule of stores.
        """
        try:
            return self._insert(into_run)
        except sqlite3.IntegrityError as error:
            raise self.source.damaged(
                f"run {self.source_run} breaks a rule of stores ({error})"
            ) from error

    def _insert(self, into_run: int | None) -> int:
        run_id = self._insert_run() if into_run is None else into_run
        self._insert_settings(run_id)
        known = {
            row["name"]: row
            for row in self.into.rows("SELECT * FROM node WHERE run_id = ?", (run_id,))
        }
        for node in self._rows("SELECT * FROM node WHERE run_id = ? ORDER BY id"):
            if self.part is None or node["id"] in self.part.nodes:
                self._insert_node(node, known.get(node["name"]), run_id)
        self._insert_evaluations()
        self._insert_decisions(run_id)
        self._insert_events(run_id)
        return run_id

    # ------------------------------------------------------------ run and settings

    def _insert_run(self) -> int:
        (row,) = self._rows("SELECT * FROM run WHERE id = ?")
        documents.copy(self.source, self.into, "environment", row["environment_hash"])
        return self.into.insert("run", **_without(row, "id"))

    def _insert_settings(self, run_id: int) -> None:
        there = self.into.rows("SELECT id FROM run_settings WHERE run_id = ?", (run_id,))
        rows = list(self._rows("SELECT * FROM run_settings WHERE run_id = ? ORDER BY id"))
        for row in rows[len(there) :]:
            documents.copy(self.source, self.into, "settings", row["settings_hash"])
            self.into.insert("run_settings", **_without(row, "id") | {"run_id": run_id})

    # ------------------------------------------------------------ nodes and results

    def _insert_node(self, node: sqlite3.Row, there: sqlite3.Row | None, run_id: int) -> None:
        state, error = node["state"], node["error"]
        if there is None:
            structures.keep(self.into, node["structure"])
            values = _without(node, "id") | {
                "run_id": run_id,
                "parent_id": self._nodes.get(node["parent_id"]),
                "proposal_id": self._proposal(node["proposal_id"], run_id),
                "state": "ready" if node["parent_id"] is None else "queued",
                "error": None,
            }
            new_id, now = self.into.insert("node", **values), str(values["state"])
        else:
            new_id, now = there["id"], there["state"]
        self._nodes[node["id"]] = new_id
        now = self._insert_results(node["id"], new_id, now)
        # Work that goes on there waits here.
        target = ("queued", None) if state == "running" else (state, error)
        if now not in (target[0], "ready"):
            if now != "queued":
                self._set_state(new_id, "queued", None)
            if target[0] != "queued":
                self._set_state(new_id, *target)

    def _insert_results(self, old_id: int, new_id: int, state: str) -> str:
        there = {
            row["phase"]
            for row in self.into.rows("SELECT phase FROM result WHERE node_id = ?", (new_id,))
        }
        for row in self.source.rows(_RESULTS, (old_id,)):
            if row["phase"] in there:
                continue
            if row["phase"] == "recovered" and state not in ("queued", "running"):
                self._set_state(new_id, "queued", None)
            self._insert_result(row, new_id)
            if row["phase"] == "recovered":
                self._set_state(new_id, "ready", None)
                state = "ready"
        return state

    def _insert_result(self, row: sqlite3.Row, new_id: int) -> None:
        address, phase = row["snapshot_hash"], row["phase"]
        for header in self.source.rows("SELECT * FROM snapshot WHERE hash = ?", (address,)):
            snapshots.complete(self.into, address, header["num_bytes"])
        snapshots.keep(self.into, address)
        self.into.insert("result", **_without(row, "freed_at") | {"node_id": new_id})
        for table in ("metric", "epoch"):
            for part in self.source.rows(
                f"SELECT * FROM {table} WHERE node_id = ? AND phase = ?", (row["node_id"], phase)
            ):
                self.into.insert(table, **dict(part) | {"node_id": new_id})
        freed_at = row["freed_at"]
        if freed_at is not None:
            self._freed.add(row["node_id"])
        elif not self._has_weights(row["node_id"]):
            self._left_out.setdefault(new_id, []).append(phase)
            freed_at = timestamp()
        if freed_at is not None:
            self.into.insert("freed", node_id=new_id, phase=phase, created_at=freed_at)

    def _insert_evaluations(self) -> None:
        if self.source.format_number() < formats.WITH_EVALUATIONS:
            return
        for row in self._rows(_EVALUATIONS):
            node_id = self._nodes.get(row["node_id"])
            key = (node_id, row["phase"], row["kind"], row["settings_hash"])
            if node_id is not None and self.into.row(_EVALUATED, key) is None:
                documents.copy(self.source, self.into, "settings", row["settings_hash"])
                self.into.insert("evaluation", **_without(row, "id") | {"node_id": node_id})

    def _has_weights(self, old_id: int) -> bool:
        return self.part is None or old_id in self.part.with_weights

    def _new_node(self, old_id: int) -> int:
        """The id there of a node. Raises DamagedStoreError for one that was not copied."""
        if old_id not in self._nodes:
            raise self.source.damaged(
                f"a row of run {self.source_run} names node {old_id}, not its"
            )
        return self._nodes[old_id]

    def _set_state(self, new_id: int, state: str, error: str | None) -> None:
        self.into.execute(
            "UPDATE node SET state = ?, error = ? WHERE id = ?", (state, error, new_id)
        )

    def _proposal(self, old_id: int | None, run_id: int) -> int | None:
        if old_id is None:
            return None
        if old_id not in self._proposals:
            row = self.source.row("SELECT * FROM proposal WHERE id = ?", (old_id,))
            if row is None:
                raise self.source.damaged(f"proposal {old_id} is not there")
            ids = {"run_id": run_id, "parent_id": self._new_node(row["parent_id"])}
            self._proposals[old_id] = self.into.insert("proposal", **_without(row, "id") | ids)
        return self._proposals[old_id]

    # ------------------------------------------------------------ decisions and the log

    def _insert_decisions(self, run_id: int) -> None:
        there = self.into.rows("SELECT id FROM decision WHERE run_id = ? ORDER BY id", (run_id,))
        rows = [
            row
            for row in self._rows("SELECT * FROM decision WHERE run_id = ? ORDER BY id")
            if self._is_parent(row["parent_id"])
        ]
        for row, known in zip(rows, there, strict=False):
            self._decisions[row["id"]] = known["id"]
        for row in rows[len(there) :]:
            parent_id = self._new_node(row["parent_id"])
            ids = {
                "run_id": run_id,
                "parent_id": parent_id,
                "newest_candidate": self._nodes.get(row["newest_candidate"]),
                "suggested": self._nodes.get(row["suggested"]),
                "supersedes": self._decisions.get(row["supersedes"]),
            }
            decision_id = self.into.insert("decision", **_without(row, "id") | ids)
            self._decisions[row["id"]] = decision_id
            for kept in self.source.rows(
                "SELECT node_id FROM decision_kept WHERE decision_id = ?", (row["id"],)
            ):
                self.into.insert(
                    "decision_kept",
                    decision_id=decision_id,
                    parent_id=parent_id,
                    node_id=self._new_node(kept["node_id"]),
                )

    def _insert_events(self, run_id: int) -> None:
        for event in self.source.rows(
            "SELECT * FROM event WHERE run_id = ? AND id > ? ORDER BY id",
            (self.source_run, self.after_event),
        ):
            if not self._is_told(event):
                continue
            ids = {
                "run_id": run_id,
                "node_id": self._nodes.get(event["node_id"]),
                "payload": self._payload(event),
            }
            self._insert_event(_without(event, "id") | ids)
        for new_id, phases in self._left_out.items():
            (node,) = self.into.rows("SELECT name FROM node WHERE id = ?", (new_id,))
            payload = canonical_json.object_text(
                {"node": node["name"], "phases": phases}, "payload"
            )
            self._insert_event(
                {"run_id": run_id, "node_id": new_id, "kind": "freed", "payload": payload,
                 "created_at": timestamp()}
            )  # fmt: skip

    def _insert_event(self, values: dict[str, SqlValue]) -> None:
        hash_chain.append(self.into, self.into.insert("event", **values))

    def _is_told(self, event: sqlite3.Row) -> bool:
        node_id, kind = event["node_id"], event["kind"]
        if kind in ("candidates", "decision"):
            return self._is_parent(node_id)
        if kind == "freed":
            return node_id in self._freed  # of others, this store has the weights still
        return node_id is None or node_id in self._nodes

    def _is_parent(self, old_id: int) -> bool:
        return self.part is None or old_id in self.part.parents

    def _payload(self, event: sqlite3.Row) -> str:
        where = f"line {event['id']} of the log"
        payload = dict(stored.json_object(self.source, event["payload"], where))
        if event["kind"] not in ("candidates", "decision"):
            return str(event["payload"])
        if event["kind"] == "candidates":
            payload["proposal"] = self._proposals.get(_id(payload, "proposal"))
        else:
            payload["decision"] = self._decisions.get(_id(payload, "decision"))
            payload["supersedes"] = self._decisions.get(_id(payload, "supersedes"))
        if payload.get("proposal", payload.get("decision")) is None:
            raise self.source.damaged(f"{where} tells of a row that is not there")
        return canonical_json.object_text(payload, "payload")

    def _rows(self, sql: str) -> Iterator[sqlite3.Row]:
        return iter(self.source.rows(sql, (self.source_run,)))


def _id(payload: JsonObject, name: str) -> int:
    """The id that the payload of an event names; 0, which nothing has, where it names none."""
    found = payload.get(name)
    return found if isinstance(found, int) else 0


def _without(row: sqlite3.Row, *columns: str) -> dict[str, SqlValue]:
    return {name: row[name] for name in row.keys() if name not in columns}  # noqa: SIM118
