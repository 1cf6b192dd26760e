"""The process that does the engine's work: jobs in, events out, one JSON object a line.

`python -m engine.worker EVENTS_FD SPOOL` reads from its standard input {"run": job} and
{"cancel": job id}, and writes events to the given descriptor. Its own standard output and errors
are free for libraries to print to.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

NICENESS = 10  # keeps the terminal's keys quick while all cores compute


class Worker:
    """Reads commands on a thread of its own, so that a cancel is heard while a job runs."""

    def __init__(self, events: IO[str], spool: Path) -> None:
        self.events = events
        self.spool = spool
        self.jobs: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self.stop = threading.Event()
        self.current: str | None = None
        self.cancelled: set[str] = set()
        self.write_lock = threading.Lock()

    def emit(self, event: dict[str, Any]) -> None:
        try:
            with self.write_lock:
                self.events.write(json.dumps(event) + "\n")
                self.events.flush()
        except BrokenPipeError:
            os._exit(1)  # the session is gone; what is finished lies in the spool folder

    def listen(self) -> None:
        """Takes commands until standard input closes: the session is gone, so the work ends."""
        for line in sys.stdin:
            command = json.loads(line)
            if "run" in command:
                self.jobs.put(command["run"])
            elif "cancel" in command:
                self.cancelled.add(command["cancel"])
                if command["cancel"] == self.current:
                    self.stop.set()
        self.stop.set()
        self.jobs.put(None)

    def serve(self) -> None:
        """Runs jobs in the order they came."""
        threading.Thread(target=self.listen, daemon=True).start()
        self.emit({"event": "started", "pid": os.getpid()})
        from engine.jobs import Engine  # seconds of import: after the first sign of life

        engine = Engine(self.spool)
        self.emit({"event": "ready"})
        while (job := self.jobs.get()) is not None:
            self.run_one(engine, job)

    def run_one(self, engine: Any, job: dict[str, Any]) -> None:
        from engine.errors import Cancelled, EngineError
        from engine.monitor import Monitor

        job_id = job["id"]
        self.stop.clear()
        self.current = job_id
        if job_id in self.cancelled:
            self.stop.set()
        monitor = Monitor(lambda event: self.emit({**event, "job": job_id}), self.stop)
        try:
            monitor.check()
            self.emit({"event": "result", "job": job_id, "result": engine.run(job, monitor)})
        except Cancelled:
            self.emit({"event": "cancelled", "job": job_id})
        except EngineError as error:
            self.fail(job_id, type(error).__name__, str(error))
        except MemoryError:
            self.fail(job_id, "MemoryError", "out of memory; use a smaller --batch-size")
        except Exception as error:  # the boundary of the process: told by name, logged whole
            traceback.print_exc()
            self.fail(job_id, type(error).__name__, str(error) or type(error).__name__)
        finally:
            self.current = None

    def fail(self, job_id: str, kind: str, message: str) -> None:
        self.emit({"event": "failed", "job": job_id, "kind": kind, "message": message})


def main() -> None:
    """Serves the session that started this process."""
    os.nice(NICENESS)
    # Ctrl-C reaches the whole terminal; the session decides what it means for the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    events = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    Worker(events, Path(sys.argv[2])).serve()


if __name__ == "__main__":
    main()
