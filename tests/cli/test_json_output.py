"""What `--json` prints is what it always printed: keys, their order, and numbers.

`golden_json/` holds the accepted output of each command over the same store, without what differs
each time (times, paths, sizes of files). PE_UPDATE_GOLDEN=1 accepts what is printed now.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich_store import grow
from typer.testing import CliRunner

from explorer.cli.main import app

GOLDEN = Path(__file__).with_name("golden_json")
_MASKS = (
    (r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "TIME"),
    (r'"uuid": "[^"]+"', '"uuid": "UUID"'),
    (r'"(seconds|file_bytes\w*|bytes\w*)": [\d.]+(?=,?\n)(?=[^{}]*\n\})', r'"\1": 0'),
    (r'"checked": \{[^}]*\}', '"checked": {}'),  # what there is to check is the store's
    (
        r'"settings": \{(?:[^{}]|\{[^{}]*\})*\}',
        '"settings": {}',
    ),  # pinned by the tests of the settings
)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code in (0, 1), result.output
    return result.stdout


def both(folder: Path) -> tuple[Path, Path]:
    grow(folder / "tree.pex.db")
    grow(folder / "other.pex.db", keep="R.F", seed=8, settings={"iterations": 3})
    return folder / "tree.pex.db", folder / "other.pex.db"


def merged(folder: Path) -> str:
    tree, other = both(folder)
    shutil.copy(tree, folder / "into.pex.db")
    return run("merge", folder / "into.pex.db", other, "--json")


def decided(folder: Path) -> str:
    path = folder / "steered.pex.db"
    settings = {"iterations": 2, "policy": "cka", "data": "sample"}
    grow(path, settings=settings)
    return run("decide", path, "R", "R.L", "--json")


COMMANDS: dict[str, Callable[[Path], str]] = {
    "log": lambda folder: run("log", both(folder)[0], "--json"),
    "log-limited": lambda folder: run("log", both(folder)[0], "--limit", 2, "--json"),
    "show-root": lambda folder: run("show", both(folder)[0], "R", "--json"),
    "show": lambda folder: run("show", both(folder)[0], "R.L", "--json"),
    "show-failed": lambda folder: run("show", both(folder)[0], "R.L.F2", "--json"),
    "compare-nodes": lambda folder: run("compare", both(folder)[0], "R.L.F", "R", "--json"),
    "compare-stores": lambda folder: run("compare", *both(folder), "--json"),
    "replay": lambda folder: run("replay", both(folder)[0], "--json"),
    "replay-at": lambda folder: run("replay", both(folder)[0], "--at", 5, "--json"),
    "verify": lambda folder: run("verify", both(folder)[0], "--json"),
    "gc-dry-run": lambda folder: run("gc", both(folder)[0], "--dry-run", "--json"),
    "gc": lambda folder: run("gc", both(folder)[0], "--yes", "--json"),
    "pack": lambda folder: run("pack", both(folder)[0], folder / "packed.pex.db", "--json"),
    "merge": merged,
    "decide": decided,
    "structure": lambda folder: run("structure", "sample", "--json"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_printed_as_json_stays_as_it_is(name: str, tmp_path: Path) -> None:
    printed = COMMANDS[name](tmp_path).replace(str(tmp_path.resolve()), "FOLDER")
    for pattern, mask in _MASKS:
        printed = re.sub(pattern, mask, printed)
    accepted = GOLDEN / f"{name}.json"
    if os.environ.get("PE_UPDATE_GOLDEN"):
        accepted.write_text(printed)
    assert printed == accepted.read_text()
