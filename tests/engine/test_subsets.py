"""Shares of the training items: stratified, by the seed, trained on alone; steps and lengths."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from kinds import KINDS
from networks import CPU
from task_networks import Keywords, Language, made, text

from engine.contracts.errors import DataError
from engine.contracts.events import Progress
from engine.runtime.generators import generator
from engine.runtime.progress import Monitor
from engine.tasks import num_items
from engine.tasks.checking import CheckedTask
from engine.tasks.task import of_items
from engine.training.finetune import train
from engine.training.plan import TrainPlan
from engine.training.subset import el2n, most_of_each_class, subset_of


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.floats(0.01, 1), st.integers(0, 9))
def test_of_each_class_the_highest_share_is_taken(labels, share, seed):
    labels_N = torch.tensor(labels)
    values_N = torch.rand(len(labels), generator=generator(seed), dtype=torch.float64)
    chosen = most_of_each_class(values_N, labels_N, share)
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    rest = torch.ones(len(labels), dtype=torch.bool)
    rest[chosen] = False
    for label in set(labels):
        mine = chosen[labels_N[chosen] == label]
        members = labels.count(label)
        assert len(mine) == max(1, round(share * members))
        left = values_N[rest & (labels_N == label)]
        assert not len(left) or values_N[mine].min() >= left.max()


@pytest.mark.parametrize("wanted", ["random:0.5", "el2n:0.5", "random"])
@pytest.mark.parametrize("of", KINDS)
def test_a_subset_is_stratified_the_same_by_its_seed_and_its_items_are_the_tasks(of, wanted):
    kind = KINDS[of]()
    one, again, other = (subset_of(kind.task, wanted, kind.model, s, CPU) for s in (1, 1, 2))
    whole = of_items(kind.task, "train", kind.items)
    parts = [of_items(t, "train", torch.arange(num_items(t, "train"))) for t in (one, again, other)]
    counts = torch.bincount(whole.targets)
    assert torch.bincount(parts[0].targets).tolist() == [round(0.5 * int(c)) for c in counts]
    assert torch.equal(parts[0].inputs, parts[1].inputs)
    assert torch.equal(parts[0].inputs, parts[2].inputs) == wanted.startswith("el2n")
    found = {x.numpy().tobytes() for x in parts[0].inputs}
    assert found <= {x.numpy().tobytes() for x in whole.inputs}
    assert one.describe().digest == kind.task.describe().digest
    for split in ("validation", "test"):
        assert num_items(one, split) == num_items(kind.task, split)
    batches = list(one.training_batches([5, num_items(one, "train") - 5], generator(0)))
    assert sorted(int(item) for batch in batches for item in batch.items_B) == list(
        range(num_items(one, "train"))
    )


@pytest.mark.parametrize("of", KINDS)
def test_el2n_is_the_length_of_softmax_minus_one_hot(of):
    kind = KINDS[of]()
    whole = of_items(kind.task, "train", kind.items)
    with torch.no_grad():
        p = kind.model(whole.inputs).double().softmax(1).numpy()
    p[np.arange(len(p)), whole.targets.numpy()] -= 1
    expected = np.sqrt((p**2).sum(1))
    np.testing.assert_allclose(el2n(kind.model, kind.task, CPU), expected, atol=1e-5)


def test_sequences_are_divided_too_and_a_task_that_cannot_be_is_refused():
    task, model = text(), made(Language)
    part = subset_of(task, "el2n:0.25", model, 1, CPU)
    hardness = el2n(model, task, CPU)
    count = round(0.25 * num_items(task, "train"))
    hardest = hardness.argsort(descending=True, stable=True)[:count].sort().values
    assert num_items(part, "train") == count
    whole = of_items(task, "train", hardest)
    assert torch.equal(of_items(part, "train", torch.arange(count)).inputs, whole.inputs)
    train(model, part, TrainPlan(0, 1, 1, seed=0, batch_size=8), CPU)
    with pytest.raises(DataError, match="--train-subset: the data cannot be divided"):
        subset_of(Keywords(), "random:0.5", model, 1, CPU)
    with pytest.raises(DataError, match=r"has no only\(items\).* add it .*or leave"):
        subset_of(CheckedTask(Keywords(), "mine:task"), "random:0.5", model, 1, CPU)


def test_a_persons_task_that_can_be_divided_is():
    task = CheckedTask(KINDS["tabular"]().task, "mine:task")
    part = subset_of(task, "random:0.5", KINDS["tabular"]().model, 1, CPU)
    assert isinstance(part, CheckedTask) and num_items(part, "train") == 30


class Wrong:
    """A task whose parts are not what was asked for."""

    def __init__(self, task, labels=None) -> None:
        self._task, self._labels = task, labels

    def __getattr__(self, name):
        return getattr(self._task, name)

    def only(self, items):
        return self._task

    def train_labels(self):
        return self._labels


@pytest.mark.parametrize(("labels", "words"), [
    (None, "gives a task of 60 training items, and 30 were asked for"),
    (torch.zeros(3), "train_labels.* give 60 classes"),
])  # fmt: skip
def test_a_persons_task_that_divides_wrongly_is_told(labels, words):
    kind = KINDS["tabular"]()
    task = CheckedTask(Wrong(kind.task, labels), "mine:task")
    with pytest.raises(DataError, match=words):
        subset_of(task, "random:0.5", kind.model, 1, CPU)


# ------------------------------------------------------------ steps and lengths


@pytest.mark.parametrize("steps", [1, 3, 4, 6, 100])
def test_a_training_ends_after_so_many_steps_and_has_gone_the_same_way_until_then(steps):
    def went(**changes):
        kind = KINDS["tabular"]()  # 60 items: 4 steps an epoch
        told: list[object] = []
        plan = TrainPlan(0, 2, 2, seed=1, batch_size=16, **changes)
        history = train(kind.model, kind.task, plan, CPU, monitor=Monitor(told.append))
        return kind.model.state_dict(), history, told

    weights, history, told = went(most_steps=steps)
    assert len(history) == (1 if steps <= 4 else 2)
    last = [each for each in told if isinstance(each, Progress)][-1]
    assert last.done == last.total == min(60 * (steps // 4) + 16 * (steps % 4), 120)
    whole, all_of_it, _ = went()
    same = all(torch.equal(value, whole[key]) for key, value in weights.items())
    assert same == (steps >= 8)
    if steps >= 4:
        assert history[0].loss == all_of_it[0].loss


def test_no_gradient_is_longer_than_the_clip_and_short_ones_are_left():
    def step(**changes):
        kind = KINDS["tabular"]()
        before = {n: p.detach().clone() for n, p in kind.model.named_parameters()}
        plan = TrainPlan(0, 1, 1, seed=1, batch_size=60, momentum=0, weight_decay=0, **changes)
        train(kind.model, kind.task, plan, CPU)
        moved = [(p.detach() - before[n]).flatten() for n, p in kind.model.named_parameters()]
        return torch.cat(moved) / plan.learning_rate

    free, clipped, loose = step(), step(clip_norm=0.01), step(clip_norm=1e5)
    assert float(free.norm()) > 0.02
    assert float(clipped.norm()) == pytest.approx(0.01, rel=1e-2)
    torch.testing.assert_close(clipped / clipped.norm(), free / free.norm(), atol=1e-2, rtol=0)
    assert torch.equal(free, loose)
