"""Layouts and normalisations of a foreign network, tried together on training images.

On few images first: what is clearly worse than the best goes before more images are spent. Training
images, so that neither validation nor test images have a part in the choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from engine.checkpoints.build import rebuilt
from engine.checkpoints.class_order import ClassOrder, find_order
from engine.checkpoints.tensors import load_strictly
from engine.contracts.networks import Architecture, Execution
from engine.data import Images, ImageSet
from engine.data.splits import stratified_sample
from engine.measures.accuracy import evaluate
from engine.measures.cost import cost_of
from engine.measures.significance import binomial_tail, sign_test
from engine.models.families import RECOGNISED, Variant
from engine.models.resnet_layout import USUAL, Layout
from engine.runtime.device import torch_device
from engine.runtime.progress import Monitor, PartMonitor
from engine.tasks import examples, image_task

FIRST_IMAGES, SECOND_IMAGES, TRIAL_IMAGES = 64, 250, 1_000
LEAST_SKILL = 0.25  # of the way from chance to 100 %: below it nothing is chosen by
MOST_LAYOUTS, MOST_FINALISTS = 4, 2  # that get more images
TRIAL_SEED = 0
USUAL_PIXELS = 64 * 64  # of an image, up to which as many images are tried as of small ones
USUAL_MACS = 250_000_000  # of an image, up to which as many are tried of the other families
CLEARLY, NOISE = 0.01, 0.05  # p-values: below the first one differs, above the second it is a tie

Scaling = tuple[tuple[float, ...], tuple[float, ...]]  # mean and std
AnyLayout = Layout | Variant  # of CIFAR ResNets, or of the other families


@dataclass(frozen=True, eq=False)
class Trial:
    """A layout and a normalisation on some images: which are right, and the mean loss."""

    layout: AnyLayout
    scaling: str
    right_N: np.ndarray
    loss: float
    order: ClassOrder | None = None

    @property
    def accuracy(self) -> float:
        """In percent; in the order of classes that was found, where one was."""
        return 100 * int(self.right_N.sum()) / len(self.right_N)

    @property
    def as_given(self) -> float:
        """The accuracy in percent with the classes as the data have them."""
        return self.accuracy if self.order is None else self.order.as_given


@dataclass(frozen=True, eq=False)
class Chosen:
    """The best trial, all that were run on as many images, and the first ones of the others."""

    best: Trial
    table: Sequence[Trial]  # of the chosen layout, a normalisation each
    others: Sequence[Trial]  # the best trial of each other layout, on fewer images for most


@dataclass(frozen=True)
class _Round:
    """With which normalisations (all that are left where that is None), on how many images, and how
    many layouts stay at most."""

    scalings: Sequence[str] | None
    num_images: int
    most: int


class Trials:
    """Runs a network in layouts and normalisations on the data's training images."""

    def __init__(
        self, model: nn.Module, architecture: Architecture, scalings: Mapping[str, Scaling],
        data: ImageSet, execution: Execution, monitor: Monitor,
    ) -> None:  # fmt: skip
        self._usual, self._models = model, dict[AnyLayout, nn.Module]()
        self._architecture, self._weights = architecture, model.state_dict()
        self._scalings, self._data = scalings, data
        self._execution, self._monitor = execution, monitor
        self._num_classes = len(data.classes)
        self._num_images = TRIAL_IMAGES
        self._done = self._total = 0  # images that were run, and that will have been at most

    def make_quick(self, kept: str | None, layout: AnyLayout = USUAL) -> None:
        """Leaves out scalings that are clearly worse than the best on few images, but for one:
        a network of any kind may take seconds an image."""
        height, width, _ = self._data.image_shape_HWC
        share = min(1.0, USUAL_PIXELS / (height * width))
        if self._architecture.factory in RECOGNISED:
            task = image_task(self._data, torch_device(self._execution))
            share = min(1.0, USUAL_MACS / cost_of(self._usual, examples(task, 1)).num_macs)
        self._num_images = max(SECOND_IMAGES, int(TRIAL_IMAGES * share))
        images = self._few()
        self._total = self._done + len(self._scalings) * len(images)
        trials = [self._run(layout, name, images) for name in self._scalings]
        best = best_of(trials)
        close = sorted((t for t in trials if not differs(best, t)), key=lambda t: -t.accuracy)
        names = {trial.scaling for trial in close[:MOST_LAYOUTS]} | {kept}
        self._scalings = {n: values for n, values in self._scalings.items() if n in names}

    def model(self, layout: AnyLayout) -> nn.Module:
        """The network in a layout."""
        if not layout.arguments():
            return self._usual
        if layout not in self._models:
            arguments = {**self._architecture.arguments, **layout.arguments()}
            model = load_strictly(rebuilt(self._architecture.factory, arguments), self._weights)
            self._models[layout] = model
        return self._models[layout]

    def choose(self, layouts: Sequence[AnyLayout]) -> Chosen:
        """The best of the layouts, of which the first is the usual one, with its normalisation."""
        losers: dict[AnyLayout, Trial] = {}
        left = list(layouts)
        quick = [name for name in ("half", "none", "bytes", "half-grey", "none-grey")
                 if name in self._scalings] + [list(self._scalings)[-1]]  # fmt: skip
        rounds = [
            _Round(quick, FIRST_IMAGES, MOST_LAYOUTS),
            _Round(None, SECOND_IMAGES, MOST_FINALISTS),
        ]
        for number, each in enumerate(rounds):
            self._total = self._done + self._at_most(len(left), rounds[number:])
            if len(left) > 1:
                left, leader = self._halved(left, each, losers)
                if number == 0 and self._architecture.factory in RECOGNISED:
                    self.make_quick(None, leader)
        self._total = self._done + self._at_most(len(left), ())
        images = self._images(self._num_images)
        trials = [self._run(layout, name, images) for layout in left for name in self._scalings]
        best = best_of(trials)
        usual = best_of([t for t in trials if t.layout == left[0]])
        if best.layout != usual.layout and left[0] == layouts[0] and not differs(best, usual):
            best = usual
        for layout in left:
            if layout != best.layout:
                losers[layout] = best_of([t for t in trials if t.layout == layout])
        table = [trial for trial in trials if trial.layout == best.layout]
        return Chosen(best, table, list(losers.values()))

    def with_other(self, best: Trial, layout: AnyLayout) -> Trial | None:
        """That layout with the best trial's normalisation, on as many images; None for a network
        that guesses."""
        images = self._images(self._num_images)
        return self._run(layout, best.scaling, images) if is_above_chance(best, images) else None

    def with_channels_turned(self, best: Trial) -> Trial | None:
        """The best trial's layout on as many images whose channels are in the opposite order, with
        what scales them best; None for grey images, and for a network that guesses."""
        few, images = (_turned(self._images(count)) for count in (FIRST_IMAGES, self._num_images))
        if images.pixels_NHWC.shape[-1] != 3:
            return None
        scaling = best_of([self._run(best.layout, name, few) for name in self._scalings]).scaling
        trial = self._run(best.layout, scaling, images)
        return trial if is_above_chance(trial, images) else None

    def _halved(
        self, layouts: list[AnyLayout], spent: _Round, losers: dict[AnyLayout, Trial]
    ) -> tuple[list[AnyLayout], AnyLayout]:
        """The layouts that are not clearly worse than the best, in their order, at most so many;
        and the best one."""
        images = self._images(spent.num_images)
        found = [
            best_of([self._run(layout, name, images) for name in spent.scalings or self._scalings])
            for layout in layouts
        ]
        best = best_of(found)
        if not is_above_chance(best, images):  # nothing works: nothing to choose by
            left = layouts[:1]
        else:
            close = [trial for trial in found if not differs(best, trial)]
            close = [trial for trial in close if _is_worth_more(trial, found[0])]
            close.sort(key=lambda t: (t.layout != layouts[0], -t.accuracy, t.loss))
            kept = {trial.layout for trial in close[: spent.most]}
            left = [layout for layout in layouts if layout in kept]
        losers.update({t.layout: t for t in found if t.layout not in left})
        return left, best.layout if best.layout in left else left[0]

    def _at_most(self, num_layouts: int, rounds: Sequence[_Round]) -> int:
        """How many images are still to be run, at most: with the rounds, the trials after them,
        another epsilon and turned channels."""
        few, most = self._count(FIRST_IMAGES), self._count(self._num_images)
        images = 2 * most + len(self._scalings) * few
        for each in rounds:
            if num_layouts > 1:
                num_scalings = len(each.scalings or self._scalings)
                images += num_layouts * num_scalings * self._count(each.num_images)
                num_layouts = min(num_layouts, each.most)
        return images + num_layouts * len(self._scalings) * most

    def _count(self, wanted: int) -> int:
        return min(max(wanted, self._num_classes), len(self._data.train))

    def _images(self, count: int) -> Images:
        train = self._data.train
        chosen_N = stratified_sample(train.labels_N.numpy(), self._count(count), TRIAL_SEED)
        return train.take(torch.from_numpy(chosen_N))

    def _few(self) -> Images:
        """So many that it takes no time, whatever the number of classes."""
        train = self._data.train
        if self._num_classes <= FIRST_IMAGES:
            return self._images(FIRST_IMAGES)
        random = np.random.default_rng(TRIAL_SEED)
        chosen_N = random.choice(len(train), min(FIRST_IMAGES, len(train)), replace=False)
        return train.take(torch.from_numpy(np.sort(chosen_N)))

    def _run(self, layout: AnyLayout, scaling: str, images: Images) -> Trial:
        mean, std = self._scalings[scaling]
        data = self._data.with_normalisation(mean, std).holding(images)
        task = image_task(data, torch_device(self._execution))
        found = evaluate(
            self.model(layout), task, "train", self._execution,
            monitor=PartMonitor(self._monitor, self._done, self._total), phase="normalisation",
        )  # fmt: skip
        self._done += len(images)
        labels_N, predicted_N = images.labels_N.numpy(), found.predicted_M.numpy()
        # Of many layouts one sorts a few classes by chance, in some order: asked of the usual only.
        is_usual = not layout.arguments()
        order = find_order(labels_N, predicted_N, self._num_classes) if is_usual else None
        right_N = predicted_N == labels_N if order is None else order.right(labels_N, predicted_N)
        return Trial(layout, scaling, right_N, found.loss, order)


