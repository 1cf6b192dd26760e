"""Dialogs: what each gives for keys and clicks; that all fits; that no text is markup."""

from __future__ import annotations

from dataclasses import replace

import pytest
from number_dialog import NumberDialog
from screens import HOSTILE, Waiting, answer_of, answers_of, drive, text_of
from textual.widgets import Input

from engine.contracts.requests import (
    BranchRequest,
    CandidateRequest,
    RemoveBlocks,
    RemoveUnits,
)
from explorer.tui.screens.alone_dialog import AloneDialog
from explorer.tui.screens.dialogs import (
    BranchDialog,
    CandidateDialog,
    ChooseDialog,
    ConfirmDialog,
    DataDialog,
    ErrorDialog,
    QuitDialog,
    TextDialog,
)
from explorer.tui.screens.start_screen import StartScreen
from explorer.views.job_view import JobView
from explorer.views.node_view import NodeView


def node(name, **metrics):
    return NodeView(name, "R", "layer", "ready", metrics=metrics)


NODE = node("R.L", similarity=0.9931, val_accuracy=93.4, macs_reduction=12.5)
BLOCKS = [("layer1.0", 0.1, False), ("layer1.2", 0.2, True), ("layer2.1", 0.3, True)]


def candidate(**changed):
    given = {"max_units": 112, "usual_count": 16, "criteria": ("kl", "l1"), **changed}
    return CandidateDialog(NODE, given.pop("blocks", BLOCKS), **given)


def job(node="R.L"):
    return JobView(node, "recover", "running", done=3, total=10, epoch="3/10")


def wrong_word(text):
    return None if text == "right" else f"{text!r} is not right"


# ------------------------------------------------------------ confirm, quit, error


def test_a_dangerous_thing_needs_more_than_enter():
    def dialog(danger=True):
        return ConfirmDialog("Drop R.L?", "With all below it", "Drop", danger)

    ways = ["y"], ["n"], ["escape"], ["left", "enter"], ["enter"]
    assert answers_of(dialog, *ways) == [True, False, False, True, False]
    assert answer_of(dialog(False), "enter") is True


def test_buttons_answer_to_clicks():
    async def play(pilot, app):
        await pilot.click("#submit")

    assert drive(ConfirmDialog("Drop?", "text", "Drop"), play).answer is True

    async def cancel(pilot, app):
        await pilot.click("#cancel")

    assert drive(ConfirmDialog("Drop?", "text", "Drop"), cancel).answer is False


def test_what_becomes_of_jobs_by_letter_by_arrows_and_by_click():
    ways = ["w"], ["s"], ["l"], ["escape"], ["down", "enter"]
    answers = answers_of(lambda: QuitDialog([job()]), *ways)
    assert answers == ["wait", "stop", "leave", None, "wait"]

    async def play(pilot, app):
        row = next(y for y, line in enumerate(app.lines) if "Leave it running:" in line)
        await pilot.click(offset=(10, row))

    assert drive(QuitDialog([job()] * 9), play).answer == "leave"


@pytest.mark.parametrize(
    ("num_detachable", "words"),
    [
        (3, "it goes on without the app"),
        (2, "2 of 3 go on without the app;"),
        (1, "1 of 3 goes on without the app;"),
        (0, "none has begun yet, so none goes on"),
    ],
)
def test_leaving_promises_no_more_than_goes_on(num_detachable, words):
    assert words in text_of(QuitDialog([job(), job("R.L"), job("R.F")], num_detachable))


def test_quitting_names_the_jobs_and_what_each_way_means():
    text = text_of(QuitDialog([job("R.F"), job("R.L"), job("R.L.L"), job("R.L.F")]))
    for part in ("4 jobs run", "R.F recover: running epoch 3/10 30 %", "and 1 more",
                 "w Wait", "s Stop", "l Leave it running: everything", "Esc Stay"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (["running"], "1 job runs "),
        (["running", "queued", "queued"], "1 job runs, 2 wait"),
        (["running", "running", "queued"], "2 jobs run, 1 waits"),
        (["queued"], "1 job waits"),
        (["queued", "queued"], "2 jobs wait"),
    ],
)
def test_quitting_says_what_runs_and_waits_and_what_is_left_to_the_policy(states, words):
    jobs = [replace(job(), state=state) for state in states]
    text = text_of(QuitDialog(jobs, left="3 decisions everywhere"))
    assert f"Quit? {words}" in text and "Left to the policy: 3 decisions everywhere." in text


