"""Runs that live at random: every kind of step that a store knows."""

from __future__ import annotations

import random

from store_helpers import add, finish, make_run, settings_of

from store import Run, TreeStore


def live(store: TreeStore, run: Run, draw: random.Random, num_steps: int) -> None:
    """So many random steps of a run's life."""
    for _ in range(num_steps):
        act(store, run, draw)


def act(store: TreeStore, run: Run, draw: random.Random) -> None:
    """One random step."""
    nodes = store.nodes(run.id)
    node = draw.choice([n for n in nodes if n.state == "ready"])
    children = store.children(node.id)
    waiting = [n for n in nodes if n.state in ("queued", "failed", "cancelled")]
    what = draw.choice(
        ("grow", "finish", "finish", "tune", "decide", "undecide", "say", "fail", "settings")
    )
    if what == "grow" and len(nodes) < 40:
        add(store, node)
    elif what == "finish" and waiting:
        chosen = draw.choice(waiting)
        store.set_state(chosen.id, "queued")
        content = draw.choice((b"shared", draw.randbytes(40)))
        finish(store, chosen, snapshot=content, metrics={"similarity": draw.random()})
    elif what == "tune" and node.parent_id and "tuned" not in node.phases:
        finish(store, node, "tuned", metrics={"val_accuracy": draw.choice((50.0, float("nan")))})
    elif what == "decide" and children:
        kept = [c.id for c in children if c.state == "ready" and draw.random() < 0.5]
        suggested = draw.choice((None, children[0].id))
        store.decide(node.id, kept=kept, suggested=suggested, actor="user", reason="so", margin=0.2)
    elif what == "undecide" and (d := store.decision_of(node.id)) and d.candidates:
        store.undecide(node.id, actor="user", reason="undid")
    elif what == "say" and node.parent_id:
        store.tag(node.id, draw.choice("ab"), draw.random() < 0.7)
        store.drop(node.id, draw.random() < 0.5)
    elif what == "fail" and waiting and waiting[0].state == "queued":
        state = draw.choice(("failed", "cancelled", "running"))
        store.set_state(waiting[0].id, state, "nan" if state == "failed" else None)
    elif what == "settings":
        store.extend_run_settings(run.id, {"iterations": draw.randrange(3)})


def new_run(store: TreeStore, seed: int) -> Run:
    return make_run(store, seed=seed, root_snapshot=f"root {seed}".encode())


def story(store: TreeStore, uuid: str) -> dict[str, object]:
    """All that is known of a run, without the ids of one store."""
    (run,) = [run for run in store.runs() if run.uuid == uuid]
    nodes = {node.id: node for node in store.nodes(run.id)}
    names = {i: node.name for i, node in nodes.items()}
    decisions = store.decisions(run.id)
    order = {decision.id: place for place, decision in enumerate(decisions)}
    return {
        "run": (run.name, run.seed, run.architecture, run.data, run.environment, run.created_at),
        "settings": settings_of(store, run.id),
        "nodes": [
            (
                node.name, names.get(node.parent_id or 0), repr(node.edit), node.kept,
                "queued" if node.state == "running" else node.state, node.error,
                repr(node.metrics), node.phases, node.seconds, node.created_at,
                [(p.content, p.created_at) for p in store.proposals(node.id)],
                [
                    (store.snapshot_hash(node.id, phase), store.resamples(node.id, phase),
                     [(e.number, repr(e.values)) for e in store.epochs(node.id, phase)])
                    for phase in node.phases
                ],
            )
            for node in nodes.values()
        ],
        "decisions": [
            (
                names[d.parent_id], [names[i] for i in d.candidates], [names[i] for i in d.kept],
                names.get(d.suggested or 0), d.actor, d.reason, d.margin, d.created_at,
                order.get(d.supersedes or 0),
            )
            for d in decisions
        ],
        "annotations": {names[i]: said for i, said in store.annotations(run.id).items()},
        "log": [
            (e.kind, names.get(e.node_id or 0), e.created_at)
            for e in store.events(run.id) if e.kind not in ("interrupted", "state", "freed")
        ],
    }  # fmt: skip
