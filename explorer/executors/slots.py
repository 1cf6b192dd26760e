"""Slots for so many jobs at a time, given in the order in which they were asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator


class Slots:
    """`size` slots, of which somebody takes one or more at once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @contextlib.asynccontextmanager
    async def taken(self, count: int) -> AsyncIterator[None]:
        """So many slots, waited for and given back; more than there are means all of them."""
        count = min(count, self.size)
        await self._enter(count)
        try:
            yield
        finally:
            self.give_back(count)

    def take_now(self, count: int) -> int:
        """Takes as many of these slots as are free at once, and says how many."""
        count = min(count, self.free)
        self.free -= count
        return count

    def give_back(self, count: int) -> None:
        """Gives slots back."""
        self.free += count
        self._admit()

    async def _enter(self, count: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((count, turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was let in at the same moment
                self.give_back(count)
            else:
                with contextlib.suppress(ValueError):  # passed over already
                    self._waiting.remove((count, turn))
                self._admit()
            raise

    def _admit(self) -> None:
        # Who wants much is not overtaken for ever by those who want little.
        while self._waiting and self._waiting[0][0] <= self.free:
            count, turn = self._waiting.popleft()
            if not turn.cancelled():
                self.free -= count
                turn.set_result(None)
