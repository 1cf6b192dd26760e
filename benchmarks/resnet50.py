"""What single blocks of a ResNet50 hold at 224×224, beside the steps of the paper's Table II.

Usage: python benchmarks/resnet50.py
torchvision's ResNet50 has its strides in the 3×3 convolutions ("v1.5"); He et al. (2016) have them
in the 1×1 before. Prints both networks' multiply-accumulates, the part that each removable block
holds, and the paper's reductions in blocks.
"""

from __future__ import annotations

import time

import torch
import torchvision
from torch import nn

from engine.contracts.edits import LAYER, Edit
from engine.measures.cost import cost_of
from engine.pruning import candidates, editing
from engine.pruning.structure.find import find_structure
from engine.tasks.images import blank

TABLE_II = (16.98, 22.64, 28.30, 45.28)  # percent of the FLOPs ("Ours")
ONE = blank((224, 224, 3))


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    v1_5 = torchvision.models.resnet50().eval()
    v1 = with_early_strides(torchvision.models.resnet50().eval())
    for name, model in (("strides in the 3×3 (torchvision)", v1_5), ("strides in the 1×1", v1)):
        began = time.process_time()
        structure = find_structure(model, torch.randn(2, 3, 224, 224))
        seconds = time.process_time() - began
        whole = cost_of(model, ONE).num_macs
        free = [block.path for block in structure.blocks if block.stays is None]
        saved = {whole - cost_of(without(model, path, structure), ONE).num_macs for path in free}
        print(f"{name}: {whole / 1e6:.1f} M, structure in {seconds:.1f} s")
        print(f"  {len(free)} of {len(structure.blocks)} blocks may go, {sorted(saved)} each")
        shares = [100 * least / whole for least in sorted(saved)]
        print("  percent:", *(f"{share:.3f}" for share in shares))
        print("  Table II in blocks:", *(f"{step / shares[0]:.3f}" for step in TABLE_II))


def without(model: nn.Module, path: str, structure) -> nn.Module:
    return editing.apply(candidates.held(Edit(LAYER, blocks=(path,)), structure), model)


def with_early_strides(model: nn.Module) -> nn.Module:
    for stage in (model.layer2, model.layer3, model.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    return model


if __name__ == "__main__":
    main()
