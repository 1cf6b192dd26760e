"""Any small network at random: every group that is found in it can be pruned, and all of them at
once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pruned_and_masked import compared, randomise
from torch import Tensor, nn

from engine.models.preparations import prepare
from engine.pruning.structure.labels import find_groups


@dataclass(frozen=True)
class Step:
    """A step of a network, whose width is a multiple of four."""

    kind: str
    width: int
    written: bool  # whether sizes are written out


class Residual(nn.Module):
    def __init__(self, width: int, step: Step) -> None:
        super().__init__()
        self.conv1, self.norm = (
            nn.Conv2d(width, step.width, 3, padding=1),
            nn.BatchNorm2d(step.width),
        )
        self.conv2 = nn.Conv2d(step.width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.norm(self.conv1(x))))


class Beside(nn.Module):
    """Branches side by side, of which one may be what came in."""

    def __init__(self, width: int, step: Step) -> None:
        super().__init__()
        self.keeps = step.written
        self.a, self.b = nn.Conv2d(width, step.width, 1), nn.Conv2d(width, 4, 3, padding=1)
        self.width = step.width + (width if self.keeps else 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([F.gelu(self.a(x)), x if self.keeps else self.b(x)], 1)


class Halves(nn.Module):
    """One half gates the other; sizes written out or asked for."""

    def __init__(self, width: int, step: Step) -> None:
        super().__init__()
        self.sizes = [step.width, step.width] if step.written else None
        self.width = step.width
        self.conv = nn.Conv2d(width, 2 * step.width, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        a, b = x.split(self.sizes, 1) if self.sizes else x.chunk(2, 1)
        return torch.sigmoid(a) * b


class OneSided(nn.Module):
    """A convolution of one part of the channels, as partial convolutions are."""

    def __init__(self, width: int, step: Step) -> None:
        super().__init__()
        self.part, self.slices = width // 2, step.written
        self.conv = nn.Conv2d(self.part, self.part, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if self.slices:
            a, b = x[:, : self.part], x[:, self.part :]
        else:
            a, b = torch.split(x, [self.part, x.shape[1] - self.part], dim=1)
        return torch.cat([self.conv(a), b], 1)


class Shuffled(nn.Module):
    def __init__(self, width: int, step: Step) -> None:
        super().__init__()
        self.width, self.written = width, step.written
        self.conv = nn.Conv2d(width, width, 3, padding=1, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        x = F.relu(self.conv(x))
        c = self.width if self.written else c
        return x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)


class Excited(nn.Module):
    def __init__(self, width: int, step: Step) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, step.width), nn.Linear(step.width, width)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.up(F.leaky_relu(self.down(x.mean((2, 3))))).sigmoid()
        return x * gate.view(*gate.shape, 1, 1)


class Attending(nn.Module):
    """Attention over places with a norm before it; heads in one weight or torch's own."""

    def __init__(self, width: int, step: Step) -> None:
        super().__init__()
        self.num_heads, self.head_dim = 2 if step.width % 8 else 4, 4
        inner = self.num_heads * self.head_dim
        self.norm = nn.LayerNorm(width)
        self.qkv = None if step.written else nn.Linear(width, 3 * inner)
        self.proj = nn.Linear(inner, width)
        self.own = nn.MultiheadAttention(width, 4, batch_first=True) if step.written else None

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(x.flatten(2).mT)
        if self.own is not None:
            out, _ = self.own(tokens, tokens, tokens, need_weights=False)
        else:
            b, n, _ = tokens.shape
            packed = self.qkv(tokens).reshape(b, n, 3, self.num_heads, self.head_dim)
            q, k, v = packed.permute(2, 0, 3, 1, 4).unbind(0)
            mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
            out = self.proj(mixed.reshape(b, n, self.num_heads * self.head_dim))
        return x + out.mT.reshape(x.shape)


def layer_of(width: int, step: Step) -> tuple[nn.Module, int]:
    """A module, and the width that it gives."""
    wide = step.width
    match step.kind:
        case "conv":
            return nn.Conv2d(width, wide, 3, padding=1, bias=step.written), wide
        case "grouped":
            return nn.Conv2d(width, wide, 3, padding=1, groups=4), wide
        case "depthwise":
            return nn.Conv2d(width, 2 * width, 3, padding=1, groups=width), 2 * width
        case "transposed":
            return nn.Sequential(nn.ConvTranspose2d(width, wide, 2, 2), nn.AvgPool2d(2)), wide
        case "batch norm":
            return nn.Sequential(nn.BatchNorm2d(width), nn.PReLU(width)), width
        case "group norm":
            return nn.GroupNorm(4 if step.written else width, width), width
        case "residual" | "excited" | "one-sided" | "shuffled" | "attending":
            kinds = {"residual": Residual, "excited": Excited, "one-sided": OneSided}
            kind = {**kinds, "shuffled": Shuffled, "attending": Attending}[step.kind]
            return kind(width, step), width
        case _:
            module = {"beside": Beside, "halves": Halves}[step.kind](width, step)
            return module, module.width


KINDS = (
    *("conv", "grouped", "depthwise", "transposed", "batch norm", "group norm", "residual"),
    *("beside", "halves", "one-sided", "shuffled", "excited", "attending"),
)
STEPS = st.lists(
    st.builds(Step, st.sampled_from(KINDS), st.sampled_from([4, 8, 12]), st.booleans()),
    min_size=1,
    max_size=6,
)


class Drawn(nn.Module):
    """A stem, the steps, and a classifier with a hidden layer."""

    def __init__(self, steps: list[Step], flattened: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 8, 3, padding=1)]
        width = 8
        for step in steps:
            layer, width = layer_of(width, step)
            layers += [layer, nn.LeakyReLU()]
        self.layers, self.pool = nn.Sequential(*layers), nn.AdaptiveAvgPool2d(2 if flattened else 1)
        self.hidden = nn.Linear(width * (4 if flattened else 1), 12)
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.leaky_relu(self.hidden(self.pool(self.layers(x)).flatten(1))))


def check(steps: list[Step], flattened: bool, data: st.DataObject) -> None:
    torch.manual_seed(0)
    model = randomise(Drawn(steps, flattened)).double()
    prepare(model)
    chance = torch.Generator().manual_seed(3)
    images, others = (torch.randn(n, 3, 8, 8, generator=chance).double() for n in (2, 4))
    found = find_groups(model, lambda network: network(images))
    assert "hidden" in {group.path for group in found.groups}
    units = []
    for group in found.groups:
        some = st.sets(
            st.integers(0, group.num_units - 1), min_size=1, max_size=group.num_units - 1
        )
        units.append(tuple(sorted(data.draw(some))))
        result = compared([group], [units[-1]], model, lambda network: network(others))
        assert result.holds, (group.path, units[-1], result)
    assert compared(found.groups, units, model, lambda network: network(others)).holds


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(STEPS, st.booleans(), st.data())
def test_every_group_of_any_network_can_be_pruned(
    steps: list[Step], flattened: bool, data: st.DataObject
) -> None:
    check(steps, flattened, data)


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS, st.booleans(), st.data())
def test_every_group_of_many_networks_can_be_pruned(
    steps: list[Step], flattened: bool, data: st.DataObject
) -> None:
    check(steps, flattened, data)
