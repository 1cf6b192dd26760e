"""Scoring networks of no family of ours: one forward a structure, and kl, kl-fast and kl-fisher.

Usage: python benchmarks/scoring_any.py [--networks resnet18 vit] [--images N] [--steps S]
                                        [--threads T] [--rounds R]
Torchvision's ResNet18 and a small Vision Transformer on the bundled images, made 64×64×3, after S
steps of training (so that they know a little). The plain way is timed on few images and one in
twenty structures, and scaled. Ways take turns; medians are printed: CPU milliseconds an image, the
ratio to the plain way, Spearman's correlation with kl over all units, and how much memory it took.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
import torchvision
from scoring import peak_megabytes, ranks
from torch import Tensor, nn

from engine.contracts.structure import Block, Consumer, Member, NetworkStructure, UnitGroup
from engine.data import ImageData, Images, load, normalise
from engine.pruning.criteria import CRITERIA
from engine.pruning.scores import Scores
from engine.runtime import device
from engine.tasks import ImageTask

ONE_IN = 20
SIZE, CLASSES = 64, 10
BATCH = 32


class Attention(nn.Module):
    def __init__(self, width: int, head: int) -> None:
        super().__init__()
        self.head = head
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x_BTC: Tensor) -> Tensor:
        q, k, v = (
            m(x_BTC).unflatten(-1, (-1, self.head)).transpose(1, 2)
            for m in (self.q, self.k, self.v)
        )
        return self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self, width: int, head: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, head)
        self.up, self.act, self.down = (
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
        )

    def forward(self, x_BTC: Tensor) -> Tensor:
        x_BTC = x_BTC + self.attention(self.norm1(x_BTC))
        return x_BTC + self.down(self.act(self.up(self.norm2(x_BTC))))


class ViT(nn.Module):
    """Four layers, 96 wide, on 64 patches of 8×8."""

    def __init__(self, width: int = 96, head: int = 24, depth: int = 4, patch: int = 8) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.places = nn.Parameter(0.02 * torch.randn(1, (SIZE // patch) ** 2, width))
        self.layers = nn.Sequential(*(Layer(width, head) for _ in range(depth)))
        self.norm, self.classifier = nn.LayerNorm(width), nn.Linear(width, CLASSES)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BTC = self.patches(x_BCHW).flatten(2).mT + self.places
        return self.classifier(self.norm(self.layers(x_BTC)).mean(1))


def group_of(
    path: str, kind: str, num_units: int, made: list[str], reader: str, block: str, width: int = 1
) -> UnitGroup:
    members = (
        *(Member(name, 0, width, 0, width) for name in made),
        Member(f"{reader}.weight", 1, width, 0, width),
    )
    consumers = (Consumer(f"{reader}.weight", 1, reader),)
    return UnitGroup(path, kind, num_units, members, consumers, block)  # type: ignore[arg-type]


def resnet18() -> tuple[nn.Module, NetworkStructure]:
    model = torchvision.models.resnet18(num_classes=CLASSES)
    blocks, groups = [], []
    for stage in range(1, 5):
        for number in range(2):
            path = f"layer{stage}.{number}"
            convolution = model.get_submodule(f"{path}.conv1")
            stays = "shape" if number == 0 and stage > 1 else None
            blocks.append(Block(path, f"layer{stage}", stays=stays))
            made = [f"{path}.conv1.weight", *(f"{path}.bn1.{n}" for n in ("weight", "bias"))]
            made += [f"{path}.bn1.{name}" for name in ("running_mean", "running_var")]
            width = int(convolution.out_channels)  # type: ignore[arg-type]
            groups.append(group_of(f"{path}.conv1", "filter", width, made, f"{path}.conv2", path))
    return model, NetworkStructure(tuple(blocks), tuple(groups))


def vit() -> tuple[nn.Module, NetworkStructure]:
    model = ViT()
    blocks, groups = [], []
    for number, layer in enumerate(model.layers):
        path = f"layers.{number}"
        blocks.append(Block(path, "layers"))
        made = [f"{path}.attention.{m}.{n}" for m in "qkv" for n in ("weight", "bias")]
        reader, head = f"{path}.attention.o", layer.attention.head
        num_heads = layer.attention.o.in_features // head
        groups.append(group_of(f"{path}.attention", "head", num_heads, made, reader, path, head))
        made = [f"{path}.up.weight", f"{path}.up.bias"]
        width = layer.up.out_features
        groups.append(group_of(f"{path}.up", "neuron", width, made, f"{path}.down", path))
    return model, NetworkStructure(tuple(blocks), tuple(groups))


NETWORKS = {"resnet18": resnet18, "vit": vit}


def resized(images: Images, count: int) -> Images:
    pixels_NCHW = images.pixels_NHWC[:count].permute(0, 3, 1, 2).float()
    larger = F.interpolate(pixels_NCHW, SIZE, mode="bilinear").round().to(torch.uint8)
    pixels_NHWC = larger.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous()
    return Images(pixels_NHWC, images.labels_N[:count])


def sample(count: int) -> ImageData:
    data = load("sample")
    train, few = resized(data.train, count), resized(data.test, 1)
    three = {"mean": data.mean * 3, "std": data.std * 3}
    return replace(data, train=train, validation=few, test=few, **three)  # type: ignore[arg-type]


def trained(model: nn.Module, data: ImageData, steps: int) -> nn.Module:
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    random = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(steps):
        ids_B = torch.randint(len(data.train), (BATCH,), generator=random)
        images = data.train.take(ids_B)
        logits_BK = model(normalise(images.pixels_NHWC, data.mean, data.std))
        F.cross_entropy(logits_BK, images.labels_N).backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


@torch.inference_mode()
def plain_milliseconds(model: nn.Module, structure: NetworkStructure, images_BCHW: Tensor) -> float:
    """One full forward a structure: milliseconds an image for all of them."""
    asked = [(g, unit) for g in structure.groups for unit in range(g.num_units)]
    num_structures = len(asked) + sum(block.stays is None for block in structure.blocks)
    started = time.process_time()
    for group, unit in asked[::ONE_IN]:
        for consumer in group.consumers:
            weight = model.get_submodule(consumer.module).weight
            columns = list(group.members[-1].indices((unit,)))
            kept = weight[:, columns].clone()  # type: ignore[index]
            weight[:, columns] = 0  # type: ignore[index, operator]
            model(images_BCHW).softmax(1)
            weight[:, columns] = kept  # type: ignore[index, operator]
    seconds = time.process_time() - started
    return 1000 * seconds * num_structures / len(asked[::ONE_IN]) / len(images_BCHW)


def spearman(exact: Scores, other: Scores) -> float:
    a, b = (torch.tensor([v for vs in s.units.values() for v in vs]) for s in (exact, other))
    return float(
        torch.corrcoef(torch.stack([torch.tensor(ranks(x.numpy())) for x in (a, b)]))[0, 1]
    )


def measure(name: str, asked: argparse.Namespace) -> None:
    execution = device.choose("cpu", asked.threads)
    device.apply(execution)
    torch.manual_seed(0)
    model, structure = NETWORKS[name]()
    model = trained(model, sample(1000), asked.steps)
    data = sample(asked.images)
    few_BCHW = normalise(data.train.pixels_NHWC[:BATCH], data.mean, data.std)
    names = ("kl", "kl-fast", "kl-fisher")
    ways: dict[str, Callable[[], object]] = {
        "plain": partial(plain_milliseconds, model, structure, few_BCHW)
    }
    for criterion in names:
        ways[criterion] = partial(
            CRITERIA[criterion],
            model,
            structure,
            ImageTask(data),
            torch.arange(len(data.train)),
            execution,
        )
    times: dict[str, list[float]] = {way: [] for way in ways}
    scores: dict[str, Scores] = {}
    memory: dict[str, float] = {}
    for _ in range(asked.rounds):
        for way, call in ways.items():
            before = peak_megabytes(anew=True)
            started = time.process_time()
            found = call()
            seconds = time.process_time() - started
            memory[way] = max(memory.get(way, 0), peak_megabytes() - before)
            if isinstance(found, Scores):
                scores[way] = found
                found = 1000 * seconds / len(data.train)
            assert isinstance(found, float)
            times[way].append(found)
    num_units = sum(group.num_units for group in structure.groups)
    print(f"{name}: {len(structure.blocks)} blocks, {num_units} units, {asked.images} images")
    plain = statistics.median(times["plain"])
    for way, values in times.items():
        median = statistics.median(values)
        line = f"  {way:10} {median:9.1f} ms an image {plain / median:6.1f} x {memory[way]:6.0f} MB"
        print(
            line
            + (f"   Spearman {spearman(scores['kl'], scores[way]):.4f}" if way in scores else "")
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    for name in asked.networks:
        measure(name, asked)


if __name__ == "__main__":
    main()
