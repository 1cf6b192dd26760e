"""Which layout, mean and standard deviation a network was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from engine.checkpoints import LoadedNetwork, preset_normalisations
from engine.checkpoints.layouts import OTHER_EPS, plausible
from engine.checkpoints.normalisation_presets import said_normalisation
from engine.checkpoints.trials import (
    NOISE,
    AnyLayout,
    Chosen,
    Scaling,
    Trial,
    Trials,
    differs,
    p_value,
)
from engine.contracts.doubts import Doubt
from engine.contracts.errors import DataError
from engine.contracts.networks import Architecture, DataDescription, Execution
from engine.contracts.references import library_of
from engine.data import ImageSet
from engine.models import FAMILIES
from engine.models.cifar_resnet import PadShortcut
from engine.models.families import RECOGNISED
from engine.models.libraries import scaling_of
from engine.models.resnet_layout import USUAL, Layout
from engine.runtime.progress import Monitor

MOST_TIED = 3
SETTLES = "--normalisation NAME or MEAN:STD"


@dataclass(frozen=True, eq=False)
class Choice:
    """How a network is to be read: its layout and normalisation, and what was seen on the way."""

    model: nn.Module
    architecture: Architecture
    name: str  # of the normalisation
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()


def choose(
    loaded: LoadedNetwork,
    architecture: Architecture,
    data: ImageSet,
    execution: Execution,
    monitor: Monitor,
    *,
    said: str | None = None,
) -> Choice:
    """What a person says, else what the checkpoint says; else the layout and the usual
    normalisation with which most training images are right.

    Raises SettingsError for a normalisation that is none.
    """
    said_scaling = None
    if said is not None:
        channels = data.image_shape_HWC[2]
        said_scaling = said_normalisation(said, channels, (data.mean, data.std))
    if said_scaling is not None and said is not None and not loaded.inferred:
        return Choice(loaded.model, architecture, said, *said_scaling, (_said_note(said),))
    if said is None and loaded.data is not None and loaded.data.mean:
        given = loaded.data
        return Choice(loaded.model, architecture, "checkpoint", given.mean, given.std)
    if said is not None and said_scaling is not None:
        scalings, own = {said: said_scaling}, None
    else:
        scalings, own = _scalings(loaded, architecture, data)
    trials = Trials(loaded.model, architecture, scalings, data, execution, monitor)
    layouts = _layouts(architecture) if loaded.inferred else (USUAL,)
    if len(layouts) == 1 and architecture.factory != "cifar_resnet":
        trials.make_quick(own)
    chosen = trials.choose(layouts)
    if own is not None:
        chosen = _with_its_own(chosen, own)
    if loaded.inferred:
        chosen = _with_best_eps(chosen, trials)
    best = chosen.best
    told = (_said_note(said),) if said is not None else _scaling_notes(chosen, own, loaded)
    notes = (*_layout_notes(chosen, loaded), *told)
    for note in notes:
        monitor.note(note)
    if best.layout.arguments():
        read = {**architecture.arguments, **best.layout.arguments()}
        architecture = replace(architecture, arguments=read)
    mean, std = scalings[best.scaling]
    doubts = (*_doubts(chosen, data), *_doubts_on_channels(best, trials))
    if said is None:
        doubts = (*doubts, *_doubts_on_scaling(chosen))
    model = trials.model(best.layout)
    return Choice(model, architecture, best.scaling, tuple(mean), tuple(std), notes, doubts)


def _layouts(architecture: Architecture) -> Sequence[AnyLayout]:
    """What the tensors of a file may mean; the usual layout comes first."""
    family = RECOGNISED.get(architecture.factory)
    if family is not None:
        return family.variants(architecture.arguments)
    return plausible(architecture.arguments)


def of_the_data(loaded: LoadedNetwork, architecture: Architecture, data: ImageSet) -> Choice:
    """How a network that was never trained is read: there is nothing to choose by."""
    name = f"{data.name} statistics"
    return Choice(loaded.model, architecture, name, data.mean, data.std)


def scaling_said(loaded: LoadedNetwork) -> Scaling | None:
    """How images are scaled for a file's weights: by a file beside it, or by its library."""
    factory = loaded.architecture.factory
    if library_of(factory) is None:
        return None
    return loaded.folder.scaling or scaling_of(factory)


def _scalings(
    loaded: LoadedNetwork, architecture: Architecture, data: ImageSet
) -> tuple[dict[str, Scaling], str | None]:
    """What is tried, and which of it is named for the weights of this network."""
    channels = data.image_shape_HWC[2]
    known = {
        name: values
        for name, values in preset_normalisations().items()
        if len(values[0]) == channels
    }
    tried = {**known, f"{data.name} statistics": (data.mean, data.std)}
    named = scaling_said(loaded)
    if named is None or len(named[0]) != channels:
        return tried, None
    for name, values in known.items():
        if values == named:
            return tried, name
    library = library_of(architecture.factory) or ""
    own = "its folder" if loaded.folder.scaling else library.partition(".")[0]
    return {own: named, **tried}, own


def _with_its_own(chosen: Chosen, own: str) -> Chosen:
    """The choice with the scaling of a library's own weights, unless another is clearly better."""
    named = next((trial for trial in chosen.table if trial.scaling == own), None)
    if named is None or differs(chosen.best, named):
        return chosen
    return Chosen(named, chosen.table, chosen.others)


