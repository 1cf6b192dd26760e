"""The output module: the last one with weights, whose input is what similarity compares."""

from __future__ import annotations

from torch import Tensor, nn

from engine.pruning.structure.recording import Recording


def output_module_of(model: nn.Module, recording: Recording) -> str:
    """The module whose result is the network's output, or is only reshaped into it; where something
    else makes the output (a softmax, a mean), the last one that ran. Empty for networks whose
    weights are in no module of their own.
    """
    with_weights = [
        (call.order, path, call.y)
        for path, calls in recording.calls.items()
        if any(p.dim() > 1 for p in model.get_submodule(path).parameters(recurse=False))
        for call in calls
    ]
    last_first = sorted(with_weights, key=lambda each: each[0], reverse=True)
    for _, path, result in last_first:
        if result is not None and _is_reshaped(result, recording.result):
            return path
    return last_first[0][1] if last_first else ""


def _is_reshaped(result: Tensor, output: Tensor) -> bool:
    same_memory = result.data_ptr() == output.data_ptr()
    return same_memory and result.numel() == output.numel() and result.dtype == output.dtype