def _turned(images: Images) -> Images:
    return Images(images.pixels_NHWC.flip(-1).contiguous(), images.labels_N)


def _is_worth_more(trial: Trial, usual: Trial) -> bool:
    """Whether more images are spent on a layout: another epsilon rarely changes anything."""
    return trial.layout.bn_eps == usual.layout.bn_eps or differs(trial, usual)


def best_of(trials: Sequence[Trial]) -> Trial:
    """The most accurate trial; of equal ones that with the least loss, then the first."""
    return min(trials, key=lambda trial: (-trial.accuracy, trial.loss))


def p_value(first: Trial, second: Trial) -> float:
    """How likely the two differ as much by chance: an exact sign test over the same images."""
    return sign_test(
        int((first.right_N & ~second.right_N).sum()), int((second.right_N & ~first.right_N).sum())
    )


def differs(best: Trial, other: Trial) -> bool:
    """Whether the other is clearly worse (or better) on the same images."""
    return p_value(best, other) < CLEARLY


def is_above_chance(trial: Trial, images: Images) -> bool:
    """Whether far more images are right than by always naming the most frequent class: of many
    layouts that guess one does well by chance."""
    share = int(torch.bincount(images.labels_N).max()) / len(images)
    if trial.accuracy < 100 * (share + LEAST_SKILL * (1 - share)):
        return False
    return binomial_tail(int(trial.right_N.sum()), len(images), share) < CLEARLY / 10
