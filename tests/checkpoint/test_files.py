"""Wrong, damaged and changed checkpoints."""

import resource
import signal
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from checkpoint_models import HEADER, rewrite_header, same_weights, tiny_model
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq import (
    Seq2SeqLSTM,
    save,
)
from pianoroll_seq2seq.checkpoint import FORMAT_VERSION, load, read_header, restore
from pianoroll_seq2seq.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    CheckpointWriteError,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def test_missing_file(tmp_path: Path) -> None:
    """A typo in the path must not look like a damaged file."""
    for path in (tmp_path / "none.safetensors", tmp_path):
        for use in (load, read_header, lambda path: restore(path, tiny_model())):
            with pytest.raises(CheckpointNotFoundError, match="no such checkpoint") as caught:
                use(path)
            assert str(path) in str(caught.value)
            assert isinstance(caught.value, FileNotFoundError)


def test_more_than_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of holes, as large as one likes, ends in an error that does not name it."""

    def fill(_: Path) -> bytes:
        raise MemoryError

    path = save(tiny_model(), tmp_path / "model.safetensors")
    monkeypatch.setattr(Path, "read_bytes", fill)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: cannot be read \(MemoryError\(\)\)"):
        restore(path, tiny_model())


def test_what_cannot_be_read_again_is_not_written(tmp_path: Path) -> None:
    """Training goes on for days with checkpoints from which it cannot be resumed."""
    path = save(tiny_model(), tmp_path / "model.safetensors")
    whole = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"17\.\d MB of JSON, and a checkpoint is read with at most 16 MB"):
        save(tiny_model(), path, details={"long": "a" * 18 * 10**6}, overwrite=True)
    assert path.read_bytes() == whole
    load(save(tiny_model(), path, details={"long": "a" * 16 * 10**6}, overwrite=True))


@given(data=st.data())
def test_truncated_or_changed_files_are_named(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Half a download must be an error that names the file, not a wrong model."""
    path = save(tiny_model(hidden_size=2), tmp_path_factory.mktemp("checkpoint") / "model.safetensors")
    whole = path.read_bytes()
    if data.draw(st.booleans()):
        broken = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        at = data.draw(st.integers(0, len(whole) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
        broken = whole[:at] + bytes([byte]) + whole[at + 1 :]
    path.write_bytes(broken)
    try:
        loaded = load(path)
    except CheckpointError as error:
        assert str(path) in str(error)  # noqa: PT017 (the checksum does not cover white space between the parts of the header)
    else:
        assert at < 8 + int.from_bytes(whole[:8], "little")
        assert same_weights(loaded, tiny_model(hidden_size=2))


def test_changed_weights_are_detected(tmp_path: Path) -> None:
    """A flipped bit would change the music without an error."""
    path = save(tiny_model(), tmp_path / "model.safetensors")
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    for use in (load, lambda path: restore(path, tiny_model())):
        with pytest.raises(CheckpointError, match=r"model\.safetensors: changed since it was written"):
            use(path)


def test_a_full_disk_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    """The older checkpoint must stay, and no half of a file."""
    path = save(tiny_model(), tmp_path / "model.safetensors")
    before = path.read_bytes()
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(CheckpointWriteError) as caught:
            save(Seq2SeqLSTM(7, hidden_size=64), path, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert isinstance(caught.value, OSError)
    printed = str(caught.value)
    assert "model.safetensors: a checkpoint of 0.4 MB could not be written" in printed
    assert "Free some space" in printed
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    """The error must name the file."""
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CheckpointWriteError, match="could not be written"):
        save(tiny_model(), tmp_path / "file" / "model.safetensors")


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\x80\x04\x95 a pickle", b"PK\x03\x04 a torch.save zip"])
def test_other_files_are_named(tmp_path: Path, content: bytes) -> None:
    """The error must name a .pt file or an empty one."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not a checkpoint"):
        load(path)


def test_safetensors_of_other_programs_are_named(tmp_path: Path) -> None:
    """Not a KeyError, and not half of the weights."""
    path = tmp_path / "other.safetensors"
    for metadata in (None, {"format": "pt"}):
        safetensors.torch.save_file(tiny_model().state_dict(), path, metadata=metadata)
        with pytest.raises(CheckpointError, match="not a checkpoint of pianoroll_seq2seq"):
            load(path)


@pytest.mark.parametrize("version", [0, FORMAT_VERSION + 1, "1", None])
def test_other_versions_are_named(tmp_path: Path, version: object) -> None:
    """A checkpoint of another version must not be loaded as nonsense."""
    path = save(tiny_model(), tmp_path / "model.safetensors")
    rewrite_header(path, lambda header: header | {"version": version})
    with pytest.raises(CheckpointError, match=f"version {version}, this .* reads version {FORMAT_VERSION}"):
        load(path)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["class", "settings", "x"]), inner),
    max_leaves=6,
)


@given(
    place=st.sampled_from(
        [[], ["version"], ["model"], ["details"], ["model", "class"], ["model", "settings"]]
        + [
            ["model", "settings", name]
            for name in ("layout", "hidden_size", "head", "attention", "dropout", "block_frames")
        ]
        + [["model", "settings", "head", name] for name in ("class", "settings")]
        + [["model", "settings", "head", "settings", name] for name in ("in_features", "layout", "new")]
    ),
    value=_json,
)
def test_changed_headers_are_named(tmp_path_factory: pytest.TempPathFactory, place: list[str], value: object) -> None:
    """An edited header must be refused, not fail somewhere inside."""
    path = save(tiny_model(), tmp_path_factory.mktemp("checkpoint") / "model.safetensors")

    def change(header: dict[str, Any]) -> Any:
        inner = header
        for key in place[:-1]:
            inner = inner[key]
        if place:
            inner[place[-1]] = value
            return header
        return value if value else [value]

    rewrite_header(path, change)
    try:
        loaded = load(path)
    except CheckpointError as error:
        assert str(path) in str(error)  # noqa: PT017 (some changes are valid)
    else:
        assert type(loaded) is Seq2SeqLSTM


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", "17", '"version"', "{}"])
def test_headers_that_are_not_a_description_are_named(tmp_path: Path, text: str) -> None:
    """Not a KeyError, and not an exhausted stack."""
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file({"x": torch.zeros(1)}, path, metadata={HEADER: text})
    with pytest.raises(CheckpointError, match="header is damaged"):
        load(path)
