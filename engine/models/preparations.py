"""What is done to a network before its first edit: modules that cannot be pruned are replaced by
equal ones that can. An architecture names what was done (`Architecture.prepared`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn

from engine.contracts.errors import EngineError
from engine.contracts.message_text import shown
from engine.models.attention import with_removable_heads

# Each works in place, and says how many modules it has replaced.
PREPARATIONS: dict[str, Callable[[nn.Module], int]] = {"attention": with_removable_heads}


def prepare(model: nn.Module, names: Iterable[str] = tuple(PREPARATIONS)) -> tuple[str, ...]:
    """Does what the names say, in place; gives those that changed anything, for its architecture.

    Raises EngineError for a name that nobody knows.
    """
    done = []
    for name in names:
        if name not in PREPARATIONS:
            raise EngineError(
                f"nobody knows the preparation {shown(name)}; known are "
                f"{', '.join(PREPARATIONS)}: a newer pe-explore may have written it, update"
            )
        if PREPARATIONS[name](model):
            done.append(name)
    return tuple(done)
