"""Which of the numbers that may shrink with a group really do: tried on the network itself.

A forward pass computes sizes of other sizes, so that a number that was named may follow by itself.
Fewest first, attributes before sizes; right is what gives every reader of the group's values the
same results as masking the units does. What was right for one module is taken for its likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import combinations, islice

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
    known: dict[Key, tuple[frozenset[Key], bool]] = field(default_factory=dict)

    def settle(self, groups: Sequence[UnitGroup]) -> list[UnitGroup | str]:
        """The groups with the numbers that shrink with them, or why they cannot be pruned."""
        candidates = [attribute_candidates(group, self.model) for group in groups]
        doubtful = [
            group
            for group, each in zip(groups, candidates, strict=True)
            if each and not group.sizes
        ]
        bare = set(self._without_rules(doubtful))
        return [
            self._settled(group, each)
            if group.sizes or (each and group.path not in bare)
            else group
            for group, each in zip(groups, candidates, strict=True)
        ]

    def _without_rules(self, groups: Sequence[UnitGroup]) -> list[str]:
        """Those of the groups that need none, tried together; an attribute that has a group's
        width by chance, or that nobody reads, is the rule."""
        if not groups:
            return []
        units = [_units_of(group) for group in groups]
        whole = outputs_at((), self.model, self.run)
        with ExitStack() as stack:
            without = self.model
            for group, gone in zip(groups, units, strict=True):
                without = stack.enter_context(masked(group, gone, without))
            wanted = outputs_at((), without, self.run)
        got = self._pruned(groups, units, ())
        if not isinstance(got, str) and _are_equal(got, wanted, whole):
            return [group.path for group in groups]
        if len(groups) < 8:
            return []
        half = len(groups) // 2
        return [*self._without_rules(groups[:half]), *self._without_rules(groups[half:])]

    def _settled(self, group: UnitGroup, candidates: tuple[AttributeRule, ...]) -> UnitGroup | str:
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
        units = _units_of(group)
        whole = outputs_at(readers, self.model, self.run)
        with masked(group, units, self.model) as without:
            wanted = outputs_at(readers, without, self.run)
        why = ""
        for attributes, sizes in islice(_choices(candidates, group.sizes), MOST_TRIES):
            tried = replace(group, attributes=attributes, sizes=sizes)
            got = self._pruned([tried], [units], readers)
            if isinstance(got, str):
                why = why or f"its forward pass has sizes of its own: {got}"
            elif _are_equal(got, wanted, whole):
                return self._with_fewest(tried, readers, wanted, whole)
            else:
                why = why or "its forward pass has numbers of its own, and computes something else"
        return why

    def _with_fewest(
        self, group: UnitGroup, readers: Sequence[str], wanted: list[Tensor], whole: list[Tensor]
    ) -> UnitGroup:
        """Without the attributes that nobody reads."""
        for rule in group.attributes if len(group.attributes) > 1 else ():
            fewer = replace(group, attributes=tuple(a for a in group.attributes if a != rule))
            got = self._pruned([fewer], [_units_of(group)], readers)
            if not isinstance(got, str) and _are_equal(got, wanted, whole):
                group = fewer
        return group

    def _pruned(
        self, groups: Sequence[UnitGroup], units: Sequence[tuple[int, ...]], readers: Sequence[str]
    ) -> list[Tensor] | str:
        """What readers give where those units are gone, or how that fails."""
        gone = tuple((group.path, each) for group, each in zip(groups, units, strict=True))
        try:
            edit = explicit(Edit("unit", units=gone), NetworkStructure(groups=tuple(groups)))
            return outputs_at(readers, carry_out(edit, self.model), self.run)
        except (*RAISED, EditError) as error:
            lines = str(error).splitlines() or [type(error).__name__]
            return lines[0][:120]


def _units_of(group: UnitGroup) -> tuple[int, ...]:
    return (0, group.num_units // 2) if group.num_units > 2 else (0,)


def _choices(candidates: Sequence[AttributeRule], sizes: tuple[SizeRule, ...]) -> Iterator[Choice]:
    """What may be tried, each once: attributes, then sizes, then both."""
    counts = tuple(each for each in candidates if each.per_unit == 1)
    singles = [(each,) for each in candidates]
    sets = [counts, *singles, tuple(candidates), *combinations(candidates, 2)]
    order: list[Choice] = [((), ()), (counts, ()), *((each, ()) for each in singles[:6])]
    order += [((), sizes)]
    order += [(chosen, with_sizes) for chosen in sets for with_sizes in (sizes, ())]
    yield from dict.fromkeys(order)


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
