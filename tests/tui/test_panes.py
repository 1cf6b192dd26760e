"""The panes beside the tree: frames, keys, mouse, scrolling, any size, hostile text."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from cards import EDITS, FILTER, LAYER, card, drive, frame, job, measured, plain
from rich.cells import cell_len

from engine.contracts.networks import Scores
from explorer.session.policy import Margin
from explorer.tui.drawing import numbers as figures
from explorer.tui.drawing.title import TitleView
from explorer.tui.widgets.decide_card import DecideCard
from explorer.tui.widgets.jobs_pane import JobsPane, job_table, title
from explorer.tui.widgets.log_pane import LogPane
from explorer.tui.widgets.node_pane import NodePane, node_lines
from explorer.tui.widgets.ranking_pane import (
    RankingPane,
    block_lines,
    filter_lines,
    ranked,
)
from explorer.tui.widgets.stages_pane import StagesPane, stage_lines
from explorer.tui.widgets.timeline import Timeline
from explorer.tui.widgets.title_bar import TitleBar
from explorer.views.network_structure import StageView
from explorer.views.node_view import DecisionView, EpochView, NodeDetails

JOBS = [job(), job("R.F", state="queued", phase="", done=0, total=0)]
HOSTILE = "[/foo]\x1b[2J\u202e日本"
SCORES = Scores(
    blocks={"layer1.0": 0.5, "layer1.1": 3e-5, "layer2.1": 0.004, "layer3.1": 0.0},
    units={
        "layer1.0.conv1": (0.1, 0.2, 0.3, 0.4),
        "layer1.1.conv1": (0.01, 0.02, 0.5, 0.6),
        "layer2.1.conv1": (0.9,) * 22,
    },
)
STAGES = [
    StageView("layer1", 8, 9, 112, 144, (16, 14, 12, 16, 12, 14, 14, 14)),
    StageView("layer2", 9, 9, 288, 288, (32,) * 9),
    StageView("layer3", 1, 9, 3, 576, (3,)),
]
FULL_NODE = NodeDetails(
    replace(
        LAYER, kept=True, decided_by="user", error="it [/foo] " * 9, tags=("best", HOSTILE),
        note="a note " * 20,
        decision=DecisionView(("R.L.F",), "closer", Margin(-0.01, -0.02, 0.01, True)),
    ),
    edit=EDITS["R.F"],
    snapshots={"recovered": "ab" * 32},
    epochs=tuple(EpochView("recovered", {}, i, 1 / (i + 1), 90.0) for i in range(20)),
    created_at="2026-11-21T07:00:00.123Z",
)  # fmt: skip


def full_node(**changes):
    """The node with something else about it."""
    return replace(FULL_NODE, node=replace(FULL_NODE.node, **changes))


def wide_line(widget):
    return max(cell_len(line) for line in frame(widget).split("\n"))


# ------------------------------------------------------------ jobs


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (100, "◐ R.L recovery  epoch 3/10  ━━━━━━━━━━━━━━━━╸─────────────   55%  1,240 img/s"
              "  eta 1:40  cpu  0.9 GB"),
        (80, "◐ R.L recovery  epoch 3/10  ━━━━━╸────   55%  1,240 img/s  eta 1:40  cpu  0.9 GB"),
        (64, "◐ R.L recovery  epoch 3/10  ━━━━───   55%  1,240 img/s  eta 1:40"),
        (40, "◐ R.L recovery   55%  eta 1:40"),
        (16, "◐ R.L recovery"),
    ],
)  # fmt: skip
def test_a_job_loses_its_least_important_figures_first(width, expected):
    lines = plain(job_table(JOBS, False, None, width, 5)).split("\n")
    assert lines[:2] == [expected, "◌ R.F waiting"]


@pytest.mark.parametrize(
    ("row", "told"), [("window", "windows"), ("entry", "entries"), ("patch", "patches")]
)
def test_rates_are_of_what_a_task_calls_its_rows(row, told):
    running = replace(JOBS[0], row=row)
    assert f"1,240 {told}/s" in plain(job_table([running], False, None, 100, 5))
    details = replace(FULL_NODE, row=row, epochs=(EpochView("tuned", {}, 0, 1.0, 90.0, 812.4),))
    assert f"accuracy 90.00 %  812 {told}/s" in plain(node_lines(details, 80))
    details = replace(details, row="image")
    assert "accuracy 90.00 %  812 img/s" in plain(node_lines(details, 80))


def test_the_title_of_the_jobs_counts_them():
    assert title(JOBS, False) == "Jobs · 1 running · 1 waiting"
    assert title(JOBS, True) == "Jobs · paused · 1 waiting"
    assert title([], False) == "Jobs"


def test_more_jobs_than_lines_are_counted_and_what_is_awaited_comes_first():
    text = plain(job_table(JOBS * 3, False, "the engine is warming up", 60, 3)).split("\n")
    assert text[0] == "◌ the engine is warming up"
    assert text[1].startswith("◐ R.L") and text[2] == "… and 5 more"


def test_idle_and_paused_say_what_to_do():
    assert plain(job_table([], False, None, 80, 3, "idle: g grows it")) == "idle: g grows it\n"
    assert plain(job_table([], True, None, 80, 3)) == "‖ paused: space lets the work go on\n"
    text = plain(job_table([job(state="paused")], True, None, 80, 3))
    assert text.startswith("‖ R.L recovery")


def test_a_job_that_knows_nothing_yet_has_no_bar():
    bare = job(state="running", done=0, total=0, epoch=None, images_per_second=None,
               eta_seconds=None, memory_bytes=None, device="")  # fmt: skip
    assert plain(job_table([bare], False, None, 60, 2)) == "◐ R.L recovery\n"


# ------------------------------------------------------------ stages, ranking


def test_stages_show_what_is_left_of_the_root():
    assert (
        "\n" + plain(stage_lines(STAGES, 86))
        == """
