"""The codec: everything that crosses a process or lies in a file comes back as it went."""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import values_of

from engine.contracts.codec import (
    FormatError,
    content_hash,
    decode,
    encode,
    encode_object,
)
from engine.contracts.edits import Edit
from engine.contracts.events import ENGINE_EVENTS, EngineEvent, Progress, WorkerReady
from engine.contracts.jobs import (
    JOBS,
    RESULTS,
    DescribeData,
    Doctor,
    Epoch,
    Job,
    JobRequest,
    Proposed,
    Recovered,
    Result,
)
from engine.contracts.json_values import JsonObject
from engine.contracts.messages import COMMANDS, MESSAGES, Command, Message, RunJob, Told
from engine.contracts.networks import (
    Architecture,
    DataDescription,
    DataRef,
    Environment,
    NetworkRef,
    Reading,
    Scores,
    SnapshotRef,
)
from engine.contracts.requests import BranchRequest, EditRequest, RemoveBlocks, RemoveUnits
from engine.contracts.settings import Settings

UNIONS = {
    "job": (JOBS, Job), "result": (RESULTS, Result), "event": (ENGINE_EVENTS, EngineEvent),
    "command": (COMMANDS, Command), "message": (MESSAGES, Message),
}  # fmt: skip
MEMBERS = [(union, kind) for name, (union, _) in UNIONS.items() for kind in union.members.values()]
of_every_member = pytest.mark.parametrize(
    ("union", "kind"), MEMBERS, ids=[kind.__name__ for _, kind in MEMBERS]
)
DOCUMENTS = [Settings, JobRequest, DataDescription, Environment, NetworkRef, BranchRequest]


def through_json(value: object) -> object:
    return json.loads(json.dumps(encode(value)))


# ------------------------------------------------------------ there and back


@of_every_member
@given(drawn=st.data())
@settings(max_examples=25, deadline=None)
def test_every_job_result_event_command_and_message_comes_back_as_it_went(union, kind, drawn):
    value = drawn.draw(values_of(kind))
    again = union.decode(through_json(value))
    assert type(again) is kind
    assert repr(again) == repr(value)  # as text, for NaN is not equal to itself


@pytest.mark.parametrize("kind", DOCUMENTS, ids=lambda kind: kind.__name__)
@given(drawn=st.data())
@settings(max_examples=25, deadline=None)
def test_every_other_document_comes_back_as_it_went(kind, drawn):
    value = drawn.draw(values_of(kind))
    assert repr(decode(kind, through_json(value))) == repr(value)


@pytest.mark.parametrize("name", UNIONS)
def test_a_union_reads_every_member_that_its_type_has(name):
    union, written = UNIONS[name]
    assert set(union.members.values()) == set(typing.get_args(written))
    assert all(key == kind.KIND for key, kind in union.members.items())


def test_figures_that_are_no_numbers_survive():
    epoch = Epoch(0, math.nan, math.inf, -math.inf, 0.1 + 0.2)
    again = decode(Epoch, through_json(epoch))
    assert math.isnan(again.loss) and again.accuracy == math.inf
    assert again.learning_rate == -math.inf and again.images_per_second == 0.1 + 0.2
    metrics = Recovered(SnapshotRef("a"), (), (math.nan, 1.0), {"similarity": math.nan})
    found = RESULTS.decode(through_json(metrics))
    assert isinstance(found, Recovered) and math.isnan(found.metrics["similarity"])


def test_whole_numbers_are_read_as_the_numbers_of_their_field():
    ref = decode(DataRef, {"digest": "d", "mean": [0, 1], "std": [1, 1]})
    assert repr(ref.mean) == "(0.0, 1.0)" and hash(ref) == hash(
        DataRef("d", (0.0, 1.0), (1.0, 1.0))
    )


def test_a_kind_stands_first_for_whoever_reads_the_lines_by_eye():
    assert list(encode_object(Told(WorkerReady()))) == ["kind", "event", "job_id"]
    assert encode(WorkerReady()) == {"kind": "ready"}
    assert encode(DataRef("d", (), ())) == {
        "digest": "d", "mean": [], "std": [], "train_limit": None, "image_size": None,
        "resize": None, "loader": "memory", "transforms": None, "validation_from": "data",
    }  # fmt: skip


def test_how_images_are_read_stands_among_the_fields_of_a_job_as_it_always_did():
    job = DescribeData("d", Reading(train_limit=30, loader="streaming"))
    told = {"kind": "data", "digest": "d", "train_limit": 30, "loader": "streaming"}
    assert encode(job, defaults=False) == told
    assert JOBS.decode(told) == JOBS.decode(through_json(job)) == job
    assert JOBS.decode({"kind": "data", "digest": "d"}) == DescribeData("d")
    with pytest.raises(FormatError, match=r"^data\.train_limit is '30', not a whole number$"):
        JOBS.decode({**told, "train_limit": "30"})


