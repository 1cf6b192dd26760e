"""A program of torch.export as the arguments of a network (`engine.models.exported`).

Operations with weights are made modules again, by the names that their weights have in the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from engine.checkpoints.errors import UnsupportedFormatError
from engine.checkpoints.exported_archive import WEIGHTS_REMEDY, ExportedArchive
from engine.checkpoints.exported_modules import WITH_WEIGHTS, module_of, refuse
from engine.contracts.message_text import shown
from engine.models.exported import OPERATIONS

_PLAIN = ("as_int", "as_float", "as_bool", "as_ints", "as_floats", "as_bools", "as_string")


@dataclass
class _Reader:
    """What is known of a program while its nodes are read one after the other."""

    archive: ExportedArchive
    values: dict[str, Any] = field(default_factory=dict)  # by names: {"v": number}
    weights: dict[str, str] = field(default_factory=dict)  # names of tensors by names of inputs
    parameters: set[str] = field(default_factory=set)
    nodes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return self.archive.tensors

    @property
    def sizes(self) -> Mapping[str, Any]:
        """What is known of each value, by its name."""
        told: Mapping[str, Any] = self.archive.program["graph_module"]["graph"]["tensor_values"]
        return told

    def value(self, arg: Mapping[str, Any]) -> Any:
        """An argument as a plain value."""
        return _value(self, arg)


@dataclass(frozen=True, eq=False)
class Program:
    """The arguments that make a program's network, the tensors that it has, and the shape of the
    images that it was exported with, None for sizes that may be any."""

    arguments: dict[str, Any]
    tensors: dict[str, Tensor]
    image_shape: tuple[int | None, ...]


def program_of(archive: ExportedArchive) -> Program:
    """What an archive describes. Raises UnsupportedFormatError where it does what is not known
    here."""
    try:
        return _read(archive)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise UnsupportedFormatError(
            f"a .pt2 archive whose program is written in another way than torch {torch.__version__}"
            f" writes it ({type(error).__name__}: {shown(str(error))}); {WEIGHTS_REMEDY}"
        ) from error


def _read(archive: ExportedArchive) -> Program:
    module = archive.program["graph_module"]
    graph, signature = module["graph"], module["signature"]
    reader = _Reader(archive)
    images = _inputs(reader, signature["input_specs"])
    if len(images) != 1:
        refuse(f"it takes {len(images)} inputs; export a network that takes images alone")
    reader.values[images[0]] = {"v": -1}
    outputs = [spec for spec in signature["output_specs"] if "user_output" in spec]
    if len(outputs) != 1 or len(signature["output_specs"]) != 1:
        refuse(
            f"it gives {len(signature['output_specs'])} outputs; export, in evaluation, a network "
            "that gives its logits alone"
        )
    for node in graph["nodes"]:
        _node(reader, node)
    output = reader.values[outputs[0]["user_output"]["arg"]["as_tensor"]["name"]]["v"]
    shape = [each.get("as_int") for each in reader.sizes[images[0]]["sizes"]]
    used = {path for node in reader.nodes for path in _tensors_of(node)}
    state = {name: tensor for name, tensor in archive.tensors.items() if name in used}
    return Program({"nodes": reader.nodes, "output": output}, state, tuple(shape))


def _inputs(reader: _Reader, specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of what a program is given, weights apart, which are noted."""
    given = []
    kinds = {"parameter": "parameter_name", "buffer": "buffer_name",
             "tensor_constant": "tensor_constant_name"}  # fmt: skip
    for spec in specs:
        ((kind, told),) = spec.items()
        if kind in kinds:
            reader.weights[told["arg"]["name"]] = told[kinds[kind]]
            if kind == "parameter":
                reader.parameters.add(told[kinds[kind]])
        elif kind == "user_input":
            given.append(told["arg"]["as_tensor"]["name"])
        else:
            refuse(f"it takes {shown(kind)}")
    return given


