from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contracts.methods import SIMILARITIES as KNOWN
from engine.measures.similarities import SIMILARITIES, alike, compared, resampled
from engine.measures.similarities.cka import cka


def random_features(seed: int, num_images: int = 60, width: int = 8) -> torch.Tensor:
    return torch.randn(num_images, width, generator=torch.Generator().manual_seed(seed))


def classes(seed: int = 0, num_images: int = 60) -> torch.Tensor:
    return torch.randint(3, (num_images,), generator=torch.Generator().manual_seed(seed))


def test_linear_cka_of_kornblith_s_demo_data():
    np.random.seed(1337)
    x_ND = np.random.randn(100, 10)
    y_ND = np.random.randn(100, 10) + x_ND
    assert alike(cka, torch.tensor(x_ND), torch.tensor(y_ND)) == pytest.approx(0.55761, abs=5e-6)


def test_the_feature_form_agrees_with_hsic_of_gram_matrices():
    """Eq. 1 and 2 of the paper, written out with the centring matrix H."""
    x_ND, y_NE = random_features(1).double(), random_features(2, width=5).double()
    num_images = len(x_ND)
    h_NN = torch.eye(num_images).double() - 1 / num_images

    def hsic(k_NN, l_NN):
        return torch.trace(k_NN @ h_NN @ l_NN @ h_NN) / (num_images - 1) ** 2

    k_NN, l_NN = x_ND @ x_ND.T, y_NE @ y_NE.T
    expected = hsic(k_NN, l_NN) / (hsic(k_NN, k_NN) * hsic(l_NN, l_NN)).sqrt()
    assert alike(cka, x_ND, y_NE) == pytest.approx(float(expected), abs=1e-12)


def test_more_features_than_images_gives_the_same_as_padding_images_would_not():
    """The Gram form (N < D) against the feature form on the same data."""
    x_ND, y_NE = random_features(3, 6, 20), random_features(4, 6, 30)
    centred = [z.double() - z.double().mean(0) for z in (x_ND, y_NE)]
    cross = (centred[0].T @ centred[1]).square().sum()
    norms = (centred[0].T @ centred[0]).norm() * (centred[1].T @ centred[1]).norm()
    assert alike(cka, x_ND, y_NE) == pytest.approx(float(cross / norms), abs=1e-6)
    exact = alike(cka, x_ND.double(), y_NE.double())
    assert exact == pytest.approx(float(cross / norms), abs=1e-12)


@given(seed=st.integers(0, 10**6), num_images=st.integers(100, 3000), offset=st.floats(0, 1e4))
@settings(max_examples=20, deadline=None)
def test_float32_features_lose_less_than_a_millionth(seed, num_images, offset):
    x_ND, noise_ND = (
        random_features(seed, num_images, 16),
        random_features(seed + 1, num_images, 16),
    )
    x_ND = (x_ND + offset).relu()
    y_ND = x_ND + 0.3 * noise_ND
    exact = alike(cka, x_ND.double(), y_ND.double())
    assert alike(cka, x_ND, y_ND) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100), shift=st.floats(-10, 10))
@settings(max_examples=15, deadline=None)
def test_every_similarity_is_one_on_a_rotated_scaled_shifted_copy(name, seed, scale, shift):
    x_ND = random_features(seed)
    rotation_DD, _ = torch.linalg.qr(random_features(seed + 1, 8, 8))
    turned_ND = x_ND if name == "cosine" else x_ND @ rotation_DD
    y_ND, targets_N = scale * turned_ND + shift, classes(seed)
    found = alike(SIMILARITIES[name], x_ND, y_ND, targets_N=targets_N)
    assert found == pytest.approx(1.0, abs=1e-5 if "cka" in name or name == "cosine" else 1e-3)


def test_cosine_alone_looks_at_the_axes():
    x_ND = random_features(3)
    rotation_DD, _ = torch.linalg.qr(random_features(4, 8, 8))
    assert alike(SIMILARITIES["cosine"], x_ND, x_ND @ rotation_DD) < 0.9


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
def test_the_order_of_rows_and_of_features_says_nothing(name):
    x_ND, y_ND, targets_N = random_features(20), random_features(21), classes(3)
    y_ND = x_ND + y_ND
    rows_N = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    found = alike(SIMILARITIES[name], x_ND, y_ND, targets_N=targets_N)
    again = alike(SIMILARITIES[name], x_ND[rows_N], y_ND[rows_N], targets_N=targets_N[rows_N])
    assert again == pytest.approx(found, abs=1e-6)
    mirrored = alike(SIMILARITIES[name], x_ND.flip(1), y_ND.flip(1), targets_N=targets_N)
    assert mirrored == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
