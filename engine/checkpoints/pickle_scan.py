"""What a pickle would make, found out without importing or calling anything it names.

torch.load(weights_only=True) keeps a pickle from running code, but it allocates what the pickle
asks for, stops at the first class it does not know, and takes tensors that claim more elements
than the file holds. The survey runs first: every class becomes an inert stand-in, every tensor a
checked description.
"""

from __future__ import annotations

import _compat_pickle
import collections
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

import numpy as np
import torch

from engine.checkpoints.errors import DamagedFileError, UnsafeCheckpointError
from engine.checkpoints.passive_classes import PASSIVE_CLASSES
from engine.checkpoints.stand_ins import Elements, Inert, PlainTensor, Storage, Unsupported
from engine.contracts.errors import CheckpointError
from engine.contracts.message_text import shown

MAX_DEPTH = 32
MAX_NODES = 2_000_000
MAX_READS = 4_000_000  # of the pickle, one or more an opcode; ResNet-110 needs 60,000


@dataclass
class _NumpyDtype:
    """Stands for the dtype of a NumPy scalar; None: of what is no number."""

    code: str | None
    order: str = "<"


@dataclass(frozen=True, eq=False)
class _Global:
    """A name in a pickle; `build` is what calling it means, None where that is not known."""

    name: str
    build: Callable[..., Any] | None
    value: Elements | None = None


@dataclass
class Survey:
    """What was found: the content, classes, the storages and the pickle protocol.

    `passive` are classes of mere values, which are left out; torch's reader knows them not.
    """

    content: Any = None
    unknown_globals: dict[str, None] = field(default_factory=dict)  # ordered, each once
    passive: dict[str, None] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)
    protocol: int = 0


def survey_pickle(
    stream: BinaryIO, found: Survey, storage_bytes: Mapping[str, int] | None = None
) -> None:
    """Reads one pickle from a stream into `found`.

    `storage_bytes` is the size of each storage in the file, where that is known beforehand.
    Raises DamagedFileError and UnsafeCheckpointError.
    """
    reader = _Reader(stream, found, storage_bytes)
    try:
        found.content = reader.load()
        found.protocol = max(found.protocol, reader.proto)
    except CheckpointError:
        raise
    # The unpickler meets bytes that may be anything, and raises nearly anything (KeyError,
    # IndexError, TypeError, UnicodeDecodeError, …); nothing of ours runs inside it.
    except Exception as error:
        raise DamagedFileError(
            f"the pickle inside is corrupt or cut short ({type(error).__name__}); fetch it again"
        ) from error


