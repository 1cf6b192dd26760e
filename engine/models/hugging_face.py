"""Image classifiers of Hugging Face's transformers, from the plain values of their configuration.

A configuration comes out of a folder or a store, so it is looked at before the library sees it:
numbers within bounds and short words, none of which names code, files or other models.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.contracts.errors import UnknownFamilyError, UnusableFileError
from engine.contracts.json_values import JsonValue
from engine.contracts.message_text import plain, shown
from engine.contracts.near import did_you_mean
from engine.contracts.outside import read_bounded
from engine.models.user_modules import user_folder

CONFIG_NAME = "config.json"
CLASSES = "architectures"  # the classes that were saved, in a configuration
MOST_BYTES = 2**20
_LARGEST, _LONGEST, _MOST = 10**6, 100, 10_000  # of a number, a word, a list
_PARTS, _DEEPEST = (
    ("_config", "_config_dict"),
    2,
)  # of the configuration of a part in another; how deep they lie
_WORD = re.compile(r"[\w.+-]*")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
# What says where something else lies, how it is computed here, or what nothing depends on.
_LEFT_OUT = ("auto_map", "quantization_config", "backbone", "backbone_config", "backbone_kwargs",
             "use_timm_backbone", "use_pretrained_backbone", "architectures", "id2label",
             "label2id", "model_type", "transformers_version", "torch_dtype", "dtype",
             "attn_implementation", "problem_type", "task_specific_params")  # fmt: skip

# Image classifiers that are called with something else.
_OF_OTHER_INPUTS = {"siglip2": "patches of them with their places", "imagegpt": "colours by number",
                    "shieldgemma2": "conversations"}  # fmt: skip


def config_beside(checkpoint: Path) -> dict[str, JsonValue]:
    """The plain values of the configuration in a checkpoint's folder. Raises UnknownFamilyError."""
    path = checkpoint.with_name(CONFIG_NAME)
    try:
        told = json.loads(read_bounded(path, MOST_BYTES))
    except (UnusableFileError, ValueError, RecursionError) as error:
        raise UnknownFamilyError(
            f"{path} cannot be read ({plain(str(error))}); give the folder as the library saved it"
        ) from error
    if not isinstance(told, dict):
        raise UnknownFamilyError(f"{path} holds no configuration; give the folder as it was saved")
    kept = _kept(told)
    labels = told.get("id2label")
    if isinstance(labels, dict):
        kept["num_labels"] = len(labels)
    if name := _other_class(told):
        kept[CLASSES] = [name]
    return kept


def saved_class(checkpoint: Path) -> str:
    """What the network in a checkpoint's folder was, as its configuration says; empty where it
    doesn't."""
    try:
        told = json.loads(read_bounded(checkpoint.with_name(CONFIG_NAME), MOST_BYTES))
        named = told[CLASSES][0]
    except (UnusableFileError, ValueError, LookupError, TypeError, RecursionError):
        return ""
    return named if isinstance(named, str) else ""


def _kept(told: Mapping[str, Any], depth: int = 0) -> dict[str, JsonValue]:
    """What is passed on of a configuration, and of those of its parts in it."""
    kept = {k: v for k, v in told.items() if not k.startswith("_") and k not in _LEFT_OUT}
    if depth < _DEEPEST:
        for name, value in kept.items():
            if name.endswith(_PARTS) and isinstance(value, dict):
                kept[name] = _kept(value, depth + 1)
    return {name: value for name, value in kept.items() if value is not None}


def _other_class(told: Mapping[str, Any]) -> str | None:
    """The class that was saved, where its kind has several and it is not the first of them."""
    names = _classes_of(str(told.get("model_type")))
    named = told.get(CLASSES)
    first = named[0] if isinstance(named, list) and named else None
    return first if first in names[1:] else None


def _classes_of(kind: str) -> tuple[str, ...]:
    """The image classifiers of a kind; none where there is no such kind."""
    _transformers()
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    found = auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES.get(kind, ())
    return (found,) if isinstance(found, str) else tuple(found)


