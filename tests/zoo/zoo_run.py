"""All networks of the zoo, each in a process of its own, with limits of time and memory.

`python tests/zoo/zoo_run.py` does all; what was done before it was stopped is not done again.
`python tests/zoo/zoo_run.py timm: resnet18` does those whose reference has one of the words in it,
anew. The result is benchmarks/zoo.json, of which the table in docs/networks.md is made.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "engine")]

from zoo_checks import explored  # noqa: E402
from zoo_networks import Entry, all_entries  # noqa: E402
from zoo_results import KEPT, Found, read, write  # noqa: E402
from zoo_table import update_page  # noqa: E402

from engine.contracts.codec import decode, encode  # noqa: E402

UNFINISHED = KEPT.with_name("zoo.unfinished.json")
SECONDS, MEGABYTES = 900, 8_000  # for one network


def main(words: Sequence[str], seconds: int, megabytes: int) -> int:
    entries = all_entries()
    chosen = [e for e in entries if any(word in e.reference for word in words)]
    if words and not chosen:
        print(f"no network of the zoo has {' or '.join(words)} in its name")
        return 2
    path = KEPT if words else UNFINISHED
    found = read(path)
    left = chosen or [each for each in entries if each.reference not in found]
    began = time.monotonic()
    for number, entry in enumerate(left, 1):
        found[entry.reference] = done = one(entry, seconds, megabytes)
        write(in_order(found, entries), path)
        rest = (time.monotonic() - began) / number * (len(left) - number)
        print(f"{number}/{len(left)}  {in_words(done)}  about {rest / 60:.0f} min left", flush=True)
    if not words:
        path.replace(KEPT)
    update_page()
    return 1 if any(each.problem for each in found.values()) else 0


def in_order(found: Mapping[str, Found], entries: Sequence[Entry]) -> dict[str, Found]:
    """Those of the zoo as it is now, as it has them."""
    names = [entry.reference for entry in entries]
    return {name: found[name] for name in names if name in found}


def one(entry: Entry, seconds: int, megabytes: int) -> Found:
    """A network in a process of its own, which is ended where it takes too much. The process is a
    copy of this one: the libraries are imported once."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=child, args=(entry, theirs))
    process.start()
    theirs.close()
    told = outcome(process.pid or 0, ours, seconds, megabytes)
    process.kill()
    process.join()
    return told if isinstance(told, Found) else Found(entry.reference, problem=told)


def child(entry: Entry, report: Connection) -> None:
    try:
        report.send(json.dumps(encode(explored(entry))))
    except BaseException:  # whatever it is, it is what the zoo is there to find
        lines = traceback.format_exc().strip().splitlines()
        print("\n".join(lines[-12:]), flush=True)
        report.send(lines[-1][:300])


def outcome(pid: int, report: Connection, seconds: int, megabytes: int) -> Found | str:
    """What a process tells, or why it was not waited for."""
    last, peak = time.monotonic() + seconds, 0
    while not report.poll(0.2):
        peak = max(peak, memory_of(pid))
        if time.monotonic() > last:
            return f"took more than {seconds} s"
        if peak > megabytes:
            return f"took more than {megabytes:,} MB"
    try:
        told = report.recv()
    except EOFError:
        return "its process ended"
    return decode(Found, json.loads(told), "zoo") if told.startswith("{") else str(told)


def memory_of(pid: int) -> int:
    """Megabytes that a process holds."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = (line.split() for line in status.splitlines() if line.startswith("VmRSS:"))
    return next((int(line[1]) // 1024 for line in lines), 0)


def in_words(found: Found) -> str:
    groups = sum(found.groups.values())
    told = f"{found.removable} of {found.blocks} blocks, {groups} groups in {found.seconds:.1f} s"
    return f"{found.reference}: {found.problem or found.refused or told}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="part of a network's reference")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for one network")
    parser.add_argument("--megabytes", type=int, default=MEGABYTES, help="for one network")
    arguments = parser.parse_args()
    sys.exit(main(arguments.words, arguments.seconds, arguments.megabytes))
