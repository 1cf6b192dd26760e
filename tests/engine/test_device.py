"""The precision of a GPU's convolutions: TF32 to rank, float32 for what is measured."""

from __future__ import annotations

import pytest
import torch
from networks import CPU, network, scored, small_data

from engine.contracts.errors import Cancelled
from engine.measures.accuracy import evaluate
from engine.pruning.criteria import kl_fast_scores, kl_scores
from engine.runtime import device
from engine.runtime.progress import Monitor
from engine.tasks import ImageTask


@pytest.fixture
def precisions(monkeypatch):
    """The precision asked for whenever a convolution runs."""
    device.apply(CPU)
    seen = set()
    forward = torch.nn.Conv2d._conv_forward

    def spy(self, *args):
        seen.add(torch.backends.cudnn.conv.fp32_precision)
        return forward(self, *args)

    monkeypatch.setattr(torch.nn.Conv2d, "_conv_forward", spy)
    return seen


MODEL = {"stem_width": 4, "stage_widths": [4], "inner_widths": [[4, 4]], "num_classes": 3}


def test_accuracy_and_features_are_measured_in_float32(precisions):
    data = small_data()
    evaluate(network(MODEL), ImageTask(data), "validation", CPU)
    assert precisions == {"ieee"}


@pytest.mark.parametrize("criterion", [kl_scores, kl_fast_scores])
def test_scores_may_be_ranked_in_tf32(precisions, criterion):
    data = small_data()
    scored(criterion, network(MODEL), data)
    assert precisions == {"tf32"}
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"


def test_a_cancelled_scoring_leaves_float32_behind(precisions):
    import threading

    stop = threading.Event()
    stop.set()
    data = small_data()
    with pytest.raises(Cancelled):
        scored(kl_scores, network(MODEL), data, monitor=Monitor(lambda event: None, stop))
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"
