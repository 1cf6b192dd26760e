"""The key table: every key of the app, once. Bindings, help, palette and the docs come from it.

Needs no Textual. Keys are written as Textual writes them: a character, or a name such as `enter`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

WIDGET_GROUPS = ("Tree", "Table", "Plot")  # whose keys are theirs while they have the focus
SCREEN_GROUPS = ("Network", "Compare", "Settings", "Dialogs")  # whose keys are the only ones there
GROUPS = ("Decide", "Grow", "Nodes", "Replay", "View", "App", *WIDGET_GROUPS, *SCREEN_GROUPS)


@dataclass(frozen=True)
class Key:
    """What a key does. `keys` are its keys with commas between; `id` names its action (a function
    of `actions`, or a binding of the widget); `show` says whether the footer names it."""

    id: str
    keys: str
    label: str
    help: str
    group: str
    show: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Its keys by their long names."""
        return tuple(key_name(key) for key in self.keys.split(","))

    @property
    def action(self) -> str:
        """What Textual runs when it is pressed, empty where a widget or screen has the binding."""
        is_own = self.group in (*WIDGET_GROUPS, *SCREEN_GROUPS)
        return "" if is_own else f"app.press({self.id!r})"


KEYS: tuple[Key, ...] = (
    Key("decide.approve", "a", "Approve",
        "Keep the candidate that is suggested", "Decide", True),
    Key("decide.override", "o", "Override",
        "Keep another candidate than the suggested one", "Decide", True),
    Key("decide.both", "b", "Both",
        "Keep both candidates and grow on from each", "Decide", True),
    Key("decide.auto", "A", "Auto",
        "Let the policy decide alone, here or everywhere, until a limit", "Decide"),
    Key("decide.next", "i", "Next decision",
        "Go to the next node whose candidates await you", "Decide"),
    Key("decide.previous", "I", "Previous decision",
        "Go to the node before that awaits you", "Decide"),
    Key("history.undo", "u", "Undo",
        "Take the last decision back; nothing is lost", "Decide", True),
    Key("history.redo", "U", "Redo",
        "Make the decision again that was taken back", "Decide"),
    Key("work.pause", "space", "Pause",
        "Let all work stand still, or go on", "Decide", True),
    Key("work.cancel", "x", "Cancel job",
        "End the job of the selected node", "Decide"),
    Key("grow.candidate", "e", "Candidate",
        "Make another candidate: name the block or the number of filters", "Grow", True),
    Key("grow.branch", "B", "Branch",
        "Grow a new branch from the selected node, however old", "Grow", True),
    Key("grow.on", "g", "Grow on",
        "Make the selected node's candidates, or try failed work again", "Grow"),
    Key("grow.run", "N", "Another run",
        "Begin another run of the same root: another seed, another criterion", "Grow"),
    Key("node.mark", "m", "Mark",
        "Mark the selected node, to be compared", "Nodes"),
    Key("node.compare", "c", "Compare",
        "Compare the marked nodes; none marked: its parent and siblings", "Nodes", True),
    Key("node.tag", "#", "Tag",
        "Give the selected node a tag, or take one away", "Nodes"),
    Key("node.note", "n", "Note",
        "Write a note on the selected node", "Nodes"),
    Key("node.drop", "D", "Drop",
        "Drop the selected node and what is below it, or take it back", "Nodes"),
    Key("node.copy", "y", "Copy",
        "Copy the selected node's name and figures", "Nodes"),
    Key("node.command", "$", "Copy as command",
        "Copy what can be done here as a command for the shell", "Nodes"),
    Key("replay.back", "[", "Back",
        "Show the tree as it was one moment before", "Replay"),
    Key("replay.forward", "]", "Forward",
        "Go one moment on", "Replay"),
    Key("replay.first", "{", "First moment",
        "Show the tree as it began", "Replay"),
    Key("replay.last", "}", "Now",
        "Go back to now", "Replay"),
    Key("replay.play", "p", "Play",
        "Play the run's moments one after the other, or stop", "Replay"),
    Key("view.table", "t", "Table/tree",
        "Show the nodes as a table, or as the tree again", "View"),
    Key("view.columns", "C", "Columns",
        "Choose the columns of the table", "View"),
    Key("view.search", "/", "Search",
        "Find nodes by name, tag or figures: acc>93 macs>50 kept", "View", True),
    Key("view.tab1", "1", "Live", "Show the curves of the running jobs", "View"),
    Key("view.tab2", "2", "Pareto", "Show accuracy against cost", "View"),
    Key("view.tab3", "3", "Node", "Show all that is known of the node", "View"),
    Key("view.tab4", "4", "Blocks", "Show what is left, and what may go next", "View"),
    Key("view.tab5", "5", "Log", "Show what happened", "View"),
    Key("view.settings", "P", "Settings",
        "Show what the run is grown with, and what its work took", "View"),
    Key("view.runs", "R", "Runs",
        "See the store's runs and what their seeds agree on, and open another one", "View"),
    Key("view.network", "v", "Network",
        "See the node's network: blocks and widths, rankings, how a marked one differs", "View"),
    Key("view.follow", "F", "Follow",
        "Go along with decisions that are made without you, or stay", "View"),
    Key("view.home", "escape", "Home",
        "Step back: out of a pane, the past, a search, the table; at last to the tree", "View"),
    Key("view.narrower", "<", "Wider right",
        "Move the border to the left: less tree", "View"),
    Key("view.wider", ">", "Wider left",
        "Move the border to the right: more tree", "View"),
    Key("view.save_table", "ctrl+s", "Save",
        "Save the tree as a light SVG picture, or the table as CSV, in the current folder", "View"),
    Key("view.screenshot", "w", "Screenshot",
        "Save the screen as an SVG picture in the current folder", "View"),
    Key("app.help", "?", "Help", "Show every key, and what the words mean", "App", True),
    Key("app.palette", "ctrl+p", "Palette",
        "Find an action by its name", "App"),
    Key("app.tour", "T", "Tour", "Show the app in five steps", "App"),
    Key("app.suspend", "ctrl+z", "To the shell",
        "Go to the shell, where fg comes back; the work stands still meanwhile", "App"),
    Key("app.quit", "q", "Quit",
        "Leave; where jobs are live, it is asked what becomes of them", "App", True),
    Key("tree.parent", "up,k", "Parent", "Go to the parent", "Tree"),
    Key("tree.child", "down,j", "Child", "Go to the child one came from, or the kept one",
        "Tree"),
    Key("tree.left", "left,h", "Left", "Go to the node on the left", "Tree"),
    Key("tree.right", "right,l", "Right", "Go to the node on the right", "Tree"),
    Key("tree.root", "home", "Root", "Go to the root", "Tree"),
    Key("tree.tip", "end", "Tip", "Go to the end of the kept path", "Tree"),
    Key("tree.zoom_in", "plus,equals_sign", "Zoom in", "Dots, chips, cards, sheets", "Tree"),
    Key("tree.zoom_out", "minus", "Zoom out", "Sheets, cards, chips, dots", "Tree"),
    Key("tree.fit", "f", "Fit", "Let the space choose the zoom again", "Tree"),
    Key("tree.map", "M", "Minimap", "Hide the minimap of a large tree, or show it", "Tree"),
    Key("tree.fold", "z", "Fold", "Fold what is below the node, or unfold it", "Tree"),
    Key("tree.activate", "enter", "Open", "Show all that is known of the node", "Tree"),
    Key("tree.next_match", "full_stop", "Next match", "Go to the next node found", "Tree"),
    Key("tree.previous_match", "comma", "Previous match", "Go to the node found before",
        "Tree"),
    Key("tree.pan_left", "shift+left", "Pan left", "Move the view to the left", "Tree"),
    Key("tree.pan_right", "shift+right", "Pan right", "Move the view to the right", "Tree"),
    Key("tree.pan_up", "shift+up", "Pan up", "Move the view up", "Tree"),
    Key("tree.pan_down", "shift+down", "Pan down", "Move the view down", "Tree"),
    Key("table.sort", "s", "Sort", "Sort by the next column", "Table"),
    Key("table.reverse", "S", "Reverse", "Turn the order round", "Table"),
    Key("table.down", "j", "Down", "Go one row down", "Table"),
    Key("table.up", "k", "Up", "Go one row up", "Table"),
    Key("table.first", "home,ctrl+home", "First", "Go to the first row", "Table"),
    Key("table.last", "end,ctrl+end", "Last", "Go to the last row", "Table"),
    Key("plot.left", "left,h", "Left", "Go to the next point on the left", "Plot"),
    Key("plot.right", "right,l", "Right", "Go to the next point on the right", "Plot"),
    Key("plot.up", "up,k", "Up", "Go to the next point above", "Plot"),
    Key("plot.down", "down,j", "Down", "Go to the next point below", "Plot"),
    Key("plot.first", "home", "First", "Go to the first point of your frontier", "Plot"),
    Key("plot.last", "end", "Last", "Go to the last point of your frontier", "Plot"),
    Key("plot.next", "full_stop", "Next", "Go on along the frontier", "Plot"),
    Key("plot.previous", "comma", "Previous", "Go back along the frontier", "Plot"),
    Key("plot.select", "enter", "Select", "Select the point's node, in the tree too", "Plot"),
    Key("plot.y", "Y", "Y axis", "Put another figure on the y axis", "Plot"),
    Key("plot.x", "X", "X axis", "Put another figure on the x axis", "Plot"),
    Key("plot.published", "r", "Published",
        "Show no published results, primary ones, or all", "Plot"),
    Key("plot.full", "Z", "Full screen", "Show the plot alone, or beside the tree again", "Plot"),
    Key("plot.save", "s", "Save",
        "Save the plot as a light SVG picture, as for a paper, in the current folder", "Plot"),
    Key("network.diagram", "d", "Diagram", "Show what is left, block by block", "Network"),
    Key("network.ranking", "r", "Ranking",
        "Show what mattered, step by step on the way to the node", "Network"),
    Key("network.difference", "c", "Difference",
        "Hold the parent beside it, or the marked nodes one after the other", "Network"),
    Key("network.up", "up,k", "Up", "Go a line up", "Network"),
    Key("network.down", "down,j", "Down", "Go a line down", "Network"),
    Key("network.before", "left,h", "Steps before", "Show earlier steps of the ranking", "Network"),
    Key("network.after", "right,l", "Steps after", "Show later steps of the ranking", "Network"),
    Key("network.copy", "y", "Copy", "Copy what is shown as text", "Network"),
    Key("network.leave", "escape,q,v", "Back", "Go back to where you came from", "Network"),
    Key("compare.networks", "v", "Networks",
        "See how the networks of the first two differ", "Compare"),
    Key("compare.up", "up,k", "Up", "Go a line up", "Compare"),
    Key("compare.down", "down,j", "Down", "Go a line down", "Compare"),
    Key("compare.left", "left,h", "Left", "See the nodes more to the left", "Compare"),
    Key("compare.right", "right,l", "Right", "See the nodes more to the right", "Compare"),
    Key("compare.copy", "y", "Copy", "Copy the table as text", "Compare"),
    Key("compare.leave", "escape,q,c,enter", "Back", "Go back to the tree", "Compare"),
    Key("settings.up", "up,k", "Up", "Go to the setting above", "Settings"),
    Key("settings.down", "down,j", "Down", "Go to the setting below", "Settings"),
    Key("settings.less", "left,h", "Less", "Of a plan: the value before", "Settings"),
    Key("settings.more", "right,l", "More", "Of a plan: the value after", "Settings"),
    Key("settings.edit", "space,e", "Change", "Of a plan: write another value", "Settings"),
    Key("settings.preset", "p", "Preset", "Of a plan: take the next preset", "Settings"),
    Key("settings.reset", "r", "As before", "Of a plan: take a change back", "Settings"),
    Key("settings.copy", "y,$", "Copy as command",
        "Copy the command that begins a run with these settings", "Settings"),
    Key("settings.another", "n", "Another run",
        "Of the open run: plan another one of the same root", "Settings"),
    Key("settings.leave", "escape", "Leave",
        "Go back; of a plan: begin nothing, enter begins", "Settings"),
    Key("dialog.before", "left,h", "Before", "Go to the choice or button before", "Dialogs"),
    Key("dialog.after", "right,l", "After", "Go to the choice or button after", "Dialogs"),
    Key("dialog.up", "up,k", "Up", "Go a line up, or to a larger number", "Dialogs"),
    Key("dialog.down", "down,j", "Down", "Go a line down, or to a smaller number", "Dialogs"),
    Key("dialog.command", "$", "Copy as command",
        "Copy what enter would do as a command for the shell, and stay", "Dialogs"),
    Key("dialog.submit", "enter", "Accept", "Do it", "Dialogs"),
    Key("dialog.cancel", "escape", "Cancel", "Go back, changing nothing", "Dialogs"),
)  # fmt: skip

