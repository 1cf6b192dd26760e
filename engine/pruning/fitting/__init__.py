"""The best choice of what goes for a budget, by integer programming over scores and costs."""

from engine.pruning.fitting.choices import Choices, choices_of
from engine.pruning.fitting.fit import Fitter

__all__ = ["Choices", "Fitter", "choices_of"]
