"""What the app's actions are called on the command line, for the node that is looked at. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.contracts.edits import Edit
from explorer.views.decide_card import Card
from explorer.views.node_view import NodeView


@dataclass(frozen=True)
class Command:
    """What a command does, and its words behind `pe-explore`."""

    does: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """As a shell takes it."""
        return shlex.join(("pe-explore", *self.words))

    def of_run(self, run: str | None) -> Command:
        """The same of a run that is not the store's newest, which commands mean by themselves."""
        return self if run is None else replace(self, words=(*self.words, "--run", run))


def commands_for(
    store: str, node: NodeView, card: Card | None, marked: Sequence[str] = (),
    moment: int | None = None, run: str | None = None,
) -> list[Command]:  # fmt: skip
    """The commands for a node; `card` is that of its parent or its own, `marked` are nodes to be
    compared, `moment` is the event that is looked back at, `run` as `Command.of_run` takes it."""
    return [each.of_run(run) for each in _of_the_newest(store, node, card, marked, moment)]


def _of_the_newest(
    store: str, node: NodeView, card: Card | None, marked: Sequence[str], moment: int | None
) -> list[Command]:

    def command(does: str, name: str, *words: str) -> Command:
        return Command(does, (name, store, *words))

    found = [] if card is None else _deciding(store, card)
    found += _again(store, node, card)
    if node.state == "ready":
        found.append(command(f"export {node.name}", "export", node.name, "node.pt"))
    found += [
        command(f"branch from {node.name}", "branch", node.name, "--take", "both"),
        command("let the policy decide the next 3", "auto", "--iterations", str(_depth(node) + 3)),
        command(f"all that is known of {node.name}", "show", node.name),
        command(f"the network of {node.name}", "diagram", node.name),
    ]
    names = [name for name in marked if name != node.name]
    if names:
        found.append(command("compare with what is marked", "compare", node.name, *names))
        found.append(command(f"how {names[0]} differs as a network", "diff", node.name, names[0]))
    found += [
        command("take the newest decision back", "undo"),
        command("make it again", "redo"),
        command("the tree as text", "log"),
        command("the Pareto plot as a picture", "figure", "pareto", "pareto.svg"),
        command("the tree as a picture", "figure", "tree", "tree.svg"),
        command("open it here", "open"),
    ]
    if moment is not None:
        found.insert(0, command("the tree as it stood then", "replay", "--at", str(moment)))
    return found


def _deciding(store: str, card: Card) -> list[Command]:
    """Keeping one candidate or the other, where they await that."""
    ready = [node for node in card.candidates if node.state == "ready"]
    if card.kept is not None or card.awaited or not ready or card.suggested is None:
        return []
    parent = card.parent.name
    ways = [(f"keep what is suggested at {parent}", "suggested")]
    if len(ready) == 2:
        ways += [("keep the other one", "other"), ("keep both", "both")]
    else:
        ways += [(f"keep {node.name}", node.name) for node in ready if node.name != card.suggested]
    return [Command(does, ("decide", store, parent, what)) for does, what in ways]


def _again(store: str, node: NodeView, card: Card | None) -> list[Command]:
    """Making the same candidate again, as of a copy of the tree or of another one."""
    edit = None if card is None else card.edits.get(node.name)
    if edit is None or node.parent is None or (wish := _wish(edit)) is None:
        return []
    return [Command(f"make {node.name} again", ("candidate", store, node.parent, *wish))]


def _wish(edit: Edit) -> tuple[str, ...] | None:
    if edit.blocks and edit.units:
        return None
    if len(edit.blocks) == 1:
        return "--block", edit.blocks[0]
    return ("--filters", str(edit.num_units)) if edit.units else None


def _depth(node: NodeView) -> int:
    return node.name.count(".")
