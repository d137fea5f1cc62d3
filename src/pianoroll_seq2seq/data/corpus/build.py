"""Building a corpus: the plan, the lock, and the manifest."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
from msgspec.structs import asdict

from pianoroll_seq2seq._internal.limits import Limits
from pianoroll_seq2seq._internal.locks import LOCK_NAME, file_lock
from pianoroll_seq2seq._internal.progress import tqdm, write_line
from pianoroll_seq2seq.data.corpus.format import (
    FailedFile,
    Labels,
    Manifest,
    PartEntry,
    Plan,
    ShardEntry,
    describe_grid,
    read_index,
    read_plan,
    sealed,
    write_json,
)
from pianoroll_seq2seq.data.corpus.processes import WorkerDiedError, WorkerProcesses
from pianoroll_seq2seq.data.corpus.reading import Corpus
from pianoroll_seq2seq.data.corpus.shard import BUILD_ON, ShardTask, SourceFile, read_parts
from pianoroll_seq2seq.data.corpus.sources import source_files
from pianoroll_seq2seq.data.corpus.workers import Build, refuse_while_starting
from pianoroll_seq2seq.errors import CorpusError, MidiError, OverwriteError, SettingsError
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.midi_io.planes import Reading, read_placed
from pianoroll_seq2seq.part_selection import is_layout, named_selections
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pitches import PIANO, PitchRange


def build_corpus(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    grid: FrameGrid = SIXTEENTHS,
    pitches: PitchRange | Mapping[str, PitchRange] = PIANO,
    outside: Literal["error", "drop"] = "error",
    labels: Callable[[Path], Labels] | None = None,
    executor: Executor | None = None,
    files_per_shard: int = 512,
    progress: bool = True,
    **reading: Unpack[Reading],
) -> Corpus:
    """Converts any number of MIDI and MusicXML files to a corpus on disk.

    A file that cannot be read does not stop the others: ``Corpus.failures`` and ``manifest.json`` have the reason. An
    interrupted build continues when it is called again with the same arguments; finished shards are not built again.
    The bytes of the result do not depend on the executor or on interruptions. If several processes call it at once,
    one builds and the others wait for the corpus.

    All pieces of a corpus have the same parts. Velocities are kept, a byte a note, unless ``velocity=False``.

    Args:
        paths: a folder whose ``.mid``, ``.midi``, ``.kar``, ``.rmi``, ``.musicxml`` and ``.mxl`` files are read, also
            those of its subfolders; or the files.
        out: a new folder, or the folder of an interrupted build.
        grid: how long a frame is.
        pitches: the pitches to keep, of all parts or of each by its name.
        outside: what to do with notes outside ``pitches``: the file fails, or they are dropped.
        labels: a function from the path of a file to its labels (scale, composer, style), which are stored with the
            piece: strings, ints of at most 64 bits and finite floats by name.
        executor: runs the work: any :class:`concurrent.futures.Executor`, such as Dask's ``Client.get_executor()``,
            whose workers see the same folders. By default a process for each core; they do not import your script.
        files_per_shard: files in a shard, the unit of work.
        progress: whether to show a progress bar.
        **reading: such as ``parts=["MELODY", "PIANO"]``, ``velocity=False``, ``track="MELODY"``, ``drums=True`` or
            ``on_damage="salvage"``: see :class:`~pianoroll_seq2seq.midi_io.planes.Reading`. A file without one of the
            parts fails. With ``parts="tracks"`` the parts are those of the first file that can be read.

    Raises:
        MidiNotFoundError: no such folder, or no files.
        SettingsError: fewer than one file a shard, an unknown reading option, or invalid labels.
        CorpusError: ``out`` contains something else, no file can be read with ``parts="tracks"``, or worker processes
            cannot be started.
        OSError: the corpus cannot be written. Finished shards are kept.

    Example:
        >>> import tempfile
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from pianoroll_seq2seq import write_midi
        >>> from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords
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
    files = source_files(paths, labels)
    task = ShardTask(str(folder.absolute()), 0, (), grid, pitches, outside, reading)
    task = replace(task, parts=_parts(files, task, executor))
    plan = _plan(files, task, files_per_shard=files_per_shard)
    _begin(folder, plan)
    tasks = [
        replace(task, number=number, files=tuple(files[begin : begin + files_per_shard]))
        for number, begin in enumerate(range(0, len(files), files_per_shard))
    ]
    manifest = folder / "manifest.json"
    if not manifest.exists():
        refuse_while_starting()
        with _build_lock(folder, progress=progress):
            if not manifest.exists():  # another process may have built it meanwhile
                _clear(folder)
                _build(tasks, executor, progress=progress)
                _clear(folder)
                write_json(manifest, _manifest(plan, tasks))
    return Corpus(folder, grid=grid)


