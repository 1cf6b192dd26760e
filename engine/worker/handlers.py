"""The kinds of work that a session asks for, as functions from JSON values to JSON values.

Each job says everything it needs: the network (architecture and a snapshot file), the settings,
the seeds. So it can be retried, cancelled, and run by another process or machine. Tensors travel
as safetensors files in a spool folder, named by the SHA-256 of their bytes.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from engine.checkpoints import LoadedNetwork, normalisation
from engine.checkpoints import load as load_checkpoint
from engine.checkpoints import write as checkpoint
from engine.contracts import seeds
from engine.contracts.edits import Edit
from engine.contracts.errors import DataError, DataNotNamedError, EngineError
from engine.contracts.settings import Settings
from engine.data import ImageData, Images, load
from engine.data.sources import KNOWN_NAMES
from engine.data.splits import sample_per_class
from engine.measures.accuracy import Evaluation, evaluate
from engine.measures.cost import cost_of
from engine.measures.latency import latencies_ms, latency_ms
from engine.measures.similarity import SIMILARITIES, resampled
from engine.models import FAMILIES
from engine.models.cifar_resnet import CifarResNet, arguments_of
from engine.pruning import candidates
from engine.pruning import requests as wishes
from engine.pruning import surgery as edits
from engine.pruning.criteria import CRITERIA, Scores
from engine.pruning.structure import structure_of
from engine.runtime import device
from engine.runtime.device import Execution
from engine.runtime.progress import Monitor
from engine.training.finetune import TrainPlan, train
from engine.training.from_scratch import Recipe, train_network

Job = Mapping[str, Any]
Result = dict[str, Any]


class Engine:
    """Runs jobs one after the other; keeps the data set and the last parent's features at hand."""

    def __init__(self, spool: Path) -> None:
        self.spool = spool
        self._data: tuple[object, ImageData] | None = None
        self._features: tuple[object, Evaluation] | None = None

    def run(self, job: Job, monitor: Monitor) -> Result:
        """The result of a job. Raises EngineError and its children, and Cancelled."""
        kinds: dict[str, Callable[[Job, Monitor], Result]] = {
            "open": self.open_root,
            "propose": self.propose,
            "recover": self.recover,
            "tune": self.tune,
            "train": self.train,
            "export": self.export,
            "doctor": self.doctor,
        }
        started = time.perf_counter()
        result = kinds[job["kind"]](job, monitor)
        result["seconds"] = round(time.perf_counter() - started, 3)
        if "key" in job:
            # Finished work outlives a session that dies before it has stored it.
            content = json.dumps(result)
            path = self.spool / f"{job['key']}.json"
            self.spool.mkdir(parents=True, exist_ok=True)
            checkpoint.write_atomically(path, lambda p: p.write_text(content))
        return result

    # ------------------------------------------------------------ jobs

    def open_root(self, job: Job, monitor: Monitor) -> Result:
        """A checkpoint as the root of a tree: what it is, how good it is on these data."""
        execution = _set_up(job.get("execution"), job.get("device", "auto"))
        settings = Settings.from_dict(job["settings"])
        loaded = load_checkpoint(
            job["path"], arch=job.get("arch"), trust_pickle=job.get("trust_pickle", False)
        )
        for note in loaded.notes:
            monitor.tell("note", text=note)
        architecture = _known_architecture(loaded)
        settings = replace(settings, data=settings.data or _source_of(loaded))
        data = self._dataset(settings, None, monitor)
        normalisation.check_fit(architecture, loaded.data, data)
        chosen = normalisation.choose(loaded, data, execution, monitor)
        data = data.with_normalisation(chosen.mean, chosen.std)
        validation = evaluate(
            loaded.model, data.validation, data, execution, monitor=monitor, phase="validation"
        )
        doubts = (
            *normalisation.notes_on_splits(data),
            *normalisation.notes_on_accuracy(validation.accuracy, data),
        )
        for note in doubts:
            monitor.tell("note", text=note)
        test = evaluate(loaded.model, data.test, data, execution, monitor=monitor, phase="test")
        cost = cost_of(loaded.model, data.image_shape_HWC)
        return {
            "architecture": architecture,
            "snapshot": self._spooled(loaded.model),
            "data": {**data.describe(), "normalisation": chosen.name},
            "source": settings.data,
            "environment": device.fingerprint(execution),
            "notes": [*loaded.notes, *chosen.notes, *doubts],
            "checkpoint": {"name": Path(job["path"]).name, "sha256": loaded.digest},
            "metrics": {
                "val_accuracy": validation.accuracy,
                "val_loss": validation.loss,
                "test_accuracy": test.accuracy,
                "macs": cost.num_macs,
                "params": cost.num_params,
                "latency_ms": latency_ms(loaded.model, data.image_shape_HWC, execution),
            },
        }

    def propose(self, job: Job, monitor: Monitor) -> Result:
        """The scores of a parent's structures, and one edit for each candidate, or for a wish."""
        execution, settings, data = self._context(job, monitor)
        parent = self._network(job["parent"])
        wish = job.get("wish")
        told: dict[str, Any] = {}
        if wish is not None:
            wishes.check(wish, parent)
            told["wish"] = dict(wish)
        if job.get("scores") is not None:
            scores = Scores.from_dict(job["scores"], parent)
        else:
            labels_N = data.train.labels_N.numpy()
            sample_ids = sample_per_class(labels_N, settings.criterion_samples, job["seed"])
            images = data.train.take(torch.from_numpy(sample_ids))
            scores = CRITERIA[settings.criterion](parent, images, data, execution, monitor)
            told["sample_ids"] = sorted(int(i) for i in sample_ids)
        about = (scores, settings, data.image_shape_HWC, seeds.derive(job["seed"], "filters"))
        if wish is not None:
            proposed = [wishes.edit_of(wish, parent, *about)]
        else:
            proposed = candidates.propose(parent, *about)
        return {
            **told,
            "criterion": settings.criterion,
            "scores": scores.as_dict(),
            "edits": [edit.as_dict() for edit in proposed],
        }

    def recover(self, job: Job, monitor: Monitor) -> Result:
        """A candidate: the edit applied, recovered, measured and compared to its parent."""
        execution, settings, data = self._context(job, monitor)
        parent = self._network(job["parent"])
        model = edits.apply(Edit.from_dict(job["edit"]), parent)
        cost = cost_of(model, data.image_shape_HWC)
        split = data.test if settings.similarity_split == "test" else data.validation
        reference = self._parent_features(job["parent"], parent, split, data, execution, monitor)
        before = evaluate(
            model, data.validation, data, execution, monitor=monitor, phase="before recovery"
        )
        plan = _plan(settings, job["seed"], 0, settings.recovery_epochs)
        history = train(model, data, plan, execution, monitor=monitor, phase="recovery")
        validation = evaluate(
            model, data.validation, data, execution, monitor=monitor, phase="validation"
        )
        compared = validation
        if split is data.test:
            compared = evaluate(model, split, data, execution, monitor=monitor, phase="comparing")
        measure = SIMILARITIES[settings.similarity]
        own_ms, parents_ms = latencies_ms([model, parent], data.image_shape_HWC, execution)
        return {
            "snapshot": self._spooled(model),
            "epochs": [figures.as_dict() for figures in history],
            "resamples": resampled(
                measure,
                reference.features_ND,
                compared.features_ND,
                settings.num_resamples,
                job["resample_seed"],
            ),
            "metrics": {
                "similarity": measure(reference.features_ND, compared.features_ND, None),
                "val_accuracy_before": before.accuracy,
                "val_accuracy": validation.accuracy,
                "val_loss": validation.loss,
                "macs": cost.num_macs,
                "params": cost.num_params,
                "latency_ms": own_ms,
                "latency_ratio": own_ms / parents_ms,
            },
        }

    def tune(self, job: Job, monitor: Monitor) -> Result:
        """A kept node after the remaining epochs; test accuracy is measured here, to report."""
        execution, settings, data = self._context(job, monitor)
        model = self._network(job["node"])
        plan = _plan(settings, job["seed"], settings.recovery_epochs, settings.total_epochs)
        history = train(model, data, plan, execution, monitor=monitor, phase="tuning")
        validation = evaluate(
            model, data.validation, data, execution, monitor=monitor, phase="validation"
        )
        test = evaluate(model, data.test, data, execution, monitor=monitor, phase="test")
        return {
            "snapshot": self._spooled(model),
            "epochs": [figures.as_dict() for figures in history],
            "metrics": {
                "val_accuracy": validation.accuracy,
                "val_loss": validation.loss,
                "test_accuracy": test.accuracy,
            },
        }

    def train(self, job: Job, monitor: Monitor) -> Result:
        """A network trained from scratch and written as a checkpoint."""
        from engine.models import architecture_of_name

        execution = _set_up(None, job.get("device", "auto"), job.get("threads"))
        data = self._dataset(Settings.from_dict(job["settings"]), None, monitor)
        architecture = architecture_of_name(
            job["arch"],
            width=job["width"],
            shortcut=job["shortcut"],
            num_classes=len(data.classes),
            in_channels=data.image_shape_HWC[2],
        )
        metrics = train_network(
            architecture, data, Recipe(**job["recipe"]), execution, Path(job["destination"]),
            monitor=monitor,
        )  # fmt: skip
        return {"metrics": metrics, "path": job["destination"], "data": data.describe()}

    def export(self, job: Job, monitor: Monitor) -> Result:
        """A node written as a checkpoint of our own format."""
        model = self._network(job["node"])
        destination = Path(job["destination"])
        checkpoint.save(
            destination,
            job["node"]["architecture"],
            model.state_dict(),
            job["data"],
            job["metrics"],
        )
        return {"path": str(destination), "size_bytes": destination.stat().st_size}

    def doctor(self, job: Job, monitor: Monitor) -> Result:
        """What this machine can do and which rules follow from it."""
        execution = _set_up(None, job.get("device", "auto"))
        return {**device.fingerprint(execution), "cuda_devices": torch.cuda.device_count()}

    # ------------------------------------------------------------ what jobs share

    def _context(self, job: Job, monitor: Monitor) -> tuple[Execution, Settings, ImageData]:
        execution = _set_up(job["execution"])
        settings = Settings.from_dict(job["settings"])
        data = self._dataset(settings, job["data"], monitor)
        about = job["data"]
        return execution, settings, data.with_normalisation(about["mean"], about["std"])

    def _dataset(
        self, settings: Settings, expected: Mapping[str, Any] | None, monitor: Monitor
    ) -> ImageData:
        key = (settings.data, settings.train_limit)
        if self._data is None or self._data[0] != key:
            self._data = None
            data = load(settings.data, train_limit=settings.train_limit, on_progress=monitor.step)
            self._data = (key, data)
        data = self._data[1]
        if expected is not None and expected["digest"] != data.digest:
            raise DataError(
                f"{settings.data} is not the data that this tree was grown on (its images or "
                "labels differ); bring back the original, or start a new tree"
            )
        return data

    def _parent_features(
        self,
        reference: Mapping[str, Any],
        parent: nn.Module,
        split: Images,
        data: ImageData,
        execution: Execution,
        monitor: Monitor,
    ) -> Evaluation:
        key = (reference["snapshot"]["sha256"], reference["architecture"], data.digest,
               data.mean, data.std, split is data.test, execution)  # fmt: skip
        if self._features is None or self._features[0] != key:
            phase = "parent's features"
            features = evaluate(parent, split, data, execution, monitor=monitor, phase=phase)
            self._features = (key, features)
        return self._features[1]

    def _network(self, reference: Mapping[str, Any]) -> nn.Module:
        architecture = reference["architecture"]
        if architecture["factory"] not in FAMILIES:
            # A store may come from anywhere, and a factory by reference is code to be run.
            raise EngineError(f"refused to call the factory {architecture['factory']!r} of a store")
        model = edits.rebuild(architecture)
        state = safetensors.torch.load_file(reference["snapshot"]["path"])
        model.load_state_dict(state)
        return model

    def _spooled(self, model: nn.Module) -> dict[str, str]:
        """Writes the model's tensors to the spool folder and names them by their hash."""
        state: dict[str, Tensor] = {
            key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()
        }
        content = safetensors.torch.save(state)
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.spool / f"{sha256}.safetensors"
        self.spool.mkdir(parents=True, exist_ok=True)
        checkpoint.write_atomically(path, lambda p: p.write_bytes(content))
        return {"path": str(path), "sha256": sha256}


