"""Published results: the file that is shipped, a person's own, and which of them fit a run."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contracts.errors import UnusableFileError, UserError
from engine.models.cifar_resnet import arguments_of_depth
from explorer.views.published import files
from explorer.views.published.fitting import fitting, subject_of
from explorer.views.published.result import KINDS

ROW = {
    "network": "resnet56", "dataset": "cifar10", "method": "mine", "year": 2025,
    "structures": "filter", "kind": "primary", "source": "my thesis, Table 3",
    "delta_accuracy": -0.2, "macs_reduction": 61.5,
}  # fmt: skip
RESNET56 = {"factory": "cifar_resnet", "arguments": arguments_of_depth(56), "edits": []}


def toml(*rows) -> str:
    lines = []
    for row in rows:
        lines.append("[[result]]")
        lines += [f"{name} = {_value(value)}" for name, value in row.items()]
    return "\n".join(lines) + "\n"


def _value(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """A folder of the person's own."""
    monkeypatch.setenv("PE_EXPLORE_PUBLISHED", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def written(tmp_path):
    def write(text, name="results.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


# ------------------------------------------------------------ the shipped file


def test_every_row_of_the_shipped_file_is_whole():
    rows = files.shipped()
    assert len(rows) == 340 == len(set(rows))
    assert {row.kind for row in rows} == set(KINDS)
    for row in rows:
        assert row.source and 2015 < row.year < 2030
        assert row.change is None or -20 < row.change < 5
        assert row.macs_reduction is None or 0 < row.macs_reduction < 100
    assert Counter(row.network for row in rows)["resnet56"] == 135


def test_the_method_of_this_program_is_there_as_its_paper_gives_it():
    found = files.matching(files.shipped(), network="ResNet-56", method="pruning everything")
    assert (0.19, 72.67) in {(row.change, row.macs_reduction) for row in found}


def test_a_change_follows_from_both_accuracies_where_none_is_given(written):
    row = {**ROW, "accuracy": 93.1, "baseline_accuracy": 93.4}
    del row["delta_accuracy"]
    (found,) = files.read_results(written(toml(row)))
    assert found.change == pytest.approx(-0.3)


# ------------------------------------------------------------ bad files


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "prime"}, ("kind = 'prime'", "primary, rerun, quoted")),
        ({"year": "2025"}, ("year = '2025'", "a year such as 2024")),
        ({"year": True}, ("year = True",)),
        ({"macs_reduction": 161.5}, ("macs_reduction = 161.5", "from -100 to 100")),
        ({"macs_reduction": "61"}, ("macs_reduction = '61'", "percent")),
        ({"macs_reduction": float("nan")}, ("macs_reduction = nan",)),
        ({"spread": -0.1}, ("spread = -0.1", "from 0")),
        ({"method": ""}, ("method = ''", "text")),
        ({"macs_reducton": 5}, ("macs_reducton is not a field", "macs_reduction")),
        ({"accuracy": 10**400}, ("accuracy = ",)),
        (
            {"accuracy": 94.0, "baseline_accuracy": 93.0},
            ("delta_accuracy = -0.2", "+1.00", "minus"),
        ),
    ],
)
def test_a_bad_row_is_told_by_its_number_its_field_and_its_value(written, change, words):
    path = written(toml(ROW, {**ROW, **change}))
    with pytest.raises(files.PublishedFileError) as error:
        files.read_results(path)
    method = f" ({ROW['method']})" if change.get("method", True) else ""
    for part in (f"{path}: result 2{method}: ", *words):
        assert part in str(error.value)
    assert len(str(error.value)) < 1000 and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["network", "method", "kind", "source"])
def test_what_has_to_be_there_is_missed_by_its_name(written, name):
    row = {key: value for key, value in ROW.items() if key != name}
    with pytest.raises(files.PublishedFileError, match=f"{name} is missing"):
        files.read_results(written(toml(row)))


def test_a_row_without_any_figure_says_which_to_give(written):
    row = {k: v for k, v in ROW.items() if k not in ("delta_accuracy", "macs_reduction")}
    with pytest.raises(files.PublishedFileError, match="no figure: give delta_accuracy"):
        files.read_results(written(toml(row)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no [[result]]"),
        ("result = 3", "no [[result]]"),
        ("result = [3]", "result 1 is no table"),
        ("[[results]]\nyear = 2", "did you mean 'result'"),
        ("[[result]", "not TOML"),
        (b"\xff\xfe[[result]]", "not UTF-8"),
        ("a = " + "[" * 5000, "not TOML"),
    ],
)
def test_a_file_of_another_form_is_refused_in_words(written, content, words):
    with pytest.raises(files.PublishedFileError) as error:
        files.read_results(written(content))
    assert words in str(error.value)


