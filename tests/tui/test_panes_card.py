"""The Decide card: frames of its states, what goes first when room is short, hostile text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cards import (
    FILTER,
    LAYER,
    MARGIN,
    ROOT,
    card,
    drive,
    frame,
    job,
    measured,
    node,
    plain,
)
from rich.cells import cell_len

from engine.contracts.edits import Edit
from explorer.session.policy import Margin
from explorer.tui.drawing.card import card_lines
from explorer.tui.drawing.card_cells import bar_scale, key_pieces, margin_pieces
from explorer.tui.themes import (
    ANSI,
    DARK,
    LIGHT,
    NONE,
    THEMES,
)
from explorer.tui.widgets.decide_card import DecideCard

WIDE = """
Keep the filter candidate: its CKA is .0168 higher
and the 95 % interval excludes 0. Accuracy
disagrees: the layer candidate's is 0.25 points
higher. The filter candidate also saves 0.6 points
more MACs.

         ▸▬ LAYER  R.L         ▮ FILTER  R.F →
removes   layer3.5             24 filters/8 convs
CKA ├.94  .9565 ├█████         .9733 ├██████████
val acc   81.27→92.80 Δ−.40    90.10→92.55 Δ−.65
MACs      −7.1% Δ−7.1          −7.6% Δ−7.6
params    −8.7% Δ−8.7          −6.1% Δ−6.1
latency   ×0.93 [.91, .95]     ×0.99 [.97, 1.02]
margin L−F −.0168  [−.0206, −.0121]

a approve F   o take L   b both   e another
"""
SMALL = """
Keep the filter candidate: its CKA is
.0168 higher and the 95 % interval
excludes 0. Accuracy disagrees: the
layer candidate's is 0.25 points …
          ▬ LAYER  R.L  ▮ FILTER F →
removes   layer3.5      24f/8 convs
CKA ├.94  .9565 ├██▏    .9733 ├████▏
val acc   92.80 Δ−.40   92.55 Δ−.65
MACs      −7.1% Δ−7.1   −7.6% Δ−7.6
a approve F   o take L   b both
"""
STACKED = """
Keep the filter candidate: its CKA is .0168 higher and the 95 % interval
excludes 0. Accuracy disagrees: the layer candidate's is 0.25 points higher.
The filter candidate also saves 0.6 points more MACs.
          ▬ LAYER  R.L                ▮ FILTER  R.F  suggested
removes   layer3.5                    24 filters / 8 convs
CKA ├.94  .9565 ├███████▉             .9733 ├███████████████▉
val acc   81.27→92.80 Δ−.40           90.10→92.55 Δ−.65
MACs      −7.1% Δ−7.1                 −7.6% Δ−7.6
a approve F   o take L   b both   e another
"""
RUNNING = """
Waiting for R.L (recovery, epoch 3/10) and R.F
(queued).

          ▬ LAYER  R.L         ▮ FILTER  R.F
removes   layer3.5             24 filters/8 convs
          ◐ recovery           ◌ waiting
          ━━━━━━━╸──────  55%
          epoch 3/10
          eta 1:40

