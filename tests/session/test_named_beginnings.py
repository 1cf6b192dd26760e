"""What a name leads to is refused at once where its first bytes say enough."""

from __future__ import annotations

import pytest

from engine.contracts.errors import UnusableFileError
from explorer.session.named_files import NoSuchDataError, check_data, model_path


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "is empty"), (b"\n <!DOCTYPE html>404", "is a web page")]
)
def test_a_download_that_went_wrong_is_no_network(tmp_path, content, words):
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(UnusableFileError, match=words):
        model_path(str(tmp_path / "net.pth"))


def test_a_file_that_opens_and_cannot_be_read_is_named():
    with pytest.raises(UnusableFileError, match="/proc/self/mem cannot be read"):
        model_path("/proc/self/mem")


def test_a_file_of_anything_else_is_left_to_the_engine(tmp_path):
    (tmp_path / "net.pth").write_bytes(b"<weights>")
    assert model_path(str(tmp_path / "net.pth")) == tmp_path / "net.pth"


@pytest.mark.parametrize("source", ["cifr10", "CIFR10", "nothing-like-it"])
def test_a_name_that_is_none_is_refused_with_those_there_are(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoSuchDataError, match="cifar10"):
        check_data(source)


@pytest.mark.parametrize("source", ["", "cifar10", "CIFAR10", "sample", "."])
def test_known_names_and_places_that_are_there_pass(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_data(source)