def test_an_error_can_be_tried_again_copied_and_closed():
    def dialog(retry):
        return ErrorDialog("It failed", "the disk is full", "make room", "log\nline", retry)

    ways = ["r"], ["enter"], ["escape"]
    assert answers_of(lambda: dialog(True), *ways) == ["retry", "retry", None]
    assert answers_of(lambda: dialog(False), ["r"], ["enter"]) == [Waiting, None]

    async def play(pilot, app):
        await pilot.press("y")
        assert app.clipboard == "It failed\nthe disk is full\nmake room\nlog\nline"

    drive(dialog(False), play)


def test_the_whole_detail_of_an_error_can_be_scrolled_to():
    detail = "\n".join(f"line {number} of the log" for number in range(60))
    dialog = ErrorDialog("It failed", "cause", "remedy", detail, True)
    assert "line 59" not in text_of(dialog)
    again = ErrorDialog("It failed", "cause", "remedy", detail, True)
    assert "line 59 of the log" in text_of(again, *["pagedown"] * 14)


# ------------------------------------------------------------ numbers and texts


def test_a_number_is_typed_stepped_or_clicked_and_kept_within_its_bounds():
    def dialog():
        return NumberDialog("Auto", "Decisions", 3, 0, 20)

    steps = ["enter"], ["up", "up", "enter"], ["pagedown", "enter"]
    assert answers_of(dialog, *steps) == [3, 5, 0]
    typed = ["1", "2", "enter"], ["9", "9", "enter"], ["backspace", "enter"], ["escape"]
    assert answers_of(dialog, *typed) == [12, Waiting, Waiting, None]
    assert "'99' is not a whole number from 0 to 20" in text_of(dialog(), "9", "9", "enter")
    assert "nothing is not a whole number" in text_of(dialog(), "backspace", "enter")

    async def play(pilot, app):
        await pilot.click("#more")
        await pilot.click("#more")
        await pilot.click("#less")
        await pilot.click("#submit")

    assert drive(dialog(), play).answer == 4


def test_a_text_is_checked_while_it_is_typed():
    def dialog(initial="righ"):
        return TextDialog("Search", "Words", initial, check=wrong_word)

    ways = ["t", "enter"], ["enter"], ["escape"]
    assert answers_of(dialog, *ways) == ["right", Waiting, None]
    assert "'rig' is not right" in text_of(dialog(), "backspace")
    assert "is not right" not in text_of(dialog(), "t")


def test_a_text_that_could_fool_a_terminal_is_shown_harmless_and_kept_as_it_was():
    def dialog():
        return TextDialog("Note", "Note", "a\x1b[31m\u202eb")

    assert answer_of(dialog(), "enter") == "a\x1b[31m\u202eb"
    assert answer_of(dialog(), "!", "enter") == "a�[31m�b!"
    assert "a�[31m�b" in text_of(dialog())


def test_a_text_may_be_empty_and_is_completed_from_suggestions():
    def dialog():
        return TextDialog("Tag", "A tag", "", suggestions=["alpha", "beta [/x]"])

    ways = ["enter"], ["down", "down", "enter"], ["up", "up", "enter"]
    assert answers_of(dialog, *ways) == ["", "beta [/x]", "alpha"]

    async def play(pilot, app):
        row = next(y for y, line in enumerate(app.lines) if "beta [/x]" in line)
        await pilot.click(offset=(6, row))

    assert drive(dialog(), play).answer == "beta [/x]"


async def _completed(pilot, app):
    """Waits for the suggestion that the typed text gets, then takes it."""
    field = app.screen.query_one(Input)
    for _ in range(50):
        await pilot.pause(0.01)
        if field._suggestion:
            break
    await pilot.press("end", "right", "enter")


