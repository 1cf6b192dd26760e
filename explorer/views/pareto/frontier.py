"""Who is on a frontier: those that nobody beats on both axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.contracts.metrics import Better

Place = tuple[float, float]


def frontier(places: Sequence[Place], x_better: Better, y_better: Better) -> list[int]:
    """The numbers of the points that no other one equals or beats on both axes, by their x.

    Of equal points the first stands for all. None where an axis has no better way.
    """
    if "neither" in (x_better, y_better):
        return []
    right, up = (1 if better == "higher" else -1 for better in (x_better, y_better))
    order = sorted(range(len(places)), key=lambda i: (-right * places[i][0], -up * places[i][1], i))
    found, highest = [], float("-inf")
    for number in order:
        height = up * places[number][1]
        if height > highest:
            found.append(number)
            highest = height
    return found[::-1] if right > 0 else found


def steps(places: Iterable[Place], x_better: Better) -> list[Place]:
    """The corners of the line that a frontier is: what can be had at each x.

    Between two points there is nothing that was measured, so it falls in steps: to the better side
    of a point its height is not reached.
    """
    corners: list[Place] = []
    for x, y in places:
        if corners:
            last_x, last_y = corners[-1]
            corners.append((last_x, y) if x_better == "higher" else (x, last_y))
        corners.append((x, y))
    return corners
