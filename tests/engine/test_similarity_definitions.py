"""Each measure against its definition, written out another way."""

from __future__ import annotations

import importlib
import itertools
import math

import numpy as np
import pytest
import torch
from test_similarity import classes, random_features

from engine.contracts.errors import EngineError
from engine.measures.similarities import SIMILARITIES, alike, chance_level, draws, resampled

debiased = importlib.import_module("engine.measures.similarities.cka_debiased")
gaussians = importlib.import_module("engine.measures.similarities.class_gaussians")


# ------------------------------------------------------------ debiased CKA


def song(k_NN: np.ndarray, l_NN: np.ndarray) -> float:
    """Eq. 5 of Song et al. (2012)."""
    k_NN, l_NN = k_NN - np.diag(np.diag(k_NN)), l_NN - np.diag(np.diag(l_NN))
    n, ones = len(k_NN), np.ones(len(k_NN))
    total = np.trace(k_NN @ l_NN)
    total += ones @ k_NN @ ones * (ones @ l_NN @ ones) / ((n - 1) * (n - 2))
    return (total - 2 / (n - 2) * ones @ k_NN @ l_NN @ ones) / (n * (n - 3))


@pytest.mark.parametrize(("width", "other"), [(4, 3), (40, 30)])
def test_debiased_cka_is_that_of_song_s_estimator(width, other):
    x_ND, y_NE = random_features(1, 25, width).double(), random_features(2, 25, other).double()
    y_NE[:, :3] += x_ND[:, :3]
    k_NN, l_NN = (x_ND @ x_ND.T).numpy(), (y_NE @ y_NE.T).numpy()
    expected = song(k_NN, l_NN) / math.sqrt(song(k_NN, k_NN) * song(l_NN, l_NN))
    assert expected > 0.01
    assert alike(SIMILARITIES["cka-debiased"], x_ND, y_NE) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("form", ["_Grams", "_Features"])
def test_of_a_resample_the_four_rows_are_different_originals(form):
    x_ND, y_NE = random_features(3, 7, 3).double(), random_features(4, 7, 2).double()
    w_N = torch.tensor([2, 0, 1, 3, 1, 1, 1]).double()

    def of_fours(x_ND, y_NE):
        k, m = (x_ND @ x_ND.T).tolist(), (y_NE @ y_NE.T).tolist()
        return sum(
            float(w_N[i] * w_N[j] * w_N[q] * w_N[r]) * k[i][j] * (m[i][j] - 2 * m[i][q] + m[q][r])
            for i, j, q, r in itertools.permutations(range(7), 4)
        )

    found = [float(value) for value in getattr(debiased, form)(x_ND, y_NE).hsic(w_N[None])]
    expected = [of_fours(x_ND, y_NE), of_fours(x_ND, x_ND), of_fours(y_NE, y_NE)]
    assert found == pytest.approx(expected, rel=1e-9)


def test_copies_of_a_row_bring_no_bias():
    """The estimator applied to a bootstrap's rows, copies and all, is far above 0."""
    x_ND, y_NE = random_features(5, 300, 400), random_features(6, 300, 400)
    measure = SIMILARITIES["cka-debiased"]
    counts_N = next(draws(300, 1, seed=0))[0]
    rows_N = torch.arange(300).repeat_interleave(counts_N)
    assert alike(measure, x_ND[rows_N], y_NE[rows_N]) > 0.2
    assert alike(measure, x_ND, y_NE, counts_N) < 0.05
    assert np.mean(resampled(measure, x_ND, y_NE, 20, 0)) < 0.05


@pytest.mark.parametrize(("rows", "width", "biased"), [(5000, 64, 0.0126), (500, 512, 0.506)])
def test_unrelated_features_are_like_nothing_where_the_biased_one_sees_something(
    rows, width, biased
):
    x_ND, y_NE = random_features(7, rows, width), random_features(8, rows, width)
    assert alike(SIMILARITIES["cka"], x_ND, y_NE) == pytest.approx(biased, rel=0.05)
    assert chance_level(x_ND, y_NE) == pytest.approx(biased, rel=0.05)
    assert alike(SIMILARITIES["cka-debiased"], x_ND, y_NE) < 0.005


