"""What the Pareto plot shows of the app's state, made anew only where something has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.tui.presenter import best_of_shown
from explorer.tui.state import AppState
from explorer.views.pareto.figures import Measured, ShownFigures, StoredFigures
from explorer.views.pareto.view import ParetoView, pareto_view, training_in_words

if TYPE_CHECKING:
    from explorer.views.published.fitting import Fitting


def pareto(state: AppState) -> ParetoView:
    """The nodes that are shown, of very many the newest ones, and the published results."""
    session, plot = state.open_session, state.plot
    run = session.run
    made_of = (
        session.store.path, run.id, session.store.last_event_id(run.id), len(state.briefs),
        state.moment, plot.choice,
    )  # fmt: skip
    if plot.made_of != made_of:
        plot.view = pareto_view(
            state.briefs,
            best_of_shown(state),
            _measured(state),
            published_of(state),
            plot.choice,
            training_in_words(session.settings),
        )
        plot.made_of = made_of
    return plot.view


def _measured(state: AppState) -> Measured:
    session = state.open_session
    stored = StoredFigures(session.store, session.run.id)
    if state.moment is None:
        return stored
    return ShownFigures(state.shown.values(), stored.epochs)


def published_of(state: AppState) -> Fitting:
    """What is published of the run's root."""
    from explorer.views.published.fitting import fitting  # read after the first paint

    session = state.open_session
    return fitting(session.run.architecture, session.document.data.name)
