"""The integer program of a plan, solved by HiGHS.

Of each group a variable for each step (0 or 1, its summed importance the price), of each block one
that takes the steps of its groups away. Products of units of two groups are linear again by the
bits of one of them: z ≥ k - most · (1 - bit), z ≤ k, z ≤ most · bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from engine.pruning.fitting.choices import Choices
from engine.pruning.fitting.tables import Pair, Table

PRICE_OF_ALL = 1e5  # HiGHS stops at 1e-6 of the best
Terms = dict[int, float]


@dataclass(frozen=True)
class Chosen:
    """Blocks that go, steps of groups that do, and the least importance that any choice loses."""

    blocks: frozenset[str]
    steps: Mapping[str, int]
    bound: float


class Program:
    """The choices of a network, for any number of budgets."""

    def __init__(self, choices: Choices, tables: Mapping[str, Table]) -> None:
        self._choices, self._tables = choices, tables
        self._prices: list[float] = []
        self._highest: list[float] = []
        self._whole: list[bool] = []
        self._rows: list[tuple[Terms, float, float]] = []
        self._blocks = {b.path: self._variable(b.importance) for b in choices.blocks}
        self._steps = {
            g.path: [self._variable(after - before) for before, after in pairwise(g.lost)]
            for g in choices.groups
        }
        self._gone: dict[str, Terms] = {
            g.path: {
                v: float(after - before)
                for v, (before, after) in zip(self._steps[g.path], pairwise(g.gone), strict=True)
            }
            for g in choices.groups
        }
        self._add_order()
        self._products = {
            pair: self._product(*pair)
            for pair in dict.fromkeys(pair for table in tables.values() for pair in table.pairs)
        }

    def _variable(self, price: float = 0.0, highest: float = 1.0, whole: bool = True) -> int:
        self._prices.append(price)
        self._highest.append(highest)
        self._whole.append(whole)
        return len(self._prices) - 1

    def _add_order(self) -> None:
        for stage, most in self._choices.most_of_stage.items():
            of_it = [self._blocks[b.path] for b in self._choices.blocks if b.stage == stage]
            self._rows.append(({v: 1.0 for v in of_it}, 0, most))
        for group in self._choices.groups:
            steps = self._steps[group.path]
            if group.block is not None:
                block = self._blocks[group.block]
                self._rows += [({step: 1.0, block: 1.0}, -math.inf, 1) for step in steps]
            self._rows += [({b: 1.0, a: -1.0}, -math.inf, 0) for a, b in pairwise(steps)]

    def _product(self, a: str, b: str) -> Terms:
        """Terms whose sum is the product of the units of two groups that are gone."""
        gone, most_a = self._gone[b], sum(self._gone[a].values())
        most = sum(gone.values())
        bits = [self._variable() for _ in range(int(most_a).bit_length())]
        value = {bit: float(2**i) for i, bit in enumerate(bits)}
        self._rows.append((_less(self._gone[a], value), 0, 0))
        terms: Terms = {}
        for i, bit in enumerate(bits):
            z = self._variable(highest=most, whole=False)
            self._rows.append((_less({z: 1.0, bit: -most}, gone), -most, math.inf))
            self._rows.append((_less({z: 1.0}, gone), -math.inf, 0))
            self._rows.append(({z: 1.0, bit: -most}, -math.inf, 0))
            terms[z] = float(2**i)
        return terms

    def _saved(self, table: Table) -> Terms:
        terms: Terms = {self._blocks[path]: float(each) for path, each in table.blocks.items()}
        for path, each in table.units.items():
            for v, count in self._gone[path].items():
                terms[v] = terms.get(v, 0.0) + each * count
        for pair, each in table.pairs.items():
            for z, count in self._products[pair].items():
                terms[z] = terms.get(z, 0.0) - each * count
        return terms

    def best(self, limits: Mapping[str, int], seconds: float) -> Chosen | None:
        """The choice of least importance whose costs are within limits, by table name; None where
        there is none, or none was found in time."""
        rows = list(self._rows)
        for name, limit in limits.items():
            terms = self._saved(self._tables[name])
            unit = math.gcd(*(round(abs(each)) for each in terms.values())) or 1
            least = math.ceil((self._tables[name].whole - limit) / unit)
            rows.append(({v: each / unit for v, each in terms.items()}, least, math.inf))
        return self._solved(np.asarray(self._prices), rows, seconds)

    def smallest(self, name: str, seconds: float) -> Chosen | None:
        """The choice that costs least by a table."""
        prices = np.zeros(len(self._prices))
        for v, each in self._saved(self._tables[name]).items():
            prices[v] = -each
        return self._solved(prices, self._rows, seconds)

    def _solved(
        self, prices: NDArray[np.float64], rows: list[tuple[Terms, float, float]], seconds: float
    ) -> Chosen | None:
        scale = PRICE_OF_ALL / (np.abs(prices).sum() or 1.0)
        found = milp(
            prices * scale,
            integrality=np.asarray(self._whole, np.int64),
            bounds=Bounds(0, np.asarray(self._highest)),
            constraints=_constraints(rows, len(prices)) if rows else None,
            options={"mip_rel_gap": 0.0, "time_limit": seconds},
        )
        if found.x is None:
            return None
        on = found.x > 0.5
        return Chosen(
            frozenset(path for path, v in self._blocks.items() if on[v]),
            {path: int(on[steps].sum()) for path, steps in self._steps.items() if on[steps].any()},
            float(found.fun if found.mip_dual_bound is None else found.mip_dual_bound) / scale,
        )


def _less(terms: Terms, others: Terms) -> Terms:
    found = dict(terms)
    for v, each in others.items():
        found[v] = found.get(v, 0.0) - each
    return found


def _constraints(rows: list[tuple[Terms, float, float]], num: int) -> LinearConstraint:
    data = np.fromiter((each for terms, _, _ in rows for each in terms.values()), np.float64)
    columns = np.fromiter((v for terms, _, _ in rows for v in terms), np.int64)
    ends = np.cumsum([0, *(len(terms) for terms, _, _ in rows)])
    matrix = csr_array((data, columns, ends), shape=(len(rows), num))
    return LinearConstraint(matrix, [low for _, low, _ in rows], [high for _, _, high in rows])


__all__ = ["Chosen", "Pair", "Program"]
