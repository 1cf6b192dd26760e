"""One network of the zoo: its structure, the candidates of one expansion, and whether they are what
they say."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from pruned_and_masked import Run, compared, randomise
from torch import Tensor, nn
from zoo_networks import Entry
from zoo_results import Found, Saving

from engine.contracts.edits import LAYER, Edit
from engine.contracts.errors import EngineError, UserError
from engine.contracts.networks import Execution, Scores
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.structure import NetworkStructure
from engine.measures.cost import Cost, cost_of
from engine.models.outputs import output_of
from engine.pruning import editing
from engine.pruning.candidates import propose
from engine.pruning.criteria import CRITERIA
from engine.pruning.structure.find import find_structure
from engine.pruning.structure.recording import NETWORK_ERRORS, undisturbed
from engine.pruning.surgery.tensors import forget_kept_tensors
from engine.runtime.attention import attention_in_the_open
from engine.tasks import Batch, Task

SEED = 0
LEAST_DIFFERENCE = 1e-4  # of outputs
MOST_IN_DOUBLE = 400_000_000  # parameters
LARGEST_ERROR, LARGEST_SHARE = 1e-4, 1e-2  # of the output, of what masking changes; float32


def explored(entry: Entry) -> Found:
    """What becomes of a network; nothing is raised but what is a fault of ours."""
    torch.default_generator.manual_seed(SEED)
    found = Found(entry.reference)
    try:
        model, size = smallest(entry)
        found = replace(found, size=size)
        enliven(model, noise(4, size))
        began = time.process_time()
        structure = find_structure(model, noise(2, size))
    except UserError as error:
        return replace(found, refused=str(error))
    found = replace(found, seconds=round(time.process_time() - began, 1))
    return with_candidates(told(structure, found), model, structure)


def smallest(entry: Entry) -> tuple[nn.Module, int]:
    """The network, and the least pixels that it runs on."""
    for model in entry.makings():
        for size in entry.sizes:
            try:
                with undisturbed(model):
                    result = output_of(model(noise(2, size)))
            except (*NETWORK_ERRORS, EngineError):
                continue
            if bool(result.isfinite().all()):
                return model, size
    raise EngineError(f"runs on no images of {entry.sizes[0]} to {entry.sizes[-1]} pixels")


@torch.no_grad()
def enliven(model: nn.Module, images: Tensor) -> None:
    """Batch norms as training leaves them, and larger weights where a library makes them so small
    that nothing of an image is left at the end."""
    settle_statistics(model, images)
    outputs = output_of(model(images))
    if float(outputs.std(0).max()) > LEAST_DIFFERENCE:
        return
    for module in model.modules():
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    settle_statistics(model, images)


@torch.no_grad()
def settle_statistics(model: nn.Module, images: Tensor) -> None:
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    before = [(norm, norm.momentum) for norm in norms]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        model(images)
    finally:
        for norm, momentum in before:
            norm.eval()
            norm.momentum = momentum


def noise(batch: int, size: int) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(SEED))


def told(structure: NetworkStructure, found: Found) -> Found:
    kinds: Counter[str] = Counter(group.kind for group in structure.free_groups)
    reasons = Counter(short_reason(why) for why in structure.frozen.values())
    return replace(
        found,
        blocks=len(structure.blocks),
        removable=sum(block.stays is None for block in structure.blocks),
        parts=sum(len(block.parts) for block in structure.blocks),
        groups=dict(sorted(kinds.items())),
        units=sum(group.num_units for group in structure.free_groups),
        left_out=dict(reasons.most_common()),
    )


def short_reason(why: str) -> str:
    """Without what differs from module to module."""
    for start in (
        "the network does not run without it",
        "the network does not run without some of it",
        "without some of it the network is off",
        "its forward pass has sizes of its own",
    ):
        if why.startswith(start):
            return start
    return why


# ------------------------------------------------------------ candidates


def with_candidates(found: Found, model: nn.Module, structure: NetworkStructure) -> Found:
    example = Batch(noise(1, found.size), torch.zeros(1, dtype=torch.long), torch.arange(1))
    edits = propose(
        model, structure, cheap_scores(model, structure), ScoringSettings(), example, SEED
    )
    whole = cost_of(model, example)
    for edit in edits:
        pruned = editing.apply(edit, model)
        problem = wrong_with(edit, model, pruned, structure, found.size)
        cost = cost_of(pruned, example)
        if cost.num_macs >= whole.num_macs:
            problem = problem or "multiply-accumulates do not go down"
        if problem:
            found = replace(found, problem=f"{edit.structure}: {problem}")
        saved = saving(edit, structure, whole, cost)
        found = replace(found, **{"layer" if edit.structure == LAYER else "unit": saved})
    return found


def cheap_scores(model: nn.Module, structure: NetworkStructure) -> Scores:
    """The mean weight of each: no image is looked at."""
    nothing: Any = None
    task: Task = nothing
    return CRITERIA["l1"](model, structure, task, torch.arange(0), Execution("cpu", 1, None))


def saving(edit: Edit, structure: NetworkStructure, whole: Cost, cost: Cost) -> Saving:
    if edit.structure == LAYER:
        what = edit.blocks[0]
    else:
        kinds: Counter[str] = Counter()
        by_path = {group.path: group.kind for group in structure.groups}
        for path, units in edit.units:
            kinds[by_path[path]] += len(units)
        what = ", ".join(f"{n} {kind}{'s' * (n > 1)}" for kind, n in sorted(kinds.items()))
    return Saving(
        what,
        round(1 - cost.num_macs / whole.num_macs, 4),
        round(1 - cost.num_params / whole.num_params, 4),
    )


# ------------------------------------------------------------ are they what they say?


def wrong_with(
    edit: Edit, model: nn.Module, pruned: nn.Module, structure: NetworkStructure, size: int
) -> str:
    """What is not as it should be of a candidate; empty where nothing is."""
    images = noise(3, size)
    if why := depends_on_their_number(pruned, images):
        # Rounding grows in very deep networks of random weights.
        why = depends_on_their_number(*most_precise(pruned, images))
    if why:
        return why
    lively = randomise(copy.deepcopy(model), statistics=False)
    for module in lively.modules():
        forget_kept_tensors(module)
    settle_statistics(lively, noise(4, size))  # or values grow until rounding is all there is
    lively, images = most_precise(lively, images[:2])
    if edit.structure == LAYER:
        return layer_is_not_passed_over(edit, lively, images)
    groups = {group.path: group for group in structure.groups}
    run: Run = lambda network: output_of(network(images))  # noqa: E731
    with attention_in_the_open():
        result = compared(
            [groups[p] for p, _ in edit.units], [u for _, u in edit.units], lively, run
        )
    if not result.effect:
        return "masking changes nothing"
    rounding = 1e-12 if images.dtype == torch.float64 else 2e-6
    if not result.error <= max(LARGEST_SHARE * min(1.0, result.effect), rounding):
        return (
            f"pruned is not masked: off by {result.error:.1e}, masking changes {result.effect:.1e}"
        )
    return "" if result.error <= LARGEST_ERROR else f"pruned is off by {result.error:.1e}"


@torch.no_grad()
def depends_on_their_number(network: nn.Module, images: Tensor) -> str:
    """Whether an image is another with others beside it, or none gives a number."""
    with attention_in_the_open():
        three, one = output_of(network(images)), output_of(network(images[:1]))
    if not three.isfinite().all():
        return "its output is not finite"
    if not torch.allclose(three[:1], one, rtol=1e-3, atol=1e-4 * float(three.abs().max())):
        return "another number of images gives other outputs"
    return ""


def most_precise(model: nn.Module, images: Tensor) -> tuple[nn.Module, Tensor]:
    """In double precision, where nothing of the network is written for single, and memory does."""
    if sum(parameter.numel() for parameter in model.parameters()) > MOST_IN_DOUBLE:
        return model, images
    double = copy.deepcopy(model).double()
    try:
        with torch.no_grad(), attention_in_the_open():
            if output_of(double(images.double())).dtype == torch.float64:
                return double, images.double()
    except NETWORK_ERRORS:
        pass
    return model, images


def layer_is_not_passed_over(edit: Edit, model: nn.Module, images: Tensor) -> str:
    """A network without a block is the one in which the block's call gives what it got."""
    with torch.no_grad(), attention_in_the_open():
        without = output_of(editing.apply(edit, model)(images))
        handles = [
            model.get_submodule(path).register_forward_hook(passing_over, with_kwargs=True)
            for path in edit.blocks
        ]
        passed = output_of(model(images))
        for handle in handles:
            handle.remove()
        whole = output_of(model(images))
    error, scale = float((without - passed).abs().max()), float(passed.abs().max())
    if not error <= 1e-6 * scale:
        return f"without the block is not around the block: off by {error / scale:.1e}"
    return "" if float((whole - passed).abs().max()) else "removing the block changes nothing"


def passing_over(module: nn.Module, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Any:
    """What a block got: of several streams each, of other results of its none."""
    given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
    if not isinstance(out, tuple | list):
        return given[0]
    streams = [
        x if isinstance(y, Tensor) and x.shape == y.shape else None
        for x, y in zip(given, out, strict=False)
    ]
    return tuple([*streams, *[None] * len(out)][: len(out)])
