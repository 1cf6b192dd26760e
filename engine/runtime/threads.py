"""Many small tasks on the threads of a CPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from engine.contracts.networks import Execution

MOST_AT_ONCE = 16  # each holds a pack of maps: all of them stay below a gigabyte
WAITING = 2  # tasks that are made before they are needed, where they are made one after the other

T = TypeVar("T")


def in_parallel(
    tasks: Iterable[Callable[[], T]], execution: Execution, take: Callable[[T], None]
) -> None:
    """Hands the result of each task to `take`, in their order; an error of any ends all.

    On a CPU as many run at a time as the execution has threads, each computing on its own thread
    alone: operations as small as these hardly gain from a second thread, and lose where threads
    wait passively (benchmarks/RESULTS.md). So results do not depend on the number of threads.

    Tasks that are not there yet are asked for one by one, as results are taken: of a data set that
    is read on the way only a few batches are ever held.
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
    most = len(tasks) if isinstance(tasks, Sized) else at_once + WAITING
    pool = ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(1,))
    running: deque[Future[T]] = deque()
    try:
        for task in tasks:
            running.append(pool.submit(run, task))
            if len(running) > most:
                take(running.popleft().result())
        while running:
            take(running.popleft().result())
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)