def _build(tasks: Sequence[ShardTask], executor: Executor | None, *, progress: bool) -> None:
    """Builds the unfinished shards."""
    todo = [task for task in tasks if not task.index_path.exists()]
    files, left = (sum(len(task.files) for task in some) for some in (tasks, todo))
    with tqdm(total=files, desc="corpus", unit="file", disable=not progress) as bar:
        bar.update(files - left)
        Build(bar, executor).run(todo)


def _check(outside: str, reading: Reading) -> None:
    """Validates the reading options once, rather than for each file."""
    if outside not in ("error", "drop"):
        raise SettingsError(f"outside must be 'error' or 'drop', got {outside!r}.")
    with contextlib.suppress(MidiError):  # the file is empty; options are validated before that
        read_placed(b"", grid=SIXTEENTHS, pitches=PIANO, **reading)


def _parts(files: Sequence[SourceFile], task: ShardTask, executor: Executor | None) -> tuple[Part, ...]:
    """The parts of all pieces.

    Raises:
        SettingsError: an unknown value of ``parts``, or pitches of other parts.
        CorpusError: ``parts="tracks"``, and no file can be read.
    """
    option = task.reading.get("parts")
    if option == "tracks":
        plan = Path(task.folder) / "plan.json"
        if plan.is_file():
            return tuple(part.part() for part in read_plan(plan).parts)
        return _parts_of_first(files, task, executor)
    if is_layout(option):
        return tuple(map(_without_origin, option))
    names = [""] if option is None else list(named_selections(option))
    drums = [False] if option is None else [bool(one.get("drums")) for one in named_selections(option).values()]
    ranges = task.pitches if isinstance(task.pitches, Mapping) else dict.fromkeys(names, task.pitches)
    unknown = sorted(set(ranges) - set(names))
    if unknown:
        raise SettingsError(f"pitches for {unknown[0]!r}, but the parts are {names}. Pass them with parts=....")
    return tuple(
        Part(name, drums=is_drums, pitches=ranges.get(name, PIANO)) for name, is_drums in zip(names, drums, strict=True)
    )


def _parts_of_first(files: Sequence[SourceFile], task: ShardTask, executor: Executor | None) -> tuple[Part, ...]:
    """The parts of the first file that can be read. It is read by a worker, which a file may kill."""
    refuse_while_starting()
    given = executor
    for file in files:
        with WorkerProcesses(1) if given is None else contextlib.nullcontext(given) as workers:
            try:
                parts = workers.submit(read_parts, file, task).result()
            except (WorkerDiedError, BrokenExecutor):
                given, parts = None, None
        if parts is not None:
            return tuple(map(_without_origin, parts))
    raise CorpusError(
        f"{task.folder}: none of the {len(files)} files can be read, so their parts are unknown. Read one with "
        f"PianoRoll.from_midi(path, parts='tracks') to see why."
    )


def _without_origin(part: Part) -> Part:
    """A part without what may differ from piece to piece."""
    return replace(part, program=0, track=None, channel=None)


