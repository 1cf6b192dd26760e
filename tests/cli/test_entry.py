"""`pe-explore STORE` opens a tree without the parser of all commands, and means the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from explorer.cli.entry import only_a_store
from store import TreeStore


@pytest.fixture
def tree(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    TreeStore.open(tmp_path / "t.pex.db", create=True).close()
    (tmp_path / "auto").write_bytes((tmp_path / "t.pex.db").read_bytes())
    (tmp_path / "text.db").write_text("no store")
    return tmp_path


def test_only_a_store_alone_is_taken_from_the_parser(tree):
    assert only_a_store(["t.pex.db"]) == "t.pex.db"
    assert only_a_store([str(tree / "t.pex.db")]) == str(tree / "t.pex.db")
    for others in ([], ["t.pex.db", "--read-only"], ["text.db"], ["gone.db"], ["auto"], ["-h.db"],
                   ["sample"], ["--version"]):  # fmt: skip
        assert only_a_store(others) is None, others


@pytest.mark.parametrize("arguments", [["t.pex.db"], ["open", "t.pex.db"]])
def test_errors_and_exit_codes_are_those_of_the_command(tree, arguments):
    """Without a terminal its tree is printed; one without a run is refused, in a line."""
    command = [sys.executable, "-m", "explorer.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tree)
    assert done.returncode != 0 and done.stdout == ""
    assert done.stderr.startswith("pe-explore: ") and "Traceback" not in done.stderr
