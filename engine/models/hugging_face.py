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
MOST_BYTES = 2**20
_LARGEST, _LONGEST, _MOST = 10**6, 100, 10_000  # of a number, a word, a list
_WORD = re.compile(r"[\w.+-]*")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
# What says where something else lies, how it is computed here, or what nothing depends on.
_LEFT_OUT = ("auto_map", "quantization_config", "backbone", "backbone_config", "backbone_kwargs",
             "use_timm_backbone", "use_pretrained_backbone", "architectures", "id2label",
             "label2id", "model_type", "transformers_version", "torch_dtype", "dtype",
             "attn_implementation", "problem_type", "task_specific_params")  # fmt: skip


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
    kept = {k: v for k, v in told.items() if not k.startswith("_") and k not in _LEFT_OUT}
    labels = told.get("id2label")
    if isinstance(labels, dict):
        kept["num_labels"] = len(labels)
    return {name: value for name, value in kept.items() if value is not None}


def of_transformers(name: str) -> Callable[..., nn.Module]:
    """What makes an image classifier of that kind (`vit`). Raises UnknownFamilyError."""
    library = _transformers()
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    names = tuple(auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES)
    if name not in names:
        raise UnknownFamilyError(
            f"transformers has no image classifier of the kind {shown(name)}; "
            f"{did_you_mean(name, names)}it has {', '.join(sorted(names)[:8])}, …"
        )

    def make(**config: Any) -> nn.Module:
        told = library.AutoConfig.for_model(name, **config)
        told.architectures = []  # of several classes of a kind the library takes the first, then
        made: nn.Module = library.AutoModelForImageClassification.from_config(
            told, trust_remote_code=False
        )
        return made

    return make


def check_config(config: Mapping[str, Any]) -> None:
    """Raises UnknownFamilyError for anything that is no plain value of a configuration."""
    for name, value in config.items():
        if not _NAME.fullmatch(name) or name in _LEFT_OUT or not _is_plain(value):
            raise UnknownFamilyError(
                f"the configuration has {shown(name)} as no number or short word within bounds; "
                "give one without it"
            )


def with_saved(model: nn.Module, weights: Mapping[str, Tensor]) -> tuple[nn.Module, list[str]]:
    """The same network with weights by the names that the library saves them under, which need not
    be those of its modules; and what is missing, of another shape or has no place."""
    library: Any = _transformers()
    library.utils.logging.disable_progress_bar()
    library.utils.logging.set_verbosity_error()
    kind: Any = type(model)
    with torch.random.fork_rng(devices=[]):
        loaded, told = kind.from_pretrained(
            None, config=model.config, state_dict=dict(weights), output_loading_info=True
        )
    keys = ("missing_keys", "mismatched_keys", "unexpected_keys")
    return loaded, [str(name) for key in keys for name in sorted(map(str, told[key]))]


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
