"""A run as an event file for TensorBoard, which shows its curves, hyperparameters, pictures and sounds.

PyTorch's writer writes in a thread, and raises its errors some calls later. This tracker writes each event at once, so
that the file is complete up to the last event even after a crash, and a full disk is a warning.
"""

import os
import socket
import time
import wave
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from importlib.util import find_spec
from io import FileIO
from pathlib import Path
from typing import Any

from pianoroll_seq2seq._internal.reports import Reports
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.trackers.base import Value
from pianoroll_seq2seq.trackers.ranks import is_first_process
from pianoroll_seq2seq.trackers.termination import Termination
from pianoroll_seq2seq.trackers.values import public_params

EVENTS = "events.out.tfevents."
"""The beginning of the names of event files."""
_FRAME = 16
"""Bytes around an event: its length and two checksums."""
_IMAGES = (".png", ".jpg", ".jpeg", ".gif")
_SOUNDS = (".wav",)


class TensorBoardTracker:
    """Keeps a run's parameters, metrics, pictures and sounds in an event file of TensorBoard.

    ``tensorboard --logdir runs`` shows all runs in the folders below ``runs``. A resumed run continues in the same
    folder; what an earlier process logged at later steps is hidden. TensorBoard keeps no files: pictures and WAV files
    are copied into the event file, of others it keeps the path. Only the first process of a distributed run tracks. If
    something cannot be written during the run, it warns once.

    Args:
        folder: the run's folder, one for each run; missing folders are created.

    Example:
        ::

            with TensorBoardTracker("runs/tensorboard/first") as tracker:
                fit(model, train, valid, epochs=20, batch_size=32, tracker=tracker)
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Opens no file yet."""
        self.folder: Path = Path(folder)
        self._first = is_first_process()
        self._file: FileIO | None = None
        self._step: int | None = None  # of the last metrics; None until this process has logged some
        self._is_torn = False  # whether the file ends with half an event
        self._reports = Reports()
        self._closing = ExitStack()

    @property
    def is_open(self) -> bool:
        """Whether the run is open."""
        return self._file is not None

    def __enter__(self) -> "TensorBoardTracker":
        """Begins an event file.

        Raises:
            MissingExtraError: TensorBoard is not installed.
            SettingsError: the folder cannot be written to.
        """
        if self._first:
            if find_spec("tensorboard") is None:
                raise MissingExtraError("tensorboard", "tensorboard", "TensorBoardTracker")
            name = f"{EVENTS}{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
            with ExitStack() as stack:
                stack.enter_context(Termination())
                try:
                    self.folder.mkdir(parents=True, exist_ok=True)
                    self._file = stack.enter_context(FileIO(self.folder / name, "xb"))
                except OSError as error:
                    raise SettingsError(f"{self.folder}: TensorBoard cannot write events here ({error}).") from error
                self._closing = stack.pop_all()
            self._step, self._is_torn = None, False
            self._write("the beginning", _version)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Writes how the run ended, and closes the file."""
        with self._closing:
            if self._file is not None:
                self._write("the end", _session_end, kind is not None)
                self.flush()
                self._file = None

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Logs parameters: as hyperparameters of the run, and as a table."""
        if self._tracks():
            public = public_params(params)
            self._write("parameters", _hyperparameters, public)
            self._write("parameters", _table, public)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Logs metrics as scalars."""
        if self._tracks():
            self._continue_at(step)
            for name, value in metrics.items():
                self._write(name, _scalar, name, value)

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Logs a picture or a sound under the name of its file, at the step of the last metrics; of others the path."""
        self.log_media(Path(path).stem, path, step=self._step or 0)

    def log_media(self, name: str, path: str | os.PathLike[str], *, step: int) -> None:
        """Logs a picture or a sound (WAV), to be shown and played step by step; of other files the path."""
        if self._tracks():
            self._continue_at(step)
            self._write(os.fspath(path), _media, _plain(name), Path(path))

    def flush(self) -> None:
        """Forces all events to disk."""
        if self._tracks():
            assert self._file is not None  # it is open
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                self._warn(f"{self.folder}: {error}")

    def _tracks(self) -> bool:
        """Whether this process tracks.

        Raises:
            SettingsError: the tracker is not open.
        """
        if self._first and self._file is None:
            raise SettingsError(
                f"The tracker of {self.folder} is not open. Use it as: with TensorBoardTracker(folder) as tracker:"
            )
        return self._first

    def _continue_at(self, step: int) -> None:
        """Sets the step. Before the first one, hides what earlier processes have logged at later steps."""
        begins, self._step = self._step is None, int(step)
        if begins:
            self._write("the beginning", _restart, self._step + 1)

    def _write(self, what: str, make: Callable[..., Any], *args: Any) -> None:
        """Writes an event whole or not at all; a failure is a warning."""
        assert self._file is not None  # the callers have checked it
        if self._is_torn:
            return  # after half an event TensorBoard reads no more
        try:
            from tensorboard.summary.writer.record_writer import RecordWriter

            begin = self._file.tell()
            event = make(*args)
            event.wall_time = time.time()
            event.step = event.step or self._step or 0
            data = event.SerializeToString()
            self._is_torn = True  # until the event is whole
            RecordWriter(self._file).write(data)
            self._is_torn = self._file.tell() - begin != len(data) + _FRAME
            problem = "the disk is full" if self._is_torn else ""
        except Exception as error:  # any error of TensorBoard, Pillow or the disk
            problem = f"{type(error).__name__}: {error}"
        if problem:
            self._warn(f"{what}: {problem}")
        if self._is_torn:
            self._remove_end(begin)

    def _warn(self, problem: str) -> None:
        self._reports.warn("TensorBoard does not get everything", problem)

    def _remove_end(self, begin: int) -> None:
        """Removes half an event. A disk that is broken may not allow it."""
        assert self._file is not None  # the caller has checked it
        try:
            self._file.truncate(begin)
            self._file.seek(begin)
        except OSError as error:
            self._warn(f"{self.folder} gets no more events: {error}")
        else:
            self._is_torn = False


