"""What makes sense to do now, in one line: from how things stand, with a person's own keys."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explorer.views.counting import await_you, counted
from explorer.views.run_names import fitted_name
from explorer.views.safe_text import safe

_KEY = re.compile(r"\{([a-z_.0-9]+)\}")
_NAME_CELLS = 20


@dataclass(frozen=True)
class Situation:
    """How things stand. `past` is the moment that is looked back at and how many there are, from 1
    on; `suggested` the candidate to keep where the selected node's ones await a decision, empty
    where they do not; `awaiting` the parents elsewhere that await one."""

    is_open: bool = True
    read_only: bool = False
    past: tuple[int, int] | None = None
    playing: bool = False
    filter_text: str = ""
    num_found: int = 0
    paused: bool = False
    alone: bool = False  # whether decisions are left to the policy
    asks: bool = False
    suggested: str = ""
    awaiting: Sequence[str] = ()
    num_jobs: int = 0
    node: str = "R"
    state: str = "ready"
    rejected: bool = False
    has_children: bool = False
    num_marked: int = 0


@dataclass(frozen=True)
class Hint:
    """A line of pieces, text and whether it is a key; `key_id` is what a click on it does."""

    pieces: tuple[tuple[str, bool], ...] = ()
    key_id: str = ""

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces)


def hint(at: Situation, keys: Mapping[str, str]) -> Hint:
    """The hint; `keys` are a person's keys by their ids, as they are shown."""
    pieces: list[tuple[str, bool]] = []
    key_id = ""
    for place, part in enumerate(_KEY.split(_words(at))):
        if place % 2:
            pieces.append((keys[part], True))
            key_id = key_id or part
        elif part:
            pieces.append((part, False))
    return Hint(tuple(pieces), key_id)


def _words(at: Situation) -> str:
    """The hint, with keys by their ids in braces: what one looks at first, then what awaits, then
    what goes on, then what could."""
    if not at.is_open:
        return ""
    if at.past is not None:
        return _of_the_past(at)
    if at.filter_text:
        match = "matches" if at.num_found == 1 else "match"
        return (
            f"{_plain(at.filter_text)}: {at.num_found:,} {match} · {{tree.next_match}} and "
            "{tree.previous_match} go through them · {view.home} shows all"
        )
    if at.read_only:
        return (
            "for reading · {tree.activate} tells all of a node · {view.network} its network · "
            "{node.command} copies commands · {view.save_table} saves"
        )
    if at.paused:
        return "the work stands still · {work.pause} lets it go on"
    if at.asks:
        return _of_a_decision(at)
    if at.awaiting:
        first = fitted_name(at.awaiting[0], _NAME_CELLS)
        return f"{await_you(len(at.awaiting), 'decision')} · {{decide.next}} goes to {first}"
    return _of_work(at) if at.num_jobs else _of_growing(at)


def _of_the_past(at: Situation) -> str:
    place, count = at.past or (1, 1)
    plays = "{replay.play} stops" if at.playing else "{replay.play} plays"
    return (
        f"moment {place:,} of {count:,} · {{replay.back}} {{replay.forward}} step · {plays} · "
        "{view.home} returns to now"
    )


def _of_a_decision(at: Situation) -> str:
    """The card says the rest of what can be decided."""
    more = "{node.compare} compares first · {view.network} shows the network"
    if at.suggested:
        keeps = fitted_name(at.suggested, _NAME_CELLS)
        return f"{{decide.approve}} keeps {keeps}, as suggested · {more}"
    return f"{{grow.candidate}} makes another candidate · {more}"


def _of_work(at: Situation) -> str:
    works = counted(at.num_jobs, "job")
    shows = "{decide.auto} says until when" if at.alone else "{view.tab1} shows the curves"
    who = " · the policy decides" if at.alone else ""
    return f"{works}{who} · {shows} · {{work.pause}} pauses · {{app.quit}} may leave it running"


def _of_growing(at: Situation) -> str:
    name = fitted_name(at.node, _NAME_CELLS)
    if at.num_marked > 1:
        return f"{counted(at.num_marked, 'node')} marked · {{node.compare}} compares them"
    if at.state in ("failed", "cancelled"):
        return f"{name} {at.state} · {{grow.on}} tries it again · {{view.tab3}} tells why"
    if at.rejected:
        return f"{{grow.branch}} grows on from {name} too · {{node.compare}} compares it"
    if not at.has_children and at.state == "ready":
        return f"{{grow.on}} makes candidates of {name} · {{decide.auto}} lets the policy decide"
    return (
        "all is decided · {tree.tip} goes to the end · {view.save_table} saves · "
        "{node.command} copies commands · {view.tab2} compares"
    )


def _plain(text: str) -> str:
    """A person's words, harmless and without what stands for keys."""
    return safe(text, 40).replace("{", "(").replace("}", ")")
