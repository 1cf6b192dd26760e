"""What work tells while it runs, and who listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Event = Mapping[str, Any]


Listener = Callable[[Event], None]
