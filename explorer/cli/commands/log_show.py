"""`log` and `show`: reading a store."""

from __future__ import annotations

import json
from pathlib import Path

from engine.contracts.codec import encode_object
from engine.contracts.errors import UsageError
from engine.contracts.json_values import JsonValue
from engine.contracts.metrics import BY_KEY
from engine.contracts.settings import read_settings
from explorer.cli.console import cell, find_run, print_doubts, print_tree, say, wide_console
from explorer.cli.json_types import TreeLog, print_json
from explorer.views.best_node import best
from explorer.views.deciding import deciding_in
from explorer.views.doubts import doubts_about
from explorer.views.measured_text import with_unit
from explorer.views.node_csv import nodes_as_csv
from explorer.views.node_view import EpochView, NodeDetails
from explorer.views.setting_views import (
    SettingView,
    setting_views,
    settings_in_a_line,
    shown_value,
)
from explorer.views.stored_nodes import node_details, node_views, some_node_views
from store import TreeStore

LONG = 2_000  # nodes; a longer tree is printed whole only where that is asked for


def log(
    path: Path,
    *,
    limit: int | None = None,
    wanted: str | None = None,
    as_csv: bool = False,
    as_json: bool,
) -> None:
    """Prints a run's tree, or its newest nodes; the newest run's where none is named."""
    if as_csv and as_json:
        raise UsageError("--csv and --json are two forms of the same nodes; give one of them")
    with TreeStore.open(path, read_only=True) as store:
        run, others = find_run(store, wanted), store.runs()
        count, doubts = store.num_nodes(run.id), doubts_about(run)
        deciding = deciding_in(run)
        if limit is None and count > LONG and not (as_json or as_csv):
            limit = LONG
        if limit is None or limit >= count:
            nodes = node_views(store, run.id)
        else:
            names = [node.name for node in store.newest(run.id, limit)]
            nodes = some_node_views(store, run.id, names)
    settings = read_settings(run.settings)
    if as_csv:
        for line in nodes_as_csv(nodes).splitlines():
            say(line)
        return
    if as_json:
        print_json(TreeLog(run.name, tuple(nodes), doubts, encode_object(settings), deciding))
        return
    if len(nodes) < count:
        say(f"the newest {len(nodes):,} of {count:,} nodes; --limit N shows more", err=True)
        print_tree(nodes)
    else:
        print_tree(nodes, best=best(nodes, settings).name)
    print_doubts(doubts)
    if deciding:
        say(deciding)
    say(f"run {run.name}: {settings_in_a_line(settings)}")
    if len(others) > 1:
        listed = ", ".join(f"{o.id} ({o.name})" for o in others[-5:] if o.id != run.id)
        say(f"other runs are in this store: {listed}; --run shows one, `pe-explore runs` all")


def show(path: Path, name: str, *, wanted: str | None = None, as_json: bool) -> None:
    """Prints all that is known of one node."""
    with TreeStore.open(path, read_only=True) as store:
        found = node_details(store, find_run(store, wanted).id, name)
    if as_json:
        print_json(found)
    else:
        _print_node(found)


def _print_node(found: NodeDetails) -> None:
    from rich.console import Group
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in encode_object(found).items():
        if key == "epochs":
            lines = list(map(_epoch, found.epochs))
        elif key == "doubts":
            lines = [doubt.words for doubt in found.doubts] or ["-"]
        elif key == "settings":
            lines = _settings(found)
        elif key == "deciding" and not found.deciding:
            continue
        else:
            lines = [_cell(key, value)]
        table.add_row(cell(key.replace("_", " "), "bold"), Group(*map(cell, lines or [""])))
    wide_console().print(table)


def _settings(found: NodeDetails) -> list[str]:
    """The run's settings: all of them beside the root, in brief beside other nodes."""
    if found.settings is None:
        return []
    if found.node.structure != "root":
        return [settings_in_a_line(found.settings)]
    views = setting_views(found.settings)
    width = max(len(view.name) for view in views)
    return [
        f"{view.name:{width}} {shown_value(view.value)}"
        + (f"  (usually {shown_value(view.default)})" if _has_other_default(view) else "")
        for view in views
    ]


def _epoch(epoch: EpochView) -> str:
    if epoch.epoch is None or epoch.loss is None or epoch.accuracy is None:
        return f"{epoch.phase}: {json.dumps(epoch.stored)}"
    return (
        f"{epoch.phase} {epoch.epoch + 1}: loss {epoch.loss:.4f}, "
        f"training accuracy {epoch.accuracy:.2f} %"
    )


def _cell(key: str, value: JsonValue) -> str:
    if value is None:
        return "-"
    if key in BY_KEY and isinstance(value, int | float):
        return with_unit(key, value)
    if isinstance(value, float):
        return f"{value:+.4f}"  # of a margin
    return str(value) if isinstance(value, str | bool | int) else json.dumps(value)


def _has_other_default(view: SettingView) -> bool:
    return view.changed and view.default is not None