# ------------------------------------------------------------ names of keys

_RENAMED = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_SPECIAL = (
    "enter", "escape", "space", "backspace", "delete", "insert", "tab", "up", "down", "left",
    "right", "home", "end", "pageup", "pagedown", *(f"f{number}" for number in range(1, 25)),
)  # fmt: skip
MODIFIERS = ("ctrl", "alt", "shift", "super")


def key_name(key: str) -> str:
    """The long name of a key: `question_mark` for `?`; names stay as they are."""
    key = key.strip()
    if len(key) != 1 or key.isalnum():
        return key
    name = unicodedata.name(key, key).lower().replace("-", "_").replace(" ", "_")
    return _RENAMED.get(name, name)


_CHARACTERS = {key_name(character): character for character in _PUNCTUATION}
KEY_NAMES = (*_SPECIAL, *_CHARACTERS)
_SHOWN = {
    **_CHARACTERS, "up": "↑", "down": "↓", "left": "←", "right": "→",
    "escape": "Esc", "pageup": "PgUp", "pagedown": "PgDn",
}  # fmt: skip


def shown(keys: str) -> str:
    """Keys as a person reads them: `↑ k`, `?`, `ctrl+p`."""
    return " ".join(_shown_one(key_name(key)) for key in keys.split(","))


