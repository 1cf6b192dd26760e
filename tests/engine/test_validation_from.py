"""Deciding by half of the test images, where a network has seen all others."""

from __future__ import annotations

import io
import shutil
import tarfile

import numpy as np
import pytest
import torch
from data_files import idx_folder, image_folder, pixels, zip_of

from engine.checkpoints.root_doubts import doubts_on_splits
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


# ------------------------------------------------------------ a person's own images


OWN = Reading(validation_from="file")
STREAMED = Reading(loader="streaming", validation_from="file")


@pytest.fixture
def own_folder(tmp_path):
    """Twelve images that the data have not, in val/<class>/*."""
    made = image_folder(tmp_path / "mine", splits=("x", "y", "train", "test", "val"), each=9)
    for split in ("x", "y", "train", "test"):
        shutil.rmtree(made / split)
    return made


@pytest.mark.parametrize("reading", [OWN, STREAMED], ids=["memory", "streaming"])
def test_a_persons_own_images_decide_and_all_of_the_datas_train(folder, own_folder, reading):
    usual = open_data(str(folder), Reading(loader=reading.loader))
    data = open_data(str(folder), reading, validation=str(own_folder))
    assert len(data.train) == len(usual.train) + len(usual.validation)
    assert rows(data.test) == rows(usual.test)
    assert len(data.validation) == 18 and not rows(data.validation) & rows(data.train)
    assert data.digest != usual.digest, "the trees of both are never taken for one"
    own = data.describe().own_validation
    assert own.name == "mine" and len(own.digest) == 64
    assert "decided by 18 images of mine (--validation-from)" in data.notes


def test_every_form_of_the_same_images_is_the_same(folder, own_folder, tmp_path):
    data = open_data(str(folder), OWN, validation=str(own_folder))
    pixels, labels = data.validation.pixels_NHWC.numpy(), data.validation.labels_N.numpy()
    np.savez(tmp_path / "bare.npz", x=pixels, y=labels)
    np.savez(tmp_path / "named.npz", val_images=pixels, val_labels=1 - labels,
             classes=np.array(["dog", "cat"]))  # fmt: skip
    forms = [
        str(own_folder / "val"),
        str(zip_of(own_folder, tmp_path / "mine.zip", "top/")),
        str(tmp_path / "bare.npz"),
        str(tmp_path / "named.npz"),
    ]
    for form in forms:
        found = open_data(str(folder), OWN, validation=form)
        assert found.digest == data.digest, form
        assert found.own_validation.digest == data.own_validation.digest


def test_other_images_are_another_data_set(folder, own_folder):
    before = open_data(str(folder), OWN, validation=str(own_folder))
    next((own_folder / "val" / "cat").iterdir()).unlink()
    after = open_data(str(folder), OWN, validation=str(own_folder))
    assert before.digest != after.digest


def test_idx_files_and_shards_decide_too(tmp_path):
    idx = idx_folder(tmp_path / "mnist")
    alone = idx_folder(tmp_path / "alone")
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (alone / name).unlink()
    found = open_data(str(idx), OWN, validation=str(alone))
    assert len(found.validation) == 20 and found.image_shape_HWC == (8, 8, 1)

    photos = image_folder(tmp_path / "photos")
    for name in ("mine-0.tar", "val-0.tar"):
        shards = tmp_path / name.removesuffix(".tar")
        shards.mkdir()
        with tarfile.open(shards / name, "w") as tar:
            for number, label in enumerate([b"cat", b"dog", b"1", b"0"]):
                encoded = io.BytesIO()
                pixels(1_000 + number).save(encoded, "PNG")
                for end, content in (("png", encoded.getvalue()), ("cls", label)):
                    info = tarfile.TarInfo(f"{number}.{end}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
        for reading in (OWN, STREAMED):
            found = open_data(str(photos), reading, validation=str(shards))
            assert found.validation.labels_N.tolist() == [0, 1, 1, 0]


def refused(folder, place, reading=OWN):
    with pytest.raises(DataError) as caught:
        open_data(str(folder), reading, validation=str(place))
    return str(caught.value)


def test_what_does_not_fit_is_refused_with_what_would(folder, tmp_path):
    other = image_folder(tmp_path / "other", splits=("val",), classes=("cat", "dgo"))
    said = refused(folder, other)
    assert "'dgo', which is no class of the data" in said and "did you mean 'dog'" in said

    whole = image_folder(tmp_path / "whole")
    assert "has test and train, and nothing says which" in refused(folder, whole)

    large = tmp_path / "large.npz"
    np.savez(large, x=np.zeros((4, 9, 9, 3), np.uint8), y=np.array([0, 1, 0, 1]))
    said = refused(folder, large)
    assert "are 9×9×3, those of x 8×8×3" in said and "--image-size" in said

    np.savez(large, x=np.zeros((4, 8, 8, 3), np.uint8), y=np.array([0, 1, 0, 7]))
    assert "run from 0 to 7" in refused(folder, large)

    np.savez(large, x=np.zeros((4, 8, 8, 3), np.uint8), y=np.array([0, 1, 0]))
    assert "4 images and 3 labels" in refused(folder, large)

    np.savez(large, pictures=np.zeros((4, 8, 8, 3), np.uint8))
    assert "has 'pictures'; it needs" in refused(folder, large)

    np.savez(large, x=np.zeros((1, 8, 8, 3), np.uint8), y=np.array([0]))
    assert "too few to decide by" in refused(folder, large)

    assert "nothing is called" in refused(folder, tmp_path / "gone")
    assert "nothing says where that lies" in refused(folder, "")


def test_arrays_cannot_decide_for_streamed_images(folder, tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 8, 8, 3), np.uint8), y=np.array([0, 1, 0, 1]))
    assert "--loader memory" in refused(folder, tmp_path / "a.npz", STREAMED)


def test_grey_images_decide_for_coloured_ones_with_a_word_of_it(folder, tmp_path):
    grey = image_folder(tmp_path / "grey", splits=("val",), mode="L")
    found = open_data(str(folder), OWN, validation=str(grey))
    assert found.image_shape_HWC == (8, 8, 3)
    assert any("made three equal channels" in note for note in found.notes)


def test_images_of_another_size_are_brought_to_that_of_the_data(folder, tmp_path):
    large = tmp_path / "large.npz"
    random = np.random.default_rng(0)
    np.savez(large, x=random.integers(0, 256, (4, 9, 9, 3), np.uint8), y=np.array([0, 1, 0, 1]))
    found = open_data(
        str(folder), Reading(image_size=8, validation_from="file"), validation=str(large)
    )
    assert found.validation.pixels_NHWC.shape == (4, 8, 8, 3)


@pytest.mark.parametrize("reading", [OWN, STREAMED], ids=["memory", "streaming"])
def test_images_that_are_trained_on_too_raise_a_doubt(folder, reading):
    data = open_data(str(folder), reading, validation=str(folder / "train"))
    (doubt,) = doubts_on_splits(data)
    assert (
        doubt.code == "validation-in-training" and "14 of the 14 images that decide" in doubt.words
    )