@pytest.mark.parametrize("value", [object(), {1, 2}, Doctor, lambda: None])
def test_what_has_no_form_in_json_is_a_fault_of_ours(value):
    with pytest.raises(TypeError, match="has no form in JSON"):
        encode({"a": [value]})


# ------------------------------------------------------------ older and newer documents


@of_every_member
@given(drawn=st.data())
@settings(max_examples=10, deadline=None)
def test_missing_fields_take_their_defaults_and_unknown_ones_pass(union, kind, drawn):
    value = drawn.draw(values_of(kind))
    missing = dataclasses.MISSING
    bare = {
        each.name: getattr(value, each.name)
        for each in dataclasses.fields(kind)
        if each.default is missing and each.default_factory is missing
    }
    written = {name: encode(item) for name, item in bare.items()}
    newer = {"kind": kind.KIND, **written, "from_the_future": {"kind": "?"}}
    assert repr(union.decode(newer)) == repr(kind(**bare))


def test_an_older_document_keeps_what_it_says():
    old = {"num_threads": 4, "torch": "2.1", "instruction_set": "AVX2", "fingerprint": 7}
    assert decode(Environment, old) == Environment(
        num_threads=4, torch="2.1", instruction_set="AVX2"
    )


# ------------------------------------------------------------ what is wrong with a document


@dataclass(frozen=True)
class Every:
    """A field of each type that a document can have."""

    flag: bool = False
    count: int = 0
    share: float = 0.0
    name: str = ""
    side: Literal["left", 3] = "left"
    limit: int | None = None
    rows: tuple[float, ...] = ()
    pair: tuple[int, str] = (0, "")
    by_name: dict[str, tuple[int, ...]] = field(default_factory=dict)
    items: list[int] = field(default_factory=list)
    inner: SnapshotRef | None = None
    edit: Edit | None = None
    request: EditRequest | None = None
    either: Literal["all"] | DataRef = "all"
    free: JsonObject = field(default_factory=dict)


@pytest.mark.parametrize(("name", "value", "words"), [
    ("flag", 1, "Every.flag is 1, not true or false"),
    ("count", True, "Every.count is True, not a whole number"),
    ("count", 1.0, "Every.count is 1.0, not a whole number"),
    ("count", None, "Every.count is None, not a whole number"),
    ("share", "0.5", "Every.share is '0.5', not a number"),
    ("share", False, "Every.share is False, not a number"),
    ("share", 10**400, "a number that a float can hold"),
    ("name", 3, "Every.name is 3, not text"),
    ("side", "right", "Every.side is 'right', not 'left' or 3"),
    ("side", 3.0, "Every.side is 3.0, not 'left' or 3"),
    ("side", [], r"Every.side is \[\], not 'left' or 3"),
    ("limit", "x", "Every.limit is 'x', not a whole number"),
    ("rows", 0.5, "Every.rows is 0.5, not a list"),
    ("rows", "0.5", "Every.rows is '0.5', not a list"),
    ("rows", [0.5, "x"], r"Every.rows\[1\] is 'x', not a number"),
    ("pair", [1], r"Every.pair is \[1\], not 2 values"),
    ("pair", [1, 2], r"Every.pair\[1\] is 2, not text"),
    ("by_name", [], r"Every.by_name is \[\], not an object"),
    ("by_name", {"a": [1, None]}, r"Every.by_name.a\[1\] is None, not a whole number"),
    ("items", {"a": 1}, r"Every.items is \{'a': 1\}, not a list"),
    ("items", ["a"], r"Every.items\[0\] is 'a', not a whole number"),
    ("inner", {}, "Every.inner lacks 'sha256'"),
    ("inner", {"sha256": 3}, "Every.inner.sha256 is 3, not text"),
    ("inner", "abc", "Every.inner is 'abc', not an object"),
    ("edit", {"structure": "heads"}, "Every.edit: unknown structure 'heads'"),
    ("edit", {"structure": "layer"}, "Every.edit: this edit cannot be read"),
    ("request", {"kind": "head"}, "Every.request is of kind 'head'; it is one of layer, filter"),
    ("request", {}, "Every.request is of kind None; it is one of layer, filter"),
    ("request", {"kind": "filter", "count": 2.0}, "Every.request.count is 2.0, not a whole number"),
    ("request", {"kind": "layer", "blocks": "a"}, "Every.request.blocks is 'a', not a list"),
    ("request", 3, "Every.request is 3, not an object"),
    ("either", "some", "Every.either is 'some', not 'all'; or .* not an object"),
    ("free", 3, "Every.free is 3, not an object"),
])  # fmt: skip
def test_a_value_of_the_wrong_type_is_named_with_its_place_and_what_it_should_be(
    name, value, words
):
    with pytest.raises(FormatError, match=words):
        decode(Every, {name: value})


