"""The table of the zoo in docs/networks.md, made from benchmarks/zoo.json.

`python tests/zoo/zoo_table.py` writes it anew.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from zoo_networks import all_entries
from zoo_results import Found, Saving, read

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
BEGIN, END = "<!-- zoo: made by tests/zoo/zoo_table.py -->", "<!-- end of zoo -->"
LIBRARIES = {"torchvision.models": "torchvision", "timm": "timm", "transformers": "Hugging Face"}
HEAD = ("network", "pixels", "blocks", "groups", "units", "left out", "s", "layer saves",
        "units save")  # fmt: skip
# What every network has: its output. What most Transformers have: the stream, under a norm.
SHORT = {
    "the network's output": "",
    "all of it goes together: a norm runs over them": "stream under a norm",
    "the network does not run without it": "does not run without it",
    "the network does not run without some of it": "does not run without some",
    "its forward pass has sizes of its own": "sizes of its own",
    "without some of it the network is off": "not equal when pruned",
}


def table(found: Mapping[str, Found]) -> str:
    lines = [summary(found.values()), ""]
    for library, name in LIBRARIES.items():
        of_it = [each for each in found.values() if each.library == library]
        lines += [f"### {name}", "", row(HEAD), row("---" for _ in HEAD)]
        lines += [row(cells(each)) for each in of_it]
        lines.append("")
    return "\n".join(lines).strip()


def summary(found: Iterable[Found]) -> str:
    """How many of how many: of those that `make zoo` does, some may not have been done yet."""
    found = list(found)
    in_all = Counter(entry.library for entry in all_entries())
    right = [each for each in found if not each.problem and not each.refused]
    layer = sum(each.layer is not None for each in right)
    units = sum(each.unit is not None for each in right)
    refused = sum(bool(each.refused) for each in found)
    wrong = sum(bool(each.problem) for each in found)
    counts = ", ".join(
        f"{sum(each.library == library for each in found)} of {in_all[library]} of {name}"
        for library, name in LIBRARIES.items()
    )
    return (
        f"{len(found)} networks were tried ({counts}): {len(right)} can be explored, "
        f"{layer} by layers and {units} by units; {refused} are refused with a reason, "
        f"{wrong} fail."
    )


def cells(found: Found) -> list[str]:
    if found.refused or found.problem:
        why = found.refused or f"**fails**: {found.problem}"
        size = str(found.size or "")
        return [f"`{found.name}`", size, "", "", "", why.replace("|", "/")[:200], "", "", ""]
    blocks = str(found.blocks)
    if found.removable != found.blocks:
        blocks = f"{found.removable} of {found.blocks}"
    if found.parts:
        blocks += f" ({found.parts} parts)"
    groups = ", ".join(f"{count} {kind}" for kind, count in found.groups.items())
    return [
        f"`{found.name}`",
        str(found.size),
        blocks,
        groups,
        f"{found.units:,}",
        left_out(found),
        f"{found.seconds:.1f}",
        saving(found.layer, with_name=True),
        saving(found.unit),
    ]


def left_out(found: Found) -> str:
    told = [(SHORT.get(why, why), count) for why, count in found.left_out.items()]
    return "; ".join(f"{count} {why}" for why, count in told if why).replace("|", "/")


def saving(saved: Saving | None, with_name: bool = False) -> str:
    if saved is None:
        return "none"
    what = f"`{saved.what}`" if with_name else saved.what
    return f"{what}: {saved.macs:.1%}"


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def page_with(text: str, made: str) -> str:
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{rest.split(END)[1]}"


def update_page() -> None:
    PAGE.write_text(page_with(PAGE.read_text(), table(read())))


if __name__ == "__main__":
    update_page()
