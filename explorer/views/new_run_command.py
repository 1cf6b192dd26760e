"""The command that begins another run as one was begun, to be changed and run in a shell."""

from __future__ import annotations

import shlex
from pathlib import Path

from engine.contracts.options import flag
from engine.contracts.references import is_task
from engine.contracts.settings import Settings, all_settings, value_of
from explorer.session.documents import RunDocument


def new_run_command(document: RunDocument, store: Path) -> str:
    """`pe-explore MODEL --new-run …` with every setting that is not the default."""
    checkpoint = document.origin.checkpoint
    model = checkpoint.name if checkpoint is not None else "MODEL"
    words = ["pe-explore", model, "--store", str(store), "--new-run"]
    usual = Settings()
    for each in all_settings():
        name = each.option.name
        value = value_of(document.settings, name)
        if value is None or value == value_of(usual, name):
            continue
        option = "--task" if name == "data" and is_task(str(value)) else flag(name)
        words += [option, str(value)]
    if document.origin.normalisation is not None:
        words += ["--normalisation", document.origin.normalisation]
    return shlex.join(words)