def test_a_long_value_is_cut_short():
    with pytest.raises(FormatError) as caught:
        decode(Every, {"name": ["x"] * 1000})
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("document", [None, 3, "x", [], [{}]])
def test_what_is_no_object_is_no_document(document):
    with pytest.raises(FormatError, match=r"is .*, not an object"):
        decode(Every, document)
    with pytest.raises(FormatError, match="a job is of kind None; it is one of open, propose"):
        JOBS.decode(document, "a job")


def test_what_is_needed_and_missing_is_named():
    with pytest.raises(FormatError, match="a place lacks 'digest'"):
        decode(DataRef, {"mean": []}, "a place")


@pytest.mark.parametrize("name", UNIONS)
def test_a_kind_of_a_newer_version_is_never_read_as_another(name):
    union, _ = UNIONS[name]
    with pytest.raises(FormatError, match=r"is of kind 'from the future'; it is one of "):
        union.decode({"kind": "from the future"})


def test_nor_is_one_that_lies_inside_another_value():
    """`Doctor`, `RemoveBlocks` and `WorkerReady` need no field: any object would do for them."""
    job = {"kind": "from the future", "device": "cpu"}
    with pytest.raises(FormatError, match=r"request\.job is of kind 'from the future'"):
        COMMANDS.decode({"kind": "run", "request": {"id": "a", "job": job}})
    with pytest.raises(FormatError, match="event is of kind 'from the future'"):
        MESSAGES.decode({"kind": "told", "event": {"kind": "from the future"}})
    proposed = encode_object(Proposed("kl", Scores({}, {}), ()))
    with pytest.raises(FormatError, match="request is of kind 'head'"):
        RESULTS.decode({**proposed, "request": {"kind": "head"}})


@given(values_of(object))
@settings(max_examples=200, deadline=None)
def test_no_document_breaks_the_reader(document):
    for kind in (Every, Settings, Architecture, RunJob, Progress, BranchRequest):
        try:
            decode(kind, document)
        except FormatError as error:
            assert str(error)


@given(st.sampled_from([f.name for f in dataclasses.fields(Every)]), values_of(object))
@settings(max_examples=300, deadline=None)
def test_what_can_be_read_can_be_written_and_read_again(name, value):
    try:
        found = decode(Every, {name: value})
    except FormatError:
        return
    assert repr(decode(Every, through_json(found))) == repr(found)


# ------------------------------------------------------------ hashes


@dataclass(frozen=True)
class Before:
    KIND: ClassVar = "thing"
    size: int
    rate: float = 0.1
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class After:
    """The same a version later: one more field, another order."""

    KIND: ClassVar = "thing"
    size: int
    teacher: SnapshotRef | None = None
    by_name: dict[str, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    rate: float = 0.1


@given(values_of(Before))
def test_a_hash_does_not_change_when_a_field_with_a_default_is_added(value):
    later = After(value.size, names=value.names, rate=value.rate)
    assert content_hash(value) == content_hash(later)
    inside = {"a": [value]}
    assert content_hash(inside) == content_hash({"a": [later]})


def test_a_hash_does_not_change_when_a_default_is_spelt_out():
    assert content_hash(Before(3, 0.1, ())) == content_hash(Before(3))
    assert content_hash(RemoveUnits()) == content_hash(RemoveUnits(count=None))


def test_equal_values_have_equal_hashes_and_others_have_others():
    assert content_hash(Before(3, 1)) == content_hash(Before(3, 1.0))
    assert content_hash(Before(3, -0.0)) == content_hash(Before(3, 0))
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    assert content_hash(Before(3, names=("a",))) == content_hash(Before(3, names=["a"]))  # type: ignore[arg-type]
    different = [
        Before(3), Before(4), Before(3, 0.2), Before(3, names=("0.1",)), RemoveBlocks(),
        RemoveUnits(), RemoveBlocks(("a",)), RemoveBlocks(("a", "b")), Before(3, math.inf),
        Before(3, math.nan), After(3, SnapshotRef("a")), [], {}, "", 0, None,
    ]  # fmt: skip
    assert len({content_hash(value) for value in different}) == len(different)


@of_every_member
@given(drawn=st.data())
@settings(max_examples=10, deadline=None)
def test_a_hash_survives_the_way_through_json(union, kind, drawn):
    value = drawn.draw(values_of(kind))
    assert content_hash(union.decode(through_json(value))) == content_hash(value)
