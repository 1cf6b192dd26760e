"""How a run begins, with its root, and how its settings go on."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from store.errors import InvalidValueError
from store.records import JsonObject, Run
from store.sqlite import canonical_json
from store.sqlite.clock import timestamp
from store.sqlite.connection import Connection
from store.tables import documents, events, node_results, runs

_LARGEST_INTEGER = 2**63 - 1


def create(
    connection: Connection,
    *,
    name: str,
    seed: int,
    architecture: JsonObject,
    data: JsonObject,
    settings: JsonObject,
    environment: JsonObject,
    root_metrics: Mapping[str, float],
    root_snapshot: bytes,
) -> Run:
    """A new run and its root `R`."""
    _check_name(name)
    _check_seed(seed)
    architecture_text = canonical_json.object_text(architecture, "architecture")
    data_text = canonical_json.object_text(data, "data")
    settings_text = canonical_json.object_text(settings, "settings")
    environment_text = canonical_json.object_text(environment, "environment")
    result = node_results.make_result(
        "root", snapshot=root_snapshot, snapshot_hash=None, metrics=root_metrics
    )
    node_results.upload(connection, result)
    with connection.writing():
        now = timestamp()
        run_id = connection.insert(
            "run",
            uuid=str(uuid.uuid4()),
            name=name,
            seed=seed,
            architecture=architecture_text,
            data=data_text,
            environment_hash=documents.keep(connection, "environment", environment_text),
            created_at=now,
        )
        _append_settings(connection, run_id, settings_text)
        root_id = connection.insert(
            "node", run_id=run_id, name="R", structure="root", depth=0, state="ready",
            created_at=now,
        )  # fmt: skip
        node_results.insert(connection, root_id, result)
        events.append(connection, run_id, "run", {"name": name, "seed": seed}, root_id)
        return runs.by_id(connection, run_id)


def extend_settings(connection: Connection, run_id: int, settings: JsonObject) -> Run:
    """The run with new settings. Equal ones add nothing."""
    text = canonical_json.object_text(settings, "settings")
    with connection.writing():
        newest = runs.by_id(connection, run_id).settings
        if canonical_json.to_text(newest, "settings") != text:
            _append_settings(connection, run_id, text)
            events.append(connection, run_id, "settings", {"settings": dict(settings)}, None)
        return runs.by_id(connection, run_id)


def _append_settings(connection: Connection, run_id: int, text: str) -> None:
    """New settings of a run, which hold from now on. Only inside `writing`."""
    connection.insert(
        "run_settings",
        run_id=run_id,
        settings_hash=documents.keep(connection, "settings", text),
        created_at=timestamp(),
    )


def _check_seed(seed: int) -> None:
    """Raise InvalidValueError where SQLite could not hold the seed."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _LARGEST_INTEGER:
        raise InvalidValueError(
            f"seed is {seed!r}; give a whole number from 0 to {_LARGEST_INTEGER}"
        )


def _check_name(name: str) -> None:
    """Raise InvalidValueError for a name that is empty, too long, or leads out of a folder."""
    canonical_json.plain_text(name, "the run's name", shortest=1, longest=200)
    if ".." in name.replace("\\", "/").split("/"):
        raise InvalidValueError(f"the run's name {name!r} leads out of a folder; leave out '..'")
