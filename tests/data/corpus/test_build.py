"""Building a corpus: the same bytes however it is done, and every file but those that cannot be read."""

import json
import multiprocessing
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.corpus.sabotage import (
    KILLER,
    KILLS,
    KILLS_TWICE,
    RAISES,
    SLOW,
    Inline,
    TrappedGrid,
    contents,
    dask_executor,
    write_songs,
)
from typechecker import as_users_have_it

from pianoroll_seq2seq import BeatGrid, Corpus, Limits, PianoRoll, PitchRange, SecondsGrid, TempoMap, build_corpus
from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.data.corpus import shard
from pianoroll_seq2seq.data.corpus.shard import ShardTask, build_shard
from pianoroll_seq2seq.errors import CorpusError, MidiNotFoundError, SettingsError

linux = pytest.mark.skipif(sys.platform != "linux", reason="counts processes, or limits them, as Linux does")

DIED = "the worker process died while it read this file"
SABOTAGE = Path(__file__).parent / "sabotage.py"

quiet_dask = pytest.mark.filterwarnings(
    "ignore::ResourceWarning:distributed", "ignore::DeprecationWarning:distributed", "ignore::FutureWarning:dask"
)


def build(source: Any, out: Path, **changes: Any) -> Corpus:
    return build_corpus(source, out, **{"progress": False, "files_per_shard": 4} | changes)


def spawning(workers: int, **settings: Any) -> ProcessPoolExecutor:
    """A user's own pool of processes."""
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), **settings)