def _node(reader: _Reader, node: Mapping[str, Any]) -> None:
    target, inputs = node["target"], node["inputs"]
    op = target.removeprefix("torch.ops.aten.").partition(".")[0]
    at = module_of(node)
    if op in WITH_WEIGHTS and target.startswith("torch.ops.aten."):
        told = {each["name"]: each["arg"] for each in inputs}
        found = WITH_WEIGHTS[op](reader, told, node)
        args = [_value(reader, told["input"])]
        reader.nodes.append({"op": op, "args": args, "at": found["module"], **found})
    elif target in OPERATIONS:
        args = [_value(reader, each["arg"]) for each in inputs if each.get("kind", 1) == 1]
        kwargs = {e["name"]: _value(reader, e["arg"]) for e in inputs if e.get("kind", 1) != 1}
        told = {"kwargs": kwargs} if kwargs else {}
        reader.nodes.append({"op": target, "args": args, "at": at, **told})
    else:
        refuse(f"it does {shown(target)}")
    _outputs(reader, node["outputs"], len(reader.nodes) - 1)


def _outputs(reader: _Reader, outputs: Sequence[Mapping[str, Any]], number: int) -> None:
    if len(outputs) != 1:
        refuse(f"one of its operations gives {len(outputs)} values")
    ((kind, told),) = outputs[0].items()
    if kind == "as_tensor":
        reader.values[told["name"]] = {"v": number}
    elif kind == "as_sym_int":
        reader.values[told["as_name"]] = {"v": number}
    elif kind == "as_tensors":
        for place, each in enumerate(told):
            reader.values[each["name"]] = {"v": number, "k": place}
    else:
        refuse(f"one of its operations gives {shown(kind)}")


def _value(reader: _Reader, arg: Mapping[str, Any]) -> Any:
    """An argument as a plain value."""
    ((kind, told),) = arg.items()
    if kind == "as_none":
        return None
    if kind in _PLAIN:
        return told
    if kind == "as_tensor":
        return _named(reader, told["name"])
    if kind in ("as_tensors", "as_sym_ints"):
        key = "as_tensor" if kind == "as_tensors" else "as_sym_int"
        return [_value(reader, {key: each}) for each in told]
    if kind == "as_sym_int":
        return told["as_int"] if "as_int" in told else _named(reader, told["as_name"])
    if kind in ("as_memory_format", "as_scalar_type", "as_layout", "as_device"):
        return None  # what torch takes by itself
    refuse(f"one of its operations takes {shown(kind)}")


def _named(reader: _Reader, name: str) -> Any:
    """What a name of the program stands for; a tensor of the network becomes a node."""
    if name not in reader.values and name in reader.weights:
        path = reader.weights[name]
        tensor = reader.tensors[path]
        made = {"shape": list(tensor.shape), "is_parameter": path in reader.parameters,
                "is_float": tensor.is_floating_point()}  # fmt: skip
        reader.nodes.append({"op": "tensor", "args": [], "module": path, "made": made})
        reader.values[name] = {"v": len(reader.nodes) - 1}
    return reader.values[name]


def _tensors_of(node: Mapping[str, Any]) -> list[str]:
    if node["op"] == "tensor":
        return [node["module"]]
    if "module" not in node:
        return []
    leaves = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return [f"{node['module']}.{leaf}" for leaf in leaves]


@torch.inference_mode()
def check_any_number(model: nn.Module, image_shape: Sequence[int | None]) -> None:
    """Raises UnsupportedFormatError for a program of a fixed number of images."""
    if len(image_shape) != 4 or image_shape[0] is None:
        return
    count, *rest = (size or 32 for size in image_shape)
    try:
        result = model(torch.zeros(count + 1, *rest))
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError):
        result = None
    if not isinstance(result, Tensor) or len(result) != count + 1:
        raise UnsupportedFormatError(
            f"a .pt2 archive whose program runs on {count} images at a time only; export it with "
            "torch.export.export(model, (images,), "
            "dynamic_shapes=({0: torch.export.Dim('batch')},))"
        )