def _shown_one(name: str) -> str:
    *modifiers, key = name.split("+")
    return "+".join((*modifiers, _SHOWN.get(key, key)))


# ------------------------------------------------------------ rebinding


def rebound(keymap: Mapping[str, str], keys: Sequence[Key] = KEYS) -> tuple[Key, ...]:
    """The table with the keys of a person's keymap (by id) put in."""
    return tuple(replace(key, keys=keymap.get(key.id, key.keys)) for key in keys)


def clashes(keys: Iterable[Key]) -> list[tuple[str, Key, Key]]:
    """Each key that two actions have within one focus: a widget's and the app's, or a screen's."""
    found = []
    for focus in (*WIDGET_GROUPS, *SCREEN_GROUPS):
        owners: dict[str, Key] = {}
        for key in keys:
            if key.group != focus and (not key.action or focus in SCREEN_GROUPS):
                continue
            for name in key.names:
                other = owners.setdefault(name, key)
                if other is not key and (name, other, key) not in found:
                    found.append((name, other, key))
    return found


def as_markdown(keys: Sequence[Key] = KEYS) -> str:
    """The table as a page: `python -m explorer.tui.keys` writes docs/keys.md with it."""
    lines = []
    for group in GROUPS:
        lines += [f"## {group}", "", "| keys | what it does | id |", "| --- | --- | --- |"]
        for key in keys:
            if key.group == group:
                names = " ".join(f"`{shown(each)}`" for each in key.keys.split(","))
                lines.append(f"| {names} | {key.label}: {key.help} | `{key.id}` |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(as_markdown())
