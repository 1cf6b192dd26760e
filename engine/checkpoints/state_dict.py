"""Where in a checkpoint the weights are, and under which names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from torch import Tensor, nn

from engine.checkpoints.errors import NotACheckpointError, UnsuitableValueError
from engine.checkpoints.stand_ins import Inert
from engine.checkpoints.tensor_names import prefixes_of_networks
from engine.contracts.message_text import is_clean, listed, shown

MAX_NAME_LENGTH = 512
MAX_WRAPPERS = 4
MOST_INSIDE = 100  # entries of a mapping that is looked through for numbers
LEAST_SHARE = 0.5  # of the tensors are a wrapped network's: what has no prefix is its training's

# Averaged twins come first: they are what training reports its accuracy for (as timm does).
_AVERAGED = ("state_dict_ema", "ema_state_dict", "model_ema", "ema_model", "ema")
_WRAPPERS = (
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "net_state_dict",
    "weights", "params", "module", "checkpoint",
)  # fmt: skip
_PREFIXES = ("module.", "model.", "net.", "network.", "backbone.", "encoder.", "_orig_mod.",
             "timm_model.")  # fmt: skip
_AVERAGED_PREFIXES = ("model_ema.", "ema_model.", "ema.", "module_ema.")
_MEASURED = ("metric", "metrics", "result", "results", "score", "scores", "best")
_HEADS = ("fc.", "linear.", "classifier.", "head.")


@dataclass(frozen=True, eq=False)
class Found:
    """A state dict, what the file said beside it, and what was chosen on the way to it."""

    state: dict[str, Any]
    metrics: dict[str, float | int]
    notes: tuple[str, ...]


def find_state(content: Any) -> Found:
    """The state dict in a checkpoint's content, its names as they are in the file.

    Raises NotACheckpointError and UnsuitableValueError.
    """
    notes: list[str] = []
    metrics: dict[str, float | int] = {}
    for _ in range(MAX_WRAPPERS):
        if isinstance(content, nn.Module):  # only a trusted pickle holds one
            content = content.state_dict()
            notes.append("took the weights of a whole pickled network")
        if not isinstance(content, Mapping):
            raise NotACheckpointError(
                f"holds {shown(content)} where a state dict (names and tensors) was expected; "
                'save torch.save(model.state_dict(), "weights.pt")'
            )
        key = _wrapper_in(content, notes)
        if key is None:
            break
        metrics.update(numbers_in(content))
        content = content[key]
    if not any(isinstance(value, Tensor) for value in content.values()):
        _refuse_without_weights(content)
    # Left out as what stands beside the weights is elsewhere; no weight has so short a name.
    named = {k: v for k, v in content.items() if "." in str(k) or not isinstance(v, Inert)}
    return Found(checked_names(named), metrics, tuple(notes))


def _refuse_without_weights(content: Mapping[Any, Any]) -> NoReturn:
    inside = listed(shown(key) for key in content) or "nothing"
    several = [key for key, value in content.items() if _holds_weights(value)]
    if len(several) > 1:
        names = listed(map(shown, several))
        raise NotACheckpointError(
            f"holds the weights of several networks ({names}); save one of them alone: "
            f'torch.save(torch.load(path)[{shown(several[0])}], "weights.pt")'
        )
    if any(isinstance(value, Inert) for value in content.values()):
        raise NotACheckpointError(
            f"holds no tensors, but {inside}, among them NumPy arrays or other objects; make "
            "tensors of the weights: torch.save({k: torch.as_tensor(v) for k, v in "
            'weights.items()}, "weights.pt")'
        )
    raise NotACheckpointError(
        f"holds no weights, but {inside}; give another file, or save the network where it was "
        'made: torch.save(model.state_dict(), "weights.pt")'
    )


def _wrapper_in(content: Mapping[Any, Any], notes: list[str]) -> str | None:
    """The key that the weights are under, or None where these are the weights."""
    known = [key for key in _AVERAGED + _WRAPPERS if _holds_weights(content.get(key))]
    if not known:
        unknown = [key for key, value in content.items() if _holds_weights(value)]
        flat = any(isinstance(value, Tensor) for value in content.values())
        if flat or len(unknown) != 1 or not isinstance(unknown[0], str):
            return None
        known = unknown
    key, others = known[0], known[1:]
    unused = f"; also there, and not used: {listed(map(shown, others))}" if others else ""
    averaged = " (averaged weights)" if key in _AVERAGED else ""
    notes.append(f"took the weights under {shown(key)}{averaged}{unused}")
    return key


def _holds_weights(value: Any, depth: int = 0) -> bool:
    if isinstance(value, nn.Module):
        return True
    if not isinstance(value, Mapping):
        return False
    if any(isinstance(inner, Tensor) for inner in value.values()):
        return True
    inner_keys = (key for key in _AVERAGED + _WRAPPERS if key in value)
    return depth < MAX_WRAPPERS and any(_holds_weights(value[k], depth + 1) for k in inner_keys)


def numbers_in(content: Mapping[Any, Any], prefix: str = "") -> dict[str, float | int]:
    """The finite numbers in a mapping and in one of figures inside it (`metrics.acc1`), NumPy's
    and tensors of one element included."""
    found: dict[str, float | int] = {}
    for key, value in content.items():
        if not isinstance(key, str) or not is_clean(key) or len(key) > MAX_NAME_LENGTH:
            continue
        if isinstance(value, Mapping):
            if not prefix and key.lower().endswith(_MEASURED) and len(value) <= MOST_INSIDE:
                found |= numbers_in(value, f"{key}.")
            continue
        for number in _number(value):
            found[f"{prefix}{key}"] = number
    return found


def _number(value: Any) -> Iterator[float | int]:
    """The value as one Python number, or nothing."""
    if isinstance(value, np.generic) or (
        isinstance(value, Tensor) and value.numel() == 1 and value.device.type == "cpu"
    ):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if isinstance(value, int) and abs(value) >= 2**63:
        return
    if math.isfinite(value):
        yield value


def checked_names(state: Mapping[Any, Any]) -> dict[str, Any]:
    """The state dict, its keys being clean text. Raises UnsuitableValueError."""
    for key in state:
        if not isinstance(key, str):
            raise UnsuitableValueError(
                f"a weight is named by {shown(key)}, not by text; save model.state_dict()"
            )
        if not key or not is_clean(key) or len(key) > MAX_NAME_LENGTH:
            raise UnsuitableValueError(
                f"the name {shown(key)} is empty, longer than {MAX_NAME_LENGTH} characters or has "
                "control characters; save model.state_dict()"
            )
    return dict(state)


def strippings(state: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """The state dict as it is, then with one wrapper's prefix after the other taken off.

    Each comes with the notes on what was taken off so far.
    """
    current: dict[str, Any] = dict(state)
    notes: tuple[str, ...] = ()
    yield current, notes
    while True:
        step = _strip_once(current)
        if step is None:
            return
        current, note = step
        notes = (*notes, note)
        yield current, notes


def stripped(state: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The state dict without any wrapper's prefix, and the notes."""
    *_, last = strippings(state)
    return last


