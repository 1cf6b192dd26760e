"""Pickles that are changed opcode by opcode, and programs made of dangerous ones: none is run."""

from __future__ import annotations

import io
import itertools
import pickle
import pickletools
import random
import zipfile
from collections.abc import Callable

import pytest
import torch
from budget import rounds
from checkpoint_oracle import CANARY, Oracle, content, saved, with_changed_bytes

torch.set_num_threads(1)
Shell = Callable[[bytes], bytes]  # puts a pickle into a file


def _in_zip(pickled: bytes) -> bytes:
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(saved(content()))) as old,
        zipfile.ZipFile(stream, "w") as new,
    ):
        for name in old.namelist():
            new.writestr(name, pickled if name.endswith("data.pkl") else old.read(name))
    return stream.getvalue()


def _in_legacy(pickled: bytes) -> bytes:
    """The fourth of the five pickles before the storages."""
    data = saved(content(), _use_new_zipfile_serialization=False)
    ends, stream = [0], io.BytesIO(data)
    for _ in range(5):
        for _ in pickletools.genops(stream):
            pass
        ends.append(stream.tell())
    return data[: ends[3]] + pickled + data[ends[4] :]


def _bare(pickled: bytes) -> bytes:
    return pickled


SHELLS: tuple[Shell, ...] = (_in_zip, _in_zip, _in_legacy, _bare)


def sound_pickle(protocol: int = 2) -> bytes:
    with zipfile.ZipFile(io.BytesIO(saved(content(), pickle_protocol=protocol))) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))


def opcodes(pickled: bytes) -> list[bytes]:
    """A pickle cut into its opcodes with their arguments."""
    starts = [place for _, _, place in pickletools.genops(pickled)] + [len(pickled)]
    return [pickled[a:b] for a, b in itertools.pairwise(starts)]


def _short(text: str) -> bytes:
    return pickle.SHORT_BINUNICODE + bytes([len(text)]) + text.encode()


def _global(name: tuple[str, str], chance: random.Random) -> bytes:
    if chance.random() < 0.5:
        return b"c%s\n%s\n" % (name[0].encode(), name[1].encode())
    return _short(name[0]) + _short(name[1]) + pickle.STACK_GLOBAL


DANGEROUS = (
    (CANARY, "fire"), ("os", "system"), ("posix", "system"), ("builtins", "exec"),
    ("builtins", "eval"), ("__builtin__", "execfile"), ("builtins", "getattr"),
    ("builtins", "__import__"), ("subprocess", "Popen"), ("importlib", "import_module"),
    ("torch", "load"), ("torch.hub", "load"), ("numpy", "load"), ("pickle", "loads"),
    ("functools", "partial"), ("operator", "attrgetter"), ("copyreg", "_reconstructor"),
    ("torch.nn.modules.linear", "Linear"), ("os", "os.system"),
    ("torch", "serialization.os.system"),
)  # fmt: skip
HARMLESS = (
    ("collections", "OrderedDict"), ("collections", "defaultdict"), ("collections", "deque"),
    ("pathlib", "PosixPath"), ("datetime", "datetime"), ("numpy", "dtype"), ("numpy", "ndarray"),
    ("numpy._core.multiarray", "scalar"), ("numpy._core.multiarray", "_reconstruct"),
    ("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_tensor_v3"),
    ("torch._utils", "_rebuild_parameter"), ("torch", "FloatStorage"), ("torch", "Size"),
    ("torch.storage", "UntypedStorage"), ("torch", "float32"), ("_codecs", "encode"),
    ("builtins", "set"), ("builtins", "bytearray"), ("torch.torch_version", "TorchVersion"),
)  # fmt: skip
CALLS = (pickle.REDUCE, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.BUILD, pickle.BINPERSID,
         pickle.APPEND, pickle.SETITEM, pickle.APPENDS, pickle.SETITEMS, pickle.ADDITEMS,
         pickle.OBJ, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.LIST,
         pickle.DICT, pickle.DUP, pickle.POP, pickle.POP_MARK, pickle.MEMOIZE,
         pickle.FROZENSET, pickle.EXT1 + b"\x01", pickle.NEXT_BUFFER,
         pickle.READONLY_BUFFER)  # fmt: skip
VALUES = (pickle.NONE, pickle.NEWTRUE, pickle.EMPTY_TUPLE, pickle.EMPTY_LIST, pickle.EMPTY_DICT,
          pickle.EMPTY_SET, pickle.MARK, pickle.BININT1 + b"\x05",
          pickle.BININT + b"\xff\xff\xff\x7f",
          pickle.LONG1 + b"\x08" + b"\xff" * 8, pickle.BINFLOAT + b"\x7f\xf0" + bytes(6),
          pickle.SHORT_BINBYTES + b"\x04abcd", pickle.BINGET + b"\x00", pickle.BINPUT + b"\x01",
          pickle.LONG_BINGET + b"\xff\xff\xff\xff", pickle.LONG_BINPUT + b"\xff\xff\xff\xff",
          pickle.BINBYTES8 + b"\xff" * 8, pickle.BINUNICODE + b"\xff\xff\xff\xff",
          pickle.FRAME + b"\xff" * 8, pickle.BYTEARRAY8 + b"\0\0\0\0\0\0\0\x40")  # fmt: skip


