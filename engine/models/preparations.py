"""What is done to a network before its first edit: modules that cannot be pruned are replaced by
equal ones that can. An architecture names what was done (`Architecture.prepared`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.contracts.message_text import shown
from engine.models.adaptive_pool import with_even_pools
from engine.models.attention import with_removable_heads
from engine.models.caches import without_cache
from engine.models.outputs import output_of
from engine.models.parametrised import with_plain_weights

# Each works in place, and says how many modules it has replaced.
PREPARATIONS: dict[str, Callable[[nn.Module], int]] = {
    "plain-weights": with_plain_weights,
    "no-cache": without_cache,
    "attention": with_removable_heads,
    "adaptive-pool": with_even_pools,
}
# What a person should know of those that change how the network is trained.
TOLD = {
    "plain-weights": (
        "weights that were normalised anew in every step (weight norm, spectral norm or another "
        "parametrization) are plain weights from here on, of the same values: the network computes "
        "what it did, and fine-tuning does not normalise them"
    ),
}
OUTPUT = "output:"  # with the name behind it of the one among several that is taken


def prepare(model: nn.Module, names: Iterable[str] = tuple(PREPARATIONS)) -> tuple[str, ...]:
    """Does what the names say, in place; gives those that changed anything, for its architecture.

    Raises EngineError for a name that nobody knows.
    """
    done = []
    for name in names:
        if name.startswith(OUTPUT):
            model.register_forward_hook(_Taken(name.removeprefix(OUTPUT)))
            done.append(name)
            continue
        if name not in PREPARATIONS:
            raise EngineError(
                f"nobody knows the preparation {shown(name)}; known are "
                f"{', '.join(PREPARATIONS)}: a newer pe-explore may have written it, update"
            )
        if PREPARATIONS[name](model):
            done.append(name)
    return tuple(done)


class _Taken:
    """A forward hook that gives one of several outputs in their place."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, module: nn.Module, inputs: object, result: object) -> Tensor:
        return output_of(result, self._key)
