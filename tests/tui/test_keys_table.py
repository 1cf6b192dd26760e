"""The table in the app: its columns, the active filter, marks."""

from __future__ import annotations

import csv
import io
import json

from cards import node
from driver import Seat, covers, explore, grown, start
from textual.widgets import OptionList

from explorer.tui.screens.dialogs import ColumnsDialog
from explorer.tui.widgets.node_table import NodeTable
from explorer.views.node_columns import CHOICES, columns_for
from explorer.views.node_csv import nodes_as_csv


def shown(seat: Seat) -> list[str]:
    return seat.app.query_one(NodeTable).shown_columns


def test_a_wider_table_has_further_figures_and_never_more_than_fit():
    before = set()
    for width in range(40, 220, 5):
        columns = columns_for(width)
        keys = {column.key for column in columns}
        assert before <= keys, "none goes where there is more room"
        assert len(keys) == 4 or sum(c.width + 2 for c in columns) <= width
        assert {"similarity", "val_accuracy", "macs_reduction"} < keys
        before = keys
    assert before - {"node"} == set(CHOICES)


@covers("view.columns")
def test_columns_are_chosen_remembered_and_sorted_by(tmp_path):
    async def play(seat):
        await seat.press("C")
        dialog = await seat.dialog(ColumnsDialog)
        marks = dialog.query_one(OptionList)
        for place, key in enumerate(CHOICES):
            if (place in dialog.marked) != (key in ("params", "val_accuracy_before")):
                marks.highlighted = place
                await seat.press("space")
        await seat.press("enter")
        await seat.main()
        await seat.sees("params", "val % before", "821,029")
        assert shown(seat) == ["params", "val_accuracy_before"]
        await seat.press("s", "s")
        table = seat.app.query_one(NodeTable)
        figures = [table.get_row_at(row)[1].plain for row in range(3)]
        assert figures == sorted(figures) and len(set(figures)) > 1, "fewer parameters come first"

    start(tmp_path, play)
    kept = json.loads((tmp_path / "state.json").read_text())["choices"]
    assert kept["columns"] == "params,val_accuracy_before"

    async def again(seat):
        await seat.press("t")
        await seat.sees("val % before")
        await seat.press("C")
        await seat.dialog(ColumnsDialog)
        await seat.press("escape")
        await seat.main()
        assert shown(seat) == ["params", "val_accuracy_before"]

    explore(tmp_path, again, model=grown(tmp_path))


def test_the_active_filter_is_in_sight_and_a_click_asks_for_another(tmp_path):
    async def play(seat):
        await seat.press("/", *"macs>4", "enter")
        await seat.main()
        await seat.sees("/ macs>4 · 1 match")
        row = next(y for y, text in enumerate(seat.lines) if "/ macs>4" in text)
        await seat.pilot.click(offset=(seat.lines[row].index("macs>4"), row))
        await seat.until(lambda: len(seat.app.screen_stack) > 1, "the question")

    start(tmp_path, play)


def test_marks_are_seen_in_the_table(tmp_path):
    async def play(seat):
        await seat.press("t", "m")
        await seat.sees("●✓R")

    start(tmp_path, play)


@covers("view.save_table")
def test_the_tree_is_saved_as_a_picture_and_the_table_as_csv(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def play(seat):
        await seat.press("ctrl+s")
        await seat.told("resnet56-tree.svg")
        assert ">F</text>" in (tmp_path / "resnet56-tree.svg").read_text()
        await seat.press("ctrl+s")
        await seat.told("resnet56-tree-2.svg")
        await seat.press("t", "ctrl+s")
        await seat.told("resnet56-nodes.csv")
        every = list(csv.DictReader((tmp_path / "resnet56-nodes.csv").open()))
        assert [row["name"] for row in every] == ["R", "R.L", "R.F"]
        assert every[1]["removes"] == "layer3.4" and every[1]["kept"] == ""
        assert float(every[2]["similarity"]) == 0.9733
        await seat.press("/", *"macs>4", "enter")
        await seat.main()
        await seat.press("ctrl+s")
        await seat.until(
            lambda: len((tmp_path / "resnet56-nodes.csv").read_text().splitlines()) == 2, "the one"
        )

    start(tmp_path, play)


def test_text_of_others_is_no_formula_in_a_spreadsheet():
    hostile = node("R", note='=HYPERLINK("x")\n"', tags=("+1", "b"))
    (row,) = csv.DictReader(io.StringIO(nodes_as_csv([hostile])))
    assert row["note"].startswith("'=") and "\n" not in row["note"]
    assert row["tags"] == "'+1 b" and row["test_accuracy"] == ""
