"""`figure`: a run as a picture for a paper."""

from __future__ import annotations

from pathlib import Path

from engine.contracts.errors import UsageError
from engine.contracts.files import write_text_atomically
from engine.contracts.near import did_you_mean
from explorer.cli.console import find_run, say
from explorer.cli.json_types import FigureDrawn, print_json
from explorer.cli.terminal_plot import pareto_text
from explorer.session.documents import RunDocument
from explorer.views.best_node import best
from explorer.views.figures.pareto_svg import pareto_svg
from explorer.views.figures.tree_svg import tree_svg
from explorer.views.live_run import LiveRun
from explorer.views.pareto.figures import Nodes, StoredFigures
from explorer.views.pareto.view import Choice, ParetoView, chosen, pareto_view, training_in_words
from explorer.views.published.fitting import fitting
from store import TreeStore

WHAT = ("pareto", "tree")


def figure(
    path: Path,
    what: str,
    output: Path | None,
    *,
    x: str,
    y: str,
    published: str,
    whole: bool = False,
    wanted: str | None = None,
    as_json: bool,
) -> None:
    """Writes the picture; prints the plot as text where no file is named."""
    if what not in WHAT:
        hint = did_you_mean(what, WHAT)
        raise UsageError(f"there is no figure {what!r}; {hint}known are {', '.join(WHAT)}")
    if output is None and (what != "pareto" or as_json):
        raise UsageError("give the picture's name, such as tree.svg; only pareto is drawn as text")
    if output is not None and output.suffix.lower() != ".svg":
        raise UsageError(f"{output}: figures are written as SVG; give a name that ends in .svg")
    choice = chosen(x, y, published)
    notes: tuple[str, ...] = ()
    with TreeStore.open(path, read_only=True) as store:
        run = RunDocument.of(find_run(store, wanted))
        live = LiveRun()
        live.attach(store, run.run)
        nodes = live.nodes if live.complete else live.read_all()
        best_name = best(nodes.values(), run.settings).name
        if what == "tree":
            drawn = tree_svg(nodes.values(), best_name, run.run.name, whole=whole)
        else:
            view = _pareto(store, run, nodes, best_name, choice)
            notes = tuple(view.notes)
            drawn = pareto_text(view) if output is None else pareto_svg(view, run.run.name)
    if output is None:
        for line in (*drawn.splitlines(), *notes):
            say(line)
        return
    write_text_atomically(output, drawn)
    if as_json:
        print_json(FigureDrawn(what, str(output), len(nodes), notes))
        return
    say(f"wrote {output}")
    for note in notes:
        say(note)


def _pareto(
    store: TreeStore, run: RunDocument, nodes: Nodes, best_name: str, choice: Choice
) -> ParetoView:
    return pareto_view(
        nodes,
        best_name,
        StoredFigures(store, run.run.id),
        fitting(run.run.architecture, run.data.name),
        choice,
        training_in_words(run.settings),
    )
