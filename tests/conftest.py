"""Options and fixtures of all tests."""

import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # models as small as the tests' are fastest on one thread
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # no test sends anything
import matplotlib
import pytest

matplotlib.use("Agg")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell ignores it in background jobs, and in their children
    signal.signal(signal.SIGINT, signal.default_int_handler)
collect_ignore = ["downstream"]  # programs of a user, which nox -s package runs
if find_spec("hypothesis"):  # the environments of Azure ML's clients do without it
    from hypothesis import settings

    # No deadlines: a busy machine is no failure. The quick profile tries the same examples in every run.
    settings.register_profile("quick", deadline=None, max_examples=25, derandomize=True)
    settings.register_profile("full", deadline=None, max_examples=200, print_blob=True)
    settings.load_profile("quick")  # pytest --hypothesis-profile=full loads the other


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--check-types``."""
    text = "check the types and shapes in the library's annotations at every call, by jaxtyping and beartype"
    parser.addoption("--check-types", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Hooks the type checker into the import of the library, before any test imports it."""
    if config.getoption("--check-types"):
        import typechecker  # noqa: F401  (the hook needs it loaded)
        from jaxtyping import install_import_hook

        install_import_hook("pianoroll_seq2seq", "typechecker.check")
        # beartype checks a random item of a list, also where a strategy builds a score.
        drawn = "ignore:Do not use the `random` module inside strategies"
        config.addinivalue_line("filterwarnings", drawn)


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


@pytest.fixture(scope="session")
def jsb16_dir() -> Path:
    """Bach's chorales in sixteenths with four voices: ``Jsb16thSeparated.json``."""
    return _data_folder("jsb16")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Models as small as the tests' are many times as fast on a single thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def plain_loops() -> Iterator[None]:
    """MIDI files are read without numba, however many the tests read before, unless a test forces compiled loops."""
    from pianoroll_seq2seq._internal import compiled

    with compiled.forced(active=False):
        yield
