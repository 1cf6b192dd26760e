"""A criterion of a person's: code, called only where it is allowed as it is now."""

from __future__ import annotations

import math

from torch import Tensor, nn

from engine.contracts.errors import Cancelled, CriterionError, UserError
from engine.contracts.message_text import plain
from engine.contracts.networks import Execution, Scores
from engine.contracts.options import check_name
from engine.contracts.references import Factory, ForeignFactoryError, factory_here, is_own_method
from engine.contracts.structure import NetworkStructure
from engine.models.user_modules import import_factory, users_modules_first
from engine.pruning.criteria import CRITERIA
from engine.pruning.scores import Criterion
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Task


def criterion_of(name: str, allowed: Factory | None) -> Criterion:
    """What a name means. Raises SettingsError for one that is not known, and ForeignFactoryError
    for a person's that nobody has allowed."""
    if not is_own_method(name):
        check_name("criterion", name, CRITERIA)
        return CRITERIA[name]
    if allowed is None or allowed.reference != name:
        raise ForeignFactoryError(
            f"refused to rank by {name[:200]!r}: it is code, and nobody has allowed it for this "
            f"run; begin a run, or fork this one, with --criterion {name[:200]}"
        )
    if factory_here(name) != allowed:
        raise ForeignFactoryError(
            f"the file of the criterion {name[:200]!r} has changed since it was allowed; look at "
            "it and open the store again"
        )
    return _Own(name)


class _Own:
    """Calls the function as any criterion is called, and looks at what it gives."""

    def __init__(self, reference: str) -> None:
        self._reference = reference

    def __call__(
        self,
        model: nn.Module,
        structure: NetworkStructure,
        task: Task,
        items_N: Tensor,
        execution: Execution,
        monitor: Monitor = SILENT,
        *,
        crossing: bool = False,
    ) -> Scores:
        about = (model, structure, task, items_N, execution, monitor)
        with users_modules_first(self._reference.partition(":")[0]):
            function = import_factory(self._reference)
            try:
                found = function(*about, crossing=crossing)
            except Exception as error:  # it is their code: anything may happen in it
                if isinstance(error, UserError | Cancelled):
                    raise
                raise CriterionError(
                    f"--criterion {self._reference} fails ({type(error).__name__}: "
                    f"{plain(str(error))}); mend it, or rank by another one"
                ) from error
        if not isinstance(found, Scores):
            raise CriterionError(
                f"--criterion {self._reference} gives a {type(found).__name__}; it is to give "
                "engine.pruning.scores.Scores (docs/algorithm.md)"
            )
        values = [*found.blocks.values(), *(v for of in found.units.values() for v in of)]
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
            raise CriterionError(
                f"--criterion {self._reference} gives scores that are no finite numbers; the least "
                "important structure has the least"
            )
        return found
