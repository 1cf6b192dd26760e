"""A study's table in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from explorer.views.runs import Spread
from explorer.views.study.statistics import Difference
from explorer.views.study.table import StudyTold, WayRow


def headings(found: StudyTold) -> Sequence[str]:
    """What stands above the columns."""
    than = f"− {found.against}" if found.against else ""
    return (
        "way", "seeds", "test %", f"{than} [95 %]", "val %", f"{than} [95 %]", "MACs left %",
        "steps", "epochs", "in all", "note",
    )  # fmt: skip


def row_cells(row: WayRow) -> Sequence[str]:
    """A row of it."""
    measures, differences = row.measures, row.differences
    return (
        row.way,
        str(len(row.seeds)),
        spread_text(measures.get("test_accuracy")),
        difference_text(differences.get("test_accuracy")),
        spread_text(measures.get("val_accuracy")),
        difference_text(differences.get("val_accuracy")),
        spread_text(measures.get("macs_left"), 1),
        spread_text(row.decisions, 0),
        spread_text(row.epochs, 0),
        spread_text(row.epochs_in_all, 0),
        row.why_not or "",
    )


def spread_text(spread: Spread | None, digits: int = 2) -> str:
    """`88.40 ± 0.31`."""
    if spread is None:
        return "–"
    text = f"{spread.mean:.{digits}f}"
    return text if not spread.deviation else f"{text} ± {spread.deviation:.{max(digits, 1)}f}"


def difference_text(difference: Difference | None) -> str:
    """`-0.42 [-0.81, -0.03]`."""
    if difference is None:
        return ""
    text = f"{difference.mean:+.2f}"
    if difference.low is None or difference.high is None:
        return text
    return f"{text} [{difference.low:+.2f}, {difference.high:+.2f}]"


def sentences(found: StudyTold) -> Iterator[str]:
    """What is to be known with the table, and what it says."""
    root = found.root
    known = (("validation", "val_accuracy"), ("test", "test_accuracy"))
    accuracies = ", ".join(f"{root[key]:.2f} % {name}" for name, key in known if key in root)
    yield f"root as it was: {accuracies}"
    yield (
        "± is the standard deviation over seeds; differences are paired by seed, with Student's "
        "95 % interval, each on its own. Decided on validation images, told on test images."
    )
    clear = [row.way for row in found.rows if _is_clear(row.differences.get("test_accuracy"))]
    compared = [row for row in found.rows if "test_accuracy" in row.differences]
    if compared and found.against:
        told = ", ".join(clear) if clear else "none"
        yield f"differs from {found.against} in test accuracy beyond its interval: {told}"


def _is_clear(difference: Difference | None) -> bool:
    if difference is None or difference.low is None or difference.high is None:
        return False
    return not difference.low <= 0 <= difference.high
