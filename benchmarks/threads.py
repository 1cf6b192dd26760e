"""How waiting OpenMP threads behave beside other work: images a second of fine-tuning.

Usage: python benchmarks/threads.py [ROUNDS]
Each figure is one epoch over 1,280 images of the bundled sample (ResNet20, 8 wide), in a process of
its own; the ways take turns. "beside" has one more process of the same priority that computes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

ONE_EPOCH = """
import sys
from engine.tasks import ImageTask
from engine.runtime import device
from engine.data import load
from engine.models import architecture_of_name, build
from engine.training.finetune import train
from engine.training.plan import TrainPlan
execution = device.choose("cpu", int(sys.argv[1]))
device.apply(execution)
data = load("sample", train_limit=1280)
architecture = architecture_of_name("resnet20", width=8, in_channels=1)
model = build(architecture.factory, architecture.arguments)
print(train(model, ImageTask(data), TrainPlan(0, 1, 1, seed=0), execution)[0].images_per_second)
"""
BUSY = "import torch; torch.set_num_threads(1); x = torch.rand(800, 800)\nwhile True: x @ x"
WAYS = {
    "1 thread": (1, "ACTIVE"),
    "2 threads, spinning": (2, ""),
    "2 threads, passive": (2, "PASSIVE"),
}


def images_per_second(num_threads: int, policy: str) -> float:
    environment = dict(os.environ)
    if policy:
        environment["OMP_WAIT_POLICY"] = policy
    command = [sys.executable, "-c", ONE_EPOCH, str(num_threads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main(rounds: int) -> None:
    for place in ("alone", "beside"):
        busy = subprocess.Popen([sys.executable, "-c", BUSY]) if place == "beside" else None
        try:
            found: dict[str, list[float]] = {name: [] for name in WAYS}
            for _ in range(rounds):
                for name, way in WAYS.items():
                    found[name].append(images_per_second(*way))
        finally:
            if busy:
                busy.kill()
        for name, values in found.items():
            print(f"{place:7} {name:22} median {statistics.median(values):7.1f}  {values}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    main(parser.parse_args().rounds)
