"""Classes of mere values, which training scripts keep beside the weights.

Nobody calls them here: where a pickle names one its value is left out, and the tensors are taken.
"""

from __future__ import annotations

_ATTRIBUTE_DICT = ("AttributeDict",)  # Lightning's hyperparameters, at its different addresses

_NAMES: dict[str, tuple[str, ...]] = {
    "addict.addict": ("Dict",),
    "argparse": ("Namespace",),
    # Three have the names that Python 2 gave them, as in pickles of protocol 2.
    "builtins": ("bool", "bytes", "dict", "float", "frozenset", "int", "list", "long", "object",
                 "range", "slice", "str", "tuple", "unicode", "xrange"),
    "collections": ("deque",),
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "easydict": ("EasyDict",),
    "fractions": ("Fraction",),
    "lightning.fabric.utilities.data": _ATTRIBUTE_DICT,
    "lightning.pytorch.utilities.parsing": _ATTRIBUTE_DICT,
    "lightning_fabric.utilities.data": _ATTRIBUTE_DICT,
    "munch": ("Munch",),
    "numpy": ("ndarray",),
    "numpy.core.multiarray": ("_reconstruct",),
    "numpy._core.multiarray": ("_reconstruct",),
    "numpy._core.numeric": ("_frombuffer",),
    "numpy.core.numeric": ("_frombuffer",),
    "numpy.random._mt19937": ("MT19937",),
    "numpy.random._pcg64": ("PCG64", "PCG64DXSM"),
    "numpy.random._philox": ("Philox",),
    "numpy.random._pickle": ("__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"),
    "numpy.random._sfc64": ("SFC64",),
    "numpy.random.bit_generator": ("SeedSequence", "__pyx_unpickle_SeedSequence"),
    "omegaconf.base": ("ContainerMetadata", "Metadata"),
    "omegaconf.dictconfig": ("DictConfig",),
    "omegaconf.listconfig": ("ListConfig",),
    "omegaconf.nodes": ("AnyNode", "BooleanNode", "BytesNode", "FloatNode", "IntegerNode",
                        "PathNode", "StringNode"),
    "pathlib": ("Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath",
                "WindowsPath"),
    "pathlib._local": ("Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath",
                       "WindowsPath"),
    "pytorch_lightning.utilities.parsing": _ATTRIBUTE_DICT,
    "random": ("Random",),
    "torch": ("Generator",),
    "torch._C": ("Generator",),
    "torch.torch_version": ("TorchVersion",),
    "types": ("SimpleNamespace",),
    "typing": ("Any",),
    "uuid": ("SafeUUID", "UUID"),
    "yacs.config": ("CfgNode",),
}  # fmt: skip

PASSIVE_CLASSES = frozenset(
    f"{module}.{name}" for module, names in _NAMES.items() for name in names
)


def is_told(name: str) -> bool:
    """Whether a person should hear that a value of this class was left out: what a defaultdict
    holds is read, and its factory is no value."""
    return not name.startswith("builtins.") and name != "collections.defaultdict"
