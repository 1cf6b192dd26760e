"""The Decide card: a parent's candidates side by side, and what is suggested or was decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events
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
    name = _name(card)
    if not card.candidates:
        return f"{name} · what next?"
    if card.kept is not None:
        return f"{name} · what was kept?"
    return f"{name} · which to keep?" if asks(card) else f"{name} · being measured"


def _name(card: Card) -> str:
    return fitted_name(card.parent.name, 24)


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
        self.set_class(card is not None and asks(card), "-asks")
        self._title()
        self.repaint()

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._title()

    def _title(self) -> None:
        """The heading, with what stands in the lower frame where there is none."""
        card = self._shown[0]
        told = "Decide" if card is None else heading(card)
        below = "" if card is None else f"step {card.step} · Δ from {_name(card)}"
        is_framed = bool(self.styles.border_bottom[0])
        self.border_title = Content(told if is_framed else f" {told}{below and f' · {below}'} ")
        self.border_subtitle = Content(below)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        card, selected, now_what = self._shown
        return card_lines(
            card, width, height, selected=selected, now_what=now_what, keymap=self.keymap
        )
