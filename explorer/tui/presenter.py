"""What each pane shows of the state: plain values, made without a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from engine.contracts.edits import LAYER, Edit
from engine.contracts.networks import Scores
from explorer.session.allowance import brief
from explorer.tui.drawing.title import TitleView
from explorer.tui.state import READ_ONLY, AppState, about_the_past
from explorer.views.best_node import best
from explorer.views.counting import counted
from explorer.views.decide_card import Card, edits_of, live_card, past_card
from explorer.views.deciding import deciding_words
from explorer.views.job_view import JobView
from explorer.views.live_run import Point
from explorer.views.network_structure import StageView, stages, structure_of_root
from explorer.views.node_view import NodeDetails, NodeView
from explorer.views.opening_words import opening_words
from explorer.views.proposed_scores import newest_scores
from explorer.views.protected_block import staying_at
from explorer.views.removed import way_to
from explorer.views.safe_text import safe
from explorer.views.stored_nodes import with_details

MOST_CURVES = 5

# ------------------------------------------------------------ around the tree


def title(state: AppState, best: NodeView | None) -> TitleView:
    """The title with the best node, which the caller looks for: it takes its time in a large
    tree."""
    session, steering = state.session, state.steering
    if session is None:
        return TitleView(model=model_name(state))
    return TitleView(
        model=model_name(state),
        data=session.document.data.name,
        policy=session.settings.search.policy,
        best=best,
        read_only=session.store.read_only,
        alone=brief(steering.alone.grants) if steering else "",
        paused=steering.paused if steering else False,
        device=state.live.device,
        past=state.moment is not None,
        num_doubts=len(session.document.origin.doubts),
        awaiting=len(state.awaiting()),
        run=_which_run(state),
    )


def _which_run(state: AppState) -> str:
    """`run 2 of 3`; nothing where there is one."""
    run = state.open_session.run.id
    if len(state.runs) < 2 or run not in state.runs:
        return ""
    return f"run {state.runs.index(run) + 1} of {len(state.runs)}"


def banner(state: AppState) -> Sequence[str]:
    """What speaks against every figure of the run."""
    session = state.session
    return () if session is None else [doubt.words for doubt in session.document.origin.doubts]


def deciding(state: AppState) -> str:
    """Which images decide, where these are not the data's own."""
    session = state.session
    if session is None:
        return ""
    return deciding_words(session.document.data, session.settings.data.validation_from)


def model_name(state: AppState) -> str:
    """What is open, or about to be."""
    if state.session is not None:
        checkpoint = state.session.document.origin.checkpoint
        return checkpoint.name if checkpoint else state.session.run.name
    return Path(state.request.model).name if state.request else ""


def best_of_shown(state: AppState) -> str:
    """The name of the best node of what is shown."""
    return best(state.briefs.values(), state.open_session.settings).name


def tree_title(state: AppState, depth: int) -> str:
    """`Tree · depth 3 · 7 nodes`; `depth` is that of the deepest node that no fold hides."""
    live = state.live
    count = f" · depth {depth} · {counted(len(state.briefs), 'node')}" if state.briefs else ""
    more = "" if live.complete else " · more are read"
    if live.complete and live.num_stored > len(live.nodes):
        more = f" · the newest of {live.num_stored:,}"
    return f"Tree{count}{more}"


@dataclass(frozen=True)
class TimelineView:
    """A moment of the replay: its place among how many, and what happened in it."""

    place: int
    count: int
    label: str
    live: bool
    playing: bool


def timeline(state: AppState) -> TimelineView | None:
    """The moment that is shown; None where the run is followed as it goes."""
    if state.replay is None or (state.moment is None and not state.playing):
        return None
    moments = state.replay.moments
    place = len(moments) - 1 if state.moment is None else state.moment
    label = safe(f"{_clock(moments[place].created_at)}  {moments[place].text}")
    return TimelineView(place, len(moments), label, state.moment is None, state.playing)


def _clock(created_at: str) -> str:
    """The time of day of a timestamp of the store."""
    return created_at[11:19] if len(created_at) >= 19 else created_at


@dataclass(frozen=True)
class JobsView:
    """The jobs in their order; `warming` says what is awaited before any of them runs.

    `idle` is what to say where there are none.
    """

    jobs: Sequence[JobView] = ()
    paused: bool = False
    warming: str | None = None
    idle: str = ""


def jobs(state: AppState) -> JobsView:
    """The jobs of the session, those that run first."""
    paused = state.steering is not None and state.steering.paused
    found = list(state.live.jobs.values())
    if paused:
        found = [replace(j, state="paused") if j.state == "running" else j for j in found]
    cold = bool(found) and not state.live.engine_ready
    return JobsView(
        sorted(found, key=lambda job: job.state == "queued"),
        paused,
        "the engine is warming up" if cold else None,
        (state.waits_for or "idle") if state.steering is None else "idle",
    )


