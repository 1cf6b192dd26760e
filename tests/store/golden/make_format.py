"""Makes format-N.db and what it says, format-N.json. Run once, when format N was the newest.

PYTHONPATH=.:tests/store python tests/store/golden/make_format.py
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from golden.make_format_1 import describe as describe_tree
from golden.make_format_1 import fill as fill_tree

from store import TreeStore
from store.sqlite import schema

FOLDER = Path(__file__).parent


def describe(store: TreeStore) -> dict[str, Any]:
    """All that a store says, as JSON, with what people said of its nodes."""
    said = describe_tree(store)
    said["annotations"] = {
        str(node_id): {name: asdict(annotation)[name] for name in ("tags", "note", "dropped")}
        for run in store.runs()
        for node_id, annotation in store.annotations(run.id).items()
    }
    evaluations = [
        asdict(each)
        for run in store.runs()
        for node in store.nodes(run.id)
        for each in store.evaluations(node.id)
    ]
    if evaluations:  # older formats have none
        said["evaluations"] = evaluations
    return json.loads(json.dumps(said).replace("NaN", '"nan"'))


def fill(store: TreeStore) -> None:
    """A small tree in which everything occurs, annotations and an undone decision too."""
    fill_tree(store)
    run = store.runs()[0]
    root, layer, filters = (store.node(run.id, name) for name in ("R", "R.L", "R.F"))
    store.tag(layer.id, "good")
    store.tag(layer.id, "small")
    store.tag(layer.id, "good", on=False)
    store.note(filters.id, "grüße [/foo]")
    store.drop(filters.id)
    store.undecide(root.id, actor="user", reason="undid it")
    store.decide(root.id, kept=[layer.id], suggested=None, actor="user", reason="redid it")


if __name__ == "__main__":
    number = schema.newest_format()
    with TreeStore.open(FOLDER / f"format-{number}.db", create=True) as new:
        fill(new)
        text = json.dumps(describe(new), indent=1, sort_keys=True)
        (FOLDER / f"format-{number}.json").write_text(text + "\n")
