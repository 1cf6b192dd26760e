"""Every dialog of the app."""

from __future__ import annotations

from explorer.tui.screens.columns_dialog import ColumnsDialog
from explorer.tui.screens.commands_dialog import CommandsDialog
from explorer.tui.screens.input_dialogs import (
    DataDialog,
    TextDialog,
    WeightsDialog,
)
from explorer.tui.screens.message_dialogs import ConfirmDialog, DoubtDialog, ErrorDialog, QuitDialog
from explorer.tui.screens.steering_dialogs import BranchDialog, CandidateDialog, ChooseDialog

__all__ = [
    "BranchDialog",
    "CandidateDialog",
    "ChooseDialog",
    "ColumnsDialog",
    "CommandsDialog",
    "ConfirmDialog",
    "DataDialog",
    "DoubtDialog",
    "ErrorDialog",
    "QuitDialog",
    "TextDialog",
    "WeightsDialog",
]
