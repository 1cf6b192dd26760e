"""The table of the same nodes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from plain_app import PlainApp
from trees import chain, node, small_tree

from explorer.tui.widgets.node_table import NodeTable
from explorer.views.tree.model import TreeModel


class TableApp(PlainApp):
    def __init__(self, nodes):
        super().__init__()
        self.nodes = nodes
        self.said = []

    def compose(self):
        yield NodeTable(model=TreeModel(self.nodes))

    def on_node_table_selected(self, message):
        self.said.append(message.name)

    def on_node_table_activated(self, message):
        self.said.append(f"open {message.name}")


def drive(play, nodes=None):
    async def run():
        app = TableApp(small_tree() if nodes is None else nodes)
        async with app.run_test(size=(100, 24)) as pilot:
            table = app.query_one(NodeTable)
            table.focus()
            await pilot.pause()
            await play(pilot, table)

    asyncio.run(run())


def names(table):
    """The first column, top down, without its marks."""
    return [table.get_row_at(row)[0].plain[2:] for row in range(table.row_count)]


def test_rows_in_the_order_of_creation_and_messages():
    async def play(pilot, table):
        assert names(table) == [each.name for each in small_tree()]
        assert table.get_row_at(5)[0].plain == "●⚑R.L.F"
        assert [cell.plain for cell in table.get_row_at(2)[1:4]] == [".9737", "92.8%", "−7.1%"]
        await pilot.press("down", "j", "k", "enter")
        await pilot.pause()
        assert table.app.said == ["R", "R.F", "R.L", "R.F", "open R.F"]
        assert table.selected == "R.F"

    drive(play)


def test_sorting_by_key_and_by_header_keeps_the_selection():
    async def play(pilot, table):
        table.select("R.L.L")
        await pilot.pause()
        await pilot.press("s", "s")
        await pilot.pause()
        assert names(table)[:3] == ["R.L.F.F", "R.L.F", "R.L"]
        assert set(names(table)[-4:]) == {"R", "R.F.L", "R.L.L2", "R.L.F.L"}, "no CKA"
        assert table.selected == "R.L.L"
        await pilot.press("S")
        await pilot.pause()
        assert names(table)[0] == "R.F.F"
        await pilot.click(NodeTable, offset=(40, 0))
        await pilot.pause()
        assert table.selected == "R.L.L" and "R.L.L" in names(table)
        assert names(table)[table.cursor_row] == "R.L.L"

    drive(play)


def test_the_same_filter_as_the_canvas():
    async def play(pilot, table):
        table.set_filter("kept acc>92")
        await pilot.pause()
        assert names(table) == ["R", "R.L", "R.L.F"]
        table.update_nodes([replace(table.model.nodes[1], kept=True)])
        await pilot.pause()
        assert names(table) == ["R", "R.F", "R.L", "R.L.F"]
        table.set_filter("acc>200")
        await pilot.press("down", "enter", "s")
        assert names(table) == []
        table.set_filter("")
        assert len(names(table)) == 10

    drive(play)


def test_updates_change_rows_and_keep_the_cursor():
    async def play(pilot, table):
        table.select("R.L.F.L")
        await pilot.pause()
        done = node("R.L.F.L", kept=True, cka=0.5, acc=50.0, cut=30.0)
        table.update_nodes([done, node("R.L.F.L.F", state="queued")])
        await pilot.pause()
        assert table.selected == "R.L.F.L"
        assert names(table)[-1] == "R.L.F.L.F"
        assert table.get_row_at(9)[2].plain == "50.0%"

    drive(play)


def test_ten_thousand_rows_are_a_window_that_moves():
    async def play(pilot, table):
        for name in ("n3000", "n2", "n9999"):
            table.select(name)
            await pilot.pause()
            assert table.selected == names(table)[table.cursor_row] == name
            assert table.row_count < 500
        await pilot.press("home", "end", "up", "home", "down")
        await pilot.pause()
        assert table.app.said[-4:] == ["n9999", "n9998", "R", "n1"]
        assert table.position == (2, 10_000)
        table.select("n500")
        await pilot.pause()
        await pilot.press(*["pageup"] * 8)
        await pilot.pause()
        assert 260 < int(table.selected[1:]) < 380, "above the first window"
        await pilot.press(*["pagedown"] * 12)
        await pilot.pause()
        assert int(table.selected[1:]) > 400
        table.sort_by(2)
        await pilot.pause()

    drive(play, nodes=chain(10_000))


def test_hostile_names_are_plain_text():
    bad = [node("R", kept=True), node("R.L[/foo]\x1b[31m\u202e\n")]

    async def play(pilot, table):
        assert names(table)[1] == "R.L[/foo]\\x1b[31m\\u202e\\n"[-20:] or "…" in names(table)[1]
        assert table.app.export_screenshot()

    drive(play, nodes=bad)
