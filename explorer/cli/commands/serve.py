"""`serve`: the explorer in a browser."""

from __future__ import annotations

import importlib.util
import secrets
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.contracts.errors import UsageError
from explorer.cli.console import find_run, say
from explorer.cli.json_types import Served, print_json
from explorer.session.named_files import expanded
from store import TreeStore

_LEAST_TOKEN = 12  # characters
_NEEDS = "serve needs textual-serve: pip install 'pe-explore[serve]'"


def serve(
    path: Path,
    *,
    host: str,
    port: int,
    steer: bool,
    token: str | None,
    public_url: str | None,
    allow_factory: Sequence[str] = (),
    as_json: bool,
) -> None:
    """Serves a store until it is interrupted; read-only unless one person may `steer`."""
    if any(importlib.util.find_spec(name) is None for name in ("textual_serve", "aiohttp_jinja2")):
        raise UsageError(_NEEDS)
    if token is not None and len(token) < _LEAST_TOKEN:
        raise UsageError(f"--token is too short to keep anybody out: {_LEAST_TOKEN} characters")
    path = expanded(path).absolute()
    with TreeStore.open(path, read_only=True) as store:
        name = f"{find_run(store).name} · {path.name}"
    from explorer.cli.web_server import LOOPBACK, TreeServer  # aiohttp takes its time

    server = TreeServer(
        command_of(path, steer, allow_factory), host, port,
        title=name, token=token or secrets.token_urlsafe(24), public_url=public_url,
    )  # fmt: skip
    if as_json:
        print_json(Served(str(path), server.address, steer))
    else:
        say(f"{path.name} at {server.address}")
        say("one person may steer; others only look" if steer else "for reading (--steer changes)")
        if host not in LOOPBACK:
            say("the token goes over the network as it is; put TLS in front", err=True)
        say("Ctrl-C ends it")
    sys.stdout.flush()
    try:
        server.serve()
    except OSError as error:
        raise UsageError(f"cannot listen at {host}:{port}: {error.strerror}; try --port") from error


def command_of(path: Path, steer: bool, allow_factory: Sequence[str] = ()) -> str:
    """The explorer of one view, as a shell takes it."""
    words = [sys.executable, "-m", "explorer.cli", "open", str(path)]
    words += [] if steer else ["--read-only"]
    for reference in allow_factory:
        words += ["--allow-factory", reference]
    return shlex.join(words)