class _Counted:
    """A stream that is read only so often: each opcode may make an object and takes time."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = MAX_READS

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise UnsafeCheckpointError(
                f"refused: its pickle has more than {MAX_READS:,} parts, which no network needs; "
                "save the weights alone"
            )

    def read(self, num_bytes: int = -1, /) -> bytes:
        self._count()
        return self._stream.read(num_bytes)

    def readline(self) -> bytes:
        self._count()
        return self._stream.readline()


class _Reader(pickle._Unpickler):  # the C one allocates whatever a memo index in the file asks for
    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(
        self, stream: BinaryIO, found: Survey, storage_bytes: Mapping[str, int] | None
    ) -> None:
        super().__init__(_Counted(stream), encoding="utf-8")
        self.proto = 0
        self.found = found
        self.storage_bytes = storage_bytes

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        module = _compat_pickle.IMPORT_MAPPING.get(module_name, module_name)
        name = f"{module}.{global_name}"
        if name in _VALUES:
            return _Global(name, None, _VALUES[name])
        build = _BUILDERS.get(name)
        if name in PASSIVE_CLASSES or name == _DEFAULTDICT:
            self.found.passive[name] = None
        elif build is None:
            self.found.unknown_globals[name] = None
        return _Global(name, build)

    def persistent_load(self, pid: Any, /) -> Any:
        if isinstance(pid, tuple) and pid and pid[0] == "module":  # torch before 1.6
            self.found.unknown_globals[pid[1].name] = None
            return pid[1]
        kind, storage_type, key, _location, num_elements, *view = pid
        if kind != "storage" or type(key) is not str or any(v is not None for v in view):
            raise DamagedFileError(
                "its tensors are stored in a way that torch.save stopped using in 2018; "
                "load it with the torch that wrote it and save it again"
            )
        elements = storage_type.value
        num_bytes = _natural(num_elements) * elements.itemsize
        in_file = num_bytes if self.storage_bytes is None else self.storage_bytes.get(key, -1)
        storage = Storage(elements, num_bytes, key)
        known = self.found.storages.setdefault(key, storage)
        if num_bytes != in_file or num_bytes != known.num_bytes:
            raise UnsafeCheckpointError(
                f"refused: the storage {shown(key)} claims {num_bytes:,} bytes, and the file does "
                "not hold that many; fetch it again"
            )
        return storage

    def call(self, function: Any, arguments: Any) -> Any:
        if isinstance(function, Inert):
            return Inert(function.class_name)
        if not isinstance(function, _Global) or function.value is not None:
            raise pickle.UnpicklingError("calls what is no class")
        if function.build is None:
            return Inert(function.name)
        made = function.build(*arguments)
        if isinstance(made, Inert) and made.class_name not in self.found.unknown_globals:
            self.found.passive[made.class_name] = None
        return made

    # The opcodes that call or change an object, so that only our stand-ins are ever touched.

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], arguments)

    def load_newobj_ex(self) -> None:
        self.stack.pop()  # keyword arguments: only unknown classes have them
        self.load_reduce()

    def _instantiate(self, function: Any, arguments: Any) -> None:
        self.append(self.call(function, arguments))

    def load_frame(self) -> None:
        self.read(8)  # a hint to read ahead, which would go past the count

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, _NumpyDtype):
            _set_numpy_state(target, state)
        elif not isinstance(target, Inert | collections.OrderedDict | PlainTensor):
            raise pickle.UnpicklingError("sets the state of what has none")

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_reduce
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.FRAME[0]] = load_frame
    for _opcode in (pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER,
                    pickle.EXT1, pickle.EXT2, pickle.EXT4):  # fmt: skip
        del dispatch[_opcode[0]]  # allocate unchecked, or reach into this process


def _natural(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**62:
        raise DamagedFileError("corrupt: a size in the pickle is not a size; fetch it again")
    return value


def _tensor(
    storage: Any, offset: Any, shape: Any, stride: Any, elements: Elements | None = None
) -> PlainTensor | Inert | Unsupported:
    """Checks that the elements lie in the storage and that no two share a place."""
    if isinstance(storage, Inert):  # read on, to find all that is unknown
        return storage
    sizes, strides = [_natural(v) for v in shape], [_natural(v) for v in stride]
    elements = storage.elements if elements is None else elements
    if elements.dtype is None:
        return Unsupported("a quantised tensor")
    place = (tuple(sizes), tuple(strides), _natural(offset), storage.key, elements.dtype)
    if len(sizes) != len(strides):
        raise DamagedFileError("corrupt: a tensor has more sizes than strides; fetch it again")
    if 0 in sizes:
        return PlainTensor(*place)
    last, overlaps = 0, False
    for step, size in sorted((s, n) for n, s in zip(sizes, strides, strict=True) if n != 1):
        overlaps |= step <= last  # a place that smaller steps reach is reached again
        last += step * (size - 1)
    if overlaps or (_natural(offset) + last + 1) * elements.itemsize > storage.num_bytes:
        raise UnsafeCheckpointError(
            f"refused: a tensor of shape {_shape(sizes)} with strides {_shape(strides)} has "
            f"elements outside its storage of {storage.num_bytes:,} bytes, or several at one "
            "place; save it again with tensor.contiguous()"
        )
    return PlainTensor(*place)


def _shape(sizes: list[int]) -> str:
    return "(" + ", ".join(map(str, sizes[:8])) + (", …)" if len(sizes) > 8 else ")")


def _tensor_v2(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> Any:
    return _tensor(storage, offset, shape, stride)


def _tensor_v3(
    storage: Any, offset: Any, shape: Any, stride: Any, _grad: Any, _hooks: Any, dtype: Any,
    *_: Any,
) -> Any:  # fmt: skip
    return _tensor(storage, offset, shape, stride, dtype.value)


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _numpy_dtype(code: Any, *_: Any) -> _NumpyDtype:
    """A dtype of numbers, or of what is left out (text, objects, times)."""
    return _NumpyDtype(code if type(code) is str and code in _NUMBER_CODES else None)


def _set_numpy_state(dtype: _NumpyDtype, state: Any) -> None:
    if dtype.code is None:
        return
    usual = (3, None, None, None, -1, -1, 0)
    if (
        type(state) is not tuple
        or state[:1] + state[2:] != usual
        or state[1] not in ("<", ">", "|")
    ):
        raise UnsafeCheckpointError("refused: a NumPy dtype with unusual contents; save numbers")
    dtype.order = state[1].replace("|", "<")


def _numpy_scalar(dtype: Any, content: Any = b"", *_: Any) -> Any:
    if not isinstance(dtype, _NumpyDtype):
        raise UnsafeCheckpointError("refused: a NumPy scalar that is no number; save numbers")
    if dtype.code is None:
        return Inert("numpy.generic")
    if type(content) is not bytes or len(content) != int(dtype.code[1]):
        raise UnsafeCheckpointError("refused: a NumPy scalar that is no number; save numbers")
    return np.frombuffer(content, dtype.order + dtype.code)[0].item()


def _encode(text: Any, encoding: Any = "latin1", *_: Any) -> bytes:
    return str(text).encode("latin1") if encoding == "latin1" else b""


def _unsupported(what: str) -> Callable[..., Any]:
    return lambda *_: Unsupported(what)


_STORAGE_DTYPE = {
    "Byte": torch.uint8, "Char": torch.int8, "Bool": torch.bool, "Short": torch.int16,
    "Half": torch.float16, "BFloat16": torch.bfloat16, "Int": torch.int32, "Float": torch.float32,
    "Long": torch.int64, "Double": torch.float64, "ComplexFloat": torch.complex64,
    "ComplexDouble": torch.complex128,
}  # fmt: skip
_QUANTISED_ITEMSIZE = {"QInt8": 1, "QUInt8": 1, "QInt32": 4}
_NUMBER_CODES = ("b1", "f2", "f4", "f8", *(f"{s}{n}" for s in "iu" for n in (1, 2, 4, 8)))
_DEFAULTDICT = "collections.defaultdict"

# What naming a global means, as a value: what one element is (of 0 bytes: of no use here).
_VALUES: dict[str, Elements] = {
    f"torch.{place}{name}Storage": elements
    for place in ("", "cuda.")
    for name, elements in (
        *((name, Elements(dtype.itemsize, dtype)) for name, dtype in _STORAGE_DTYPE.items()),
        *((name, Elements(size)) for name, size in _QUANTISED_ITEMSIZE.items()),
    )
} | {
    "torch.storage.UntypedStorage": Elements(1, torch.uint8),
    **{str(d): Elements(0) for d in vars(torch).values() if isinstance(d, torch.qscheme)},
    **{
        str(d): Elements(d.itemsize, None if str(d).startswith("torch.q") else d)
        for d in vars(torch).values() if isinstance(d, torch.dtype)
    },
}  # fmt: skip

# What calling a global means. Each of these is also on the list of torch's own safe unpickler,
# or put there by us (NumPy's).
_BUILDERS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": lambda *items: collections.OrderedDict(*items),
    "collections.Counter": lambda *items: dict(*items),
    _DEFAULTDICT: lambda *_: {},
    "builtins.set": lambda *items: list(*items),
    "builtins.complex": lambda *_: Unsupported("a complex number"),
    "builtins.bytearray": lambda *_: b"",
    "_codecs.encode": _encode,
    "torch.Size": lambda sizes: tuple(sizes),
    "torch.device": lambda *_: "device",
    "torch.serialization._get_layout": lambda *_: "layout",
    "torch._utils._rebuild_tensor": _tensor_v2,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _unsupported("a tensor with attributes"),
    "torch._tensor._rebuild_from_type_v2": _unsupported("a tensor subclass"),
    "torch._utils._rebuild_wrapper_subclass": _unsupported("a tensor subclass"),
    "torch._utils._rebuild_sparse_tensor": _unsupported("a sparse tensor"),
    "torch._utils._rebuild_qtensor": _unsupported("a quantised tensor"),
    "torch._utils._rebuild_meta_tensor_no_storage": _unsupported("a tensor without values (meta)"),
    "torch._utils._rebuild_device_tensor_from_numpy": _unsupported("a tensor of another device"),
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _unsupported(
        "a tensor of another device"
    ),
    "numpy.dtype": _numpy_dtype,
    "numpy.core.multiarray.scalar": _numpy_scalar,
    "numpy._core.multiarray.scalar": _numpy_scalar,
}


def leaves(content: Any) -> list[tuple[str, Any]]:
    """Every value that is no container, with the key it stands under.

    Raises UnsafeCheckpointError where the nesting is deeper, or the content larger, than any
    checkpoint's. Each container is entered once, however often it is referred to.
    """
    found: list[tuple[str, Any]] = []
    entered: set[int] = set()
    waiting: list[tuple[str, Any, int]] = [("", content, 0)]
    while waiting:
        key, value, depth = waiting.pop()
        if not isinstance(value, dict | list | tuple):
            found.append((key, value))
            continue
        if depth > MAX_DEPTH or len(entered) + len(waiting) + len(found) > MAX_NODES:
            raise UnsafeCheckpointError(
                f"refused: values nested more than {MAX_DEPTH} deep or more than {MAX_NODES:,}; "
                'save the weights alone: torch.save(model.state_dict(), "weights.pt")'
            )
        if id(value) in entered:
            continue
        entered.add(id(value))
        named = value.items() if isinstance(value, dict) else ((key, v) for v in value)
        waiting.extend((k if isinstance(k, str) else key, v, depth + 1) for k, v in named)
    return found
