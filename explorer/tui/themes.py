"""The app's four looks, and which one a terminal gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.filter import LineFilter, NoColor
from textual.theme import Theme

from explorer.tui.config import Config

DARK, LIGHT, ANSI, NONE = "pe-dark", "pe-light", "pe-ansi", "pe-none"
ACCENTS = {"layer": "#5FB3FF", "units": "#FFA62B"}  # where a theme says nothing of them
_OF_CONFIG = {"dark": DARK, "light": LIGHT, "ansi": ANSI, "none": NONE}
# Terminals with 16 colours: shades of our own would be rounded to something unreadable.
_FEW_COLOURS = ("linux", "ansi", "cygwin", "vt100", "vt220", "xterm-16color", "xterm-color")

_ANSI_VARIABLES = {
    "ansi-background": "ansi_black",
    "ansi-foreground": "ansi_white",
    "block-cursor-foreground": "ansi_black",
    "block-cursor-background": "ansi_white",
    "input-cursor-background": "ansi_black",
    "input-cursor-foreground": "ansi_bright_white",
    "input-cursor-text-style": "reverse",
    "input-selection-background": "ansi_bright_blue",
    "input-selection-foreground": "ansi_black",
    "screen-selection-background": "ansi_bright_blue",
    "screen-selection-foreground": "ansi_black",
}

THEMES = (
    Theme(
        name=DARK,
        primary="#0178D4",
        secondary="#0B2F4E",  # the title's deep blue
        accent="#FFA62B",
        warning="#FFA62B",
        error="#F5587B",
        success="#4EBF71",
        foreground="#E0E0E0",
        background="#121212",
        surface="#1E1E1E",
        panel="#242F38",
        dark=True,
        variables={
            "footer-key-foreground": "#FFA62B",
            "footer-background": "#242F38",
            "block-cursor-text-style": "bold",
            **ACCENTS,
        },
    ),
    Theme(
        name=LIGHT,
        primary="#005A9E",
        secondary="#CFE3F5",
        accent="#A85400",
        warning="#A85400",
        error="#B3123E",
        success="#1B7A3D",
        foreground="#1C1C1C",
        background="#F2F2F2",
        surface="#FFFFFF",
        panel="#DDE6EE",
        dark=False,
        variables={
            "footer-key-foreground": "#A85400",
            "layer": "#005A9E",
            "units": "#A85400",
        },
    ),
    Theme(
        name=ANSI,
        ansi=True,
        primary="ansi_blue",
        secondary="ansi_cyan",
        accent="ansi_yellow",
        warning="ansi_yellow",
        error="ansi_red",
        success="ansi_green",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        dark=True,
        variables={**_ANSI_VARIABLES, "layer": "ansi_blue", "units": "ansi_yellow"},
    ),
    Theme(
        name=NONE,
        ansi=True,
        primary="ansi_default",
        secondary="ansi_default",
        accent="ansi_default",
        warning="ansi_default",
        error="ansi_default",
        success="ansi_default",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        dark=True,
        # What is underlined and reversed is under the cursor.
        variables={
            **_ANSI_VARIABLES,
            "block-cursor-text-style": "bold underline reverse",
            "layer": "ansi_default",
            "units": "ansi_default",
        },
    ),
)


def pick_theme(config: Config, environ: Mapping[str, str]) -> str:
    """The name of the theme: none where NO_COLOR asks for it, else the configured one, else one
    that the terminal can show."""
    if environ.get("NO_COLOR"):
        return NONE
    if config.theme is not None:
        return _OF_CONFIG[config.theme]
    few = environ.get("TERM", "") in _FEW_COLOURS and not environ.get("COLORTERM")
    return ANSI if few else DARK


def line_filters(theme: str, filters: Sequence[LineFilter]) -> Sequence[LineFilter]:
    """The filters of the app's lines: with the theme without colours, one that takes them out.

    Textual's own choice, greys, is made before a theme is set.
    """
    return [NoColor()] if theme == NONE else filters
