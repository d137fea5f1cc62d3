"""What all tests share.

Shapes and types in the annotations are checked at run time, by jaxtyping and beartype, while the tests
run: this must come before anything of the library is imported.
"""

import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import matplotlib
import pytest
import typechecker  # noqa: F401  (before the hook that asks it)
from jaxtyping import install_import_hook

install_import_hook("pianoroll_seq2seq", "typechecker.check")
matplotlib.use("Agg")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell's background jobs have it, and all that they start
    signal.signal(signal.SIGINT, signal.default_int_handler)
collect_ignore = ["downstream"]  # programs of a user's own, which nox -s package runs
if find_spec("hypothesis"):  # not where Azure ML's clients are tested
    from hypothesis import settings

    settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
    settings.load_profile("untimed")


def _data_folder(name: str) -> Path:
    root = os.environ.get("PIANOROLL_SEQ2SEQ_DATA")
    if not root:
        pytest.skip("real data: PIANOROLL_SEQ2SEQ_DATA is not set to the folder that holds it")
    folder = Path(root) / name
    if not folder.is_dir():
        pytest.skip(f"real data: {folder} is not there")
    return folder


@pytest.fixture(scope="session")
def scale_chords_dir() -> Path:
    """The original scale chords pack: 156 MIDI files."""
    return _data_folder("scale_chords_small") / "midi"


@pytest.fixture(scope="session")
def pop909_dir() -> Path:
    """200 multi-track files of POP909."""
    return _data_folder("pop909_sample")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Models as small as the tests' are many times as fast on a single thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
