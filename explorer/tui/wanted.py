"""What a person wants that is more than a key's own effect: something else to be opened."""

from __future__ import annotations

from textual.message import Message


class OtherWanted(Message):
    """A person wants another run of the store that is open (by its number or uuid), or another
    store."""

    def __init__(self, *, run: str | None = None, store: str | None = None) -> None:
        super().__init__()
        self.run, self.store = run, store