def _with_best_eps(chosen: Chosen, trials: Trials) -> Chosen:
    """The choice with the other usual epsilon of batch norms, where that is clearly better."""
    best = chosen.best
    if not isinstance(best.layout, Layout) or best.layout.bn_eps == OTHER_EPS:
        return chosen
    other = trials.with_other(best, replace(best.layout, bn_eps=OTHER_EPS))
    if other is not None and other.accuracy > best.accuracy and differs(other, best):
        return Chosen(other, chosen.table, [*chosen.others, best])
    return chosen


def _layout_notes(chosen: Chosen, loaded: LoadedNetwork) -> tuple[str, ...]:
    if not loaded.inferred:
        return ()
    layout = chosen.best.layout
    if not layout.arguments():
        if not any(isinstance(each, PadShortcut) for each in loaded.model.modules()):
            return ()
        return ("its shortcuts have no parameters: taken as option A, padded on both sides",)
    first = next(trial for trial in chosen.others if not trial.layout.arguments())
    return (
        f"its tensors do not show its layout; took {layout.describe()}, in which "
        f"{chosen.best.accuracy:.1f} % of {len(chosen.best.right_N):,} training images are right "
        f"(in the usual layout {first.accuracy:.1f} % of {len(first.right_N):,})",
    )


def _said_note(said: str) -> str:
    return f"images are scaled as {said} (--normalisation)"


def _tied(chosen: Chosen) -> list[Trial]:
    """The other normalisations that cannot be told from the one that is taken."""
    best = chosen.best
    return [t for t in chosen.table if t.scaling != best.scaling and p_value(best, t) >= NOISE]


def _scaling_notes(chosen: Chosen, own: str | None, loaded: LoadedNetwork) -> tuple[str, ...]:
    best = chosen.best
    table = ", ".join(f"{each.scaling} {each.as_given:.1f} %" for each in chosen.table)
    why = "the best"
    if best.scaling == own:
        named = "its folder names" if loaded.folder.scaling else "its library names for its weights"
        why = f"which {named}, none being clearly better"
    taken = f"the checkpoint names no normalisation; took {best.scaling}, {why} of: {table}"
    settled = f"{taken}. If it was trained with another, say so: {SETTLES}"
    return (settled,) if best.scaling != own else (taken,)


def _doubts_on_scaling(chosen: Chosen) -> tuple[Doubt, ...]:
    """A tie: figures hardly depend on which it is here, but its training may have."""
    best, tied = chosen.best, _tied(chosen)
    if not tied:
        return ()
    closest = sorted(tied, key=lambda trial: -trial.as_given)
    others = " or ".join(f"{t.scaling} ({t.as_given:.1f} %)" for t in closest[:MOST_TIED])
    more = f" or {len(tied) - MOST_TIED} more" if len(tied) > MOST_TIED else ""
    words = (
        f"nothing says how its images were scaled in training: took {best.scaling}, with which "
        f"{best.as_given:.1f} % of {len(best.right_N):,} training images are right, but {others}"
        f"{more} could as well be meant: the difference is within the noise. What it was trained "
        f"with settles it: {SETTLES}"
    )
    return (Doubt("normalisation", words),)


def _doubts(chosen: Chosen, data: ImageSet) -> tuple[Doubt, ...]:
    best = chosen.best
    found = []
    if best.order is not None:
        found.append(Doubt("class-order", best.order.words(data.classes), asks=True))
    tied = [
        trial for trial in chosen.others
        if len(trial.right_N) == len(best.right_N) and p_value(best, trial) >= NOISE
    ]  # fmt: skip
    if tied:
        others = " or ".join(trial.layout.describe() for trial in tied[:MOST_TIED])
        words = (
            f"its tensors do not show its layout: took {best.layout.describe()}, but it could as "
            f"well be {others}; on {len(best.right_N):,} training images the difference "
            f"({best.accuracy:.1f} % and {tied[0].accuracy:.1f} %) is within the noise. Your code "
            "of it settles that: --arch package.module:function"
        )
        found.append(Doubt("layout", words))
    return tuple(found)


def _doubts_on_channels(best: Trial, trials: Trials) -> tuple[Doubt, ...]:
    """OpenCV reads images as BGR, and so do networks that were trained with it."""
    turned = trials.with_channels_turned(best)
    if turned is None or turned.accuracy <= best.accuracy or not differs(turned, best):
        return ()
    words = (
        f"its images seem to have been read as BGR: with red and blue changed {turned.accuracy:.1f}"
        f" % of {len(best.right_N):,} training images are right instead of {best.accuracy:.1f} %; "
        "turn the weights of its first convolution round, weight.flip(1), and save it so"
    )
    return (Doubt("channel-order", words, asks=True),)


def check_fit(architecture: Architecture, known: DataDescription | None, data: ImageSet) -> None:
    """Raises DataError when a CIFAR ResNet's classes or channels are not those of the data, or the
    classes' names not those that the checkpoint names; others are run (`image_fit.check_output`).
    """
    arguments = architecture.arguments if architecture.factory in FAMILIES else {}
    channels = data.image_shape_HWC[2]
    if arguments.get("num_classes", len(data.classes)) != len(data.classes):
        raise DataError(
            f"the network tells {arguments['num_classes']} classes apart, {data.name} has "
            f"{len(data.classes)}; give the data it was trained on with --data"
        )
    if arguments.get("in_channels", channels) != channels:
        raise DataError(
            f"the network takes images of {arguments['in_channels']} channels, {data.name} has "
            f"{channels}; give the data it was trained on with --data"
        )
    if known is not None and known.classes not in ((), tuple(data.classes)):
        raise DataError(
            f"the classes of {data.name} are not those the network was trained with "
            f"({', '.join(known.classes[:3])}, …); give the data it was trained on with --data"
        )
