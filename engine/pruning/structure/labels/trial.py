"""Which of the numbers that may shrink with a group really do: tried on the network itself.

A forward pass computes sizes of other sizes, so that a number that was named may follow by itself.
Fewest first, attributes before sizes; right is what gives every reader of the group's values the
same results as masking the units does. It is tried in the innermost module that holds all of the
group, on what that module gets. What was right for one module is taken for its likes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from engine.pruning.structure.labels.homes import Calls, Home, Homes, Run
from engine.pruning.structure.labels.masking import masked
from engine.pruning.structure.places import within
from engine.pruning.structure.recording import NETWORK_ERRORS
from engine.pruning.surgery import carry_out

Key = tuple[object, ...]
Choice = tuple[tuple[AttributeRule, ...], tuple[SizeRule, ...]]
MOST_TRIES = 24
MOST_FAILURES = 2  # of likes, until the others are not tried any more


@dataclass
class Trials:
    """Tries on one network, and what they have told so far."""

    model: nn.Module
    run: Run
    calls: Calls  # of a forward pass
    known: dict[Key, tuple[frozenset[Key], bool]] = field(default_factory=dict)
    failed: dict[Key, list[str]] = field(default_factory=dict)

    def settle(self, groups: Sequence[UnitGroup]) -> Iterator[UnitGroup | str]:
        """One after the other the groups, with the numbers that shrink with them, or why they
        cannot be pruned."""
        candidates = [attribute_candidates(group, self.model) for group in groups]
        first_of: dict[Key, UnitGroup] = {}
        for group, each in zip(groups, candidates, strict=True):
            if each or group.sizes:
                first_of.setdefault(self._key(group, each), replace(group, attributes=each))
        homes = Homes(self.model, self.run, first_of.values(), self.calls)
        for group, each in zip(groups, candidates, strict=True):
            yield self._settled(group, each, homes) if each or group.sizes else group

    def _settled(
        self, group: UnitGroup, candidates: tuple[AttributeRule, ...], homes: Homes
    ) -> UnitGroup | str:
        key = self._key(group, candidates)
        if (known := self.known.get(key)) is not None:
            names, with_sizes = known
            chosen = tuple(c for c in candidates if self._name(c, group) in names)
            return replace(group, attributes=chosen, sizes=group.sizes if with_sizes else ())
        if len(failed := self.failed.setdefault(key, [])) >= MOST_FAILURES:
            return failed[0]
        result = self._try(group, candidates, homes.of(replace(group, attributes=candidates)))
        if isinstance(result, UnitGroup):
            names = frozenset(self._name(rule, group) for rule in result.attributes)
            self.known[key] = names, bool(result.sizes)
        else:
            failed.append(result)
        return result

    def _key(self, group: UnitGroup, candidates: Sequence[AttributeRule]) -> Key:
        owner = owner_of(group)
        calls = tuple((s.module[len(owner) :], s.call, s.position) for s in group.sizes)
        names = tuple(self._name(each, group) for each in candidates)
        return type(self.model.get_submodule(owner)), group.kind, names, calls

    def _name(self, rule: AttributeRule, group: UnitGroup) -> Key:
        return rule.module[len(owner_of(group)) :], rule.name, rule.position

    def _try(
        self, group: UnitGroup, candidates: Sequence[AttributeRule], home: Home
    ) -> UnitGroup | str:
        trial = _Trial(group, home)
        why = ""
        for attributes, sizes in islice(_choices(candidates, group.sizes), MOST_TRIES):
            tried = replace(group, attributes=attributes, sizes=sizes)
            result = trial.why_not(tried)
            if not result:
                return trial.with_fewest(tried)
            why = why or result
        return why


class _Trial:
    """One group without some of its units, in its home."""

    def __init__(self, group: UnitGroup, home: Home) -> None:
        self._home = home
        inside = within(group, home.path)
        self._readers = _readers(inside)
        self._units = (0, group.num_units // 2) if group.num_units > 2 else (0,)
        self._whole = outputs_at(self._readers, home.module, home)
        with masked(inside, self._units, home.module) as without:
            self._wanted = outputs_at(self._readers, without, home)

    def why_not(self, group: UnitGroup) -> str:
        """Why the group cannot be pruned with its numbers; empty where it can."""
        inside = within(group, self._home.path)
        structure = NetworkStructure(groups=(inside,))
        try:
            edit = explicit(Edit("unit", units=((inside.path, self._units),)), structure)
            pruned = carry_out(edit, self._home.module, share=True)
            got = outputs_at(self._readers, pruned, self._home)
        except (*NETWORK_ERRORS, EditError) as error:
            lines = str(error).splitlines() or [type(error).__name__]
            return f"its forward pass has sizes of its own: {lines[0][:120]}"
        if _are_equal(got, self._wanted, self._whole):
            return ""
        return "its forward pass has numbers of its own, and computes something else"

    def with_fewest(self, group: UnitGroup) -> UnitGroup:
        """Without the attributes that nobody reads."""
        for rule in group.attributes if len(group.attributes) > 1 else ():
            fewer = replace(group, attributes=tuple(a for a in group.attributes if a != rule))
            if not self.why_not(fewer):
                group = fewer
        return group


def _choices(candidates: Sequence[AttributeRule], sizes: tuple[SizeRule, ...]) -> Iterator[Choice]:
    """What may be tried, each once: attributes, then sizes, then both."""
    counts = tuple(each for each in candidates if each.per_unit == 1)
    singles = [(each,) for each in candidates]
    sets = [counts, *singles, tuple(candidates), *combinations(candidates, 2)]
    order: list[Choice] = [((), ()), (counts, ()), *((each, ()) for each in singles[:6])]
    order += [((), sizes)]
    order += [(chosen, with_sizes) for chosen in sets for with_sizes in (sizes, ())]
    yield from dict.fromkeys(order)


def _readers(group: UnitGroup) -> list[str]:
    """The modules that read a group's values, without those that make some of them too: what these
    give is smaller than what they gave."""
    read = {(each.tensor, each.axis) for each in group.consumers}
    made = {each.tensor for each in group.members if (each.tensor, each.axis) not in read}
    of_makers = {tensor.rpartition(".")[0] for tensor in made}
    return [
        path for path in dict.fromkeys(c.module for c in group.consumers) if path not in of_makers
    ]


def outputs_at(paths: Sequence[str], module: nn.Module, home: Home) -> list[Tensor]:
    """What modules give in one forward pass; what the home gives where none gives a tensor."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, args: object, out: object) -> None:
        if isinstance(out, Tensor):
            kept.append(out.detach())

    with ExitStack() as stack, torch.no_grad():
        for path in paths:
            handle = module.get_submodule(path).register_forward_hook(keep)
            stack.callback(handle.remove)
        out = home.run(module)
    return kept or [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]


def _are_equal(got: list[Tensor], wanted: list[Tensor], whole: list[Tensor]) -> bool:
    """Whether pruned is masked, but for rounding."""
    if len(got) != len(wanted):
        return False
    for a, b, before in zip(got, wanted, whole, strict=True):
        if a.shape != b.shape:
            return False
        if not a.is_floating_point():
            continue
        error, scale = float((a - b).abs().max()), float(b.abs().max())
        effect = float((before - b).abs().max()) if before.shape == b.shape else 0.0
        if not error <= min(1e-4 * scale, max(1e-2 * effect, 2e-6 * scale)):
            return False
    return True
