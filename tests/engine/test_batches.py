"""How an epoch is cut into batches: the last one, and networks that need two images."""

from __future__ import annotations

import copy

import pytest
import torch
from networks import CPU, network, small_data

from engine.contracts.errors import EngineError
from engine.tasks import ImageTask
from engine.training.batches import batch_sizes
from engine.training.finetune import train
from engine.training.plan import TrainPlan

# Of 8×8 images the fourth stage sees maps of one pixel.
FOUR_STAGES = {
    "stem_width": 4,
    "stage_widths": [4, 5, 6, 7],
    "inner_widths": [[4], [5], [6], [7]],
    "num_classes": 3,
}
TWO_STAGES = {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [[4], [6]], "num_classes": 3}


def plan(batch_size: int) -> TrainPlan:
    return TrainPlan(0, 1, 1, seed=1, batch_size=batch_size)


def sizes(arguments: dict, num_images: int, batch_size: int) -> list[int]:
    return list(batch_sizes(network(arguments), ImageTask(small_data(num_images)), batch_size))


@pytest.mark.parametrize(
    ("arguments", "num_images", "batch_size", "expected"),
    [
        (FOUR_STAGES, 25, 8, [8, 8, 9]),
        (FOUR_STAGES, 26, 8, [8, 8, 8, 2]),
        (FOUR_STAGES, 24, 8, [8, 8, 8]),
        (FOUR_STAGES, 5, 8, [5]),
        (TWO_STAGES, 25, 8, [8, 8, 8, 1]),  # as ever: maps of four pixels need no second image
        (TWO_STAGES, 3, 1, [1, 1, 1]),
    ],
)
def test_every_image_is_in_one_batch_and_none_stands_alone_that_must_not(
    arguments, num_images, batch_size, expected
):
    assert sizes(arguments, num_images, batch_size) == expected


def test_a_network_with_maps_of_one_pixel_trains_when_one_image_is_left_over():
    data = small_data(25)
    model = network(FOUR_STAGES)
    (epoch,) = train(model, ImageTask(data), plan(8), CPU)
    assert 0 <= epoch.accuracy <= 100
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


@pytest.mark.parametrize(("num_images", "batch_size"), [(6, 1), (1, 8)])
def test_one_image_at_a_time_is_refused_before_anything_is_trained(num_images, batch_size):
    model = network(FOUR_STAGES)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(EngineError, match="--batch-size 2 or more"):
        train(model, ImageTask(small_data(num_images)), plan(batch_size), CPU)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_looking_for_small_maps_leaves_a_network_as_it_was():
    model = network(FOUR_STAGES).train()
    before = copy.deepcopy(model.state_dict())
    batch_sizes(model, ImageTask(small_data(25)), 8)
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())
