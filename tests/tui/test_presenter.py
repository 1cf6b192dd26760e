"""What the panes show of a run, asked of the presenter without any terminal."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import pytest
from driver import approved, checkpoint, grown

from engine.contracts.edits import Edit
from explorer.session.errors import NotNowError
from explorer.session.open_run import Request, open_read_only
from explorer.session.steering import Steering
from explorer.tui import presenter
from explorer.tui.config import Config
from explorer.tui.drawing.title import TitleView
from explorer.tui.state import AppState, steering_or_refuse
from explorer.views import protected_block as protected_block_module
from explorer.views.job_view import JobView
from explorer.views.proposed_scores import newest_scores
from explorer.views.protected_block import protected_block
from explorer.views.replay import Replay


@contextmanager
def opened(folder, *steps, selected="R", overrides=None):
    """The state of an app that looks at a scripted run."""
    state = AppState(Request(str(checkpoint(folder))), Config())
    session = open_read_only(grown(folder, steps, overrides=overrides), state.live.on_event)
    try:
        state.session, state.steering = session, Steering(session)
        state.live.attach(session.store, session.run)
        state.show_live()
        state.selected = selected
        yield state
    finally:
        session.store.close()


def back(state: AppState, moment: int) -> None:
    """Looks at a moment of the run's past."""
    state.replay = Replay.of(state.session.store, state.session.run.id)
    state.show_moment(moment)


def unopened(folder) -> AppState:
    return AppState(Request(str(checkpoint(folder))), Config())


# ------------------------------------------------------------ before anything is open


def test_until_a_run_is_open_the_panes_say_what_is_awaited_and_no_more(tmp_path):
    state = unopened(tmp_path)
    assert presenter.title(state, None) == TitleView(model="resnet56.pt")
    assert presenter.tree_title(state, 0) == "Tree"
    assert presenter.card(state) == presenter.CardView(now_what="opening resnet56.pt …")
    assert presenter.card(AppState(None, Config())) == presenter.CardView()
    assert presenter.jobs(state) == presenter.JobsView([], False, None, "idle")
    assert presenter.timeline(state) is None
    assert presenter.title(AppState(None, Config()), None).model == ""


def test_while_a_root_is_measured_the_card_says_so_with_progress_and_time_left(tmp_path):
    state = unopened(tmp_path)
    state.live.jobs[("R", "open")] = JobView(
        "R", "open", "running", phase="validation", done=4, total=10, eta_seconds=20.0
    )
    assert presenter.card(state).now_what == (
        "opening resnet56.pt: measuring the network from which the tree grows: validation, 40%, "
        "about 0:20 left"
    )
    state.waits_for = "t.pex.db is worked on in the background: it hands the tree over"
    assert presenter.card(state).now_what == presenter.jobs(state).idle == state.waits_for


# ------------------------------------------------------------ who may change the tree


def test_the_steering_is_given_only_where_the_tree_can_be_changed_now(tmp_path):
    with pytest.raises(NotNowError, match="its tree is still being opened"):
        steering_or_refuse(unopened(tmp_path))
    with pytest.raises(NotNowError, match="no tree is open yet"):
        steering_or_refuse(AppState(None, Config()))
    with opened(tmp_path) as state, pytest.raises(NotNowError, match="open for reading only"):
        steering_or_refuse(state)
    with opened(tmp_path) as state:
        state.steering.store = _Writable(state.steering.store)
        assert steering_or_refuse(state) is state.steering
        back(state, 0)
        with pytest.raises(NotNowError, match=r"looking at the past; } returns to now"):
            steering_or_refuse(state)


class _Writable:
    """A store as if it could be written to."""

    read_only = False

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)


# ------------------------------------------------------------ around the tree


def test_the_title_names_the_run_the_best_node_and_how_things_stand(tmp_path):
    with opened(tmp_path, approved) as state:
        name = presenter.best_of_shown(state)
        shown = presenter.title(state, state.shown[name])
        assert (shown.model, shown.data, shown.policy) == ("resnet56.pt", "cifar10", "cka")
        assert name == "R.F" and shown.best.name == "R.F"
        assert shown.read_only and not shown.past and shown.device == "cpu"
        back(state, 0)
        assert presenter.title(state, None).past and presenter.best_of_shown(state) == "R"


def test_the_trees_title_counts_its_nodes_and_says_when_they_are_not_all(tmp_path):
    with opened(tmp_path, approved) as state:
        assert presenter.tree_title(state, 2) == "Tree · depth 2 · 5 nodes"
        state.live.complete = False
        assert presenter.tree_title(state, 2).endswith("5 nodes · more are read")
        state.live.complete, state.live.num_stored = True, 200_000
        assert presenter.tree_title(state, 2).endswith("5 nodes · the newest of 200,000")


def test_the_timeline_comes_with_the_past_and_names_the_moment(tmp_path):
    with opened(tmp_path, approved) as state:
        assert presenter.timeline(state) is None
        back(state, 0)
        count = len(state.replay.moments)
        first = presenter.timeline(state)
        assert first == presenter.TimelineView(
            0, count, "07:00:00  opened resnet56-1", live=False, playing=False
        )
        assert set(state.shown) == {"R"} and state.selected == "R"
        state.show_moment(None)
        assert presenter.timeline(state) is None
        state.playing = True
        last = presenter.timeline(state)
        assert (last.place, last.live, last.playing) == (count - 1, True, True)


def test_a_moment_without_the_selected_node_selects_the_nearest_above_it(tmp_path):
    with opened(tmp_path, approved, selected="R.F.L") as state:
        back(state, 1)
        assert set(state.shown) == {"R", "R.L", "R.F"} and state.selected == "R.F"