def is_read_only(state: AppState) -> bool:
    return state.steering is not None and state.steering.store.read_only


# ------------------------------------------------------------ about the selected node


@dataclass(frozen=True)
class CardView:
    """The Decide card; `now_what` takes the place of its last line."""

    card: Card | None = None
    selected: str | None = None
    now_what: str = ""


def card(state: AppState) -> CardView:
    """The card of the parent that the selected node is about; empty until a tree is open."""
    subject = state.subject
    if subject is None or state.steering is None:
        return CardView(now_what=being_opened(state))
    if state.moment is None:
        live = live_card(state.live, state.steering, subject)
        return CardView(live, state.selected, READ_ONLY if state.steering.store.read_only else "")
    session = state.open_session
    past = past_card(state.shown, subject, session.store, session.document)
    return CardView(past, state.selected, about_the_past(state.config))


def being_opened(state: AppState) -> str:
    """What is done until a tree is open; empty where none is asked for yet, or one is open."""
    if state.session is not None:
        return ""
    if state.waits_for:
        return state.waits_for
    if state.request is None:
        return ""
    return opening_words(model_name(state), state.live.jobs.values())


def _edits_below(state: AppState, parent: str) -> Mapping[str, Edit]:
    """What the edit of each of a parent's candidates removes, by name."""
    session = state.open_session
    return edits_of(session.store.children(session.node(parent).id))


@dataclass(frozen=True)
class CurvesView:
    """Loss and accuracy over the epochs, by node, and which of the two choices each is."""

    loss: Mapping[str, Sequence[Point]]
    accuracy: Mapping[str, Sequence[Point]]
    sides: Mapping[str, Literal["layer", "units", "root"]] = field(default_factory=dict)


def curves(state: AppState) -> CurvesView:
    """The curves of what runs, beside those of its siblings; of the selected node where nothing
    does."""
    found = {name: state.live.curves_of(name) for name in _names_of_curves(state)[:MOST_CURVES]}
    return CurvesView(
        {name: each.loss for name, each in found.items() if each.loss},
        {name: each.accuracy for name, each in found.items() if each.accuracy},
        {name: _side(state.briefs[name].structure) for name in found if name in state.briefs},
    )


def _side(structure: str) -> Literal["layer", "units", "root"]:
    """Whose colour it has."""
    return "layer" if structure == LAYER else "root" if structure == "root" else "units"


def _names_of_curves(state: AppState) -> list[str]:
    if state.moment is not None:
        return [state.selected]
    running = list(dict.fromkeys(job.node for job in state.live.jobs.values()))
    children = [] if state.subject is None else state.live.children(state.subject)
    if state.subject is not None and not set(running) - set(children):
        running = list(dict.fromkeys([*children, *running]))
    return running or [state.selected]


def node_details(state: AppState) -> NodeDetails:
    """All that is known of the selected node."""
    session = state.open_session
    node = session.node(state.selected)
    return with_details(session.store, node, state.shown[state.selected])


@dataclass(frozen=True)
class BlocksView:
    """What is left of the selected node's network, and what its parent's candidates take away.

    `removed_in` holds by block the name of the candidate without it, `filters` the units that a
    candidate removes, `staying` why blocks are never proposed; `scores` is None while the parent
    has no proposal.
    """

    stages: Sequence[StageView]
    scores: Scores | None = None
    removed_in: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, Sequence[int]] | None = None
    staying: Mapping[str, str] = field(default_factory=dict)
    unit: str = "filter"  # what units are called


def blocks(state: AppState) -> BlocksView:
    """The selected node's stages, and the newest ranking of what may go next."""
    session, parent = state.open_session, state.subject or "R"
    left, node = stages_of(state, state.selected), session.node(parent)
    proposed = newest_scores(session.store, node.id)
    if proposed is None:
        return BlocksView(left)
    edits = _edits_below(state, parent)
    removed_in = {b: name for name, edit in edits.items() for b in edit.blocks}
    filters = next((dict(edit.units) for edit in edits.values() if edit.units), None)
    root = structure_of_root(session.document)
    stay = staying_at(session.store, session.document, node)
    unit = "filter" if root is None else root.unit_word
    return BlocksView(left, proposed.scores, removed_in, filters, stay, unit)


def stages_of(state: AppState, name: str) -> Sequence[StageView]:
    """The stages of a node's network."""
    session = state.open_session
    way = way_to(session.store, session.node(name))
    return stages(structure_of_root(session.document), way)
