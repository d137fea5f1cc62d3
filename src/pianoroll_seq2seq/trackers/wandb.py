"""A run of Weights & Biases, on its service or on this machine.

The client sends in a process of its own, but waits for the service when a run begins and when it ends, asks for a login
in the terminal, and drops what is logged at a step below the last one. This tracker limits both waits, keeps a run on
this machine if the service does not answer, and lets a resumed run go back to its checkpoint.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq._internal.reports import Reports
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.trackers.base import Value
from pianoroll_seq2seq.trackers.file_names import FileNames
from pianoroll_seq2seq.trackers.ranks import is_first_process
from pianoroll_seq2seq.trackers.termination import Termination
from pianoroll_seq2seq.trackers.values import public_params

Mode = Literal["online", "offline", "disabled"]
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")
_SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
_ARTIFACTS = "artifacts"
"""The folder of the run's files for those of the user: W&B has files of its own there, such as ``config.yaml``."""
_STEP = "step"
"""The name of the horizontal axis of all metrics."""


class WandbTracker:
    """Keeps a run's parameters, metrics, pictures, sounds and files in Weights & Biases.

    Log in once with ``wandb login``, or set ``WANDB_API_KEY``. With ``mode="offline"`` nothing is sent; ``wandb sync``
    sends the run later. If the service does not answer when the run begins, the run is offline, with a warning. What
    fails later is a warning too, and never ends training. Only the first process of a distributed run tracks.

    All metrics have the axis ``step``, the number of optimizer steps. Leaving the context with an exception marks the
    run as failed.

    Args:
        project: the project; by default ``WANDB_PROJECT``, or W&B's own default.
        name: name of the run; W&B invents one by default.
        run_id: an id of your own choice. A run of this id is continued, otherwise it begins one.
        mode: ``online``, ``offline`` or ``disabled``; by default ``WANDB_MODE``, or online.
        folder: the folder in which W&B makes its folder ``wandb``; by default ``WANDB_DIR``, or the working directory.
        flush_seconds: the longest time to wait for the service when the run begins and when it ends.

    Raises:
        SettingsError: ``flush_seconds`` is not above 0.

    Example:
        ::

            with WandbTracker("scale-chords", mode="offline") as tracker:
                fit(model, train, valid, epochs=20, batch_size=32, tracker=tracker)
                tracker.log_artifact("runs/generated.mid")
    """

    def __init__(
        self,
        project: str | None = None,
        *,
        name: str | None = None,
        run_id: str | None = None,
        mode: Mode | None = None,
        folder: str | os.PathLike[str] | None = None,
        flush_seconds: float = 60.0,
    ) -> None:
        """Begins nothing yet."""
        if not flush_seconds > 0:
            raise SettingsError(f"flush_seconds must be above 0, got {flush_seconds}.")
        self.run_id: str | None = run_id
        self._project = project
        self._name = name
        self._mode: Mode | None = mode
        self._folder = folder
        self._flush_seconds = flush_seconds
        self._first = is_first_process()
        self._run: Any = None
        self._reports = Reports()
        self._files = FileNames()
        self._closing = ExitStack()

    @property
    def is_open(self) -> bool:
        """Whether the run is open."""
        return self._run is not None

    def __enter__(self) -> "WandbTracker":
        """Begins or continues the run.

        Raises:
            MissingExtraError: W&B is not installed.
            SettingsError: no login, or a project, a run or a mode that W&B does not accept.
        """
        if self._first:
            try:
                import wandb
            except ImportError as error:
                raise MissingExtraError("wandb", "wandb", "WandbTracker") from error
            with ExitStack() as stack:
                stack.enter_context(Termination())
                try:
                    self._run = self._begin(self._mode)
                except wandb.errors.CommError as error:
                    self._reports.warn("W&B cannot be reached, and the run is kept on this machine", str(error))
                    self._run = self._begin("offline")
                self._closing = stack.pop_all()
            self.run_id = str(self._run.id)
            self._call("the axis of metrics", self._run.define_metric, "*", step_metric=_STEP)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Ends the run, and waits until W&B has it or ``flush_seconds`` are over; the rest stays on this machine."""
        with self._closing:
            if self._run is not None:
                self._call("the end of the run", self._run.finish, exit_code=0 if kind is None else 1)
                self._run = None

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Logs parameters, as the configuration of the run. Those of a continued run are replaced."""
        if self._tracks():
            self._call("parameters", self._run.config.update, public_params(params), allow_val_change=True)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Logs metrics with their step."""
        if self._tracks():
            numbers = {name: float(value) for name, value in metrics.items()}
            self._call("metrics", self._run.log, numbers | {_STEP: int(step)})

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Logs a file of the run; a copy of it goes to the folder of W&B.

        The same file replaces its earlier copy. Another file of the same name gets a number: ``scores-2.json``.
        """
        if self._tracks():
            self._call(os.fspath(path), self._save, Path(path))

    def log_media(self, name: str, path: str | os.PathLike[str], *, step: int) -> None:
        """Logs a picture or a sound, to be shown and played step by step, and any other file as an artifact."""
        if Path(path).suffix.lower() in _IMAGES + _SOUNDS:
            if self._tracks():
                self._call(os.fspath(path), self._show, name, Path(path), step)
        else:
            self.log_artifact(path)

    def flush(self) -> None:
        """Waits for nothing: W&B writes everything to this machine at once, and sends it by itself."""
        self._tracks()

    def _tracks(self) -> bool:
        """Whether this process tracks.

        Raises:
            SettingsError: the tracker is not open.
        """
        if self._first and self._run is None:
            raise SettingsError("The tracker is not open. Use it as: with WandbTracker(...) as tracker:")
        return self._first

    def _begin(self, mode: Mode | None) -> Any:
        """Begins the run beside runs of the user's own.

        Raises:
            SettingsError: W&B refuses it.
        """
        import wandb

        settings = wandb.Settings(init_timeout=self._flush_seconds, finish_timeout=self._flush_seconds)
        try:
            return wandb.init(
                project=self._project,
                name=self._name,
                id=self.run_id,
                resume=None if self.run_id is None else "allow",
                mode=mode,
                dir=None if self._folder is None else os.fspath(self._folder),
                reinit="create_new",
                settings=settings,
            )
        except wandb.errors.CommError:
            raise
        except Exception as error:  # any error of W&B, such as one of its many of settings
            raise SettingsError(
                f"W&B refuses the run ({type(error).__name__}: {redacted(' '.join(str(error).split()))}). Log in with "
                f"'wandb login', or keep the run on this machine with mode=\"offline\" (--tracker.mode offline)."
            ) from error

    def _save(self, path: Path) -> None:
        copy = Path(self._run.dir) / _ARTIFACTS / self._files.name_of(path)
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, copy)
        self._run.save(copy, base_path=self._run.dir, policy="now")

    def _show(self, name: str, path: Path, step: int) -> None:
        import wandb

        is_image = path.suffix.lower() in _IMAGES
        value = (wandb.Image if is_image else wandb.Audio)(os.fspath(path))
        # W&B shows one kind of media under a name.
        self._run.log({f"{name}/{'picture' if is_image else 'sound'}": value, _STEP: int(step)})

    def _call(self, what: str, call: Callable[..., Any], *args: Any, **options: Any) -> None:
        """Makes a call to W&B; a failure is a warning."""
        try:
            call(*args, **options)
        except Exception as error:  # any error of W&B, its process or the disk
            self._reports.warn("W&B does not get everything", f"{what}: {type(error).__name__}: {error}")
