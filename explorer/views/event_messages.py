"""What a session's events say to a person, in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "note": "note: {text}",
    "resuming": "resuming run {run} in {store}",
    "adopted": "{node}: took over finished work that had not been stored",
    "retrying": "{node}: {reason}; attempt {attempt} of {of}",
    "undo": "{parent}: undid the decision for {kept}",
    "redo": "{parent}: {kept} kept again",
    "waiting": "{parent}: its candidates are measured; decide",
    "exhausted": "{node}: no structure left that may be removed",
    "stopped": "{node}: {reason}",
    "problem": "{node}: {cause}",
}


def line_of(event: Mapping[str, Any]) -> str | None:
    """What an event says to a person, None where it says nothing."""
    kind, node = event["event"], event.get("node", "")
    metrics = event.get("metrics", {})
    if kind in _WORDS:
        return _WORDS[kind].format_map({"node": "", **event})
    if kind == "recovered":
        return (
            f"{node}: CKA {metrics['similarity']:.4f}, validation accuracy "
            f"{metrics['val_accuracy_before']:.2f} → {metrics['val_accuracy']:.2f} %"
        )
    if kind == "tuned":
        return (
            f"{node}: tuned, validation accuracy {metrics['val_accuracy']:.2f} %, "
            f"test {metrics['test_accuracy']:.2f} %"
        )
    if kind == "decided":
        return _decision(event)
    if kind == "epoch" and event.get("kind") == "train":
        return (
            f"epoch {event['epoch'] + 1} of {event['total_epochs']}: loss {event['loss']:.4f}, "
            f"accuracy {event['accuracy']:.2f} %, {event['images_per_second']:.0f} images/s"
        )
    if kind == "resumed":
        return f"going on after epoch {event['epoch']} of {event['total_epochs']}"
    return None


def _decision(event: Mapping[str, Any]) -> str:
    line = f"{event['parent']} → {event['kept']} kept: {event['reason']}"
    margin = event.get("margin")
    if margin is not None and margin.low is not None:
        line += f"; margin {margin.value:+.4f} [{margin.low:+.4f}, {margin.high:+.4f}]"
        line += ", too close to call" if margin.too_close else ""
    return line
