"""Work on several threads: the same bits as on one, in order, ended by the first error."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch
from networks import CPU, network, scored, small_data

from engine.contracts.errors import Cancelled
from engine.measures.accuracy import evaluate
from engine.pruning.criteria import kl_fast_scores, kl_scores
from engine.runtime.progress import Monitor
from engine.runtime.threads import WAITING, in_parallel
from engine.tasks import ImageTask

MODEL = {"stem_width": 6, "stage_widths": [6, 9], "inner_widths": [[5, 4], [7, 3]],
         "num_classes": 3}  # fmt: skip
THREE = replace(CPU, num_threads=3)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("criterion", [kl_scores, kl_fast_scores])
def test_scores_do_not_depend_on_the_threads(criterion):
    data = small_data(200)
    alone = scored(criterion, network(MODEL), data)
    assert scored(criterion, network(MODEL), data, THREE) == alone


def test_accuracy_and_features_do_not_depend_on_the_threads():
    data = small_data(600)
    alone = evaluate(network(MODEL), ImageTask(data), "train", CPU)
    several = evaluate(network(MODEL), ImageTask(data), "train", THREE)
    assert (several.accuracy, several.loss) == (alone.accuracy, alone.loss)
    assert torch.equal(several.features_MD, alone.features_MD)


def test_results_come_in_order_in_the_mode_of_the_caller():
    first_may_end = threading.Event()

    def first() -> tuple[int, bool]:
        assert first_may_end.wait(60)
        return 0, torch.is_inference_mode_enabled()

    def second() -> tuple[int, bool]:
        first_may_end.set()
        return 1, torch.is_inference_mode_enabled()

    taken: list[tuple[int, bool]] = []
    with torch.inference_mode():
        in_parallel([first, second], THREE, taken.append)
    assert taken == [(0, True), (1, True)]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_tasks_that_are_made_one_by_one_are_made_as_results_are_taken(threads):
    """Of batches that are read on the way, a few at most are held; results are in order."""
    made, taken = 0, []

    def tasks():
        nonlocal made
        for number in range(50):
            made += 1
            assert made - len(taken) <= threads + WAITING + 1
            yield lambda number=number: number

    in_parallel(tasks(), replace(CPU, num_threads=threads), taken.append)
    assert taken == list(range(50))


def test_an_error_in_making_a_task_ends_all():
    def tasks():
        yield lambda: 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_parallel(tasks(), THREE, lambda result: None)


def test_an_error_ends_what_has_not_begun_and_gives_the_threads_back():
    torch.set_num_threads(2)
    begun = []

    def failing() -> None:
        begun.append(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_parallel([failing] * 1000, THREE, lambda result: None)
    assert len(begun) < 1000 and torch.get_num_threads() == 2


def test_cancel_is_heard_on_every_thread():
    stop = threading.Event()
    data = small_data(200)
    before = threading.active_count()
    with pytest.raises(Cancelled):
        scored(
            kl_scores, network(MODEL), data, THREE, monitor=Monitor(lambda event: stop.set(), stop)
        )
    assert threading.active_count() == before
