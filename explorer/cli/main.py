"""The command line. Only typer is imported at the top, so that `--help` is quick."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from engine.contracts.export_formats import told_formats
from explorer.cli import criteria as cli_criteria
from explorer.cli import exchange as cli_exchange
from explorer.cli import figures as cli_figures
from explorer.cli import jobs as cli_jobs
from explorer.cli import networks as cli_networks
from explorer.cli import output
from explorer.cli import plan as cli_plan
from explorer.cli import serve as cli_serve
from explorer.cli import steer as cli_steer
from explorer.cli import stores as cli_store
from explorer.cli import study as cli_study
from explorer.cli.group import DefaultCommandGroup
from explorer.cli.guarding import guarded
from explorer.cli.options import (
    AllowFactory,
    Arch,
    Background,
    Device,
    Hours,
    Json,
    LoaderWorkers,
    Model,
    NodeName,
    Output,
    RunName,
    StopAtCloseCalls,
    StoreFile,
    Task,
    TrustPickle,
    Weights,
)
from explorer.cli.request_options import takes_request
from explorer.cli.settings_options import Given, check_one_place, takes_settings

if TYPE_CHECKING:
    from explorer.session.open_run import Request

# The settings of a run that a training from scratch has too.
OF_TRAINING = ("seed", "train_limit", "image_size", "resize", "loader", "transforms",
               "batch_size", "weight_decay", "optimiser", "warmup_epochs", "label_smoothing",
               "mixup", "accumulate", "norms")  # fmt: skip

app = typer.Typer(
    cls=DefaultCommandGroup,
    rich_markup_mode=None,  # pretty help would import Rich's Markdown: 0.2 s
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    add_completion=True,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"pe-explore {version('pe-explore')}")
        raise typer.Exit


@app.callback(epilog="Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.")
def root(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Steer the pruning of a network: layer or filters, node by node.

    `pe-explore auto MODEL` grows a tree and lets it decide alone; try `pe-explore auto sample`.
    """


@app.command("auto")
@guarded
@takes_request()
def auto(
    request: Request,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Grow a root too whose accuracy is doubtful")
    ] = False,
    hours: Hours = None,
    stop_at_close_calls: StopAtCloseCalls = False,
    background: Background = False,
    run: RunName = None,
    json: Json = False,
) -> None:
    """Grow a tree without asking; resumes where it stopped."""
    from explorer.cli.commands.auto import auto as grow
    from explorer.cli.commands.auto_background import auto_background
    from explorer.session.budget import Budget, deadline

    request = replace(request, run=run)
    budget = Budget(until=deadline(hours), stop_at_close_calls=stop_at_close_calls)
    (auto_background if background else grow)(request, as_json=json, yes=yes, budget=budget)


@app.command("train")
@guarded
@takes_settings(only=OF_TRAINING)
def train(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="resnet20, resnet56, … (depth 6n+2), torchvision.models:NAME, timm:NAME, "
            "package.module:factory, or a checkpoint to go on from",
        ),
    ],
    settings: Given,
    data: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="As for auto  [default: sample]"),
    ] = None,
    task: Task = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="The checkpoint to write  [default: MODEL.pt]"),
    ] = None,
    weights: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            help="Begin with these, where MODEL is a network's name: a file, or torchvision's name "
            "of them  [default: random]"
        ),
    ] = None,
    arch: Arch = None,
    output_key: Output = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training items", min=1)] = 60,
    learning_rate: Annotated[float, typer.Option(help="Its peak", min=1e-9, max=100)] = 0.1,
    schedule: Annotated[
        str, typer.Option(help="How the learning rate falls: one-cycle, step or cosine")
    ] = "one-cycle",
    width: Annotated[int, typer.Option(help="Filters of a resnetN's first stage", min=1)] = 16,
    shortcut: Annotated[
        str, typer.Option(help="Of a resnetN: A (padding), B (1×1 conv + BN) or conv")
    ] = "A",
    threads: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="CPU threads  [default: every core]", min=1),
    ] = None,
    device: Device = "auto",
    loader_workers: LoaderWorkers = None,
    json: Json = False,
) -> None:
    """Train a checkpoint, from random weights or others; goes on after an interruption."""
    from explorer.cli.commands.train import Request
    from explorer.cli.commands.train import train as run

    check_one_place(data, task)
    settings = {**settings, "learning_rate": learning_rate}
    of_network = (model, weights, width, shortcut, output_key)
    place = "sample" if data is None and task is None else data or ""
    request = Request(
        *of_network, place, epochs, schedule, settings, device, threads, output, arch, task=task
    )
    run(request, as_json=json)


