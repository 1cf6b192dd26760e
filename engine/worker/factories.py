"""Whether a network may be built here: a store may come from anywhere, and a factory is code."""

from __future__ import annotations

from engine.contracts.networks import Architecture
from engine.contracts.references import (
    Factory,
    ForeignFactoryError,
    factory_here,
    is_persons,
)


def check_task_allowed(reference: str, allowed: Factory | None) -> Factory:
    """The leave to have a person's task made; ForeignFactoryError where nobody gave it."""
    if allowed is None or allowed.reference != reference:
        raise ForeignFactoryError(
            f"refused to call {reference[:200]!r} for a task: it is code; allow it with "
            f"--allow-factory {reference[:200]} once you know its file"
        )
    if factory_here(reference) != allowed:
        raise ForeignFactoryError(
            f"the file of the task {reference[:200]!r} has changed since it was allowed; look at "
            "it and open the store again"
        )
    return allowed


def check_allowed(architecture: Architecture, allowed: Factory | None) -> None:
    """Raises ForeignFactoryError for a person's factory that nobody has allowed as it is now."""
    reference = architecture.factory
    if not is_persons(reference):
        return
    if allowed is None or allowed.reference != reference:
        raise ForeignFactoryError(
            f"refused to call the factory {reference[:200]!r} of a store: it is code; allow it "
            f"with --allow-factory {reference[:200]} once you know its file"
        )
    if architecture.arguments:
        raise ForeignFactoryError(
            f"refused to call the factory {reference[:200]!r} with arguments of a store; factories "
            "are called without any"
        )
    if factory_here(reference) != allowed:
        raise ForeignFactoryError(
            f"the file of the factory {reference[:200]!r} has changed since it was allowed; look "
            "at it and open the store again"
        )
