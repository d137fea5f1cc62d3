"""Building a corpus: what is to be done, and that it is done but once."""

import contextlib
import errno
import hashlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Literal, Unpack

from tqdm.auto import tqdm

from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.corpus.reading import FORMAT, VERSION, Corpus, describe_grid
from pianoroll_seq2seq.corpus.shard import Labels, ShardTask, SourceFile
from pianoroll_seq2seq.corpus.workers import Build, refuse_while_starting
from pianoroll_seq2seq.errors import CorpusError, MidiError, MidiNotFoundError, OverwriteError, SettingsError
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.limits import Limits
from pianoroll_seq2seq.midi_io import midi_paths
from pianoroll_seq2seq.pitches import PIANO, PitchRange
from pianoroll_seq2seq.rasterize import Reading, read_planes


def build_corpus(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    grid: FrameGrid = SIXTEENTHS,
    pitches: PitchRange = PIANO,
    outside: Literal["error", "drop"] = "error",
    labels: Callable[[Path], Labels] | None = None,
    executor: Executor | None = None,
    files_per_shard: int = 512,
    progress: bool = True,
    **reading: Unpack[Reading],
) -> Corpus:
    """Turns any number of MIDI files into a corpus on disk.

    A file that gives no roll does not stop the others: ``Corpus.failures`` and ``manifest.json`` say why. A
    build that was interrupted, in whatever way, goes on when it is called again with the same arguments;
    finished shards are not built again. The result does not depend on the executor or on interruptions, down
    to the byte. Of several processes that call it at once, one builds and the others wait for the corpus.

    Where processes are spawned (as here by default), a script must stand under ``if __name__ == "__main__":``.

    Args:
        paths: a folder, below which every ``.mid``, ``.midi``, ``.kar`` and ``.rmi`` file is taken, or the files
            themselves.
        out: a new folder, or one in which an earlier call was interrupted.
        grid: where the frames lie in time, as for :meth:`PianoRoll.from_midi`.
        pitches: the pitches to keep.
        outside: what becomes of notes outside ``pitches``: the file fails, or they are dropped.
        labels: what is known of a file (scale, composer, style), by its path; kept with the piece. Strings, ints and
            finite floats by name.
        executor: what does the work: any :class:`concurrent.futures.Executor`, such as Dask's
            ``Client.get_executor()``, whose workers see the same folders. By default a process for each core.
        files_per_shard: files in a shard, the unit of work.
        progress: whether to show a progress bar.
        **reading: such as ``track="MELODY"``, ``drums=True`` or ``on_damage="salvage"``: see
            :class:`~pianoroll_seq2seq.rasterize.Reading`.

    Raises:
        MidiNotFoundError: no such folder, or no files.
        SettingsError: fewer than one file a shard, a way of reading that there is not, or labels that are none.
        CorpusError: ``out`` holds something else, or worker processes cannot be started.
        OSError: the corpus cannot be written. What is finished is kept.

    Example:
        >>> import tempfile
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from pianoroll_seq2seq import write_midi
        >>> from pianoroll_seq2seq.datasets.scale_chords import scale_chords
        >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
        ...     song = write_midi(scale_chords()["scale_c_major"], f"{folder}/songs/scale.mid")
        ...     corpus = build_corpus([song], f"{folder}/corpus", executor=executor, progress=False)
        ...     [roll.name for roll in corpus]
        ['scale']
    """
    if files_per_shard < 1:
        raise SettingsError(f"files_per_shard must be at least 1, got {files_per_shard}.")
    _check(outside, reading)
    folder = Path(out)
    files = _source_files(paths, labels)
    plan = _plan(files, grid, pitches, reading={"outside": outside, **reading}, files_per_shard=files_per_shard)
    _begin(folder, plan)
    tasks = [
        ShardTask(
            str(folder.absolute()),
            number,
            tuple(files[begin : begin + files_per_shard]),
            grid,
            pitches,
            outside,
            reading,
        )
        for number, begin in enumerate(range(0, len(files), files_per_shard))
    ]
    manifest = folder / "manifest.json"
    if not manifest.exists():
        refuse_while_starting()
        with _alone(folder, progress=progress):
            if not manifest.exists():  # nor was it made by a process for which this one waited
                _clear(folder)
                _build(tasks, executor, progress=progress)
                _clear(folder)
                _write_json(manifest, _manifest(plan, tasks))
    return Corpus(folder, grid=grid)


def _build(tasks: Sequence[ShardTask], executor: Executor | None, *, progress: bool) -> None:
    """Builds the shards that are not finished."""
    todo = [task for task in tasks if not task.index_path.exists()]
    files, left = (sum(len(task.files) for task in some) for some in (tasks, todo))
    with tqdm(total=files, desc="corpus", unit="file", disable=not progress) as bar:
        bar.update(files - left)
        Build(bar, executor).run(todo)


def _check(outside: str, reading: Reading) -> None:
    """Refuses at once what each file would be refused for."""
    if outside not in ("error", "drop"):
        raise SettingsError(f"outside must be 'error' or 'drop', got {outside!r}.")
    with contextlib.suppress(MidiError):  # of an empty file; what it is to be read for is looked at first
        read_planes(b"", grid=SIXTEENTHS, pitches=PIANO, **reading)


