"""The command that tells what a tree would take. Only typer is imported at the top."""

from __future__ import annotations

import typer

from explorer.cli.guarding import guarded
from explorer.cli.options import (
    AllowFactory,
    Arch,
    Device,
    Json,
    LoaderWorkers,
    Model,
    Normalisation,
    Output,
    Preset,
    Protocol,
    RandomWeights,
    RunName,
    Task,
    TrustPickle,
    Weights,
)
from explorer.cli.settings_options import Given, check_one_place, takes_settings


def add_commands(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("plan")(plan)


@guarded
@takes_settings()
def plan(
    model: Model,
    settings: Given,
    preset: Preset = None,
    protocol: Protocol = "default",
    arch: Arch = None,
    weights: Weights = None,
    random_weights: RandomWeights = False,
    task: Task = None,
    output: Output = None,
    normalisation: Normalisation = None,
    allow_factory: AllowFactory = None,
    trust_pickle: TrustPickle = False,
    device: Device = "auto",
    loader_workers: LoaderWorkers = None,
    run: RunName = None,
    json: Json = False,
) -> None:
    """What a tree of MODEL would be grown with, and how long it takes here; stores nothing."""
    from explorer.cli.commands.plan import plan as plan_of
    from explorer.session.open_run import Request

    check_one_place(settings.get("data"), task)
    given = (None, device, arch, trust_pickle, protocol, settings)
    of_network = (weights, random_weights, allow_factory or (), output, task)
    request = Request(model, *given, False, *of_network, preset, normalisation=normalisation)
    plan_of(request, run=run, as_json=json)