def _known_architecture(loaded: LoadedNetwork) -> dict[str, Any]:
    """The architecture in terms of a family of ours, whatever factory made the network."""
    architecture = loaded.architecture
    if architecture["factory"] in FAMILIES:
        return architecture
    if not isinstance(loaded.model, CifarResNet):
        structure_of(loaded.model)  # raises, saying which networks are known
        raise AssertionError("a structure without a family")
    return {"factory": "cifar_resnet", "arguments": arguments_of(loaded.model), "edits": []}


def _source_of(loaded: LoadedNetwork) -> str:
    """The data that a checkpoint names, where that name alone finds them."""
    name = (loaded.data or {}).get("name")
    if name in KNOWN_NAMES:
        return str(name)
    told = f" (it was trained on {name!r})" if name else ""
    raise DataNotNamedError(
        f"the checkpoint does not say where its data are{told}; give them with --data NAME, "
        "a folder or .zip of train/<class>/* and test/<class>/*, or an .npz"
    )


def _plan(settings: Settings, seed: int, first_epoch: int, last_epoch: int) -> TrainPlan:
    return TrainPlan(
        first_epoch=first_epoch,
        last_epoch=last_epoch,
        total_epochs=max(1, settings.total_epochs),
        seed=seed,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        weight_decay=settings.weight_decay,
    )


def _set_up(
    execution: Mapping[str, Any] | None, wanted: str = "auto", threads: int | None = None
) -> Execution:
    chosen = device.choose(wanted, threads)
    if execution is not None:
        # Bits depend on threads and dtype: a resumed run keeps what it was started with.
        device.choose(execution["device"])  # raises where that device is gone
        chosen = replace(chosen, **execution)
    device.apply(chosen)
    return chosen
