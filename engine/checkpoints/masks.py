"""Networks whose pruning tools left masks beside the weights, and how each tool applies them."""

from __future__ import annotations

from collections.abc import Sequence

from engine.checkpoints.errors import ArchitectureError

_SAVE = 'torch.save(model.state_dict(), "weights.pt")'


def refuse_masks(names: Sequence[str]) -> None:
    """Raises ArchitectureError, with the remedy of the tool, where tensors are masks."""
    if any("pre_ops" in name or "nncf" in name or "_binary_mask" in name for name in names):
        raise ArchitectureError(
            "it holds masks of NNCF (pre_ops, binary_mask); have NNCF apply them, model = "
            f"nncf.strip(model), and save what is left: {_SAVE}"
        )
    if any(name.endswith("_orig") for name in names):
        raise ArchitectureError(
            "it holds masks (weight_orig, weight_mask); call torch.nn.utils.prune.remove on every "
            "pruned module and save it again"
        )
    if any(name.endswith(("_mask", ".mask")) for name in names):
        raise ArchitectureError(
            "it holds masks without what they mask, as NNI keeps them (weight_mask, "
            "module.weight); take its wrappers off with pruner.unwrap_model(), apply the masks "
            f"with ModelSpeedup(model, dummy_input, masks).speedup_model(), and save: {_SAVE}"
        )
