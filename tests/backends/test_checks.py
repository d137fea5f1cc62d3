"""Checks before anything is sent to Azure ML."""

from pathlib import Path
from typing import Any

import pytest

from pianoroll_seq2seq.backends.azureml import StoredFolder, checks
from pianoroll_seq2seq.errors import SettingsError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text("print('trained')\n")
    return tmp_path


def test_a_missing_script_or_one_that_is_not_sent(source: Path) -> None:
    checks.check_script(source, "train.py")
    with pytest.raises(SettingsError, match=r"no file missing\.py"):
        checks.check_script(source, "missing.py")
    with pytest.raises(SettingsError, match="source_directory must be the folder"):
        checks.check_script(source / "nowhere", "train.py")
    inner = source / "inner"
    inner.mkdir()
    with pytest.raises(SettingsError, match="must be in the folder that is sent"):
        checks.check_script(inner, "../train.py")


@pytest.mark.parametrize(("nodes", "processes"), [(0, 1), (1, 0), (-1, 2)])
def test_invalid_counts(nodes: int, processes: int) -> None:
    with pytest.raises(SettingsError, match="must be at least 1"):
        checks.check_counts("cluster", nodes, processes)


def test_more_than_one_machine_on_this_one() -> None:
    with pytest.raises(SettingsError, match="compute='local' is this machine only"):
        checks.check_counts("local", 2, 1)


def test_a_gpu_that_is_not_requested_or_not_in_the_image() -> None:
    checks.check_gpu(True, ["--device", "cuda"], "some/openmpi-cuda11.8")
    with pytest.raises(SettingsError, match="Pass gpu=True"):
        checks.check_gpu(False, ["--device", "cuda:0"], None)
    with pytest.raises(SettingsError, match="needs an image with CUDA"):
        checks.check_gpu(True, [], "some/openmpi")


def test_secrets_are_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_ACCOUNT_KEY", "xyzzy+secret==")
    checks.check_secrets(["--epochs", "3"], {"OMP_NUM_THREADS": "1"}, {"article": "2017"})
    for arguments, variables, tags in [
        (["--key", "xyzzy+secret=="], {}, {}),
        (["https://a.blob.core.windows.net/c?sv=1&sig=xyzzy%2Bsecret"], {}, {}),
        ([], {"CONNECTION": "AccountName=a;AccountKey=xyzzy+secret=="}, {}),
        ([], {}, {"from": "https://me:xyzzy@example.org/music"}),
    ]:
        with pytest.raises(SettingsError) as refused:
            checks.check_secrets(arguments, variables, tags)
        assert "xyzzy" not in str(refused.value)


def test_a_folder_that_is_too_large_and_its_largest_files(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service refuses it after minutes of sending."""
    (source / "corpus.bin").write_bytes(bytes(2000))
    files = {"train.py": source / "train.py", "data/corpus.bin": source / "corpus.bin"}
    checks.check_size(source, files)
    monkeypatch.setattr(checks, "MAX_BYTES", 1000)
    with pytest.raises(SettingsError, match=r"The largest: data \(0\.0 MB\)"):
        checks.check_size(source, files)
    checks.check_size(source, {"train.py": source / "train.py"})
    monkeypatch.setattr(checks, "MAX_FILES", 1)
    with pytest.raises(SettingsError, match="makes 2 files"):
        checks.check_size(source, files)


MUSIC = StoredFolder("music", "scales/midi")


@pytest.mark.parametrize(
    ("data", "arguments", "compute", "message"),
    [
        ({"midi-dir": MUSIC}, [], "cluster", "expected an option"),
        ({"--midi-dir": ("music", "scales")}, [], "cluster", "needs a StoredFolder"),
        ({"--midi-dir": MUSIC}, ["--midi-dir", "here"], "cluster", "is in arguments and in data"),
        ({"--midi-dir": MUSIC}, ["--midi-dir=here"], "cluster", "is in arguments and in data"),
        ({"--midi-dir": MUSIC, "--midi_dir": MUSIC}, [], "cluster", "the same name"),
        ({"--midi-dir": MUSIC}, [], "local", "mounts nothing"),
    ],
)
def test_stored_folders_that_a_script_cannot_get(data: Any, arguments: list[str], compute: str, message: str) -> None:
    checks.check_data({"--midi-dir": MUSIC}, ["--epochs", "3"], "cluster")
    with pytest.raises(SettingsError, match=message):
        checks.check_data(data, arguments, compute)


@pytest.mark.parametrize("size", ["2", "2 g", "g", "0g", "2gb"])
def test_invalid_sizes_of_shared_memory(size: str) -> None:
    checks.check_shared_memory("512m")
    with pytest.raises(SettingsError, match="shared_memory"):
        checks.check_shared_memory(size)


def test_a_missing_environment_file(source: Path) -> None:
    checks.check_environment(None)
    checks.check_environment(source / "train.py")
    with pytest.raises(SettingsError, match=r"no conda environment file .*missing\.yml"):
        checks.check_environment(source / "missing.yml")


@pytest.mark.parametrize(
    ("script", "arguments", "variables", "data", "label"),
    [
        ("${{inputs.x}}.py", [], {}, {}, "the name of the script"),
        ("train.py", ["--primer", "a ${{inputs.midi_dir}}.mid"], {}, {}, "argument 2"),
        ("train.py", [], {"TITLE": "${{x"}, {}, "the environment variable TITLE"),
        ("train.py", [], {}, {"--midi-dir": StoredFolder("music", "${{name}}/midi")}, "the address of --midi-dir"),
    ],
)
def test_expressions_of_the_service(script: str, arguments: Any, variables: Any, data: Any, label: str) -> None:
    """A file named like an expression of Azure ML becomes the path of something else in the command of the job."""
    checks.check_expressions("train.py", ["$x", "{{y}}"], {"A": "${HOME}"}, {"--midi-dir": StoredFolder("a", "b")})
    with pytest.raises(SettingsError, match=rf"{label} contains '\$\{{\{{'.*Rename the file"):
        checks.check_expressions(script, arguments, variables, data)
