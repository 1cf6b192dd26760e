"""How alike two representations are. `engine.measures.similarities` measures it."""

from __future__ import annotations

from typing import NamedTuple

from engine.contracts.methods.method import Method, by_name

SIMILARITIES = by_name((
    Method("cka", "Linear centred kernel alignment", "Kornblith et al. (2019); the paper, Eq. 1-2"),
    Method("cka-debiased", "The same without the bias that few rows for the width bring",
           "Song et al. (2012), Eq. 5; Murphy et al. (2024)"),
    Method("cka-rbf", "Centred kernel alignment with a Gaussian kernel as wide as the median "
           "distance", "Kornblith et al. (2019), section 4"),
    Method("cosine", "The mean cosine of both representations of a row, feature by feature",
           "Men et al. (2024), centred here", "candidates as wide as their parent where measured"),
    Method("procrustes", "The angle between both representations once one is rotated onto the "
           "other", "Williams et al. (2021), Eq. 4 and 9; Linear in the paper's Table IV"),
    Method("gaussian-stochastic", "How the rows of each class spread, once one is rotated onto the "
           "other", "Duong et al. (2023), Eq. 11 without means; the paper, Table IV"),
    Method("wasserstein", "The same with the means of the classes: 2-Wasserstein distances of "
           "Gaussians", "Duong et al. (2023), Eq. 8-9; the paper, Table IV"),
))  # fmt: skip


class Called(NamedTuple):
    """What a figure of a measure is called: in a sentence or at the head of a column, and where
    there is room for four letters."""

    title: str
    short: str


_CALLED = {
    "cka": Called("CKA", "CKA"),
    "cka-debiased": Called("debiased CKA", "dCKA"),
    "cka-rbf": Called("RBF CKA", "rCKA"),
    "cosine": Called("cosine", "cos"),
    "procrustes": Called("Procrustes", "Proc"),
    "gaussian-stochastic": Called("Gaussian shape", "Gaus"),
    "wasserstein": Called("Wasserstein shape", "Wass"),
}


def called(similarity: str) -> Called:
    """What its figures are called; one that nobody described by its name."""
    return _CALLED.get(similarity) or Called(similarity, similarity[:4])
