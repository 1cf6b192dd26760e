"""Safetensors files whose headers claim what the file does not hold."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import torch
from budget import rounds
from checkpoint_oracle import ARGUMENTS, Oracle, content, with_changed_bytes
from safetensors.torch import save

from engine.checkpoints.own_metadata import metadata_of
from engine.contracts.networks import Architecture, DataDescription

torch.set_num_threads(1)
DTYPES = ("F32", "F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "I8", "U64",
          "C64", "F4", "f32", "", "X", None, 3)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 3, 2**31, 2**32, 2**53, 2**62, 2**63, 2**64, 10**30, 1.5, True, None, "1",
           [1], {})  # fmt: skip


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def _joined(header: Any, body: bytes, chance: random.Random) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = (
        len(text) if chance.random() < 0.9 else chance.choice((0, 1, 2**40, 2**63, len(text) + 9))
    )
    return size.to_bytes(8, "little") + text + body


def _with_wrong_entries(data: bytes, chance: random.Random) -> bytes:
    """Dtypes, shapes, offsets and overlaps that contradict the bytes."""
    header, body = _split(data)
    names = [name for name in header if name != "__metadata__"]
    for _ in range(chance.randint(1, 3)):
        name, other = chance.choice(names), chance.choice(names)
        entry = dict(header[name]) if isinstance(header.get(name), dict) else {}
        kind = chance.randrange(8)
        if kind == 0:
            entry["dtype"] = chance.choice(DTYPES)
        elif kind == 1:
            entry["shape"] = [chance.choice(NUMBERS) for _ in range(chance.randrange(5))]
        elif kind == 2:
            entry["data_offsets"] = [
                chance.choice(NUMBERS) for _ in range(chance.choice((2, 2, 3)))
            ]
        elif kind == 3:  # two tensors at one place
            entry = dict(header[other]) if isinstance(header.get(other), dict) else entry
        elif kind == 4 and entry:
            entry.pop(chance.choice(list(entry)))
        elif kind == 5:
            entry = chance.choice((None, 3, [], "x", {"a": {}}))
        elif kind == 6:
            entry["shape"] = [0] * chance.randrange(1, 200)
        else:
            entry["more"] = {"deep": [[[]]]}
        target = chance.choice((name, name, "", "\x1b[31m", "x" * 10_000, "a\u202eb"))
        header[target] = entry
    return _joined(header, body, chance)


def _with_wrong_metadata(data: bytes, chance: random.Random) -> bytes:
    header, body = _split(data)
    values = (
        "",
        "null",
        "[]",
        "{}",
        "3",
        "NaN",
        "[" * 5000,
        '{"factory": "os:system"}',
        json.dumps({"factory": "cifar_resnet", "arguments": {"stem_width": 2**40}, "edits": []}),
        "\x1b",
        "pe-explore/2",
        "pe-explore/1",
    )
    keys = ("pe-explore", "architecture", "data", "metrics", "format", "x")
    if chance.random() < 0.1:
        header["__metadata__"] = chance.choice(NUMBERS)
    else:
        header.setdefault("__metadata__", {})
        for _ in range(chance.randint(1, 3)):
            value = chance.choice(values) if chance.random() < 0.9 else chance.choice(NUMBERS)
            header["__metadata__"][chance.choice(keys)] = value
    return _joined(header, body, chance)


def _with_wrong_json(data: bytes, chance: random.Random) -> bytes:
    header, body = _split(data)
    text = json.dumps(header)
    made = chance.choice((
        "[" * chance.randrange(1, 100_000), "{" * 50, "{}", "[]", "null", text + text, text[:-1],
        text[:-1] + "," + text[1:], " " * 1000 + text, text + " " * 1000, "\ufeff" + text,
        text.replace(":", ": ", 3), text.replace('"shape"', '"shape":[1],"shape"'),
    ))  # fmt: skip
    return _joined(made.encode(), body, chance)


@pytest.mark.slow
def test_no_header_brings_the_reader_down(tmp_path, monkeypatch):
    oracle = Oracle(tmp_path, monkeypatch)
    state = content()["state_dict"]
    about = metadata_of(Architecture("cifar_resnet", ARGUMENTS), DataDescription(), {"a": 1.0})
    files = [save(state), save(state, about)]
    makers = (_with_wrong_entries, _with_wrong_metadata, _with_wrong_json, with_changed_bytes)
    for chance in rounds(15):
        data, make = chance.choice(files), chance.choice(makers)
        oracle.check(make(data, chance), chance.choice((".safetensors", ".pt")))
    oracle.check_memory()
    assert oracle.refused > oracle.loaded > 0