def written(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Which file on disk each is, its size and when it was last written; not when it was last read."""
    found = {path.name: path.stat() for path in folder.iterdir()}
    return {name: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in found.items()}


# ---- The same bytes


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen files, of which two cannot be read and one has notes outside the range."""
    folder = write_songs(tmp_path_factory.mktemp("songs") / "in", 12)
    (folder / "05b.mid").write_bytes(b"")
    (folder / "Ü.mid").write_bytes((folder / "03.mid").read_bytes()[:-30])
    return folder


def label(path: Path) -> dict[str, str | int | float]:
    return {"größe": path.stat().st_size}


SETTINGS: dict[str, Any] = {"labels": label, "pitches": PitchRange(40, 88), "grid": SecondsGrid(0.04)}


@pytest.fixture(scope="module")
def reference(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("reference") / "corpus"
    corpus = build(songs, folder, executor=Inline(), **SETTINGS)
    assert len(corpus) + len(corpus.failures) == 14
    assert len(corpus) > 4
    assert {"05b.mid", "Ü.mid"} < set(corpus.failures)
    found = contents(folder)
    names = {f"0000{number}.{kind}" for number in range(4) for kind in ("npy", "velocity.npy", "onsets.npy", "json")}
    assert set(found) == names | {"plan.json", "manifest.json"}
    return found


@contextmanager
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.mark.parametrize(
    "executor",
    [None, threads, lambda: spawning(2), pytest.param(lambda: dask_executor(2), marks=quiet_dask)],
    ids=["default", "threads", "own processes", "dask"],
)
def test_the_executor_does_not_matter(
    songs: Path, tmp_path: Path, reference: dict[str, bytes], executor: Callable[[], AbstractContextManager[Any]] | None
) -> None:
    """A corpus cannot be compared with one that was built elsewhere, or results depend on the machine."""
    if executor is None:
        build(songs, tmp_path / "corpus", **SETTINGS)
    else:
        with executor() as given:
            build(songs, tmp_path / "corpus", executor=given, **SETTINGS)
    assert contents(tmp_path / "corpus") == reference


def test_compiled_does_not_matter(songs: Path, tmp_path: Path, reference: dict[str, bytes]) -> None:
    """A corpus that was begun without numba cannot be continued with numba, or differs."""
    with loops.forced(active=True):
        build(songs, tmp_path / "corpus", executor=Inline(), **SETTINGS)
    assert contents(tmp_path / "corpus") == reference
    (tmp_path / "corpus" / "manifest.json").unlink()
    with loops.forced(active=False):
        build(songs, tmp_path / "corpus", executor=Inline(), **SETTINGS)
    assert contents(tmp_path / "corpus") == reference


def test_the_place_does_not_matter(
    songs: Path, tmp_path: Path, reference: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path, or files that were moved, give other pieces."""
    monkeypatch.chdir(songs.parent)
    out = Path(os.path.relpath(tmp_path / "corpus"))
    assert len(build("in", out, executor=Inline(), **SETTINGS)) > 4
    assert contents(tmp_path / "corpus") == reference
    shutil.copytree(songs, tmp_path / "moved")
    moved = build(tmp_path / "moved", tmp_path / "other", executor=Inline(), **SETTINGS)
    for name, data in contents(tmp_path / "other").items():
        if name[0] == "0":
            assert data == reference[name] or json.loads(data)["pieces"] == json.loads(reference[name])["pieces"]
    assert moved.failures.keys() == Corpus(tmp_path / "corpus").failures.keys()


def test_workers_may_stand_elsewhere(songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of a cluster, which start in folders of their own, write the shards there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(songs, tmp_path / "in")
    with spawning(1, initializer=os.chdir, initargs=(str(tmp_path / "elsewhere"),)) as pool:
        corpus = build("in", Path("corpus"), executor=pool)
    assert len(corpus) + len(corpus.failures) == 14
    assert not list((tmp_path / "elsewhere").iterdir())


def test_the_size_of_shards_changes_no_piece(songs: Path, tmp_path: Path, reference: dict[str, bytes]) -> None:
    """How the work is cut changes the music, the order, or what fails."""
    corpora = [
        build(songs, tmp_path / str(size), executor=Inline(), files_per_shard=size, **SETTINGS) for size in (1, 5, 100)
    ]
    assert len({tuple(corpus.names) for corpus in corpora}) == 1
    assert len({tuple(corpus.roll_hashes) for corpus in corpora}) == 1
    assert len({json.dumps([corpus.labels, corpus.failures]) for corpus in corpora}) == 1
    for files, axis in (("?????.npy", 1), ("*.velocity.npy", 0)):
        arrays = [
            np.concatenate([np.load(path) for path in sorted((tmp_path / size).glob(files))], axis=axis).tobytes()
            for size in ("1", "5", "100")
        ]
        assert arrays[0] == arrays[1] == arrays[2]
    for rolls in zip(*corpora, strict=True):
        assert rolls[0] == rolls[1] == rolls[2]


def test_a_finished_corpus_is_opened(songs: Path, tmp_path: Path, reference: dict[str, bytes]) -> None:
    """Running a notebook again builds everything again."""

    class Never(Executor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:  # type: ignore[override]
            pytest.fail("work was given out")

    build(songs, tmp_path / "corpus", executor=Inline(), **SETTINGS)
    before = written(tmp_path / "corpus")
    again = build(songs, tmp_path / "corpus", executor=Never(), **SETTINGS)
    assert written(tmp_path / "corpus") == before
    assert contents(tmp_path / "corpus") == reference
    assert again.names


def test_progress_is_shown_only_when_asked(songs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Logs fill up, or hours pass without a sign of life, or failures stay unseen to the end."""
    build(songs, tmp_path / "silent", executor=Inline())
    assert capfd.readouterr() == ("", "")
    build(songs, tmp_path / "corpus", executor=Inline(), progress=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "14/14" in shown.err
    assert "failed=2" in shown.err


# ---- Files that kill


def build_trapped(source: Path, out: Path, **changes: Any) -> Corpus:
    return build(source, out, grid=TrappedGrid(4), **changes)


def assert_all_but(corpus: Corpus, source: Path, failures: dict[str, str]) -> None:
    """Exactly these files failed, for these reasons; all others are there; and nothing is left lying about."""
    assert corpus.failures.keys() == failures.keys()
    for name, reason in failures.items():
        assert reason in corpus.failures[name]
        assert name in corpus.failures[name] or reason != DIED
    expected = sorted(path for path in source.rglob("*.mid") if path.name not in failures)
    assert corpus.names == [path.stem for path in expected]
    for roll, path in zip(corpus, expected, strict=True):
        assert roll == PianoRoll.from_midi(path, grid=TrappedGrid(4))
    left = {path.suffix for path in corpus.folder.iterdir()}
    assert left == {".npy", ".json"}


CASES = {
    "one": {5: KILLS},
    "first and last": {0: KILLS, 11: KILLS},
    "two in one shard": {5: KILLS, 6: KILLS},
    "beside slow ones": {0: KILLS, 1: KILLS, 2: KILLS, 3: KILLS, 4: SLOW, 8: SLOW},
}


QUICK_CASES = ("two in one shard", "beside slow ones")


@pytest.mark.parametrize(
    "case", [case if case in QUICK_CASES else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_a_file_that_kills_its_worker(tmp_path: Path, case: str) -> None:
    """One file on which a parser crashes ends the build, hangs it, or takes others with it."""
    source = write_songs(tmp_path / "in", 12, CASES[case])
    corpus = build_trapped(source, tmp_path / "corpus")
    killers = {f"{number:02}.mid": DIED for number, trap in CASES[case].items() if trap == KILLS}
    assert_all_but(corpus, source, killers)
    if case != "beside slow ones":  # they prove something about several workers
        build_trapped(source, tmp_path / "again", executor=spawning(1))
        assert contents(tmp_path / "again") == contents(tmp_path / "corpus")


def test_a_process_pool_of_the_user_that_breaks(tmp_path: Path) -> None:
    """A user's pool, which takes no more work once a worker died, ends the build."""
    source = write_songs(tmp_path / "in", 12, {2: KILLS, 9: KILLS})
    with spawning(2) as pool:
        corpus = build_trapped(source, tmp_path / "corpus", executor=pool)
        assert_all_but(corpus, source, {"02.mid": DIED, "09.mid": DIED})
        # The same pool, broken from the beginning:
        build_trapped(source, tmp_path / "again", executor=pool)
    assert contents(tmp_path / "again") == contents(tmp_path / "corpus")


@quiet_dask
def test_a_file_that_kills_the_workers_of_a_cluster(tmp_path: Path) -> None:
    """One bad file takes down a worker of a cluster after the other, and the build with them."""
    source = write_songs(tmp_path / "in", 12, {2: KILLS, 9: KILLS})
    with dask_executor(2) as executor:
        corpus = build_trapped(source, tmp_path / "corpus", executor=executor)
    assert_all_but(corpus, source, {"02.mid": DIED, "09.mid": DIED})


@linux
@pytest.mark.parametrize(
    ("trouble", "builds"),
    [("--slow-starts", 1), ("--busy", 2), pytest.param("--busy", 20, marks=pytest.mark.slow)],
    ids=["slow starts", "busy", "busy for long"],
)
def test_files_that_kill_on_a_busy_machine(tmp_path: Path, trouble: str, builds: int) -> None:
    """On a loaded machine a build waits for ever for a worker that was being started when another died."""
    ran = subprocess.run(
        [sys.executable, str(SABOTAGE), trouble, str(tmp_path), str(builds)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60 * builds,
    )
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(found) == builds
    for each in found:
        assert each["failures"] == {KILLER: f"{KILLER}: {DIED} (out of memory, or a fault in a parser)."}
        assert each["pieces"] == (3 if trouble == "--busy" else 7)


def test_no_task_is_given_out_twice(songs: Path, tmp_path: Path) -> None:
    """Dask, which takes equal tasks for one, answers a second try with the failure of the first, for ever."""
    seen: list[bytes] = []

    class Listening(Inline):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            seen.append(pickle.dumps((args, kwargs)))
            return super().submit(fn, *args, **kwargs)

    for _ in range(2):
        build(songs, tmp_path / "corpus", executor=Listening())
        shutil.rmtree(tmp_path / "corpus")
    assert len(set(seen)) == len(seen) == 8


def test_files_that_kill_together(tmp_path: Path) -> None:
    """Files that fill the memory of a worker bit by bit, none of which kills it alone, hang the build."""
    source = write_songs(tmp_path / "in", 8, {1: KILLS_TWICE, 2: KILLS_TWICE, 6: SLOW})
    corpus = build_trapped(source, tmp_path / "corpus")
    assert_all_but(corpus, source, {"02.mid": DIED})


def test_a_file_on_which_something_unforeseen_fails(tmp_path: Path) -> None:
    """An error of a kind that nobody thought of ends the build of a million files."""
    source = write_songs(tmp_path / "in", 8, {1: RAISES, 6: RAISES})
    corpus = build_trapped(source, tmp_path / "corpus", executor=Inline())
    assert_all_but(corpus, source, dict.fromkeys(("01.mid", "06.mid"), "RuntimeError: a fault in the grid"))


def test_files_that_vanish_while_it_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is moved away meanwhile ends the build, or another takes its place."""
    source = write_songs(tmp_path / "in", 8)
    read_piece = shard.read_piece

    def vanish(file: Any, task: ShardTask) -> Any:
        (source / "05.mid").unlink(missing_ok=True)
        return read_piece(file, task)

    monkeypatch.setattr(shard, "read_piece", vanish)
    corpus = build(source, tmp_path / "corpus", executor=Inline())
    assert list(corpus.failures) == ["05.mid"]
    assert len(corpus) == 7


# ---- Workers that cannot work


def test_a_grid_of_a_notebook(songs: Path, tmp_path: Path) -> None:
    """A grid defined in a function, or in a notebook, hangs the build: its workers cannot import it."""

    class Local(BeatGrid):
        def lines_at(self, ticks: np.ndarray, tempo: TempoMap) -> np.ndarray:
            return 2 * super().lines_at(ticks, tempo)

    corpus = build(songs, tmp_path / "corpus", grid=Local(4))
    assert len(corpus) == 12
    assert corpus[0] == PianoRoll.from_midi(songs / "00.mid", grid=Local(4))
    with spawning(1) as pool, pytest.raises(CorpusError, match=r"cannot begin: .*Local.* a grid of your own"):
        build(songs, tmp_path / "other", grid=Local(4), executor=pool)


def test_a_grid_that_workers_cannot_find(songs: Path, tmp_path: Path) -> None:
    """A grid of a module that is nowhere kills each worker before it begins, over and over: the build hangs."""
    module = type(sys)("a_notebook")
    exec("from pianoroll_seq2seq import BeatGrid\nclass Noted(BeatGrid): pass", module.__dict__)
    sys.modules["a_notebook"] = module
    try:
        with pytest.raises(CorpusError, match=r"cannot begin: .* a grid of your own"):
            build(songs, tmp_path / "corpus", grid=module.Noted(4))
    finally:
        del sys.modules["a_notebook"]


SCRIPT = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pianoroll_seq2seq import BeatGrid, build_corpus

class Own(BeatGrid):
    pass

own = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
{guard}build_corpus({source!r}, {out!r}, grid=Own(4), executor={executor}, progress=False)
own.shutdown()
"""


def run_program(*arguments: str | Path, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, **settings)


@pytest.mark.parametrize("executor", ["None", "own"])
@pytest.mark.parametrize("guard", ["", "if __name__ == '__main__': "], ids=["bare", "guarded"])
def test_a_script_without_the_main_guard(songs: Path, tmp_path: Path, guard: str, executor: str) -> None:
    """A first script, written without the guard that spawned processes need, starts itself over and over, or hangs."""
    script = tmp_path / "script.py"
    out = tmp_path / "corpus"
    script.write_text(SCRIPT.format(guard=guard, source=str(songs), out=str(out), executor=executor))
    done = run_program(script)
    assert done.returncode == 0
    assert len(Corpus(out, grid=named_own(4))) == 12
    if guard or executor == "None":
        assert done.stderr == ""
    else:  # the process of the script's own pool
        assert "CorpusError: The processes of your executor cannot start" in done.stderr
        assert 'if __name__ == "__main__":' in done.stderr
    done = run_program(script)
    assert (done.returncode, done.stderr) == (0, "")  # a finished corpus is only opened


def named_own(frames_per_beat: int) -> BeatGrid:
    """A grid whose class has the name of the script's."""
    return type("Own", (BeatGrid,), {})(frames_per_beat)


def test_a_program_from_standard_input(songs: Path, tmp_path: Path) -> None:
    """A notebook, or a program that is piped into Python, has no file that its workers could import."""
    program = SCRIPT.format(guard="", source=str(songs), out=str(tmp_path / "corpus"), executor="None")
    done = run_program("-", input=program)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(Corpus(tmp_path / "corpus", grid=named_own(4))) == 12


def test_in_a_daemon_process(songs: Path, tmp_path: Path) -> None:
    """A job runner's daemon processes, which may not start others by multiprocessing, end in a bare AssertionError."""
    process = multiprocessing.get_context("spawn").Process(
        target=build_corpus, args=(songs, tmp_path / "corpus"), kwargs={"progress": False}, daemon=True
    )
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert len(Corpus(tmp_path / "corpus")) == 12


@pytest.mark.parametrize("how", ["script", "-c"])
def test_workers_import_nothing_from_the_working_directory(songs: Path, tmp_path: Path, how: str) -> None:
    """A file that happens to lie beside the music, such as signal.py, is run by the workers or breaks them."""
    place, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    place.mkdir()
    elsewhere.mkdir()
    for name in ("numpy", "pickle", "signal", "socket", "pianoroll_seq2seq"):
        (place / f"{name}.py").write_text("open('imported', 'w').close()\nraise ImportError('not this one')\n")
    text = (
        f"import os, numpy, pickle, signal, socket\nfrom pianoroll_seq2seq import build_corpus\n"
        f"os.chdir({str(place)!r})\nif __name__ == '__main__':\n"
        f"    build_corpus({str(songs)!r}, {str(tmp_path / 'corpus')!r}, progress=False)\n"
    )
    (elsewhere / "script.py").write_text(text)
    done = run_program(*([elsewhere / "script.py"] if how == "script" else ["-c", text]), cwd=elsewhere)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (place / "imported").exists()
    assert len(Corpus(tmp_path / "corpus")) == 12


# ---- Refusals


@pytest.mark.parametrize("out", ["song.mid", "song.mid/corpus"])
def test_a_place_where_no_folder_can_be(songs: Path, tmp_path: Path, out: str) -> None:
    """A slip in the order of arguments ends in an error from somewhere inside, or costs the file."""
    (tmp_path / "song.mid").write_bytes(b"music")
    with pytest.raises(CorpusError, match=r"cannot create the folder \((File exists|Not a directory)\)"):
        build(songs, tmp_path / out, executor=Inline())
    assert (tmp_path / "song.mid").read_bytes() == b"music"


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        (None, "must be a mapping"),
        ({"bars": np.int64(3)}, r"'bars': np.int64\(3\) \(int64\)"),
        ({"tags": ["a"]}, r"'tags': \['a'\] \(list\)"),
        ({"swing": float("nan")}, r"'swing': nan \(float\)"),
        ({7: "a"}, "7: 'a'"),
        ({"id": 2**64}, r"'id': 18446744073709551616 \(int\)"),
        ({"id": 10**5000}, r"'id': a number of thousands of digits \(int\)"),
    ],
    ids=["none", "numpy", "list", "nan", "name", "large", "huge"],
)
def test_labels_that_json_does_not_hold(songs: Path, tmp_path: Path, labels: Any, named: str) -> None:
    """The build ends in an error that names no file, or a label comes back as something else."""
    with pytest.raises(SettingsError, match=f"00.mid: .*{named}"):
        as_users_have_it(build_corpus)(songs, tmp_path / "corpus", labels=lambda path: labels, progress=False)
    assert not (tmp_path / "corpus").exists()


def test_reading_options_of_numpy(songs: Path, tmp_path: Path) -> None:
    """The build ends in an error of JSON, or does not go on with the same numbers of Python."""
    options = {"channel": np.int64(0), "limits": Limits(max_frames=np.int64(10_000))}
    corpus = build(songs, tmp_path / "corpus", executor=Inline(), **options)
    again = build(songs, tmp_path / "corpus", executor=Inline(), channel=0, limits=Limits(max_frames=10_000))
    assert len(again) == len(corpus) > 0


@pytest.mark.parametrize("name", ["00001.json", "00001.npy"])
def test_a_damaged_shard_of_an_interrupted_build(songs: Path, tmp_path: Path, name: str) -> None:
    """The build goes on with a shard that cannot be read, or ends in an error that says nothing."""
    folder = tmp_path / "corpus"
    whole = contents(build(songs, folder, executor=Inline()).folder)
    (folder / "manifest.json").unlink()
    (folder / name).write_bytes((folder / name).read_bytes()[:-9])
    (folder / "00002.json").unlink()
    with pytest.raises(CorpusError, match=rf"{re.escape(name)}: .* Delete the files of this shard, and call"):
        build(songs, folder, executor=Inline())
    for file in folder.glob("00001.*"):
        file.unlink()
    assert contents(build(songs, folder, executor=Inline()).folder) == whole


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"pitches": PitchRange(39, 88)}, "pitches"),
        ({"grid": SecondsGrid(0.02)}, "grid"),
        ({"grid": BeatGrid(4)}, "grid"),
        ({"labels": None}, "files_sha256"),
        ({"files_per_shard": 5}, "files_per_shard"),
        ({"outside": "drop"}, "reading"),
        ({"track": "MELODY"}, "reading"),
        ({"limits": Limits(max_frames=10)}, "reading"),
        ({"sustain": True, "files_per_shard": 3}, "files_per_shard, reading"),
    ],
    ids=str,
)
@pytest.mark.parametrize("finished", [True, False])
def test_other_arguments_are_refused(
    songs: Path, tmp_path: Path, change: dict[str, Any], named: str, finished: bool
) -> None:
    """A corpus is half of one kind and half of another; or old pieces are returned for new arguments."""
    build(songs, tmp_path / "corpus", executor=Inline(), **SETTINGS)
    if not finished:
        for name in ("manifest.json", "00002.npy", "00002.json"):
            (tmp_path / "corpus" / name).unlink()
    before = contents(tmp_path / "corpus")
    with pytest.raises(CorpusError, match=rf"built with other arguments or files \({named} differ\)"):
        build(songs, tmp_path / "corpus", executor=Inline(), **SETTINGS | change)
    assert contents(tmp_path / "corpus") == before


def test_other_files_are_refused(songs: Path, tmp_path: Path) -> None:
    """Files that were added after a build was interrupted end in the wrong shards."""
    build(songs, tmp_path / "corpus", executor=Inline())
    paths = sorted(songs.iterdir())
    for other in (paths[:-1], paths[::-1]):
        with pytest.raises(CorpusError, match=r"\(.*files_sha256.* differ\)"):
            build(other, tmp_path / "corpus", executor=Inline())


def test_limits_can_be_given(songs: Path, tmp_path: Path) -> None:
    """limits=Limits(...) cannot be written down in the plan, or is not heeded."""
    for _ in range(2):
        corpus = build(songs, tmp_path / "corpus", executor=Inline(), limits=Limits(max_frames=67))
    assert any("over the limits of 67 frames" in reason for reason in corpus.failures.values())


@pytest.mark.parametrize("name", ["thesis.tex", ".hidden", "00000.npy", "manifest.json", "00000.at", "plan.json"])
def test_a_folder_of_something_else_is_left_alone(songs: Path, tmp_path: Path, name: str) -> None:
    """A wrong path for the corpus costs a user the files that lie there."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / name).write_text('["my plan"]')
    (folder / ".00000.npy.x.tmp").write_text("mine")
    before = contents(folder)
    with pytest.raises(CorpusError, match="Choose a new folder"):
        build(songs, folder, executor=Inline())
    assert contents(folder) == before


def test_a_damaged_plan(songs: Path, tmp_path: Path) -> None:
    """A plan cut short ends in an error of JSON that says nothing."""
    build(songs, tmp_path / "corpus", executor=Inline())
    (tmp_path / "corpus" / "plan.json").write_text('{"format": ')
    with pytest.raises(CorpusError, match=r"plan\.json: damaged"):
        build(songs, tmp_path / "corpus", executor=Inline())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"files_per_shard": 0}, "files_per_shard.*0"),
        ({"outside": "ignore"}, "outside.*'ignore'"),
        ({"pairing": "middle"}, "pairing='middle'"),
        ({"trakc": "MELODY"}, "trakc"),
    ],
    ids=str,
)
def test_misspelt_arguments_are_refused_at_once(
    songs: Path, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    """A typo is found after hours, as the reason why every single file failed."""
    unchecked = as_users_have_it(build_corpus)
    with pytest.raises(SettingsError, match=named):
        unchecked(songs, tmp_path / "corpus", progress=False, executor=Inline(), **change)
    assert not (tmp_path / "corpus").exists()


def test_no_files(tmp_path: Path) -> None:
    """A wrong path makes an empty corpus."""
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "nothing", tmp_path / "empty", []):
        with pytest.raises(MidiNotFoundError):
            build(source, tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


# ---- Disks


def test_a_full_disk(songs: Path, tmp_path: Path, reference: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is taken for a fault of the files, or costs what was built before."""
    header = shard.npy_header
    written: list[int] = []

    def fill_up(shape: tuple[int, ...]) -> bytes:
        written.append(1)
        if len(written) == 7:  # of the third shard, which has three arrays as they all have
            raise OSError(28, "No space left on device")
        return header(shape)

    monkeypatch.setattr(shard, "npy_header", fill_up)
    with ThreadPoolExecutor(1) as pool, pytest.raises(OSError, match="No space left"):
        build(songs, tmp_path / "corpus", executor=pool, **SETTINGS)
    finished = {
        name: data for name, data in contents(tmp_path / "corpus").items() if name.startswith(("00000", "00001"))
    }
    assert len(finished) == 8
    assert finished.items() <= reference.items()
    build(songs, tmp_path / "corpus", executor=Inline(), **SETTINGS)
    assert contents(tmp_path / "corpus") == reference


_LIMITED = """
import resource, sys
from pianoroll_seq2seq import build_corpus
if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
    try:
        build_corpus(sys.argv[1], sys.argv[2], files_per_shard=4, progress=False)
    except OSError as error:
        print(type(error).__name__, error)
"""


@linux
def test_a_disk_that_is_full_for_worker_processes(tmp_path: Path) -> None:
    """A full disk, met by a worker process, is taken for its death: file after file is blamed for it."""
    source = write_songs(tmp_path / "in", 12)
    roll = PianoRoll.from_midi(source / "05.mid")
    long = PianoRoll(np.tile(roll.active, (30, 1)), np.tile(roll.onset, (30, 1)), tempo=roll.tempo)
    long.to_midi(source / "05.mid", overwrite=True)
    (tmp_path / "script.py").write_text(_LIMITED)
    command = [sys.executable, str(tmp_path / "script.py"), str(source), str(tmp_path / "corpus"), "20000"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert "OSError" in done.stdout
    assert "File too large" in done.stdout
    left = set(contents(tmp_path / "corpus"))
    assert {"00000.npy", "00000.json"} < left
    assert not {"00001.npy", "00001.json", "manifest.json"} & left
    corpus = build(source, tmp_path / "corpus", executor=Inline())
    assert not corpus.failures
    build(source, tmp_path / "whole", executor=Inline())
    assert contents(tmp_path / "corpus") == contents(tmp_path / "whole")


def test_a_finished_shard_is_not_built_again(songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that runs a task twice does the work twice, or one run spoils the other's."""
    build(songs, tmp_path / "corpus", executor=Inline())
    files = tuple(shard.SourceFile(str(path), path.name, {}) for path in sorted(songs.iterdir())[:4])
    task = ShardTask(str(tmp_path / "corpus"), 0, files, BeatGrid(4), PitchRange(), "error", {})
    before = contents(tmp_path / "corpus"), written(tmp_path / "corpus")
    monkeypatch.setattr(shard, "read_piece", lambda *_: pytest.fail("a file was read"))
    assert build_shard(task) == (4, 0)
    assert (contents(tmp_path / "corpus"), written(tmp_path / "corpus")) == before


@pytest.mark.parametrize("write", range(1, 20))
def test_stopped_at_any_write(
    songs: Path, tmp_path: Path, reference: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    """A build that was stopped just while it wrote cannot go on, or ends with other bytes or litter."""
    count = 0
    fsync = os.fsync

    def stop(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == write:
            raise KeyboardInterrupt
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", stop)
    try:
        build(songs, tmp_path / "corpus", executor=Inline(), **SETTINGS)
    except KeyboardInterrupt:
        monkeypatch.undo()
        assert not (tmp_path / "corpus" / "manifest.json").exists()
        build(songs, tmp_path / "corpus", executor=Inline(), **SETTINGS)
    else:
        assert count < write == 19  # plan, four times three arrays and an index, manifest
    assert contents(tmp_path / "corpus") == reference


def test_foreign_temporary_files_are_not_taken_for_ours(tmp_path):
    """Another program's half-written files would be cleared away with a killed build's."""
    source, folder = tmp_path / "midi", tmp_path / "corpus"
    source.mkdir()
    (source / "song.mid").write_bytes(b"nothing")
    folder.mkdir()
    (folder / ".00000.theirs.tmp").write_text("theirs")
    with pytest.raises(CorpusError, match="not empty"):
        build_corpus(source, folder, progress=False)
    assert [path.name for path in folder.iterdir()] == [".00000.theirs.tmp"]
    (folder / ".00000.theirs.tmp").rename(folder / ".plan.json.0123.tmp")  # killed while it wrote its first file
    assert len(build_corpus(source, folder, progress=False)) == 0
    assert not list(folder.glob(".*"))
