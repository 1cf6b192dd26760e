"""Which published results a run can be held against: those of its unpruned root and its data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.contracts.codec import FormatError, decode
from engine.contracts.json_values import JsonObject
from engine.contracts.references import name_of
from explorer.views.published.files import all_results, matching, plain
from explorer.views.published.result import PublishedResult
from explorer.views.root_network import FAMILY, ResNetArguments, root_network

_IMAGENET = ("imagenet", "imagenet1k", "imagenet2012", "ilsvrc2012", "ilsvrc12")
_CIFAR = re.compile(r"(cifar100?)(?!\d)(?P<form>[a-z]*)")
_OTHER_DATA = ("c", "p")  # CIFAR-10-C is no form of CIFAR-10, as cifar10-jpeg is
_SAYS_NOTHING = ("num_classes", "weights", "pretrained")  # arguments that leave a network as it is


@dataclass(frozen=True)
class Subject:
    """A network on data, by the names that published results have for them."""

    network: str
    dataset: str

    def __str__(self) -> str:
        return f"{self.network} on {self.dataset}"


@dataclass(frozen=True)
class Fitting:
    """The published results that a run can be held against, and of what they are; `wrong` says
    which of the person's own files were left out, and why."""

    subject: Subject | None = None
    results: tuple[PublishedResult, ...] = ()
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Stored:
    factory: str = ""
    arguments: JsonObject = field(default_factory=dict)
    edits: tuple[JsonObject, ...] = ()


def fitting(architecture: Mapping[str, object], data_name: str) -> Fitting:
    """What is published of a run's root, where it is an unpruned network that has a name."""
    subject = subject_of(architecture, data_name)
    if subject is None:
        return Fitting()
    results, wrong = all_results()
    found = matching(results, network=subject.network, dataset=subject.dataset)
    return Fitting(subject, tuple(found), wrong)


def subject_of(architecture: Mapping[str, object], data_name: str) -> Subject | None:
    """The names of a run's network and data; None for a network without a name, or one that was
    pruned before."""
    dataset = _dataset(data_name)
    try:
        stored = decode(_Stored, architecture)
    except FormatError:
        return None
    if stored.edits or not dataset:
        return None
    if stored.factory == FAMILY:
        network = _cifar_resnet(architecture, dataset)
    else:
        plain_one = all(name in _SAYS_NOTHING for name in stored.arguments)
        network = plain(name_of(stored.factory)) if plain_one else ""  # a family alone says no size
    return Subject(network, dataset) if network else None


def _dataset(data_name: str) -> str:
    """What published results call data of this name."""
    name = plain(data_name)
    if name in _IMAGENET:
        return _IMAGENET[0]
    cifar = _CIFAR.fullmatch(name)
    return cifar[1] if cifar and cifar["form"] not in _OTHER_DATA else name


def _cifar_resnet(architecture: Mapping[str, object], dataset: str) -> str:
    """`resnet56`, where every width is that of the usual network; else nothing."""
    root = root_network(architecture)
    if root is None or not _is_usual(root.arguments):
        return ""
    classes = {"cifar10": 10, "cifar100": 100}
    if dataset in classes and root.arguments.num_classes != classes[dataset]:
        return ""
    return f"resnet{6 * len(root.arguments.inner_widths[0]) + 2}"


def _is_usual(about: ResNetArguments) -> bool:
    if about.stage_widths != (16, 32, 64) or about.stem_width != 16 or about.in_channels != 3:
        return False
    num_blocks = len(about.inner_widths[0]) if about.inner_widths else 0
    usual = tuple((width,) * num_blocks for width in about.stage_widths)
    return num_blocks > 0 and about.inner_widths == usual
