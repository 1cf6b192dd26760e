"""The files that a node can be written as: a row for each, its suffix and what it is good for.

`engine.export.EXPORTERS` has a writer for each; help texts are made from these rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.contracts.errors import UsageError

FORMATS: Mapping[str, str] = {
    ".pt": "a dict that torch.load(weights_only=True) reads",
    ".safetensors": "tensors that any safetensors library reads, the rest in its metadata",
}
USUAL = ".pt"


def told_formats() -> str:
    """All formats in words, for a help text."""
    return "; ".join(f"{suffix}, {words}" for suffix, words in FORMATS.items())


def check_suffix(suffix: str, name: str) -> None:
    """Raises UsageError, with what can be written, where a file of that name cannot."""
    if suffix not in FORMATS:
        stem = name.removesuffix(suffix) if suffix else name
        raise UsageError(
            f"{name}: only {' and '.join(FORMATS)} can be written; name it {stem}{USUAL}"
        )