def test_every_similarity_is_symmetric_and_between_zero_and_one(name):
    x_ND, y_NE = random_features(5), random_features(6, width=8 if name == "cosine" else 3)
    y_NE = y_NE + x_ND[:, : y_NE.shape[1]]
    forward = alike(SIMILARITIES[name], x_ND, y_NE, targets_N=classes())
    backward = alike(SIMILARITIES[name], y_NE, x_ND, targets_N=classes())
    assert forward == pytest.approx(backward, abs=1e-6)
    assert 0 < forward < 1


@pytest.mark.parametrize("name", ["cka", "procrustes"])
def test_weights_count_an_image_as_often_as_repeating_it_would(name):
    measure = SIMILARITIES[name]
    x_ND, y_NE = random_features(7, 20), random_features(8, 20)
    drawn_N = torch.randint(20, (20,), generator=torch.Generator().manual_seed(0))
    weights_N = torch.bincount(drawn_N, minlength=20)
    repeated = alike(measure, x_ND[drawn_N], y_NE[drawn_N])
    assert alike(measure, x_ND, y_NE, weights_N) == pytest.approx(repeated, abs=1e-6)
    wide = random_features(9, 20, 30)  # by Gram matrices
    repeated = alike(measure, wide[drawn_N], wide[drawn_N])
    assert alike(measure, wide, wide, weights_N) == pytest.approx(repeated, abs=1e-6)
    other = random_features(10, 20, 30)
    repeated = alike(measure, wide[drawn_N].double(), other[drawn_N].double())
    weighted = alike(measure, wide.double(), other.double(), weights_N)
    assert weighted == pytest.approx(repeated, abs=1e-10)


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
def test_constant_features_are_like_nothing(name):
    found = alike(SIMILARITIES[name], torch.ones(10, 4), random_features(9, 10, 4))
    assert found == 0.0


# Of the features below: a change of one of these changes which candidates are kept.
GOLDEN = {
    "cka": 0.4859538,
    "cka-debiased": 0.4110076,
    "cka-rbf": 0.5059131,
    "cosine": 0.5674154,
    "procrustes": 0.4638786,
    "gaussian-stochastic": 0.8388502,
    "wasserstein": 0.8179077,
}


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
def test_golden_values(name):
    x_ND, noise_ND = random_features(30).relu(), random_features(31)
    found = alike(SIMILARITIES[name], x_ND, x_ND + 0.7 * noise_ND, targets_N=classes(32))
    assert found == pytest.approx(GOLDEN[name], abs=1e-6)


def test_different_rows_are_refused():
    with pytest.raises(ValueError, match="10 and 9 rows"):
        alike(cka, torch.ones(10, 4), torch.ones(9, 4))


def test_resamples_are_paired_between_candidates():
    """The same seed draws the same images, so the difference of a network with itself is zero."""
    x_ND, y_ND = random_features(10), random_features(11)
    first = resampled(cka, x_ND, y_ND, 20, seed=3)
    assert first == resampled(cka, x_ND, y_ND, 20, seed=3)
    assert first != resampled(cka, x_ND, y_ND, 20, seed=4)
    spread = torch.tensor(first).std()
    assert 0 < spread < 0.2


def test_the_settings_offer_what_there_is():
    assert set(KNOWN) == set(SIMILARITIES)


# ------------------------------------------------------------ items and layers


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
def test_rows_of_one_item_come_and_go_together(name):
    """Of sequences (tokens) or persons (windows): a resample is one of items, rows and all."""
    x_ND, targets_N = random_features(40, 30), classes(1, 30)
    y_ND, items_N = x_ND + random_features(41, 30), torch.arange(30) // 5 + 7
    found = resampled(SIMILARITIES[name], x_ND, y_ND, 3, 5, items_N, targets_N)
    generator = torch.Generator().manual_seed(5)
    for value in found:
        drawn = torch.randint(6, (6,), generator=generator).tolist()
        weights_N = torch.tensor([drawn.count(int(item) - 7) for item in items_N])
        expected = alike(SIMILARITIES[name], x_ND, y_ND, weights_N, targets_N)
        assert value == pytest.approx(expected, abs=1e-12)
    by_rows = resampled(SIMILARITIES[name], x_ND, y_ND, 3, 5, None, targets_N)
    assert by_rows != found


def test_of_several_layers_it_is_the_mean():
    pairs = [(random_features(n), random_features(n) + random_features(n + 9)) for n in (1, 2)]
    value, resamples = compared(cka, pairs, 4, seed=2)
    each = [compared(cka, [pair], 4, seed=2) for pair in pairs]
    assert value == pytest.approx((each[0][0] + each[1][0]) / 2)
    assert resamples == pytest.approx(
        [(a + b) / 2 for a, b in zip(each[0][1], each[1][1], strict=True)]
    )
