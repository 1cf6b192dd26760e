"""What the app does when the session tells of something: a toast, a dialog, going along."""

from __future__ import annotations

from engine.contracts.events import Noted
from explorer.session.data_places import VALIDATION_CODES
from explorer.session.errors import MENDABLE, code_of, remedy_of
from explorer.session.events import (
    CandidatesMeasured,
    Decided,
    Exhausted,
    JobAdopted,
    JobRetried,
    JobTold,
    SessionEvent,
    StateChanged,
    Stopped,
    WorkFailed,
)
from explorer.session.policy import USER
from explorer.tui.context import Context, Severity
from explorer.tui.notifications import Notifications
from explorer.tui.opening_questions import DATA_TITLES
from explorer.views.event_messages import line_of


def on_event(at: Context, event: SessionEvent, notifications: Notifications) -> None:
    """Answers one event."""
    _notify(at, event, notifications)
    match event:
        case WorkFailed():
            at.start(_show_problem(at, event), group="problems")
        case Decided() if event.actor != USER:
            _follow(at, event)
        case CandidatesMeasured(parent):
            at.notify(f"{parent}: both candidates are measured")
            if at.state.config.bell:
                at.app.bell()
        case Stopped() | Exhausted() | Noted() | JobRetried() | JobTold():
            severity: Severity = "warning" if isinstance(event, JobRetried) else "information"
            if (line := line_of(event)) is not None:
                at.notify(line, severity)


def _notify(at: Context, event: SessionEvent, notifications: Notifications) -> None:
    """Tells a person who looks elsewhere that it is their turn."""
    match event:
        case StateChanged(state="running") | JobAdopted():
            notifications.begin()
        case CandidatesMeasured(parent) if not _is_left(at, parent):
            notifications.awaited(f"{parent} awaits your decision")
        case Stopped(over=True):
            notifications.tell(line_of(event) or "")


def _is_left(at: Context, parent: str) -> bool:
    """Whether the decision on a parent is the policy's, or was made."""
    steering = at.state.steering
    if steering is None:
        return True
    node = steering.session.node(parent)
    return any(child.kept is not None for child in steering.store.children(node.id))


def _follow(at: Context, decided: Decided) -> None:
    """Goes along with a decision that was made without the person, if they look there."""
    state = at.state
    near = decided.parent in (state.selected, state.selected.rpartition(".")[0])
    if not (state.follow and near and state.moment is None and decided.kept):
        return
    if decided.kept[-1] in state.shown:
        at.screen.select(decided.kept[-1])


async def _show_problem(at: Context, failed: WorkFailed) -> None:
    """A dialog about work that failed; the app stays."""
    if failed.error in DATA_TITLES:
        await _ask_for_the_data(at, failed)
        return
    remedy = remedy_of(failed.error, "g on the node tries again; the log has the details")
    if failed.detail:
        remedy = "this is a bug of ours: please report it with the details below"
    title, live = f"{failed.node}: the work failed", at.state.live
    again = await at.show_error(title, failed.cause, remedy, retry=True, detail=failed.detail)
    if again and live is at.state.live:  # else another run was opened meanwhile
        _retry(at, failed.node)


async def _ask_for_the_data(at: Context, failed: WorkFailed) -> None:
    """Asks where the run's images lie now, until they are found; then the work goes on."""
    from explorer.tui.screens.dialogs import DataDialog

    steering, cause, code = at.steering(), failed.cause, failed.error
    while steering is not None:
        place = await at.ask(DataDialog(cause, title=DATA_TITLES.get(code)))
        if place is None or steering is not at.state.steering:
            return
        jobs = steering.session.jobs
        if code in VALIDATION_CODES:
            jobs.artifacts.data.given_validation = place
        else:
            jobs.artifacts.data.given = place
        try:
            await jobs.places()
        except MENDABLE as error:
            cause, code = str(error), code_of(error)
            continue
        if failed.work in ("branch", "request"):  # what was asked for is not known any more
            at.notify("the data are found; ask for it again")
        else:
            _retry(at, failed.node)
        return


def _retry(at: Context, name: str) -> None:
    """Takes up failed work where it ended."""
    if (steering := at.steering()) is None:
        return
    node = steering.session.node(name)
    again = node if node.state == "ready" else steering.store.node_by_id(node.parent_id or 0)
    at.run_or_notify(lambda: steering.grow(again))
