"""Which of the numbers that may shrink with a group really do: tried on the network itself.

A forward pass computes sizes of other sizes, so that a number that was named may follow by itself.
Fewest first, attributes before sizes; right is what gives every reader of the group's values the
same results as masking the units does. What was right for one module is taken for its likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from engine.contracts.edits import Edit
from engine.contracts.errors import EditError
from engine.contracts.structure import AttributeRule, NetworkStructure, SizeRule, UnitGroup
from engine.pruning.explicit import explicit
from engine.pruning.structure.labels.attributes import attribute_candidates, owner_of
from engine.pruning.structure.labels.masking import masked
from engine.pruning.surgery import carry_out

Run = Callable[[nn.Module], object]
Key = tuple[object, ...]
Choice = tuple[tuple[AttributeRule, ...], tuple[SizeRule, ...]]
MOST_TRIES = 24
RAISED = (  # by forward passes whose sizes do not fit
    RuntimeError,
    TypeError,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    NotImplementedError,
    AssertionError,
    ZeroDivisionError,
)


@dataclass
class Trials:
    """Tries on one network, and what they have told so far."""

    model: nn.Module
    run: Run
    known: dict[Key, tuple[frozenset[Key], bool] | None] = field(default_factory=dict)

    def settled(self, group: UnitGroup) -> UnitGroup | str:
        """The group with the numbers that shrink with it, or why it cannot be pruned."""
        candidates = attribute_candidates(group, self.model)
        if not candidates and not group.sizes:
            return group
        key = self._key(group, candidates)
        if (known := self.known.get(key)) is not None:
            names, with_sizes = known
            chosen = tuple(c for c in candidates if self._name(c, group) in names)
            return replace(group, attributes=chosen, sizes=group.sizes if with_sizes else ())
        result = self._try(group, candidates)
        if isinstance(result, UnitGroup):
            names = frozenset(self._name(rule, group) for rule in result.attributes)
            self.known[key] = names, bool(result.sizes)
        return result

    def _key(self, group: UnitGroup, candidates: Sequence[AttributeRule]) -> Key:
        owner = owner_of(group)
        calls = tuple((s.module[len(owner) :], s.call, s.position) for s in group.sizes)
        names = tuple(self._name(each, group) for each in candidates)
        return type(self.model.get_submodule(owner)), group.kind, names, calls

    def _name(self, rule: AttributeRule, group: UnitGroup) -> Key:
        return rule.module[len(owner_of(group)) :], rule.name, rule.position

    def _try(self, group: UnitGroup, candidates: Sequence[AttributeRule]) -> UnitGroup | str:
        readers = list(dict.fromkeys(c.module for c in group.consumers))
        units = (0, group.num_units // 2) if group.num_units > 2 else (0,)
        whole = outputs_at(readers, self.model, self.run)
        with masked(group, units, self.model) as without:
            wanted = outputs_at(readers, without, self.run)
        why = ""
        for number, (attributes, sizes) in enumerate(_choices(candidates, group.sizes)):
            if number >= MOST_TRIES:
                break
            tried = replace(group, attributes=attributes, sizes=sizes)
            try:
                edit = Edit(group.kind, units=((group.path, units),))
                edit = explicit(edit, NetworkStructure(groups=(tried,)))
                got = outputs_at(readers, carry_out(edit, self.model), self.run)
            except (*RAISED, EditError) as error:
                why = why or f"its forward pass has sizes of its own: {_brief(error)}"
                continue
            if _are_equal(got, wanted, whole):
                return tried
            why = why or "its forward pass has numbers of its own, and computes something else"
        return why


def _choices(candidates: Sequence[AttributeRule], sizes: tuple[SizeRule, ...]) -> Iterator[Choice]:
    counts = tuple(each for each in candidates if each.per_unit == 1)
    sets = [(), counts, *((each,) for each in candidates), tuple(candidates)]
    pairs = list(combinations(candidates, 2))
    seen: set[Choice] = set()
    order: list[Choice] = [((), ()), (counts, ()), ((), sizes), (counts, sizes)]
    order += [(chosen, with_sizes) for chosen in sets for with_sizes in ((), sizes)]
    order += [(pair, with_sizes) for pair in pairs for with_sizes in ((), sizes)]
    for choice in order:
        if choice not in seen:
            seen.add(choice)
            yield choice


def outputs_at(paths: Sequence[str], model: nn.Module, run: Run) -> list[Tensor]:
    """What modules give in one forward pass; what the network gives where they give no tensor."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, args: object, out: object) -> None:
        if isinstance(out, Tensor):
            kept.append(out.detach())

    with ExitStack() as stack, torch.no_grad():
        for path in paths:
            handle = model.get_submodule(path).register_forward_hook(keep)
            stack.callback(handle.remove)
        out = run(model)
    return kept or [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]


def _are_equal(got: list[Tensor], wanted: list[Tensor], whole: list[Tensor]) -> bool:
    if [each.shape for each in got] != [each.shape for each in wanted]:
        return False
    for a, b, before in zip(got, wanted, whole, strict=True):
        if not a.is_floating_point():
            continue
        error = float((a - b).abs().max())
        effect = float((before - b).abs().max()) if before.shape == b.shape else 0.0
        if not (error <= 1e-4 * float(b.abs().max()) and error <= max(1e-2 * effect, 1e-7)):
            return False
    return True


def _brief(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0][:120]
