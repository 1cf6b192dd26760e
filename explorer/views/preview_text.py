"""What a candidate would be, in two lines."""

from __future__ import annotations

from engine.contracts.preview import Previewed


def preview_lines(found: Previewed, items: str = "images") -> list[str]:
    """What goes of costs and size, and the accuracy before any recovery on so many `items`."""
    costs = [
        f"{_change(found.macs, found.parent_macs)} MACs",
        f"{_change(found.params, found.parent_params)} parameters",
        f"{found.num_bytes / 1e6:,.2f} MB ({_change(found.num_bytes, found.parent_bytes)})",
    ]
    lines = [" · ".join(costs)]
    if found.accuracy is not None and found.parent_accuracy is not None:
        lines.append(
            f"val acc {found.accuracy:.1f} before recovery, its parent's "
            f"{found.parent_accuracy:.1f} (of {found.num_items:,} {items})"
        )
    return lines


def _change(now: float, before: float) -> str:
    """`−9.8 %`."""
    if not before:
        return "–"
    share = f"{100 * (now / before - 1):+.1f} %"
    return share.replace("-", "−")
