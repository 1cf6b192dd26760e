"""Twenty small networks as people write them: bare parameters, shared and tied weights, sizes
written out, tensors picked by number, control flow that depends on the data."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Example = tuple[Tensor, ...]


def images(batch: int = 2, size: int = 16) -> Example:
    chance = torch.Generator().manual_seed(7)
    return (torch.randn(batch, 3, size, size, generator=chance).double(),)


def patches(x: Tensor) -> Tensor:
    """Images as (examples, places, 48) patches of 4 by 4."""
    return F.unfold(x, 4, stride=4).mT


class BareParameters(nn.Module):
    """No child modules at all."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(12, 3, 3, 3) * 0.2)
        self.second = nn.Parameter(torch.randn(20, 12, 3, 3) * 0.1)
        self.shift = nn.Parameter(torch.zeros(20))
        self.last = nn.Parameter(torch.randn(5, 20) * 0.2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.conv2d(x, self.first, padding=1))
        x = F.relu(F.conv2d(x, self.second, self.shift, stride=2, padding=1))
        return F.linear(x.mean((2, 3)), self.last)


class Stacked(nn.Module):
    """Branches beside each other on an axis of their own, as in selective kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.near, self.far = nn.Conv2d(3, 12, 1), nn.Conv2d(3, 12, 3, padding=1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.stack([F.relu(self.near(x)), F.relu(self.far(x))], 1)
        return self.head(both.sum(1).mean((2, 3)))


class Reparameterised(nn.Module):
    """Convolutions that read the stream that they write to, and numbers that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = 12
        self.stem = nn.Conv2d(3, 12, 3, padding=1)
        self.main, self.norm = nn.Conv2d(12, 12, 3, padding=1), nn.BatchNorm2d(12)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        x = F.relu(self.main(x) + self.norm(x))
        return self.head(x.mean((2, 3)))


class Recurring(nn.Module):
    """One block used three times."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, padding=1)
        self.wide, self.narrow = nn.Conv2d(12, 20, 3, padding=1), nn.Conv2d(20, 12, 3, padding=1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for _ in range(3):
            x = x + self.narrow(F.relu(self.wide(x)))
        return self.head(x.mean((2, 3)))


class TiedDecoder(nn.Module):
    """Decodes with the encoder's weight, and classifies the code."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(48, 24)
        self.shift = nn.Parameter(torch.zeros(48))
        self.head = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        code = torch.tanh(self.encoder(F.avg_pool2d(x, 4).flatten(1)))
        decoded = F.linear(code, self.encoder.weight.t(), self.shift)
        return {"logits": self.head(code), "decoded": decoded}


