"""Plans by integer programming: how long they take, and whether predicted costs are those made.

Usage: python benchmarks/fitting.py [--depth 56] [--images N] [--budgets 70 60 50 40 30] [--seed S]
The network has random weights and random images (what is solved has the size that it has with any
others); it is scored once, by kl-fast. Prints wall and processor seconds of each part, and for each
budget what is left, predicted and measured, the importance that is lost, and the least possible.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import torch

from engine.contracts.budgets import Allowed
from engine.contracts.networks import Execution
from engine.contracts.requests import RemoveTogether
from engine.contracts.setting_sections import ScoringSettings
from engine.data.images import ImageData, Images
from engine.measures.cost import cost_of
from engine.models import architecture_of_name, build
from engine.pruning import editing, requests
from engine.pruning.criteria import kl_fast_scores
from engine.pruning.fitting import Fitter, choices_of
from engine.pruning.limits import Limits
from engine.pruning.structure import structure_of
from engine.tasks import ImageTask
from engine.tasks.images import blank

T = TypeVar("T")


def timed(what: str, work: Callable[[], T]) -> T:
    wall, own = time.perf_counter(), time.process_time()
    found = work()
    print(f"{what}: {time.perf_counter() - wall:.2f} s ({time.process_time() - own:.2f} s CPU)")
    return found


def noise(num: int, seed: int) -> ImageTask:
    draw = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (num, 32, 32, 3), generator=draw, dtype=torch.uint8)
    images = Images(pixels, torch.arange(num) % 10)
    data = ImageData(
        name="noise", classes=tuple(map(str, range(10))), mean=(0.5,) * 3, std=(0.25,) * 3,
        flips=True, train=images, validation=images, test=images, digest="noise",
    )  # fmt: skip
    return ImageTask(data)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int, default=56)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budgets", type=float, nargs="+", default=[70, 60, 50, 40, 30])
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    arguments = architecture_of_name(f"resnet{given.depth}").arguments
    model = build("cifar_resnet", arguments, seed=given.seed)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # as the images are: else nothing keeps values within bounds
    model.train()(torch.randn(64, 3, 32, 32))
    structure, one, cpu = structure_of(model.eval()), blank((32, 32, 3)), Execution("cpu", 1, None)
    task, items_N = noise(given.images, given.seed), torch.arange(given.images)
    scores = timed("scoring", lambda: kl_fast_scores(model, structure, task, items_N, cpu))
    choices = choices_of(structure, scores, ScoringSettings(), Limits())
    fitter = timed("counting costs", lambda: Fitter(model, structure, choices, one))
    whole = fitter.tables["macs"].whole

    def answer() -> None:
        for percent in given.budgets:
            fit = fitter.fit(Allowed(macs=int(percent / 100 * whole)))
            request = RemoveTogether(fit.blocks, fit.units)
            made = editing.apply(requests.edit_of(
                request, model, structure, scores, ScoringSettings(), one, 0
            ), model)  # fmt: skip
            cost = cost_of(made, one)
            exact = (cost.num_macs, cost.num_params) == (fit.macs, fit.params)
            print(
                f"  {percent:g} %: {100 * cost.num_macs / whole:.3f} % left, "
                f"{len(fit.blocks)} blocks, {sum(map(len, fit.units.values()))} filters; "
                f"importance {fit.importance:.6g} (at least {fit.bound:.6g}); "
                f"prediction exact: {exact}; {fit.seconds:.2f} s"
            )

    timed(f"{len(given.budgets)} budgets", answer)


if __name__ == "__main__":
    main()