layer1  blocks ███████████░ 8/9  filters █████████░░░ 112/144  widths 16 14 12 16 12 …
layer2  blocks ████████████ 9/9  filters ████████████ 288/288  widths 32 32 32 32 32 …
layer3  blocks █░░░░░░░░░░░ 1/9  filters █░░░░░░░░░░░   3/576  widths 3
"""
    )
    assert plain(stage_lines([], 50)) == "what this network is made of is not known\n"


def test_parts_without_blocks_show_their_units_alone():
    features = StageView("features", 0, 0, 120, 160, (40, 80))
    assert plain(stage_lines([features], 70)) == (
        "features  filters █████████░░░ 120/160  widths 40 80\n"
    )
    text = plain(stage_lines([*STAGES[:1], features], 86)).split("\n")
    assert text[0].index("filters") == text[1].index("filters")
    assert "blocks" not in text[1] and "120/160" in text[1]


def test_the_stages_pane_is_as_high_as_its_stages():
    async def play(pilot, app):
        pane = app.query_one(StagesPane)
        assert pane.size.height == 1
        pane.show(STAGES)
        await pilot.pause()
        assert pane.size.height == 3
        assert frame(pane).count("blocks") == 3

    drive(StagesPane(), play)


def test_blocks_are_ranked_by_importance_on_a_logarithmic_scale():
    assert ranked(SCORES) == ["layer3.1", "layer1.1", "layer2.1", "layer1.0"]
    assert ranked(Scores({"a": math.nan, "b": 2.0, "c": 2.0}, {})) == ["b", "c", "a"]
    lines = block_lines(SCORES.blocks, ranked(SCORES), ["layer1.1"], {}, None, 60)
    assert (
        "\n" + plain(lines)
        == """
blocks, least important first (log bars)
   1 layer3.1  0.00e+00
   2 layer1.1  3.00e-05 █▎                           ← goes
   3 layer2.1  4.00e-03 ██████████████▊
   4 layer1.0  5.00e-01 ████████████████████████████
