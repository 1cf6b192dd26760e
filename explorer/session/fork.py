"""Forks: another run that begins where a node of one stands, with other settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.contracts.settings import Settings, with_values
from explorer.session.session import Session
from store import Node, Run

_NOT_THE_NETWORKS = ("similarity", "val_accuracy_before", "latency_ratio")  # but of its edit


def fork(session: Session, node: Node, overrides: Mapping[str, Any]) -> Run:
    """A new run in the same store whose root is the node's network. Raises SettingsError.

    Data, machine and settings are the old run's, but for the settings that are given.
    """
    old = session.run
    settings = with_values(Settings.from_dict(old.settings), overrides)
    phase = "tuned" if "tuned" in node.phases else node.phases[-1]
    address = session.store.snapshot_hash(node.id, phase)
    count = len(session.store.runs()) + 1
    return session.store.create_run(
        name=f"{old.name.rpartition('-')[0] or old.name}-{count}",
        seed=settings.seed,
        architecture=session.architecture_of(node),
        data=old.data,
        settings={
            **old.settings,
            **settings.as_dict(),
            "data": old.settings["data"],
            "forked_from": {"run": old.uuid, "node": node.name},
        },
        environment=old.environment,
        root_metrics={k: v for k, v in node.metrics.items() if k not in _NOT_THE_NETWORKS},
        root_snapshot=session.store.snapshot(address),
    )
