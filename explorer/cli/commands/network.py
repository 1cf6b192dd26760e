"""`diagram` and `diff`: the networks of nodes, and how two of them differ."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from explorer.cli.console import find_run, say
from explorer.cli.json_types import print_json
from explorer.session.documents import RunDocument
from explorer.tui.drawing.cells import Line
from explorer.tui.drawing.network import diagram_lines
from explorer.tui.drawing.network_diff import diff_lines
from explorer.tui.drawing.network_heat import heat_lines
from explorer.views.network.of_store import (
    stored_diagram,
    stored_difference,
    stored_rankings,
)
from explorer.views.stored_nodes import some_node_views
from store import TreeStore

_WITHOUT_TERMINAL = (100, 24)
_LEAST, _MOST = 40, 200  # columns


@contextmanager
def _opened(path: Path, wanted: str | None) -> Iterator[tuple[TreeStore, RunDocument]]:
    with TreeStore.open(path, read_only=True) as store:
        yield store, RunDocument.of(find_run(store, wanted))


def diagram(path: Path, name: str, *, wanted: str | None, as_json: bool) -> None:
    """Prints the diagram of a node's network."""
    with _opened(path, wanted) as (store, run):
        (view,) = some_node_views(store, run.run.id, [name])
        found = stored_diagram(store, run, store.node(run.run.id, name), view)
    if as_json:
        print_json(found)
    else:
        say(f"{found.node} of run {run.run.name}")
        _print(diagram_lines(found, _width()))


def ranking(path: Path, name: str, *, wanted: str | None, as_json: bool) -> None:
    """Prints the rankings along the way to a node."""
    with _opened(path, wanted) as (store, run):
        found = stored_rankings(store, run, store.node(run.run.id, name))
    if as_json:
        print_json(found)
        return
    width = _width()
    say(f"{found.node} of run {run.run.name}")
    _print(heat_lines(found, width, len(found.steps)))


def diff(path: Path, a: str, b: str, *, wanted: str | None, as_json: bool) -> None:
    """Prints how the networks of two nodes differ."""
    with _opened(path, wanted) as (store, run):
        views = {view.name: view for view in some_node_views(store, run.run.id, [a, b])}
        found = stored_difference(store, run, (a, b), views)
    if as_json:
        print_json(found)
    else:
        _print(diff_lines(found, _width()))


def _width() -> int:
    return min(max(shutil.get_terminal_size(_WITHOUT_TERMINAL).columns, _LEAST), _MOST)


def _print(lines: Sequence[Line]) -> None:
    """The lines without their colours: marks and words tell the same."""
    for line in lines:
        say("".join(text for text, _ in line).rstrip())