def _event(**content: Any) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(**content)


def _summaries() -> Any:
    """PyTorch's functions that make summaries; they have no types."""
    from torch.utils.tensorboard import summary

    return summary


def _version() -> Any:
    return _event(file_version="brain.Event:2")


def _restart(step: int) -> Any:
    """Hides what earlier processes have logged at this step and later."""
    from tensorboard.compat.proto.event_pb2 import SessionLog

    return _event(step=step, session_log=SessionLog(status=SessionLog.START))


def _hyperparameters(params: Mapping[str, Value]) -> Any:
    """The start of a session of the hyperparameters' page. TensorBoard finds the metrics itself."""
    return _event(summary=_summaries().hparams({_plain(name): _plain(value) for name, value in params.items()}, {})[1])


def _table(params: Mapping[str, Value]) -> Any:
    rows = [[" ".join(_plain(str(text)).replace("|", "\\|").split()) for text in pair] for pair in params.items()]
    lines = [f"|{'|'.join(row)}|" for row in [["parameter", "value"], ["-", "-"], *rows]]
    return _event(summary=_summaries().text("parameters", "\n".join(lines)))


def _scalar(name: str, value: float) -> Any:
    return _event(summary=_summaries().scalar(_plain(name), float(value)))


def _plain(value: Any) -> Any:
    """A value that TensorBoard accepts. Of text, the bytes of a name that is not UTF-8 are shown as numbers."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value if isinstance(value, int | float | None) else str(value)


def _media(name: str, path: Path) -> Any:
    """A picture, a sound, or the path of another file. TensorBoard shows one kind under a name."""
    ending = path.suffix.lower()
    if ending in _IMAGES:
        return _image(f"{name}/picture", path)
    if ending in _SOUNDS:
        return _sound(f"{name}/sound", path)
    return _event(summary=_summaries().text(f"files/{_plain(path.name)}", _plain(str(path))))


def _image(name: str, path: Path) -> Any:
    from PIL import Image  # which TensorBoard depends on
    from tensorboard.compat.proto.summary_pb2 import Summary

    with Image.open(path) as picture:
        width, height = picture.size
    image = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=path.read_bytes())
    return _event(summary=Summary(value=[Summary.Value(tag=name, image=image)]))


def _sound(name: str, path: Path) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    with wave.open(str(path)) as file:
        rate, channels, length = file.getframerate(), file.getnchannels(), file.getnframes()
    audio = Summary.Audio(
        sample_rate=rate,
        num_channels=channels,
        length_frames=length,
        encoded_audio_string=path.read_bytes(),
        content_type="audio/wav",
    )
    return _event(summary=Summary(value=[Summary.Value(tag=name, audio=audio)]))


def _session_end(failed: bool) -> Any:
    """The end of a session of the hyperparameters' page."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
    data = plugin_data_pb2.HParamsPluginData(session_end_info=plugin_data_pb2.SessionEndInfo(status=status))
    value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=metadata.create_summary_metadata(data))
    return _event(summary=Summary(value=[value]))
