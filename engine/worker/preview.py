"""What a candidate would be, before it is made."""

from __future__ import annotations

import torch
from torch import nn

from engine.contracts import seeds
from engine.contracts.jobs import Places
from engine.contracts.networks import Execution
from engine.contracts.preview import Preview, Previewed
from engine.measures.accuracy import evaluate
from engine.measures.cost import cost_of
from engine.pruning import editing, requests
from engine.pruning.allocations import Probe
from engine.pruning.limits import Limits
from engine.pruning.structure import structure_of
from engine.runtime.generators import generator
from engine.runtime.progress import Monitor
from engine.tasks import Task, examples, num_items
from engine.worker.workbench import Workbench


def look(
    job: Preview, execution: Execution, bench: Workbench, places: Places, monitor: Monitor
) -> Previewed:
    """The candidate of a request beside its parent. Raises EditRequestError, Cancelled."""
    task = bench.task_of(job.data, places, execution, monitor)
    parent = bench.network(job.parent, places.factory)
    structure = job.structure or structure_of(parent)
    limits = Limits.of(job.scoring, structure, job.parent.architecture.edits)
    requests.check(job.request, parent, structure, job.scoring.units, limits)
    example, seed = examples(task, 1), seeds.derive(job.seed, "filters")
    edit = requests.edit_of(
        job.request, parent, structure, job.scores, job.scoring, example, seed,
        limits=limits, probe=Probe(parent, task, execution, job.seed, monitor),
    )  # fmt: skip
    model = editing.apply(edit, parent)
    cost, parents = cost_of(model, example), cost_of(parent, example)
    items = _few(task, job.num_items)
    found = Previewed(
        cost.num_macs, cost.num_params, _num_bytes(model),
        parents.num_macs, parents.num_params, _num_bytes(parent),
    )  # fmt: skip
    if not len(items):
        return found
    monitor.check()
    right, before = (
        evaluate(each, task, "validation", execution, items=items, monitor=monitor).accuracy
        for each in (model, parent)
    )
    return Previewed(
        found.macs, found.params, found.num_bytes,
        found.parent_macs, found.parent_params, found.parent_bytes,
        len(items), right, before,
    )  # fmt: skip


def _few(task: Task, count: int) -> torch.Tensor:
    """Some validation items, always the same ones."""
    order = torch.randperm(num_items(task, "validation"), generator=generator("preview"))
    return order[:count].sort().values


def _num_bytes(model: nn.Module) -> int:
    return sum(each.numel() * each.element_size() for each in model.state_dict().values())