def test_data_are_named_or_found_by_their_path(tmp_path):
    (tmp_path / "images.npz").write_bytes(b"")

    def dialog():
        return DataDialog("net.pt does not name its data")

    ways = ["x", "enter"], ["down", "down", "enter"], ["enter"], ["escape"]
    assert answers_of(dialog, *ways) == ["x", "cifar100", Waiting, None]
    missing = text_of(dialog(), *"./x", "enter")
    assert "there is no file or folder './x'" in missing

    async def name(pilot, app):
        await pilot.press(*"fa")
        await _completed(pilot, app)

    assert drive(dialog(), name).answer == "fashion-mnist"

    async def path(pilot, app):
        app.screen.query_one(Input).value = f"{tmp_path}/i"
        await pilot.press("end", "m")
        await _completed(pilot, app)

    assert drive(dialog(), path).answer == str(tmp_path / "images.npz")


# ------------------------------------------------------------ steering


def test_a_request_for_a_block_of_the_ranked_list():
    first = CandidateRequest(RemoveBlocks(("layer1.2",)))
    ways = ["enter"], ["down", "enter"], ["tab", "right", "enter"], ["escape"]
    assert answers_of(candidate, *ways) == [
        first,  # the first that may be removed
        CandidateRequest(RemoveBlocks(("layer2.1",))),
        replace(first, criterion="l1"),
        None,
    ]

    async def play(pilot, app):
        row = next(y for y, line in enumerate(app.lines) if "layer2.1" in line)
        await pilot.click(offset=(10, row))

    assert drive(candidate(), play).answer.edit.blocks == ("layer2.1",)


def test_a_request_for_so_many_filters():
    usual = RemoveUnits(16, "uniform")
    typed = ["right", "tab", "tab", "4", "0"]
    ways = ["right", "enter"], ["right", "up", "up", "enter"], [*typed, "enter"]
    counts = (usual, replace(usual, count=18), replace(usual, count=40))
    expected = [*map(CandidateRequest, counts), Waiting]
    assert answers_of(candidate, *ways, [*typed, "0", "enter"]) == expected
    assert "'400' is not a whole number from 1 to 112" in text_of(candidate(), *typed, "0", "enter")

    async def play(pilot, app):
        for word in ("filter", "global"):
            row = next(y for y, line in enumerate(app.lines) if f"○ {word}" in line)
            await pilot.click(offset=(app.lines[row].index(f"○ {word}") + 1, row))
            await pilot.pause()
        await pilot.click("#submit")

    assert drive(candidate(), play).answer.edit == replace(usual, allocation="global")


def test_a_request_is_only_for_what_is_left():
    no_blocks = candidate(blocks=BLOCKS[:1])
    assert isinstance(answer_of(no_blocks, "enter").edit, RemoveUnits)
    no_filters = candidate(max_units=0)
    assert isinstance(answer_of(no_filters, "right", "enter").edit, RemoveBlocks)
    nothing = candidate(blocks=[], max_units=0)
    assert "nothing is left here" in text_of(nothing, "enter")


def test_a_branch_says_what_is_taken_and_for_how_many_steps():
    def dialog(*taken):
        return BranchDialog(NODE, taken)

    ways = ["enter"], ["right", "right", "enter"], ["tab", "7", "enter"]
    assert answers_of(dialog, *ways, ["tab", "0", "enter"], ["escape"]) == [
        BranchRequest("layer"),
        BranchRequest("both"),
        BranchRequest("layer", iterations=7),
        Waiting,
        None,
    ]
    assert answer_of(dialog("layer"), "enter").take == "filter", "layer is kept already"
    assert answer_of(dialog("layer", "filter"), "enter") is Waiting


