"""One decision of networks of many kinds, on real images: what goes, what it saves, how long.

Usage: python benchmarks/expansions.py DATA [--only NAME …] [--train-limit N]
DATA is a .zip or folder of train/<class>/* and test/<class>/* (any images). Every network is grown
by the real command, `pe-explore auto`, with random weights: what can be removed and what it costs
are the network's, accuracies would not be. Prints a table in Markdown, a row a network. timm and
transformers must be installed for their rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(sys.executable).parent / "pe-explore"
HOW = ("--random-weights", "--yes", "--iterations=1", "--recovery-epochs=1", "--tune-epochs=1",
       "--criterion=kl-fisher", "--criterion-samples=1", "--batch-size=16",
       "--learning-rate=0.001", "--json")  # fmt: skip
ODD = '''
"""Two streams of patches that look at each other through a gate; no block of any library."""
import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.values, self.gates = nn.Linear(width, hidden), nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, width)

    def forward(self, x):
        y = self.norm(x)
        return x + self.out(self.values(y) * torch.sigmoid(self.gates(y)))


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 48, 4, 4), nn.Conv2d(3, 32, 8, 8)
        self.a = nn.Sequential(*(Gate(48, 96) for _ in range(3)))
        self.b = nn.Sequential(*(Gate(32, 64) for _ in range(3)))
        self.head = nn.Linear(80, 10)

    def forward(self, images):
        a, b = (conv(images).flatten(2).mT for conv in (self.fine, self.coarse))
        return self.head(torch.cat((self.a(a).mean(1), self.b(b).mean(1)), dim=1))


def make():
    return Odd()
'''


@dataclass(frozen=True)
class Case:
    name: str
    model: str
    image_size: int
    options: tuple[str, ...] = ()


CASES = (
    Case("resnet18", "torchvision.models:resnet18", 64),
    Case("mobilenet_v2", "torchvision.models:mobilenet_v2", 64),
    Case("convnext_tiny", "torchvision.models:convnext_tiny", 64),
    Case("vit_b_16", "torchvision.models:vit_b_16", 224),
    Case("a module of one's own", "oddnets:make", 64),
    Case("timm's ghostnet_100", "timm:ghostnet_100", 64),
    Case("transformers' ViT", "vit", 64),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--train-limit", type=int, default=100)
    given = parser.parse_args()
    print("| network | images | root | without a layer | without units | seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "oddnets.py").write_text(ODD)
        for case in CASES:
            if not given.only or case.name in given.only:
                cells = row(case, given.data.resolve(), given.train_limit, Path(folder))
                print(f"| {' | '.join(cells)} |", flush=True)


def row(case: Case, data: Path, train_limit: int, folder: Path) -> Iterator[str]:
    """The cells of a network, from what `auto --json` prints of it."""
    words = [case.model, *HOW]
    if case.model == "vit":
        write_vit(folder / case.model)
        words.remove("--random-weights")
    words += [f"--data={data}", f"--image-size={case.image_size}", f"--train-limit={train_limit}"]
    started = time.monotonic()
    ended = subprocess.run(
        [PROGRAM, "auto", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - started
    if ended.returncode:
        yield from (case.name, "", ended.stderr.strip().splitlines()[-1], "", "", "")
        return
    nodes = {node["name"]: node for node in json.loads(ended.stdout)["nodes"]}
    root = nodes.pop("R")
    yield case.name
    yield f"{case.image_size}×{case.image_size}"
    yield f"{root['macs'] / 1e6:,.1f} M, {root['params'] / 1e6:,.2f} M parameters"
    layers = [node for node in nodes.values() if node["structure"] == "layer"]
    yield told(layers)
    yield told([node for node in nodes.values() if node not in layers])
    yield f"{seconds:.0f}"


def told(nodes: Sequence[dict]) -> str:
    """What a candidate removes and saves, and how similar it is."""
    if not nodes:
        return "none may go"
    node = nodes[0]
    what = f"`{node['removes']}`" if node["structure"] == "layer" else node["removes"]
    return f"{what}: −{node['macs_reduction']:.1f} % MACs, CKA {node['similarity']:.3f}"


def write_vit(folder: Path) -> None:
    """A small ViT with random weights, as transformers saves it."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(hidden_size=96, num_hidden_layers=4, num_attention_heads=4,
                       intermediate_size=192, image_size=64, patch_size=8,
                       num_labels=10)  # fmt: skip
    ViTForImageClassification(config).save_pretrained(folder)


if __name__ == "__main__":
    main()
