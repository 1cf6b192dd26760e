"""Zip archives whose directory, headers and entries contradict each other."""

from __future__ import annotations

import io
import random
import struct
import zipfile

import pytest
import torch
from budget import rounds
from checkpoint_oracle import Oracle, content, saved, with_changed_bytes

torch.set_num_threads(1)

# Offsets in a local header and in an entry of the directory: flags, method, sizes, lengths, places.
_LOCAL = {b"PK\x03\x04": (4, 6, 8, 14, 18, 22, 26, 28)}
_CENTRAL = {b"PK\x01\x02": (4, 8, 10, 16, 20, 24, 28, 30, 32, 34, 36, 38, 42)}
_END = {b"PK\x05\x06": (4, 6, 8, 10, 12, 16, 20)}
_ZIP64 = {b"PK\x06\x06": (4, 12, 16, 24, 32, 40, 48), b"PK\x06\x07": (4, 8, 16)}
FIELDS = _LOCAL | _CENTRAL | _END | _ZIP64
NAMES = ("archive/data.pkl", "archive/DATA.PKL", "../data.pkl", "/etc/x", "archive/data/0",
         "archive/data/../data.pkl", "archive\\data.pkl", "", "archive/", "x" * 5000,
         "archive/\u202edata.pkl", "archive/constants.pkl", "archive/byteorder",
         "archive/version", "archive/data.pkl/", "other/data.pkl", "\0")  # fmt: skip


def _with_wrong_fields(data: bytes, chance: random.Random) -> bytes:
    """Numbers of headers set to what they must not be."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        mark = chance.choice(list(FIELDS))
        places = [i for i in range(len(data) - 3) if data[i : i + 4] == mark]
        if not places:
            continue
        at = chance.choice(places) + chance.choice(FIELDS[mark])
        kind = chance.choice(("<H", "<I", "<Q"))
        most = 2 ** (8 * struct.calcsize(kind)) - 1
        value = chance.choice(
            (0, 1, 8, 12, 0x800, len(data), most, most // 2, chance.randrange(most))
        )
        if at + struct.calcsize(kind) <= len(changed):
            struct.pack_into(kind, changed, at, min(value, most))
    return bytes(changed)


def _rebuilt(data: bytes, chance: random.Random) -> bytes:
    """The archive with entries doubled, renamed, compressed, dropped, or others put in."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        entries = [(name, old.read(name)) for name in old.namelist()]
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(entries))
            kind = chance.randrange(5)
            if kind == 0 and len(entries) > 1:
                del entries[place]
            elif kind == 1:
                entries.insert(chance.randrange(len(entries)), entries[place])
            elif kind == 2:
                entries[place] = (chance.choice(NAMES), entries[place][1])
            elif kind == 3:
                entries.append((chance.choice(NAMES), chance.randbytes(chance.randrange(40))))
            else:
                cut = chance.randrange(len(entries[place][1]) + 1)
                entries[place] = (entries[place][0], entries[place][1][:cut])
        for name, body in entries:
            method = zipfile.ZIP_DEFLATED if chance.random() < 0.1 else zipfile.ZIP_STORED
            new.writestr(zipfile.ZipInfo(name or "_"), body, method)
        if chance.random() < 0.1:
            new.comment = chance.randbytes(chance.randrange(100))
    return stream.getvalue()


def _joined(data: bytes, chance: random.Random) -> bytes:
    """Parts of two archives, one behind the other."""
    other = saved({"x": torch.zeros(3)})
    cut, start = chance.randrange(len(data)), chance.randrange(len(other))
    return chance.choice(
        (
            data + other,
            data[:cut] + other,
            data + other[start:],
            other + data[cut:],
            data[:cut],
            bytes(chance.randrange(64)) + data,
        )
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_archive_brings_the_reader_down(tmp_path, monkeypatch):
    oracle = Oracle(tmp_path, monkeypatch)
    data = saved(content())
    makers = (_with_wrong_fields, _rebuilt, _joined, with_changed_bytes)
    for chance in rounds(15):
        oracle.check(chance.choice(makers)(data, chance))
    oracle.check_memory()
    assert oracle.refused > oracle.loaded > 0
