"""A scripted executor that can be asked how quickly it is: always equally."""

from __future__ import annotations

from dataclasses import replace

from scripted import ARGUMENTS, DIGEST, ROOT_MACS, ScriptedExecutor

from engine.contracts.doubts import Doubt
from engine.contracts.jobs import DataDescribed, Opened
from engine.contracts.networks import DataDescription, Environment
from engine.contracts.speed import CandidateCost, SpeedMeasured
from engine.contracts.structure import NetworkStructure
from explorer.views.network_structure import structure_of_arguments

COUNTS = {"num_train": 45_000, "num_validation": 5_000, "num_test": 10_000,
          "image_shape": (32, 32, 3), "normalisation": "cifar10"}  # fmt: skip
DOUBT = Doubt("doubtful-scaling", "two ways to scale images fit equally well: cifar10 is taken")


def structure() -> NetworkStructure:
    found = structure_of_arguments({"factory": "cifar_resnet", "arguments": ARGUMENTS})
    assert found is not None
    return replace(found, read_off=True)


class PlannedExecutor(ScriptedExecutor):
    """Says of each measurement what a small machine would; exact KL takes its time."""

    def _open(self, node, request, on_event) -> Opened:
        opened = super()._open(node, request, on_event)
        return replace(
            opened,
            data=_with_counts(opened.data, request.job.reading.train_limit),
            environment=Environment("cpu", 2, None, candidates_at_once=2),
            structure=structure(),
            notes=("read as resnet56: its tensors fit no other", *(d.words for d in self.doubts)),
        )

    def _data(self, node, request, on_event) -> DataDescribed:
        found = _with_counts(DataDescription("cifar10"), request.job.reading.train_limit)
        return DataDescribed(replace(found, digest=request.job.digest or DIGEST))

    def _speed(self, node, request, on_event) -> SpeedMeasured:
        job = request.job
        slower = 2 if job.training.optimiser == "adamw" else 1
        if job.beside_another:
            return SpeedMeasured(100 / slower, 400, 0.5)
        return SpeedMeasured(
            150 / slower, 600, 0.5,
            ranking_seconds=1.0,
            ranking_seconds_per_item=0.4 if job.scoring.criterion == "kl" else 0.05,
            compare_seconds_per_row=1e-5, resample_seconds_per_row=1e-6,
            latency_seconds=0.3, edit_seconds=0.1,
            candidates=(
                CandidateCost("layer", int(0.96 * ROOT_MACS), 800_000),
                CandidateCost("filter", int(0.92 * ROOT_MACS), 790_000),
            ),
        )  # fmt: skip


def _with_counts(data: DataDescription, limit: int | None) -> DataDescription:
    counts = {**COUNTS, "num_train": min(COUNTS["num_train"], limit or 10**9)}
    return replace(data, **counts)
