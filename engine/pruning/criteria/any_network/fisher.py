"""The KL of units of any network to second order, from a few backward passes.

Shape legend: N items, B items of a chunk, U units, K classes, D drawn answers of an item. "…" is
what an item's rows are along.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import torch
from torch import Tensor

from engine.contracts.networks import Execution
from engine.pruning.criteria.any_network.exact import Exact
from engine.pruning.criteria.any_network.gradients import Readers, Tapped, chunk_size
from engine.pruning.criteria.sums import summed_by_item
from engine.runtime.generators import generator
from engine.runtime.progress import Monitor
from engine.runtime.threads import in_parallel

NUM_DRAWN = 4  # answers of an item, each of which takes a backward pass
TEMPERATURE = 2.0  # of what they are drawn from: the rare answers of a sure network carry its KL


def fisher_sums(
    exact: Exact, readers: Readers, execution: Execution, monitor: Monitor
) -> dict[str, Tensor]:
    """By group, ½ E_y[(a · ∂log p(y) / ∂a)²] of each unit, summed over the items (U).

    a is what the unit gives to its readers, and y an answer of the network: all of them where there
    are few, else some that are drawn by a generator of their own. Raises Cancelled.
    """
    num_items, places_ND = len(exact.items_N), places_of(exact)
    sums = {
        path: torch.zeros(len(of_group[0].ids_UI), dtype=torch.float64)
        for path, of_group in readers.items()
    }
    done = 0

    def task(ids_B: Tensor) -> tuple[int, dict[str, Tensor]]:
        monitor.check()
        with exact.copies.lent() as network:
            tapped = Tapped(network, exact.batch(ids_B), readers)
            return len(ids_B), _summed(fisher(tapped, places_ND[ids_B]))

    def take(found: tuple[int, dict[str, Tensor]]) -> None:
        nonlocal done
        for path, sums_U in found[1].items():
            sums[path] += sums_U
        done += found[0]
        monitor.step("estimating", done, num_items)

    if readers:
        chunks = torch.arange(num_items).split(chunk_size(exact))
        in_parallel([partial(task, ids_B) for ids_B in chunks], execution, take)
    return sums


def places_of(exact: Exact) -> Tensor:
    """Where in the distribution of each row its answers are drawn (N, D, …)."""
    shape = (len(exact.items_N), NUM_DRAWN, *exact.few.targets.shape[1:])
    return torch.rand(shape, generator=generator("kl-fisher"))


def fisher(tapped: Tapped, places_BD: Tensor) -> Iterator[dict[str, Tensor]]:
    """By group, each unit's KL on each item to second order, twice (B, U): so much of it for each
    answer that is drawn."""
    log_p = tapped.logits.log_softmax(-1)
    is_one_row = log_p.dim() == 2
    answer = _answers if is_one_row else _answers_of_rows
    answers_BD, weights_BD = answer(log_p.detach().double(), places_BD)
    for d in range(answers_BD.shape[1]):
        chosen = log_p.gather(-1, answers_BD[:, d, ..., None])[..., 0]
        chosen_B = summed_by_item(chosen, tapped.targets)
        changes = tapped.changes(chosen_B, more=d < answers_BD.shape[1] - 1)
        weights_B1 = weights_BD[:, d : d + 1]
        yield {path: weights_B1 * each.double().square() for path, each in changes.items()}


def _summed(found: Iterable[dict[str, Tensor]]) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}
    for answer in found:
        for path, twice_BU in answer.items():
            sum_U = 0.5 * twice_BU.sum(0).cpu()
            sums[path] = sums[path] + sum_U if path in sums else sum_U
    return sums


def _answers(log_p_BK: Tensor, places_BD: Tensor) -> tuple[Tensor, Tensor]:
    """Answers of the network, and the weight of each, such that the weighted sum is the mean over
    its answers."""
    num_classes, num_drawn = log_p_BK.shape[1], places_BD.shape[1]
    if num_classes <= num_drawn:
        everything = torch.arange(num_classes, device=log_p_BK.device)
        return everything.expand(len(log_p_BK), -1), log_p_BK.exp()
    # Drawn flatter than the network answers, and weighted back; one from each part of the whole.
    log_q_BK = (log_p_BK / TEMPERATURE).log_softmax(1)
    parts_D = torch.arange(num_drawn, device=log_p_BK.device)
    quantiles_BD = (parts_D + places_BD.to(log_p_BK)) / num_drawn
    answers_BD = torch.searchsorted(log_q_BK.exp().cumsum(1), quantiles_BD)
    answers_BD.clamp_max_(num_classes - 1)
    return answers_BD, (log_p_BK - log_q_BK).gather(1, answers_BD).exp() / num_drawn


def _answers_of_rows(log_p: Tensor, places_BD: Tensor) -> tuple[Tensor, Tensor]:
    """Answers of the network to all rows of an item at once. What one row answers says nothing of
    another's, so that the square of the sum over rows has the sum of their squares for its mean."""
    steps = log_p.exp().cumsum(-1)  # (B, …, K)
    quantiles = places_BD.to(steps).movedim(1, -1).contiguous()
    answers = torch.searchsorted(steps, quantiles).clamp_max_(log_p.shape[-1] - 1).movedim(-1, 1)
    num_drawn = places_BD.shape[1]
    return answers, steps.new_full((len(log_p), num_drawn), 1 / num_drawn)
