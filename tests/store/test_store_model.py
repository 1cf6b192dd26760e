"""Any order of actions, with the store closed and opened in between, agrees with a simple model."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from store_helpers import make_run

from store import (
    IllegalStateError,
    Node,
    TreeStore,
    UnkeepableNodeError,
)

STRUCTURES = st.sampled_from(["layer", "filter", "head"])


@dataclass
class Expected:
    name: str
    parent: str | None
    state: str = "queued"
    kept: bool | None = None
    metrics: dict[str, float] = field(default_factory=dict)


class Tree(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "model.db"
        self.store = TreeStore.open(self.path, create=True)
        self.expected: dict[str, Expected] = {}
        self.num_decisions = 0

    @initialize()
    def create(self) -> None:
        self.run_id = make_run(self.store, root_metrics={"accuracy": 1.0}).id
        self.expected["R"] = Expected("R", None, "ready", True, {"accuracy": 1.0})

    def pick(self, data: st.DataObject, state: str | None = None) -> Node:
        names = [node.name for node in self.expected.values() if state in (None, node.state)]
        return self.store.node(self.run_id, data.draw(st.sampled_from(names)))

    @rule(data=st.data(), structures=st.lists(STRUCTURES, min_size=1, max_size=3))
    def add(self, data: st.DataObject, structures: list[str]) -> None:
        parent = self.pick(data)
        edits = [{"structure": structure} for structure in structures]
        if self.expected[parent.name].state != "ready":
            with pytest.raises(IllegalStateError):
                self.store.add_candidates(parent.id, proposal={}, edits=edits)
            return
        for node in self.store.add_candidates(parent.id, proposal={}, edits=edits):
            assert node.name not in self.expected
            self.expected[node.name] = Expected(node.name, parent.name)

    @rule(data=st.data(), accuracy=st.floats(0, 100), phase=st.sampled_from(["recovered", "tuned"]))
    def finish(self, data: st.DataObject, accuracy: float, phase: str) -> None:
        node = self.pick(data)
        expected = self.expected[node.name]
        fits = expected.state in (
            ("queued", "running") if phase == "recovered" else ("ready",)
        ) and (phase not in node.phases and node.name != "R")
        try:
            self.store.finish(
                node.id,
                phase,  # type: ignore[arg-type]
                snapshot=f"{accuracy}".encode(),
                metrics={"accuracy": accuracy, phase: accuracy},
                epochs=[],
                resamples=None,
                seconds=0,
            )
        except IllegalStateError:
            assert not fits
            return
        if phase not in node.phases:
            assert fits
            expected.state = "ready"
            expected.metrics |= {"accuracy": accuracy, phase: accuracy}

    @rule(data=st.data(), state=st.sampled_from(["running", "cancelled", "queued"]))
    def change_state(self, data: st.DataObject, state: str) -> None:
        node = self.pick(data)
        legal = {"queued": {"running", "cancelled"}, "running": {"queued", "cancelled"}}
        legal |= {"cancelled": {"queued"}, "ready": set()}
        if state == node.state or state in legal[node.state]:
            self.store.set_state(node.id, state)  # type: ignore[arg-type]
            self.expected[node.name].state = state
        else:
            with pytest.raises(IllegalStateError):
                self.store.set_state(node.id, state)  # type: ignore[arg-type]

    @precondition(lambda self: len(self.expected) > 1)
    @rule(data=st.data())
    def decide(self, data: st.DataObject) -> None:
        parent = self.pick(data, "ready")
        children = self.store.children(parent.id)
        kept = data.draw(st.lists(st.sampled_from(children), unique_by=lambda n: n.id)
                         if children else st.just([]))  # fmt: skip
        arguments = {"suggested": None, "actor": "user", "reason": ""}
        ids = [node.id for node in kept]
        if any(node.state != "ready" for node in kept):
            with pytest.raises(UnkeepableNodeError):
                self.store.decide(parent.id, kept=ids, **arguments)  # type: ignore[arg-type]
            return
        self.store.decide(parent.id, kept=ids, **arguments)  # type: ignore[arg-type]
        self.num_decisions += 1
        for child in children:
            self.expected[child.name].kept = child.id in ids

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = TreeStore.open(self.path)
        for node in self.expected.values():
            if node.state == "running":
                node.state = "queued"

    @invariant()
    def store_agrees(self) -> None:
        if not self.expected:
            return
        nodes = self.store.nodes(self.run_id)
        names = {node.id: node.name for node in nodes}
        found = [
            Expected(
                node.name,
                names[node.parent_id] if node.parent_id else None,
                node.state,
                node.kept,
                node.metrics,
            )
            for node in nodes
        ]
        assert found == list(self.expected.values())
        assert len(self.store.decisions(self.run_id)) == self.num_decisions

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestTree = Tree.TestCase
TestTree.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
