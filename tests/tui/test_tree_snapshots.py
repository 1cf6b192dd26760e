"""Pictures of the tree in the app: few and many nodes, in every size."""

from __future__ import annotations

import pytest
from test_app_snapshots import album
from test_pareto_snapshots import sized
from trees import greedy_store

SIZES = ((80, 24), (120, 36), (200, 55), (300, 80))


@pytest.mark.parametrize("count", [9, 300])
def test_the_tree_in_every_size(tmp_path, count):
    store = tmp_path / "resnet56.pex.db"
    greedy_store(store, count)

    async def play(seat, take):
        await seat.press("end", "up")
        await seat.press("m")
        for width, height in SIZES:
            await sized(seat, width, height)
            await take(f"tree-{count}-{width}x{height}")

    album(tmp_path, play, model=store)
