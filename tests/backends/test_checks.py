"""What is refused before anything is sent to Azure ML."""

from pathlib import Path

import pytest

from pianoroll_seq2seq.backends.azureml import checks
from pianoroll_seq2seq.errors import SettingsError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text("print('trained')\n")
    return tmp_path


def test_a_script_that_is_not_there_or_not_sent(source: Path) -> None:
    checks.check_script(source, "train.py")
    with pytest.raises(SettingsError, match=r"no file missing\.py"):
        checks.check_script(source, "missing.py")
    with pytest.raises(SettingsError, match="source_directory must be the folder"):
        checks.check_script(source / "nowhere", "train.py")
    inner = source / "inner"
    inner.mkdir()
    with pytest.raises(SettingsError, match="must lie in the folder that is sent"):
        checks.check_script(inner, "../train.py")


@pytest.mark.parametrize(("nodes", "processes"), [(0, 1), (1, 0), (-1, 2)])
def test_counts_that_cannot_be(nodes: int, processes: int) -> None:
    with pytest.raises(SettingsError, match="must be a whole number from 1 on"):
        checks.check_counts("cluster", nodes, processes)


def test_more_than_one_machine_on_this_one() -> None:
    with pytest.raises(SettingsError, match="compute='local' is this one machine"):
        checks.check_counts("local", 2, 1)


def test_a_gpu_that_is_not_asked_for_or_not_in_the_image() -> None:
    checks.check_gpu(True, ["--device", "cuda"], "some/openmpi-cuda11.8")
    with pytest.raises(SettingsError, match="pass gpu=True"):
        checks.check_gpu(False, ["--device", "cuda:0"], None)
    with pytest.raises(SettingsError, match="needs an image with CUDA"):
        checks.check_gpu(True, [], "some/openmpi")


def test_secrets_are_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_ACCOUNT_KEY", "xyzzy+secret==")
    checks.check_secrets(["--epochs", "3"], {"OMP_NUM_THREADS": "1"})
    for arguments, variables in [
        (["--key", "xyzzy+secret=="], {}),
        (["https://a.blob.core.windows.net/c?sv=1&sig=xyzzy%2Bsecret"], {}),
        ([], {"CONNECTION": "AccountName=a;AccountKey=xyzzy+secret=="}),
    ]:
        with pytest.raises(SettingsError) as refused:
            checks.check_secrets(arguments, variables)
        assert "xyzzy" not in str(refused.value)


@pytest.mark.azureml  # it brings pathspec
def test_a_folder_that_is_too_large_and_what_makes_it_so(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks.check_snapshot(source)
    (source / "data").mkdir()
    (source / "data" / "corpus.bin").write_bytes(bytes(2000))
    monkeypatch.setattr(checks, "MOST_BYTES", 1000)
    with pytest.raises(SettingsError, match=r"The largest: data \(0\.0 MB\)"):
        checks.check_snapshot(source)
    (source / ".amlignore").write_text("data/\n")
    checks.check_snapshot(source)
    monkeypatch.setattr(checks, "MOST_FILES", 1)
    with pytest.raises(SettingsError, match="has 2 files"):
        checks.check_snapshot(source)


def test_an_ignore_file_is_written_once_and_never_over_another(source: Path) -> None:
    checks.write_ignore_file(source)
    assert ".nox/" in (source / ".amlignore").read_text()
    (source / ".amlignore").write_text("mine\n")
    checks.write_ignore_file(source)
    assert (source / ".amlignore").read_text() == "mine\n"


def test_an_ignore_file_of_git_is_enough(source: Path) -> None:
    (source / ".gitignore").write_text("data/\n")
    checks.write_ignore_file(source)
    assert not (source / ".amlignore").exists()
