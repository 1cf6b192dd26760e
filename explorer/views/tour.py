"""The five steps that a person is shown on the sample, once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Step(NamedTuple):
    """One step: the pane that it is about (its id), its title, and what it says."""

    pane: str
    title: str
    text: str


# `{id}` stands for the key of that action.
_STEPS = (
    Step("left", "The tree",
         "R is the network as it came. Two subnetworks of it are being made: at the left one "
         "without a layer (▬), at the right one without as many filters (▮). Both recover by a "
         "short fine-tuning; that takes some seconds here. Arrows walk from node to node, "
         "{tree.zoom_in} and {tree.zoom_out} zoom."),
    Step("card", "The decision",
         "Once both are measured, the card says which one to keep and why: whose inner "
         "representation is more like the parent's (CKA), and what speaks against it. "
         "{decide.approve} keeps what is suggested, {decide.override} the other one, "
         "{decide.both} both."),
    Step("tabs", "What is known",
         "Tabs {view.tab1} to {view.tab5}: training as it goes, accuracy against what was removed "
         "beside published results, all about a node, its blocks, and the log. {view.table} shows "
         "the nodes as a table, {view.settings} what the run is grown with."),
    Step("jobs", "The work",
         "It runs in processes of low priority. {work.pause} lets it stand still, "
         "{decide.auto} lets the policy decide alone, within budgets; {app.quit} leaves, and the "
         "work goes on in the background if you like. Nothing that was finished is ever lost."),
    Step("left", "Help",
         "{app.help} has every key and the meaning of every word, {app.palette} finds actions, "
         "{node.command} copies what you do as a command for the shell. {app.tour} shows this "
         "again."),
)  # fmt: skip
NUM_STEPS = len(_STEPS)


def steps(keys: Mapping[str, str]) -> list[Step]:
    """The steps with a person's own keys, by the ids of their actions."""
    return [step._replace(text=_with_keys(step.text, keys)) for step in _STEPS]


def _with_keys(text: str, keys: Mapping[str, str]) -> str:
    for name, key in keys.items():
        text = text.replace(f"{{{name}}}", key)
    return text
