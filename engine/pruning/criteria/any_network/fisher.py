"""The KL of units of any network to second order, from a few backward passes.

Shape legend: N images, B images of a chunk, U units, K classes, D drawn classes of an image.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from engine.contracts.networks import Execution
from engine.pruning.criteria.any_network.exact import Exact
from engine.pruning.criteria.any_network.gradients import Readers, Tapped, chunk_size
from engine.runtime.generators import generator
from engine.runtime.progress import Monitor
from engine.runtime.threads import in_parallel

NUM_DRAWN = 4  # classes of an image, each of which takes a backward pass
TEMPERATURE = 2.0  # of what they are drawn from: the rare answers of a sure network carry its KL


def fisher_sums(
    exact: Exact, readers: Readers, execution: Execution, monitor: Monitor
) -> dict[str, Tensor]:
    """By group, ½ E_y[(a · ∂log p(y) / ∂a)²] of each unit, summed over the images (U).

    a is what the unit gives to its readers, and y an answer of the network: all of them where there
    are few, else some that are drawn by a generator of their own. Raises Cancelled.
    """
    num_images = len(exact.images)
    places_ND = torch.rand((num_images, NUM_DRAWN), generator=generator("kl-fisher"))
    sums = {
        path: torch.zeros(len(of_group[0].ids_UI), dtype=torch.float64)
        for path, of_group in readers.items()
    }
    done = 0

    def task(ids_B: Tensor) -> tuple[int, dict[str, Tensor]]:
        monitor.check()
        with exact.copies.lent() as network:
            tapped = Tapped(network, exact.pixels(ids_B), readers)
            return len(ids_B), _fisher(tapped, places_ND[ids_B])

    def take(found: tuple[int, dict[str, Tensor]]) -> None:
        nonlocal done
        for path, sums_U in found[1].items():
            sums[path] += sums_U
        done += found[0]
        monitor.step("estimating", done, num_images)

    if readers:
        chunks = torch.arange(num_images).split(chunk_size(exact))
        in_parallel([partial(task, ids_B) for ids_B in chunks], execution, take)
    return sums


def _fisher(tapped: Tapped, places_BD: Tensor) -> dict[str, Tensor]:
    log_p_BK = tapped.logits_BK.log_softmax(1)
    answers_BD, weights_BD = _answers(log_p_BK.detach().double(), places_BD)
    sums: dict[str, Tensor] = {}
    for d in range(answers_BD.shape[1]):
        chosen_B = log_p_BK.gather(1, answers_BD[:, d : d + 1])[:, 0]
        changes = tapped.changes(chosen_B, more=d < answers_BD.shape[1] - 1)
        for path, change_BU in changes.items():
            halves_U = 0.5 * (weights_BD[:, d : d + 1] * change_BU.double().square()).sum(0).cpu()
            sums[path] = sums[path] + halves_U if path in sums else halves_U
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
