"""Data sets from files, their splits, and what is augmented."""

from __future__ import annotations

import urllib.error
import urllib.request
import zipfile

import numpy as np
import pytest
import torch
from data_files import idx_folder
from PIL import Image

from engine.contracts.errors import DataError
from engine.data import Augmenter, Images, load, normalise
from engine.data.splits import hold_out_validation, sample_per_class, stratified_sample


def arrays(num=60, size=8, classes=3, channels=3):
    random = np.random.default_rng(0)
    shape = (num, size, size, channels)
    return random.integers(0, 256, shape, dtype=np.uint8), np.arange(num) % classes


def write_folder(folder, num=60, size=8):
    pixels, labels = arrays(num, size)
    for split in ("train", "test"):
        for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
            path = folder / split / f"class{label}" / f"{number:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return pixels, labels


def write_npz(path, **changes):
    x, y = arrays()
    content = {"x_train": x, "y_train": y, "x_test": x, "y_test": y, **changes}
    np.savez(path, **{key: value for key, value in content.items() if value is not None})
    return str(path)


def test_a_folder_a_zip_and_an_npz_of_the_same_images_are_the_same_data(tmp_path):
    folder = tmp_path / "images"
    write_folder(folder)
    archive = tmp_path / "images.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*.png")):
            file.write(path, f"deeper/{path.relative_to(folder)}")
    from_folder, from_zip = load(str(folder)), load(str(archive))
    assert from_folder.digest == from_zip.digest
    assert from_folder.classes == ("class0", "class1", "class2")
    assert len(from_folder.train) + len(from_folder.validation) == 60
    assert load(str(archive)).digest == from_zip.digest  # now from the cache


def test_data_are_called_as_they_are_here_though_the_cache_knew_them_by_another_name(tmp_path):
    folder, archive = tmp_path / "images", tmp_path / "small.zip"
    write_folder(folder)
    with zipfile.ZipFile(archive, "w") as file:
        for path in folder.rglob("*.png"):
            file.write(path, path.relative_to(folder))
    before = [load(str(archive)), load(str(folder))]
    archive.rename(tmp_path / "cifar10.zip")
    folder.rename(tmp_path / "pets")
    after = [load(str(tmp_path / "cifar10.zip")), load(str(tmp_path / "pets"))]
    assert [data.name for data in (*before, *after)] == ["small", "images", "cifar10", "pets"]
    assert [data.digest for data in before] == [data.digest for data in after]


def test_a_changed_image_is_other_data_although_the_cache_knew_the_folder(tmp_path):
    folder = tmp_path / "images"
    write_folder(folder)
    before = load(str(folder)).digest
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "train/class0/000.png")
    assert load(str(folder)).digest != before


def test_validation_is_stratified_disjoint_and_the_same_at_every_train_limit(tmp_path):
    x = np.zeros((300, 8, 8, 2), np.uint8)  # each image shows its own number
    numbers = np.arange(300)[:, None, None]
    x[..., 0], x[..., 1] = numbers % 256, numbers // 256
    y = np.arange(300) % 3
    path = write_npz(tmp_path / "a.npz", x_train=x, y_train=y,
                     x_test=x, y_test=y)  # fmt: skip
    whole, limited = load(path), load(path, train_limit=60)
    assert torch.equal(whole.validation.pixels_NHWC, limited.validation.pixels_NHWC)
    assert torch.bincount(whole.validation.labels_N).tolist() == [10, 10, 10]
    assert torch.bincount(limited.train.labels_N).tolist() == [20, 20, 20]
    assert whole.mean == limited.mean and whole.digest != limited.digest

    def ids(images):
        return {tuple(p[0, 0].tolist()) for p in images.pixels_NHWC}

    assert not ids(whole.train) & ids(whole.validation)
    assert len(ids(whole.train) | ids(whole.validation)) == 300


@pytest.mark.parametrize("count", [3, 7, 50, 99])
def test_stratified_samples_are_within_one_image_of_their_share(count):
    labels = np.repeat(np.arange(3), [10, 30, 60])
    chosen = stratified_sample(labels, count, 0)
    assert len(set(chosen)) == count
    shares = np.bincount(labels[chosen], minlength=3)
    assert all(abs(shares - np.array([0.1, 0.3, 0.6]) * count) <= 1)


