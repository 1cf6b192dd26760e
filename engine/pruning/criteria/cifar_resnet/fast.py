"""The KL criterion for CIFAR ResNets, fast: estimated for every filter, exact where it matters.

Shape legend: N images, B images of a chunk, C filters of a convolution, K classes.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure
from engine.models.cifar_resnet import CifarResNet
from engine.pruning.criteria.cifar_resnet.chain import Chain, inference_network, sums_of
from engine.pruning.criteria.estimates import (
    NUM_CLASSES_FOLLOWED,
    elsewhere,
    kl_of_changes,
    worth_exact,
)
from engine.pruning.criteria.sums import chunks
from engine.pruning.scores import Scores
from engine.runtime.device import torch_device
from engine.runtime.progress import SILENT, Monitor
from engine.runtime.threads import in_parallel
from engine.tasks import Batch, Inputs, Task

CHUNK_IMAGES = 64
CHAIN_IMAGES = 192  # larger chunks make larger packs of the few pairs that are computed exactly


def fast_chain_scores(
    model: CifarResNet,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
) -> Scores:
    """The scores of `kl-fast`. Raises Cancelled.

    To first order, silencing a filter changes the logits by minus gradient times activation: three
    backward passes (of each following class against the likeliest) tell it for all filters at
    once. On the images where that estimate of a filter's KL is largest, which hold most of it, the
    KL is computed exactly; by the root of what the estimates missed there, the others are scaled.
    """
    network = inference_network(model, torch_device(execution))
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    estimates = _estimates(network, task, items_N, execution, monitor)
    return _refined(structure, network, task, items_N, estimates, execution, monitor)


def _estimates(
    network: nn.Module,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor,
) -> dict[str, Tensor]:
    """By block, the estimated KL of each filter on each image (N, C)."""
    found: dict[str, list[Tensor]] = {}
    done = 0

    def of_batch(batch: Batch) -> dict[str, Tensor]:
        monitor.check()
        return _estimate(network, batch.inputs)

    def take(estimate: dict[str, Tensor]) -> None:
        nonlocal done
        for path, kl_BC in estimate.items():
            found.setdefault(path, []).append(kl_BC)
        done = min(done + CHUNK_IMAGES, len(items_N))
        monitor.step("estimating", done, len(items_N))

    batches = chunks(task, items_N, CHUNK_IMAGES, torch_device(execution))
    in_parallel((partial(of_batch, batch) for batch in batches), execution, take)
    return {path: torch.cat(parts) for path, parts in found.items()}


def _estimate(network: nn.Module, images_BCHW: Inputs) -> dict[str, Tensor]:
    maps_BCHW = network.stem(images_BCHW).requires_grad_()  # type: ignore[operator]
    hidden: dict[str, Tensor] = {}
    for path, block in network.blocks():  # type: ignore[operator]
        hidden[path] = block.hidden(maps_BCHW)
        maps_BCHW = torch.relu(block.residual(hidden[path]) + block.shortcut(maps_BCHW))
    logits_BK = network.classify(network.pool(maps_BCHW))  # type: ignore[operator]
    num_followed = min(NUM_CLASSES_FOLLOWED, logits_BK.shape[1])
    top_BM = logits_BK.detach().topk(num_followed, 1).indices
    followed_BM = logits_BK.gather(1, top_BM)
    chances_BK = logits_BK.detach().double().softmax(1)
    changes: dict[str, list[Tensor]] = {path: [] for path in hidden}
    for rank in range(1, num_followed):
        gradients = torch.autograd.grad(
            (followed_BM[:, rank] - followed_BM[:, 0]).sum(),
            list(hidden.values()),
            retain_graph=rank < num_followed - 1,
        )
        for (path, hidden_BCHW), gradient_BCHW in zip(hidden.items(), gradients, strict=True):
            change_BC = -(gradient_BCHW * hidden_BCHW.detach()).sum((2, 3))
            changes[path].append(change_BC)
    chances_BM = chances_BK.gather(1, top_BM)[:, 1:]
    return {path: kl_of_changes(chances_BM, torch.stack(c, 2)) for path, c in changes.items()}


@torch.inference_mode()
def _refined(
    structure: NetworkStructure,
    network: nn.Module,
    task: Task,
    items_N: Tensor,
    estimates: dict[str, Tensor],
    execution: Execution,
    monitor: Monitor,
) -> Scores:
    """The sums of the estimates, with the largest ones replaced by exact values."""
    sums = sums_of(structure)
    wanted = {path: worth_exact(kl_NC) for path, kl_NC in estimates.items()}
    done, offset, num_pairs_in_all = 0, 0, sums.num_structures * len(items_N)

    def count(num_pairs: int) -> None:
        nonlocal done
        done += num_pairs
        monitor.step("scoring", done, num_pairs_in_all)

    for batch in chunks(task, items_N, CHAIN_IMAGES, torch_device(execution)):
        chain = Chain(network, batch)
        rows = slice(offset, offset + len(batch))
        offset += len(batch)
        here = {path: mask_NC[rows] for path, mask_NC in wanted.items()}
        chain.add_to(sums, here, execution, monitor, count)
    for path, kl_NC in estimates.items():
        exact_C = sums.units[f"{path}.conv1"]
        exact_C += elsewhere(kl_NC.double(), wanted[path], exact_C)
    return sums.means()
