"""`serve` in a process of its own, for tests that visit it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from store import TreeStore

TOKEN = "a-token-of-this-test"
SECONDS = 60.0


@contextmanager
def served(store, *options):
    """The server of a store; its address without the token, once it answers there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "explorer.cli", "serve", str(store), "--port", str(port),
               "--token", TOKEN, "--json", *options]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            told = ""
            while not told.rstrip().endswith("}"):
                line = process.stdout.readline()
                assert line, "it ended"
                told += line
            assert json.loads(told)["address"].endswith(f":{port}/?token={TOKEN}")
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), SECONDS).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "it listens"
            time.sleep(0.05)


def decisions(store: Path) -> list:
    """The decisions of the store's newest run, the oldest first."""
    with TreeStore.open(store, read_only=True) as opened:
        return list(opened.decisions(opened.latest_run().id))
