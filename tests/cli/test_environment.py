"""Commands where the machine is not ideal: output, folders, homes, limits, other programs."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from small_tensors import grow

from engine.contracts.files import WritingError, write_text_atomically
from engine.data.cache import decoded
from engine.data.folders import NoCacheFolderError, cache_folder
from engine.runtime.device import num_usable_cores
from explorer.session.permissions import permissions_path
from explorer.tui import recents
from explorer.tui.config import Config, config_path, load_config
from store import StoreLockedError, TreeStore

COMMAND = [sys.executable, "-m", "explorer.cli"]
AS_USER = ["unshare", "--user", "--map-user=12345"]


def can_be_another_user() -> bool:
    try:
        return subprocess.run([*AS_USER, "true"], capture_output=True).returncode == 0
    except OSError:
        return False


as_another_user = pytest.mark.skipif(
    not can_be_another_user(), reason="this system lets nobody be a user without a name"
)


@pytest.fixture(scope="module")
def grown(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("grown") / "tree.pex.db"
    with TreeStore.open(path, create=True) as store:
        grow(store)
    return path


def run(*arguments, before=(), environment=None, **options) -> subprocess.CompletedProcess:
    """The command as a process; variables whose value is None are taken away."""
    given = {**os.environ, **(environment or {})}
    given = {name: value for name, value in given.items() if value is not None}
    options = {"capture_output": True, **options}
    command = [*before, *COMMAND, *map(str, arguments)]
    return subprocess.run(command, env=given, timeout=120, **options)


def shell(line: str, *arguments) -> subprocess.CompletedProcess:
    """The command where a shell has put `pe` in its line."""
    line = line.replace("pe ", f"{sys.executable} -m explorer.cli ")
    return subprocess.run(
        ["sh", "-c", line, "sh", *map(str, arguments)], capture_output=True, timeout=120
    )


# ------------------------------------------------------------ output


@pytest.mark.parametrize(
    "encoding", ["ascii", *(pytest.param(e, marks=pytest.mark.slow) for e in ("latin-1", "koi8-r"))]
)
def test_output_that_is_no_utf_8_gets_signs_that_it_has(grown, encoding):
    shown = run("log", grown, environment={"PYTHONIOENCODING": encoding})
    assert shown.returncode == 0 and shown.stderr == b""
    text = shown.stdout.decode(encoding)
    tree = run("log", grown, environment={"PYTHONIOENCODING": "utf-8"}).stdout.decode()
    assert len(text.splitlines()) == len(tree.splitlines())
    if encoding == "ascii":
        assert "* R" in text and "` o R.F" in text.replace("` *", "` o").replace("| o", "| o")
        # Columns stay in line, for each sign is one sign still.
        assert [len(line) for line in text.splitlines()] == [len(x) for x in tree.splitlines()]
    for arguments in (("show", grown, "R.L"), ("verify", grown), ("replay", grown)):
        told = run(*arguments, environment={"PYTHONIOENCODING": encoding})
        assert told.returncode == 0 and told.stderr == b""
        told.stdout.decode(encoding)


def test_what_is_compared_keeps_its_sense_in_ascii(grown, tmp_path):
    store = shutil.copy(grown, tmp_path / "tree.pex.db")
    said = run("note", store, "R", "CKA 0.5 ≥ 0.5 and ≤ 1", environment={"PYTHONUTF8": "1"})
    assert said.returncode == 0, said.stderr
    shown = run("show", store, "R", environment={"PYTHONIOENCODING": "ascii"})
    assert b"CKA 0.5 >= 0.5 and <= 1" in shown.stdout


def test_a_sign_that_no_encoding_has_is_told_as_an_escape(tmp_path):
    ended = run("log", tmp_path / "größe-☃.db", environment={"PYTHONIOENCODING": "ascii"})
    assert ended.returncode == 1 and rb"gr\xf6\xdfe-\u2603.db" in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no full device")
@pytest.mark.parametrize("what", ["log $1", "log $1 --json", "--help"])
def test_a_full_device_is_told_in_a_line(grown, what):
    ended = shell(f"pe {what} > /dev/full", grown)
    assert ended.returncode == 1
    assert ended.stderr.decode().count("\n") == 1
    assert b"cannot write to standard output: No space left on device" in ended.stderr


@pytest.mark.parametrize("what", ["log $1", "log $1 --json"])
def test_a_reader_that_has_gone_is_no_fault(grown, what):
    # The pipe is closed before the command starts to write.
    ended = shell(f"{{ sleep 0.01; pe {what}; echo $? >&2; }} | true", grown)
    assert ended.stderr in (b"0\n", b"1\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_streams_that_are_closed_or_full_end_no_command(grown, closed):
    if "full" in closed and not Path("/dev/full").exists():
        pytest.skip("has no full device")
    ended = shell(f"pe log $1 {closed}", grown)
    assert ended.returncode == 0 and b"Traceback" not in ended.stderr
    if closed.startswith("2"):
        assert b"R.L" in ended.stdout
    assert shell(f"pe log $1.nowhere {closed}", grown).returncode == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"TERM": "dumb", "COLUMNS": "20", "NO_COLOR": "1"},
        {"TERM": None, "COLUMNS": "none", "LINES": "-3"},
        {"PYTHONOPTIMIZE": "2"},
        {"PYTHONWARNINGS": "error"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LANG": "tlh_KX.KLINGON", "LC_ALL": None, "PAGER": "false"},
    ],
    ids=lambda environment: next(iter(environment)),
)
@pytest.mark.slow
def test_odd_environments_show_the_tree(grown, environment):
    shown = run("log", grown, environment=environment)
    assert shown.returncode == 0 and b"R.L" in shown.stdout and shown.stderr == b""


def test_modules_of_others_are_never_taken_for_ours(grown, tmp_path):
    for name in ("engine", "store", "explorer_", "sample_checkpoints"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('another one')")
    shown = run("log", grown, environment={"PYTHONPATH": str(tmp_path)})
    assert shown.returncode == 0 and b"R.L" in shown.stdout


# ------------------------------------------------------------ folders


def test_in_a_folder_that_was_deleted_full_paths_work_and_others_say_why(grown, tmp_path):
    (tmp_path / "gone").mkdir()
    line = "cd $2/gone && rmdir ../gone && pe log "
    assert b"R.L" in shell(line + "$1", grown, tmp_path).stdout
    for command in ("log tree.pex.db", "auto x.pt"):
        ended = shell(f"cd $2/gone && rmdir ../gone && pe {command}", grown, tmp_path)
        (tmp_path / "gone").mkdir(exist_ok=True)
        assert ended.returncode in (1, 2) and ended.stderr.count(b"\n") == 1, command
    (tmp_path / "gone").rmdir()


@pytest.fixture
def share(grown, tmp_path):
    """A folder that nobody may write to, with a store and a checkpoint in it."""
    folder = tmp_path / "share"
    folder.mkdir()
    shutil.copy(grown, folder / "tree.pex.db")
    (folder / "net.pt").write_bytes(b"no network")
    for each in folder.iterdir():
        each.chmod(0o444)
    folder.chmod(0o555)
    for parent in tmp_path.parents:
        if parent.owner() == Path.home().owner() and parent.name.startswith("pytest"):
            parent.chmod(0o755)
    tmp_path.chmod(0o755)
    yield folder
    folder.chmod(0o755)


@pytest.mark.slow
@as_another_user
def test_a_store_on_a_read_only_share_is_shown_by_every_command_that_reads(share):
    store = share / "tree.pex.db"
    reading = (("log", store), ("show", store, "R"), ("verify", store), ("replay", store),
               ("compare", store, "R.L"), ("gc", store, "--dry-run"))  # fmt: skip
    for arguments in reading:
        told = run(*arguments, before=AS_USER, environment={"HOME": None})
        assert told.returncode == 0 and told.stderr == b"", arguments
    assert {each.name for each in share.iterdir()} == {"tree.pex.db", "net.pt"}
    refused = run("tag", store, "R", "word", before=AS_USER, environment={"HOME": None})
    assert refused.returncode == 1 and b"cannot write" in refused.stderr


@as_another_user
def test_where_no_store_can_be_made_is_told_before_any_work_with_what_helps(share):
    model, data = share / "net.pt", "sample"
    ended = run("auto", model, "--data", data, "--store", share / "x.pex.db", before=AS_USER)
    assert ended.returncode == 2 and b"may not be written to; name another place with --store" in (
        ended.stderr
    )
    nowhere = run("auto", model, "--data", data, "--store", share / "runs" / "x.pex.db")
    assert nowhere.returncode == 2 and b"there is no folder" in nowhere.stderr
    written = run("export", share / "tree.pex.db", "best", share / "x.pt", before=AS_USER)
    assert written.returncode == 2 and b"may not be written to" in written.stderr


@pytest.mark.slow
@as_another_user
def test_a_user_without_a_name_or_a_home_reads_and_is_told_nothing_of_it(grown, tmp_path):
    for parent in (tmp_path, *tmp_path.parents, grown.parent):
        if parent.name.startswith(("pytest", "grown", tmp_path.name)):
            parent.chmod(0o755)
    nobody = {name: None for name in ("HOME", "PE_EXPLORE_CACHE", "XDG_CACHE_HOME")}
    shown = run("log", grown, before=AS_USER, environment=nobody)
    assert shown.returncode == 0 and shown.stderr == b"" and b"R.L" in shown.stdout
    script = (
        "from engine.data.folders import cache_folder, NoCacheFolderError\n"
        "from explorer.tui import recents; from explorer.tui.config import load_config\n"
        "try: cache_folder()\n"
        "except NoCacheFolderError as error: print(error)\n"
        "print(recents.remember('x.db', 'run', 1), recents.recents(), load_config().problems)"
    )
    told = subprocess.run(
        [*AS_USER, "env", "-u", "HOME", "-u", "PE_EXPLORE_CACHE", sys.executable, "-c", script],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert "PE_EXPLORE_CACHE" in told.stdout and told.stdout.endswith("None [] ()\n"), told.stderr
    assert not list(tmp_path.iterdir())  # not even a folder called ~


@pytest.mark.parametrize("home", ["", "not/absolute", "/proc/nowhere"])
def test_a_home_that_is_none_costs_the_cache_and_nothing_else(monkeypatch, tmp_path, home):
    import numpy as np

    monkeypatch.chdir(tmp_path)
    for name in ("PE_EXPLORE_CACHE", "PE_EXPLORE_CONFIG", "PE_EXPLORE_STATE",
                 "PE_EXPLORE_PERMISSIONS", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
                 "XDG_STATE_HOME"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", home)
    from PIL import Image

    for place in ("train/a", "train/b", "test/a", "test/b"):
        (tmp_path / "images" / place).mkdir(parents=True)
        for number in range(3):
            pixels = np.full((8, 8, 3), 40 * number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / place / f"{number}.png")
    assert len(decoded(str(tmp_path / "images")).arrays["y_train"]) == 6
    assert load_config() == Config()
    recents.remember("x.db", "run", 1)  # a warning at most
    if home == "not/absolute":
        with pytest.raises(NoCacheFolderError, match="PE_EXPLORE_CACHE"):
            cache_folder()
    else:  # where none is named it is that of the system's list of users
        assert cache_folder().is_absolute() and cache_folder() != Path("/.cache/pe-explore")
    assert all(each is None or each.is_absolute() for each in (config_path(), recents.state_path(),
                                                              permissions_path()))  # fmt: skip
    assert {each.name for each in tmp_path.iterdir()} == {"images"}


# ------------------------------------------------------------ disks, limits, other programs


def limited(num_bytes: int):
    """For a child: files of at most so many bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, num_bytes))


