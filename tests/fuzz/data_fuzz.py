"""What the fuzzers of data share: damage, a child of bounded memory, and what may come of a try."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.contracts.errors import DataError
from engine.data import ImageData

MOST_SECONDS = 5
MOST_SECONDS_OF_WAITING = 60
MORE_BYTES = 10**9  # than the child has when it begins
INTERESTING = (0, 1, 2, 127, 128, 255, 256, 32_767, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)


@dataclass
class Report:
    """How a fuzzer went: tries, how many were accepted, and the first faults in words."""

    tries: int = 0
    accepted: int = 0
    faults: tuple[str, ...] = ()


def damaged(content: bytes, random: random.Random, others: Iterable[bytes] = ()) -> bytes:
    """Bytes with a few things done to them, as disks, networks and enemies do."""
    result = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        if not result:
            break
        at = random.randrange(len(result))
        length = random.choice((1, 2, 4, 8, 64))
        kind = random.randrange(9)
        if kind == 0:
            result[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            result[at] = random.randrange(256)
        elif kind == 2:
            order, code = random.choice("<>"), random.choice("BHIQ")
            value = random.choice(INTERESTING) % 2 ** (8 * struct.calcsize(code))
            result[at : at + struct.calcsize(code)] = struct.pack(order + code, value)
        elif kind == 3:
            del result[at : at + length]
        elif kind == 4:
            result[at:at] = bytes(random.randrange(256) for _ in range(length))
        elif kind == 5:
            result[at:at] = result[at : at + length] * random.choice((1, 2, 50))
        elif kind == 6:
            del result[at:]
        elif kind == 7:
            result[at : at + length] = bytes(length)
        elif others := list(others):
            other = random.choice(others)
            result[at:] = other[random.randrange(len(other)) :]
    return bytes(result)


def is_data_set(data: ImageData) -> bool:
    """Whether a data set can be worked with."""
    splits = (data.train, data.validation, data.test)
    return len(data.classes) >= 2 and all(
        str(split.pixels_NHWC.dtype) == "torch.uint8"
        and split.pixels_NHWC.ndim == 4
        and split.pixels_NHWC.shape[1:] == data.image_shape_HWC
        and len(split) > 0
        and 0 <= int(split.labels_N.min()) <= int(split.labels_N.max()) < len(data.classes)
        for split in splits
    )


def accepted(load: Callable[[], object], refused: type[Exception] = DataError) -> bool:
    """Whether a try gave data; False where it was refused in words. Anything else raises."""
    started, began = time.process_time(), time.monotonic()
    try:
        found = load()
    except refused as error:
        said = str(error)
        assert said and said.isprintable(), f"not fit for a terminal: {said!r}"
        for words in ("Errno", "BytesIO", "object at 0x", "codec can't"):
            assert words not in said, said
        found = None
    # Of the processor: the machine may be busy. What waits for something uses none.
    assert time.process_time() - started < MOST_SECONDS, "too much work"
    assert time.monotonic() - began < MOST_SECONDS_OF_WAITING, "too slow"
    if isinstance(found, ImageData):
        assert is_data_set(found), "no data set"
    return found is not None


def fuzzed(tries: Iterable[random.Random], one: Callable[[random.Random], bool], sign: Path):
    """A report of all tries, done in a child of bounded memory, which a crash may end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _in_child(tries, one, sign)
            status = 0
        finally:
            sys.stdout.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    lines = [json.loads(line) for line in sign.read_text().splitlines()]
    report = Report()
    for line in lines:
        report.tries = line["tries"]
        report.accepted = line["accepted"]
        if line["fault"]:
            report.faults = (*report.faults, line["fault"])
    if status:
        report.faults = (*report.faults, f"the process ended with {status} after {report.tries}")
    print(f"{report.tries} tries, {report.accepted} accepted, {len(report.faults)} faults")
    return report


def _in_child(
    tries: Iterable[random.Random], one: Callable[[random.Random], bool], sign: Path
) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * os.sysconf("SC_PAGE_SIZE")
    torch.set_num_threads(1)  # threads do not outlive a fork, and those that wait for them hang
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends this process where a try waits for ever
    resource.setrlimit(resource.RLIMIT_AS, (size + MORE_BYTES, size + MORE_BYTES))
    num_accepted, faults, kinds = 0, 0, set()
    with open(sign, "w") as log:
        for number, source in enumerate(tries, 1):
            fault = ""
            signal.alarm(2 * MOST_SECONDS_OF_WAITING)
            try:
                num_accepted += one(source)
            except BaseException as error:
                trace = traceback.extract_tb(error.__traceback__)[-1]
                kind = (type(error).__name__, trace.filename, trace.lineno)
                if kind not in kinds and faults < 20:
                    kinds.add(kind)
                    faults += 1
                    fault = f"try {number}: " + "".join(traceback.format_exception(error)[-6:])
            if fault or number % 50 == 0 or number == 1:
                _write(log, number, num_accepted, fault)
        signal.alarm(0)
        _write(log, number, num_accepted, "")


def _write(log, tries: int, num_accepted: int, fault: str) -> None:
    log.write(json.dumps({"tries": tries, "accepted": num_accepted, "fault": fault}) + "\n")
    log.flush()
