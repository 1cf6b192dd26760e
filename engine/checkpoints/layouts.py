"""The layouts that a foreign CIFAR ResNet may have, for its tensors show none of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from engine.models.resnet_layout import Layout

OTHER_EPS = 1e-3  # that of TensorFlow, which converted networks keep


def plausible(arguments: Mapping[str, Any]) -> tuple[Layout, ...]:
    """The usual layout first, then others that public code has and these tensors fit."""
    widths = list(arguments["stage_widths"])
    changes = [before != after for before, after in pairwise(widths)]
    shortcuts = [Layout()]
    if arguments["shortcut"] == "A" and changes:
        shortcuts.append(Layout(subsampling="average"))
        if any(changes) or arguments["stem_width"] != widths[0]:
            shortcuts.append(Layout(padding="behind"))
            shortcuts.append(Layout(padding="behind", subsampling="average"))
    spatial = [Layout(stem_pool=True), Layout(stem_stride=2), Layout(stem_stride=2, stem_pool=True)]
    spatial += _other_strides(arguments["shortcut"], changes)
    slicing = [each for each in shortcuts if each.subsampling == "slice"]
    mixed = [replace(each, padding=shortcut.padding) for shortcut in slicing for each in spatial]
    return (*shortcuts, *mixed, Layout(bn_eps=OTHER_EPS))


def _other_strides(shortcut: str, changes: list[bool]) -> list[Layout]:
    """Layouts in which one stage keeps the size of its maps.

    A stage with a convolution as its shortcut may do so only where the width changes: elsewhere
    that shortcut is the identity.
    """
    found = []
    for stage, width_changes in enumerate(changes, start=1):
        if shortcut == "A" or width_changes:
            strides = [1] + [2] * len(changes)
            strides[stage] = 1
            found.append(Layout(strides=tuple(strides)))
    return found[:1] + found[-1:] if len(found) > 1 else found
