"""Addresses, files and environments that are prepared before a submission, without a client."""

from pathlib import Path

import pytest

from pianoroll_seq2seq.backends.azureml import StoredFolder, environments, snapshot
from pianoroll_seq2seq.backends.azureml.clusters import has_gpu
from pianoroll_seq2seq.backends.azureml.fetching import fetch_files
from pianoroll_seq2seq.errors import SettingsError


def test_the_address_of_a_stored_folder_round_trips() -> None:
    folder = StoredFolder("music", "scales/midi", "download")
    assert folder.uri == "azureml://datastores/music/paths/scales/midi"
    assert StoredFolder.from_uri(folder.uri, access="download") == folder


@pytest.mark.parametrize(
    "uri", ["scales", "azureml://datastores/music", "azureml://datastores/music/paths/", "wasb://x"]
)
def test_invalid_addresses(uri: str) -> None:
    with pytest.raises(SettingsError, match="azureml://datastores/NAME/paths/PATH"):
        StoredFolder.from_uri(uri)


@pytest.mark.parametrize(
    ("datastore", "path", "message"),
    [
        ("", "midi", "datastore must be"),
        ("my-store", "midi", "datastore must be"),
        ("music", "", "path must be relative"),
        ("music", "/midi", "path must be relative"),
        ("music", "a//b", "path must be relative"),
        ("music", "a/../b", "path must be relative"),
        ("music", "a\\b", "path must be relative"),
    ],
)
def test_invalid_stored_folders(datastore: str, path: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        StoredFolder(datastore, path)


@pytest.mark.parametrize(
    ("vm_size", "expected"),
    [
        ("Standard_NC4as_T4_v3", True),
        ("STANDARD_ND96ASR_V4", True),
        ("Standard_D2_v2", False),
        ("Standard_DS3_v2", False),
    ],
)
def test_machines_with_gpus_are_recognized_by_name(vm_size: str, expected: bool) -> None:
    assert has_gpu(vm_size) is expected


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text("print('trained')\n")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "old.bin").write_bytes(b"old")
    return tmp_path


def test_an_ignore_file_is_written_but_never_overwritten(source: Path) -> None:
    snapshot.write_ignore_file(source)
    assert ".nox/" in (source / ".amlignore").read_text()
    (source / ".amlignore").write_text("mine\n")
    snapshot.write_ignore_file(source)
    assert (source / ".amlignore").read_text() == "mine\n"


def test_an_ignore_file_of_git_is_enough(source: Path) -> None:
    (source / ".gitignore").write_text("data/\n")
    snapshot.write_ignore_file(source)
    assert not (source / ".amlignore").exists()


@pytest.mark.azureml  # its extra installs pathspec
def test_the_whole_library_is_sent_whatever_the_source_ignores(source: Path) -> None:
    """A rule such as models/ also excludes a part of the library, and the run ends with an ImportError."""
    (source / ".amlignore").write_text("models/\n")
    (source / "nowhere").symlink_to(source / "gone")
    files = snapshot.sent_files(source)
    library = Path(snapshot.__file__).parents[2]
    own = {path.relative_to(library.parent).as_posix() for path in library.rglob("*.py")}
    assert {"train.py", ".amlignore"} | own <= files.keys()
    assert "pianoroll_seq2seq/models/seq2seq_lstm.py" in files
    assert not [name for name in files if name.startswith("models/") or "__pycache__" in name or name == "nowhere"]
    with snapshot.gathered(files) as folder:
        assert "models/" not in (folder / ".amlignore").read_text()
        assert (folder / "train.py").read_bytes() == (source / "train.py").read_bytes()
        assert (folder / "pianoroll_seq2seq" / "py.typed").exists()
    assert not folder.exists()
    assert (source / ".amlignore").read_text() == "models/\n"


@pytest.mark.azureml
def test_a_source_that_contains_the_library_sends_its_own(source: Path) -> None:
    (source / "pianoroll_seq2seq").mkdir()
    (source / "pianoroll_seq2seq" / "__init__.py").write_text("")
    assert [name for name in snapshot.sent_files(source) if name.startswith("pianoroll")] == [
        "pianoroll_seq2seq/__init__.py"
    ]


def test_the_environment_has_all_requirements_but_not_the_library() -> None:
    """A missing package is found only after waiting for a machine."""
    import re
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for sdk, needed in (("v1", extras["azureml"]), ("v2", ["azureml-mlflow"])):
        names = {re.split(r"[^\w.-]", each)[0] for each in environments.packages(sdk)}
        wanted = {re.split(r"[^\w.-]", each)[0] for each in [*project["dependencies"], *extras["plot"], *needed]}
        assert wanted <= names
        assert "pianoroll-seq2seq" not in names
    assert not [each for each in environments.packages("v1") if "+" in each]


def test_files_are_downloaded_completely_once_and_never_outside_the_folder(tmp_path: Path) -> None:
    downloaded: list[str] = []

    def download(name: str, path: Path) -> None:
        downloaded.append(name)
        path.write_text(name)

    names = ["outputs/a.mid", "outputs/run/b.mid", "logs/log"]
    fetched = fetch_files(names, tmp_path, "outputs/", download)
    assert fetched == [tmp_path / "a.mid", tmp_path / "run" / "b.mid"]
    assert fetch_files(names, tmp_path, "outputs/", download) == fetched
    assert downloaded == names[:2]
    with pytest.raises(SettingsError, match="outside"):
        fetch_files(["outputs/../../x"], tmp_path, "outputs/", download)

    def broken(name: str, path: Path) -> None:
        path.write_text("half")
        raise OSError("cut")

    with pytest.raises(OSError, match="cut"):
        fetch_files(["outputs/c.mid"], tmp_path, "outputs/", broken)
    assert not (tmp_path / "c.mid").exists()
