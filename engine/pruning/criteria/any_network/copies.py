"""Copies of a network that share its tensors, so that each thread can change its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, LifoQueue
from typing import Any

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.measures.folding import fold_found
from engine.runtime.device import torch_device
from engine.tasks import Inputs
from engine.tasks.batch import mapped, run_on


class Copies:
    """Lends copies of a network, each to one at a time; they have its tensors, and cost little."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._idle: LifoQueue[nn.Module] = LifoQueue()

    @contextmanager
    def lent(self) -> Iterator[nn.Module]:
        try:
            network = self._idle.get_nowait()
        except Empty:
            network = sharing_copy(self._network)
        yield network  # after an error it may be left as it was changed: it is not lent again
        self._idle.put(network)


def sharing_copy(network: nn.Module) -> nn.Module:
    """A copy of the modules whose tensors lie where those of the network do, without gradients."""
    memo: dict[int, Any] = {}
    with torch.inference_mode(False):  # whatever the caller's: gradients may be taken through it
        for module in network.modules():
            held = (*module._buffers.values(), *vars(module).values())
            memo.update({id(tensor): tensor for tensor in held if isinstance(tensor, Tensor)})
        for parameter in network.parameters():
            memo[id(parameter)] = nn.Parameter(parameter.detach(), requires_grad=False)
        return copy.deepcopy(network, memo)


def bears_channels_last(model: nn.Module, example: Inputs, execution: Execution) -> bool:
    """Whether a network runs on maps whose channels lie side by side, for which convolutions are
    faster; one that views its maps as rows bears no other order in memory than the usual."""
    network = sharing_copy(model).eval().to(torch_device(execution))
    network = network.to(memory_format=torch.channels_last)
    try:
        with torch.no_grad():
            run_on(network, mapped(example, Tensor.clone))
    except RuntimeError:
        return False
    return True


def network_to_run(
    model: nn.Module, example: Inputs, execution: Execution, memory: torch.memory_format
) -> nn.Module:
    """The network in evaluation mode, on the device that scoring runs on, batch norms folded.

    `model` is left alone; its tensors are shared, but for those of convolutions.
    """
    network = sharing_copy(model).eval().to(torch_device(execution))
    with torch.inference_mode(False):
        fold_found(network, mapped(example, Tensor.clone))
    for parameter in network.parameters():
        parameter.requires_grad_(False)  # those that folding made
    return network.to(memory_format=memory)