def no_classifier(kind: str, saved: str = "") -> str | None:
    """Why a folder of that kind holds no image classifier, and what to do; None where it may.

    `saved` is the class that its configuration names.
    """
    names = _classes_of(kind)
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    towers = auto.MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES.get(kind)
    what = saved or ("" if names else towers)
    if not what or what in names:
        return None
    does = "compares images with texts (two towers), and " if what == towers else ""
    own = "give a function of yours that makes a classifier of it: package.module:factory"
    if not names or kind in _OF_OTHER_INPUTS:
        return f"{shown(what)} {does}is no image classifier; {own}"
    made = f"transformers.{names[0]}.from_pretrained(FOLDER, num_labels=…).save_pretrained(NEW)"
    return (
        f"{shown(what)} {does}is no image classifier; make one of it with {made} and train that "
        f"(pe-explore train NEW), or {own}"
    )


def of_transformers(name: str) -> Callable[..., nn.Module]:
    """What makes an image classifier of that kind (`vit`). Raises UnknownFamilyError."""
    library = _transformers()
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    names = tuple(auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES)
    if name not in names:
        if words := no_classifier(name):
            raise UnknownFamilyError(words)
        raise UnknownFamilyError(
            f"transformers has no image classifier of the kind {shown(name)}; "
            f"{did_you_mean(name, names)}it has {', '.join(sorted(names)[:8])}, …; or give a "
            "function of yours that makes one: package.module:factory"
        )
    if name in _OF_OTHER_INPUTS:
        raise UnknownFamilyError(
            f"the classifiers of the kind {shown(name)} do not take images but "
            f"{_OF_OTHER_INPUTS[name]}; give a function of yours that makes one which does: "
            "package.module:factory"
        )

    def make(**config: Any) -> nn.Module:
        told = library.AutoConfig.for_model(name, **config)
        # Of several classes of a kind the library takes that one, or the first where none is named.
        told.architectures = list(config.get(CLASSES, ()))
        made: nn.Module = library.AutoModelForImageClassification.from_config(
            told, trust_remote_code=False
        )
        return made

    return make


def check_config(config: Mapping[str, Any], depth: int = 0) -> None:
    """Raises UnknownFamilyError for anything that is no plain value of a configuration, or of one
    of a part (`vision_config`)."""
    for name, value in config.items():
        is_part = name.endswith(_PARTS) and isinstance(value, Mapping) and depth < _DEEPEST
        if is_part and _is_allowed(name):
            check_config(value, depth + 1)
        elif not _is_allowed(name) or not _is_plain(value):
            raise UnknownFamilyError(
                f"the configuration has {shown(name)} as no number or short word within bounds; "
                "give one without it"
            )


def _is_allowed(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and (name == CLASSES or name not in _LEFT_OUT)


def with_saved(model: nn.Module, weights: Mapping[str, Tensor]) -> tuple[nn.Module, list[str]]:
    """The same network with weights by the names that the library saves them under, which need not
    be those of its modules; and what is missing, of another shape or has no place."""
    library: Any = _transformers()
    library.utils.logging.disable_progress_bar()
    library.utils.logging.set_verbosity_error()
    kind: Any = type(model)
    with torch.random.fork_rng(devices=[]):
        loaded, told = kind.from_pretrained(
            None, config=model.config, state_dict=dict(weights), output_loading_info=True,
            ignore_mismatched_sizes=True,
        )  # fmt: skip
    shaped = {each if isinstance(each, str) else each[0] for each in told["mismatched_keys"]}
    found = (told["missing_keys"], shaped, told["unexpected_keys"])
    return loaded, list(dict.fromkeys(name for names in found for name in sorted(names)))


def _is_plain(value: Any, depth: int = 0) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return math.isfinite(value) and abs(value) <= _LARGEST
    if isinstance(value, str):
        return len(value) <= _LONGEST and _WORD.fullmatch(value) is not None
    if isinstance(value, list | tuple) and depth < 3:
        return len(value) <= _MOST and all(_is_plain(each, depth + 1) for each in value)
    return False


def _transformers() -> Any:
    """transformers as it is installed; one of somebody's in the current folder is not it."""
    places = [place for place in sys.path if place and place != user_folder()]
    if importlib.machinery.PathFinder.find_spec("transformers", places) is None:
        raise UnknownFamilyError(
            "transformers is not installed here; put it beside pe-explore: pip install transformers"
        )
    return importlib.import_module("transformers")