def test_a_limit_on_files_is_told_before_work_begins(tmp_path):
    model = tmp_path / "net.pt"
    model.write_bytes(b"no network")
    ended = run("auto", model, "--data", "sample", preexec_fn=limited(100_000))
    assert ended.returncode == 2 and b"(ulimit -f)" in ended.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["net.pt"]


def test_a_store_that_cannot_be_written_whole_leaves_nothing(tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from small_tensors import grow; from store import TreeStore, StoreError\n"
        "try: TreeStore.create(sys.argv[1], grow)\n"
        "except StoreError as error: print(type(error).__name__, error)"
    )
    path = tmp_path / "tree.pex.db"
    command = [sys.executable, "-c", script, str(path), str(Path(__file__).parents[1] / "store")]
    told = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited(60_000))
    assert told.stdout.startswith(("StoreFull", "StoreInputOutput")), told.stderr
    assert "tree.pex.db" in told.stdout and not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_named_with_what_helps(tmp_path):
    script = (
        "import sys; from pathlib import Path\n"
        "from engine.contracts.files import write_text_atomically, WritingError\n"
        "try: write_text_atomically(Path(sys.argv[1]), 'x' * 100000)\n"
        "except WritingError as error: print(error)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "result.json")]
    told = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited(1000))
    assert "result.json: File too large; raise the limit" in told.stdout, told.stderr
    assert not list(tmp_path.iterdir())
    with pytest.raises(WritingError, match="choose another folder") as failed:
        write_text_atomically(tmp_path / "nowhere" / "x", "")
    assert isinstance(failed.value, OSError) and failed.value.strerror


