"""Small networks and data of other kinds than images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from engine.contracts.networks import DataDescription
from engine.tasks import IGNORED, Batch
from engine.tasks.arrays import ArrayTask
from engine.tasks.tokens import NextTokenTask

VOCABULARY, LENGTH = 11, 6


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            made(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for made in (self.q, self.k, self.v)
        )
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.o(y.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self, dim: int, causal: bool = False) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, 2, causal)
        self.up, self.down = nn.Linear(dim, 6), nn.Linear(6, dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.down(self.up(self.norm2(x)).relu())


class Tabular(nn.Module):
    """Windows (B, 4, 5) to three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.fc = nn.Linear(5, 8), nn.Linear(8, 3)
        self.layers = nn.ModuleList([Layer(8) for _ in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.fc(x.mean(1))


class Language(nn.Module):
    """Token numbers (B, T) to logits of the next ones (B, T, K)."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, 8), nn.Embedding(LENGTH, 8)
        self.layers = nn.ModuleList([Layer(8, causal=True) for _ in range(3)])
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, VOCABULARY, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


class TwoInputs(nn.Module):
    """Called with keywords, and gives a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 6), nn.Embedding(5, 6)
        self.fc = nn.Linear(6, 3)

    def forward(self, *, numbers: Tensor, kind: Tensor) -> dict[str, Tensor]:
        return {"logits": self.fc((self.left(numbers) + self.right(kind)).relu())}


def made(kind: type[nn.Module], seed: int = 0) -> nn.Module:
    """A network whose every part has an effect."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = kind()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.4)
    return model.eval()


def windows(num: int = 60) -> ArrayTask:
    random = np.random.default_rng(0)
    y = np.arange(num) % 3
    x = random.normal(size=(num, 4, 5)) + 2 * np.eye(3, 5)[y][:, None]
    arrays = {"x_train": x, "y_train": y, "x_val": x[:30], "y_val": y[:30],
              "x_test": x[:24], "y_test": y[:24]}  # fmt: skip
    return ArrayTask("sensors", arrays, row="window")


def text(num: int = 400) -> NextTokenTask:
    random = np.random.default_rng(1)
    tokens = (np.cumsum(random.integers(0, 3, num)) % VOCABULARY).astype(np.uint8)
    return NextTokenTask("steps", tokens, length=LENGTH, num_tokens=VOCABULARY)


class Masked:
    """Another task, in which some places of each item ask nothing."""

    def __init__(self, task: NextTokenTask) -> None:
        self.task = task

    def describe(self) -> DataDescription:
        return self.task.describe()

    def sample(self, per_class: int, seed: int) -> Tensor:
        return self.task.sample(per_class, seed)

    def batches(self, split, size: int, items: Tensor | None = None) -> Iterator[Batch]:
        return map(self._masked, self.task.batches(split, size, items))

    def training_batches(self, sizes: Sequence[int], draw: torch.Generator) -> Iterator[Batch]:
        return map(self._masked, self.task.training_batches(sizes, draw))

    def _masked(self, batch: Batch) -> Batch:
        targets = batch.targets.clone()
        targets[:, 0] = IGNORED
        targets[batch.items_B % 2 == 0, 1:3] = IGNORED
        return Batch(batch.inputs, targets, batch.items_B)


class Keywords:
    """A task of numbers and a kind, by keywords."""

    def describe(self) -> DataDescription:
        return DataDescription("pairs", tuple("abc"), digest="0123456789", num_train=20,
                               num_validation=9, num_test=9, row="pair")  # fmt: skip

    def sample(self, per_class: int, seed: int) -> Tensor:
        return torch.arange(9)

    def batches(self, split, size: int, items: Tensor | None = None) -> Iterator[Batch]:
        count = 20 if split == "train" else 9
        order = torch.arange(count) if items is None else items
        return map(self._batch, order.split(size))

    def training_batches(self, sizes: Sequence[int], draw: torch.Generator) -> Iterator[Batch]:
        return map(self._batch, torch.randperm(20, generator=draw).split(list(sizes)))

    def _batch(self, items: Tensor) -> Batch:
        numbers = torch.stack([items * k % 7 for k in range(1, 5)], 1).float()
        return Batch({"numbers": numbers, "kind": items % 5}, items % 3, items)
