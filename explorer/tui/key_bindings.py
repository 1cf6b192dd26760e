"""Bindings of screens and widgets, made of the key table."""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import Binding

from explorer.tui.keys import KEYS

_BY_ID = {key.id: key for key in KEYS}


def bindings(
    group: str, actions: Mapping[str, str], *, priority: frozenset[str] = frozenset()
) -> list[Binding]:
    """A binding for each of these actions, by what follows the group in its key's id.

    One with `priority` is heard before what has the focus, such as a line that is typed in.
    """
    found = []
    for name, action in actions.items():
        key = _BY_ID[f"{group}.{name}"]
        told = {"show": False, "tooltip": key.help, "id": key.id, "priority": name in priority}
        found.append(Binding(key.keys, action, key.label, **told))
    return found
