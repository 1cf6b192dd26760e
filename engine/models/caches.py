"""Keys and values that a decoder keeps for its next token: nobody asks for one here."""

from __future__ import annotations

from torch import nn


def without_cache(model: nn.Module) -> int:
    """Has transformers' decoders keep nothing, in place; so many configurations said otherwise.

    What is kept is part of what a network gives, so heads would stay, and it takes memory.
    """
    configs = {id(c): c for module in model.modules() if (c := getattr(module, "config", None))}
    keeping = [c for c in configs.values() if getattr(c, "use_cache", None) is True]
    for config in keeping:
        config.use_cache = False
    return len(keeping)
