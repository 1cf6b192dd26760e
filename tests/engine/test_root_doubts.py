"""What speaks against a root: each doubt where it is due, and none where chance explains it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import small_data
from test_roots import colour_network, opened, write_data

from engine.checkpoints.claims import claimed_accuracy
from engine.checkpoints.class_order import find_order
from engine.checkpoints.root_doubts import doubts_of
from engine.data import ImageData
from engine.measures.accuracy import Evaluation
from engine.measures.significance import binomial_tail, sign_test


def answers(data: ImageData, split: str, percent: float, seed: int = 0) -> Evaluation:
    """An evaluation in which so many images are right, the others wrong in no order."""
    labels_N = getattr(data, split).labels_N
    right = round(len(labels_N) * percent / 100)
    generator = torch.Generator().manual_seed(seed)
    wrong = torch.randint(1, len(data.classes), labels_N.shape, generator=generator)
    order = torch.randperm(len(labels_N), generator=generator)
    predicted_N = (labels_N + wrong) % len(data.classes)
    predicted_N[order[:right]] = labels_N[order[:right]]
    return Evaluation(100 * right / len(labels_N), 1.0, torch.zeros(len(labels_N), 1), predicted_N,
        labels_N, torch.arange(len(labels_N)))  # fmt: skip


def doubted(validation: float, test: float, *, metrics=None, foreign=True, num=1000, classes=10):
    data = small_data(num=num, classes=classes, size=4)
    figures = answers(data, "validation", validation), answers(data, "test", test)
    found = doubts_of(metrics or {}, foreign, data.describe(), *figures)
    return {doubt.code: doubt for doubt in found}


def test_a_good_network_is_not_doubted():
    assert doubted(91, 90, metrics={"best_prec1": 91.3}) == {}


@pytest.mark.parametrize(("validation", "test", "foreign", "expected"), [
    (100.0, 92.7, True, True), (100.0, 92.7, False, False), (94.0, 92.7, True, False),
    (92.0, 99.0, True, False),
])  # fmt: skip
def test_validation_far_above_test_was_trained_on(validation, test, foreign, expected):
    found = doubted(validation, test, foreign=foreign)
    assert ("trained-on-validation" in found) == expected
    if expected:
        assert not found["trained-on-validation"].asks
        assert "100.0 % of them are right, of the test images 92.7 %" in (
            found["trained-on-validation"].words
        )


@pytest.mark.parametrize(("num", "expected"), [(40, False), (2000, True)])
def test_a_difference_that_few_images_explain_is_none(num, expected):
    assert ("trained-on-validation" in doubted(95, 89, num=num)) == expected


@pytest.mark.parametrize(("accuracy", "classes", "near"), [
    (18.3, 10, True), (25.0, 10, False), (54.0, 2, True), (62.0, 2, False), (60.0, 2, False),
    (1.6, 100, True), (20.0, 100, False), (10.0, 10, True), (0.0, 10, True),
])  # fmt: skip
def test_near_chance_is_told_whatever_the_number_of_classes(accuracy, classes, near):
    found = doubted(accuracy, accuracy, classes=classes)
    assert ("chance" in found) == near
    assert all(doubt.asks for doubt in found.values())


def test_few_images_do_not_show_that_it_is_better_than_chance():
    assert "chance" in doubted(47, 47, num=30, classes=3)
    assert "chance" not in doubted(47, 47, num=1000, classes=3)


@pytest.mark.parametrize(("test", "told", "asks"), [
    (91.5, False, False), (90.5, False, False), (82.0, True, False), (60.0, True, True),
])  # fmt: skip
def test_an_accuracy_below_what_the_file_says(test, told, asks):
    found = doubted(test, test, metrics={"epoch": 3, "best_prec1": 91.78})
    assert ("below-claim" in found) == told
    if told:
        assert found["below-claim"].asks == asks
        assert f"its file says 91.8 % ('best_prec1'), here it has {test:.1f} %" in (
            found["below-claim"].words
        )


@pytest.mark.parametrize(("metrics", "expected"), [
    ({"best_prec1": 91.78}, 91.78), ({"best_acc": 0.93}, 93), ({"acc": 91.5}, 91.5),
    ({"acc1": 76.1}, 76.1), ({"top1": 0.7}, 70), ({"accuracy": 88}, 88),
    ({"metrics.acc1": 90.0}, 90), ({"prec1": 91}, 91), ({"test_acc": 92.0, "acc": 99.9}, 92),
    ({"test_accuracy": 91.5, "val_accuracy": 95}, 91.5), ({"val/acc": 0.8}, 80),
    ({"best_acc1": 77.0, "epoch": 9}, 77), ({"epoch": 90, "lr": 0.1, "loss": 0.3}, None),
    ({"acc": 150.0}, None), ({"acc": -1.0}, None), ({"accumulated": 50.0}, None), ({}, None),
    ({"train_acc": 99.0}, None), ({"best_top5": 99.0}, None),
])  # fmt: skip
def test_the_accuracy_that_a_file_names_is_found(metrics, expected):
    claim = claimed_accuracy(metrics)
    assert (claim and claim[1]) == (expected and pytest.approx(expected))


# ------------------------------------------------------------ the order of the classes


def test_classes_in_another_order_are_told_with_the_order(tmp_path):
    model = colour_network()
    order = torch.tensor([2, 0, 1, 3])
    with torch.no_grad():
        model.fc.weight[:3] = model.fc.weight[:3][order[:3]].clone()
    random = np.random.default_rng(0)
    labels = np.arange(300) % 3
    pixels = random.integers(0, 100, (300, 8, 8, 3))
    pixels[np.arange(300), :, :, labels] += 150
    data = write_data(tmp_path, x_train=pixels.astype(np.uint8), y_train=labels)
    root = opened(tmp_path, model, data)
    (doubt,) = (doubt for doubt in root.doubts if doubt.code == "class-order")
    assert doubt.asks and "its output 0 is '2', 1 is '0', 2 is '1'" in doubt.words


def test_an_order_of_numbers_that_is_the_alphabet_s_is_called_so():
    classes = [str(k) for k in range(12)]
    in_alphabet = sorted(classes)
    labels_N = np.arange(600) % 12
    predicted_N = np.array([in_alphabet.index(str(label)) for label in labels_N])
    order = find_order(labels_N, predicted_N, 12)
    assert order is not None and order.is_clear
    assert order.accuracy == 100 and order.right(labels_N, predicted_N).all()
    assert "its order is that of the alphabet (0, 1, 10, 2, …)" in order.words(classes)


def test_confusions_of_a_network_that_guesses_or_is_good_are_no_order():
    random = np.random.default_rng(0)
    labels_N = np.arange(1000) % 10
    assert find_order(labels_N, random.integers(0, 10, 1000), 10) is None
    assert find_order(labels_N, np.zeros(1000, dtype=int), 10) is None
    assert find_order(labels_N, labels_N, 10) is None
    assert find_order(labels_N[:20], (labels_N[:20] + 1) % 10, 10) is None  # too few to say


# ------------------------------------------------------------ ties


def test_normalisations_that_do_equally_well_are_a_tie(tmp_path):
    root = opened(tmp_path, colour_network(), write_data(tmp_path))
    (doubt,) = (doubt for doubt in root.doubts if doubt.code == "normalisation")
    assert doubt.words.startswith("nothing says how its images were scaled in training: took ")
    assert "could as well be meant" in doubt.words and "--normalisation NAME" in doubt.words
    assert not doubt.asks


def test_the_sign_test_is_exact():
    assert sign_test(0, 0) == sign_test(3, 3) == 1
    assert sign_test(5, 0) == sign_test(0, 5) == pytest.approx(2 / 32)
    assert sign_test(9, 1) == pytest.approx(2 * 11 / 1024)
    assert binomial_tail(3, 3, 0.5) == pytest.approx(1 / 8)
    assert binomial_tail(0, 9, 0.1) == 1
