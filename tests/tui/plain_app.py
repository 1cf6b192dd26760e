"""An app without anything but the colours that the explorer's widgets name."""

from __future__ import annotations

from textual.app import App

from explorer.tui.themes import ACCENTS


class PlainApp(App):
    """What holds a widget or a dialog under test."""

    def get_theme_variable_defaults(self):
        return ACCENTS