def _strip_once(state: dict[str, Any]) -> tuple[dict[str, Any], str] | None:
    if "n_averaged" in state and len(state) > 1:
        rest = {key: value for key, value in state.items() if key != "n_averaged"}
        return rest, "took the averaged weights (torch.optim.swa_utils)"
    for prefix in _AVERAGED_PREFIXES:
        averaged = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        if averaged:
            others = len(state) - len(averaged)
            unused = f"; the other {others} tensors are not used" if others else ""
            return averaged, f"took the averaged weights, named {prefix}…{unused}"
    for prefix in dict.fromkeys((*_PREFIXES, *prefixes_of_networks(state))):
        own = [key for key in state if key.startswith(prefix)]
        others_are_heads = all(k.startswith((prefix, *_HEADS)) for k in state)
        if own and others_are_heads:
            return _renamed(state, prefix), f"took {prefix!r} off the names"
        if len(own) > LEAST_SHARE * len(state) and _is_network(own, prefix):
            left_out = listed(shown(key) for key in state if not key.startswith(prefix))
            inside = {key: state[key] for key in own}
            note = f"took {prefix!r} off the names, and left out what has it not: {left_out}"
            return _renamed(inside, prefix), note
    if any("._orig_mod." in key for key in state):
        renamed = _without_duplicates(state, {k: k.replace("._orig_mod.", ".") for k in state})
        return renamed, "took '_orig_mod.' out of the names (torch.compile)"
    return None


def _is_network(names: list[str], prefix: str) -> bool:
    """Whether the tensors below a prefix are a whole network's, its classifier included."""
    bare = [name.removeprefix(prefix) for name in names]
    return any(".0." in name for name in bare) and any(name.startswith(_HEADS) for name in bare)


def _renamed(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return _without_duplicates(state, {key: key.removeprefix(prefix) for key in state})


def _without_duplicates(state: dict[str, Any], new_names: dict[str, str]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for old, new in new_names.items():
        if new in renamed:
            raise UnsuitableValueError(
                f"two tensors would be named {shown(new)} without their wrapper's prefix; save "
                "model.state_dict() of one network"
            )
        renamed[new] = state[old]
    return renamed
