"""The command line.

Its packages are found beside it, whatever else a PYTHONPATH leads to that is called so.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

_FOLDER = str(Path(__file__).parents[2])
_OURS = ("engine", "store", "sample_checkpoints")


class _Beside:
    """Finds our packages before any path is searched."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [_FOLDER], target) if name in _OURS else None


sys.meta_path.insert(0, _Beside)