def test_a_temporary_folder_that_cannot_be_is_told(tmp_path, monkeypatch):
    import tempfile

    from explorer.cli.temporary import NoTemporaryFolderError, temporary_folder

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(NoTemporaryFolderError, match="TMPDIR"), temporary_folder():
        pass


@pytest.mark.slow
def test_who_keeps_a_store_busy_is_named(tmp_path, grown):
    path = tmp_path / "tree.pex.db"
    shutil.copy(grown, path)
    script = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE')\n"
        "print('begun', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout.readline() == b"begun\n"
        assert run("log", path).returncode == 0  # it only reads
        with pytest.raises(StoreLockedError) as busy, TreeStore.open(path) as store:
            store.tag(store.node(1, "R").id, "word")
        if Path("/proc/self/fd").exists():
            assert f"process {other.pid} (python" in str(busy.value)
        assert "Let it finish, or close it" in str(busy.value)
    finally:
        other.communicate(timeout=60)
    with TreeStore.open(path) as store:  # the remedy
        store.tag(store.node(1, "R").id, "word")
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    ("given", "cores"), [("3", 3), ("4,2", 4), (" 2 ", 2), ("0", None), ("", None), ("auto", None),
                         ("-1", None), ("²", None), ("9" * 30, None)],
)  # fmt: skip
def test_odd_numbers_of_threads_are_read_or_passed_over(monkeypatch, given, cores):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert num_usable_cores() == (cores or len(os.sched_getaffinity(0)))


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["4,2", "0", "", "auto"])
def test_workers_start_with_them(threads):
    told = run("doctor", "--json", environment={"OMP_NUM_THREADS": threads})
    assert told.returncode == 0 and json.loads(told.stdout)["num_threads"] >= 1