def rearranged(x: Tensor, heads: int) -> Tensor:
    """`b n (h d) -> b h n d`: the width of a head follows from their number, as einops has it."""
    batch, places, width = x.shape
    return x.reshape(batch, places, heads, width // heads).transpose(1, 2)


class PackedAttention(nn.Module):
    """Queries, keys and values in one weight; the number of heads is an attribute."""

    def __init__(self, width: int = 24, heads: int = 3) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (rearranged(t, self.heads) for t in self.to_qkv(self.norm(x)).chunk(3, -1))
        scores = (torch.einsum("bhid,bhjd->bhij", q, k) * self.scale).softmax(-1)
        mixed = torch.einsum("bhij,bhjd->bhid", scores, v)
        return self.to_out(mixed.transpose(1, 2).flatten(2))


class HeadsByAttribute(nn.Module):
    """A Transformer whose results come in a dict."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.embed = nn.Linear(48, width)
        self.places = nn.Parameter(torch.randn(1, 16, width) * 0.1)
        self.attend = nn.ModuleList(PackedAttention(width) for _ in range(2))
        self.think = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, 40), nn.GELU(), nn.Linear(40, width)
            )
            for _ in range(2)
        )
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.embed(patches(x)) + self.places
        for attend, think in zip(self.attend, self.think, strict=True):
            x = x + attend(x)
            x = x + think(x)
        return {"features": x, "logits": self.head(x.mean(1))}


class PickedByNumber(nn.Module):
    """Buffers that take part: a fixed blur, a mask, and an order of the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 12, 3, padding=1)
        self.register_buffer("blur", torch.ones(12, 1, 3, 3) / 9)
        self.register_buffer("order", torch.arange(12).flip(0))
        self.register_buffer("mask", torch.rand(12, 1, 1, generator=torch.Generator()))
        self.conv2 = nn.Conv2d(12, 20, 3, padding=1)
        self.conv3 = nn.Conv2d(20, 12, 3, padding=1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(F.relu(self.conv1(x)), self.blur, padding=1, groups=12) * self.mask
        x = x[:, self.order]
        return self.head(F.relu(x + self.conv3(F.relu(self.conv2(x)))).amax((2, 3)))


class Branching(nn.Module):
    """What is computed depends on the values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(12, 12, 3, padding=1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        if float(x.mean()) > -1 and bool(torch.isfinite(x).all()):
            for _ in range(2):
                x = x + F.relu(self.conv2(x))
        return self.head(x.mean((2, 3)))


class Gated(nn.Module):
    """Gates in one weight with what they gate, and in two."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(48, 16)
        self.gate_and_up, self.down = nn.Linear(16, 64), nn.Linear(32, 16)
        self.gate, self.up, self.lower = nn.Linear(16, 28), nn.Linear(16, 28), nn.Linear(28, 16)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(patches(x))
        gate, up = self.gate_and_up(x).chunk(2, -1)
        x = x + self.down(F.silu(gate) * up)
        x = x + self.lower(F.silu(self.gate(x)) * self.up(x))
        return self.head(x.mean(1))


class NormedWeights(nn.Module):
    """Weights that are made of other tensors."""

    def __init__(self) -> None:
        super().__init__()
        normed = nn.utils.parametrizations.weight_norm
        self.conv1, self.conv2 = normed(nn.Conv2d(3, 12, 3)), normed(nn.Conv2d(12, 14, 3))
        self.conv3, self.conv4 = nn.Conv2d(14, 18, 3), nn.Conv2d(18, 12, 3)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        return self.head(self.conv4(F.relu(self.conv3(x))).mean((2, 3)))


class Concatenated(nn.Module):
    """Down, up by a transposed convolution, and what was before beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(12, 20, 3, 2, padding=1)
        self.up = nn.ConvTranspose2d(20, 10, 2, stride=2)
        self.mix = nn.Conv2d(22, 24, 3, padding=1)
        self.norm = nn.GroupNorm(4, 24)
        self.head = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        a = F.relu(self.down1(x))
        x = torch.cat([a, self.up(F.relu(self.down2(a)))], 1)
        return self.head(F.relu(self.norm(self.mix(x))).mean((2, 3)))


class WrittenSizes(nn.Module):
    """A forward pass with its sizes written out, in every way that torch has."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(12, 16, 3, padding=1)
        self.both = nn.Linear(256, 24)
        self.left, self.right = nn.Linear(14, 8), nn.Linear(10, 8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x)).view(-1, 12, 16, 16)
        x = F.adaptive_avg_pool2d(F.relu(self.conv2(x)), 4).reshape((-1, 256))
        a, b = torch.split(self.both(x).unflatten(-1, (24,)), [14, 10], dim=-1)
        c = self.both(x)
        return self.head(self.left(a * c[:, :14]) + self.right(b + c.narrow(1, 14, 10)))


class Flattened(nn.Module):
    """A filter of the last convolution is sixteen columns of the classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12), nn.PReLU(12), nn.MaxPool2d(2)),
            *(nn.Conv2d(12, 14, 3, padding=1), nn.InstanceNorm2d(14, affine=True), nn.LeakyReLU()),
            *(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(224, 30), nn.ReLU()),
            nn.Linear(30, 5),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Squeezing(nn.Module):
    """Squeeze and excite, and a gate of places that looks at all channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, padding=1)
        self.expand, self.project = nn.Conv2d(12, 24, 1), nn.Conv2d(24, 12, 1)
        self.depthwise = nn.Conv2d(24, 24, 3, padding=1, groups=24)
        self.squeeze, self.excite = nn.Linear(24, 6), nn.Linear(6, 24)
        self.places = nn.Conv2d(2, 1, 7, padding=3)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        h = F.silu(self.depthwise(F.silu(self.expand(x))))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(h.mean((2, 3))))))
        x = x + self.project(h * gate[:, :, None, None])
        seen = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return self.head((x * self.places(seen).sigmoid()).mean((2, 3)))


