"""What the Pareto plot shows of a run: figures for each axis, like with like, frontiers, words."""

from __future__ import annotations

from itertools import pairwise

import pytest
from driver import approved
from hypothesis import given, settings
from hypothesis import strategies as st
from test_presenter import back, opened
from trees import small_tree

from engine.contracts.errors import UsageError
from explorer.tui import plot_state, presenter_pareto
from explorer.views.pareto.axes import X_AXES, Y_AXES, axis_text
from explorer.views.pareto.figures import latencies, values_of
from explorer.views.pareto.frontier import frontier, steps
from explorer.views.pareto.view import (
    OWN,
    OWN_KINDS,
    Choice,
    chosen,
    pareto_view,
    with_published,
)
from explorer.views.published.files import shipped
from explorer.views.published.fitting import Fitting, Subject

RESNET56 = Fitting(Subject("resnet56", "cifar10"),
                   tuple(row for row in shipped() if row.network == "resnet56"))  # fmt: skip


class Given:
    """Figures that a test says."""

    def __init__(self, epochs=None, **metrics):
        self._epochs, self._metrics = epochs or {}, metrics

    def of(self, key, most=0):
        return self._metrics.get(key, {})

    def epochs(self):
        return self._epochs


def tree():
    return {node.name: node for node in small_tree()}


def view(choice=None, fits=None, **metrics):
    return pareto_view(tree(), "R.L.F", Given(**metrics), fits or Fitting(), choice or Choice(),
                       "3 epochs a candidate, 6 a kept step")  # fmt: skip


def own(shown):
    return {point.name: (point.x, point.y) for point in shown.points if point.node}


# ------------------------------------------------------------ figures


def test_each_axis_has_the_figures_that_its_words_say():
    nodes = tree()
    measured = Given(
        {"R.L": 3, "R.F": 3, "R.L.F": 6}, params={"R": 100, "R.L": 80},
        test_accuracy={"R": 90, "R.L": 89.5},
    )  # fmt: skip
    assert values_of("test", nodes, measured) == {"R": 90, "R.L": 89.5}
    assert values_of("test-change", nodes, measured) == {"R": 0, "R.L": -0.5}
    assert values_of("params", nodes, measured) == pytest.approx({"R": 0, "R.L": 20})
    assert values_of("val-change", nodes, measured)["R.L.F"] == pytest.approx(0.2)
    assert values_of("epochs", nodes, measured)["R.L.F"] == 9, "along the way from the root"
    assert values_of("depth", nodes, measured)["R.L.F.F"] == 3
    assert "R" not in values_of("similarity", nodes, measured)


def test_without_the_roots_figure_there_is_no_change():
    assert values_of("test-change", tree(), Given(test_accuracy={"R.L": 89.5})) == {}


def test_latencies_multiply_along_the_way_and_their_errors_add_up():
    ratios = {"R.L": 0.9, "R.L.F": 0.8, "R.F.F": 0.7}
    ends = {name: (value / 1.1, value * 1.1) for name, value in ratios.items()}
    measured = Given(
        latency_ratio=ratios,
        latency_ratio_low={name: low for name, (low, _) in ends.items()},
        latency_ratio_high={name: high for name, (_, high) in ends.items()},
    )
    found = latencies(tree(), measured)
    assert set(found) == {"R", "R.L", "R.L.F"}, "a step without a ratio has nothing below it"
    deep = found["R.L.F"]
    assert deep.value == pytest.approx(0.72) and deep.steps == 2
    reach = 1.1 ** (2**0.5)
    assert (deep.low, deep.high) == pytest.approx((0.72 / reach, 0.72 * reach))


def test_a_ratio_without_its_interval_gives_a_product_without_one():
    found = latencies(tree(), Given(latency_ratio={"R.L": 0.9}))
    assert found["R.L"].value == pytest.approx(0.9) and found["R.L"].low is None


@pytest.mark.parametrize("bad", [0.0, -1.0, float("inf"), float("nan")])
def test_a_ratio_that_can_be_none_is_left_out(bad):
    assert set(latencies(tree(), Given(latency_ratio={"R.L": bad}))) == {"R"}
    shown = view(Choice(x="latency"), latency_ratio={"R.L": bad})
    assert set(own(shown)) == {"R"}


# ------------------------------------------------------------ like with like


def test_beside_published_results_only_tested_nodes_stand_by_their_change():
    shown = view(fits=RESNET56, test_accuracy={"R": 93.0, "R.L": 92.5})
    assert shown.y.key == "test-change" and own(shown) == {"R": (0, 0), "R.L": (7.1, -0.5)}
    assert {p.kind for p in shown.points if p.result} == {"primary"}
    assert any("2 of 10 nodes" in note for note in shown.notes)
    assert any("its own root" in n and "6 a kept step" in n for n in shown.notes)


def test_where_no_node_is_tested_it_is_said_how_one_is():
    shown = view(fits=RESNET56, test_accuracy={"R": 93.0})
    assert "no node but the root has its change of test accuracy yet" in shown.notes[0]
    assert "once it is fine-tuned" in shown.notes[0]


