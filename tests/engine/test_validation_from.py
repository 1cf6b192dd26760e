"""Deciding by half of the test images, where a network has seen all others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from data_files import image_folder, zip_of

from engine.contracts.errors import DataError
from engine.contracts.networks import Reading
from engine.data import open_data

HALF = Reading(validation_from="test-half")


def rows(images):
    """Its images as a set: each one is another."""
    return {bytes(pixels.numpy().tobytes()) for pixels in all_of(images)}


def all_of(images):
    if hasattr(images, "pixels_NHWC"):
        return images.pixels_NHWC
    return torch.cat([batch.pixels_NHWC for batch in images.batches(16)])


@pytest.fixture
def folder(tmp_path):
    return image_folder(tmp_path / "x", each=7)


@pytest.mark.parametrize("loader", ["memory", "streaming"])
def test_half_of_the_test_images_decide_and_all_others_train(folder, loader):
    usual = open_data(str(folder), Reading(loader=loader))
    halved = open_data(str(folder), Reading(loader=loader, validation_from="test-half"))
    assert len(halved.train) == len(usual.train) + len(usual.validation)
    assert len(halved.validation) + len(halved.test) == len(usual.test)
    assert not rows(halved.validation) & rows(halved.test)
    assert rows(halved.validation) | rows(halved.test) == rows(usual.test)
    counts = np.bincount(halved.validation.labels_N.numpy())
    assert counts.max() - counts.min() <= 1, "each class has its share"
    assert halved.digest != usual.digest, "the trees of both are never taken for one"
    (told,) = [note for note in halved.notes if "test-half" in note]
    assert f"the other {len(halved.test):,}" in told


def test_the_halves_are_the_same_from_memory_and_streamed_and_every_time(folder, tmp_path):
    memory = open_data(str(folder), HALF)
    streamed = open_data(str(folder), Reading(loader="streaming", validation_from="test-half"))
    zipped = open_data(str(zip_of(folder, tmp_path / "x.zip")), HALF)
    assert torch.equal(all_of(memory.validation), all_of(streamed.validation))
    assert torch.equal(all_of(memory.test), all_of(streamed.test))
    assert torch.equal(all_of(memory.validation), all_of(zipped.validation))


def test_too_few_test_images_are_said_with_how_many_it_takes(tmp_path):
    few = image_folder(tmp_path / "few", each=1)
    with pytest.raises(DataError, match="takes two of each class"):
        open_data(str(few), HALF)
