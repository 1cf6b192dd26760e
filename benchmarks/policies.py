"""Does CKA choose better than a coin? Trees of several policies and seeds, at equal effort a node.

Usage: python benchmarks/policies.py [--checkpoint FILE] [--seeds N] [--iterations K]
                                     [--policies NAME …] [--folder DIR] [OPTIONS of `auto`]
Grows one tree for each policy and seed (again: goes on where it ended), then prints, by policy, the
test accuracy that the kept path has at equal reductions of MACs, between its nodes by a straight
line; the difference to `random` of the same seed with its standard error; and how often the more
similar of two candidates was the more accurate one on the validation images after its recovery.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from explorer.views.kept_path import kept_path
from explorer.views.node_view import NodeView
from explorer.views.stored_nodes import node_views
from store import TreeStore

REDUCTIONS = (10, 20, 30, 40, 50, 60)  # percent of the root's MACs


def grow(asked: argparse.Namespace, options: list[str], policy: str, seed: int) -> Path:
    """The store of one tree, grown to its end."""
    path: Path = asked.folder / f"{policy}-{seed}.pex.db"
    command = [
        sys.executable, "-m", "explorer.cli", "auto", asked.checkpoint, "--policy", policy,
        "--seed", str(seed), "--iterations", str(asked.iterations), "--store", str(path),
        "--json", *options,
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def nodes_of(path: Path) -> list[NodeView]:
    with TreeStore.open(path, read_only=True) as store:
        run = store.latest_run()
        assert run is not None
        return node_views(store, run.id)


def accuracy_at(path: list[NodeView], reduction: float) -> float | None:
    """The test accuracy of a kept path where so many percent of the MACs are gone."""
    for before, after in pairwise(path):
        low, high = before.macs_reduction, after.macs_reduction
        accuracies = before.test_accuracy, after.test_accuracy
        if None in (low, high, *accuracies) or not low <= reduction <= high:
            continue
        share = (reduction - low) / (high - low)
        return accuracies[0] + share * (accuracies[1] - accuracies[0])
    return None  # the tree did not come so far


def agreement(nodes: list[NodeView]) -> list[tuple[float, float]]:
    """(CKA, validation accuracy) of the layer candidate minus those of the filter candidate."""
    found = []
    for parent in {n.parent for n in nodes if n.similarity is not None}:
        pair = {n.structure: n for n in nodes if n.parent == parent}
        if len(pair) == 2:
            layer, filters = pair["layer"], pair["filter"]
            found.append((
                layer.similarity - filters.similarity,
                layer.val_accuracy - filters.val_accuracy,
            ))  # fmt: skip
    return found


def summary(values: list[float]) -> str:
    if len(values) < 2:
        return "–" if not values else f"{values[0]:.2f}"
    error = statistics.stdev(values) / len(values) ** 0.5
    return f"{statistics.fmean(values):.2f} ± {error:.2f}"


def report(trees: dict[tuple[str, int], list[NodeView]], asked: argparse.Namespace) -> None:
    paths = {key: kept_path(nodes) for key, nodes in trees.items()}
    by_policy: dict[str, dict[int, dict[int, float]]] = {}
    for (policy, seed), path in paths.items():
        for reduction in REDUCTIONS:
            if (accuracy := accuracy_at(path, reduction)) is not None:
                by_policy.setdefault(policy, {}).setdefault(reduction, {})[seed] = accuracy
    print("test accuracy, mean ± standard error over seeds, by percent of MACs gone")
    print("policy | " + " | ".join(map(str, REDUCTIONS)))
    for policy, rows in by_policy.items():
        cells = [summary(list(rows.get(r, {}).values())) for r in REDUCTIONS]
        print(f"{policy} | " + " | ".join(cells))
    coin = by_policy.get("random", {})
    print("difference to random of the same seed")
    for policy, rows in by_policy.items():
        pairs = [(rows.get(r, {}), coin.get(r, {})) for r in REDUCTIONS]
        cells = [summary([a[s] - b[s] for s in a if s in b]) for a, b in pairs]
        print(f"{policy} | " + " | ".join(cells))
    decisions = [d for (policy, _), n in trees.items() if policy == "cka" for d in agreement(n)]
    if decisions:
        same = sum((cka > 0) == (accuracy > 0) for cka, accuracy in decisions if accuracy)
        decided = sum(accuracy != 0 for _, accuracy in decisions)
        layers = sum(cka >= 0 for cka, _ in decisions)
        print(f"of {len(decisions)} comparisons by CKA {layers} took the layer; the more similar "
              f"candidate was the more accurate one in {same} of {decided}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--checkpoint", default="sample")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=8)
    parser.add_argument(
        "--policies", nargs="*", default=["cka", "random", "layers-first", "filters"]
    )
    parser.add_argument("--folder", type=Path, default=Path("policies"))
    asked, options = parser.parse_known_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    trees: dict[tuple[str, int], list[NodeView]] = {}
    for seed in range(asked.seeds):
        for policy in asked.policies:
            trees[policy, seed] = nodes_of(grow(asked, options, policy, seed))
            print(f"{policy}, seed {seed}: {len(trees[policy, seed])} nodes", file=sys.stderr)
    report(trees, asked)


if __name__ == "__main__":
    main()
