"""Small and large trees for the tests of the widgets."""

from __future__ import annotations

import random

from explorer.views.tree.node import TreeNode


def node(name, structure=None, *, state="ready", kept=None, cka=None, acc=None, cut=None, **more):
    """A node whose parent and structure come from its name."""
    parent = name.rsplit(".", 1)[0] if "." in name else None
    if structure is None:
        last = name.rsplit(".", 1)[-1][0]
        structure = {"F": "filter", "L": "layer", "H": "head"}.get(last, "root")
    return TreeNode(name, parent, structure, state, kept, cka, acc, cut, **more)


def small_tree():
    """Every state, a branch of its own below a rejected node, three children, a tag."""
    return [
        node("R", kept=True, acc=93.2, cut=0.0),
        node("R.F", kept=False, cka=0.9565, acc=92.5, cut=6.6),
        node("R.L", kept=True, cka=0.9737, acc=92.8, cut=7.1),
        node("R.F.F", kept=False, cka=0.91, acc=90.5, cut=12.0),
        node("R.F.L", state="failed", kept=False),
        node("R.L.F", kept=True, cka=0.9931, acc=93.4, cut=15.0, tagged=True),
        node("R.L.L", kept=False, cka=0.9596, acc=92.5, cut=15.2),
        node("R.L.L2", state="queued"),
        node("R.L.F.F", cka=1.0, acc=100.0, cut=21.5),
        node("R.L.F.L", state="running", running_share=0.5),
    ]


def chain(count):
    """As greedy growth makes it: each kept node has two children, of which one is kept."""
    draw = random.Random(0)
    nodes = [node("R", kept=True, acc=93.0, cut=0.0)]
    parent = nodes[0]
    while len(nodes) < count:
        kept = draw.choice(("filter", "layer"))
        for structure in ("filter", "layer"):
            child = TreeNode(
                f"n{len(nodes)}",
                parent.name,
                structure,
                "ready",
                structure == kept,
                0.99,
                92.0,
                9.0,
            )
            nodes.append(child)
            if child.kept:
                parent_next = child
        parent = parent_next
    return nodes[:count]


def greedy_store(path, count, *, both=0.0, seed=3):
    """A store whose tree was grown as a run grows it, the last pair undecided; with `both`, that
    share of decisions keeps both candidates. Figures are drawn; there are no weights."""
    from store import TreeStore

    draw = random.Random(seed)
    with TreeStore.open(path, create=True) as store:
        run = store.create_run(
            name="resnet56", seed=0, architecture=_RESNET, settings={"data": "cifar10"},
            data={"name": "cifar10", "mean": [0.0], "std": [1.0], "classes": ["a"]},
            environment={"device": "cpu", "num_threads": 1, "autocast": None},
            root_metrics={"val_accuracy": 93.2, "test_accuracy": 92.9, "macs": _MACS,
                          "params": 853_000},
            root_snapshot=b"root",
        )  # fmt: skip
        with store._connection.writing():  # one transaction: this is no test of the disk
            parents, made = [(store.node(run.id, "R"), 93.2, 1.0)], 1
            while made + 2 <= count:
                parent, accuracy, share = parents.pop(0)
                pair = _pair(store, parent, accuracy, share, draw)
                made += 2
                if made + 2 <= count:
                    kept = [draw.choice(pair)] if draw.random() >= both else pair
                    _decide(store, parent, kept)
                    parents += kept


_MACS = 125_486_000
_RESNET = {
    "factory": "cifar_resnet", "edits": [],
    "arguments": {"stem_width": 16, "stage_widths": [16, 32, 64],
                  "inner_widths": [[16] * 9, [32] * 9, [64] * 9], "shortcut": "A",
                  "conv_bias": False, "num_classes": 10, "in_channels": 3},
}  # fmt: skip


def _pair(store, parent, accuracy, share, draw):
    """Both candidates of a parent, measured: (node, accuracy, share of the root's MACs)."""
    edits = [
        {"structure": "layer", "blocks": [f"layer{draw.randint(1, 3)}.{draw.randint(1, 8)}"]},
        {"structure": "filter", "filters": {"layer1.0.conv1": [1], "layer2.1.conv1": [2]}},
    ]
    scores = {"criterion": "kl", "scores": {"blocks": {}, "filters": {}}}
    found = []
    for node in store.add_candidates(parent.id, proposal=scores, edits=edits):
        left = share * draw.uniform(0.93, 0.97)
        after = round(accuracy + draw.uniform(-0.5, 0.35), 2)
        store.finish(
            node.id, "recovered", snapshot=b"x", epochs=[], resamples=None, seconds=40.0,
            metrics={"similarity": round(draw.uniform(0.95, 0.998), 4), "val_accuracy": after,
                     "val_accuracy_before": round(after - draw.uniform(2, 12), 2),
                     "macs": round(_MACS * left), "params": round(853_000 * left)},
        )  # fmt: skip
        found.append((node, after, left))
    return found


def _decide(store, parent, kept):
    ids = [node.id for node, _, _ in kept]
    store.decide(parent.id, kept=ids, suggested=ids[0], actor="cka", reason="more similar")
    for node, accuracy, _ in kept:
        store.finish(node.id, "tuned", snapshot=b"y", epochs=[], resamples=None, seconds=60.0,
                     metrics={"val_accuracy": accuracy})  # fmt: skip
