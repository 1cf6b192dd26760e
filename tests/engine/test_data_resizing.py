"""Images brought to one size: as torchvision does it, whatever form the data have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize

from engine.contracts.errors import DataError, SettingsError
from engine.data import load
from engine.data.sources.resizing import Target

SIZES = [(20, 14), (9, 30), (16, 16), (33, 21), (12, 12), (40, 17)]  # width, height


@pytest.fixture
def folder(tmp_path):
    """Images of many sizes, two classes."""
    random = np.random.default_rng(0)
    for split, count in (("train", 24), ("test", 6)):
        for number in range(count):
            width, height = SIZES[number % len(SIZES)]
            pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
            path = tmp_path / split / ("ab"[number % 2]) / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return tmp_path


@pytest.mark.parametrize(("image_size", "resize"), [(12, 12), (10, 13), (8, 20)])
@pytest.mark.parametrize("size", SIZES)
def test_an_image_is_resized_as_torchvision_does(size, image_size, resize):
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    theirs = Compose([Resize(resize), CenterCrop(image_size)])(Image.fromarray(pixels))
    ours = Target(image_size, resize).applied(pixels)
    assert ours.shape == (image_size, image_size, 3)
    assert np.array_equal(ours, np.asarray(theirs))
    grey = Target(image_size, resize).applied(pixels[..., :1])
    assert grey.shape == (image_size, image_size, 1)


def test_a_folder_of_many_sizes_is_read_at_one(folder):
    with pytest.raises(DataError, match="--image-size 1"):
        load(str(folder))
    data = load(str(folder), image_size=12)
    assert data.image_shape_HWC == (12, 12, 3) and len(data.test) == 6
    first = Image.open(sorted((folder / "test" / "a").iterdir())[0])
    expected = Target(12, 12).applied(np.asarray(first))
    assert any(np.array_equal(image, expected) for image in data.test.pixels_NHWC.numpy())
    again = load(str(folder), image_size=12)  # from the cache
    assert again.digest == data.digest and torch.equal(
        again.test.pixels_NHWC, data.test.pixels_NHWC
    )
    assert load(str(folder), image_size=12, resize=14).digest != data.digest
    assert load(str(folder), image_size=13).image_shape_HWC == (13, 13, 3)


def test_arrays_are_resized_too_and_say_so(tmp_path):
    random = np.random.default_rng(0)
    arrays = {
        f"{key}_{split}": value
        for split in ("train", "test")
        for key, value in (
            ("x", random.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)),
            ("y", np.arange(30) % 3),
        )
    }
    np.savez(tmp_path / "data.npz", **arrays)
    plain = load(str(tmp_path / "data.npz"))
    larger = load(str(tmp_path / "data.npz"), image_size=16)
    assert larger.image_shape_HWC == (16, 16, 3) and larger.digest != plain.digest
    assert "resized from 8×8 to 16×16" in larger.notes
    expected = Target(16, 16).applied(arrays["x_test"][4])
    assert np.array_equal(larger.test.pixels_NHWC[4].numpy(), expected)
    # The same size, but cut out of a larger image: not the same pixels.
    cut = load(str(tmp_path / "data.npz"), image_size=8, resize=10)
    assert cut.image_shape_HWC == (8, 8, 3) and cut.digest != plain.digest


@pytest.mark.parametrize(
    ("image_size", "resize", "told"),
    [(None, 20, "--resize 20 needs --image-size"), (16, 12, "--resize 12 is less than")],
)
def test_sizes_that_do_not_fit_are_refused(folder, image_size, resize, told):
    with pytest.raises(SettingsError, match=told):
        load(str(folder), image_size=image_size, resize=resize)
