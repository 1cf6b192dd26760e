"""Options and arguments that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from engine.contracts.loaders import MOST_WORKERS, WORKERS_VARIABLE

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A checkpoint, a store (.db), 'sample', or a network: torchvision.models:NAME, "
        "timm:NAME, package.module:factory",
        show_default=False,
    ),
]


AnyModel = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it at run time
    typer.Argument(
        metavar="MODEL",
        help="A checkpoint, a store (.db), 'sample', or a network's name", show_default=False,
    ),
]  # fmt: skip


StoreFile = Annotated[Path, typer.Argument(metavar="STORE", help="A store (.db)")]


RunName = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it at run time
    typer.Option(
        "--run", metavar="RUN", help="A run by its number or name (pe-explore runs)  [default: the "
        "newest]", show_default=False,
    ),
]  # fmt: skip


NodeName = Annotated[str, typer.Argument(metavar="NODE", help="A node, such as R.L.F")]


Protocol = Annotated[str, typer.Option(help="default, or paper: the same as --preset paper")]


Preset = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        metavar="NAME",
        help="Settings that go together: quick, serious or paper (docs/settings.md)  [default: "
        "none; of the sample its own]",
    ),
]


Arch = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="Of a checkpoint: resnet56, torchvision.models:NAME, package.module:factory"),
]


Weights = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        help="MODEL's weights, where MODEL is a network's name: a file, or torchvision's name of "
        "them (IMAGENET1K_V2)"
    ),
]


RandomWeights = Annotated[
    bool, typer.Option("--random-weights", help="Begin with an untrained network of that name")
]


Output = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(metavar="KEY", help="Which of the network's several outputs are its class scores"),
]


Normalisation = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        metavar="NAME|MEAN:STD",
        help="How images are scaled for the network: imagenet, cifar10, data, … "
        "(docs/networks.md), or numbers  [default: what its file says, else tried]",
    ),
]


Task = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        metavar="REFERENCE",
        help="Data of another kind: a package.module:function that makes a task (docs/tasks.md)",
    ),
]


AllowFactory = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        metavar="REFERENCE",
        help="Call this package.module:function that a store names (code!); may be repeated",
    ),
]


TrustPickle = Annotated[
    bool, typer.Option("--trust-pickle", help="Open a checkpoint that can run code")
]


Store = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="Where to keep the tree  [default: MODEL.pex.db beside it]"),
]


def _for_workers(value: int | None) -> int | None:
    """Has the engine's processes know of it: it is about this machine, not about the run."""
    if value is not None:
        os.environ[WORKERS_VARIABLE] = str(value)
    return value


LoaderWorkers = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(
        help="Processes that decode streamed images; 0: none  [default: half of the cores]",
        envvar=WORKERS_VARIABLE, show_envvar=False, min=0, max=MOST_WORKERS,
        callback=_for_workers,
    ),
]  # fmt: skip


Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N")]


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object")]


Block = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it at run time
    typer.Option(help="Remove this block, such as layer2.1"),
]


Filters = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(help="Remove so many filters", min=1),
]


Allocation = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="Of the filters: uniform or global"),
]


NewRun = Annotated[
    bool,
    typer.Option("--new-run", help="Begin another run where the store has none begun so"),
]


DataPlace = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--data", metavar="PLACE", help="Where the run's images lie now, if they moved"),
]


Hours = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(help="Decide for so many hours at most; what has begun is finished"),
]


StopAtCloseCalls = Annotated[
    bool,
    typer.Option("--stop-at-close-calls", help="Leave the first decision that is too close to you"),
]


Background = Annotated[
    bool,
    typer.Option("--background", help="Go on in a process of its own (see pe-explore jobs)"),
]
