"""What the app remembers from one time to the next: recent stores, the sizes of its
panes, and what was chosen in them.

A small JSON file in the user's state folder (`PE_EXPLORE_STATE` names another). Losing it costs
nothing, so nothing here raises: what goes wrong is returned as a warning.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

from engine.contracts.codec import FormatError, decode, encode
from engine.contracts.errors import UnusableFileError
from engine.contracts.files import write_text_atomically
from engine.contracts.outside import read_bounded
from explorer.session.own_files import own_file
from explorer.views.node_view import NodeView

LONGEST = 20  # recent stores
_LARGEST_BYTES = 1_000_000
_LATEST = 1e12  # seconds; later times are no times
_LONGEST_WORD = 100


@dataclass(frozen=True)
class Star:
    """The best node of a store when it was open last."""

    name: str
    val_accuracy: float | None = None
    macs_reduction: float | None = None


@dataclass(frozen=True)
class Recent:
    """A store that was open: its run, when (seconds since 1970), how large, and its best node."""

    path: str
    run: str
    opened_at: float
    num_nodes: int
    best: Star | None = None


def state_path() -> Path | None:
    """The file that remembers; None for a user who has no folder for such files."""
    return own_file("PE_EXPLORE_STATE", platformdirs.user_state_path, "state.json")


def recents() -> list[Recent]:
    """The stores that were open and are still there, the newest first."""
    state, _ = _read()
    return [recent for recent in _recents_in(state) if _is_file(recent.path)]


def remember(
    path: Path | str, run: str, num_nodes: int, best: NodeView | None = None
) -> str | None:
    """Puts a store at the head of the list. Returns a warning where that could not be kept."""
    star = None if best is None else Star(best.name, best.val_accuracy, best.macs_reduction)
    full = os.path.abspath(path)
    newest = Recent(full, run, time.time(), num_nodes, star)
    state, warning = _read()
    others = [recent for recent in _recents_in(state) if recent.path != full]
    kept = [newest, *others][:LONGEST]
    return _write({**state, "recents": [encode(recent) for recent in kept]}) or warning


def sizes() -> dict[str, int]:
    """The sizes that panes were given, in percent, by their names."""
    state, _ = _read()
    found = state.get("sizes")
    if not isinstance(found, dict):
        return {}
    return {k: v for k, v in found.items() if type(v) is int and 0 < v < 100}


def set_sizes(changed: Mapping[str, int]) -> str | None:
    """Remembers sizes beside those known. Returns a warning where that could not be kept."""
    state, warning = _read()
    return _write({**state, "sizes": {**sizes(), **changed}}) or warning


def words() -> dict[str, str]:
    """What was chosen among few, by the names of the choices."""
    state, _ = _read()
    found = state.get("choices")
    if not isinstance(found, dict):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, str) and len(v) <= _LONGEST_WORD}


def columns() -> list[str]:
    """The columns of the table that were chosen, by their keys."""
    return [key for key in words().get("columns", "").split(",") if key]


def set_words(changed: Mapping[str, str]) -> str | None:
    """Remembers choices beside those known. Returns a warning where that could not be kept."""
    state, warning = _read()
    return _write({**state, "choices": {**words(), **changed}}) or warning


# ------------------------------------------------------------ the file


def _read() -> tuple[dict[str, Any], str | None]:
    """What the file holds, and a warning where it is damaged."""
    path = state_path()
    if path is None:
        return {}, None
    try:
        state = json.loads(read_bounded(path, _LARGEST_BYTES))
    except UnusableFileError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return {}, None
        return {}, f"{error}; recent stores and pane sizes start anew"
    except (ValueError, RecursionError) as error:
        return {}, f"{path}: {_cause(error)}; recent stores and pane sizes start anew"
    if not isinstance(state, dict):
        return {}, f"{path}: not an object; recent stores and pane sizes start anew"
    return state, None


def _write(state: Mapping[str, Any]) -> str | None:
    """Replaces the file in one step, so that a crash leaves the old one or the new one."""
    path = state_path()
    if path is None:
        return None  # nobody to remember it for, each time
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, json.dumps(state))
    except (OSError, ValueError, TypeError) as error:
        return f"cannot remember this store in {path}: {_cause(error)}"
    return None


def _recents_in(state: Mapping[str, Any]) -> list[Recent]:
    entries = state.get("recents")
    entries = entries if isinstance(entries, list) else []
    found = [_recent(entry) for entry in entries if isinstance(entry, dict)]
    known = [recent for recent in found if recent is not None]
    return sorted(known, key=lambda recent: -recent.opened_at)[:LONGEST]


def _recent(entry: Mapping[str, object]) -> Recent | None:
    """An entry of the file, None where it is not one of ours."""
    try:
        recent = decode(Recent, {**entry, "best": None})
    except FormatError:
        return None
    if not 0 <= recent.opened_at < _LATEST:
        return None
    try:
        return replace(recent, best=decode(Star, entry.get("best")))
    except FormatError:  # none, or one that another version wrote
        return recent


def _is_file(path: str) -> bool:
    try:
        return os.path.isfile(path)
    except ValueError:  # a NUL in the name
        return False


def _cause(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "not readable as JSON" if isinstance(error, ValueError) else str(error)
