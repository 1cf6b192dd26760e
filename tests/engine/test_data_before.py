"""What earlier versions could read is read as before: runs and their digests go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_files import arrays, idx_folder, image_folder, npz_of, pixels, save_png16, zip_of

from engine.contracts.errors import DataError
from engine.contracts.networks import DataRef, Reading
from engine.data import load
from engine.runtime.progress import Monitor
from engine.worker.workbench import Workbench


def plain_folder(folder: Path) -> str:
    return str(image_folder(folder / "set", classes=("b", "a-b", "a", "Z")))


def zipped(folder: Path) -> str:
    image_folder(folder / "set", classes=("b", "a-b", "a", "Z"))
    return str(zip_of(folder / "set", folder / "set.zip", "deeper/"))


def with_validation(folder: Path) -> str:
    return str(image_folder(folder / "set", ("train", "test", "val")))


def classes_called_like_splits(folder: Path) -> str:
    return str(image_folder(folder / "set", classes=("train", "test", "val")))


def splits_in_a_folder_called_train(folder: Path) -> str:
    image_folder(folder / "set" / "train")
    return str(folder / "set")


def two_places(folder: Path) -> str:
    image_folder(folder / "set" / "one", ["train"])
    image_folder(folder / "set" / "two", ["test"])
    return str(folder / "set")


def grey(folder: Path) -> str:
    return str(image_folder(folder / "set", mode="L"))


def one_bit(folder: Path) -> str:
    return str(image_folder(folder / "set", mode="1"))


def palette(folder: Path) -> str:
    return str(image_folder(folder / "set", mode="P", suffix=".gif"))


def grey_with_alpha(folder: Path) -> str:
    return str(image_folder(folder / "set", mode="LA"))


def cmyk(folder: Path) -> str:
    return str(image_folder(folder / "set", mode="CMYK", suffix=".tif"))


def deep_but_only_8_bits(folder: Path) -> str:
    for split in ("train", "test"):
        for number, name in enumerate(["a", "b"] * 4):
            path = folder / "set" / split / name / f"{number}.png"
            save_png16(path, np.asarray(pixels(number, "L")))
    return str(folder / "set")


def keras(folder: Path) -> str:
    x, y = arrays(24)
    return npz_of(folder / "a.npz", x_val=x, y_val=y.astype(np.uint8), flips=False)


def two_channels(folder: Path) -> str:
    x, y = arrays(channels=2)
    return npz_of(folder / "a.npz", x_train=x, x_test=x, y_test=y, classes=list("abcd"))


def labels_from_one(folder: Path) -> str:
    _, y = arrays()
    _, y_test = arrays(20)
    return npz_of(folder / "a.npz", y_train=y + 1, y_test=y_test + 1)


def idx(folder: Path) -> str:
    return str(idx_folder(folder / "set"))


def idx_packed(folder: Path) -> str:
    return str(idx_folder(folder / "set", ".gz"))


# ------------------------------------------------------------ what is read in another way now


def numbered_classes(folder: Path) -> str:
    return str(image_folder(folder / "set", classes=map(str, range(11)), each=2))


def numbered_classes_in_a_zip(folder: Path) -> str:
    return str(zip_of(Path(numbered_classes(folder)), folder / "set.zip"))


def other_spelling_beside(folder: Path) -> str:
    return str(image_folder(folder / "set", ("train", "test", "Valid")))


def below_a_class(folder: Path) -> str:
    image_folder(folder / "set")
    pixels(99).save(folder / "set/train/cat/000.bmp")
    (folder / "set/train/cat/more").mkdir()
    pixels(98).save(folder / "set/train/cat/more/1.png")
    return str(folder / "set")


def hidden_images(folder: Path) -> str:
    image_folder(folder / "set")
    pixels(99).save(folder / "set/train/cat/.x.png")
    return str(folder / "set")


def linked_class_beside(folder: Path) -> str:
    image_folder(folder / "set", classes=("a", "b", "c"))
    for split in ("train", "test"):
        (folder / "set" / split / "linked").symlink_to("a")
    return str(folder / "set")


def deep(folder: Path) -> str:
    for split in ("train", "test"):
        for number, name in enumerate(["a", "b"] * 4):
            path = folder / "set" / split / name / f"{number}.png"
            save_png16(path, np.asarray(pixels(number, "L")).astype(int) * 8)
    return str(folder / "set")


# Made by version 0.1.0 before folders, zips and arrays were read by the collector.
DIGESTS = {
    plain_folder: "6a1ee41d31eafd69",
    zipped: "079b91789d8c158d",
    with_validation: "af64c51363e6984b",
    classes_called_like_splits: "1a0187ff02c13ff5",
    splits_in_a_folder_called_train: "f090a23ab2ea20bd",
    two_places: "829b78621d499d23",
    grey: "89bdb0d780e1d6e0",
    one_bit: "5f03c6be8d528b99",
    palette: "23c534a17b64796a",
    grey_with_alpha: "0a1b794f5452042c",
    cmyk: "f090a23ab2ea20bd",
    deep_but_only_8_bits: "639a67793fe415b3",
    keras: "c289ce49142f2c66",
    two_channels: "dc3f6c64bad9d5e3",
    labels_from_one: "b81857b817bc2b8c",
    idx: "2aa76d4408041f42",
    idx_packed: "2aa76d4408041f42",
}
READ_IN_ANOTHER_WAY = {
    numbered_classes: "eb7e41f788eddbe0",
    numbered_classes_in_a_zip: "eb7e41f788eddbe0",
    other_spelling_beside: "f090a23ab2ea20bd",
    below_a_class: "26c05b3c109a6615",
    hidden_images: "26c05b3c109a6615",
    linked_class_beside: "1fcd6c54d181cdaa",
    deep: "f23546ab04a87001",
}


@pytest.mark.parametrize("make", DIGESTS, ids=lambda make: make.__name__)
def test_digests_are_those_of_before(tmp_path, make):
    assert load(make(tmp_path)).digest[:16] == DIGESTS[make]


@pytest.mark.parametrize("make", READ_IN_ANOTHER_WAY, ids=lambda make: make.__name__)
def test_a_tree_that_an_earlier_version_grew_goes_on_with_its_own_reading(tmp_path, make):
    source = make(tmp_path)
    now, before = load(source), load(source, as_before=True)
    assert before.digest[:16] == READ_IN_ANOTHER_WAY[make] != now.digest[:16]
    told = []
    bench = Workbench(tmp_path)
    for data in (before, now, before):
        ref = DataRef(data.digest, data.mean, data.std)
        found = bench.images_of(ref, source, Monitor(told.append))
        assert found.digest == data.digest and found.classes == data.classes
    assert "read in another way" in " ".join(getattr(event, "text", "") for event in told)


def test_a_network_trained_with_classes_sorted_as_text_opens_with_that_order(tmp_path):
    source = numbered_classes(tmp_path)
    before = load(source, as_before=True)
    bench, monitor = Workbench(tmp_path), Monitor()
    assert bench.images_for(None, source, Reading(), monitor).classes[:3] == ("0", "1", "2")
    found = bench.images_for(before.describe(), source, Reading(), monitor)
    assert found.classes[:3] == ("0", "1", "10") and found.digest == before.digest


def test_other_images_are_refused_whatever_the_reading(tmp_path):
    source = numbered_classes(tmp_path)
    ref = DataRef("0" * 64, (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(DataError, match="not the data that this tree was grown on"):
        Workbench(tmp_path).images_of(ref, source, Monitor())
