"""Who may import whom (DESIGN: rooms), proven in fresh interpreters."""

from __future__ import annotations

import subprocess
import sys

import pytest

CONTRACTS = [
    ("explorer.cli.main", ("torch", "textual", "store", "sqlite_utils", "rich", "numpy")),
    ("explorer.session.session", ("torch", "textual", "typer", "numpy")),
    ("explorer.session.open_run", ("torch", "textual", "typer", "numpy")),
    ("explorer.executors.worker_pool", ("torch", "textual", "typer", "numpy")),
    ("explorer.cli.commands.log_show", ("torch", "textual")),
    ("explorer.cli.commands.auto", ("torch", "textual")),
    ("explorer.cli.entry", ("torch", "textual", "store", "typer")),
    ("explorer.cli.commands.explore", ("torch", "numpy", "typer", "plotext", "sqlite_utils")),
    ("store", ("torch", "numpy", "engine", "explorer", "textual", "sqlite_utils")),
    ("engine", ("torch",)),
    ("engine.contracts.settings", ("torch", "numpy")),
    ("engine.worker.process", ("torch", "store", "explorer")),
    ("engine.worker.handlers", ("store", "explorer", "textual", "typer", "sqlite_utils")),
]


@pytest.mark.parametrize(("module", "forbidden"), CONTRACTS, ids=[c[0] for c in CONTRACTS])
def test_importing_a_module_pulls_in_none_of_what_its_room_must_not_know(module, forbidden):
    script = f"import sys, {module}\nprint([name for name in {forbidden!r} if name in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
