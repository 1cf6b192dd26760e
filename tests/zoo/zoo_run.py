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
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.pool import ThreadPool
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
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Limits:
    """Of one network: seconds of one core, and memory."""

    seconds: int = 600
    megabytes: int = 8_000


def main(words: Sequence[str], limits: Limits, jobs: int) -> int:
    entries = all_entries()
    chosen = [e for e in entries if any(word in e.reference for word in words)]
    if words and not chosen:
        print(f"no network of the zoo has {' or '.join(words)} in its name")
        return 2
    path = KEPT if words else UNFINISHED
    found = read(path)
    left = chosen or [each for each in entries if each.reference not in found]
    left = sorted(left, key=lambda entry: entry.parameters)
    for library in dict.fromkeys(entry.library for entry in left):  # imported once for all
        next(next(entry for entry in left if entry.library == library).makings())
    began = time.monotonic()
    with ThreadPool(jobs) as pool:
        results = pool.imap_unordered(lambda entry: one(entry, limits), left)
        for number, done in enumerate(results, 1):
            found[done.reference] = done
            write(in_order(found, entries), path)
            rest = (time.monotonic() - began) / number * (len(left) - number) / 60
            print(f"{number}/{len(left)}  {in_words(done)}  about {rest:.0f} min left", flush=True)
    if not words:
        path.replace(KEPT)
    update_page()
    return 1 if any(each.problem for each in found.values()) else 0


def in_order(found: Mapping[str, Found], entries: Sequence[Entry]) -> dict[str, Found]:
    """Those of the zoo as it is now, as it has them."""
    names = [entry.reference for entry in entries]
    return {name: found[name] for name in names if name in found}


def one(entry: Entry, limits: Limits) -> Found:
    """A network in a process of its own, which is ended where it takes too much. The process is a
    copy of this one: the libraries are imported once."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=child, args=(entry, theirs))
    process.start()
    theirs.close()
    told = outcome(process.pid or 0, ours, limits)
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


def outcome(pid: int, report: Connection, limits: Limits) -> Found | str:
    """What a process tells, or why it was not waited for."""
    while not report.poll(0.2):
        if seconds_of(pid) > limits.seconds:
            return f"took more than {limits.seconds} s"
        if memory_of(pid) > limits.megabytes:
            return f"took more than {limits.megabytes:,} MB"
    try:
        told = report.recv()
    except EOFError:
        return "its process ended"
    return decode(Found, json.loads(told), "zoo") if told.startswith("{") else str(told)


def seconds_of(pid: int) -> float:
    """Seconds of one core that a process has had."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


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
    parser.add_argument("--seconds", type=int, default=Limits.seconds, help="of one core")
    parser.add_argument("--megabytes", type=int, default=Limits.megabytes, help="for one network")
    parser.add_argument("--jobs", type=int, default=2, help="networks at a time")
    given = parser.parse_args()
    sys.exit(main(given.words, Limits(given.seconds, given.megabytes), given.jobs))