@app.command("log")
@guarded
def log(
    store: StoreFile,
    limit: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="The newest N nodes only  [default: 2000 where it is long]", min=1),
    ] = None,
    run: RunName = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print the nodes as CSV")] = False,
    json: Json = False,
) -> None:
    """The tree, one line a node."""
    from explorer.cli.commands.log_show import log as log_

    log_(store, limit=limit, wanted=run, as_csv=csv, as_json=json)


@app.command("show")
@guarded
def show(store: StoreFile, node: NodeName, run: RunName = None, json: Json = False) -> None:
    """All that is known of one node."""
    from explorer.cli.commands.log_show import show as show_

    show_(store, node, wanted=run, as_json=json)


@app.command("export")
@guarded
def export(
    store: StoreFile,
    node: Annotated[str, typer.Argument(metavar="NODE", help="A node, or 'best'")],
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help=f"The file to write: {told_formats()}")
    ],
    allow_factory: AllowFactory = None,
    run: RunName = None,
    json: Json = False,
) -> None:
    """Write a node as a file, in the format of its suffix."""
    from explorer.cli.commands.export import export as export_

    allowed = allow_factory or ()
    export_(store, node, output, allow_factory=allowed, wanted=run, as_json=json)


@app.command("structure")
@guarded
def structure(
    model: Model,
    arch: Arch = None,
    weights: Weights = None,
    trust_pickle: TrustPickle = False,
    data: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="PLACE", help="Images to run it on, as for auto"),
    ] = None,
    task: Task = None,
    input_: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--input", metavar="CxHxW", help="How large images it takes, as 3x224x224"),
    ] = None,
    output_: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--output", metavar="KEY", help="Which of its outputs classifies"),
    ] = None,
    json: Json = False,
) -> None:
    """What can be removed from MODEL, found by running it and checked."""
    from explorer.cli.commands.structure import Named
    from explorer.cli.commands.structure import structure as run

    check_one_place(data, task)
    named = Named(model, arch, weights, trust_pickle, data, input_, output_, task)
    run(named, as_json=json)


@app.command("doctor")
@guarded
def doctor(device: Device = "auto", json: Json = False) -> None:
    """What this machine can do, and how work will run on it."""
    from explorer.cli.commands.train import doctor as run

    run(device, as_json=json)


@app.command("open")
@guarded
@takes_request(needs_model=False)
def open_(
    request: Request | None,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Begin a new tree without showing first what it takes"),
    ] = False,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Only look at a tree that there is")
    ] = False,
    run: RunName = None,
) -> None:
    """Open MODEL in the explorer (the default command)."""
    from explorer.cli.starting import in_a_hurry

    with in_a_hurry():
        from explorer.cli.commands.explore import explore

        if request is not None:
            request = replace(request, read_only=read_only, run=run)
        code = explore(request, yes=yes)
    raise typer.Exit(code)


cli_steer.add_commands(app)
cli_store.add_commands(app)
cli_exchange.add_commands(app)
cli_jobs.add_commands(app)
cli_plan.add_commands(app)
cli_study.add_commands(app)
cli_criteria.add_commands(app)
cli_serve.add_commands(app)
cli_figures.add_commands(app)
cli_networks.add_commands(app)


def main() -> None:
    """The entry point."""
    output.prepare()
    guarded(app)()


if __name__ == "__main__":
    main()