space pause   x cancel   e another
"""
FAILED = """
Keep the filter candidate: only
filters are left. R.L failed:
OutOfMemoryError: [/foo] \\x1b[31mTried
to allocate 2 GiB; it can be tried
again.
          ▬ LAYER  R.L  ▮ FILTER F →
removes   layer3.5      24f/8 convs
CKA       ✗ failed      .9733
val acc   OutOfMemoryE  92.55 Δ−.65
MACs      rror: [/foo]  −7.6% Δ−7.6
params    \\x1b[31mTri…  −6.1% Δ−6.1
a approve F   e another
"""
DECIDED = """
You kept the layer candidate, against the
suggestion: it is faster. Accuracy agrees (+0.25
points). The layer candidate saves 0.6 points fewer
MACs.

          ▬ LAYER  R.L ●       ▮ FILTER  R.F ○
removes   layer3.5             24 filters/8 convs
CKA ├.94  .9565 ├█████         .9733 ├██████████
val acc   81.27→92.80 Δ−.40    90.10→92.55 Δ−.65
MACs      −7.1% Δ−7.1          −7.6% Δ−7.6
params    −8.7% Δ−8.7          −6.1% Δ−6.1
latency   ×0.93 [.91, .95]     ×0.99 [.97, 1.02]
margin L−F −.0168  [−.0206, −.0121]
R.L tuning epoch 3/10 55% eta 1:40
u undo this   e another   B branch
"""
THREE = """
Keep the filter candidate: its CKA is .0133 higher
and the 95 % interval excludes 0. Accuracy
disagrees: R.L2's is 0.25 points higher. The filter
candidate also saves 0.6 points more MACs than R.L2.

          ▬ LAYER  R.L ▸▬ LAYER L2    ▮ FILTER F →
removes   layer3.5      –             24f/8 convs
CKA ├.94  .9565 ├██▏    .9600 ├██▌    .9733 ├████▏
val acc   92.80 Δ−.40   92.80 Δ−.40   92.55 Δ−.65
MACs      −7.1% Δ−7.1   −7.1% Δ−7.1   −7.6% Δ−7.6
params    −8.7% Δ−8.7   −8.7% Δ−8.7   −6.1% Δ−6.1
latency   ×0.93         ×0.93         ×0.99
margin L−F −.0168  [−.0206, −.0121]

a approve F   o choose   b all   e another
"""
THREE_SMALL = """
Keep the filter candidate: its CKA is
.0133 higher and the 95 % interval
excludes 0. Accuracy disagrees: R.L2's
is 0.25 points higher. The filter …
1–2 of 3  ▬ LAYER  R.L ▸▬ LAYER L2
removes   layer3.5      –
CKA ├.94  .9565 ├██▏    .9600 ├██▌
val acc   92.80 Δ−.40   92.80 Δ−.40
MACs      −7.1% Δ−7.1   −7.1% Δ−7.1
a approve F   o choose   b all
"""
DOUBT = "its file says 91.8 % ('best_prec1'), here it has 80.8 % on 10,000 test images"
NOTHING = """
R  no candidates yet
val acc  93.20
MACs     0.0%
params   0.0%
latency  4.00 ms
g grows this node
"""
DOUBTFUL = """
R  no candidates yet
val acc  93.20
MACs     0.0%
params   0.0%
latency  4.00 ms
! its file says 91.8 %
('best_prec1'), here it has
… 3 all of it
g grows this node
"""
running = card(
    candidates=(node("R.L", state="running"), node("R.F", state="queued")),
    jobs={"R.L": job(), "R.F": job("R.F", state="queued")},
    suggested=None, margin=None, reason="", awaited=("R.L", "R.F"),
)  # fmt: skip
ERROR = "OutOfMemoryError: [/foo] \x1b[31mTried to allocate 2 GiB"
failed = card(
    candidates=(node("R.L", state="failed", error=ERROR), FILTER),
    margin=None, reason="only filters are left",
)  # fmt: skip
decided = card(
    candidates=(replace(LAYER, kept=True), replace(FILTER, kept=False)),
    kept=("R.L",), decided_by="user", reason="it is faster", undoable=True,
    jobs={"R.L": job(kind="tune", phase="tuning")},
)  # fmt: skip
older = replace(decided, undoable=False, jobs={})
half = card(
    candidates=(LAYER, node("R.F", state="running")), jobs={"R.F": job("R.F")},
    suggested=None, margin=None, reason="", awaited=("R.F",),
)  # fmt: skip
three = card(candidates=(LAYER, FILTER, measured(replace(LAYER, name="R.L2"), similarity=0.96)))
close = card(margin=Margin(-0.0017, -0.005, 0.0021, True))
scoring = card(candidates=(), jobs={"R": job("R", "propose", phase="scoring", epoch=None)})
hostile = card(
    parent=replace(ROOT, name="[/foo]"),
    candidates=(
        node("R.[/foo]", structure="[b]\x1b[2J", state="running"),
        measured(replace(FILTER, name="R.\u202eevil\x1b]0;x\x07日本語"), val_accuracy=float("nan")),
        node("R.L9", state="failed", error="\u2066[/]\n\t\x00" * 30),
    ),
    edits={"R.[/foo]": Edit("layer", blocks=("[/bar]\x1b",))},
    suggested="R.\u202eevil\x1b]0;x\x07日本語", reason="[red]\x9b",
    jobs={"R.[/foo]": job("R.[/foo]", phase="\x1b[31m[/x]", epoch="[/y]")},
)  # fmt: skip
EVERY = (None, card(), running, failed, decided, three, close, scoring, hostile,
         card(candidates=()), card(margin=None, suggested=None))  # fmt: skip


def test_undo_is_offered_only_where_it_takes_back_this_very_decision():
    assert "u undo this" in shown(decided, 52, 13)
    assert "undo" not in shown(older, 52, 13)
    assert "it is faster" in shown(older, 52, 13)


def test_nothing_is_suggested_while_a_candidate_is_measured():
    text = shown(half, 52, 13)
    assert "Waiting for R.F (recovery, epoch 3/10)" in text
    assert "→ " not in text.replace("→9", "") and "Keep" not in text and "approve" not in text


def shown(a_card, width, height, **more):
    return "\n" + plain(card_lines(a_card, width, height, **more))


@pytest.mark.parametrize(
    ("a_card", "size", "selected", "expected"),
    [
        (card(), (52, 16), "R.L", WIDE),
        (card(), (38, 10), None, SMALL),
        (card(), (76, 9), None, STACKED),
        (running, (52, 11), None, RUNNING),
        (failed, (38, 12), None, FAILED),
        (decided, (52, 15), None, DECIDED),
        (three, (52, 15), "R.L2", THREE),
        (three, (38, 10), "R.L2", THREE_SMALL),
        (card(candidates=()), (52, 13), None, NOTHING),
        (card(candidates=(), doubts=(DOUBT, DOUBT)), (30, 9), None, DOUBTFUL),
    ],
)
def test_frames_of_each_state(a_card, size, selected, expected):
    assert shown(a_card, *size, selected=selected) == expected


def test_a_close_call_is_said_at_every_width_and_no_winner_is_named():
    for width in range(9, 120):
        text = "".join(text for text, _ in margin_pieces(close.margin, width))
        assert "too close" in text and "→" not in text
        assert cell_len(text) <= width
    tones = {tone for _, tone in margin_pieces(close.margin, 80)}
    assert tones == {"warning"}
    assert "Too close to call" in shown(close, 76, 11)


def test_a_margin_without_an_interval_says_so():
    text = margin_pieces(Margin(0.0123, None, None, None), 60)[0][0]
    assert text == "margin L−F +.0123  (no interval)"


def test_the_bars_begin_below_the_least_value_at_a_round_number():
    assert bar_scale([0.9565, 0.9733]) == (0.94, 0.98)
    assert bar_scale([0.95, 0.95]) == (0.94, 0.95)
    assert bar_scale([1.0, 0.9999]) == (0.98, 1.0)
    assert bar_scale([0.97]) is None, "one bar says nothing"


def test_keys_are_those_a_person_has_bound_and_the_last_ones_go_first():
    choices = [("decide.approve", "approve L"), ("decide.both", "both")]
    keymap = {"decide.approve": "ctrl+y"}
    assert "".join(t for t, _ in key_pieces(choices, 60, keymap)) == "ctrl+y approve L   b both"
    assert "".join(t for t, _ in key_pieces(choices, 19, {})) == "a approve L  b both"
    assert "".join(t for t, _ in key_pieces(choices, 12, {})) == "a approve L"


def test_no_key_is_offered_before_everything_is_measured():
    assert "approve" not in shown(running, 76, 13) and "approve" in shown(card(), 76, 13)


def test_what_the_app_says_takes_the_last_line():
    last = shown(card(), 52, 13, now_what="opening [/x]").rstrip("\n").rsplit("\n", 1)[1]
    assert last == "opening [/x]"


def test_work_on_the_parent_is_told_while_there_are_no_candidates():
    assert "R scoring 55% eta 1:40" in shown(scoring, 38, 10)
    jobs = {"R": job("R", "tune", state="queued", phase="", done=0, total=0)}
    assert "R tune waiting" in shown(card(candidates=(), jobs=jobs), 38, 10)


@pytest.mark.parametrize("a_card", EVERY)
def test_any_size_is_filled_and_never_left(a_card):
    sizes = [(w, h) for w in range(1, 201, 3) for h in (1, 2, 5, 9, 13, 60)]
    sizes += [(w, h) for w in (1, 7, 28, 38, 52, 200) for h in range(1, 61)]
    for width, height in sizes:
        lines = card_lines(a_card, width, height, selected="R.L")
        assert 0 < len(lines) <= height
        for line in lines:
            assert sum(cell_len(text) for text, _ in line) <= width, (width, height)


def test_hostile_text_is_shown_as_escapes():
    for width in (38, 52, 76, 150):
        text = shown(hostile, width, 13)
        assert not set(text) & set("\x1b\x07\x9b\u202e\u2066\x00\t")
        assert "[red]\\x9b" in text


def test_the_widget_shows_the_card_with_its_step_and_parent():
    async def play(pilot, app):
        shown_card = app.query_one(DecideCard)
        shown_card.styles.border = ("round", "white")
        shown_card.show(card(parent=replace(ROOT, name="R.[/foo]"), step=7), "R.L")
        await pilot.pause()
        assert "\n" + frame(shown_card) == WIDE
        top, bottom = (
            "".join(s.text for s in app.screen._compositor.render_strips()[y]) for y in (0, 17)
        )
        assert "R.[/foo] · which to keep?" in top
        assert "step 7 · Δ from R.[/foo]" in bottom
        shown_card.show(None, now_what="opening")
        await pilot.pause()
        assert frame(shown_card) == "opening\n"

    drive(DecideCard(), play, (54, 18))


@pytest.mark.parametrize("theme", [DARK, LIGHT, ANSI, NONE])
def test_every_theme_has_a_style_for_every_tone(theme):
    async def play(pilot, app):
        for each in THEMES:
            app.register_theme(each)
        app.theme = theme
        shown_card = app.query_one(DecideCard)
        shown_card.show(three, "R.L")
        await pilot.pause()
        styles = {
            segment.style for y in range(13) for segment in shown_card.render_line(y)
            if segment.text.strip()
        }  # fmt: skip
        assert len(styles) > (1 if theme == NONE else 4)
        assert MARGIN and all(style is not None for style in styles)

    drive(DecideCard(), play, (52, 13))


def test_where_the_machine_was_busy_the_card_says_that_and_no_ratio():
    busy = {"latency_ratio": 1.2, "latency_ratio_low": 0.4, "latency_ratio_high": 2.0}
    layer = replace(LAYER, metrics={**LAYER.metrics, **busy})
    lines = shown(card(candidates=(layer, FILTER)), 52, 20).splitlines()
    (latency,) = (line for line in lines if line.startswith("latency"))
    assert "busy" in latency and "×1.20" not in latency
    assert "×0.99 [.97, 1.02]" in latency, "the other one was measured well"
