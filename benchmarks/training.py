"""Fine-tuning: images a second of the plain ways and of ours, both candidates of a parent included.

Usage: python benchmarks/training.py [--depths 20 56] [--images N] [--rounds N]
Every way runs in a process of its own (threads are set once), the ways take turns, and medians are
printed with their ratio to the plain way. "Two at once" is what a person waits for: the images of
both candidates over the time until both are done, each on half of the cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

WAYS = ("PIL loader, NCHW", "NCHW", "ours", "ours, two at once")
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}  # as workers run


def plain(depth: int, count: int) -> float:
    """As one would write it: a data set of PIL images, a loader with workers, eager float32."""
    import numpy as np
    import torch
    import torch.nn.functional as F
    from PIL import Image
    from torch.utils.data import DataLoader
    from torchvision import transforms

    mean, std = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    transform = transforms.Compose([
        transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(),
        transforms.ToTensor(), transforms.Normalize(mean, std),
    ])  # fmt: skip

    class Pictures(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return count

        def __getitem__(self, i: int):
            return transform(Image.fromarray(pixels[i])), i % 10

    model = _network(depth).train()
    optimiser = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    loader = DataLoader(
        Pictures(), batch_size=128, shuffle=True, num_workers=os.cpu_count() or 1,
        persistent_workers=True,
    )  # fmt: skip

    def epoch() -> None:
        for images, labels in loader:
            loss = F.cross_entropy(model(images), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return _rate(epoch, count)


def resident(depth: int, count: int) -> float:
    """Images in memory, augmented as ours, but eager float32 in NCHW."""
    import torch
    import torch.nn.functional as F

    from engine.data import Augmenter

    model, data = _network(depth).train(), _data(count)
    optimiser = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    augmenter = Augmenter(data.train, data.mean, data.std, data.flips)
    generator = torch.Generator().manual_seed(0)

    def epoch() -> None:
        for indices in torch.randperm(count, generator=generator).split(128):
            images, labels = augmenter.batch(indices, generator)
            loss = F.cross_entropy(model(images.contiguous()), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return _rate(epoch, count)


def ours(depth: int, count: int, threads: int | None = None) -> float:
    """The engine's own training."""
    from engine.runtime import device
    from engine.tasks import ImageTask
    from engine.training.finetune import train
    from engine.training.plan import TrainPlan

    execution = device.choose("cpu", threads)
    device.apply(execution)
    model, data = _network(depth), _data(count)
    epochs = iter(range(1000))

    def epoch() -> None:
        number = next(epochs)
        train(model, ImageTask(data), TrainPlan(number, number + 1, 1000, seed=0), execution)

    return _rate(epoch, count)


def _network(depth: int):
    from engine.models import build
    from engine.models.cifar_resnet import arguments_of_depth

    return build("cifar_resnet", arguments_of_depth(depth), seed=0)


def _data(count: int):
    import torch

    from engine.data import ImageData, Images

    pixels = torch.randint(0, 256, (count, 32, 32, 3), dtype=torch.uint8)
    images = Images(pixels, torch.arange(count) % 10)
    classes = tuple("0123456789")
    return ImageData("noise", classes, (0.5,) * 3, (0.25,) * 3, True, images, images, images, "")


def _rate(epoch, count: int) -> float:
    epoch()  # warms up: kernels are chosen, workers started
    started = time.perf_counter()
    epoch()
    return count / (time.perf_counter() - started)


def measure(way: str, depth: int, count: int) -> float:
    """Images a second of a way, in processes of their own."""
    cores = len(os.sched_getaffinity(0))
    command = [sys.executable, __file__, "--depths", str(depth), "--images", str(count), "--one"]
    if way == "ours, two at once":
        both = [*command, "ours", "--threads", str(max(1, cores // 2))]
        processes = [_start(both, PASSIVE) for _ in range(2)]
        return sum(float(process.communicate()[0]) for process in processes)
    return float(_start([*command, way], PASSIVE if way == "ours" else {}).communicate()[0])


def _start(command: list[str], extra: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **extra})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depths", type=int, nargs="*", default=[20, 56])
    parser.add_argument("--images", type=int, default=1_280)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        ways = {"PIL loader, NCHW": plain, "NCHW": resident}
        if asked.one in ways:
            print(ways[asked.one](asked.depths[0], asked.images))
        else:
            print(ours(asked.depths[0], asked.images, asked.threads))
        return
    for depth in asked.depths:
        found: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(asked.rounds):
            for way in WAYS:
                found[way].append(measure(way, depth, asked.images))
        first = statistics.median(found[WAYS[0]])
        for way, rates in found.items():
            rate = statistics.median(rates)
            print(f"ResNet{depth} {way:20} {rate:7.0f} images/s {rate / first:6.2f}x", flush=True)


if __name__ == "__main__":
    main()
