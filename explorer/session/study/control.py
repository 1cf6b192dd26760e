"""The row that keeps a study honest: the unpruned root with the same further training.

Each step of a way trains its network for a whole schedule. The root gets as many schedules, one
after the other, from its own weights; what it measures then are evaluations of the root, whose
weights are not kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from engine.contracts import seeds
from engine.contracts.codec import encode
from engine.contracts.jobs import Tune, Tuned, key_of
from engine.contracts.json_values import JsonObject
from engine.contracts.networks import NetworkRef
from engine.contracts.setting_sections import TrainingSettings
from explorer.session.session import Session
from store import Evaluation, Node, TreeStore

KIND = "further training"
_OF_THE_CUT = ("repair", "recover", "distill", "train_subset", "recovery_steps", "hopeless")


@dataclass(frozen=True)
class Trained:
    """The root after so many steps' further training."""

    step: int
    epochs: int
    metrics: dict[str, float]


def training_of(training: TrainingSettings) -> TrainingSettings:
    """How the root is trained: all epochs of a step in one go, all weights, all images; nothing
    that is about a network from which something was cut."""
    usual = TrainingSettings()
    return replace(
        training,
        recovery_epochs=0,
        tune_epochs=training.total_epochs,
        **{name: getattr(usual, name) for name in _OF_THE_CUT},
    )


def trained(
    store: TreeStore, root: Node, training: TrainingSettings, seed: int
) -> dict[int, Trained]:
    """What is stored of a root's further training, by steps."""
    how = training_of(training)
    steps = {}
    for each in store.evaluations(root.id):
        if each.kind != KIND:
            continue
        step = each.settings.get("step")
        if isinstance(step, int) and each.settings == _settings(how, seed, step):
            steps[step] = Trained(step, step * how.total_epochs, dict(each.metrics))
    return steps


async def train(
    session: Session, training: TrainingSettings, steps: int, seed: int
) -> Sequence[Evaluation]:
    """The root after 1, 2, … `steps` schedules; what is stored already is not done again.

    Raises JobFailedError.
    """
    root, store = session.node("R"), session.store
    if steps <= max(trained(store, root, training, seed), default=0):
        return ()
    how, jobs = training_of(training), session.jobs
    network: NetworkRef = jobs.network(root, "root")
    added, results = [], []
    for step in range(1, steps + 1):
        job = Tune(
            network=network,
            data=session.document.data_ref,
            execution=session.document.environment.execution,
            training=how,
            seed=seeds.derive(seed, "R", KIND, step),
        )
        result = cast(Tuned, await jobs.do(job, key_of(job), root))
        results.append((key_of(job), result))
        added.append(
            store.add_evaluation(root.id, "root", KIND, _settings(how, seed, step), result.metrics)
        )
        network = NetworkRef(network.architecture, result.snapshot)
    for key, result in results:  # only now: until here the next step, or the next start, needs them
        session.artifacts.forget(key, result.snapshot)
    return added


def _settings(how: TrainingSettings, seed: int, step: int) -> JsonObject:
    return {"training": encode(how, defaults=False), "seed": seed, "step": step}
