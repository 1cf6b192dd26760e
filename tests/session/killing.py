"""The real `auto` command, its processes killed in every way at seeded moments."""

from __future__ import annotations

import contextlib
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from engine.contracts.marker import start_of
from engine.contracts.working_folder import LOG, SIGN
from store import TreeStore
from store.audit.verify import verify

ORPHAN_SECONDS = 5.0
END_SECONDS = 20.0  # a session that is asked to end stores what it has, on a busy machine too
VICTIMS = ("session", "worker", "both")
BLOWS = ("KILL", "TERM", "HUP", "INT", "STOP")
Snapshots = dict[tuple[str, str], str]


@dataclass
class Findings:
    """What was done and met; `problems` is empty where all held."""

    blows: Counter[str] = field(default_factory=Counter)
    grown: int = 0
    given_up: int = 0  # by a session after three blows to the workers of one job
    slowest_end: float = 0.0  # seconds from a session's death to its last worker's
    problems: list[str] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            self.problems.append(what)


class Auto:
    """One `auto` under way: its process, its workers, the lines that it tells."""

    def __init__(
        self, command: list[str], spool: Path, environment: dict[str, str], cwd: Path | None = None
    ) -> None:
        self.spool = spool
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment,
            preexec_fn=_own_signals, cwd=cwd,
        )  # fmt: skip
        self.lines: list[str] = []
        self._news: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            self._news.put(line)
        self._news.put(None)

    def next_stored(self, seconds: float = 120.0) -> bool:
        """Waits until another result is told; False once the process has ended."""
        while (line := self._news.get(timeout=seconds)) is not None:
            if ": CKA" in line or ": tuned" in line:
                return True
        return False

    def rest(self) -> str:
        """All that was told, once the process has ended."""
        self._reader.join(120.0)
        return "".join(self.lines)

    def workers(self) -> dict[int, int]:
        """The workers that run, and when they started."""
        found: dict[int, int] = {}
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
                for pid in map(int, children.read_text().split()):
                    if (started := start_of(pid)) is not None:
                        found[pid] = started
        return found


def _own_signals() -> None:
    # Whoever runs the tests in the background has these ignored, and children inherit that.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def snapshots(store: Path) -> Snapshots:
    """The hash of every phase of every node."""
    with TreeStore.open(store, read_only=True) as opened:
        run = opened.latest_run()
        assert run is not None, "a store without a run"
        return {
            (node.name, phase): opened.snapshot_hash(node.id, phase)
            for node in opened.nodes(run.id)
            for phase in node.phases
        }


def _kept(store: Path) -> set[str]:
    with TreeStore.open(store, read_only=True) as opened:
        run = opened.latest_run()
        assert run is not None
        return {node.name for node in opened.nodes(run.id) if node.kept}


