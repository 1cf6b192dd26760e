"""Random command lines: every command, with names of odd files and values of every kind."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import sys
import unicodedata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from small_tensors import grow

from engine.contracts.settings import all_settings
from store import TreeStore

NODES = (
    "R",
    "R.L",
    "R.F",
    "R.L.F",
    "R.X",
    "",
    ".",
    "R..L",
    "best",
    "R\x1b[31m",
    "r" * 300,
    "R.\u202e",
)
WORDS = ("suggested", "other", "both", "layer", "filter", "none", "layer1.0", "uniform", "l1", "kl",
         "cpu", "cuda:9", "auto", "paper", "default", "resnet20", "resnet8", "x" * 5000,
         "\x1b]0;x\x07", "\u2066rtl\u2069", "ü\u0308", "[/bold]", "[@click=app.quit]x", "%s%n",
         "'; DROP TABLE node",
         "\udcff\udcfe", "\ue000", "--", "-", "=")  # fmt: skip
NUMBERS = ("0", "-1", "1", "2", "1e400", "nan", "inf", "-0.0", "99999999999999999999", "1_0", "٣",
           "", "0x10", "1.5", "true")  # fmt: skip
# Each command with the kinds of its arguments.
COMMANDS = {
    "auto": ("model",), "open": ("model",), "train": ("word",), "doctor": (),
    "log": ("store",), "show": ("store", "node"), "export": ("store", "node", "out"),
    "replay": ("store",), "verify": ("store",), "gc": ("store",),
    "branch": ("store", "node"), "candidate": ("store", "node"),
    "decide": ("store", "node", "word"),
    "undo": ("store",), "redo": ("store",), "tag": ("store", "node", "word"),
    "note": ("store", "node", "word"), "drop": ("store", "node"),
    "compare": ("store", "node"), "pack": ("store", "out"), "merge": ("out", "store"),
    "figure": ("store", "word", "out"), "published": ("word",),
}  # fmt: skip
FLAGS = ("--json", "--help", "-h", "--dry-run", "--yes", "-y", "--off", "--fork", "--force",
         "--new-run", "--trust-pickle", "--version", "-V")  # fmt: skip
OPTIONS = ("--data", "--store", "--arch", "--device", "--protocol", "--limit", "--at", "--speed",
           "--runs", "--run", "--nodes", "--take", "--block", "--filters", "--allocation",
           "--iterations", "-n", "--reexecute", "--epochs", "--width", "--shortcut", "--threads",
           "--output", "-o", *(each.option.flag for each in all_settings()))  # fmt: skip


class OddFiles:
    """A folder of files that commands are given, good and odd ones; `renew` puts back what may have
    been written to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pristine = folder / "pristine.db"
        with TreeStore.open(self._pristine, create=True) as store:
            grow(store)
        self.renew()
        content = self._pristine.read_bytes()
        for name, what in {
            "empty.db": b"", "cut.pex.db": content[:3000], "text.pt": b"<!DOCTYPE html>",
            "magic.db": b"SQLite format 3\x00", "noise.npz": b"PK\x03\x04" + bytes(range(256)),
            "esc\x1b[31m.pt": b"x", "bidi\u202e.db": content[:100],
            os.fsdecode(b"raw\xff.pt"): b"x",
        }.items():  # fmt: skip
            with contextlib.suppress(OSError):
                (folder / name).write_bytes(what)
        with contextlib.closing(sqlite3.connect(folder / "foreign.db")) as other:
            other.execute("CREATE TABLE run(id)")
            other.commit()
        os.mkfifo(folder / "pipe")
        (folder / "loop").symlink_to("loop")
        (folder / "dangling.pex.db").symlink_to("nowhere.db")
        (folder / "folder.db").mkdir()
        self._names = sorted(each.name for each in folder.iterdir())

    def renew(self) -> None:
        shutil.copy(self._pristine, self.folder / "tree.pex.db")

    def path(self, chance: random.Random) -> str:
        """The name of a file, a good store every third time."""
        odd = ("", "~", "~nobody/x.db", "-", ".", "/", "/dev/null", "/dev/zero", "/proc/self/mem",
               "n" * 300 + ".db", "a/" * 2000 + "x", "nowhere.pex.db", "no/where/x.db",
               "tree.pex.db/x", "tree.pex.db\n", "\udcff.db", "sample", "auto", "x.onnx",
               "new.pt")  # fmt: skip
        if chance.random() < 0.35:
            return str(self.folder / "tree.pex.db")
        name = chance.choice((*self._names, *odd))
        return str(self.folder / name) if chance.random() < 0.7 and name else name


def command_line(chance: random.Random, files: OddFiles) -> list[str]:
    """A command with arguments and options, now and then too many, too few or none that it has."""
    name = chance.choice((*COMMANDS, "", "atuo", "-", "\x1b[2J", "log.db"))
    line = [name, *(_value(kind, chance, files) for kind in COMMANDS.get(name, ()))]
    if chance.random() < 0.15:
        del line[-1]
    if chance.random() < 0.1:
        line.append(_value(chance.choice(("word", "node", "store")), chance, files))
    for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
        line.append(chance.choice(FLAGS))
    for _ in range(chance.choice((0, 0, 1, 2, 3))):
        option, kind = chance.choice(OPTIONS), chance.choice(("word", "number", "store", "node"))
        value = _value(kind, chance, files)
        line += [f"{option}={value}"] if chance.random() < 0.5 else [option, value]
    return line


def _value(kind: str, chance: random.Random, files: OddFiles) -> str:
    if kind == "node":
        return chance.choice(NODES)
    if kind == "number":
        return chance.choice(NUMBERS)
    if kind == "word":
        return chance.choice(WORDS)
    return files.path(chance)


def harmful(text: str) -> set[str]:
    """The characters of printed text that a terminal or a reader could be fooled by."""
    kinds = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return {each for each in text if unicodedata.category(each) in kinds} - {"\n"}
