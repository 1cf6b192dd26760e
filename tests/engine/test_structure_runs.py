"""What the search for a structure runs: what it takes to see what modules keep and draw, and not
what tells nothing."""

from __future__ import annotations

import pytest
import torch
from networks import randomise_statistics
from odd_networks import HeadsByAttribute
from odd_networks import images as doubles
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.models.preparations import prepare
from engine.pruning.structure.find import find_structure
from engine.pruning.structure.labels import find_groups

IMAGES = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(3))

# ------------------------------------------------------------ from call to call


class Block(nn.Module):
    """Adds to what it gets, times how many channels its last call had inside, over eight."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(6, 8, 3, padding=1), nn.Conv2d(8, 6, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv1(x).relu()
        before = self.recall()
        self.keep(float(len(hidden[0])))
        return x + self.conv2(hidden) * (before / 8)

    def recall(self) -> float:
        return 8.0

    def keep(self, count: float) -> None:
        pass


class Attribute(Block):
    last = 8.0

    def recall(self) -> float:
        return self.last

    def keep(self, count: float) -> None:
        self.last = count


class Dict(Block):
    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, list[float]] = {"counts": [8.0]}

    def recall(self) -> float:
        return self.kept["counts"][-1]

    def keep(self, count: float) -> None:
        self.kept["counts"][:] = [count]


class Buffer(Block):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("last", torch.tensor(8.0))

    def recall(self) -> float:
        return float(self.last)

    def keep(self, count: float) -> None:
        self.last.fill_(count)


class Memory:
    last = 8.0


class Object(Block):
    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()

    def recall(self) -> float:
        return self.memory.last

    def keep(self, count: float) -> None:
        self.memory.last = count


class Network(nn.Module):
    def __init__(self, block: type[Block]) -> None:
        super().__init__()
        self.stem, self.blocks = nn.Conv2d(3, 6, 3), nn.Sequential(block(), block())
        self.head = nn.Linear(6, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(images)).mean((2, 3)))


def found_in(block: type[Block]):
    torch.manual_seed(0)
    return find_structure(randomise_statistics(Network(block), 1), IMAGES)


@pytest.mark.parametrize("block", [Attribute, Dict, Buffer, Object])
def test_units_stay_without_which_a_second_call_gives_something_else(block):
    found = found_in(block)
    assert all("off by" in found.frozen[f"blocks.{i}.conv1"] for i in range(2))
    assert not any(group.block for group in found.groups)


def test_units_may_go_where_nothing_is_kept():
    found = found_in(Block)
    inside = [group.path for group in found.groups if group.block]
    assert inside == ["blocks.0.conv1", "blocks.1.conv1"]


# ------------------------------------------------------------ as far as it is needed


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return x


class Sheltered(HeadsByAttribute):
    """Takes any error for its own."""

    def __init__(self) -> None:
        super().__init__()
        self.late = Counting()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        try:
            result = super().forward(x)
            return {"logits": self.late(result["logits"])}
        except Exception:
            return {"logits": x.new_zeros(len(x), 5)}


def test_inputs_of_modules_are_collected_in_a_run_that_ends_at_the_last_of_them():
    torch.manual_seed(0)
    model = Sheltered().double().eval()
    prepare(model)
    runs: list[int] = []
    model.late.register_forward_hook(lambda *_: runs.append(1))
    found = find_groups(model, lambda network: network(*doubles()))
    heads = [group for group in found.groups if group.kind == "head"]
    assert len(heads) == 2 and all(group.attributes for group in heads)
    assert len(runs) == 1, "the one run that labels follow"


# ------------------------------------------------------------ the same each time


class Noisy(Network):
    """Adds noise that torch's own generator does not draw."""

    def __init__(self) -> None:
        super().__init__(Block)
        self.generator = torch.Generator().manual_seed(0)

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + torch.randn(1, 4, generator=self.generator)


def test_a_network_with_random_numbers_of_its_own_is_refused():
    with pytest.raises(EngineError, match="another output each time it is run on the same images"):
        find_structure(Noisy(), IMAGES)


class ByBatch(Network):
    """Gives rows that depend on what else is in the batch: the same each time, and alone others."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images - images.mean(0, keepdim=True) / 2)


def test_a_network_that_looks_at_the_whole_batch_is_no_random_one():
    assert len(find_structure(randomise_statistics(ByBatch(Block), 1), IMAGES).groups) == 3