def test_where_rows_are_many_both_agree():
    x_ND = random_features(9, 5000, 4)
    y_NE = x_ND + 0.5 * random_features(10, 5000, 4)
    both = [alike(SIMILARITIES[name], x_ND, y_NE) for name in ("cka", "cka-debiased")]
    assert both[0] == pytest.approx(both[1], abs=1e-3)


def test_float32_products_are_good_enough_for_debiased_cka():
    x_ND = (random_features(11, 3000, 16) + 3).relu()
    y_NE = x_ND + 0.3 * random_features(12, 3000, 16)
    exact = alike(SIMILARITIES["cka-debiased"], x_ND.double(), y_NE.double())
    assert alike(SIMILARITIES["cka-debiased"], x_ND, y_NE) == pytest.approx(exact, abs=1e-6)


def test_fewer_than_four_rows_tell_nothing():
    assert alike(SIMILARITIES["cka-debiased"], random_features(1, 3), random_features(1, 3)) == 0


def test_the_chance_level_is_the_mean_over_orders_of_rows():
    x_ND, y_NE = random_features(13, 5, 3).double(), random_features(14, 5, 4).double()
    orders = itertools.permutations(range(5))
    found = [alike(SIMILARITIES["cka"], x_ND, y_NE[list(order)]) for order in orders]
    assert chance_level(x_ND, y_NE) == pytest.approx(np.mean(found), abs=1e-12)


# ------------------------------------------------------------ the others


def test_rbf_cka_is_hsic_of_gaussian_kernels():
    x_ND, y_NE = random_features(15, 21, 4).double(), random_features(16, 21, 3).double()
    y_NE += x_ND[:, :3]

    def kernel(features):
        rows = features.numpy()
        squares = ((rows[:, None] - rows[None]) ** 2).sum(2)
        median = np.median(squares[np.triu_indices(21, 1)])  # of 210 pairs: between two
        ordered = np.sort(squares[np.triu_indices(21, 1)])
        assert ordered[104] <= median <= ordered[105]
        return np.exp(-squares / (2 * ordered[104]))

    h_NN = np.eye(21) - 1 / 21
    k_NN, l_NN = h_NN @ kernel(x_ND) @ h_NN, h_NN @ kernel(y_NE) @ h_NN
    expected = (k_NN * l_NN).sum() / (np.linalg.norm(k_NN) * np.linalg.norm(l_NN))
    assert alike(SIMILARITIES["cka-rbf"], x_ND, y_NE) == pytest.approx(expected, abs=1e-10)


def test_rbf_cka_counts_rows_by_their_weights():
    """By a centring matrix of the weights, written out."""
    module = importlib.import_module("engine.measures.similarities.cka_rbf")
    x_ND, y_NE = random_features(17, 15), random_features(18, 15, 4)
    w_N = torch.bincount(torch.randint(15, (15,), generator=torch.Generator().manual_seed(2)),
                         minlength=15)  # fmt: skip
    p_N = w_N.double() / 15
    h_NN = torch.eye(15).double() - p_N  # rows less the weighted mean row
    k_NN, l_NN = (h_NN @ module.rbf_gram(z) @ h_NN.T for z in (x_ND, y_NE))
    root_N = p_N.sqrt()
    k_NN, l_NN = (root_N[:, None] * gram * root_N for gram in (k_NN, l_NN))
    expected = float((k_NN * l_NN).sum() / (k_NN.norm() * l_NN.norm()))
    assert alike(SIMILARITIES["cka-rbf"], x_ND, y_NE, w_N) == pytest.approx(expected, abs=1e-10)


def test_of_many_rows_rbf_cka_looks_at_some(monkeypatch):
    module = importlib.import_module("engine.measures.similarities.cka_rbf")
    monkeypatch.setattr(module, "MOST_ROWS", 20)
    x_ND, y_NE = random_features(19), random_features(20)
    found = alike(SIMILARITIES["cka-rbf"], x_ND, y_NE)
    assert found == alike(SIMILARITIES["cka-rbf"], x_ND[::3], y_NE[::3])


