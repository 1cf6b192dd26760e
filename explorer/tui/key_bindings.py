"""Bindings of screens and widgets, made of the key table."""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import Binding, BindingType

from explorer.tui.keys import KEYS

_BY_ID = {key.id: key for key in KEYS}


def bindings(group: str, actions: Mapping[str, str]) -> list[BindingType]:
    """A binding for each of these actions, by what follows the group in its key's id."""
    keys = {name: _BY_ID[f"{group}.{name}"] for name in actions}
    return [
        Binding(key.keys, actions[name], key.label, show=False, id=key.id)
        for name, key in keys.items()
    ]
