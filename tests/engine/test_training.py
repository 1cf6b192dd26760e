from __future__ import annotations

import copy
import random
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from networks import CPU, network, small_data
from torch import nn

from engine.contracts.errors import Cancelled
from engine.data import Images
from engine.measures.accuracy import evaluate
from engine.measures.folding import fold_batchnorm
from engine.runtime.progress import Monitor
from engine.tasks import ImageTask
from engine.training.finetune import DivergedError, train
from engine.training.plan import TrainPlan

ARGUMENTS = {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [[4], [6]], "num_classes": 3}


def plan(first=0, last=2, total=2, **changes):
    return TrainPlan(first, last, total, seed=1, batch_size=8, **changes)


def test_the_same_plan_gives_the_same_bits_and_leaves_global_randomness_alone():
    data = small_data()
    models = [network(ARGUMENTS), network(ARGUMENTS)]
    state = torch.random.get_rng_state()
    histories = [train(model, ImageTask(data), plan(), CPU) for model in models]
    assert torch.equal(state, torch.random.get_rng_state())
    for key, value in models[0].state_dict().items():
        assert torch.equal(value, models[1].state_dict()[key]), key
    assert [h.loss for h in histories[0]] == [h.loss for h in histories[1]]


class Dropping(nn.Module):
    """A network that draws from every global random state while it is trained."""

    def __init__(self, drawn_by):
        super().__init__()
        self.drawn_by = drawn_by
        self.one, self.two = nn.Linear(3 * 8 * 8, 12), nn.Linear(12, 3)

    def forward(self, images):
        x = self.one(images.flatten(1)).relu()
        if self.training:
            x = self.drawn_by(x)
        return self.two(x)


DRAWN = {
    "dropout": lambda x: F.dropout(x, 0.5),
    "Python": lambda x: x * (random.random() < 0.5),
    "NumPy": lambda x: x * float(np.random.uniform() < 0.5),
}


@pytest.mark.parametrize("drawn_by", DRAWN.values(), ids=DRAWN)
def test_what_a_network_draws_is_drawn_alike_and_an_epoch_begun_later_draws_the_same(drawn_by):
    def trained(*plans):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            model = Dropping(drawn_by)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        for each in plans:
            torch.rand(3), random.random(), np.random.uniform()  # other work of this process
            train(model, ImageTask(data), each, CPU, optimiser=optimiser)
        return [parameter.detach().clone() for parameter in model.parameters()]

    data = small_data()
    once = trained(plan())
    assert all(map(torch.equal, once, trained(plan())))
    assert all(map(torch.equal, once, trained(plan(0, 1), plan(1, 2))))
    assert not all(map(torch.equal, once, trained(replace(plan(), seed=2))))


def test_training_learns_what_can_be_learnt():
    """The brightness of an image is its class; crops and flips leave it so."""
    data = small_data(48)
    labels = data.train.labels_N
    bright = (80 * labels[:, None, None, None]).to(torch.uint8).expand_as(data.train.pixels_NHWC)
    data = replace(data, train=Images(bright.contiguous(), labels))
    history = train(network(ARGUMENTS), ImageTask(data), plan(0, 15, 15, learning_rate=0.05), CPU)
    assert history[-1].accuracy > 90


def test_the_step_schedule_is_the_paper_s_scaled_to_the_epochs():
    rates = [plan(0, 8, 8).learning_rate_at(epoch, 0.9) for epoch in range(8)]
    assert rates == pytest.approx([0.01] * 4 + [0.001] * 2 + [0.0001] * 2)


def test_recovery_and_tuning_are_one_schedule_cut_in_two():
    cut = [plan(0, 2, 4).learning_rate_at(e, 0) for e in (0, 1)]
    cut += [plan(2, 4, 4).learning_rate_at(e, 0) for e in (2, 3)]
    assert cut == [plan(0, 4, 4).learning_rate_at(e, 0) for e in range(4)]


def test_a_loss_that_is_not_finite_is_told_with_the_remedy():
    with pytest.raises(DivergedError, match="use a smaller --learning-rate"):
        train(network(ARGUMENTS), ImageTask(small_data()), plan(learning_rate=1e12), CPU)


def test_cancel_is_heard_within_an_epoch():
    stop = threading.Event()
    seen = []

    def emit(event):
        seen.append(event)
        stop.set()

    with pytest.raises(Cancelled):
        train(network(ARGUMENTS), ImageTask(small_data()), plan(), CPU, monitor=Monitor(emit, stop))
    assert len(seen) == 1 and seen[0].done == 8


def test_folding_batch_norms_changes_nothing_and_evaluation_leaves_the_model_alone():
    for shortcut in ("A", "B", "conv"):
        model = network({**ARGUMENTS, "shortcut": shortcut, "conv_bias": shortcut == "B"})
        before = copy.deepcopy(model.state_dict())
        images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            torch.testing.assert_close(
                fold_batchnorm(model)(images), model(images), rtol=1e-4, atol=1e-4
            )
        data = small_data()
        found = evaluate(model, ImageTask(data), "test", CPU)
        assert found.features_MD.shape == (24, 6) and 0 <= found.accuracy <= 100
        for key, value in model.state_dict().items():
            assert torch.equal(value, before[key])
