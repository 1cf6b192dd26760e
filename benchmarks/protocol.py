"""A whole iteration as one would write it, and ours: the same work on the same number of images.

Usage: python benchmarks/protocol.py [CHECKPOINT DATA] [--images N] [--rounds R]
The plain way follows the authors: one forward through the whole network for every structure and the
KL of the outputs, both candidates fine-tuned one after the other (PIL data set, eager float32), CKA
by Gram matrices on the validation images, the kept one fine-tuned on and tested. Ours is
`pe-explore auto --iterations 1` with its store, its bootstrap and its latencies. Both are processes
of their own, start-up included; they take turns; medians.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from accuracy import plainly
from similarity import by_grams
from torch import Tensor, nn

from engine import load as load_network
from engine.contracts.edits import Edit
from engine.contracts.setting_sections import ScoringSettings
from engine.data import ImageData, Images, load, normalise
from engine.data.splits import sample_per_class
from engine.pruning import candidates
from engine.pruning import editing as edits
from engine.pruning.criteria.sums import Sums, kl_of
from engine.pruning.scores import Scores
from engine.pruning.structure import structure_of
from engine.runtime import device
from engine.tasks.images import blank
from engine.training.plan import TrainPlan

RECOVERY, TUNE, SAMPLES = 1, 2, 20  # epochs, epochs in all, criterion images a class


@torch.inference_mode()
def plain_scores(model: nn.Module, images: Images, data: ImageData) -> Scores:
    """The KL without each structure, by one forward each through the whole network."""
    inputs_BCHW = normalise(images.pixels_NHWC, data.mean, data.std).contiguous()
    structure, before_BK = structure_of(model), model(inputs_BCHW)
    sums = Sums((b.path for b in structure.blocks if b.stays != "shape"), structure.groups)
    sums.num_rows = len(images)

    def kl(network: nn.Module) -> Tensor:
        return kl_of(network(inputs_BCHW), before_BK, images.labels_N).sum()

    for group in structure.groups:
        for index in range(group.num_units):
            silenced = copy.deepcopy(model)
            norm = silenced.get_submodule(group.path.replace("conv1", "bn1"))
            norm.weight[index] = norm.bias[index] = 0
            sums.units[group.path][index] = kl(silenced)
    for path in sums.blocks:
        skipping = edits.apply(Edit("layer", blocks=(path,)), model)
        sums.blocks[path] = float(kl(skipping))
    return sums.means()


@torch.inference_mode()
def features(model: nn.Module, images: Images, data: ImageData) -> tuple[Tensor, float]:
    """The classifier's inputs and the accuracy, in batches of 128."""
    model.eval()
    parts, correct = [], 0
    pixels, labels = images.pixels_NHWC.split(128), images.labels_N.split(128)
    for pixels_BHWC, labels_B in zip(pixels, labels, strict=True):
        parts.append(model.features(normalise(pixels_BHWC, data.mean, data.std).contiguous()))  # type: ignore[operator]
        correct += int((model.classify(parts[-1]).argmax(1) == labels_B).sum())  # type: ignore[operator]
    return torch.cat(parts), 100 * correct / len(images)


def plain_iteration(checkpoint: str, name: str, num_images: int) -> None:
    execution = device.choose("cpu")
    torch.set_num_threads(execution.num_threads)
    data = load(name, train_limit=num_images)
    parent = load_network(checkpoint).model.eval()
    ids_N = torch.from_numpy(sample_per_class(data.train.labels_N.numpy(), SAMPLES, seed=0))
    scores = plain_scores(parent, data.train.take(ids_N), data)
    example = blank(data.image_shape_HWC)
    parent_features, _ = features(parent, data.validation, data)
    found = []
    for edit in candidates.propose(
        parent, structure_of(parent), scores, ScoringSettings(), example, seed=0
    ):
        candidate = edits.apply(edit, parent)
        plainly(candidate, data, TrainPlan(0, RECOVERY, TUNE, seed=1), execution)
        own, _ = features(candidate, data.validation, data)
        found.append((by_grams(parent_features, own), candidate))
    similarity, kept = max(found, key=lambda pair: pair[0])
    plainly(kept, data, TrainPlan(RECOVERY, TUNE, TUNE, seed=2), execution)
    print(f"CKA {similarity:.4f}, test {features(kept, data.test, data)[1]:.2f} %")


def our_command(checkpoint: str, name: str, num_images: int, store: Path) -> list[str]:
    return [
        sys.executable, "-m", "explorer.cli", "auto", checkpoint, "--data", name,
        "--iterations", "1", "--train-limit", str(num_images), "--recovery-epochs", str(RECOVERY),
        "--tune-epochs", str(TUNE), "--criterion-samples", str(SAMPLES), "--store", str(store),
    ]  # fmt: skip


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="CHECKPOINT DATA")
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sample = str(Path(__file__).parents[1] / "sample_checkpoints" / "sample.pt")
    checkpoint, name = asked.files or (sample, "sample")
    if asked.plain:
        plain_iteration(checkpoint, name, asked.images)
        return
    found: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(asked.rounds):
        with tempfile.TemporaryDirectory() as folder:
            here = [checkpoint, name, "--images", str(asked.images)]
            found["plain"].append(seconds([sys.executable, __file__, *here, "--plain"]))
            command = our_command(checkpoint, name, asked.images, Path(folder) / "tree.pex.db")
            found["ours"].append(seconds(command))
    first = statistics.median(found["plain"])
    for way, times in found.items():
        median = statistics.median(times)
        print(f"{way:6} {median:8.1f} s {first / median:6.2f}x")


if __name__ == "__main__":
    main()
