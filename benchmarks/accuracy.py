"""Is our fine-tuning as good as the plain one? Accuracy of one candidate after both, by seed.

Usage: python benchmarks/accuracy.py [CHECKPOINT DATA] [--epochs E] [--images N] [--seeds S]
                                     [--device D] [--autocast]
The candidate is the root without its least important block. The plain way is a PIL data set, a
loader and eager float32 in NCHW memory; ours is the engine's training, as the machine's rule has it
(with bfloat16 where it is fast, or where --autocast asks for it). Same images, schedule and
batches; both are measured in float32 on the test images, and what counts is whether the difference
of the means stands out from the spread of the seeds.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from engine import load as load_network
from engine.contracts.networks import Execution
from engine.data import ImageData, Images, load
from engine.measures.accuracy import evaluate
from engine.pruning import candidates
from engine.pruning import editing as edits
from engine.pruning.criteria.magnitude import l1_scores
from engine.pruning.structure import structure_of
from engine.runtime import device
from engine.runtime.device import torch_device
from engine.runtime.progress import SILENT
from engine.tasks import ImageTask
from engine.training.finetune import train
from engine.training.plan import TrainPlan


class Pictures(Dataset):  # type: ignore[type-arg]
    """The training images as most people hold them: PIL images behind torchvision transforms."""

    def __init__(self, images: Images, data: ImageData) -> None:
        self.pixels, self.labels = images.pixels_NHWC.numpy(), images.labels_N.tolist()
        flip = [transforms.RandomHorizontalFlip()] if data.flips else []
        # Cropped before normalising, with the mean colour around: what the engine does.
        fill = tuple(round(255 * m) for m in data.mean)
        self.transform = transforms.Compose([
            transforms.RandomCrop(data.image_shape_HWC[0], padding=4, fill=fill if len(fill) > 1
                                  else fill[0]),
            *flip, transforms.ToTensor(), transforms.Normalize(data.mean, data.std),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        pixels = self.pixels[index]
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        return self.transform(picture), self.labels[index]


def plainly(model: nn.Module, data: ImageData, plan: TrainPlan, execution: Execution) -> None:
    """Fine-tunes as one would without us."""
    torch.manual_seed(plan.seed)
    place = torch_device(execution)
    model.to(device=place, memory_format=torch.contiguous_format).train()  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(
        model.parameters(), lr=plan.learning_rate, momentum=0.9, nesterov=True,
        weight_decay=plan.weight_decay,
    )  # fmt: skip
    loader = DataLoader(Pictures(data.train, data), batch_size=plan.batch_size, shuffle=True)
    for epoch in range(plan.first_epoch, plan.last_epoch):
        for group in optimiser.param_groups:
            group["lr"] = plan.learning_rate_at(epoch, 0)
        for images, labels in loader:
            loss = F.cross_entropy(model(images.to(place)), labels.to(place))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def candidate(root: nn.Module, data: ImageData, execution: Execution) -> nn.Module:
    """The root without the block that magnitude finds least important."""
    scores = l1_scores(
        root, structure_of(root), ImageTask(data), torch.arange(len(data.train)), execution, SILENT
    )
    edit = candidates.layer_edit(structure_of(root), scores, 2)
    assert edit is not None
    return edits.apply(edit, root)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="CHECKPOINT DATA")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--autocast", action="store_true")
    asked = parser.parse_args()
    samples = Path(__file__).parents[1] / "sample_checkpoints"
    checkpoint, name = asked.files or (str(samples / "sample.pt"), "sample")
    execution = device.choose(asked.device)
    if asked.autocast:
        execution = dataclasses.replace(execution, autocast="bfloat16")
    device.apply(execution)
    data = load(name, train_limit=asked.images)
    found: dict[str, list[float]] = {"plain": [], "ours": []}
    for seed in range(asked.seeds):
        plan = TrainPlan(0, asked.epochs, asked.epochs, seed)
        for way in found:
            model = candidate(load_network(checkpoint).model, data, execution)
            if way == "plain":
                plainly(model, data, plan, execution)
            else:
                train(model, ImageTask(data), plan, execution)
            found[way].append(evaluate(model, ImageTask(data), "test", execution).accuracy)
            print(f"seed {seed}, {way:5}: {found[way][-1]:.2f} %", flush=True)
    means = {way: statistics.fmean(values) for way, values in found.items()}
    spread = statistics.fmean(statistics.stdev(values) for values in found.values())
    print(f"{execution.autocast or 'float32'}: ours {means['ours']:.2f} %, plain "
          f"{means['plain']:.2f} %, difference {means['ours'] - means['plain']:+.2f}; "
          f"the seeds of one way spread by {spread:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