def test_samples_per_class_take_what_there_is():
    labels = np.repeat(np.arange(3), [2, 30, 60])
    chosen = sample_per_class(labels, 5, 0)
    assert np.bincount(labels[chosen]).tolist() == [2, 5, 5]
    keep, held_out = hold_out_validation(labels)
    assert sorted([*keep, *held_out]) == list(range(92))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, "lacks x_test"),
        ({"x_train": arrays()[0] / np.float32(300)}, "images must be uint8"),
        ({"y_train": arrays()[1] + 0.5}, "one integer an image"),
        ({"y_test": np.full(60, 9)}, "labels of split 'test' run from 9 to 9"),
        ({"y_train": np.zeros(60, int), "y_test": np.zeros(60, int)}, "1 class"),
        ({"x_test": arrays(2)[0], "y_test": arrays(2)[1]}, "2 images, fewer than its 3 classes"),
        ({"y_test": np.zeros(59, int)}, "as many labels as images"),
        ({"x_test": arrays(size=9)[0]}, r"x_train 8×8×3, x_test 9×9×3 \(height, width"),
    ],
)
def test_arrays_that_cannot_be_used_are_named(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        load(write_npz(tmp_path / "bad.npz", **changes))


def test_folders_that_cannot_be_used_are_named(tmp_path):
    folder = tmp_path / "images"
    write_folder(folder)
    Image.new("RGB", (9, 8)).save(folder / "train/class1/zzz.png")
    with pytest.raises(DataError, match="all images need one size"):
        load(str(folder))
    (folder / "train/class1/zzz.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"zzz\.png' cannot be read as an image"):
        load(str(folder))
    (folder / "train/class1/zzz.png").unlink()
    (folder / "train/class1").rename(folder / "train/class9")
    with pytest.raises(DataError, match="class folder 'class1' is in test/ but not in train/"):
        load(str(folder))


def test_unknown_names_get_the_nearest_known_one(tmp_path):
    with pytest.raises(DataError, match="did you mean 'cifar10'"):
        load("cifar-10")
    text = tmp_path / "data.txt"
    text.write_text("hello")
    with pytest.raises(DataError, match=r"neither an \.npz nor a \.zip"):
        load(str(text))


def test_a_set_that_cannot_be_downloaded_is_taken_from_where_the_message_says(
    tmp_path, monkeypatch
):
    def no_network(*_, **__):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setenv("PE_EXPLORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    with pytest.raises(DataError, match=r"not be downloaded: .* Put the files .* or give") as told:
        load("mnist")
    folder = tmp_path / "cache" / "downloads"
    assert str(folder) in str(told.value)
    idx_folder(folder / "MNIST" / "raw")
    assert load("mnist").name == "mnist"


def test_crops_are_windows_of_the_padded_image_and_flips_mirror_them():
    pixels = torch.randint(0, 256, (6, 5, 7, 2), dtype=torch.uint8)
    images = Images(pixels, torch.arange(6))
    augmenter = Augmenter(images, (0.2, 0.4), (1.0, 1.0), flips=True)
    batch, labels = augmenter.batch(torch.arange(6), torch.Generator().manual_seed(1))
    assert labels.tolist() == list(range(6))
    padded = augmenter.padded_NHWC
    for image, source in zip(batch, padded, strict=True):
        windows = [
            normalise(window[None], (0.2, 0.4), (1.0, 1.0))[0]
            for dy in range(9)
            for dx in range(9)
            for window in (source[dy : dy + 5, dx : dx + 7],)
        ]
        assert any(torch.equal(image, w) or torch.equal(image, w.flip(2)) for w in windows)
    again, _ = augmenter.batch(torch.arange(6), torch.Generator().manual_seed(1))
    assert torch.equal(batch, again)


def test_without_flips_nothing_is_mirrored():
    pixels = torch.zeros(1, 3, 3, 1, dtype=torch.uint8)
    pixels[0, 1, 0] = 255
    augmenter = Augmenter(Images(pixels, torch.zeros(1)), (0.0,), (1.0,), flips=False)
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        batch, _ = augmenter.batch(torch.tensor([0]), generator)
        column = batch[0, 0].sum(0)
        assert column.argmax() == column.nonzero().min() if column.any() else True


def test_the_bundled_sample_is_there():
    data = load("sample")
    assert (len(data.train), len(data.validation), len(data.test)) == (9000, 1000, 2000)
    assert "sneaker" in data.classes and data.image_shape_HWC == (28, 28, 1)
