"""Bindings of screens and widgets, made of the key table."""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import Binding, BindingType

from explorer.tui.keys import KEYS

_BY_ID = {key.id: key for key in KEYS}


def bindings(
    group: str, actions: Mapping[str, str], *, priority: frozenset[str] = frozenset()
) -> list[BindingType]:
    """A binding for each of these actions, by what follows the group in its key's id.

    One with `priority` is heard before what has the focus, such as a line that is typed in.
    """
    found: list[BindingType] = []
    for name, action in actions.items():
        key = _BY_ID[f"{group}.{name}"]
        first = name in priority
        binding = Binding(key.keys, action, key.label, False, id=key.id, priority=first)
        found.append(binding)
    return found
