"""How a criterion says that it does not apply to a network."""

from __future__ import annotations

from engine.contracts.errors import CriterionError


def refused(name: str, why: str) -> CriterionError:
    """The error of a criterion that does not apply, with its remedy."""
    return CriterionError(
        f"--criterion {name} {why}; another one ranks this network, such as --criterion kl-fast"
    )