def _source_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], labels: Callable[[Path], Labels] | None
) -> list[SourceFile]:
    if isinstance(paths, str | os.PathLike):
        root = Path(paths)
        found = midi_paths(root)
    else:
        found = [Path(path) for path in paths]
        if not found:
            raise MidiNotFoundError("No files to build a corpus of.")
        root = Path(os.path.commonpath([path.absolute().parent for path in found]))
    return [
        SourceFile(
            str(path.absolute()),
            path.absolute().relative_to(root.absolute()).as_posix(),
            {} if labels is None else _checked(labels(path), path),
        )
        for path in found
    ]


def _checked(labels: object, path: Path) -> Labels:
    """Refuses labels that JSON would give back otherwise."""
    if not isinstance(labels, Mapping):
        raise SettingsError(f"{path}: its labels must be a mapping such as {{'style': 'jazz'}}, got {labels!r:.80}.")
    for name, value in labels.items():
        fits = isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
        if not isinstance(name, str) or not fits:
            raise SettingsError(
                f"{path}: a label must be a str, an int or a finite float under a name that is a str, got {name!r}: "
                f"{value!r:.80} ({type(value).__name__}). Convert it, as int(value) does."
            )
    return labels


def _plan(
    files: Sequence[SourceFile], grid: FrameGrid, pitches: PitchRange, *, reading: dict[str, Any], files_per_shard: int
) -> dict[str, Any]:
    """All on which the result depends, as JSON."""
    reading = {name: value for name, value in reading.items() if name != "compiled"}
    if isinstance(reading.get("limits"), Limits):
        reading = {**reading, "limits": vars(reading["limits"])}
    listed = json.dumps([[file.source, _size(file), dict(file.labels)] for file in files], sort_keys=True)
    return {
        "format": FORMAT,
        "version": VERSION,
        "grid": describe_grid(grid),
        "pitches": [pitches.lowest, pitches.highest],
        "reading": reading,
        "files": len(files),
        "files_per_shard": files_per_shard,
        "files_sha256": hashlib.sha256(listed.encode()).hexdigest(),
    }


def _size(file: SourceFile) -> int | None:
    """A file that changed since a build was interrupted has mostly changed its size."""
    try:
        return os.stat(file.path).st_size
    except OSError:
        return None


def _begin(folder: Path, plan: dict[str, Any]) -> None:
    """Takes the folder, if it is empty or holds the same plan."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise CorpusError(f"{folder}: no folder can be made there ({error.strerror}). Choose a new folder.") from error
    path = folder / "plan.json"
    # A process may have been killed while it wrote its plan. This is looked at first: another may write one just now.
    strangers = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".plan.json.")]
    if not path.exists():
        if strangers:
            raise CorpusError(f"{folder}: is not empty and holds no corpus. Choose a new folder.")
        with contextlib.suppress(OverwriteError, FileNotFoundError):  # another was quicker, and may have cleared away
            _write_json(path, plan)
    earlier = _earlier_plan(path)
    if earlier != plan:
        differing = sorted(key for key in {*plan, *earlier} if plan.get(key) != earlier.get(key))
        raise CorpusError(
            f"{folder}: holds a corpus built otherwise ({', '.join(differing)} differ). Choose another folder, or "
            f"call build_corpus with the arguments and files of then."
        )


@contextlib.contextmanager
def _alone(folder: Path, *, progress: bool) -> Iterator[None]:
    """Waits until no other process builds this corpus, and keeps others waiting, as those that torchrun starts.

    The lock lies on the plan and goes with the process, however that ends (and as soon as the process closes that file,
    wherever it opened it). Systems without such locks have none.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / "plan.json").open("rb+") as plan:
        try:
            fcntl.lockf(plan, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            if progress:
                tqdm.write(f"{folder}: another process builds this corpus; waiting for it.", file=sys.stderr)
            fcntl.lockf(plan, fcntl.LOCK_EX)
        except OSError as error:  # a file system without locks
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
        yield


def _earlier_plan(path: Path) -> dict[str, Any]:
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        earlier = None
    if not isinstance(earlier, dict) or earlier.get("format") != FORMAT:
        raise CorpusError(f"{path}: damaged, or not of a corpus. Choose a new folder.")
    return earlier


def _clear(folder: Path) -> None:
    """Removes what workers that died left half done."""
    for pattern in (".[0-9]*.tmp", ".manifest.json.*.tmp", ".plan.json.*.tmp", "*.at"):
        for left in folder.glob(pattern):
            left.unlink(missing_ok=True)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with writing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _manifest(plan: dict[str, Any], tasks: Sequence[ShardTask]) -> dict[str, Any]:
    shards, failures = [], []
    for task in tasks:
        index = json.loads(task.index_path.read_text(encoding="utf-8"))
        shards.append({"name": task.index_path.stem, "pieces": len(index["pieces"]), "frames": index["frames"]})
        failures += index["failures"]
    totals = {"pieces": sum(shard["pieces"] for shard in shards), "frames": sum(shard["frames"] for shard in shards)}
    return {**plan, **totals, "shards": shards, "failures": failures}