@pytest.mark.parametrize("y", [axis.key for axis in Y_AXES])
@pytest.mark.parametrize("x", [axis.key for axis in X_AXES])
def test_published_results_stand_only_where_they_tell_the_same(x, y):
    shown = view(Choice(x, y, "all"), RESNET56, test_accuracy={"R": 93.0, "R.L": 92.5})
    published = [point for point in shown.points if point.result]
    assert bool(published) == (y == "test-change" and x in ("macs", "params"))
    if not published:
        assert any("cannot stand here" in note for note in shown.notes)
    assert all(axis_text(shown.x, p.x) and axis_text(shown.y, p.y) for p in shown.points)


def test_without_published_results_it_is_validation_accuracy():
    assert view().y.key == "val" and len(own(view())) == 7
    assert view(Choice(published="none"), RESNET56).y.key == "val"


def test_candidates_that_only_recovered_are_told_apart_from_kept_ones():
    assert any("recovery only" in note for note in view().notes)


def test_published_results_go_round_and_bring_their_axes():
    choice = Choice("epochs", "val", "none")
    seen = []
    for _ in range(3):
        choice = with_published(choice)
        seen.append((choice.x, choice.y, choice.published))
    assert seen == [("macs", "", "primary"), ("macs", "", "all"), ("macs", "", "none")]
    assert with_published(Choice("params", "val", "all")) == Choice("params", "", "all")


def test_an_axis_that_nobody_chose_follows_from_what_can_stand_there():
    tested = {"R": 93.0, "R.L": 92.5}
    for choice, y in ((Choice(), "test-change"), (Choice("params"), "test-change"),
                      (Choice("epochs"), "val"), (Choice(published="none"), "val")):  # fmt: skip
        assert view(choice, RESNET56, test_accuracy=tested).y.key == y
    assert view(Choice(), test_accuracy=tested).y.key == "val", "of a network without any"


def test_a_choice_in_words_is_checked():
    assert chosen("", "val", "none") == Choice("macs", "val", "none")
    for words in (("mac", "", "all"), ("", "tst", "all"), ("", "", "every")):
        with pytest.raises(UsageError, match=r"there is no axis|none, primary or all"):
            chosen(*words)


# ------------------------------------------------------------ frontiers

_places = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=30)


@settings(max_examples=150, deadline=None)
@given(_places, st.sampled_from(["higher", "lower"]), st.sampled_from(["higher", "lower"]))
def test_nobody_on_a_frontier_is_beaten_and_everybody_else_is(places, x_better, y_better):
    right, up = (1 if better == "higher" else -1 for better in (x_better, y_better))

    def at_least(a, b):
        return right * a[0] >= right * b[0] and up * a[1] >= up * b[1]

    on = frontier(places, x_better, y_better)
    assert [places[i][0] for i in on] == sorted(places[i][0] for i in on)
    for number, place in enumerate(places):
        others = [at_least(places[i], place) for i in on if i != number]
        assert any(others) == (number not in on)
    corners = steps([places[i] for i in on], x_better)
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(corners))


def test_depth_has_no_frontier_for_a_step_is_no_cost():
    assert view(Choice(x="depth")).frontiers == {OWN: []}


# ------------------------------------------------------------ of a run


def test_the_plot_of_a_run_is_made_again_only_where_something_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_STATE", str(tmp_path / "state.json"))
    with opened(tmp_path, approved) as state:
        shown = presenter_pareto.pareto(state)
        tested = {name: node.test_accuracy for name, node in state.shown.items()}
        expected = {"R": 0.0, "R.F": tested["R.F"] - tested["R"]}
        heights = {name: y for name, (_, y) in own(shown).items()}
        assert heights == pytest.approx(expected), "only tuned nodes are tested"
        assert shown.counts["best"] == 1 and shown.subject == RESNET56.subject
        state.selected = "R.F"
        assert presenter_pareto.pareto(state) is shown
        plot_state.choose(state.plot, Choice("epochs", "val", "none"))
        longer = presenter_pareto.pareto(state)
        assert longer is not shown and own(longer)["R.F"][0] == 6
        back(state, 1)
        assert len(own(presenter_pareto.pareto(state))) < len(own(longer))
    assert plot_state.remembered() == Choice("epochs", "val", "none")


def test_of_other_data_nothing_is_published(tmp_path):
    with opened(tmp_path, approved, overrides={"data": "cifar100"}) as state:
        shown = presenter_pareto.pareto(state)
        assert shown.subject is None and shown.y.key == "val"
        assert set(shown.counts) <= set(OWN_KINDS)


def test_what_was_remembered_by_another_version_starts_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_STATE", str(tmp_path / "state.json"))
    (tmp_path / "state.json").write_text('{"choices": {"plot.x": "watts", "plot.y": 3}}')
    assert plot_state.remembered() == Choice()