RUNNING = JobView("R.L", "recover", "running", "recovery", done=55, total=100)
QUEUED = JobView("R.F", "recover")


def test_jobs_that_run_come_first_and_stand_still_while_all_is_paused(tmp_path):
    with opened(tmp_path) as state:
        state.live.jobs = {"R.F recover": QUEUED, "R.L recover": RUNNING}
        cold = presenter.jobs(state)
        assert cold.jobs == [RUNNING, QUEUED] and cold.warming == "the engine is warming up"
        state.live.engine_ready = True
        assert presenter.jobs(state).warming is None
        state.session.executor = _Paused()
        assert presenter.jobs(state).jobs == [replace(RUNNING, state="paused"), QUEUED]
        assert presenter.jobs(state).paused


class _Paused:
    paused = True


# ------------------------------------------------------------ about the selected node


def test_the_card_shows_the_undecided_parent_with_what_is_suggested(tmp_path):
    with opened(tmp_path, selected="R.L") as state:
        shown = presenter.card(state)
        assert shown.card.parent.name == "R" and shown.selected == "R.L"
        assert [each.name for each in shown.card.candidates] == ["R.L", "R.F"]
        assert shown.card.suggested == "R.F" and shown.card.margin is not None
        assert "nothing can be decided" in shown.now_what, "this store is open for reading only"


def test_the_card_of_the_past_knows_nothing_of_what_came_later(tmp_path):
    with opened(tmp_path, approved) as state:
        assert presenter.card(state).card.kept == ("R.F",)
        moments = Replay.of(state.session.store, state.session.run.id).moments
        decided = next(n for n, each in enumerate(moments) if "kept" in each.text)
        back(state, decided - 1)
        shown = presenter.card(state)
        assert shown.card.kept is None and shown.card.suggested is None
        assert set(shown.card.edits) == {"R.L", "R.F"}
        assert shown.now_what == "you are looking at the past; } returns to now"


def test_the_curves_are_those_of_what_runs_or_of_the_candidates_on_the_card(tmp_path):
    with opened(tmp_path, approved) as state:
        assert set(presenter.curves(state).loss) == {"R.L", "R.F"}
        state.live.jobs = {"R.F.L recover": replace(RUNNING, node="R.F.L")}
        assert set(presenter.curves(state).accuracy) == {"R.F.L"}
        back(state, 1)
        state.selected = "R.L"
        shown = presenter.curves(state)
        assert set(shown.loss) == {"R.L"}
        assert [epoch for epoch, _ in shown.loss["R.L"]] == [1.0, 2.0, 3.0]


def test_the_details_of_a_node_hold_its_edit_its_epochs_and_its_snapshots(tmp_path):
    with opened(tmp_path, approved, selected="R.F") as state:
        shown = presenter.node_details(state)
        node = state.session.node("R.F")
        assert shown.node.name == "R.F" and shown.edit == Edit.from_json(node.edit)
        assert [each.phase for each in shown.epochs] == ["recovered"] * 3 + ["tuned"] * 3
        assert set(shown.snapshots) == {"recovered", "tuned"}
        assert shown.created_at == node.created_at


def test_the_blocks_say_what_is_left_and_in_which_candidate_each_goes(tmp_path):
    with opened(tmp_path, selected="R.L") as state:
        (gone,) = state.session.node("R.L").edit["blocks"]
        shown = presenter.blocks(state)
        left = {stage.name: stage.num_blocks for stage in shown.stages}
        assert left[gone.split(".")[0]] == 8 and sum(left.values()) == 26
        assert shown.removed_in == {gone: "R.L"}
        filters = Edit.from_json(state.session.node("R.F").edit).units
        assert shown.filters == dict(filters)
        assert min(shown.scores.blocks, key=shown.scores.blocks.get) == gone


# ------------------------------------------------------------ the card's figures


def test_candidates_are_compared_at_one_training_length_and_the_tuned_one_is_told_apart(tmp_path):
    with opened(tmp_path, approved) as state:
        store, run = state.session.store, state.session.run
        card = presenter.card(state).card
        kept = store.node(run.id, "R.F")
        after_recovery = store.metrics_of(kept.id, "recovered")["val_accuracy"]
        assert "tuned" in kept.phases and kept.metrics["val_accuracy"] != after_recovery
        by_name = {candidate.name: candidate for candidate in card.candidates}
        assert by_name["R.F"].val_accuracy == after_recovery
        assert card.tuned["R.F"].val_accuracy == kept.metrics["val_accuracy"]
        assert list(card.tuned) == ["R.F"], "the rejected one was not tuned"
        back(state, len(Replay.of(store, run.id).moments) - 1)
        past = presenter.card(state).card
        assert {c.name: c.val_accuracy for c in past.candidates} == {
            c.name: c.val_accuracy for c in card.candidates
        }


def test_the_card_names_the_block_that_scores_lowest_where_it_may_not_go(tmp_path):
    with opened(tmp_path) as state:
        store, run = state.session.store, state.session.run
        proposed = newest_scores(store, store.node(run.id, "R").id)
        lowest = min(proposed.scores.blocks, key=proposed.scores.blocks.__getitem__)
        stay = presenter.blocks(state).staying
        protected = presenter.card(state).card.protected
        assert protected == ((lowest, stay[lowest]) if lowest in stay else None)
        scores = {**proposed.scores.blocks, "layer2.0": -1.0}
        document = state.session.document
        parent = store.node(run.id, "R")
        changed = replace(proposed, scores=replace(proposed.scores, blocks=scores))
        with mock.patch("explorer.views.protected_block.newest_scores", lambda *_: changed):
            protected_block_module._KNOWN.clear()
            assert protected_block(store, document, parent) == ("layer2.0", "changes the shape")
