"""A batch that memory is too short for is said with one that fits, and the remedies work."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from networks import CPU, small_data
from torch import nn

from engine.tasks import ImageTask
from engine.training.finetune import train
from engine.training.memory import BatchTooLargeError, is_short_of_memory
from engine.training.plan import TrainPlan

PLAN = TrainPlan(0, 1, 1, seed=1, batch_size=24)


class Greedy(nn.Module):
    """Wants more memory than any machine has for more than so many images; torch refuses that."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.head = most, nn.Linear(3, 3)

    def forward(self, images):
        if len(images) > self.most:
            torch.empty(2**50)
        return self.head(images.mean((2, 3)))


def test_the_largest_of_halves_that_fits_is_found_and_both_remedies_work():
    task = ImageTask(small_data())
    with pytest.raises(BatchTooLargeError, match="24 images at a time do not fit") as error:
        train(Greedy(7), task, PLAN, CPU)
    words = str(error.value)
    assert "the memory of cpu, 6 do" in words
    parts = int(re.search(r"--accumulate (\d+)", words)[1])
    size = int(re.search(r"--batch-size (\d+)", words)[1])
    assert (parts, size) == (4, 6)
    train(Greedy(7), task, replace(PLAN, accumulate=parts), CPU)
    train(Greedy(7), task, replace(PLAN, batch_size=size), CPU)


def test_parts_that_are_still_too_large_are_told_by_their_size():
    with pytest.raises(BatchTooLargeError, match=r"12 images at a time .* 3 do: --accumulate 8 "):
        train(Greedy(4), ImageTask(small_data()), replace(PLAN, accumulate=2), CPU)


def test_where_next_to_nothing_fits_that_is_said():
    with pytest.raises(BatchTooLargeError, match="not even 2 of a batch's 24 items fit"):
        train(Greedy(0), ImageTask(small_data()), PLAN, CPU)


def test_other_errors_stay_what_they_are():
    class Broken(Greedy):
        def forward(self, images):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        train(Broken(1), ImageTask(small_data()), PLAN, CPU)
    assert is_short_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
