"""The time as the store writes it."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp() -> str:
    """Now, as UTC in ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
