"""`auto` with real workers whose engine needs no PyTorch: trees grow in a second, to be killed.

`python quick_worker.py auto …` is the command; its workers are this file too. Results depend on
nothing but names; jobs take a moment in which they listen, and one in which they are deaf.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import tempfile
import time
import types
from pathlib import Path

SNAPSHOT_BYTES = 300_000
LISTENING_SECONDS, DEAF_SECONDS = 0.1, 0.1


class Engine:
    """Answers the jobs of a run as the app's script does, with weights of some size."""

    def __init__(self, spool: Path) -> None:
        from scripted import ScriptedExecutor

        self.spool = spool
        self.script = ScriptedExecutor()
        self.script.spool = spool
        self.script._snapshot = self._snapshot

    def _snapshot(self, name: str):
        from engine.contracts.files import write_bytes_atomically
        from engine.contracts.networks import SnapshotRef
        from engine.contracts.spool import snapshot_path

        content = random.Random(name).randbytes(SNAPSHOT_BYTES)
        sha256 = hashlib.sha256(content).hexdigest()
        write_bytes_atomically(snapshot_path(self.spool, sha256), content)
        return SnapshotRef(sha256)

    def run(self, request, monitor):
        from engine.contracts.codec import encode
        from engine.contracts.files import write_text_atomically
        from engine.contracts.jobs import snapshots_needed
        from engine.contracts.spool import result_path, snapshot_path

        for ref in snapshots_needed(request.job):
            content = snapshot_path(self.spool, ref.sha256).read_bytes()
            assert hashlib.sha256(content).hexdigest() == ref.sha256
        end = time.monotonic() + LISTENING_SECONDS
        while time.monotonic() < end:
            monitor.check()
            time.sleep(0.005)
        time.sleep(DEAF_SECONDS)
        kind, _, node = request.label.partition(" ")
        result = getattr(self.script, f"_{kind}")(node, request, monitor.tell)
        if request.key is not None:
            write_text_atomically(result_path(self.spool, request.key), json.dumps(encode(result)))
        return result


def _work() -> None:
    here = Path(__file__).parent
    sys.path += [str(here), str(here.parent / "tui")]
    sys.modules["engine.worker.engine"] = types.SimpleNamespace(Engine=Engine)
    sys.modules["engine.runtime.device"] = types.SimpleNamespace(memory_bytes=lambda: None)
    from engine.worker.process import main

    main()


def _command() -> None:
    from explorer.cli.main import main

    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "python"
        program = f"{sys.executable} {__file__} --worker"
        script.write_text(f'#!/bin/sh\nshift 3\nexec {program} "$@"\n')
        script.chmod(0o755)
        sys.executable = str(script)
        main()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
    if sys.argv[1] == "--worker":
        del sys.argv[1]
        _work()
    else:
        _command()
