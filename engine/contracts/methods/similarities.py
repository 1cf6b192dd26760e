"""How alike two representations are. `engine.measures.similarity` measures it."""

from __future__ import annotations

from engine.contracts.methods.method import Method, by_name

SIMILARITIES = by_name((
    Method("cka", "Linear centred kernel alignment", "Kornblith et al. (2019); the paper, Eq. 1-2"),
))  # fmt: skip
