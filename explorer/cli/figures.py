"""The commands about figures and published results. Only typer is imported at the top."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from explorer.cli.guarding import guarded
from explorer.cli.options import Json, RunName, StoreFile

published_app = typer.Typer(
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    help="Published results of pruned networks: those that came with this program, and your own.",
)


def add_commands(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command("figure")(figure)
    app.add_typer(published_app, name="published")


@guarded
def figure(
    store: StoreFile,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="pareto or tree")],
    output: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it at run time
        typer.Argument(
            metavar="OUT.svg",
            help="The picture to write; without it pareto is drawn as text",
            show_default=False,
        ),
    ] = None,
    x: Annotated[
        str, typer.Option(help="Of pareto: macs, params, latency, epochs or depth")
    ] = "macs",
    y: Annotated[
        str,
        typer.Option(
            help="Of pareto: test-change, test, val, val-change or similarity  [default: "
            "test-change beside published results, else val]",
            show_default=False,
        ),
    ] = "",
    published: Annotated[
        str, typer.Option(help="Published results on pareto: none, primary or all")
    ] = "primary",
    whole: Annotated[
        bool, typer.Option("--whole", help="Of the tree: also what is below rejected nodes")
    ] = False,
    run: RunName = None,
    json: Json = False,
) -> None:
    """Draw a run as for a paper: a light SVG of the Pareto plot or of the tree."""
    from explorer.cli.commands.figure import figure as figure_

    figure_(
        store, what, output, x=x, y=y, published=published, whole=whole, wanted=run, as_json=json
    )


@published_app.callback()
@guarded
def published(
    context: typer.Context,
    network: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it at run time
        typer.Option(help="Of this network only, such as resnet56"),
    ] = None,
    dataset: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="On these data only, such as cifar10"),
    ] = None,
    kind: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Of this kind only: primary, rerun or quoted"),
    ] = None,
    method: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Of methods with this word in their name"),
    ] = None,
    json: Json = False,
) -> None:
    """List published results: those that came with this program, and your own."""
    if context.invoked_subcommand is None:
        from explorer.cli.commands.published import listed

        listed(network, dataset, kind, method, as_json=json)


@published_app.command("add")
@guarded
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A TOML file (docs/published.md)")],
    json: Json = False,
) -> None:
    """Check a file of results and take it into your own."""
    from explorer.cli.commands.published import add as run

    run(file, as_json=json)


@published_app.command("files")
@guarded
def files(json: Json = False) -> None:
    """List your own files."""
    from explorer.cli.commands.published import files as run

    run(as_json=json)


@published_app.command("remove")
@guarded
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of your own files")],
    json: Json = False,
) -> None:
    """Remove one of your own files."""
    from explorer.cli.commands.published import remove as run

    run(name, as_json=json)
