"""The command that compares criteria. Only typer is imported at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from explorer.cli.guarding import guarded
from explorer.cli.options import Json, RunName
from explorer.cli.request_options import takes_request

if TYPE_CHECKING:
    from explorer.session.open_run import Request

# Settings that say what is ranked, and on which images.
SETTINGS = ("seed", "data", "train_limit", "image_size", "resize", "loader", "transforms",
            "validation_from", "units")  # fmt: skip


def add_commands(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("criteria")(criteria)


@guarded
@takes_request(without=("store", "new_run", "preset", "protocol"), only=SETTINGS)
def criteria(
    request: Request,
    criterion: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it at run time
        typer.Option(metavar="NAME", help="Only this criterion; may be repeated  [default: all]"),
    ] = None,
    images: Annotated[
        int, typer.Option(help="Training images to rank with, in all", min=4, max=10**6)
    ] = 200,
    draws: Annotated[
        int,
        typer.Option(help="Draws of images that these are dealt into, for intervals", min=2,
                     max=1000),
    ] = 10,
    run: RunName = None,
    json: Json = False,
) -> None:  # fmt: skip
    """How each criterion ranks MODEL's blocks and units, against the exact KL on the same images;
    stores nothing."""
    from explorer.cli.commands.criteria import Asked
    from explorer.cli.commands.criteria import criteria as compare

    compare(request, Asked(tuple(criterion or ()), images, draws), run=run, as_json=json)
