"""The real worker process with an engine of a few lines: it starts in a blink, without PyTorch.

Run as a program it is the worker; `install` makes executors start it. Its jobs are Doctor jobs, the
device a script (see executors.request).
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
    """Runs {"steps": n, "until": file, "then": "result" | "failed" | "deaf", "fork": file} jobs."""

    def __init__(self, spool: Path) -> None:
        self.spool = spool

    def run(self, request, monitor):
        from engine.contracts.codec import encode
        from engine.contracts.errors import EngineError
        from engine.contracts.jobs import Diagnosis
        from engine.contracts.networks import Environment
        from engine.contracts.spool import result_path

        script = json.loads(request.job.device)
        for step in range(script.get("steps", 1)):
            monitor.check()
            monitor.tell(epoch(step))
        if "fork" in script and os.fork() == 0:
            Path(script["fork"]).write_text(str(os.getpid()))
            time.sleep(600)
        while "until" in script and not os.path.exists(script["until"]):
            if script.get("then") != "deaf":
                monitor.check()
            time.sleep(0.005)
        if script.get("then") == "failed":
            raise EngineError("it did not go well")
        monitor.tell(epoch(script.get("steps", 1)))
        result = Diagnosis(Environment(python=request.id), cuda_devices=os.getpid())
        if request.key is not None:
            self.spool.mkdir(exist_ok=True)
            result_path(self.spool, request.key).write_text(json.dumps(encode(result)))
        return result


def epoch(number: int):
    """An epoch's figures, of which only the number matters."""
    from engine.contracts.events import EpochEnded

    return EpochEnded("training", number, 99, 1.0, 50.0, 0.1, 100.0)


if __name__ == "__main__":
    sys.modules["engine.worker.engine"] = types.SimpleNamespace(Engine=Engine)
    sys.modules["engine.runtime.device"] = types.SimpleNamespace(memory_bytes=lambda: None)
    from engine.contracts import with_parent
    from engine.worker.process import main

    if "STUB_WITHOUT_KERNEL" in os.environ:  # as where there is no order to die with the parent
        with_parent.end_with_parent = lambda *args: None
    main()