class Killing:
    """Grows trees with a command, and kills again and again until so many blows fell."""

    def __init__(self, command_of, folder: Path, seed: int) -> None:
        self.command_of = command_of
        self.folder = folder
        self.draw = random.Random(seed)
        self.environment = {**os.environ, "PE_EXPLORE_STATE": str(folder / "state.json")}
        self.found = Findings()
        whole = folder / "whole.pex.db"
        subprocess.run(
            command_of(whole), check=True, capture_output=True, env=self.environment
        )  # fmt: skip
        self.expected = snapshots(whole)
        self.findings = {finding.kind for finding in verify(whole).findings}

    def run(self, blows: int) -> Findings:
        """Every kind of blow in turn, each to every victim, at moments that are drawn."""
        plan = [(victim, blow) for blow in BLOWS for victim in VICTIMS]
        self.draw.shuffle(plan)
        todo = [plan[number % len(plan)] for number in range(blows)]
        while todo or not self.found.grown:
            self._grow_one(self.folder / f"tree-{self.found.grown}.pex.db", todo)
        return self.found

    def _grow_one(self, store: Path, todo: list[tuple[str, str]]) -> None:
        """A tree from its beginning to its end, through as many blows as fall on it."""
        known: Snapshots = {}
        while True:
            auto = Auto(self.command_of(store), spool_of(store), self.environment)
            ended = self._strike(auto, todo)
            known = self._check(store, known, auto)
            if ended:
                break
        self.found.expect(auto.process.returncode == 0, f"it ended with: {auto.lines[-3:]}")
        self.found.expect(known == self.expected, f"another tree: {known} != {self.expected}")
        lock, spool = store.with_name(store.name + ".lock"), spool_of(store)
        left = {path.name for path in spool.iterdir()} if spool.exists() else set()
        # A worker that is killed while Python starts may print something.
        self.found.expect(left <= {SIGN, LOG} and not lock.exists(), f"left: {left}, {lock}")
        self.found.grown += 1

    def _strike(self, auto: Auto, todo: list[tuple[str, str]]) -> bool:
        """Kills until the session is dead, or has ended by itself: then True."""
        # Some fall while the command starts; the others after progress, so that trees come to ends.
        early = self.draw.random() < 0.25
        while todo:
            if early:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    auto.process.wait(self.draw.uniform(0.0, 2.0))
                early = False
            elif not auto.next_stored():
                break
            else:
                time.sleep(self.draw.uniform(0.0, 0.5))  # the moment, not a wait for something
            if auto.process.poll() is not None:
                break
            workers = auto.workers()
            if not workers and todo[0][0] != "session":
                continue  # it has none yet; nobody would be hit
            victim, blow = todo.pop(0)
            self.found.blows[f"{victim} {blow}"] += 1
            _hit(auto, victim, blow, list(workers))
            if victim != "worker":
                self._wait_for_the_end(auto, workers, f"{victim} {blow}")
                return False
        auto.process.wait(120)
        # A job whose worker was killed three times is given up; the next `auto` goes on from there.
        given_up = auto.process.returncode == 1 and "attempt 3 of 3" in auto.rest()
        self.found.given_up += given_up
        return not given_up

    def _wait_for_the_end(self, auto: Auto, workers: dict[int, int], what: str) -> None:
        try:
            auto.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.found.problems.append(f"{what}: the session lives on")
            auto.process.kill()
            auto.process.wait()
        died = time.monotonic()
        while alive := _alive(workers, auto.spool):
            if time.monotonic() - died > ORPHAN_SECONDS:
                self.found.problems.append(f"{what}: orphans {alive}")
                for pid in alive:
                    os.kill(pid, signal.SIGKILL)
                break
            time.sleep(0.01)
        self.found.slowest_end = max(self.found.slowest_end, time.monotonic() - died)

    def _check(self, store: Path, before: Snapshots, auto: Auto) -> Snapshots:
        """What is stored now: sound, all of before, and all that was told."""
        if not store.exists():
            self.found.expect(not before, "the store is gone")
            return {}
        findings = [f for f in verify(store).findings if f.kind not in self.findings]
        self.found.expect(not findings, f"not sound: {findings}")
        now, kept = snapshots(store), _kept(store)
        self.found.expect(before.items() <= now.items(), f"lost of {before}: there is {now}")
        for line in auto.lines:
            name, _, rest = line.partition(": ")
            if " kept: " in line:
                name = line.partition(" → ")[2].partition(" kept")[0]
                self.found.expect(name in kept, f"told, not stored: {line}")
            elif rest.startswith("CKA"):
                self.found.expect((name, "recovered") in now, f"told, not stored: {line}")
            elif rest.startswith("tuned"):
                self.found.expect((name, "tuned") in now, f"told, not stored: {line}")
        return now


def spool_of(store: Path) -> Path:
    return store.with_name(store.name + ".spool")


def _hit(auto: Auto, victim: str, blow: str, workers: list[int]) -> None:
    session = [auto.process.pid]
    targets = {"session": session, "worker": workers, "both": [*workers, *session]}[victim]
    if victim == "both" and blow in ("HUP", "STOP"):  # workers that can do nothing any more
        _signal(workers, "STOP")
        targets = session
    _signal(targets, blow)
    if blow == "STOP" or victim == "worker":  # interrupts do not end a worker
        time.sleep(0.1)
        _signal(targets, "KILL")


def _signal(pids: list[int], name: str) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.Signals[f"SIG{name}"])


def _alive(workers: dict[int, int], spool: Path) -> list[int]:
    """Those that still run, and whatever else was started for the same folder."""
    alive = [pid for pid, started in workers.items() if start_of(pid) == started]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            if len(arguments) > 1 and arguments[-2] == os.fsencode(spool.resolve()):
                alive.append(int(process.name))
    return alive


def auto_command(program: list[str], network: Path, store: Path, **options: object) -> list[str]:
    """The command line of `auto` with settings as options."""
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    return [sys.executable, *program, "auto", str(network), "--store", str(store), "--yes", *given]
