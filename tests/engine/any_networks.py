"""Small networks of no family of ours, with what can be removed from them written down by hand."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from networks import network, randomise_statistics
from torch import Tensor, nn

from engine.contracts.structure import Block, Consumer, Member, NetworkStructure, Part, UnitGroup
from engine.pruning.structure import structure_of

Example = tuple[nn.Module, NetworkStructure]


def group(
    path: str, num_units: int, follows: tuple[str, ...], reads: str, kind="filter", **more
) -> UnitGroup:
    """Units that a module makes, that others follow (norms, depthwise convolutions), and that one
    module reads; `first`: its first column that does, `width` columns each."""
    width = more.pop("width", 1)
    columns = Member(f"{reads}.weight", 1, width, more.pop("first", 0), width)
    return UnitGroup(
        path,
        kind,
        num_units,
        (Member(f"{path}.weight", 0), *(Member(name, 0) for name in follows), columns),
        (Consumer(columns.tensor, 1, reads),),
        **more,
    )


def norm(path: str) -> tuple[str, ...]:
    return tuple(f"{path}.{name}" for name in ("weight", "bias", "running_mean", "running_var"))


class PlainCnn(nn.Module):
    """Convolutions with batch norms one after the other, flattened into two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 5, 3, 2, padding=1), nn.BatchNorm2d(5)
        self.act, self.pool = nn.ReLU(inplace=True), nn.MaxPool2d(2)
        self.fc1, self.fc2 = nn.Linear(20, 9), nn.Linear(9, 4)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        x = self.act(self.bn1(self.conv1(x)))
        x = self.pool(self.act(self.bn2(self.conv2(x))))
        x = F.relu(self.fc1(x.flatten(1)))
        return (self.fc2(x),)


def plain_cnn() -> Example:
    groups = (
        group("conv1", 6, norm("bn1"), "conv2"),
        group("conv2", 5, (*norm("bn2"), "conv2.bias"), "fc1", width=4),
        group("fc1", 9, ("fc1.bias",), "fc2", "neuron"),
    )
    return PlainCnn(), NetworkStructure(groups=groups)


class Twin(nn.Module):
    """A CIFAR ResNet of another class: its modules, called by a forward pass of its own."""

    def __init__(self, ours: nn.Module) -> None:
        super().__init__()
        for name, child in ours.named_children():
            self.add_module(name, child)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = F.relu(self.bn1(self.conv1(x)))
        for name, stage in self.named_children():
            if name.startswith("layer"):
                x = stage(x)
        return {"logits": self.fc(x.mean((2, 3)))}


RESNET = {"stem_width": 6, "stage_widths": [6, 9], "inner_widths": [[5, 4, 6], [7, 3]],
          "num_classes": 4}  # fmt: skip


def twin() -> Example:
    ours = network(RESNET)
    return Twin(ours), structure_of(ours)


class Squeezed(nn.Module):
    """An inverted residual with a depthwise convolution and squeeze-excitation (MobileNet v3)."""

    def __init__(self) -> None:
        super().__init__()
        self.expand, self.norm1 = nn.Conv2d(4, 8, 1, bias=False), nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.norm2 = nn.BatchNorm2d(8)
        self.squeeze, self.excite = nn.Conv2d(8, 3, 1), nn.Conv2d(3, 8, 1)
        self.project, self.norm3 = nn.Conv2d(8, 4, 1, bias=False), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.hardswish(self.norm1(self.expand(x)))
        inner = F.hardswish(self.norm2(self.depthwise(inner)))
        scale = self.excite(F.relu(self.squeeze(inner.mean((2, 3), keepdim=True))))
        return x + self.norm3(self.project(inner * scale.sigmoid()))


class Mobile(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, 2, padding=1)
        self.blocks = nn.Sequential(Squeezed(), Squeezed(), Squeezed())
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


def mobile() -> Example:
    blocks, groups = [], []
    for path in ("blocks.0", "blocks.1", "blocks.2"):
        blocks.append(Block(path, "blocks", 11))
        members = (
            *(Member(f"{path}.{name}.weight", 0) for name in ("expand", "depthwise", "excite")),
            Member(f"{path}.excite.bias", 0),
            *(Member(f"{path}.{name}", 0) for name in (*norm("norm1"), *norm("norm2"))),
            Member(f"{path}.squeeze.weight", 1),
            Member(f"{path}.project.weight", 1),
        )
        readers = (f"{path}.squeeze", f"{path}.project")
        consumers = tuple(Consumer(f"{reader}.weight", 1, reader) for reader in readers)
        groups.append(UnitGroup(f"{path}.expand", "filter", 8, members, consumers, path))
        squeezed = (f"{path}.squeeze.bias",)
        groups.append(group(f"{path}.squeeze", 3, squeezed, f"{path}.excite", block=path))
    return Mobile(), NetworkStructure(tuple(blocks), tuple(groups))


