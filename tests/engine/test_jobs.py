"""Jobs: what names them, that no path is in any, and what each kind gives."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from strategies import values_of

from engine.checkpoints import load, preset_normalisations
from engine.contracts.codec import decode, encode
from engine.contracts.edits import Edit
from engine.contracts.errors import DataError
from engine.contracts.jobs import (
    JOBS,
    KEY_DIGITS,
    RESULTS,
    Diagnosis,
    Doctor,
    Export,
    Exported,
    Job,
    JobRequest,
    Opened,
    OpenRoot,
    Places,
    Propose,
    Proposed,
    Recipe,
    Recover,
    Recovered,
    Result,
    Trained,
    TrainFromScratch,
    Tune,
    Tuned,
    key_of,
    snapshots_needed,
)
from engine.contracts.metrics import BY_KEY, MEASURES
from engine.contracts.networks import (
    Architecture,
    DataRef,
    Execution,
    FileRef,
    NetworkRef,
    Reading,
    SnapshotRef,
)
from engine.contracts.references import ForeignFactoryError
from engine.contracts.requests import RemoveBlocks
from engine.contracts.setting_sections import ScoringSettings, SimilaritySettings, TrainingSettings
from engine.contracts.spool import result_path, snapshot_path
from engine.contracts.structure import NetworkStructure
from engine.models import build
from engine.runtime.progress import SILENT
from engine.worker.engine import HANDLERS, Engine

ARGUMENTS = {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [[4, 4, 4], [6, 5]],
             "shortcut": "A", "conv_bias": False, "num_classes": 3, "in_channels": 3}  # fmt: skip
CPU = Execution("cpu", 1, None)
RECOVER = Recover(
    parent=NetworkRef(
        Architecture("cifar_resnet", ARGUMENTS, (Edit("layer", blocks=("layer1.2",)),)),
        SnapshotRef("ab" * 32),
    ),
    edit=Edit("filter", units=(("layer1.0.conv1", (0, 3)), ("layer2.1.conv1", (1,)))),
    data=DataRef("cd" * 32, (0.5, 0.25, 0.125), (0.2, 0.2, 0.2), Reading(train_limit=3000)),
    execution=Execution("cpu", 2, None),
    training=TrainingSettings(recovery_epochs=1, tune_epochs=4),
    similarity=SimilaritySettings(),
    seed=11,
    resample_seed=12,
)


# ------------------------------------------------------------ keys


def test_the_key_of_a_job_is_the_one_it_always_had():
    """Finished work that is not stored yet is found by its key: changed, hours are done again.

    Where a change is wanted (a field that changes what a job does), put the new key here.
    """
    assert key_of(RECOVER) == "be6cbed57f0ca5472b1a909f8ce1a1c0"


def test_every_part_of_a_job_is_in_its_key():
    others = {
        "parent": [replace(RECOVER.parent, snapshot=SnapshotRef("00" * 32)),
                   replace(RECOVER.parent, architecture=Architecture("cifar_resnet", ARGUMENTS))],
        "edit": [Edit("layer", blocks=("layer1.1",)), replace(RECOVER.edit, units=())],
        "data": [replace(RECOVER.data, digest="0"), replace(RECOVER.data, reading=Reading())],
        "execution": [Execution("cpu", 1, None), Execution("cpu", 2, "bfloat16")],
        "training": [TrainingSettings(recovery_epochs=2, tune_epochs=4), TrainingSettings()],
        "similarity": [SimilaritySettings(split="test"), SimilaritySettings(num_resamples=0)],
        "seed": [0], "resample_seed": [0], "structure": [NetworkStructure()],
        "teacher": [RECOVER.parent],
    }  # fmt: skip
    assert set(others) == {each.name for each in dataclasses.fields(Recover)}
    keys = {key_of(replace(RECOVER, **{n: v})) for n, values in others.items() for v in values}
    assert len(keys) == sum(map(len, others.values())) and key_of(RECOVER) not in keys
    assert all(len(key) == KEY_DIGITS for key in keys)


@given(values_of(Job))
@settings(max_examples=100, deadline=None)
def test_a_job_that_went_to_another_process_has_the_same_key(job):
    assert key_of(JOBS.decode(json.loads(json.dumps(encode(job))))) == key_of(job)


# ------------------------------------------------------------ no path


# Every text in a job, and what it is: none of them is a path, or changes when a folder is moved.
TEXTS = {
    "OpenRoot.arch", "OpenRoot.device", "TrainFromScratch.arch", "TrainFromScratch.shortcut",
    "TrainFromScratch.device", "TrainFromScratch.output", "Recipe.optimiser", "Recipe.schedule",
    "Recipe.norms", "Doctor.device", "DescribeData.digest", "FileRef.name",
    "FileRef.sha256", "SnapshotRef.sha256", "Architecture.factory", "Architecture.arguments",
    "Edit.structure",
    "Edit.blocks", "Edit.units", "Removal.path", "Removal.how", "Slice.tensor",
    "Attribute.module", "Attribute.name", "Size.module", "Architecture.prepared",
    "Member.tensor", "Consumer.tensor", "Consumer.module", "AttributeRule.module",
    "AttributeRule.name", "SizeRule.module", "UnitGroup.path", "UnitGroup.kind", "UnitGroup.block",
    "Block.path", "Block.stage", "Block.kind", "Block.how", "Block.removal", "Block.stays",
    "Part.path", "Part.kind", "Part.how", "Part.removal",
    "TrainingSettings.optimiser", "TrainingSettings.schedule", "TrainingSettings.norms",
    "TrainingSettings.repair", "TrainingSettings.recover", "TrainingSettings.distill",
    "TrainingSettings.train_subset", "ScoringSettings.rank_by", "ScoringSettings.keep",
    "SimilaritySettings.representation", "SimilaritySettings.second",
    "NetworkStructure.frozen", "NetworkStructure.stage_sizes", "NetworkStructure.output_module",
    "DataRef.digest", "Execution.device", "Execution.autocast",
    "ScoringSettings.criterion", "ScoringSettings.layers", "ScoringSettings.units",
    "ScoringSettings.match", "ScoringSettings.allocation",
    "SimilaritySettings.measure", "SimilaritySettings.split", "RemoveBlocks.blocks",
    "RemoveUnits.allocation", "RemoveUnits.units", "RemoveTogether.blocks",
    "RemoveTogether.units", "Scores.blocks", "Scores.units",
    "DataDescription.name", "DataDescription.classes", "DataDescription.digest",
    "DataDescription.normalisation", "DataDescription.row", "NameWeights.factory",
    "NameWeights.weights",
    "DescribeStructure.arch", "DescribeStructure.output", "OpenRoot.output",
    "OpenRoot.normalisation",
    "Export.metrics",
    "Export.format", "Reading.loader", "Reading.validation_from", "DataDescription.loader",
    "OwnValidation.name", "OwnValidation.digest",
    "Factory.reference",
    "Factory.sha256",
    "CompareCriteria.criteria", "CompareCriteria.units",
}  # fmt: skip


def fields_below(kind: Any, seen: set[Any]) -> Iterator[tuple[str, Any]]:
    """(Class.field, type) of a dataclass and of those in it."""
    if kind in seen:
        return
    seen.add(kind)
    hints = typing.get_type_hints(kind)
    for each in dataclasses.fields(kind):
        yield f"{kind.__name__}.{each.name}", hints[each.name]
        for part in parts_of(hints[each.name]):
            if dataclasses.is_dataclass(part):
                yield from fields_below(part, seen)


def parts_of(hint: Any) -> Iterator[Any]:
    if typing.get_origin(hint) is typing.Literal:
        hint = str
    yield hint
    for argument in typing.get_args(hint):
        yield from parts_of(argument)


def test_no_field_of_any_job_can_hold_a_path():
    seen: set[Any] = set()
    fields = [found for kind in JOBS.members.values() for found in fields_below(kind, seen)]
    plain = {bool, int, float, str, type(None), object, ...}
    for name, hint in fields:
        for part in parts_of(hint):
            known = part in plain or dataclasses.is_dataclass(part) or typing.get_args(part)
            assert known, f"{name} holds a {part}"
    assert {name for name, hint in fields if {str, object} & set(parts_of(hint))} == TEXTS
    assert Places not in seen


@pytest.fixture
def opened_at(tmp_path):
    """Opens the same checkpoint on the same data, from a folder of that name."""
    random = np.random.default_rng(0)
    pixels, labels = random.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8), np.arange(60) % 3
    state = build("cifar_resnet", ARGUMENTS, seed=1).state_dict()

    def open_at(name: str) -> tuple[Engine, Places, Opened]:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        np.savez(folder / "noise.npz", x_train=pixels, y_train=labels, x_test=pixels,
                 y_test=labels)  # fmt: skip
        torch.save(state, folder / "net.pt")
        engine = Engine(folder / "spool")
        places = Places(str(folder / "noise.npz"), str(folder / "net.pt"), str(folder / "out.pt"))
        job = OpenRoot(FileRef("net.pt", "ef" * 32), device="cpu")
        root = engine.run(JobRequest("open", job, places=places), SILENT)
        assert isinstance(root, Opened)
        return engine, places, root

    return open_at


def grown(engine: Engine, places: Places, root: Opened) -> list[tuple[Job, Result]]:
    """A root's proposal, a candidate's recovery and its tuning, as a session asks for them."""
    done: list[tuple[Job, Result]] = []

    def do(job: Job) -> Any:
        result = engine.run(JobRequest("x", job, places=places, key=key_of(job)), SILENT)
        done.append((job, result))
        return result

    parent = NetworkRef(root.architecture, root.snapshot)
    data = DataRef(root.data.digest, root.data.mean, root.data.std)
    training = TrainingSettings(recovery_epochs=1, tune_epochs=2, batch_size=16)
    scoring = ScoringSettings(criterion_samples=4)
    proposed: Proposed = do(Propose(parent, data, CPU, scoring, seed=1))
    edit = proposed.edits[0]
    measured = SimilaritySettings(num_resamples=3)
    recovered: Recovered = do(Recover(parent, edit, data, CPU, training, measured, 2, 3))
    child = Architecture(root.architecture.factory, root.architecture.arguments, (edit,))
    tuned: Tuned = do(Tune(NetworkRef(child, recovered.snapshot), data, CPU, training, seed=4))
    metrics = {"val_accuracy": tuned.metrics["val_accuracy"]}
    do(Export(NetworkRef(child, tuned.snapshot), root.data, metrics))
    return done


TIMED = {"latency_ms", "latency_ratio", "latency_ratio_low", "latency_ratio_high"}


def without_times(result: Result) -> Result:
    changes: dict[str, Any] = {"seconds": 0.0}
    if isinstance(result, Recovered | Tuned | Opened):
        changes["metrics"] = {k: v for k, v in result.metrics.items() if k not in TIMED}
    if isinstance(result, Recovered | Tuned):
        changes["epochs"] = tuple(replace(e, images_per_second=0.0) for e in result.epochs)
    return replace(result, **changes)


def test_where_store_data_and_checkpoint_lie_changes_neither_keys_nor_results(opened_at, tmp_path):
    here, there = opened_at("here"), opened_at("far/away")
    assert without_times(here[2]) == without_times(there[2])
    jobs, moved = grown(*here), grown(*there)
    for (job, result), (other, moved_result) in zip(jobs, moved, strict=True):
        assert job == other and key_of(job) == key_of(other)
        assert without_times(result) == without_times(moved_result)
        assert str(tmp_path) not in json.dumps(encode(job)) + json.dumps(encode(result))
    assert str(tmp_path) not in json.dumps(encode(here[2]))


def test_data_that_are_not_those_of_the_job_are_refused(opened_at, tmp_path):
    engine, places, root = opened_at("here")
    pixels = np.zeros((60, 8, 8, 3), np.uint8)
    labels = np.arange(60) % 3
    np.savez(tmp_path / "other.npz", x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    with pytest.raises(DataError, match=r"other\.npz is not the data that this tree was grown on"):
        grown(engine, replace(places, data=str(tmp_path / "other.npz")), root)


# ------------------------------------------------------------ doing them


def test_every_kind_of_job_has_a_handler_and_every_result_a_job():
    assert set(HANDLERS) == set(JOBS.members.values()) == set(typing.get_args(Job))
    given = {typing.get_type_hints(handler)["return"] for handler in HANDLERS.values()}
    assert given == set(RESULTS.members.values())


def test_jobs_give_the_results_they_promise_and_keep_them_under_their_keys(opened_at):
    engine, places, root = opened_at("here")
    done = grown(engine, places, root)
    assert [type(r) for _, r in done] == [Proposed, Recovered, Tuned, Exported]
    for job, result in done:
        assert result.seconds > 0
        kept = json.loads(result_path(engine.bench.spool, key_of(job)).read_text())
        assert RESULTS.decode(kept) == result
        for ref in (*snapshots_needed(job), *([result.snapshot] if "snapshot" in kept else [])):
            assert snapshot_path(engine.bench.spool, ref.sha256).exists()
    exported = load(places.output)
    assert exported.architecture == done[-1][0].network.architecture
    assert exported.data == root.data and exported.metrics.keys() == {"val_accuracy"}
    # The root was without a key: it is stored at once, or not at all.
    assert len(list(engine.bench.spool.glob("*.json"))) == len(done)


def test_every_number_that_a_job_measures_is_described(opened_at):
    engine, places, root = opened_at("here")
    results = [root, *(result for _, result in grown(engine, places, root))]
    measured = {key for result in results for key in getattr(result, "metrics", ())}
    assert measured <= set(BY_KEY) and {"similarity", "latency_ms", "test_accuracy"} <= measured
    assert len(BY_KEY) == len(MEASURES) and len({m.title for m in MEASURES}) == len(MEASURES)
    assert all(measure.text(1234.5) and measure.text(None, "–") == "–" for measure in MEASURES)


def test_training_from_scratch_writes_a_checkpoint_that_can_be_opened(tmp_path, opened_at):
    engine, places, _ = opened_at("here")
    recipe = Recipe(epochs=1, batch_size=16)
    job = TrainFromScratch("resnet8", recipe, width=2, device="cpu", threads=1)
    trained = engine.run(JobRequest("t", job, places=replace(places, checkpoint="")), SILENT)
    assert isinstance(trained, Trained)
    written = load(places.output)
    assert written.data == trained.data and written.metrics.keys() >= {"val_accuracy", "macs"}
    content = torch.load(places.output, weights_only=True)
    assert decode(Recipe, content["metrics"]["recipe"]) == recipe


def test_the_doctor_says_what_a_node_depends_on(tmp_path):
    found = Engine(tmp_path).run(JobRequest("d", Doctor("cpu")), SILENT)
    assert isinstance(found, Diagnosis)
    assert found.environment.device == "cpu" and found.environment.torch == str(torch.__version__)
    assert found.environment.execution.num_threads == found.environment.num_threads >= 1


def test_a_factory_that_a_store_names_is_not_called(opened_at):
    engine, places, root = opened_at("here")
    foreign = NetworkRef(Architecture("os:getcwd"), root.snapshot)
    data = DataRef(root.data.digest, root.data.mean, root.data.std)
    job = Propose(foreign, data, CPU, ScoringSettings(), seed=1, request=RemoveBlocks())
    with pytest.raises(ForeignFactoryError, match="refused to call the factory 'os:getcwd'"):
        engine.run(JobRequest("p", job, places=places), SILENT)


def test_a_job_needs_the_weights_of_its_network_alone():
    assert snapshots_needed(RECOVER) == (SnapshotRef("ab" * 32),)
    assert snapshots_needed(Doctor()) == ()
    assert snapshots_needed(OpenRoot(FileRef("a.pt", "b"))) == ()


def test_a_preset_of_the_normalisation_is_kept_by_name(opened_at):
    _, places, root = opened_at("here")
    assert root.data.normalisation in {*preset_normalisations(), "noise statistics"}
    assert Path(places.data).stem == root.data.name  # the name of the data, not where they lie
