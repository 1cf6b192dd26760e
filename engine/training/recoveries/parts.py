"""Recoveries that train a part of a network (Zimmer et al., 2023: PERP)."""

from __future__ import annotations

from torch import nn

from engine.measures.output import output_module_of
from engine.runtime.device import device_of
from engine.training.recoveries.recovery import (
    Asked,
    Recovery,
    scales_and_shifts,
    shifts,
    train_only,
)


class Norms(Recovery):
    """Scales and shifts of the normalisations; batch norms take statistics too."""

    def prepare(self, model: nn.Module, asked: Asked) -> None:
        none = "the network has no normalisation with numbers; use --recover biases or full"
        train_only(model, scales_and_shifts(model), "norms", none)


class Biases(Recovery):
    """All biases, and shifts of normalisations; batch norms take statistics too."""

    def prepare(self, model: nn.Module, asked: Asked) -> None:
        none = "the network has no bias; use --recover norms or full"
        train_only(model, shifts(model), "biases", none)


class Head(Recovery):
    """The final classifier alone. What it gets stays bit for bit, statistics included."""

    keeps_statistics = True

    def prepare(self, model: nn.Module, asked: Asked) -> None:
        path = output_module_of(model, asked.example.to(device_of(model)).inputs)
        none = f"the network's output module, {path}, has nothing to train; use --recover full"
        train_only(model, model.get_submodule(path).parameters(), "head", none)
