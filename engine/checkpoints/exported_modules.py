"""Operations of an exported program that have weights, as the modules that they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

from torch import Tensor

from engine.checkpoints.errors import UnsupportedFormatError
from engine.checkpoints.exported_archive import WEIGHTS_REMEDY

Made = dict[str, Any]


class Reading(Protocol):
    """What is known of a program while its nodes are read one after the other."""

    @property
    def tensors(self) -> Mapping[str, Tensor]: ...
    @property
    def sizes(self) -> Mapping[str, Any]: ...
    @property
    def weights(self) -> Mapping[str, str]: ...
    @property
    def nodes(self) -> list[dict[str, Any]]: ...
    def value(self, arg: Mapping[str, Any]) -> Any: ...


def module_of(node: Mapping[str, Any]) -> str:
    """The path of the module that a node stood in, empty where that is not told."""
    stack = node.get("metadata", {}).get("nn_module_stack", "")
    last = stack.rpartition(";")[2].split(",")
    path: str = last[1] if len(last) > 2 else ""
    return path.partition("@")[0]


def _path(reader: Reading, told: Mapping[str, Any], leaves: Mapping[str, str]) -> str:
    """The module whose weights an operation takes. Refuses weights that are computed."""
    paths = set()
    for name, leaf in leaves.items():
        if "as_tensor" not in told.get(name, {}):
            continue
        full = reader.weights.get(told[name]["as_tensor"]["name"], "")
        if full.rpartition(".")[2] != leaf:
            refuse(f"the {name} of one of its operations is computed, or shared under another name")
        paths.add(full.rpartition(".")[0])
    if len(paths) != 1 or "" in paths:
        refuse("the weights of one of its operations are of no module, or of several")
    return paths.pop()


def _shape(reader: Reading, path: str) -> list[int]:
    return list(reader.tensors[f"{path}.weight"].shape)


def _given(reader: Reading, told: Mapping[str, Any], name: str, default: Any) -> Any:
    return reader.value(told[name]) if name in told else default


def _has(told: Mapping[str, Any], name: str) -> bool:
    return "as_tensor" in told.get(name, {})


def _conv2d(reader: Reading, told: Mapping[str, Any], node: Mapping[str, Any]) -> Made:
    path = _path(reader, told, {"weight": "weight", "bias": "bias"})
    out, inside, *kernel = _shape(reader, path)
    groups = _given(reader, told, "groups", 1)
    made = {"in_channels": inside * groups, "out_channels": out, "kernel_size": kernel,
            "stride": _given(reader, told, "stride", 1),
            "padding": _given(reader, told, "padding", 0),
            "dilation": _given(reader, told, "dilation", 1), "groups": groups,
            "bias": _has(told, "bias")}  # fmt: skip
    return {"module": path, "made": made}


def _batch_norm(reader: Reading, told: Mapping[str, Any], node: Mapping[str, Any]) -> Made:
    if _given(reader, told, "training", False):
        refuse("it was exported while it was trained; call model.eval() before torch.export.export")
    leaves = {name: name for name in ("weight", "bias", "running_mean", "running_var")}
    path = _path(reader, told, leaves)
    name = node["outputs"][0]["as_tensor"]["name"]
    sizes = reader.sizes[name]["sizes"]
    made = {"num_features": len(reader.tensors[f"{path}.running_mean"]),
            "eps": _given(reader, told, "eps", 1e-5),
            "momentum": _given(reader, told, "momentum", 0.1),
            "affine": _has(told, "weight"), "is_2d": len(sizes) == 4}  # fmt: skip
    return {"module": path, "made": made}


def _linear(reader: Reading, told: Mapping[str, Any], node: Mapping[str, Any]) -> Made:
    path = _path(reader, told, {"weight": "weight", "bias": "bias"})
    out, inside = _shape(reader, path)
    made = {"in_features": inside, "out_features": out, "bias": _has(told, "bias")}
    return {"module": path, "made": made}


def _layer_norm(reader: Reading, told: Mapping[str, Any], node: Mapping[str, Any]) -> Made:
    path = _path(reader, told, {"weight": "weight", "bias": "bias"})
    made = {"normalized_shape": _given(reader, told, "normalized_shape", []),
            "eps": _given(reader, told, "eps", 1e-5), "bias": _has(told, "bias")}  # fmt: skip
    return {"module": path, "made": made}


def _dropout(reader: Reading, told: Mapping[str, Any], node: Mapping[str, Any]) -> Made:
    at = module_of(node)
    path = f"{at}.dropout_{len(reader.nodes)}".lstrip(".")  # one may be called several times
    return {"module": path, "made": {"p": _given(reader, told, "p", 0.5)}}


WITH_WEIGHTS: dict[str, Callable[[Reading, Mapping[str, Any], Mapping[str, Any]], Made]] = {
    "conv2d": _conv2d,
    "batch_norm": _batch_norm,
    "linear": _linear,
    "layer_norm": _layer_norm,
    "dropout": _dropout,
}


def refuse(why: str) -> NoReturn:
    """Raises UnsupportedFormatError with what a program does that is not read here."""
    raise UnsupportedFormatError(
        f"a .pt2 archive whose program is not read here: {why}; {WEIGHTS_REMEDY}"
    )
