"""The mean cosine of what two networks make of the same row.

Shape legend: N rows, D features, R resamples.
"""

from __future__ import annotations

from torch import Tensor

from engine.contracts.errors import EngineError
from engine.measures.similarities.similarity import Comparison, centred, in_range, rows_of


def cosine(x_ND: Tensor, y_ND: Tensor, targets_N: Tensor | None = None) -> Comparison:
    """The mean over rows of the cosine between both representations of a row, each without its
    mean over all rows (also in a resample: of activations, which are positive, cosines are large
    by themselves). Below 0 is 0.

    Feature by feature, so the same representation in other axes is another one: right for a
    candidate, whose features are its parent's. Raises EngineError where widths differ.
    """
    if x_ND.shape[1] != y_ND.shape[1]:
        raise EngineError(
            f"--similarity cosine compares feature with feature, and here {x_ND.shape[1]} stand "
            f"against {y_ND.shape[1]}; use --units inner, which leaves the width of the "
            "representation, or --similarity procrustes or cka, for which widths may differ"
        )
    x_ND, y_ND = centred(x_ND).double(), centred(y_ND).double()
    lengths_N = x_ND.norm(dim=1) * y_ND.norm(dim=1)
    cosines_N = (x_ND * y_ND).sum(1) / lengths_N.where(lengths_N > 0, 1)

    def compare(weights_RN: Tensor | None) -> list[float]:
        weights_RN = rows_of(weights_RN, x_ND)
        means_R = weights_RN @ cosines_N / weights_RN.sum(1).clamp(min=1)
        return [in_range(mean) for mean in means_R]

    return compare