def _plan(files: Sequence[SourceFile], task: ShardTask, *, files_per_shard: int) -> Plan:
    """Everything that determines the result."""
    reading: dict[str, Any] = {"outside": task.outside, **task.reading}
    if isinstance(reading.get("limits"), Limits):
        reading = {**reading, "limits": vars(reading["limits"])}
    if is_layout(reading.get("parts")):
        reading["parts"] = "layout"  # the plan has them
    listed = json.dumps([[file.source, _size(file), dict(file.labels)] for file in files], sort_keys=True)
    return Plan(
        grid=describe_grid(task.grid),
        parts=tuple(map(PartEntry.of, task.parts)),
        velocity=task.velocity,
        reading=json.loads(json.dumps(reading, default=_of_numpy)),  # lists for tuples, as they are read again
        files=len(files),
        files_per_shard=files_per_shard,
        files_sha256=hashlib.sha256(listed.encode()).hexdigest(),
    )


def _of_numpy(value: object) -> Any:
    """A number of NumPy as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise SettingsError(f"{value!r:.80} ({type(value).__name__}) is no value of a reading option of a corpus.")


def _size(file: SourceFile) -> int | None:
    """The size of a file, to notice that it changed since a build was interrupted."""
    try:
        return os.stat(file.path).st_size
    except OSError:
        return None


def _begin(folder: Path, plan: Plan) -> None:
    """Writes the plan to an empty folder, or compares it with the plan there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise CorpusError(f"{folder}: cannot create the folder ({error.strerror}). Choose a new folder.") from error
    path = folder / "plan.json"
    # A process may have been killed while it wrote its plan. Listed first, since another process may write one now.
    others = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".plan.json.")]
    if not path.exists():
        if others:
            raise CorpusError(f"{folder}: the folder is not empty and contains no corpus. Choose a new folder.")
        with contextlib.suppress(OverwriteError, FileNotFoundError):  # another process was faster
            write_json(path, plan)
    earlier = read_plan(path)
    if earlier != plan:
        differing = sorted(name for name in plan.__struct_fields__ if getattr(plan, name) != getattr(earlier, name))
        if [part.name for part in plan.parts] == [part.name for part in earlier.parts]:
            differing = ["pitches" if name == "parts" else name for name in differing]
        raise CorpusError(
            f"{folder}: contains a corpus built with other arguments or files ({', '.join(differing)} differ). Choose "
            f"another folder, or call build_corpus with the same arguments and files as before."
        )


@contextlib.contextmanager
def _build_lock(folder: Path, *, progress: bool) -> Iterator[None]:
    """Lets one process at a time build this corpus; the others wait, as those that torchrun starts.

    The lock is released when its process ends, even if it is killed.
    """
    lock = folder / LOCK_NAME
    with file_lock(lock, wait=False, remove=True) as is_free:
        if is_free:
            yield
            return
    if progress:
        write_line(f"{folder}: another process builds this corpus; waiting for it.")
    with file_lock(lock, remove=True):
        yield


def _clear(folder: Path) -> None:
    """Removes the unfinished files of workers that died."""
    for pattern in (".[0-9]*.tmp", ".manifest.json.*.tmp", ".plan.json.*.tmp", "*.at"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def _manifest(plan: Plan, tasks: Sequence[ShardTask]) -> Manifest:
    shards: list[ShardEntry] = []
    failures: list[FailedFile] = []
    for task in tasks:
        index, sha256 = read_index(Path(task.folder), task.name, task.parts, velocity=task.velocity, fix=BUILD_ON)
        shards.append(ShardEntry(task.name, len(index.pieces), index.frames, sha256))
        failures += index.failures
    manifest = Manifest(
        **asdict(plan),
        pieces=sum(shard.pieces for shard in shards),
        frames=sum(shard.frames for shard in shards),
        shards=tuple(shards),
        failures=tuple(failures),
    )
    return sealed(manifest)
