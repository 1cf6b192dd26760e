"""The larger screens: compare, help, start, and the palette."""

from __future__ import annotations

from dataclasses import replace

import pytest
from screens import HOSTILE, Waiting, answer_of, answers_of, drive, text_of
from waiting import until

from explorer.tui.keys import KEYS, rebound
from explorer.tui.recents import Recent, Star
from explorer.tui.screens.command_palette import KeyCommands
from explorer.tui.screens.compare_screen import CompareScreen, comparison
from explorer.tui.screens.help_screen import HelpScreen, page
from explorer.tui.screens.start_screen import StartScreen
from explorer.views.network_structure import StageView
from explorer.views.node_view import NodeView

FIRST = NodeView("R.F", "R", "filter", "ready", metrics={
    "similarity": 0.98, "val_accuracy": 93.0, "macs": 1000, "params": 50,
})  # fmt: skip
SECOND = NodeView("R.L", "R", "layer", "ready", note=HOSTILE, metrics={
    "similarity": 0.99, "val_accuracy": 93.0, "macs": 1200, "params": 50,
})  # fmt: skip
STAGES = {
    "R.F": [StageView("layer1", 9, 9, 100, 112)],
    "R.L": [StageView("layer1", 8, 9, 112, 112)],
}


# ------------------------------------------------------------ compare


def plain(nodes, stages=None):
    return {t: [v.plain for v in values] for t, values in comparison(nodes, stages or {})}


def test_nodes_are_compared_with_the_first_by_sign_and_arrow():
    rows = plain([FIRST, SECOND, NodeView("R.L.L", "R.L", "layer", "queued")], STAGES)
    assert rows["CKA to parent"] == ["0.9800", "0.9900  +0.0100▲", "–"]
    assert rows["MACs"] == ["1,000", "1,200  +200▼", "–"], "fewer is better"
    assert rows["val acc %"] == ["93.00", "93.00  =", "–"]
    assert rows["layer1 blocks"] == ["9", "8  −1", "–"]
    assert rows["layer1 filters"] == ["100", "112  +12", "–"]
    assert "test acc %" not in rows, "none has it"


def test_the_comparison_fills_the_screen_copies_and_closes():
    async def play(pilot, app):
        await pilot.pause()
        text = app.text
        for part in ("Compare 2 nodes", "R.F", "+0.0100▲", "layer1 blocks", "R.L[/foo]\\x1b"):
            assert part in text
        await pilot.press("y")
        table = [line.split("\t") for line in app.clipboard.splitlines()]
        assert table[0] == ["", "R.F", "R.L"] and ["state", "ready", "ready"] in table
        assert "\x1b" not in app.clipboard
        await pilot.press("escape")

    assert drive(CompareScreen([FIRST, SECOND], STAGES), play, (100, 24)).answer is None


def test_a_comparison_wider_than_the_screen_scrolls_beside_its_titles():
    nodes = [replace(FIRST, name=f"R.{'F.' * number}L") for number in range(12)]
    text = text_of(CompareScreen(nodes), *["pagedown", "end"])
    assert "val acc %" in text
    assert "…" not in text.splitlines()[0]
    right = text_of(CompareScreen(nodes), *["right"] * 40)
    assert "val acc %" in right and right.splitlines()[1] != text.splitlines()[1]


# ------------------------------------------------------------ help


def test_the_help_page_holds_every_key_with_a_persons_own():
    text = page(rebound({"decide.approve": "f5"})).plain
    assert all(f"{key.label}: {key.help.split()[0]}" in text for key in KEYS)
    (line,) = [line for line in text.splitlines() if "Approve:" in line]
    assert line.startswith("f5 ")


def test_typing_in_the_help_searches_and_escape_closes_it():
    text = text_of(HelpScreen(), *"undo", size=(80, 24))
    assert "Undo: Take the last decision back" in text and "Approve" not in text
    nothing = text_of(HelpScreen(), *"qqq", size=(80, 24))
    assert "no key does that" in nothing
    assert answers_of(HelpScreen, ["a", "escape"], ["?"], size=(80, 24)) == [None, Waiting]


@pytest.mark.parametrize("size", [(80, 24), (60, 16)])
def test_all_of_the_help_can_be_scrolled_to(size):
    first, last = [], []

    async def play(pilot, app):
        first.append(app.text)
        await pilot.press(*["pagedown"] * 40)
        last.append(app.text)

    drive(HelpScreen(), play, size)
    assert "Approve: Keep the candidate" in first[0]
    assert "Leave" in last[0] and "Approve:" not in last[0], "the words stand behind the keys"


# ------------------------------------------------------------ start


@pytest.fixture
def stores(tmp_path):
    best = Star("R.L.F", 93.1, 86.4)
    found = []
    for name, star in (("new.pex.db", best), ("old[red].pex.db", None)):
        (tmp_path / name).write_bytes(b"x")
        found.append(Recent(str(tmp_path / name), "run-1", 1.7e9, 13, star))
    return found


def test_the_start_offers_recent_stores_with_figures_the_sample_and_a_path(stores):
    text = text_of(StartScreen(stores), size=(80, 24))
    for part in ("new.pex.db", "13 nodes · best R.L.F −86.4 % MACs 93.10 % · 2023",
                 "old[red].pex.db", "sample", "or a path"):  # fmt: skip
        assert part in text


def test_the_start_opens_what_is_chosen_or_typed(stores, tmp_path, monkeypatch):
    (tmp_path / "n.pt").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    ways = ["enter"], ["down", "enter"], ["up", "pagedown", "enter"], ["escape"]
    answers = answers_of(lambda: StartScreen(stores), *ways)
    assert answers == [stores[0].path, stores[1].path, "sample", None]
    assert answer_of(StartScreen(stores), *"n.pt", "enter") == "n.pt"
    assert answer_of(StartScreen(), "enter") == "sample"
    assert answer_of(StartScreen([], sample=False), "enter") is Waiting

    async def play(pilot, app):
        row = next(y for y, line in enumerate(app.lines) if "old[red]" in line)
        await pilot.click(offset=(6, row))

    assert drive(StartScreen(stores), play, (80, 24)).answer == stores[1].path


def test_a_path_that_is_not_there_is_told_with_the_nearest_name(tmp_path, monkeypatch):
    (tmp_path / "net.pt").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    text = text_of(StartScreen(), *"nut.pt", "enter", size=(100, 24))
    assert "there is no file 'nut.pt'; did you mean 'net.pt'?" in text


def test_a_store_that_vanished_since_is_told_not_opened(stores, tmp_path):
    (tmp_path / "new.pex.db").unlink()
    assert answer_of(StartScreen(stores), "enter") is Waiting


# ------------------------------------------------------------ palette


def test_the_palette_finds_every_action_of_the_table_and_runs_it():
    async def play(pilot, app):
        source = KeyCommands(app.screen)
        offered = [hit.text async for hit in source.discover()]
        assert set(offered) == {key.label for key in KEYS if key.action} - {"Palette"} | {"Theme"}
        for key in KEYS:
            if key.action and key.id != "app.palette":
                hits = [hit async for hit in source.search(key.label)]
                assert key.help in [hit.help for hit in hits]
        await pilot.press("ctrl+p", *"appro")
        # It searches in the background.
        await until(lambda: "Keep the candidate that is suggested" in app.text, lambda: app.text)
        await pilot.press("enter", "enter")
        await until(lambda: app.done, lambda: app.text)
        assert app.done == ["decide.approve"]

    drive(None, play, (80, 24))
