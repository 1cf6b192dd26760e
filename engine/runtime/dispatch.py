"""Modes that see every operation of torch."""

from __future__ import annotations

from torch.utils._python_dispatch import TorchDispatchMode


class OperationMode(TorchDispatchMode):
    """What looks at operations here: a subclass has a `__torch_dispatch__`.

    It is never compiled. torch has every other mode say so to its compiler, which it imports for
    that: seconds in each new process.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
