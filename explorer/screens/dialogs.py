"""Every dialog of the app."""

from __future__ import annotations

from explorer.screens.asking import DataDialog, NumberDialog, TextDialog
from explorer.screens.steering import BranchDialog, CandidateDialog, ChooseDialog
from explorer.screens.telling import ConfirmDialog, ErrorDialog, QuitDialog

__all__ = [
    "BranchDialog",
    "CandidateDialog",
    "ChooseDialog",
    "ConfirmDialog",
    "DataDialog",
    "ErrorDialog",
    "NumberDialog",
    "QuitDialog",
    "TextDialog",
]
