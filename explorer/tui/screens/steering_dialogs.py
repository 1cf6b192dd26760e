"""Dialogs that steer a tree: another candidate, a branch, which candidates are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import ContentSwitcher, OptionList, Static
from textual.widgets.option_list import Option

from engine.contracts.methods import ALLOCATIONS, CRITERIA
from engine.contracts.preview import Previewed
from engine.contracts.requests import (
    BranchRequest,
    CandidateRequest,
    EditRequest,
    RemoveBlocks,
    RemoveUnits,
    Take,
)
from explorer.session.errors import MENDABLE
from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.cells import short_name
from explorer.tui.screens.dialog import COPIES, Dialog, line
from explorer.tui.screens.form_widgets import (
    Choice,
    MarkList,
    NumberInput,
    NumberRow,
    PickList,
    PushButton,
)
from explorer.views.measured_text import figures_text
from explorer.views.node_view import NodeView
from explorer.views.preview_text import preview_lines
from explorer.views.safe_text import safe
from explorer.views.standing import SUGGESTED

Look = Callable[[CandidateRequest], Awaitable[Previewed]]
LOOK_SECONDS = 0.3  # between the last change and a look
Block = tuple[str, float, bool]  # path, score (less goes first), whether it may be removed
_BAR_CELLS = 12
_CHOSEN_BY = ("similarity", "val_accuracy", "macs_reduction")  # measures of a candidate


class CandidateDialog(Dialog[CandidateRequest]):
    """A request: the block that goes, or how many units, in place of the usual candidates."""

    BINDINGS: ClassVar[list[BindingType]] = [*COPIES]

    DEFAULT_CSS = """
    CandidateDialog {
        #kinds, #layer, #units { height: auto; }
        #body > #preview { height: 2; margin: 1 0 0 0; }
    }
    """

    def __init__(
        self,
        parent: NodeView,
        blocks: Sequence[Block],
        max_units: int,
        usual_count: int,
        criteria: Sequence[str] = tuple(CRITERIA),
        criterion: str = "kl",
        allocation: str = "uniform",
        unit: str = "filter",
        items: str = "images",
        look: Look | None = None,
    ) -> None:
        """`look` says what a candidate would be, before it is made; `items` are what the data are
        made of."""
        super().__init__(f"Another candidate of {parent.name}")
        self.look, self.items = look, items
        self.blocks = tuple(blocks)
        self.criterion = criterion
        no_layer = not any(removable for _, _, removable in self.blocks)
        missing = [*(["layer"] if no_layer else []), *([unit] if max_units < 1 else [])]
        self.structure = Choice(("layer", unit), "layer", unavailable=missing, id="structure")
        self.count = NumberInput(min(usual_count, max_units), 1, max_units, id="count")
        self.usual_count = usual_count
        self.allocation = Choice(tuple(ALLOCATIONS), allocation, id="allocation")
        self.criteria = Choice(
            criteria if criterion in criteria else (*criteria, criterion), criterion, id="criterion"
        )

    def body(self) -> ComposeResult:
        yield _row("Remove    ", self.structure)
        yield _row("Scored by ", self.criteria)
        with ContentSwitcher(id="kinds", initial=self._page()):
            with Vertical(id="layer"):
                yield PickList(*self._options())
            with Vertical(id="units"):
                hint = f"1 to {self.count.high:,}, usually {self.usual_count:,}"
                yield NumberRow("How many  ", self.count, hint=hint)
                yield _row("Taken     ", self.allocation)
        if self.look is not None:
            yield Static(id="preview", markup=False)

    def buttons(self) -> list[PushButton]:
        return [PushButton("Make it", "⏎", id="submit")]

    def on_mount(self) -> None:
        self._show_kind()

    def on_choice_changed(self, event: Choice.Changed) -> None:
        event.stop()
        if event.choice is self.structure:
            self._show_kind(focus=False)
        self._look_soon()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._look_soon()

    def typed(self, text: str) -> None:
        super().typed(text)
        self._look_soon()

    # ------------------------------------------------------------ what it would be

    def _look_soon(self) -> None:
        look = self.look
        if look is not None and self.is_running:

            async def work() -> None:
                await self._look(look)

            # Not a coroutine: one that is overtaken before it begins would never be awaited.
            self.run_worker(work, group="looking", exclusive=True)  # type: ignore[arg-type]

    async def _look(self, look: Look) -> None:
        try:
            request = self.answer()
        except ValueError:
            self._tell(Text(""))
            return
        self._tell(Text("what would it be? looking…", "dim"))
        await asyncio.sleep(LOOK_SECONDS)
        try:
            self._tell(Text("\n".join(preview_lines(await look(request), self.items))))
        except MENDABLE as error:
            self._tell(Text(safe(str(error)), "dim"))

    def _tell(self, text: Text) -> None:
        for told in self.query("#preview").results(Static):  # none once it is closed
            told.update(text)

    def fit(self, num_lines: int) -> None:
        super().fit(num_lines)
        self.query_one(OptionList).styles.max_height = min(max(num_lines - 7, 1), 16)

    def _show_kind(self, focus: bool = True) -> None:
        kind = self.structure.chosen
        if kind is None:
            self.complain("nothing is left here that may be removed")
            return
        self.query_one(ContentSwitcher).current = self._page()
        if kind == "layer":
            options = self.query_one(OptionList)
            if options.highlighted is None:
                options.action_first()
        if focus:
            self.structure.focus()

    def _page(self) -> str:
        """The id of the part that belongs to what is chosen."""
        return "layer" if self.structure.chosen in ("layer", None) else "units"

    def _options(self) -> list[Option]:
        """The blocks in the order given; a bar shows each score as a part of the largest."""
        largest = max((score for _, score, _ in self.blocks), default=0) or 1
        longest = max((len(safe(path)) for path, _, _ in self.blocks), default=0)
        options = []
        for path, score, removable in self.blocks:
            text = Text(
                f"{safe(path):<{longest}} {score:10.3g} ", no_wrap=True, overflow="ellipsis"
            )
            text.append(
                fig.bar(score / largest, _BAR_CELLS, fig.LOW)
                if removable
                else "stays: it changes the shape"
            )
            options.append(Option(text, disabled=not removable))
        return options

    def action_scroll(self, lines: int) -> None:
        """Up and down choose the block also while another part has the focus."""
        options = self.query_one(OptionList)
        if self.structure.chosen == "layer":
            for _ in range(abs(lines)):
                options.action_cursor_down() if lines > 0 else options.action_cursor_up()
        else:
            self.count.action_step(-lines)

    def answer(self) -> CandidateRequest:
        edit: EditRequest
        if self.structure.chosen == "layer":
            place = self.query_one(OptionList).highlighted
            if place is None:
                raise ValueError("choose a block")
            edit = RemoveBlocks((self.blocks[place][0],))
        elif self.structure.chosen is None:
            raise ValueError("nothing is left here that may be removed")
        else:
            edit = RemoveUnits(self.count.number(), self.allocation.chosen)
        chosen = self.criteria.chosen
        return CandidateRequest(edit, chosen if chosen != self.criterion else None)


class BranchDialog(Dialog[BranchRequest]):
    """How a node is grown on from: which structure, and how many steps without asking."""

    BINDINGS: ClassVar[list[BindingType]] = [*COPIES]

    def __init__(self, node: NodeView, taken: Sequence[str] = (), unit: str = "filter") -> None:
        """`taken` are the structures whose candidates are kept, `unit` what units are called."""
        super().__init__(f"Branch from {node.name}")
        self.taken = tuple(dict.fromkeys("layer" if t == "layer" else unit for t in taken))
        both = ("both",) if len(self.taken) == 2 else ()
        self.take = Choice(
            ("layer", unit, "both"), "layer", unavailable=(*self.taken, *both), id="take"
        )
        self.steps = NumberInput(None, 1, 1000, optional=True, id="steps")

    def body(self) -> ComposeResult:
        yield line("Keeps a candidate of this node beside what is kept there, and grows on.")
        if self.taken:
            kept = " and ".join(self.taken)
            more = "; e makes a candidate of another kind" if len(self.taken) == 2 else ""
            yield line(f"Kept here already: {kept}{more}.")
        yield _row("Keep the  ", self.take)
        yield NumberRow("Steps     ", self.steps, hint="none: this one only")

    def buttons(self) -> list[PushButton]:
        return [PushButton("Branch", "⏎", id="submit")]

    def on_mount(self) -> None:
        self.take.focus()

    def answer(self) -> BranchRequest:
        if self.take.chosen is None:
            raise ValueError("both are kept here already")
        chosen: Take = "layer" if self.take.chosen == "layer" else "filter"
        take = "both" if self.take.chosen == "both" else chosen
        return BranchRequest(take, self.steps.number() or 1)


class ChooseDialog(Dialog[list[str]]):
    """Which candidates are kept: one or more names."""

    BINDINGS: ClassVar[list[BindingType]] = [*COPIES]

    def __init__(self, candidates: Sequence[NodeView], suggested: str | None = None) -> None:
        super().__init__("Which are kept?")
        self.candidates = tuple(candidates)
        self.suggested = suggested
        self.marked = {i for i, node in enumerate(candidates) if node.name == suggested}

    def body(self) -> ComposeResult:
        yield line("Space marks what is kept. The rest is rejected; it stays in the tree.")
        yield MarkList(*map(self._prompt, range(len(self.candidates))))

    def _prompt(self, place: int) -> Text:
        node = self.candidates[place]
        text = Text("☑ " if place in self.marked else "☐ ", no_wrap=True, overflow="ellipsis")
        text.append(f"{SUGGESTED} " if node.name == self.suggested else "  ")
        text.append(short_name(node.name, 18), "bold")
        figures = figures_text(node, _CHOSEN_BY)
        return text.append(f"  {figures}" if figures else "")

    def buttons(self) -> list[PushButton]:
        return [PushButton("Keep", "⏎", id="submit")]

    def on_mount(self) -> None:
        self.query_one(MarkList).focus()

    def picked(self, place: int) -> None:
        self.marked ^= {place}
        self.query_one(MarkList).replace_option_prompt_at_index(place, self._prompt(place))
        self.complain("")

    def answer(self) -> list[str]:
        if not self.marked:
            raise ValueError("mark at least one with space, or Esc")
        return [self.candidates[place].name for place in sorted(self.marked)]


class _Row(Horizontal):
    """A part of a dialog with its label on one line."""

    DEFAULT_CSS = "_Row { height: 1; & > Static { width: auto; margin: 0 1 0 0; } }"


def _row(label: str, part: Choice) -> Horizontal:
    return _Row(line(label), part)
