"""How long it takes to find what can be removed from networks of torchvision at full size.

`python benchmarks/structure.py resnet50 vit_b_16`: CPU seconds of one thread, random weights.
"""

from __future__ import annotations

import argparse
import os
import resource
import time

os.environ["OMP_NUM_THREADS"] = "1"

import torch

from engine.models.libraries import factory_of
from engine.models.preparations import prepare
from engine.pruning.structure.find import find_structure


def seconds_for(name: str, size: int) -> str:
    model = factory_of(f"torchvision.models:{name}")().eval()
    prepare(model)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    began = time.process_time()
    found = find_structure(model, images)
    took = time.process_time() - began
    return f"{name:20} {took:6.1f} s  {len(found.blocks):3} blocks  {len(found.groups):4} groups"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["resnet50", "swin_t", "vit_b_16"])
    parser.add_argument("--size", type=int, default=224, help="pixels")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in given.names:
        print(seconds_for(name, given.size), flush=True)
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB at most")


if __name__ == "__main__":
    main()