def test_candidates_to_keep_are_marked_and_at_least_one_is_kept():
    def dialog(suggested="R.L"):
        return ChooseDialog([NODE, node("R.F"), node("R.L2")], suggested)

    ways = ["enter"], ["down", "space", "enter"], ["space", "enter"], ["escape"]
    assert answers_of(dialog, *ways) == [["R.L"], ["R.L", "R.F"], Waiting, None]
    assert answer_of(dialog(), "space", "down", "down", "space", "enter") == ["R.L2"]
    assert answer_of(dialog(None), "enter") is Waiting
    text = text_of(dialog(), "down", "space")
    assert "☑ → R.L  CKA 0.9931  val % 93.40  MACs −% 12.50" in text
    assert "☑   R.F" in text and "☐   R.L2" in text, "marks are not only colours"

    async def play(pilot, app):
        row = next(y for y, line in enumerate(app.lines) if "R.L2" in line)
        await pilot.click(offset=(8, row))
        await pilot.click("#submit")

    assert drive(dialog(), play).answer == ["R.L", "R.L2"]


# ------------------------------------------------------------ all of them


BAD = replace(NODE, name=HOSTILE)
ALL = {
    "confirm": lambda: ConfirmDialog(HOSTILE, f"{HOSTILE} " * 30, HOSTILE[:10]),
    "quit": lambda: QuitDialog([job(HOSTILE)] * 12),
    "error": lambda: ErrorDialog(HOSTILE, f"{HOSTILE} " * 40, HOSTILE, HOSTILE * 99, True),
    "data": lambda: DataDialog(f"{HOSTILE} " * 20, HOSTILE, [HOSTILE, *map(str, range(30))]),
    "candidate": lambda: CandidateDialog(
        BAD, [(f"{HOSTILE}.{i}", i / 9, i > 0) for i in range(40)], 10**6, 99, ("kl", HOSTILE)
    ),
    "branch": lambda: BranchDialog(BAD, ["layer", "filter", HOSTILE]),
    "choose": lambda: ChooseDialog([BAD] * 30, HOSTILE),
    "number": lambda: NumberDialog(HOSTILE, f"{HOSTILE} " * 30, 1, 0, 10**9),
    "alone": lambda: AloneDialog(HOSTILE, HOSTILE, now=0.0, left=HOSTILE),
    "text": lambda: TextDialog(HOSTILE, f"{HOSTILE} " * 30, HOSTILE, [HOSTILE] * 30),
    "start": lambda: StartScreen(),
}


def assert_fits(app, dialog):
    lines = app.lines
    text = "\n".join(lines)
    assert "\x1b" not in text and "\u202e" not in text
    bottom = max(y for y, line in enumerate(lines) if "╰" in line)
    assert f"Esc {dialog.cancel_label}" in lines[bottom - 1], "the last line of the box"


@pytest.mark.parametrize("name", ALL)
def test_the_buttons_are_in_sight_hostile_text_is_plain_and_escape_leaves(name):
    dialog = ALL[name]()

    async def play(pilot, app):
        assert_fits(app, dialog)
        app.theme = "pe-none"
        await pilot.pause()
        assert_fits(app, dialog)
        for size in ((20, 5), (100, 30)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            if size[0] >= 60:
                assert_fits(app, dialog)
        await pilot.press("escape")

    assert drive(dialog, play).answer is (False if name == "confirm" else None)


def shown_in_reverse(app):
    """The text under cursors, after the app's filters; asserts that nothing has a colour."""
    strips = app.screen._compositor.render_strips()
    lines = [f.apply(list(strip), None) for strip in strips for f in app.get_line_filters()]
    found = []
    for segment in (segment for line in lines for segment in line if segment.style):
        assert segment.style.color is None or segment.style.color.is_default
        assert segment.style.bgcolor is None or segment.style.bgcolor.is_default
        if segment.style.reverse:
            found.append(segment.text)
    return "".join(found)


@pytest.mark.parametrize(
    ("make", "under_cursor"),
    [
        (candidate, "◉ layer"),
        (lambda: QuitDialog([job()]), "l Leave"),
        (lambda: ConfirmDialog("Drop?", "text", "Drop"), "Esc Cancel"),
        (StartScreen, "sample"),
        (lambda: NumberDialog("Auto", "Decisions", 3, 0, 9), " "),
        (lambda: ChooseDialog([NODE, NODE]), "R.L"),
    ],
)
def test_without_colours_none_is_sent_and_the_cursor_shows(make, under_cursor):
    async def play(pilot, app):
        await pilot.pause()
        assert under_cursor in shown_in_reverse(app)

    drive(make(), play, theme="pe-none")
