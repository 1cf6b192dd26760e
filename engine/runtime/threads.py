"""Many small tasks on the threads of a CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from engine.contracts.networks import Execution

MOST_AT_ONCE = 16  # each holds a pack of maps: all of them stay below a gigabyte

T = TypeVar("T")


def in_parallel(
    tasks: Sequence[Callable[[], T]], execution: Execution, take: Callable[[T], None]
) -> None:
    """Hands the result of each task to `take`, in their order; an error of any ends all.

    On a CPU as many run at a time as the execution has threads, each computing on its own thread
    alone: operations as small as these hardly gain from a second thread, and lose where threads
    wait passively (benchmarks/RESULTS.md). So results do not depend on the number of threads.
    """
    if execution.device != "cpu" or execution.num_threads == 1:
        for task in tasks:
            take(task())
        return
    inference, before = torch.is_inference_mode_enabled(), torch.get_num_threads()

    def run(task: Callable[[], T]) -> T:
        with torch.inference_mode(inference):  # a mode of the thread
            return task()

    at_once = min(execution.num_threads, MOST_AT_ONCE)
    pool = ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(1,))
    try:
        for result in pool.map(run, tasks):
            take(result)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)