def test_a_pipe_a_folder_and_a_huge_file_are_refused_unread(tmp_path, written, monkeypatch):
    os.mkfifo(tmp_path / "pipe.toml")
    monkeypatch.setattr(files, "_LARGEST_BYTES", 1000)
    for path in (tmp_path / "pipe.toml", tmp_path, written("#" * 2000), tmp_path / "none.toml"):
        with pytest.raises(UnusableFileError, match=str(path)):
            files.add(path)


_values = st.one_of(
    st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.lists(st.integers()),
    st.sampled_from([*KINDS, 2024, 50.0]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*ROW, "note", "spread", "x"]), _values, max_size=10))
def test_any_table_is_a_result_or_a_wrong_field(table):
    from explorer.views.published.result import WrongFieldError, result_of

    try:
        found = result_of({**ROW, **table})
    except WrongFieldError as error:
        assert len(str(error)) < 500
    else:
        assert found.kind in KINDS and -100 <= (found.change or 0) <= 100


# ------------------------------------------------------------ a person's own


def test_own_results_stand_beside_those_of_the_program_until_they_are_removed(written, own):
    path = written(toml(ROW))
    there, rows = files.add(path)
    assert there == own / "results.toml" and len(rows) == 1
    assert files.add(path) == (there, rows), "the same once more is no harm"
    assert rows[0] in fitting(RESNET56, "cifar10").results
    files.remove("results")
    assert rows[0] not in fitting(RESNET56, "cifar10").results and files.own_files() == []


def test_another_file_of_the_same_name_is_refused_with_a_remedy_that_works(written):
    files.add(written(toml(ROW)))
    other = written(toml({**ROW, "year": 2024}))
    with pytest.raises(files.PublishedFileError, match="pe-explore published remove results"):
        files.add(other)
    files.remove("results")
    assert files.add(other)[1][0].year == 2024


def test_an_own_file_that_was_spoilt_is_left_out_and_told(written, own):
    files.add(written(toml(ROW)))
    (own / "results.toml").write_text("[[result]]\nyear = 1")
    rows, wrong = files.all_results()
    assert len(rows) == 340 and len(wrong) == 1
    assert "left out" in wrong[0] and "published remove results" in wrong[0]


def test_to_remove_what_is_not_there_names_what_is(written):
    with pytest.raises(UserError, match="you have added none"):
        files.remove("results")
    files.add(written(toml(ROW)))
    with pytest.raises(UserError, match="did you mean 'results'"):
        files.remove("result")


# ------------------------------------------------------------ which fit a run


@pytest.mark.parametrize(
    ("depth", "count"), [(20, 5), (32, 13), (44, 7), (56, 135), (110, 38), (14, 0)]
)
def test_published_results_go_by_the_depth_of_the_root(depth, count):
    architecture = {"factory": "cifar_resnet", "arguments": arguments_of_depth(depth)}
    assert len(fitting(architecture, "cifar10").results) == count


@pytest.mark.parametrize("name", ["cifar10", "CIFAR-10", "cifar10-jpeg"])
def test_data_go_by_what_people_call_them(name):
    assert str(subject_of(RESNET56, name)) == "resnet56 on cifar10"


@pytest.mark.parametrize("name", ["torchvision.models:resnet50", "timm:resnet50"])
def test_a_network_of_a_library_goes_by_its_name(name):
    architecture = {"factory": name, "arguments": {"num_classes": 1000}}
    for data in ("imagenet", "ImageNet-1k", "ILSVRC2012"):
        assert len(fitting(architecture, data).results) == 142
    assert fitting(architecture, "imagenette").results == ()


@pytest.mark.parametrize(
    ("change", "data"),
    [
        ({"edits": [{"structure": "layer", "blocks": ["layer1.1"]}]}, "cifar10"),
        ({"factory": "torchvision.models:resnet18"}, "cifar10"),
        ({"factory": "torchvision.models:resnet50", "arguments": {"width_per_group": 128}},
         "imagenet"),
        ({"arguments": arguments_of_depth(56, width=8)}, "cifar10"),
        ({"arguments": arguments_of_depth(56, num_classes=100)}, "cifar10"),
        ({"arguments": {**arguments_of_depth(56),
                        "inner_widths": [[16] * 9, [32] * 9, [64] * 8]}}, "cifar10"),
        ({"arguments": {}}, "cifar10"),
        ({"factory": 3}, "cifar10"),
        ({}, "cifar100"), ({}, "cifar10-c"), ({}, "cifar10.1"), ({}, ""),
    ],
)  # fmt: skip
def test_nothing_is_published_for_any_other_network_or_data(change, data):
    assert fitting({**RESNET56, **change}, data).results == ()
