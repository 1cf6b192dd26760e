"""A network of each kind with its structure and data, for suites that run over methods."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from any_networks import example
from networks import network, small_data
from task_networks import Tabular, made, windows
from torch import nn

from engine.contracts.edits import Edit
from engine.contracts.structure import NetworkStructure
from engine.pruning.explicit import explicit
from engine.pruning.structure import structure_of
from engine.pruning.structure.find import find_structure
from engine.pruning.surgery import carry_out
from engine.tasks import ImageTask, Task, examples

RESNET = {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [[4, 3], [5, 4, 3]],
          "num_classes": 3}  # fmt: skip


class Kind(NamedTuple):
    """A network in evaluation mode, what can be removed from it, and its task."""

    model: nn.Module
    structure: NetworkStructure
    task: Task

    def without_units(self, num_groups: int | None = None, first: int = 0) -> Edit:
        """One or two units of so many groups go, from that group on."""
        groups = self.structure.free_groups[first:][:num_groups]
        units = tuple((g.path, tuple(range(1, min(3, g.num_units)))) for g in groups)
        return explicit(Edit("unit", units=units), self.structure)

    def without_a_block(self) -> Edit:
        block = self.structure.removable_blocks(1)[-1]
        return explicit(Edit("layer", blocks=(block.path,)), self.structure)

    def child(self, edit: Edit) -> nn.Module:
        return carry_out(edit, copy.deepcopy(self.model)).eval()

    @property
    def items(self) -> torch.Tensor:
        return torch.arange(self.task.describe().num_train)


def _resnet() -> Kind:
    model = network(RESNET)
    return Kind(model, structure_of(model), ImageTask(small_data(40)))


def _vit() -> Kind:
    model, structure = example("ViT with grouped heads")
    return Kind(model, structure, ImageTask(small_data(40, classes=6)))


def _tabular() -> Kind:
    model, task = made(Tabular), windows()
    return Kind(model, find_structure(model, examples(task, 4).inputs), task)


KINDS: dict[str, Callable[[], Kind]] = {"resnet": _resnet, "vit": _vit, "tabular": _tabular}
