"""What a dialog is about to do, as a command for the shell."""

from __future__ import annotations

from collections.abc import Sequence

from engine.contracts.options import SettingValue, flag
from engine.contracts.references import is_task
from engine.contracts.requests import BranchRequest, CandidateRequest, RemoveBlocks, RemoveTogether
from engine.contracts.settings import Settings, value_of
from explorer.session.budget import Budget
from explorer.session.open_run import Request
from explorer.views.as_command import Command


def candidate_command(store: str, parent: str, request: CandidateRequest) -> Command:
    """Makes the candidate that is asked for. Raises ValueError where the command line has no words
    for it."""
    edit = request.edit
    if isinstance(edit, RemoveBlocks):
        if edit.blocks is None or len(edit.blocks) != 1:
            raise ValueError("the command line names one block at a time")
        words = ["--block", edit.blocks[0]]
    elif isinstance(edit, RemoveTogether):
        raise ValueError("the command line names no blocks and units together")
    else:
        words = [] if edit.count is None else ["--filters", str(edit.count)]
        words += [] if edit.allocation is None else ["--allocation", edit.allocation]
    if request.criterion is not None:
        words += ["--criterion", request.criterion]
    return Command(f"a candidate of {parent}", ("candidate", store, parent, *words))


def branch_command(store: str, node: str, request: BranchRequest) -> Command:
    """Grows on from a node. Raises ValueError where the command line has no words for it."""
    if not isinstance(request.take, str):
        raise ValueError("the command line takes layer, filter or both")
    words = ["--take", request.take, "--iterations", str(request.iterations)]
    return Command(f"branch from {node}", ("branch", store, node, *words))


def choose_command(store: str, parent: str, kept: Sequence[str]) -> Command:
    """Keeps candidates by their names."""
    return Command(f"decide at {parent}", ("decide", store, parent, *kept))


def alone_command(
    store: str, top: str, budget: Budget | None, *, everywhere: bool, until: str
) -> Command:
    """Lets the policy decide; `until` is the time as it was written. Raises ValueError for no
    budget: a shell has nobody who would be asked again."""
    if budget is None:
        raise ValueError("0 asks you again; there is no command for that")
    words = [] if everywhere else [top]
    for name, value in (
        ("--decisions", budget.decisions), ("--until", until.strip() or None),
        ("--target-macs", budget.target_macs), ("--max-drop", budget.max_drop),
    ):  # fmt: skip
        told = f"{value:g}" if isinstance(value, float) else str(value)
        words += [] if value is None else [name, told]
    words += ["--stop-at-close-calls"] if budget.stop_at_close_calls else []
    words += ["--everywhere"] if everywhere else []
    return Command("let the policy decide", ("alone", store, *words))


def begin_command(
    request: Request, store: str, settings: Settings, given: Sequence[str], preset: str | None
) -> Command:
    """Opens the explorer on a new run; `given` are the settings that were named or changed."""
    named: dict[str, object] = {
        "--store": store, "--arch": request.arch, "--weights": request.weights,
        "--output": request.output, "--task": request.task, "--preset": preset,
        "--protocol": None if request.protocol == Request.protocol else request.protocol,
        "--device": None if request.device == Request.device else request.device,
    }  # fmt: skip
    words = [request.model]
    for option, value in named.items():
        words += [] if value is None else [option, str(value)]
    words += [f"--allow-factory={each}" for each in request.allow_factory]
    for option, is_on in (
        ("--random-weights", request.random_weights), ("--trust-pickle", request.trust_pickle),
        ("--new-run", request.new_run),
    ):  # fmt: skip
        words += [option] if is_on else []
    for name in given:
        words += _setting(name, value_of(settings, name))
    return Command("begin", (*words, "--yes"))


def _setting(name: str, value: SettingValue) -> list[str]:
    if value is None or (name == "data" and is_task(str(value))):
        return []
    return [flag(name), str(value)]
