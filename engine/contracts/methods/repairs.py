"""What is mended of a candidate before it is trained. `engine.pruning.repairs` does it."""

from __future__ import annotations

from engine.contracts.methods.method import Method, by_name

REPAIRS = by_name((
    Method("none", "Nothing: the weights that stay are as they were", "the paper"),
))  # fmt: skip
