"""Makes fashion-sample.npz: a stratified subset of Fashion-MNIST (Xiao et al., 2017; MIT licence).

Usage: python sample_checkpoints/make_fashion_sample.py FOLDER_OF_IDX_FILES
(the four files as on the data set's own page; Debian's package dataset-fashion-mnist installs them)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from engine.data.sources import open_source
from engine.data.splits import stratified_sample

NUM_TRAIN, NUM_TEST, SEED = 10_000, 2_000, 0
CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


def main(folder: Path) -> None:
    arrays = open_source(str(folder)).decode(None).arrays
    content = {"classes": np.array(CLASSES), "flips": np.array(True)}
    for split, count in (("train", NUM_TRAIN), ("test", NUM_TEST)):
        chosen = stratified_sample(arrays[f"y_{split}"], count, SEED)
        content[f"x_{split}"] = arrays[f"x_{split}"][chosen]
        content[f"y_{split}"] = arrays[f"y_{split}"][chosen].astype(np.uint8)
    np.savez_compressed(Path(__file__).with_name("fashion-sample.npz"), **content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
