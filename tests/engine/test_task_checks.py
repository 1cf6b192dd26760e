"""A person's task is input from outside: what is wrong with it is told with the way on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from task_networks import Keywords, Language, Tabular, made, text, windows

from engine.checkpoints.task_fit import check_answers
from engine.contracts.errors import DataError
from engine.tasks import Batch, Task
from engine.tasks.checking import CheckedTask


class Odd:
    """A task of three classes, one thing about it changed."""

    def __init__(self, **changes) -> None:
        self._task, self._changes = Keywords(), changes

    def describe(self):
        about = self._task.describe()
        if "about" in self._changes:
            return self._changes["about"](about)
        return about

    def sample(self, per_class, seed):
        return self._changes.get("sample", torch.arange(3))

    def batches(self, split, size, items=None):
        change = self._changes.get("batch", lambda batch: batch)
        yield from map(change, self._task.batches(split, size, items))

    def training_batches(self, sizes, draw):
        yield from list(self.batches("train", max(sizes)))[: self._changes.get("most", 99)]


def raising(error):
    raise error


def used(task: Task) -> None:
    """As the engine uses one."""
    checked = CheckedTask(task, "mine:task")
    checked.sample(3, 0)
    list(checked.batches("validation", 4))
    list(checked.batches("train", 2, torch.tensor([5, 3, 9])))
    list(checked.training_batches([5, 5, 5, 5], torch.Generator()))


def changed(**fields):
    """A batch with other fields, made of its own by functions."""
    return lambda b: Batch(*(fields.get(name, lambda v: v)(getattr(b, name))
                             for name in ("inputs", "targets", "items_B")))  # fmt: skip


def test_what_a_right_task_gives_is_passed_on():
    used(Odd())
    used(windows())
    used(Keywords())


@pytest.mark.parametrize(("changes", "words"), [
    ({"about": lambda a: {"name": "x"}}, r"describe\(\) of the task mine:task gives .*Description"),
    ({"about": lambda a: replace(a, num_test=0)}, "says num_test is 0; a split needs one"),
    ({"about": lambda a: replace(a, num_train=2.5)}, "says num_train is 2.5"),
    ({"about": lambda a: replace(a, digest="")}, "says the digest is ''; give the SHA-256"),
    ({"about": lambda a: replace(a, digest=b"0" * 64)}, "says the digest is"),
    ({"about": lambda a: replace(a, row="<b>")}, "calls a row '<b>'"),
    ({"about": lambda a: replace(a, classes=())}, "names 0 classes"),
    ({"about": lambda a: 1 / 0}, r"describe\(\) .*fails \(ZeroDivisionError: division by zero\)"),
    ({"sample": [1, 2]}, r"sample\(\) .*int64 \(B,\)"),
    ({"sample": torch.tensor([1, 20])}, "names items from 1 to 20; there are 20"),
    ({"sample": torch.tensor([], dtype=torch.int64)}, "gives no items"),
    ({"batch": lambda b: (b.inputs, b.targets)}, r"give a Batch\(inputs, targets, items\)"),
    ({"batch": changed(inputs=lambda v: {"numbers": [1]})}, "give tensors"),
    ({"batch": changed(inputs=lambda v: {})}, "give tensors"),
    ({"batch": changed(inputs=lambda v: v["numbers"].double())}, "of torch.float64"),
    ({"batch": changed(inputs=lambda v: v["numbers"][1:])}, "inputs of shape 3×4 in a batch of 4"),
    ({"batch": changed(targets=lambda v: v.float())}, "give torch.int64"),
    ({"batch": changed(targets=lambda v: v + 1)}, "from 1 to 3; there are 3 classes, 0 to 2"),
    ({"batch": changed(targets=lambda v: v - 100)}, "targets from -100"),
    ({"batch": changed(targets=lambda v: torch.full((len(v), 2), -100))}, "asks nothing"),
    ({"batch": changed(targets=lambda v: v[1:])}, "targets of shape 3 in a batch of 4"),
    ({"batch": changed(items_B=lambda v: v.flip(0))}, "other items in batch 1"),
    ({"batch": lambda b: raising(KeyError("gone"))}, r"batches\(\) .*fails \(KeyError: 'gone'\)"),
    ({"batch": lambda b: raising(StopIteration())}, r"batches\(\) .*ends too early"),
    ({"most": 3}, r"training_batches\(\) .*ends too early"),
])  # fmt: skip
def test_what_is_wrong_with_a_task_is_told(changes, words):
    with pytest.raises(DataError, match=words):
        used(Odd(**changes))


@pytest.mark.parametrize("task", [None, 7, Keywords, torch.zeros(3), object()])
def test_what_is_no_task_at_all_is_told(task):
    with pytest.raises(DataError, match=r"docs/tasks.md|fails"):
        CheckedTask(task, "mine:task")


def test_a_network_that_answers_something_else_is_told():
    check_answers(made(Tabular), windows())
    check_answers(made(Language), text())
    with pytest.raises(DataError, match=r"called with 2×6 \(RuntimeError: .*whose items it takes"):
        check_answers(made(Tabular), text())
    pooled = torch.nn.Sequential(made(Language), torch.nn.AdaptiveAvgPool1d(7))
    with pytest.raises(DataError, match="gives 2×6×7 numbers, and the task asks for 2×6×11: a "
                       "score for each token and class"):  # fmt: skip
        check_answers(pooled, text())
