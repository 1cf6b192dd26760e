"""What an action is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from explorer.tui.context import Context

# One that asks gives a coroutine, which goes on in a worker while the keys work.
Action = Callable[[Context], Coroutine[Any, Any, None] | None]
