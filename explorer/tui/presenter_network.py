"""What the network screen shows: diagram, difference and rankings of the state's nodes."""

from __future__ import annotations

from explorer.tui.state import AppState
from explorer.views.network.diagram import Diagram
from explorer.views.network.differences import NetworksDiffer
from explorer.views.network.of_store import stored_diagram, stored_difference, stored_rankings
from explorer.views.network.rankings import Rankings


def diagram(state: AppState, name: str) -> Diagram:
    """The diagram of a node's network."""
    session = state.open_session
    return stored_diagram(
        session.store, session.document, session.node(name), state.shown.get(name)
    )


def difference(state: AppState, a: str, b: str) -> NetworksDiffer:
    """How the networks of two nodes differ."""
    session = state.open_session
    views = {name: state.shown[name] for name in (a, b)}
    return stored_difference(session.store, session.document, (a, b), views)


def rankings(state: AppState, name: str) -> Rankings:
    """The rankings along the way to a node."""
    session = state.open_session
    return stored_rankings(session.store, session.document, session.node(name))


def others(state: AppState, name: str) -> list[str]:
    """The nodes that a node can be held beside: those marked, else its parent."""
    marked = [each for each in state.marked if each in state.shown and each != name]
    view = state.shown.get(name)
    parent = view.parent if view is not None else None
    return marked or ([parent] if parent in state.shown and parent is not None else [])
