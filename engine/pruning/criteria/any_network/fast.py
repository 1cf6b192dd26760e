"""The KL of every block of any network, and of its units estimates that are made exact where they
are largest.

Shape legend: N items, B items of a chunk, U units, K classes, M classes that are followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure
from engine.pruning.criteria.any_network.exact import Exact, blocks_to_score, groups_to_score
from engine.pruning.criteria.any_network.fisher import fisher, places_of
from engine.pruning.criteria.any_network.gradients import (
    Readers,
    Tapped,
    chunk_size,
    differentiable,
)
from engine.pruning.criteria.estimates import (
    NUM_CLASSES_FOLLOWED,
    elsewhere,
    kl_of_changes,
    worth_exact,
)
from engine.pruning.criteria.sums import Sums
from engine.pruning.scores import Scores
from engine.runtime.attention import attention_in_the_open
from engine.runtime.progress import SILENT, Monitor
from engine.runtime.threads import in_parallel
from engine.tasks import Task

ESTIMATE_BYTES = 2**28  # of the estimates that wait to be made exact


def fast_scores(
    model: nn.Module,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
    *,
    crossing: bool = False,
) -> Scores:
    """The scores of `kl-fast`. Raises Cancelled.

    A group that is not read at inputs of modules has no gradients there: it is computed exactly.
    """
    groups = groups_to_score(structure, crossing)
    blocks = blocks_to_score(structure)
    sums = Sums((block.path for block in blocks), groups)
    with attention_in_the_open():
        exact = Exact(model, blocks, structure, groups, task, items_N, execution)
        readers = differentiable(exact)
        num_units = sum(len(of_group[0].ids_UI) for of_group in readers.values())
        at_a_time = max(1, ESTIMATE_BYTES // (4 * max(1, num_units)))
        for ids_N in torch.arange(len(items_N)).split(at_a_time):
            estimates = _estimates(exact, readers, ids_N, execution, monitor)
            wanted = {path: worth_exact(kl_NU) for path, kl_NU in estimates.items()}
            found = exact.sums_over(ids_N, wanted, monitor)
            for path, kl_NU in estimates.items():
                exact_U = found.units[path]
                found.units[path] = exact_U + elsewhere(kl_NU.double(), wanted[path], exact_U)
            sums.add(found)
    return sums.means()


def _estimates(
    exact: Exact, readers: Readers, ids_N: Tensor, execution: Execution, monitor: Monitor
) -> dict[str, Tensor]:
    """By group, the estimated KL of each unit on each item (N, U)."""
    found: dict[str, list[Tensor]] = {path: [] for path in readers}
    done, places_ND = 0, places_of(exact)

    def task(ids_B: Tensor) -> dict[str, Tensor]:
        monitor.check()
        with exact.copies.lent() as network:
            tapped = Tapped(network, exact.batch(ids_B), readers)
            if tapped.logits.dim() == 2:
                return _estimate(tapped)
            answers = list(fisher(tapped, places_ND[ids_B]))
        return {path: _halves([each[path] for each in answers]) for path in readers}

    def take(estimate: dict[str, Tensor]) -> None:
        nonlocal done
        for path, kl_BU in estimate.items():
            found[path].append(kl_BU)
            done_now = len(kl_BU)
        done += done_now
        monitor.step("estimating", done, len(ids_N))

    if readers:
        tasks = [partial(task, ids_B) for ids_B in ids_N.split(chunk_size(exact))]
        in_parallel(tasks, execution, take)
    return {path: torch.cat(parts) for path, parts in found.items()}


def _halves(twice_BU: Sequence[Tensor]) -> Tensor:
    return 0.5 * torch.stack(list(twice_BU)).sum(0).float()


def _estimate(tapped: Tapped) -> dict[str, Tensor]:
    logits_BK = tapped.logits
    num_followed = min(NUM_CLASSES_FOLLOWED, logits_BK.shape[1])
    top_BM = logits_BK.detach().topk(num_followed, 1).indices
    followed_BM = logits_BK.gather(1, top_BM)
    changes = [
        tapped.changes(followed_BM[:, rank] - followed_BM[:, 0], more=rank < num_followed - 1)
        for rank in range(1, num_followed)
    ]
    chances_BM = logits_BK.detach().double().softmax(1).gather(1, top_BM)[:, 1:]
    return {
        path: kl_of_changes(chances_BM, torch.stack([each[path] for each in changes], 2))
        for path in changes[0]
    }
