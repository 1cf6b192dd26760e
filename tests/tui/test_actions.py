"""The key table and what its keys do belong together, one to one."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from driver import COVERED

from explorer.tui import actions
from explorer.tui.actions import ACTIONS
from explorer.tui.keys import KEYS
from explorer.tui.main_screen import MainScreen
from explorer.tui.widgets.node_table import NodeTable
from explorer.tui.widgets.tree_canvas import TreeCanvas

GROUPS = [actions.decide, actions.grow, actions.nodes, actions.replay, actions.runs, actions.view]


def test_every_key_has_one_action_or_is_a_widgets_own_and_no_action_lacks_a_key():
    named = [key_id for group in GROUPS for key_id in group.ACTIONS]
    assert len(named) == len(set(named)), "two groups have an action of one id"
    assert set(named) == set(ACTIONS)
    assert set(ACTIONS) == {key.id for key in KEYS if key.action}
    assert len({key.id for key in KEYS}) == len(KEYS)


def test_the_screen_binds_each_action_once_by_the_id_of_its_key():
    bound = [(binding.id, binding.key, binding.action) for binding in MainScreen.BINDINGS]
    wanted = [(key.id, key.keys, f"app.press({key.id!r})") for key in KEYS if key.id in ACTIONS]
    assert sorted(bound) == sorted(wanted)


@pytest.mark.parametrize(("group", "widget"), [("Tree", TreeCanvas), ("Table", NodeTable)])
def test_a_widget_binds_the_keys_of_its_group_and_no_others(group, widget):
    bound = {binding.id: binding.key for binding in widget.BINDINGS}
    assert bound == {key.id: key.keys for key in KEYS if key.group == group}


def test_every_key_of_the_table_has_a_test_that_presses_it():
    for path in Path(__file__).parent.glob("test_keys_*.py"):
        importlib.import_module(path.stem)
    assert {key.id for key in KEYS} == COVERED
