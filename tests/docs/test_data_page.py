"""The lines on docs/data.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from data_files import image_folder, pixels

from engine.contracts.errors import DataError
from engine.data import load
from engine.data.sources.entries import IMAGE_SUFFIXES
from engine.data.sources.limits import MOST_CLASSES, MOST_ENTRIES, MOST_PIXELS

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_photos_of_several_sizes_are_one_data_set_with_the_option_that_the_error_names(tmp_path):
    folder = image_folder(tmp_path / "photos")
    pixels(1, size=20).save(folder / "train/cat/big.png")
    with pytest.raises(DataError) as told:
        load(str(folder))
    option = re.search(r"--image-size (\d+)", str(told.value))
    assert option is not None and "--image-size" in PAGE
    assert load(str(folder), image_size=int(option[1])).image_shape_HWC == (8, 8, 3)


def test_photos_as_floats_and_labels_as_words_are_a_data_set_after_the_lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(BLOCKS[0], {})
    data = load("pets.npz")
    assert data.classes == ("cat", "dog") and data.image_shape_HWC == (32, 32, 3)
    assert data.notes == ("images of (N, C, H, W) are read as (N, H, W, C)",)


def test_bounds_and_suffixes_are_those_of_the_code():
    assert " ".join(IMAGE_SUFFIXES) in PAGE.replace("\n", " ")
    for bound in (MOST_CLASSES, MOST_ENTRIES, MOST_PIXELS):
        assert f"{bound:,}" in PAGE
