"""The real worker process with an engine of a few lines: it starts in a blink, without PyTorch.

Run as a program it is the worker; `install` makes executors start it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import types
from pathlib import Path


def install(folder: Path, monkeypatch) -> None:
    """Makes every worker that is started from here on one of these."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nshift 3\nexec {sys.executable} {__file__} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


class Engine:
    """Runs {"steps": n, "until": file, "then": "result" | "failed" | "deaf"} jobs."""

    def __init__(self, spool: Path) -> None:
        self.spool = spool

    def run(self, job, monitor):
        from engine.contracts.errors import EngineError

        for step in range(job.get("steps", 1)):
            monitor.check()
            monitor.tell("epoch", epoch=step)
        while "until" in job and not os.path.exists(job["until"]):
            if job.get("then") != "deaf":
                monitor.check()
            time.sleep(0.005)
        if job.get("then") == "failed":
            raise EngineError("it did not go well")
        monitor.tell("epoch", epoch=job.get("steps", 1))
        result = {"pid": os.getpid(), "job": job["id"]}
        if "key" in job:
            self.spool.mkdir(exist_ok=True)
            (self.spool / f"{job['key']}.json").write_text(json.dumps(result))
        return result


if __name__ == "__main__":
    sys.modules["engine.worker.handlers"] = types.SimpleNamespace(Engine=Engine)
    sys.modules["engine.runtime.device"] = types.SimpleNamespace(memory_bytes=lambda: None)
    from engine.worker.process import main

    main()
