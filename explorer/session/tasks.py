"""Named tasks of one event loop: started once, joined by many, cancelled by name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class TaskTable(Generic[K]):
    """Tasks by key. Each ends in True, or in False where `on_failure` was told why.

    It knows nothing of what its tasks do; whoever made the table says what a failure means.
    """

    def __init__(
        self,
        on_failure: Callable[[K, Exception], None],
        on_cancel: Callable[[K], None] = lambda key: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_change` hears of every task that begins or is over."""
        self._on_failure = on_failure
        self._on_cancel = on_cancel
        self._on_change = on_change
        self._tasks: dict[K, asyncio.Task[bool]] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._tasks

    def __iter__(self) -> Iterator[K]:
        return iter(list(self._tasks))

    def __bool__(self) -> bool:
        """Whether anything is under way."""
        return bool(self._tasks)

    def start(self, key: K, work: Callable[[], Awaitable[None]]) -> asyncio.Task[bool]:
        """The task of a key: the one under way, else a new one."""
        if key not in self._tasks:
            task = asyncio.ensure_future(self._guarded(key, work))
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._over(key))
            self._on_change()
        return self._tasks[key]

    def _over(self, key: K) -> None:
        self._tasks.pop(key, None)
        self._on_change()

    async def join(self, key: K, work: Callable[[], Awaitable[None]]) -> bool:
        """Waits for the task of a key, started if need be. Who is cancelled ends it for all."""
        task = self.start(key, work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def join_all(self, keys: dict[K, Callable[[], Awaitable[None]]]) -> None:
        """Waits for several tasks, however each of them ends."""
        tasks = [self.start(key, work) for key, work in keys.items()]
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise

    def cancel(self, key: K) -> bool:
        """Ends a task; False where there is none."""
        task = self._tasks.get(key)
        return task is not None and task.cancel()

    def cancel_where(self, wanted: Callable[[K], bool]) -> None:
        """Ends every task whose key is wanted."""
        for key, task in list(self._tasks.items()):
            if wanted(key):
                task.cancel()

    async def idle(self) -> None:
        """Returns once no task is left."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))
            await asyncio.sleep(0)  # for the tasks' callbacks

    async def stop(self) -> None:
        """Ends all tasks."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _guarded(self, key: K, work: Callable[[], Awaitable[None]]) -> bool:
        try:
            await work()
        except asyncio.CancelledError:
            self._on_cancel(key)
            raise
        except Exception as error:  # a task's failure is told, and ends nothing else
            self._on_failure(key, error)
            return False
        return True
