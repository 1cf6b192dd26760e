"""The precision of a GPU's convolutions: TF32 to rank, float32 for what is measured.

What torch was told is read back, for a CPU has no TF32.
"""

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


def told() -> set[str]:
    """What torch is to compute a GPU's convolutions and recurrent layers in."""
    cudnn = torch.backends.cudnn
    return {cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision}


@pytest.fixture
def precisions(monkeypatch):
    """The precision asked for whenever a convolution runs."""
    device.apply(CPU)
    seen = set()
    forward = torch.nn.Conv2d._conv_forward

    def spy(self, *args):
        seen.update(told())
        return forward(self, *args)

    monkeypatch.setattr(torch.nn.Conv2d, "_conv_forward", spy)
    return seen


@pytest.fixture
def torchs_own():
    """Whatever a process was told before, and is again afterwards."""
    yield
    torch.backends.fp32_precision = "none"
    device.apply(CPU)


def readings() -> tuple[bool, bool, str]:
    """What torch's older readers say; they raise where the older and the newer flags differ."""
    with torch.backends.cudnn.flags(enabled=True):
        pass
    cudnn, matmul = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    return cudnn, matmul, torch.get_float32_matmul_precision()


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
    assert told() == {"ieee"}


def test_a_cancelled_scoring_leaves_float32_behind(precisions):
    import threading

    stop = threading.Event()
    stop.set()
    data = small_data()
    with pytest.raises(Cancelled):
        scored(kl_scores, network(MODEL), data, monitor=Monitor(lambda event: None, stop))
    assert told() == {"ieee"}


def test_whoever_asks_torch_in_a_worker_gets_an_answer_and_changes_nothing():
    device.apply(CPU)
    assert readings() == (False, False, "highest")
    with device.ranking():
        assert readings() == (True, False, "highest") and told() == {"tf32"}
        with device.ranking():  # a criterion that asks another one
            pass
        assert told() == {"tf32"}
    assert readings() == (False, False, "highest") and told() == {"ieee"}


@pytest.mark.parametrize(
    "before",
    [
        lambda: setattr(torch.backends, "fp32_precision", "tf32"),
        lambda: setattr(torch.backends.cudnn, "allow_tf32", True),
        lambda: setattr(torch.backends.cudnn.rnn, "fp32_precision", "ieee"),
        lambda: torch.set_float32_matmul_precision("medium"),
    ],
)
def test_a_worker_measures_in_float32_whatever_its_process_was_told_before(torchs_own, before):
    before()
    device.apply(CPU)
    assert told() == {"ieee"} and torch.backends.cuda.matmul.fp32_precision == "ieee"
    assert readings() == (False, False, "highest")
