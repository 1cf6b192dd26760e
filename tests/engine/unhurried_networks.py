"""Networks that are not run in the fastest way: each breaks one assumption of it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from any_networks import Example, group
from torch import Tensor, nn

from engine.contracts.structure import Block, Consumer, Member, NetworkStructure, UnitGroup


class Remembering(nn.Module):
    """A module leaves a value on itself, and another part reads it there."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.up, self.down = nn.Linear(192, 6), nn.Linear(6, 7), nn.Linear(7, 6)
        self.stem.register_forward_hook(self._remember)
        self.head = nn.Linear(6, 4)

    def _remember(self, module: nn.Module, args: object, out: Tensor) -> None:
        self.remembered = 2 * out

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(F.relu(self.up(self.stem(x.flatten(1)))))
        return self.head(x + self.remembered)


class TimeMajor(nn.Module):
    """Rows of several images take turns: those of one image are not together."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down, self.head = nn.Linear(24, 7), nn.Linear(7, 5), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(2).transpose(1, 2).reshape(len(x), 8, 24)
        rows = rows.transpose(0, 1).reshape(-1, 24)  # (tokens × images, numbers)
        rows = self.down(F.relu(self.up(rows)))
        return self.head(rows.reshape(8, len(x), 5).mean(0))


class TokensFirst(TimeMajor):
    """As torch's Transformers have it by default: tokens, images, numbers."""

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(2).transpose(1, 2).reshape(len(x), 8, 24).transpose(0, 1)
        return self.head(self.down(F.relu(self.up(rows))).mean(0))


class Functional(nn.Module):
    """The weight that reads the units is used outside of its module."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down, self.head = nn.Linear(192, 7), nn.Linear(7, 5), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.up(x.flatten(1)))
        return self.head(F.linear(x, self.down.weight.tanh(), self.down.bias))


class Twice(nn.Module):
    """The module that reads the units runs twice, and so does the one that makes them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.up, self.down = nn.Linear(192, 6), nn.Linear(6, 7), nn.Linear(7, 6)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x.flatten(1))
        for _ in range(2):
            x = x + self.down(input=F.relu(self.up(x)))
        return self.head(x)


class InPlace(nn.Module):
    """Values are overwritten after somebody has read them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.up, self.down = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 1), nn.Conv2d(6, 4, 1)
        self.act, self.head = nn.ReLU(inplace=True), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x += self.down(self.act(self.up(x)))
        x[:, 0].mul_(2)
        return self.head(self.act(x).mean((2, 3)))


def odd(kind: type[nn.Module]) -> Example:
    """A network of that class, with the units that its module `up` makes and `down` reads."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        model = kind().eval()
    return model, NetworkStructure(
        groups=(group("up", model.up.weight.shape[0], ("up.bias",), "down"),)
    )


ODD = (Remembering, TimeMajor, TokensFirst, Functional, Twice, InPlace)


def torch_encoder() -> Example:
    """torch's own Transformer layers: the weight that reads heads is used by the one around it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(2)
        layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
        model = nn.Sequential(
            nn.Conv2d(3, 8, 4, 4), nn.Flatten(2), Turned(), nn.TransformerEncoder(layer, 2),
            nn.Flatten(), nn.Linear(32, 4),
        )  # fmt: skip
    blocks, groups = [], []
    for path in ("3.layers.0", "3.layers.1"):
        blocks.append(Block(path, "3.layers", how="residual+norm", removal="hollow"))
        groups.append(group(f"{path}.linear1", 12, (f"{path}.linear1.bias",), f"{path}.linear2"))
        reader = f"{path}.self_attn.out_proj.weight"
        members = (Member(reader, 1, 4, 0, 4),)
        consumers = (Consumer(reader, 1, f"{path}.self_attn", maskable=False),)
        groups.append(UnitGroup(f"{path}.self_attn", "head", 2, members, consumers, path))
    return model.eval(), NetworkStructure(tuple(blocks), tuple(groups))


class Turned(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mT
