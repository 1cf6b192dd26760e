"""What is said about nodes, key by key: what a person sees, and what the store holds afterwards."""

from __future__ import annotations

from driver import approved, covers, start

from explorer.tui.screens.compare_screen import CompareScreen
from explorer.tui.screens.input_dialogs import TextDialog
from explorer.tui.screens.message_dialogs import ConfirmDialog


@covers("node.drop")
def test_dropping_asks_and_can_be_taken_back(tmp_path):
    async def play(seat):
        await seat.press("D")
        await seat.dialog(ConfirmDialog)
        await seat.sees("Drop R.F?", "2 nodes below it", "Nothing is deleted")
        await seat.press("escape")
        await seat.main()
        dropped = lambda: seat.store.annotations(1)  # noqa: E731
        assert not dropped()
        await seat.press("D")
        await seat.dialog(ConfirmDialog)
        await seat.press("y")
        await seat.main()
        await seat.until(lambda: any(a.dropped for a in dropped().values()), "the drop")
        assert len(seat.nodes()) == 5
        await seat.press("D")
        await seat.told("R.F is back")
        assert not any(a.dropped for a in dropped().values())

    start(tmp_path, play, approved)


@covers("node.mark", "node.compare")
def test_marked_nodes_are_compared_and_unmarked_a_node_with_its_siblings(tmp_path):
    async def play(seat):
        await seat.press("c")
        await seat.dialog(CompareScreen)
        await seat.sees("Compare 3 nodes", "R.L", "▲")
        await seat.press("escape")
        await seat.main()
        await seat.press("m", "down", "m")
        await seat.until(lambda: len(seat.state.marked) == 2, "two marks")
        await seat.press("c")
        await seat.dialog(CompareScreen)
        await seat.sees("Compare 2 nodes", "CKA to parent", "layer1 blocks")
        await seat.press("escape")
        await seat.main()
        await seat.press("m", "home", "c")
        await seat.told("mark two nodes")

    start(tmp_path, play, approved)


@covers("node.tag", "node.note")
def test_tags_and_notes_are_stored_and_shown(tmp_path):
    async def play(seat):
        await seat.press("#")
        await seat.dialog(TextDialog)
        await seat.press(*"best", "enter")
        await seat.main()
        await seat.press("n")
        await seat.dialog(TextDialog)
        await seat.press(*"small", "enter")
        await seat.main()
        said = seat.store.annotations(1)[seat.node("R.F").id]
        assert said.tags == ("best",) and said.note == "small"
        await seat.press("3")
        await seat.sees("●F★⚑ .9733", "⚑best", "small")
        await seat.press("#")
        await seat.dialog(TextDialog)
        await seat.press(*"best", "enter")
        await seat.main()
        await seat.until(
            lambda: not seat.store.annotations(1)[seat.node("R.F").id].tags, "the tag to go"
        )

    start(tmp_path, play, approved)


@covers("node.copy")
def test_copying_puts_the_name_and_the_figures_on_the_clipboard(tmp_path):
    async def play(seat):
        await seat.select("R.L")
        await seat.press("y")
        assert seat.app.clipboard == "R.L  CKA 0.9565  val % 92.80  MACs −% 3.75"

    start(tmp_path, play)