class Attention(nn.Module):
    """Grouped-query attention: two query heads share one head of keys and values."""

    def __init__(self, width: int, num_groups: int, head: int) -> None:
        super().__init__()
        self.head = head
        self.q = nn.Linear(width, 2 * num_groups * head)
        self.k, self.v = (nn.Linear(width, num_groups * head) for _ in range(2))
        self.o = nn.Linear(2 * num_groups * head, width)

    def forward(self, x_BTC: Tensor) -> tuple[Tensor, None]:
        q, k, v = (m(x_BTC).unflatten(-1, (-1, self.head)) for m in (self.q, self.k, self.v))
        k, v = (each.repeat_interleave(2, 2) for each in (k, v))
        out = F.scaled_dot_product_attention(*(each.transpose(1, 2) for each in (q, k, v)))
        return self.o(out.transpose(1, 2).flatten(2)), None


class Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.mlp = Attention(width, 3, 4), nn.Sequential(
            nn.Linear(width, 16), nn.GELU(), nn.Linear(16, width)
        )  # fmt: skip

    def forward(self, x_BTC: Tensor) -> Tensor:
        x_BTC = x_BTC + self.attention(self.norm1(x_BTC))[0]
        return x_BTC + self.mlp(self.norm2(x_BTC))


class SmallViT(nn.Module):
    """A Vision Transformer. `layout`: in which order its layers have images and tokens."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.places = nn.Parameter(torch.randn(1, 4, width))
        self.layers = nn.ModuleList(Layer(width) for _ in range(3))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 6)

    def forward(self, x: Tensor) -> Tensor:
        x_BTC = self.patches(x).flatten(2).mT + self.places
        for layer in self.layers:
            x_BTC = layer(x_BTC)
        return self.head(self.norm(x_BTC).mean(1))


def heads(path: str, block: str, num_heads: int, head: int) -> UnitGroup:
    """Heads of keys and values, each with its two of queries."""
    widths = {"q": 2 * head, "k": head, "v": head}
    members = [
        Member(f"{path}.{name}.{leaf}", 0, width, 0, width)
        for name, width in widths.items()
        for leaf in ("weight", "bias")
    ]
    members.append(Member(f"{path}.o.weight", 1, 2 * head, 0, 2 * head))
    consumers = (Consumer(f"{path}.o.weight", 1, f"{path}.o"),)
    return UnitGroup(path, "head", num_heads, tuple(members), consumers, block)


def small_vit() -> Example:
    blocks, groups = [], []
    for layer in ("layers.0", "layers.1", "layers.2"):
        parts = (
            Part(f"{layer}.attention", removal="zeros", num_results=2),
            Part(f"{layer}.mlp", removal="zeros"),
        )
        blocks.append(Block(layer, "layers", 19, parts=parts))
        groups.append(heads(f"{layer}.attention", layer, 3, 4))
        biased = (f"{layer}.mlp.0.bias",)
        groups.append(group(f"{layer}.mlp.0", 16, biased, f"{layer}.mlp.2", "neuron", block=layer))
    return SmallViT(), NetworkStructure(tuple(blocks), tuple(groups))


class Branches(nn.Module):
    """Two branches whose maps are concatenated, and joined by a skip from the first of them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.left, self.right = nn.Conv2d(4, 5, 1), nn.Conv2d(4, 3, 3, padding=1)
        self.join, self.head = nn.Conv2d(8, 6, 3, 2), nn.Linear(11, 4)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu(self.stem(x))
        left, right = F.relu(self.left(x)), F.relu(self.right(x))
        joined = F.relu(self.join(torch.cat([left, right], 1)))
        return [self.head(torch.cat([joined.mean((2, 3)), left.mean((2, 3))], 1))]


def branches() -> Example:
    left = UnitGroup(
        "left",
        "filter",
        5,
        (
            Member("left.weight", 0),
            Member("left.bias", 0),
            Member("join.weight", 1),
            Member("head.weight", 1, first=6),
        ),
        (Consumer("join.weight", 1, "join"), Consumer("head.weight", 1, "head")),
    )
    groups = (
        left,
        group("right", 3, ("right.bias",), "join", first=5),
        group("join", 6, ("join.bias",), "head"),
    )
    return Branches(), NetworkStructure(groups=groups)


def _made(make: Callable[[], Example], seed: int) -> Example:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model, structure = make()
    return randomise_statistics(model, seed), structure


MAKERS: dict[str, Callable[[], Example]] = {
    "plain CNN": plain_cnn,
    "twin of a CIFAR ResNet": twin,
    "depthwise with squeeze-excitation": mobile,
    "ViT with grouped heads": small_vit,
    "concatenation": branches,
}


def example(name: str, seed: int = 0) -> Example:
    """A network of that sort in evaluation mode, and its structure."""
    return _made(MAKERS[name], seed)
