"""What was acknowledged survives kill -9 at any moment, and nothing is left lying about."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

from store_helpers import start_python

from store import TreeStore

WRITER = """
import hashlib, json, random, sys
from store import TreeStore
from store_helpers import add, decide, finish, make_run, root_of

random.seed(int(sys.argv[2]))
with TreeStore.open(sys.argv[1], create=True) as store:
    parent = root_of(store)
    while True:
        node, other = add(store, parent)
        print(json.dumps({"node": node.id}), flush=True)
        store.set_state(other.id, "running")
        content = random.randbytes(random.choice([100, 200_000, 9_000_000]))
        finish(store, node, snapshot=content)
        address = hashlib.sha256(content).hexdigest()
        print(json.dumps({"node": node.id, "snapshot": address}), flush=True)
        decision = decide(store, parent, node)
        print(json.dumps({"parent": parent.id, "decision": decision.id}), flush=True)
"""


def test_acknowledged_rows_survive_kills(path: Path) -> None:
    chance = random.Random(4)
    acknowledged: list[dict[str, object]] = []
    for number in range(8):
        child = start_python(
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + WRITER,
            str(path),
            str(number),
        )
        assert child.stdout is not None
        for _ in range(chance.randrange(1, 12)):
            acknowledged.append(json.loads(child.stdout.readline()))
        try:
            child.wait(timeout=chance.random() * 0.03)
        except subprocess.TimeoutExpired:
            child.kill()
        rest, error = child.communicate()
        assert child.returncode == -9, error
        whole, _, _ = rest.rpartition("\n")
        acknowledged += [json.loads(line) for line in whole.splitlines()]
        with TreeStore.open(path) as store:
            check(store, acknowledged)


def check(store: TreeStore, acknowledged: list[dict[str, object]]) -> None:
    nodes = {node.id: node for node in store.nodes(1)}
    decisions = {decision.id for decision in store.decisions(1)}
    for said in acknowledged:
        if "decision" in said:
            assert said["decision"] in decisions
        else:
            assert said["node"] in nodes
        if "snapshot" in said:
            node = nodes[int(str(said["node"]))]
            assert store.snapshot_hash(node.id, "recovered") == said["snapshot"]
    for last in list(nodes.values())[-4:]:
        for phase in last.phases:
            store.snapshot(store.snapshot_hash(last.id, phase))
    assert "running" not in {node.state for node in nodes.values()}
    orphans = store._connection.rows(
        "SELECT DISTINCT hash FROM snapshot_chunk"
        " WHERE hash NOT IN (SELECT snapshot_hash FROM result)"
    )
    assert orphans == [] and store._connection.rows("SELECT * FROM upload") == []
    assert store._connection.rows("PRAGMA foreign_key_check") == []
