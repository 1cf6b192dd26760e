"""A teacher beside the labels: the loss by hand, and what it does to a training."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from kinds import KINDS
from networks import CPU
from task_networks import Language, Masked, made, text

from engine.measures.similarity import linear_cka
from engine.tasks import examples
from engine.tasks.task import of_items
from engine.training.distillation import (
    FEATURES_WEIGHT,
    TEMPERATURE,
    WEIGHT,
    Teacher,
    soft_kl,
    unlikeness,
)
from engine.training.finetune import train
from engine.training.plan import TrainPlan

PLAN = TrainPlan(0, 1, 1, seed=3, batch_size=16)


def test_the_soft_kl_is_that_of_softened_answers_times_the_square_of_the_temperature():
    student, teacher = torch.randn(5, 3), torch.randn(5, 3)
    p, q = ((x / TEMPERATURE).exp() for x in (teacher, student))
    p, q = p / p.sum(1, keepdim=True), q / q.sum(1, keepdim=True)
    by_hand = TEMPERATURE**2 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(soft_kl(student, teacher), by_hand)
    assert float(soft_kl(student, student)) == pytest.approx(0, abs=1e-6)


def test_unlikeness_is_one_minus_the_cka_that_candidates_are_compared_by():
    x, y = torch.randn(20, 4), torch.randn(20, 6)
    assert float(unlikeness(x, y)) == pytest.approx(1 - linear_cka(x, y), abs=1e-5)
    rotation = torch.linalg.qr(torch.randn(4, 4)).Q
    assert float(unlikeness(x, 3 * x @ rotation + 1)) == pytest.approx(0, abs=1e-5)
    assert float(unlikeness(x[:2], y[:2])) == 0


@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize("of", KINDS)
def test_the_loss_is_that_of_labels_answers_and_features(of, features):
    kind = KINDS[of]()
    teacher_network, student = copy.deepcopy(kind.model), kind.child(kind.without_units())
    teacher = Teacher(teacher_network, student, examples(kind.task, 2), CPU, features=features)
    batch = of_items(kind.task, "train", kind.items[:16])
    logits = student(batch.inputs)
    labels = F.cross_entropy(logits, batch.targets)
    found = teacher.beside(labels, batch.inputs, logits, batch.targets)
    with torch.no_grad():
        wanted = (1 - WEIGHT) * labels + WEIGHT * soft_kl(logits, kind.model(batch.inputs))
    rest = float(found.detach() - wanted)
    if features:
        assert 0 < rest < FEATURES_WEIGHT
    else:
        assert rest == pytest.approx(0, abs=1e-5)
    found.backward()
    assert all(p.grad is None for p in teacher_network.parameters())
    teacher.close()
    assert not any(m._forward_pre_hooks for m in (*student.modules(), *teacher_network.modules()))


@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize("of", KINDS)
def test_training_beside_a_teacher_gives_the_same_bits_again_and_others_than_without(of, features):
    results = []
    for taught in (True, True, False):
        kind = KINDS[of]()
        child = kind.child(kind.without_units())
        teacher = Teacher(kind.model, child, examples(kind.task, 2), CPU, features=features)
        before = copy.deepcopy(kind.model.state_dict())
        train(child, kind.task, PLAN, CPU, teacher=teacher if taught else None)
        assert all(torch.equal(v, before[k]) for k, v in kind.model.state_dict().items())
        results.append(child.state_dict())
    one, again, without = results
    assert all(torch.equal(value, again[key]) for key, value in one.items())
    assert any(not torch.equal(value, without[key]) for key, value in one.items())


def test_a_student_is_nearer_to_its_teacher_than_one_that_has_the_labels_alone():
    def apart(taught: bool) -> float:
        kind = KINDS["tabular"]()
        student = kind.child(kind.without_units())
        teacher = Teacher(kind.model, student, examples(kind.task, 2), CPU) if taught else None
        plan = TrainPlan(0, 5, 5, seed=1, batch_size=16)
        train(student, kind.task, plan, CPU, teacher=teacher)
        inputs = of_items(kind.task, "train", kind.items).inputs
        with torch.no_grad():
            return float(soft_kl(student.eval()(inputs), kind.model(inputs)))

    assert apart(True) < apart(False) / 2


def test_rows_that_ask_nothing_count_neither_as_answers_nor_as_features():
    task = Masked(text())
    model, student = made(Language), made(Language, seed=1)
    teacher = Teacher(model, student, examples(task, 2), CPU, features=True)
    batch = of_items(task, "train", torch.arange(8))
    asked = batch.targets != -100
    logits = student(batch.inputs)
    found = teacher.beside(torch.zeros(()), batch.inputs, logits, batch.targets)
    with torch.no_grad():
        seen = {}
        for name, network in (("t", model), ("s", student)):
            network.head.register_forward_pre_hook(
                lambda _, args, name=name: seen.__setitem__(name, args[0][asked])
            )
        kl = soft_kl(student(batch.inputs)[asked], model(batch.inputs)[asked])
        wanted = WEIGHT * kl + FEATURES_WEIGHT * unlikeness(seen["s"], seen["t"])
    torch.testing.assert_close(found.detach(), wanted, atol=1e-5, rtol=1e-5)