def test_cosine_is_the_mean_over_rows():
    x_ND, y_ND = random_features(21, 12), random_features(21, 12) + random_features(22, 12)
    a, b = (z.double().numpy() - z.double().numpy().mean(0) for z in (x_ND, y_ND))
    cosines = [p @ q / math.sqrt(p @ p * (q @ q)) for p, q in zip(a, b, strict=True)]
    assert alike(SIMILARITIES["cosine"], x_ND, y_ND) == pytest.approx(np.mean(cosines), abs=1e-6)
    w_N = torch.arange(12)
    weighted = np.average(cosines, weights=range(12))
    assert alike(SIMILARITIES["cosine"], x_ND, y_ND, w_N) == pytest.approx(weighted, abs=1e-6)


def test_cosine_needs_equal_widths_and_says_what_to_do():
    with pytest.raises(EngineError, match=r"8 stand against 3.*--units inner"):
        alike(SIMILARITIES["cosine"], random_features(1), random_features(2, width=3))


def test_procrustes_is_the_least_angle_over_rotations():
    """In two dimensions, by trying rotations and reflections of all angles."""
    x_ND, y_ND = random_features(23, 30, 2).double(), random_features(24, 30, 2).double()
    x, y = ((z - z.mean(0)).numpy() for z in (x_ND, y_ND))
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    best = max(
        (x * (y @ np.array([[c, -s], [s, c]]) @ np.diag([1, flip]))).sum()
        for angle in np.linspace(0, 2 * math.pi, 4001)
        for c, s in [(math.cos(angle), math.sin(angle))]
        for flip in (1, -1)
    )
    expected = 1 - 2 * math.acos(best) / math.pi
    assert alike(SIMILARITIES["procrustes"], x_ND, y_ND) == pytest.approx(expected, abs=1e-5)


def test_the_angle_of_procrustes_is_a_metric():
    sides = [random_features(seed, 20, 5) for seed in (25, 26, 27)]
    pairs = ((0, 1), (1, 2), (0, 2))
    angles = [1 - alike(SIMILARITIES["procrustes"], sides[a], sides[b]) for a, b in pairs]
    assert angles[2] <= angles[0] + angles[1] and angles[0] <= angles[1] + angles[2]


@pytest.mark.parametrize("name", ["procrustes", "gaussian-stochastic", "wasserstein", "cka"])
def test_features_of_zero_change_nothing_so_widths_may_differ(name):
    x_ND, y_NE, targets_N = random_features(28), random_features(29, width=5), classes()
    y_NE = y_NE + x_ND[:, :5]
    padded_ND = torch.cat([y_NE, torch.zeros(60, 3)], 1)
    found = alike(SIMILARITIES[name], x_ND, y_NE, targets_N=targets_N)
    padded = alike(SIMILARITIES[name], x_ND, padded_ND, targets_N=targets_N)
    assert found == pytest.approx(padded, abs=1e-5)


def class_gaussians(features_ND, targets_N):
    """Shares, means and covariances of the classes, of features without their mean."""
    rows = features_ND.double().numpy()
    rows = rows - rows.mean(0)
    of_class = [rows[targets_N.numpy() == number] for number in range(int(targets_N.max()) + 1)]
    return [(len(c) / len(rows), c.mean(0), np.cov(c.T, bias=True)) for c in of_class]


def stochastic(alpha, x_ND, y_ND, targets_N, rotations):
    """1 - 2θ/π by matrix square roots of the covariances, the best of some rotations."""
    x, y = class_gaussians(x_ND, targets_N), class_gaussians(y_ND, targets_N)

    def size(side):
        return sum(p * (alpha * m @ m + (2 - alpha) * np.trace(c)) for p, m, c in side)

    def cosine(rotation):
        total = 0.0
        for (p, mean, cov), (_, other_mean, other_cov) in zip(x, y, strict=True):
            values, axes = np.linalg.eigh(cov)
            root = (axes * np.sqrt(values)) @ axes.T
            turned = root @ rotation @ other_cov @ rotation.T @ root
            fidelity = np.sqrt(np.linalg.eigvalsh(turned).clip(0)).sum()
            total += p * (alpha * mean @ rotation @ other_mean + (2 - alpha) * fidelity)
        return total / math.sqrt(size(x) * size(y))

    return 1 - 2 * math.acos(min(1.0, max(map(cosine, rotations)))) / math.pi