class TokenMixer(nn.Module):
    """Mixes places by transposing."""

    def __init__(self, places: int = 16, width: int = 20) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, 4, 4)
        self.tokens = nn.Sequential(nn.Linear(places, 28), nn.GELU(), nn.Linear(28, places))
        self.channels = nn.Sequential(nn.Linear(width, 36), nn.GELU(), nn.Linear(36, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).mT
        x = x + self.tokens(self.norms[0](x).mT).mT
        x = x + self.channels(self.norms[1](x))
        return self.head(x.mean(1))


class RecurrentRows(nn.Module):
    """A kernel that nothing is known of, and a hidden layer behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(48, 12, batch_first=True)
        self.hidden, self.head = nn.Linear(12, 20), nn.Linear(20, 5)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.rnn(x.permute(0, 2, 3, 1).flatten(2))
        return self.head(F.relu(self.hidden(out[:, -1])))


class TorchTransformer(nn.Module):
    """torch's own layers, with a mask, and the features in the result."""

    def __init__(self, norm_first: bool = True) -> None:
        super().__init__()
        self.embed = nn.Linear(48, 24)
        layer = nn.TransformerEncoderLayer(24, 3, 40, batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(24, 5)

    def forward(self, x: Tensor, padding: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = self.encoder(self.embed(patches(x)), src_key_padding_mask=padding)
        return self.head(x.mean(1)), x


class PostNormed(TorchTransformer):
    """Norms behind the residual connection, and a token of its own for the class."""

    def __init__(self) -> None:
        super().__init__(norm_first=False)
        self.token = nn.Parameter(torch.randn(1, 1, 24))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.token.expand(len(x), -1, -1), self.embed(patches(x))], 1)
        return self.head(self.encoder(x)[:, 0])


class Routed(nn.Module):
    """Which expert a row goes to depends on the data."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.embed, self.router = nn.Linear(48, width), nn.Linear(width, 3)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 20), nn.ReLU(), nn.Linear(20, width)) for _ in range(3)
        )
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(patches(x)).flatten(0, 1)
        chosen = self.router(x).argmax(-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows = (chosen == number).nonzero()[:, 0]
            out.index_add_(0, rows, expert(x[rows]))
        return self.head((x + out).unflatten(0, (-1, 16)).mean(1))


class PreActivated(nn.Module):
    """Activations in place, on the stream's own tensor."""

    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(2 * width)
            self.conv1 = nn.Conv2d(width, 2 * width, 3, padding=1)
            self.conv2 = nn.Conv2d(2 * width, width, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            h = self.conv1(F.relu(self.norm1(x), inplace=True))
            return x + self.conv2(F.relu(self.norm2(h), inplace=True))

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, padding=1)
        self.blocks = nn.Sequential(*(self.Block(12) for _ in range(2)))
        self.norm, self.head = nn.BatchNorm2d(12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.norm(self.blocks(self.stem(x)))).mean((2, 3)))


ODD: tuple[Callable[[], nn.Module], ...] = (
    *(BareParameters, Recurring, TiedDecoder, HeadsByAttribute, PickedByNumber, Branching, Gated),
    *(NormedWeights, Concatenated, WrittenSizes, Flattened, Squeezing, TokenMixer, RecurrentRows),
    *(TorchTransformer, PostNormed, Routed, PreActivated, Stacked, Reparameterised),
)


def example_of(kind: Callable[[], nn.Module], batch: int = 2) -> Example:
    padding = torch.zeros(batch, 16, dtype=torch.bool)
    return (*images(batch), padding) if kind is TorchTransformer else images(batch)
