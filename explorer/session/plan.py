"""What is still to be done in a tree and stands nowhere in its store: grants, and what was asked.

It lies as `plan.json` in the working folder beside the store, so that whoever works there next (a
process in the background, the app again, one after a crash) goes on with it. It may come from
anywhere, as a store does: it is read as input from outside, bounded and checked, and names nodes of
a tree, never code or files.

A store may hold several runs, and one is worked on at a time: `plan.json` is of that one, and those
of others wait beside it as `plan-NUMBER.json` until their runs are worked on again.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from engine.contracts.codec import FormatError, decode, encode
from engine.contracts.errors import UserError
from engine.contracts.files import write_text_atomically
from engine.contracts.requests import BranchRequest, CandidateRequest
from engine.contracts.working_folder import PLAN, read_own, remove_file, write_own
from explorer.session.allowance import Grant

VERSION = 1
_MOST_BYTES, _MOST = 2**20, 10_000
_LONGEST_NAME = 4_000  # characters, of a node


class PlanError(UserError):
    """A plan that cannot be followed; the tree is whole without it."""

    code = "plan"


@dataclass(frozen=True)
class AskedCandidate:
    """A further candidate that a person asked for and that is not proposed yet."""

    node: str
    request: CandidateRequest


@dataclass(frozen=True)
class AskedBranch:
    """A branch that a person asked for and that is not kept yet; `made` names candidates that are
    proposed for it."""

    node: str
    request: BranchRequest
    made: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Of a run (its `uuid`), as it stood at a line of its log: what came later is in the store, and
    is put in when the plan is taken up (`taking_up`)."""

    run: str
    event: int
    grants: tuple[Grant, ...] = ()
    growing: tuple[str, ...] = ()
    candidates: tuple[AskedCandidate, ...] = ()
    branches: tuple[AskedBranch, ...] = ()
    version: int = VERSION

    @property
    def names(self) -> tuple[str, ...]:
        """Every node that it names."""
        return (
            *(grant.top for grant in self.grants),
            *self.growing,
            *(each.node for each in self.candidates),
            *(each.node for each in self.branches),
            *(name for each in self.branches for name in each.made),
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to be done."""
        return not (self.grants or self.growing or self.candidates or self.branches)


def plan_path(spool: Path) -> Path:
    """Where the plan of a working folder lies."""
    return spool / PLAN


def waiting_path(spool: Path, run_id: int) -> Path:
    """Where the plan of a run waits while another one is worked on."""
    return spool / PLAN.replace(".", f"-{run_id}.")


def set_aside(spool: Path, owner: int) -> None:
    """Has the plan of a folder, which is of the run of this number, wait. Raises UserError."""
    write_own(waiting_path(spool, owner), lambda path: os.replace(plan_path(spool), path))


def fetch(spool: Path, run_id: int) -> None:
    """Puts the plan of a run, where one waits, in the folder's empty place. Raises UserError."""
    waits = waiting_path(spool, run_id)
    if os.path.lexists(waits) and not os.path.lexists(plan_path(spool)):
        write_own(plan_path(spool), lambda path: os.replace(waits, path))


def run_left(spool: Path) -> str | None:
    """The uuid of the run that a folder's plan is of; None without one that can be read."""
    try:
        plan = read_plan(spool)
    except PlanError:
        return None
    return None if plan is None else plan.run


def write_plan(spool: Path, plan: Plan) -> None:
    """Puts a plan in place of the one before; an empty one is none. Raises UserError."""
    if plan.is_empty:
        remove_plan(spool)
    else:
        text = json.dumps(encode(plan))
        write_own(plan_path(spool), lambda path: write_text_atomically(path, text))


def remove_plan(spool: Path) -> None:
    """Nothing is left to be done."""
    remove_file(plan_path(spool))


def read_plan(spool: Path) -> Plan | None:
    """The plan of a working folder, None where there is none. Raises PlanError."""
    path = plan_path(spool)
    try:
        document = json.loads(read_own(path, _MOST_BYTES))
        version = document.get("version") if isinstance(document, dict) else None
        if type(version) is int and version > VERSION:
            raise FormatError(f"it is of version {version}, and this pe-explore knows {VERSION}")
        plan = decode(Plan, document, "the plan")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except (ValueError, RecursionError, UserError) as error:  # a FormatError is a ValueError
        raise _unusable(path, error) from error
    _check(path, plan)
    return plan


def _check(path: Path, plan: Plan) -> None:
    parts = (plan.grants, plan.growing, plan.candidates, plan.branches)
    if max(map(len, parts)) > _MOST:
        raise _unusable(path, f"it names more than {_MOST:,} nodes")
    if any(len(name) > _LONGEST_NAME for name in plan.names):
        raise _unusable(path, "a name in it is too long for a node")


def _unusable(path: Path, why: object) -> PlanError:
    return PlanError(
        f"what was still to be done here cannot be read: {path}: {why}. The tree itself is whole: "
        "its unfinished work goes on, and what the policy may decide alone is to be said again"
    )