@pytest.mark.parametrize(("name", "alpha"), [("gaussian-stochastic", 0), ("wasserstein", 1)])
def test_stochastic_shapes_are_the_best_rotation_of_the_classes_gaussians(name, alpha):
    targets_N = classes(30)
    x_ND = random_features(31, 60, 2) * torch.tensor([[1.0, 2], [3, 1], [1, 1]])[targets_N]
    y_ND = x_ND @ torch.tensor([[0.6, -0.8], [0.8, 0.6]]) + 0.5 * random_features(32, 60, 2)
    rotations = [
        np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]) @ np.diag([1, flip])
        for a in np.linspace(0, 2 * math.pi, 361)
        for flip in (1, -1)
    ]
    expected = stochastic(alpha, x_ND, y_ND, targets_N, rotations)
    found = alike(SIMILARITIES[name], x_ND, y_ND, targets_N=targets_N)
    assert found == pytest.approx(expected, abs=2e-4) and found < 0.97


def test_with_each_row_a_class_of_its_own_wasserstein_is_procrustes():
    x_ND, y_NE = random_features(33), random_features(34, width=5)
    found = alike(SIMILARITIES["wasserstein"], x_ND, y_NE, targets_N=torch.arange(60))
    expected = alike(SIMILARITIES["procrustes"], x_ND, y_NE)
    assert found == pytest.approx(expected, abs=1e-9)


def test_gaussian_stochastic_does_not_see_where_classes_lie_and_wasserstein_does():
    x_ND, targets_N = random_features(35, 200), classes(1, 200)
    x_ND = x_ND - torch.stack([x_ND[targets_N == c].mean(0) for c in range(3)])[targets_N]
    moved_ND = x_ND + 3 * torch.randn(3, 8, generator=torch.Generator().manual_seed(2))[targets_N]
    found = {
        name: alike(SIMILARITIES[name], x_ND, moved_ND, targets_N=targets_N)
        for name in ("gaussian-stochastic", "wasserstein")
    }
    assert found["gaussian-stochastic"] > 0.999 and found["wasserstein"] < 0.7


def test_resamples_go_on_from_the_rotation_of_all_rows_and_are_hardly_below_the_best():
    x_ND, targets_N = random_features(36, 200, 5), classes(2, 200)
    y_ND = x_ND + 0.5 * random_features(37, 200, 5)
    for name in ("gaussian-stochastic", "wasserstein"):
        for counts_N in next(draws(200, 5, seed=1)):
            rows_N = torch.arange(200).repeat_interleave(counts_N)
            best = alike(SIMILARITIES[name], x_ND[rows_N], y_ND[rows_N], None, targets_N[rows_N])
            kept = alike(SIMILARITIES[name], x_ND, y_ND, counts_N, targets_N)
            assert best - 0.02 < kept < best + 1e-3


@pytest.mark.parametrize("name", ["procrustes", "wasserstein"])
def test_of_many_features_the_principal_components_are_compared(name, monkeypatch):
    x_ND = random_features(38, 80, 6) * torch.tensor([9.0, 8, 7, 0.01, 0.01, 0.01])
    y_ND = x_ND @ torch.linalg.qr(random_features(39, 6, 6)).Q + 0.5 * random_features(40, 80, 6)
    targets_N = classes(1, 80)
    whole = alike(SIMILARITIES[name], x_ND, y_ND, targets_N=targets_N)
    for module in ("procrustes", "class_gaussians"):
        module = importlib.import_module(f"engine.measures.similarities.{module}")
        monkeypatch.setattr(module, "MOST_FEATURES", 3)
    cut = alike(SIMILARITIES[name], x_ND, y_ND, targets_N=targets_N)
    assert cut != whole and cut == pytest.approx(whole, abs=0.05)
