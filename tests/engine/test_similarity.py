from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contracts.methods import SIMILARITIES as KNOWN
from engine.measures.similarity import SIMILARITIES, linear_cka, resampled


def random_features(seed: int, num_images: int = 60, width: int = 8) -> torch.Tensor:
    return torch.randn(num_images, width, generator=torch.Generator().manual_seed(seed))


def test_linear_cka_of_kornblith_s_demo_data():
    np.random.seed(1337)
    x_ND = np.random.randn(100, 10)
    y_ND = np.random.randn(100, 10) + x_ND
    assert linear_cka(torch.tensor(x_ND), torch.tensor(y_ND)) == pytest.approx(0.55761, abs=5e-6)


def test_the_feature_form_agrees_with_hsic_of_gram_matrices():
    """Eq. 1 and 2 of the paper, written out with the centring matrix H."""
    x_ND, y_NE = random_features(1).double(), random_features(2, width=5).double()
    num_images = len(x_ND)
    h_NN = torch.eye(num_images).double() - 1 / num_images

    def hsic(k_NN, l_NN):
        return torch.trace(k_NN @ h_NN @ l_NN @ h_NN) / (num_images - 1) ** 2

    k_NN, l_NN = x_ND @ x_ND.T, y_NE @ y_NE.T
    expected = hsic(k_NN, l_NN) / (hsic(k_NN, k_NN) * hsic(l_NN, l_NN)).sqrt()
    assert linear_cka(x_ND, y_NE) == pytest.approx(float(expected), abs=1e-12)


def test_more_features_than_images_gives_the_same_as_padding_images_would_not():
    """The Gram form (N < D) against the feature form on the same data."""
    x_ND, y_NE = random_features(3, 6, 20), random_features(4, 6, 30)
    centred = [z.double() - z.double().mean(0) for z in (x_ND, y_NE)]
    cross = (centred[0].T @ centred[1]).square().sum()
    norms = (centred[0].T @ centred[0]).norm() * (centred[1].T @ centred[1]).norm()
    assert linear_cka(x_ND, y_NE) == pytest.approx(float(cross / norms), abs=1e-6)
    exact = linear_cka(x_ND.double(), y_NE.double())
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
    exact = linear_cka(x_ND.double(), y_ND.double())
    assert linear_cka(x_ND, y_ND) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100), shift=st.floats(-10, 10))
@settings(max_examples=15, deadline=None)
def test_every_similarity_is_one_on_a_rotated_scaled_shifted_copy(name, seed, scale, shift):
    x_ND = random_features(seed)
    rotation_DD, _ = torch.linalg.qr(random_features(seed + 1, 8, 8))
    y_ND = scale * (x_ND @ rotation_DD) + shift
    assert SIMILARITIES[name](x_ND, y_ND, None) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
def test_every_similarity_is_symmetric_and_between_zero_and_one(name):
    x_ND, y_NE = random_features(5), random_features(6, width=3)
    forward = SIMILARITIES[name](x_ND, y_NE, None)
    assert forward == pytest.approx(SIMILARITIES[name](y_NE, x_ND, None), abs=1e-7)
    assert 0 <= forward <= 1


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
def test_weights_count_an_image_as_often_as_repeating_it_would(name):
    x_ND, y_NE = random_features(7, 20), random_features(8, 20)
    drawn_N = torch.randint(20, (20,), generator=torch.Generator().manual_seed(0))
    weights_N = torch.bincount(drawn_N, minlength=20)
    repeated = SIMILARITIES[name](x_ND[drawn_N], y_NE[drawn_N], None)
    assert SIMILARITIES[name](x_ND, y_NE, weights_N) == pytest.approx(repeated, abs=1e-6)
    wide = random_features(9, 20, 30)  # by Gram matrices
    repeated = SIMILARITIES[name](wide[drawn_N], wide[drawn_N], None)
    assert SIMILARITIES[name](wide, wide, weights_N) == pytest.approx(repeated, abs=1e-6)
    other = random_features(10, 20, 30)
    repeated = SIMILARITIES[name](wide[drawn_N].double(), other[drawn_N].double(), None)
    weighted = SIMILARITIES[name](wide.double(), other.double(), weights_N)
    assert weighted == pytest.approx(repeated, abs=1e-10)


def test_constant_features_are_like_nothing():
    assert linear_cka(torch.ones(10, 4), random_features(9, 10, 4)) == 0.0


def test_different_rows_are_refused():
    with pytest.raises(ValueError, match="10 and 9 rows"):
        linear_cka(torch.ones(10, 4), torch.ones(9, 4))


def test_resamples_are_paired_between_candidates():
    """The same seed draws the same images, so the difference of a network with itself is zero."""
    x_ND, y_ND = random_features(10), random_features(11)
    first = resampled(linear_cka, x_ND, y_ND, 20, seed=3)
    assert first == resampled(linear_cka, x_ND, y_ND, 20, seed=3)
    assert first != resampled(linear_cka, x_ND, y_ND, 20, seed=4)
    spread = torch.tensor(first).std()
    assert 0 < spread < 0.2


def test_the_settings_offer_what_there_is():
    assert set(KNOWN) == set(SIMILARITIES)
