"""`kl-fast` against `kl`: the same where it is made exact, right to first order, same ranking."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import CPU, architectures, network, scored, small_data

from engine import load
from engine.data import load as load_data
from engine.data.splits import sample_per_class
from engine.pruning.criteria import estimates, kl_fast_scores, kl_scores
from engine.pruning.criteria.cifar_resnet import fast
from engine.pruning.structure import structure_of
from engine.runtime.progress import SILENT
from engine.tasks import ImageTask


def flat(scores) -> np.ndarray:
    return np.array([value for values in scores.units.values() for value in values])


@given(architectures(max_blocks=2, max_width=4), st.integers(0, 100))
@settings(max_examples=10, deadline=None)
def test_made_exact_on_every_image_it_is_kl(arguments, seed):
    model = network(arguments, seed)
    data = small_data(10, arguments["in_channels"], arguments["num_classes"])
    exact = scored(kl_scores, model, data)
    with patch.object(estimates, "SHARE_EXACT", 1.0):
        fast = scored(kl_fast_scores, model, data)
    assert fast.blocks == pytest.approx(exact.blocks, rel=1e-5, abs=1e-12)
    assert flat(fast) == pytest.approx(flat(exact), rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shortcut", ["A", "B", "conv"])
def test_for_small_changes_the_estimate_is_the_kl(shortcut, seed):
    model = network({"stem_width": 6, "stage_widths": [6, 8], "inner_widths": [[5, 4], [6, 3]],
                     "num_classes": 4, "shortcut": shortcut}, seed)  # fmt: skip
    for name, parameter in model.named_parameters():
        if ".conv2." in name:  # a filter then changes its block's output by a thousandth
            parameter.data *= 1e-3
    data = small_data(40, classes=4)
    exact = flat(scored(kl_scores, model, data))
    with patch.object(fast, "worth_exact", lambda kl: torch.zeros_like(kl).bool()):
        estimated = flat(scored(kl_fast_scores, model, data))
    # What is left are activations that such a change turns on or off.
    assert abs(estimated - exact).sum() < 0.01 * exact.sum()


def test_the_bundled_network_is_ranked_as_kl_ranks_it():
    folder = Path(__file__).parents[2] / "sample_checkpoints"
    model = load(folder / "sample.pt").model.eval()
    data = load_data("sample")
    ids_N = sample_per_class(data.train.labels_N.numpy(), 10, seed=8)
    about = (ImageTask(data), torch.from_numpy(ids_N), CPU, SILENT)
    exact = flat(kl_scores(model, structure_of(model), *about))
    fast = flat(kl_fast_scores(model, structure_of(model), *about))
    ranks = [values.argsort(kind="stable").argsort(kind="stable") for values in (exact, fast)]
    assert np.corrcoef(*ranks)[0, 1] > 0.99


def test_chunks_do_not_change_the_scores():
    model = network({"stem_width": 4, "stage_widths": [4], "inner_widths": [[4, 4]],
                     "num_classes": 3})  # fmt: skip
    data = small_data()
    whole = scored(kl_fast_scores, model, data)
    with patch.object(fast, "CHUNK_IMAGES", 5), patch.object(fast, "CHAIN_IMAGES", 7):
        parts = scored(kl_fast_scores, model, data)
    assert parts.blocks == pytest.approx(whole.blocks, rel=1e-5, abs=1e-12)
    assert flat(parts) == pytest.approx(flat(whole), rel=1e-4, abs=1e-12)
