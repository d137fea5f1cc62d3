"""A trained model with the layout of its frames, and how to open one."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq._internal.file_kinds import kind_of
from pianoroll_seq2seq.errors import CheckpointError, CheckpointNotFoundError, SettingsError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import SequenceModel, choose_layout
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.pretrained.cards import Card, check_card
from pianoroll_seq2seq.pretrained.folders import CONFIG, is_model_folder, load_folder, read_config, save_pretrained
from pianoroll_seq2seq.pretrained.hub import download, hub_name, push_to_hub
from pianoroll_seq2seq.pretrained.primers import read_primer
from pianoroll_seq2seq.pretrained.shipped import pretrained_names, pretrained_path
from pianoroll_seq2seq.sampling import Draw, Length, Sampler, generate
from pianoroll_seq2seq.tempo import TempoMap
from pianoroll_seq2seq.train.run_files import BEST

DEFAULT_MODEL = "bach-chorales"
"""The default model."""
_SILENCE = Length(beats=16)


@dataclass(frozen=True)
class TrainedModel:
    """A model and the layout of its frames.

    Args:
        model: the model, on the CPU and in evaluation mode.
        layout: what the columns of its frames mean.
        name: the name under which it was opened.
        card: what it was trained on and its scores; empty if unknown.

    Example:
        A model of your own: ::

            TrainedModel(model, windows.layout, name="mine")
    """

    model: SequenceModel
    layout: FrameLayout
    name: str = ""
    card: Mapping[str, Any] = field(default_factory=Card)

    def __repr__(self) -> str:
        """The name, the class of the model and its layout; ``print(trained.model)`` shows the layers."""
        name = f"{self.name!r}, " if self.name else ""
        return f"TrainedModel({name}{type(self.model).__name__}, {self.layout})"

    @property
    def grid(self) -> FrameGrid:
        """The time grid of its frames."""
        return self.layout.grid

    @property
    def pitches(self) -> PitchRange:
        """The pitches of its frames; of several parts the range that they span."""
        return self.layout.pitches

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of its frames, each with its pitches."""
        return self.layout.parts

    @property
    def condition_size(self) -> int:
        """Size of the condition of every frame, 0 for none."""
        return int(getattr(self.model, "condition_size", 0))

    def read_primer(
        self,
        path: str | os.PathLike[str],
        *,
        beats: float | None = None,
        seconds: float | None = None,
        num_frames: int | None = None,
        outside: Literal["error", "drop"] = "drop",
        on_damage: Literal["error", "salvage"] = "error",
    ) -> PianoRoll:
        """Reads a MIDI or MusicXML file as a primer, in the model's layout.

        A model of one part gets all parts as one, without drums. The parts of another model are found by the names of
        the tracks; if the names differ, the tracks are taken in their order.

        Args:
            path: the file; a MusicXML file by its ending (``.musicxml``, ``.mxl``, ``.xml``).
            beats: how many beats (quarter notes) to read, from the beat of the first note on,
            seconds: or how many seconds, from the first note on,
            num_frames: or how many frames; by default the whole file, to the end of its last note.
            outside: leave out notes outside the model's pitches, or raise an error.
            on_damage: raise an error for a damaged file, or read it up to the damage.

        Warns:
            UserWarning: notes were left out, or the file has less music than requested.

        Raises:
            MidiError: a file that cannot be read, or without the parts of the model.
            NoNotesError: a file without notes, or with drums only for a model of one part.
            PitchRangeError: notes outside the pitches and ``outside="error"``, or no note inside them.
            SettingsError: a length that is not above 0, or given in several units.

        Example:
            >>> import tempfile
            >>> trained = open_model("bach-chorales")
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = trained.generate(beats=8, seed=1).to_midi(f"{folder}/song.mid")
            ...     primer = trained.read_primer(path, beats=4)
            >>> len(primer)
            16
        """
        length = Length(num_frames, beats, seconds)
        return read_primer(path, self.layout, length=length, outside=outside, on_damage=on_damage)

    def generate(
        self,
        primer: PianoRoll | str | os.PathLike[str] | None = None,
        *,
        beats: float | None = None,
        seconds: float | None = None,
        num_frames: int | None = None,
        sampler: Sampler = Draw(),
        seed: int = 0,
        condition: np.ndarray | None = None,
        progress: bool = False,
    ) -> PianoRoll:
        """Continues a primer, or begins from silence.

        Args:
            primer: a roll on the model's grid and of its parts and pitches, or the path of a MIDI file, which is read
                by :meth:`read_primer`; 16 beats of silence by default.
            beats: how many beats (quarter notes) to generate,
            seconds: or how many seconds,
            num_frames: or how many frames; 32 beats by default.
            sampler: how to choose each frame from its distribution.
            seed: the seed of the sampler. Equal arguments and seeds give equal music on one kind of device.
            condition: the condition of all frames, (size,), or of each frame of the primer and the music, (frames,
                size).
            progress: whether to show a progress bar.

        Returns:
            The new music without the primer: ``primer + trained.generate(primer)`` is the whole piece.

        Warns:
            UserWarning: notes of the file are outside the model's pitches, and are left out.

        Raises:
            GridError, PitchRangeError: a primer on another grid, or of other parts or pitches.
            SettingsError: a length that is not above 0, or given in several units; or a condition that the model does
                not read.
            MidiError: a file that cannot be read.

        Example:
            >>> music = open_model("bach-chorales").generate(beats=4, seed=1)
            >>> len(music), music.grid
            (16, BeatGrid(frames_per_beat=4))
        """
        if primer is None:
            tempo = TempoMap()
            num_frames_of_silence = _SILENCE.in_frames(self.grid, tempo)
            primer = PianoRoll.silent(num_frames_of_silence, grid=self.grid, parts=self.parts, tempo=tempo)
        elif not isinstance(primer, PianoRoll):
            primer = self.read_primer(primer)
        length = Length(num_frames, beats, seconds) or Length(beats=32)
        return generate(
            self.model,
            primer,
            num_frames=length.in_frames(self.grid, primer.tempo, after=len(primer)),
            sampler=sampler,
            seed=seed,
            condition=condition,
            progress=progress,
            layout=self.layout,
        )

    def save_pretrained(
        self, folder: str | os.PathLike[str], *, card: Mapping[str, Any] | None = None, overwrite: bool = False
    ) -> Path:
        """Writes the model to a folder to share: see :func:`~pianoroll_seq2seq.pretrained.save_pretrained`.

        Args:
            folder: the folder to write.
            card: facts about the model; the card that it has by default.
            overwrite: whether to replace a folder that holds such a model and nothing else.
        """
        card = self.card if card is None else card
        return save_pretrained(self.model, folder, layout=self.layout, card=card, overwrite=overwrite)

    def push_to_hub(
        self,
        name: str,
        *,
        card: Mapping[str, Any] | None = None,
        private: bool | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> str:
        """Sends the model to the Hugging Face Hub: see :func:`~pianoroll_seq2seq.pretrained.push_to_hub`.

        Args:
            name: such as ``user/name``; created if it is missing.
            card: facts about the model; the card that it has by default.
            private: whether others may not see it; by default the Hub decides.
            revision: the branch, created if it is missing; ``main`` by default.
            token: a token of the Hub that may write; the one of ``hf auth login`` by default.
        """
        return push_to_hub(
            self.model,
            name,
            layout=self.layout,
            card=self.card if card is None else card,
            private=private,
            revision=revision,
            token=token,
        )


def open_model(
    source: str | os.PathLike[str] = DEFAULT_MODEL,
    *,
    classes: Iterable[type] = (),
    layout: FrameLayout | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
) -> TrainedModel:
    """Opens a trained model: a shipped one, the best one of a run, a shared folder, a checkpoint, or one of the Hub.

    Args:
        source: a name such as ``bach-chorales``; the folder of a run of ``fit``; a folder of ``save_pretrained``; a
            checkpoint; or a model of the Hugging Face Hub (extra ``hub``), ``hf://user/name``. ``user/name`` is one of
            the Hub too if there is no such path and no folder ``user``.
        classes: models, heads and grids of your own that it is built of.
        layout: what the columns of its frames mean, for a model that was built from a frame size.
        revision: branch, tag or commit of a model of the Hub; also ``hf://user/name@revision``.
        token: token of the Hub; the one of ``hf auth login`` by default, none if False.

    Raises:
        CheckpointNotFoundError: no such name, file or folder, or no such model or revision on the Hub.
        StoreError: the Hub cannot be reached or refuses access, and the model is not in its client's cache.
        CheckpointError: not a checkpoint, a damaged one, or one whose layout is unknown.
        SettingsError, GridError, PitchRangeError, ShapeError: a layout that is not the model's.

    Example:
        >>> open_model("bach-chorales").grid
        BeatGrid(frames_per_beat=4)
    """
    classes = tuple(classes)
    path, label = _locate(source, revision, token), os.fspath(source)
    if path.is_dir():
        details = read_config(path)
        model, described = load_folder(path, classes=classes), details["layout"]
    else:
        details = checkpoint.read_header(path)["details"]
        model, described = checkpoint.load(path, classes=classes), _described_layout(details)
    layout = choose_layout(model, layout)
    if described is not None:
        recorded = checkpoint.build(described, classes=classes, label=label)
        if layout is not None and isinstance(recorded, FrameLayout):
            recorded.check_same(layout, f"{label}: the layout")
        layout = recorded
    if not isinstance(layout, FrameLayout):
        raise CheckpointError(
            f"{label}: the layout of its frames is unknown, because the model was built from a frame size. Pass it: "
            f"open_model(path, layout=FrameLayout(grid, pitches))."
        )
    frame_size = getattr(model, "frame_size", None)
    if frame_size not in (None, layout.frame_size):
        raise SettingsError(
            f"{label}: the model has frames of {frame_size} columns, but {layout} has {layout.frame_size}."
        )
    return TrainedModel(model, layout, name=label, card=check_card(details.get("card", {}), label))


def _described_layout(details: Mapping[str, Any]) -> Any:
    """The description of the layout in a checkpoint's details: their own, or that of the run's data."""
    data = details.get("data")
    return details.get("layout") or (data.get("layout") if isinstance(data, Mapping) else None)


def _locate(source: str | os.PathLike[str], revision: str | None, token: str | bool | None) -> Path:
    """The checkpoint, or the folder of ``save_pretrained``, downloaded if it is on the Hub."""
    on_hub = hub_name(source)
    if on_hub is not None:
        return download(on_hub, revision=revision, token=token)
    if revision is not None:
        raise SettingsError(
            f"{os.fspath(source)}: not a model of the Hub, so it has no revision {revision!r}. Leave revision= out, or "
            f"pass hf://user/name."
        )
    if isinstance(source, str) and source in pretrained_names():
        return pretrained_path(source)
    path = Path(source)
    if path.is_dir() and not (path / BEST).exists() and is_model_folder(path):
        return path
    if path.is_dir():
        path /= BEST
    if not path.is_file():
        raise CheckpointNotFoundError(
            f"{os.fspath(source)}: no such model. Pass a checkpoint, the folder of a run (which holds {BEST}) or of "
            f"save_pretrained (which holds {CONFIG}), a model of the Hub as hf://user/name, or the name of a shipped "
            f"model: {', '.join(pretrained_names())}."
        )
    with path.open("rb") as file:
        kind = kind_of(file.read(64))
    if kind is not None:
        raise CheckpointError(
            f"{os.fspath(source)}: not a model; it is {kind}. Music to continue is the primer, beside the model."
        )
    return path
