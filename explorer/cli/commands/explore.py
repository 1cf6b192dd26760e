"""The app as a command."""

from __future__ import annotations

import asyncio
import os
import sys

from engine.contracts.errors import UsageError
from explorer.cli.starting import settle
from explorer.session.model_source import source_of
from explorer.session.named_files import is_store
from explorer.session.open_run import Request
from explorer.tui.app import ExplorerApp
from explorer.tui.config import load_config

# Whoever serves the app to a browser says so; then there is no terminal, and none is needed.
IN_BROWSER = os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def explore(request: Request | None, *, yes: bool = False) -> int:
    """Opens the app; without a terminal, a store's tree is printed instead. `yes`: a new tree is
    begun without showing first what it takes."""
    if request is not None:
        # A misspelled name is told before the screen changes.
        path = source_of(request).path
        request.check_data()
        if request.run is not None and (path is None or not is_store(path)):
            raise UsageError(f"--run is about a run of a store, and {request.model} is none")
        if path is not None and not (IN_BROWSER or sys.stdout.isatty()) and is_store(path):
            from explorer.cli.commands.log_show import log

            log(path, wanted=request.run, as_json=False)
            return 0
    if not (IN_BROWSER or (sys.stdin.isatty() and sys.stdout.isatty())):
        name = request.model if request else "sample"
        raise UsageError(f"the explorer needs a terminal; without one use: pe-explore auto {name}")
    if not IN_BROWSER:
        for name in ("COLUMNS", "LINES"):  # a size that was exported would hold through a resize
            os.environ.pop(name, None)
    config = load_config()
    return asyncio.run(_run(ExplorerApp(request, config, plans=config.plan and not yes)))


async def _run(app: ExplorerApp) -> int:
    settling = asyncio.ensure_future(settle())
    try:
        await app.run_async()
    finally:
        settling.cancel()
        await app.release()
        if told := app.lifecycle.told_at_the_end:
            from explorer.cli.console import say

            say(f"pe-explore: {told}", err=True)
    return app.return_code or 0
