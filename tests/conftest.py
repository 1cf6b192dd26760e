"""What all tests share: helpers importable by name, one thread, a cache folder and remembered
permissions of their own."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest

# Tiny tensors: a second thread only waits, the more so on a busy machine.
os.environ["OMP_NUM_THREADS"] = "1"

# All processes of all runs share what was compiled, also where the environment forbids to write
# beside the sources: PyTorch takes seconds, in every command that a test starts.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
compiled = str(Path(__file__).parents[1] / ".pytest_cache" / "compiled")
sys.pycache_prefix = os.environ.setdefault("PYTHONPYCACHEPREFIX", compiled)
sys.dont_write_bytecode = False

for folder in ("engine", "session", "store", "cli", "docs", "tui", "fuzz", "zoo"):
    sys.path.insert(0, str(Path(__file__).parent / folder))


@pytest.fixture(autouse=True)
def _garbage_is_looked_for():
    """No command leaves that off in a process that goes on: memory and open files would grow."""
    yield
    assert gc.isenabled()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    os.environ["PE_EXPLORE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    permissions = tmp_path_factory.mktemp("permissions") / "permissions.json"
    os.environ["PE_EXPLORE_PERMISSIONS"] = str(permissions)
    yield
    del os.environ["PE_EXPLORE_CACHE"], os.environ["PE_EXPLORE_PERMISSIONS"]
