"""What ``generate`` keeps of its music beside the files: metrics, a tracker's run, and copies in Azure Storage."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.cli.class_options import ClassChoice
from pianoroll_seq2seq.cli.music_files import MIDI
from pianoroll_seq2seq.errors import OverwriteError, SettingsError

if TYPE_CHECKING:
    from pianoroll_seq2seq.cli.generated import Generated
    from pianoroll_seq2seq.stores.azure_blob.store import AzureBlobStore
    from pianoroll_seq2seq.trackers.base import Tracker, Value

RECORDS = Group("Records", sort_key=40)
_RUN_ID = "AZUREML_RUN_ID"
"""The environment variable with the name of the run of Azure ML that a process belongs to."""


@Parameter(name="*", group=RECORDS)
@dataclass(frozen=True)
class RecordOptions:
    """What is kept beside the files."""

    metrics: Path | None = None
    """JSON file for the metrics of the music, such as its polyphony."""
    store: Annotated[str | None, Parameter(metavar="ADDRESS")] = None
    """Folder in Azure Storage for copies of all files, https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER. A run of
    Azure ML has a folder of its own in it."""

    def __post_init__(self) -> None:
        """Validates the ending and the address."""
        if self.metrics is not None and self.metrics.suffix.lower() != ".json":
            raise SettingsError(f"--metrics {self.metrics}: the ending must be .json.")
        if self.store is not None:
            from pianoroll_seq2seq.stores.azure_blob.urls import BlobUrl

            BlobUrl.parse(self.store)

    @contextmanager
    def open(self, files: Sequence[Path], tracker: ClassChoice | None, *, overwrite: bool) -> "Iterator[MusicRecorder]":
        """Opens the tracker and the store, before the work begins.

        Args:
            files: the files of the music that will be written.
            tracker: the class of the tracker, if there is one.
            overwrite: whether existing files and copies may be replaced.

        Raises:
            SettingsError: two files have one name.
            OverwriteError: the metrics or a copy exist already.
            StoreError: the store refuses, or cannot be reached.
            MissingExtraError: the package of the tracker or of the store is not installed.
        """
        from pianoroll_seq2seq.trackers.base import NoTracker
        from pianoroll_seq2seq.trackers.best_effort import best_effort

        if self.metrics is not None and self.metrics.exists() and not overwrite:
            raise OverwriteError(f"{self.metrics} exists already. Choose another name, or add --overwrite.")
        with ExitStack() as stack:
            run = NoTracker() if tracker is None else tracker.build()
            recorder = MusicRecorder(self, stack.enter_context(best_effort(run)), overwrite=overwrite)
            if self.store is not None:
                from pianoroll_seq2seq.stores.azure_blob.store import AzureBlobStore

                store = stack.enter_context(AzureBlobStore.from_url(self.store))
                store.create_container()
                run_id = os.environ.get(_RUN_ID)
                store = store.with_prefix(run_id) if run_id else store
                names = [path.name for path in (*files, *([] if self.metrics is None else [self.metrics]))]
                _check_names(store, names, overwrite=overwrite)
                recorder = replace(recorder, store=store)
            yield recorder


@dataclass(frozen=True)
class MusicRecorder:
    """An open tracker and an open store."""

    options: RecordOptions
    tracker: "Tracker"
    overwrite: bool
    store: "AzureBlobStore | None" = None

    def record(self, generated: "Generated", params: "Mapping[str, Value]") -> None:
        """Writes the metrics, logs them and the files to the tracker, and copies all files to the store.

        Args:
            generated: the music.
            params: the settings that it was made with.
        """
        from pianoroll_seq2seq.trackers.base import log_media

        files = [Path(file) for piece in generated.pieces for file in piece.files]
        media = [path for path in files if path.suffix.lower() not in MIDI]
        if self.options.metrics is not None:
            with writing(self.options.metrics, overwrite=self.overwrite) as temporary:
                temporary.write_text(json.dumps(generated.to_json(), indent=2) + "\n", encoding="utf-8")
            files.append(self.options.metrics)
        step = int(generated.trained.get("step", 0))
        losses = {name: value for name, value in generated.trained.items() if name.endswith("_loss")}
        self.tracker.log_params(params)
        self.tracker.log_metrics(
            {**losses, **{f"music_{name}": value for name, value in generated.metrics.items()}}, step=step
        )
        for path in files:
            if path in media:
                log_media(self.tracker, path.stem, path, step=step)
            else:
                self.tracker.log_artifact(path)
        self.tracker.flush()
        if self.store is not None:
            for path in files:
                self.store.put(path.name, path, overwrite=self.overwrite)


def trained_epoch(path: Path) -> dict[str, float]:
    """The best epoch of a model's training: its number, step and losses; empty if the file does not have them."""
    from pianoroll_seq2seq import checkpoint
    from pianoroll_seq2seq.train.history import History

    if not path.is_file():
        return {}
    try:
        history = History.from_json(checkpoint.read_header(path)["details"].get("history"))
    except SettingsError:  # a checkpoint of save holds what its user likes
        return {}
    epoch = next((epoch for epoch in history.epochs if epoch.epoch == history.best_epoch), None)
    names = ("epoch", "step", "train_loss", "valid_loss")
    return {} if epoch is None else {name: getattr(epoch, name) for name in names if getattr(epoch, name) is not None}


def _check_names(store: "AzureBlobStore", names: Sequence[str], *, overwrite: bool) -> None:
    """Refuses copies that would replace one another, or what is there."""
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SettingsError(f"--store: two files have the name {min(twice)}. Choose other names.")
    there = [] if overwrite else [name for name in names if store.find(name) is not None]
    if there:
        raise OverwriteError(f"--store: {there[0]} is in {store!r} already. Choose another folder, or add --overwrite.")