"""
    )


def test_the_candidate_that_removes_a_block_is_named():
    lines = block_lines(SCORES.blocks, ranked(SCORES), [], {"layer1.1": "R.L"}, None, 70)
    assert plain(lines).split("\n")[2].endswith("← goes in R.L")


def test_the_filters_that_go_are_counted_by_convolution():
    assert plain(filter_lines(SCORES.units, None, 60)) == (
        "where the 3 lowest-scored filters are\nlayer1.0 1/4  layer1.1 2/4\n"
    )
    going = {"layer1.0.conv1": [0, 1], "layer2.1.conv1": [4]}
    assert plain(filter_lines(SCORES.units, going, 60)) == (
        "filters that go: 3\nlayer1.0 2/4   layer2.1 1/22\n"
    )


def test_a_block_is_chosen_by_keys_and_by_a_double_click():
    async def play(pilot, app):
        pane = app.query_one(RankingPane)
        pane.focus()
        pane.show(SCORES, ["layer3.1"])
        await pilot.press("down", "down", "up", "enter", "end", "enter", "home", "up", "enter")
        await pilot.pause()
        assert app.said == ["layer1.1", "layer1.0", "layer3.1"]
        await pilot.click(RankingPane, offset=(5, 3), times=2)
        await pilot.pause()
        assert app.said[3:] == ["layer2.1"] and pane.selected == "layer2.1"
        assert "▸  3 layer2.1" in frame(pane)
        pane.show(replace(SCORES, blocks={**SCORES.blocks, "layer2.1": 9.0}), ["layer3.1"])
        await pilot.pause()
        assert "▸  4 layer2.1" in frame(pane), "the cursor stays on its block"

    drive(RankingPane(), play)


def test_the_cursor_of_a_long_ranking_stays_in_view():
    async def play(pilot, app):
        pane = app.query_one(RankingPane)
        pane.focus()
        pane.show(Scores({f"layer1.{i}": float(i) for i in range(54)}, {}))
        await pilot.press(*["down"] * 20)
        assert "▸ 21 layer1.20" in frame(pane)
        await pilot.press("end")
        assert "▸ 54 layer1.53" in frame(pane)
        await pilot.press("pageup", "pageup")
        assert "▸ 34 layer1.33" in frame(pane)
        assert wide_line(pane) <= 39, "the scroll bar has a column of its own"

    drive(RankingPane(), play, (40, 8))


def test_no_scores_say_what_makes_them():
    async def play(pilot, app):
        pane = app.query_one(RankingPane)
        pane.show(None)
        pane.focus()
        await pilot.press("down", "enter")
        assert frame(pane) == "no scores yet: g grows this node\n" and app.said == []

    drive(RankingPane(), play)


# ------------------------------------------------------------ node, log


def test_a_node_is_told_whole():
    text = plain(node_lines(FULL_NODE, 60))
    for part in (
        "decision    kept by user", "CKA         .9565", "81.27 before recovery",
        "MACs        116.60 M", "removes     24 filters of 8 convolutions", "layer1.0.conv1:3",
        "⚑best, ⚑[/foo]\\x1b[2J\\u202e日本", "since       2026-11-21 07:00:00",
        "−.0100  [−.0200, +.0100]  too close to call", "recovered: 20 epochs",
        "    1  loss 1.0000  accuracy 90.00 %\n  …\n   10  loss", "   20  loss 0.0500",
    ):  # fmt: skip
        assert part in text
    assert text.count("a note") == 20 and text.replace("\n", "").count("ab" * 6) >= 4
    assert plain(node_lines(None, 30)) == "no node is selected\n"


def test_another_node_is_shown_from_its_beginning_and_the_same_one_stays_where_it_was():
    async def play(pilot, app):
        pane = app.query_one(NodePane)
        pane.show(FULL_NODE)
        await pilot.pause()
        pane.scroll_to(y=9, animate=False)
        await pilot.pause()
        pane.show(full_node(note="x"))
        await pilot.pause()
        assert pane.scroll_offset.y == 9
        pane.show(replace(FULL_NODE, node=FILTER))
        await pilot.pause()
        assert frame(pane).startswith("R.F\nstructure   filter")

    drive(NodePane(), play, (60, 12))


def test_the_log_follows_its_end_unless_it_is_being_read():
    async def play(pilot, app):
        log = app.query_one(LogPane)
        log.add([(0, f"line {i}") for i in range(1500)])
        await pilot.pause()
        assert frame(log).split("\n")[3].endswith("  line 1499")
        log.scroll_to(y=400, animate=False)
        await pilot.pause()
        reading = frame(log)
        assert "  line 900\n" in reading
        log.add([(0, "news"), (0, "more news")])
        await pilot.pause()
        assert frame(log) == reading
        log.scroll_end(animate=False)
        await pilot.pause()
        log.add([(0, HOSTILE)])
        await pilot.pause()
        assert "  [/foo]\\x1b[2J\\u202e日本" in frame(log).split("\n")[3]
        assert log.virtual_size.height == 1000

    drive(LogPane(), play, (60, 4))


LONG = "R.L: the work failed: the images of run resnet56 are not at /data/photos, nor beside it"


def test_long_lines_of_the_log_go_on_below_their_time_at_any_width():
    async def play(pilot, app):
        log = app.query_one(LogPane)
        log.add([(0, LONG), (0, "next")])
        await pilot.pause()
        first, *more, last = frame(log).split("\n")[:3]
        assert first[10:].startswith("R.L: the work") and last.endswith("  next")
        assert all(line.startswith(" " * 10) for line in more)
        assert " ".join(line[10:].strip() for line in (first, *more)) == LONG
        assert not log.show_horizontal_scrollbar
        log.add([(0, LONG) for _ in range(40)])
        await pilot.pause()
        log.scroll_to(y=62, animate=False)  # the second line of an entry
        await pilot.pause()
        await pilot.resize_terminal(120, 6)
        await pilot.pause()
        assert log.scroll_offset.y == 31
        assert all(line.rstrip().endswith(f"  {LONG}") for line in frame(log).split("\n")[:6])
        await pilot.resize_terminal(60, 6)
        await pilot.pause()
        assert frame(log).split("\n")[0][10:].startswith("R.L: the work")

    drive(LogPane(), play, (60, 6))


def test_lines_that_came_while_the_log_was_hidden_are_there_when_it_is_shown():
    async def play(pilot, app):
        log = app.query_one(LogPane)
        log.display = False
        await pilot.pause()
        log.add([(0, f"line {i}") for i in range(30)])
        log.display = True
        await pilot.pause()
        assert frame(log).split("\n")[3].endswith("  line 29")

    drive(LogPane(), play, (60, 4))


# ------------------------------------------------------------ timeline, title


def test_the_timeline_shows_the_moment_on_two_lines_and_on_one():
    async def play(pilot, app):
        line = app.query_one(Timeline)
        line.show(11, 40, "12:04:31  R → R.F kept by cka")
        await pilot.pause()
        assert frame(line) == (
            "◀ ────────────●────────────────────────────── 12/40\n12:04:31  R → R.F kept by cka\n"
        )
        line.show(39, 40, "now", live=True, playing=True)
        await pilot.pause()
        assert frame(line) == "▶ ──────────────────────────────────● 40/40  ● live\nnow\n"
        line.styles.height = 1
        await pilot.pause()
        assert frame(line) == "▶ ─────────────────────────────● 40/40  ● live  now\n"

    drive(Timeline(), play, (51, 10))


def test_a_click_and_a_drag_ask_for_moments():
    async def play(pilot, app):
        line = app.query_one(Timeline)
        line.show(5, 11, "")
        await pilot.pause()
        await pilot.click(Timeline, offset=(2, 0))
        await pilot.mouse_down(Timeline, offset=(30, 0))
        await pilot.hover(Timeline, offset=(49, 0))
        await pilot.mouse_up(Timeline, offset=(49, 0))
        await pilot.hover(Timeline, offset=(20, 0))
        await pilot.pause()
        assert app.said[0] == 0 and app.said[-1] == 10, "once released, nothing moves"

    drive(Timeline(), play, (51, 10))


def test_the_title_drops_its_parts_by_importance():
    async def play(pilot, app):
        bar = app.query_one(TitleBar)
        bar.show(TitleView(
            model="resnet56.pt", data="cifar10", policy="cka", device="GPU0", paused=True,
            best=measured(LAYER, macs_reduction=86.4), alone="auto 3",
        ))  # fmt: skip
        for width, expected in (
            (96, "pe-explore resnet56.pt · cifar10 · policy cka"
                 "         best −86.4% @ 92.80  auto 3  ‖ paused GPU0"),
            (60, "resnet56.pt       best −86.4% @ 92.80  auto 3  ‖ paused GPU0"),
            (38, "resnet56.pt        best −86.4% @ 92.80"),
            (6, "resne…"),
        ):  # fmt: skip
            await pilot.resize_terminal(width, 24)
            await pilot.pause()
            assert frame(bar) == expected + "\n"
        await pilot.resize_terminal(50, 24)
        root = replace(LAYER, parent=None)
        bar.show(TitleView(model=HOSTILE, best=root, read_only=True, past=True))
        await pilot.pause()
        assert frame(bar) == "[/foo]\\x1b[2J\\u202e日本          ◀ past  read-only\n"

    drive(TitleBar(), play, (96, 24))


# ------------------------------------------------------------ figures, every size


def test_figures_are_short_and_exact():
    assert [figures.signed(x) for x in (0.45, -0.45, -1.2, 0.001, None, math.nan)] == [
        "+.45", "−.45", "−1.20", ".00", "–", "–",
    ]  # fmt: skip
    assert [figures.duration(s) for s in (0, 59.6, 100, 7380, None)] == [
        "0:00", "1:00", "1:40", "2:03:00", "–",
    ]  # fmt: skip
    assert figures.bar(0.5, 3) == "█▌" and figures.bar(9, 2) == "██" and figures.bar(-1, 2) == ""
    assert figures.progress(0.55, 10) == "━━━━━╸────" and figures.progress(None, 3) == "───"
    assert figures.wrapped("one two three", 7) == ["one two", "three"]
    assert figures.wrapped("日本語日本語", 5) == ["日本", "語日", "本語"]
    assert figures.wrapped("one two three", 3, most=2) == ["one", "tw…"]
    assert figures.count_text(125_486_000) == "125.49 M" and figures.bytes_text(9e8) == "0.9 GB"


SIZES = [(1, 1), (2, 30), (7, 2), (20, 5), (38, 10), (56, 13), (80, 24), (120, 36), (200, 60)]


@pytest.mark.parametrize(
    ("make", "show"),
    [
        (DecideCard, lambda w: w.show(card(), "R.L")),
        (JobsPane, lambda w: w.show([*JOBS, job(HOSTILE, phase=HOSTILE, epoch=HOSTILE)])),
        (StagesPane, lambda w: w.show([*STAGES, StageView(HOSTILE, 0, 0, 0, 0)])),
        (RankingPane, lambda w: w.show(replace(SCORES, blocks={**SCORES.blocks, HOSTILE: 1.0}))),
        (NodePane, lambda w: w.show(full_node(name=HOSTILE))),
        (LogPane, lambda w: w.add([(0, HOSTILE)] * 50)),
        (Timeline, lambda w: w.show(3, 9, HOSTILE, live=True)),
        (TitleBar, lambda w: w.show(TitleView(HOSTILE, HOSTILE, HOSTILE, device=HOSTILE))),
    ],
)
def test_every_pane_lives_at_every_size_and_shows_no_control_characters(make, show):
    async def play(pilot, app):
        pane = app.query_one(make)
        show(pane)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            text = frame(pane)
            assert wide_line(pane) <= size[0]
            assert not set(text) & set("\x1b\u202e")
        assert text.strip()

    drive(make(), play, (10, 10))


def test_the_pure_drawings_live_at_every_width():
    for width in range(1, 201):
        for lines in (
            job_table(JOBS, False, None, width, 3),
            stage_lines(STAGES, width),
            node_lines(FULL_NODE, width),
            block_lines(SCORES.blocks, ranked(SCORES), ["layer1.1"], {}, "layer1.0", width),
            filter_lines(SCORES.units, None, width),
        ):
            assert lines and all(isinstance(t, str) for line in lines for t, _ in line)
