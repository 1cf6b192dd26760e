"""What can be wrong with a checkpoint file, by what the user can do about it."""

from __future__ import annotations

from engine.contracts.errors import CheckpointError


class NotACheckpointError(CheckpointError):
    """Not a file, or a file that is no checkpoint at all: look for another file."""


class UnsupportedFormatError(CheckpointError):
    """A network in a format that is not read here: convert it."""


class DamagedFileError(CheckpointError):
    """A checkpoint that was cut short or altered: fetch it again."""


class UnsafeCheckpointError(CheckpointError):
    """A checkpoint that could do harm when read; `global_names` are what it would import."""

    def __init__(self, message: str, global_names: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.global_names = global_names


class UnsuitableValueError(CheckpointError):
    """A state dict with a name or a value that cannot be a weight."""


class ArchitectureError(CheckpointError):
    """Tensors that do not fit the architecture, or fit none that can be inferred: name it."""
