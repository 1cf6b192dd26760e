"""What can be set of a fine-tuning: optimisers, schedules, and what is done to batches."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from networks import CPU, network, small_data
from torch import nn

from engine.contracts.setting_sections import OPTIMISERS as OFFERED_OPTIMISERS
from engine.contracts.setting_sections import SCHEDULES as OFFERED_SCHEDULES
from engine.tasks import Batch, ImageTask
from engine.training.finetune import train
from engine.training.plan import OPTIMISERS, SCHEDULES, TrainPlan, optimiser_of
from engine.training.step import freeze_norms, step

ARGUMENTS = {"stem_width": 4, "stage_widths": [4], "inner_widths": [[4, 3]], "num_classes": 3}


def plan(first=0, last=2, total=2, **changes):
    return TrainPlan(first, last, total, seed=1, batch_size=8, **changes)


def trained(data=None, **changes):
    model = network(ARGUMENTS)
    history = train(model, ImageTask(data or small_data()), plan(**changes), CPU)
    return model.state_dict(), history


def test_every_choice_that_is_offered_is_there():
    assert tuple(OPTIMISERS) == OFFERED_OPTIMISERS
    assert set(OFFERED_SCHEDULES) <= set(SCHEDULES)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "adamw", "learning_rate": 1e-3},
        {"schedule": "cosine"},
        {"warmup_epochs": 1.0},
        {"label_smoothing": 0.1},
        {"mixup": 0.4},
        {"accumulate": 3},
        {"frozen_norms": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_setting_changes_the_weights_and_gives_the_same_bits_again(changes):
    (one, _), (again, _), (usual, _) = trained(**changes), trained(**changes), trained()
    assert all(torch.equal(value, again[key]) for key, value in one.items())
    assert any(not torch.equal(value, usual[key]) for key, value in one.items())


def test_the_cosine_falls_to_nothing_and_a_warm_up_leads_to_the_full_rate():
    cosine = plan(0, 4, 4, schedule="cosine")
    rates = [cosine.learning_rate_at(epoch, share) for epoch in range(4) for share in (0, 0.5)]
    assert rates == sorted(rates, reverse=True) and rates[0] == 0.01
    assert cosine.learning_rate_at(3, 0.999) < 1e-5
    assert cosine.learning_rate_at(2, 0) == pytest.approx(0.005)
    warm = plan(0, 8, 8, warmup_epochs=2.0)
    assert 0 < warm.learning_rate_at(0, 0) < warm.learning_rate_at(1, 0) < 0.01
    assert warm.learning_rate_at(2, 0) == 0.01 and warm.learning_rate_at(4, 0) == 0.001


def test_adamw_decays_matrices_and_nothing_else():
    model = network(ARGUMENTS)
    groups = optimiser_of(model, plan(optimiser="adamw", weight_decay=0.1)).param_groups
    by_decay = {group["weight_decay"]: group["params"] for group in groups}
    assert all(p.dim() > 1 for p in by_decay[0.1]) and all(p.dim() <= 1 for p in by_decay[0.0])
    assert sum(map(len, by_decay.values())) == len(list(model.parameters()))


class Linear(nn.Module):
    """A network without batch norms: parts of a batch say the same as the whole."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3 * 8 * 8, 3)

    def forward(self, images):
        return self.fc(images.flatten(1))


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(parts):
    images, labels = torch.randn(7, 3, 8, 8), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    batch, whole = Batch(images, labels, torch.arange(7)), Linear()
    in_parts = copy.deepcopy(whole)
    draw = torch.Generator()
    for model, accumulate in ((whole, 1), (in_parts, parts)):
        made = plan(accumulate=accumulate)
        loss, right = step(model, batch, optimiser_of(model, made), made, CPU, draw)
        expected = F.cross_entropy(model(images), labels)
        assert 0 <= int(right) <= 7 and loss > expected  # the step was downhill
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(in_parts.state_dict()[name], value)


def test_mixup_mixes_images_and_labels_by_the_same_share():
    """A linear network's loss of mixed images is the mixed loss of their own labels."""
    images, labels = torch.randn(6, 3, 8, 8), torch.arange(6) % 3
    batch = Batch(images, labels, torch.arange(6))
    model, made = Linear(), plan(mixup=1.0, learning_rate=1e-12)
    draw = torch.Generator().manual_seed(3)
    loss, _ = step(model, batch, optimiser_of(model, made), made, CPU, draw)
    draw = torch.Generator().manual_seed(3)
    gammas = torch._standard_gamma(torch.full((2,), 1.0, dtype=torch.float64), generator=draw)
    share, order = float(gammas[0] / gammas.sum()), torch.randperm(6, generator=draw)
    mixed = share * F.one_hot(labels, 3) + (1 - share) * F.one_hot(labels[order], 3)
    logits = model(share * images + (1 - share) * images[order])
    torch.testing.assert_close(loss, -(mixed * logits.log_softmax(1)).sum(1).mean())


def test_frozen_norms_keep_their_statistics_and_still_learn_their_weights():
    model = network(ARGUMENTS)
    before = copy.deepcopy(model.state_dict())
    train(model, ImageTask(small_data()), plan(frozen_norms=True), CPU)
    after = model.state_dict()
    statistics = [key for key in after if "running" in key]
    assert statistics and all(torch.equal(before[key], after[key]) for key in statistics)
    assert not torch.equal(before["bn1.weight"], after["bn1.weight"])
    freeze_norms(model.train())
    assert not model.bn1.training and model.training
