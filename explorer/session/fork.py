"""Forks: another run that begins where a node of one stands, with other settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.contracts.metrics import MEASURES
from engine.contracts.options import SettingValue
from engine.contracts.settings import with_values
from explorer.session.documents import (
    ForkedFrom,
    RunDocument,
    architecture_document,
    architecture_of,
    newest_phase,
    settings_document,
    structure_of,
)
from explorer.session.session import Session
from store import Node

_NOT_THE_NETWORKS = frozenset(each.key for each in MEASURES if each.of == "edit")


def fork(session: Session, node: Node, overrides: Mapping[str, SettingValue]) -> RunDocument:
    """A new run in the same store whose root is the node's network. Raises SettingsError.

    Data, machine and settings are the old run's, but for the settings that are given.
    """
    old, store = session.document, session.store
    settings = with_values(old.settings, overrides)
    settings = replace(settings, data=old.settings.data)
    origin = replace(old.origin, forked_from=ForkedFrom(old.run.uuid, node.name))
    address = store.snapshot_hash(node.id, newest_phase(node))
    name = old.run.name
    return RunDocument.of(
        store.create_run(
            name=f"{name.rpartition('-')[0] or name}-{len(store.runs()) + 1}",
            seed=settings.seed,
            architecture=architecture_document(
                architecture_of(store, old, node), structure_of(store, old, node)
            ),
            data=old.run.data,
            settings=settings_document(settings, origin),
            environment=old.run.environment,
            root_metrics={k: v for k, v in node.metrics.items() if k not in _NOT_THE_NETWORKS},
            root_snapshot=store.snapshot(address),
        )
    )
