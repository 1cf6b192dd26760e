"""The Decide card: a parent's candidates side by side, and what is suggested or was decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from explorer.tui.drawing.card import card_lines
from explorer.tui.widgets.lines_view import Line, LinesView
from explorer.views.decide_card import Card
from explorer.views.run_names import fitted_name


def asks(card: Card) -> bool:
    """Whether a decision awaits a person."""
    return bool(card.candidates) and card.kept is None and not card.awaited


def heading(card: Card) -> str:
    """Which question the card answers."""
    name = fitted_name(card.parent.name, 24)
    if not card.candidates:
        return f"{name} · what next?"
    if card.kept is not None:
        return f"{name} · what was kept?"
    return f"{name} · which to keep?" if asks(card) else f"{name} · being measured"


class DecideCard(LinesView):
    """One card; `keymap` holds by id the keys that a person has bound otherwise."""

    def __init__(
        self,
        *,
        keymap: Mapping[str, str] | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.keymap = keymap or {}
        self._shown: tuple[Card | None, str | None, str] = (None, None, "")
        self.border_title = Content("Decide")

    def show(self, card: Card | None, selected: str | None = None, now_what: str = "") -> None:
        """Shows a card; `now_what` takes the place of the last line."""
        if (card, selected, now_what) == self._shown:
            return
        self._shown = card, selected, now_what
        self.border_title = Content("Decide" if card is None else heading(card))
        name = "" if card is None else fitted_name(card.parent.name, 24)
        self.border_subtitle = Content("" if card is None else f"step {card.step} · Δ from {name}")
        self.set_class(card is not None and asks(card), "-asks")
        self.repaint()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        card, selected, now_what = self._shown
        return card_lines(
            card, width, height, selected=selected, now_what=now_what, keymap=self.keymap
        )