def _program(chance: random.Random, marker: str) -> bytes:
    """Calls of everything by every opcode that calls, on a stack that often bears it."""
    parts = [pickle.PROTO + bytes([chance.choice((0, 2, 3, 4, 5))]), pickle.EMPTY_DICT]
    for _ in range(chance.randint(1, 12)):
        name = chance.choice(DANGEROUS if chance.random() < 0.6 else HARMLESS)
        argument = _short(f"touch {marker}") + pickle.TUPLE1
        kind = chance.randrange(8)
        if kind == 0:
            parts += [_global(name, chance), argument, chance.choice((b"R", b"\x81"))]
        elif kind == 1:
            parts += [pickle.MARK, _short(f"touch {marker}"),
                      b"i%s\n%s\n" % (name[0].encode(), name[1].encode())]  # fmt: skip
        elif kind == 2:
            parts += [pickle.MARK, _global(name, chance), _short(f"touch {marker}"), pickle.OBJ]
        elif kind == 3:
            parts += [
                _global(name, chance),
                argument,
                b"R",
                pickle.EMPTY_DICT,
                _short("__class__"),
                _global(chance.choice(DANGEROUS), chance),
                b"s",
                b"b",
            ]
        elif kind == 4:
            parts += [_global(name, chance), argument, pickle.EMPTY_DICT, pickle.NEWOBJ_EX]
        elif kind == 5:
            parts += [
                _short("storage"),
                _global(name, chance),
                _short("0"),
                _short("cpu"),
                b"K\x04",
                b"t" if chance.random() < 0.5 else b"\x87",
                pickle.BINPERSID,
            ]
        else:
            parts += [chance.choice(VALUES), chance.choice(CALLS)]
        if chance.random() < 0.3:
            parts += [_short("k"), chance.choice(VALUES)]
    return b"".join(parts) + pickle.STOP


def _mutated(parts: list[bytes], chance: random.Random, marker: str) -> bytes:
    """A sound pickle with opcodes taken out, doubled, exchanged, or put in."""
    parts = list(parts)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        place, other = chance.randrange(len(parts)), chance.randrange(len(parts))
        kind = chance.randrange(6)
        if kind == 0:
            del parts[place]
        elif kind == 1:
            parts.insert(place, parts[other])
        elif kind == 2:
            parts[place], parts[other] = parts[other], parts[place]
        elif kind == 3:
            parts[place] = chance.choice(CALLS + VALUES)
        elif kind == 4:
            parts.insert(place, _global(chance.choice(DANGEROUS + HARMLESS), chance))
        else:
            calls = chance.choice((b"R", b"\x81", b"b"))
            called = [_global(chance.choice(DANGEROUS), chance), _short(f"touch {marker}"),
                      pickle.TUPLE1, calls]  # fmt: skip
            parts[place:place] = called
    return b"".join(parts)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_pickle_runs_code_or_brings_the_reader_down(tmp_path, monkeypatch):
    oracle = Oracle(tmp_path, monkeypatch)
    sound = {protocol: opcodes(sound_pickle(protocol)) for protocol in (2, 3, 4)}
    marker = str(oracle.marker)
    for chance in rounds(20):
        kind = chance.randrange(5)
        if kind < 2:
            pickled = _program(chance, marker)
        elif kind < 4:
            pickled = _mutated(sound[chance.choice((2, 2, 3, 4))], chance, marker)
        else:
            pickled = with_changed_bytes(b"".join(sound[2]), chance)
        oracle.check(chance.choice(SHELLS)(pickled))
    oracle.check_memory()
    assert oracle.refused > oracle.loaded > 0


@pytest.mark.parametrize("shell", [_in_zip, _in_legacy, _bare])
def test_each_opcode_that_calls_calls_nothing(shell, tmp_path, monkeypatch):
    oracle = Oracle(tmp_path, monkeypatch)
    fire, text = b"c%s\nfire\n" % CANARY.encode(), _short("x") + pickle.TUPLE1
    programs = [
        fire + text + pickle.REDUCE,
        fire + text + pickle.NEWOBJ,
        fire + text + pickle.EMPTY_DICT + pickle.NEWOBJ_EX,
        pickle.MARK + _short("x") + b"i%s\nfire\n" % CANARY.encode(),
        pickle.MARK + fire + _short("x") + pickle.OBJ,
        b"ccollections\nOrderedDict\n)R}" + _short("__class__") + fire + b"sb",
        b"ccollections\ndefaultdict\n" + fire + b"\x85R" + _short("k") + b"N" + b"s",
        pickle.EXT1 + b"\x01" + text + pickle.REDUCE,
        _short(CANARY) + _short("fire") + pickle.STACK_GLOBAL + text + pickle.REDUCE,
        b"P0\n" + fire + text + pickle.REDUCE,
        b"cpathlib\nPosixPath\n" + fire + text + b"R\x85R",
        b"ctorch._utils\n_rebuild_tensor_v2\n" + fire + text + b"R" + b"\x85R",
    ]
    for program in programs:
        oracle.check(shell(pickle.PROTO + b"\x02" + program + pickle.STOP))
    assert oracle.refused == len(programs) and oracle.loaded == 0
