"""Seeing: table or tree, search, tabs, panes, screenshot, help; and leaving."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from explorer.tui import recents
from explorer.tui.actions.action import Action
from explorer.tui.actions.home import home
from explorer.tui.actions.plot import save_new
from explorer.tui.context import Context
from explorer.tui.keys import shown
from explorer.tui.presenter import best_of_shown
from explorer.tui.shell import to_shell
from explorer.tui.state import none_is_open
from explorer.tui.widgets.node_table import NodeTable
from explorer.tui.widgets.pareto_plot import ParetoPlot
from explorer.views.node_csv import nodes_as_csv
from explorer.views.tour import steps
from explorer.views.tree.filter import parse_filter


def wrong_filter(text: str) -> str | None:
    """What is wrong with a filter, None where it is good."""
    try:
        parse_filter(text)
    except ValueError as error:
        return str(error)
    return None


def swap_views(at: Context) -> None:
    at.screen.swap_views()


async def search(at: Context) -> None:
    from explorer.tui.screens.dialogs import TextDialog

    text = await at.ask(
        TextDialog(
            "Search", "Words of a name or a tag, or figures: acc>93 macs>50 kept",
            at.screen.filter_text, check=wrong_filter,
        )
    )  # fmt: skip
    if text is None:
        return
    found = at.screen.set_filter(text)
    if text:
        match = "node matches" if found == 1 else "nodes match"
        at.notify(f"{found:,} {match}; . and , go from one to the next")


async def choose_columns(at: Context) -> None:
    from explorer.tui.screens.dialogs import ColumnsDialog

    table = at.screen.query_one(NodeTable)
    keys = await at.ask(ColumnsDialog(table.shown_columns))
    if keys is None:
        return
    table.choose_columns(keys)
    if warning := recents.set_words({"columns": ",".join(keys)}):
        at.notify(warning, "warning")
    if at.screen.view_in_front() is not table:
        at.screen.swap_views()


def save(at: Context) -> None:
    """Saves what is in front: the tree as a picture for a paper, or the table."""
    if at.state.session is None:
        at.notify(none_is_open(at.state))
    elif at.screen.view_in_front().id == "table":
        save_table(at)
    else:
        from explorer.views.figures.tree_svg import tree_svg

        nodes = at.state.briefs.values()
        picture = tree_svg(nodes, best_of_shown(at.state), at.state.open_session.run.name)
        save_new(at, f"{at.store_name}-tree", picture)


def save_table(at: Context) -> None:
    """Those nodes that the search finds, where there is one."""
    state = at.state
    model = at.screen.query_one(NodeTable).model
    numbers = range(len(model)) if model.matches is None else sorted(model.matches)
    nodes = [state.shown[model.nodes[number].name] for number in numbers]
    at.save(f"{at.store_name}-nodes.csv", nodes_as_csv(nodes))


def show_tab(at: Context, name: str) -> None:
    """Brings a tab to the front; the keys go to the plot with it, and back to the tree after it."""
    screen, plot = at.screen, at.screen.query_one(ParetoPlot)
    had_focus = plot.has_focus
    screen.show_tab(name)
    is_seen = not screen.has_class("-tiny") and (
        not screen.has_class("-stacked") or screen.has_class("-tabs")
    )
    if name == "pareto" and is_seen:
        plot.focus()
    elif had_focus:
        screen.view_in_front().focus()


def show_settings(at: Context) -> None:
    from explorer.tui.plan_sheet import run_sheet
    from explorer.tui.screens.plan_screen import RunSheetScreen

    if at.state.session is None:
        at.notify(none_is_open(at.state))
        return
    at.app.push_screen(RunSheetScreen(run_sheet(at.state)))


def show_network(at: Context) -> None:
    from explorer.tui.screens.network_screen import NetworkScreen

    if at.state.session is None or at.state.selected not in at.state.shown:
        at.notify(none_is_open(at.state))
        return
    screen = at.run_or_notify(lambda: NetworkScreen(at.state, at.state.selected))
    if screen is not None:
        at.app.push_screen(screen)


def follow(at: Context) -> None:
    at.state.follow = not at.state.follow
    at.notify("follows the decisions" if at.state.follow else "stays where you are")


def widen_right(at: Context, percent: int) -> None:
    at.screen.widen_right(percent)
    recents.set_sizes({"right": at.screen.right_percent})


def screenshot(at: Context) -> None:
    now = datetime.now(UTC).astimezone()
    at.save(f"pe-explore_{now:%Y-%m-%dT%H-%M-%S-%f}.svg", at.app.export_screenshot())


def show_help(at: Context) -> None:
    from explorer.tui.screens.help_screen import HelpScreen

    at.app.push_screen(HelpScreen(at.state.config.key_table))


def show_palette(at: Context) -> None:
    at.app.action_command_palette()


async def tour(at: Context) -> None:
    """Shows the tour, and remembers that it was shown."""
    from explorer.tui.screens.tour_screen import TourScreen

    recents.set_words({"tour": "shown"})
    keys = {key.id: shown(key.keys) for key in at.state.config.key_table}
    await at.ask(TourScreen(steps(keys), at.screen))


async def tour_once(at: Context) -> None:
    """The tour, for who has not seen it yet."""
    if recents.words().get("tour") is None:
        await tour(at)


def suspend(at: Context) -> None:
    """Stops as every program at a terminal does; its workers too, whom no shell knows of."""
    session = at.state.session
    executor = None if session is None or session.executor.paused else session.executor
    if executor is not None:
        executor.pause()
    try:
        if not to_shell(at.app):
            at.notify("this terminal has no shell to go to", "warning")
    finally:
        if executor is not None:
            executor.resume()


async def leave(at: Context) -> None:
    await at.app.action_quit()


ACTIONS: dict[str, Action] = {
    "view.table": swap_views,
    "view.search": search,
    "view.columns": choose_columns,
    "view.save_table": save,
    "view.tab1": partial(show_tab, name="live"),
    "view.tab2": partial(show_tab, name="pareto"),
    "view.tab3": partial(show_tab, name="node"),
    "view.tab4": partial(show_tab, name="blocks"),
    "view.tab5": partial(show_tab, name="log"),
    "view.settings": show_settings,
    "view.network": show_network,
    "view.follow": follow,
    "view.home": home,
    "view.narrower": partial(widen_right, percent=4),
    "view.wider": partial(widen_right, percent=-4),
    "view.screenshot": screenshot,
    "app.help": show_help,
    "app.palette": show_palette,
    "app.tour": tour,
    "app.suspend": suspend,
    "app.quit": leave,
}
