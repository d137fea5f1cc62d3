"""A trained model with the layout of its frames."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np

from pianoroll_seq2seq.given import Given
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import SequenceModel, require_filling
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.pretrained.cards import Card
from pianoroll_seq2seq.pretrained.folders import save_pretrained
from pianoroll_seq2seq.pretrained.hub import push_to_hub
from pianoroll_seq2seq.pretrained.pieces import read_melody, read_piece
from pianoroll_seq2seq.pretrained.primers import read_primer
from pianoroll_seq2seq.sampling import Draw, Length, Sampler, accompany, fill, generate, harmonize, infill, vary
from pianoroll_seq2seq.sampling.filling import FillOptions
from pianoroll_seq2seq.tempo import TempoMap

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
            >>> from pianoroll_seq2seq import open_model
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
            >>> from pianoroll_seq2seq import open_model
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

    def fill(self, roll: PianoRoll | str | os.PathLike[str], given: Given, **options: Unpack[FillOptions]) -> PianoRoll:
        """Writes what is not given of a piece: see :func:`~pianoroll_seq2seq.sampling.fill`.

        Args:
            roll: the piece, or the path of a MIDI or MusicXML file that has all parts of the model.
            given: what is given.
            **options: ``sampler``, ``seed``, ``condition``, ``ends`` and ``progress``.
        """
        return fill(self.model, self._piece(roll), given, **self._with_layout(options))

    def harmonize(
        self,
        melody: PianoRoll | str | os.PathLike[str],
        *,
        part: str | None = None,
        octaves: int | Literal["auto"] = 0,
        chords: Literal["error", "highest"] = "error",
        **options: Unpack[FillOptions],
    ) -> PianoRoll:
        """Writes the other parts to a melody: see :func:`~pianoroll_seq2seq.sampling.harmonize`.

        Args:
            melody: a roll of one part, or the path of a MIDI or MusicXML file with one part that has notes, or with one
                named as the part of the model.
            part: the part of the model that the melody is; by default the first one that is no drums.
            octaves: how many octaves higher the melody is placed, or lower below 0; or ``"auto"``.
            chords: what to do with several notes at once: raise an error, or keep the highest.
            **options: ``sampler``, ``seed``, ``condition``, ``ends`` and ``progress``.
        """
        if not isinstance(melody, PianoRoll):
            melody = read_melody(melody, self.layout, part=part)
        model = require_filling(self.model)
        return harmonize(model, melody, part=part, octaves=octaves, chords=chords, **self._with_layout(options))

    def accompany(
        self,
        roll: PianoRoll | str | os.PathLike[str],
        *,
        parts: str | Iterable[str] | None = None,
        **options: Unpack[FillOptions],
    ) -> PianoRoll:
        """Writes some parts to the others: see :func:`~pianoroll_seq2seq.sampling.accompany`.

        Args:
            roll: the piece, or the path of a MIDI or MusicXML file. Parts of the model that it lacks are written.
            parts: the names of the parts to write; by default those without notes.
            **options: ``sampler``, ``seed``, ``condition``, ``ends`` and ``progress``.
        """
        roll = roll if isinstance(roll, PianoRoll) else read_piece(roll, self.layout, missing="silent")
        return accompany(require_filling(self.model), roll, parts=parts, **self._with_layout(options))

    def infill(
        self,
        roll: PianoRoll | str | os.PathLike[str],
        bars: int | tuple[int, int],
        *,
        parts: str | Iterable[str] | None = None,
        **options: Unpack[FillOptions],
    ) -> PianoRoll:
        """Writes some bars anew: see :func:`~pianoroll_seq2seq.sampling.infill`.

        Args:
            roll: the piece, or the path of a MIDI or MusicXML file that has all parts of the model.
            bars: the first and the last bar, or the only one, numbered as in a score.
            parts: the names of the parts to write there; all by default.
            **options: ``sampler``, ``seed``, ``condition``, ``ends`` and ``progress``.
        """
        model = require_filling(self.model)
        return infill(model, self._piece(roll), bars, parts=parts, **self._with_layout(options))

    def vary(
        self,
        roll: PianoRoll | str | os.PathLike[str],
        bars: int | tuple[int, int] | None = None,
        *,
        parts: str | Iterable[str] | None = None,
        keep: float = 0.5,
        **options: Unpack[FillOptions],
    ) -> PianoRoll:
        """Writes a variation: see :func:`~pianoroll_seq2seq.sampling.vary`.

        Args:
            roll: the piece, or the path of a MIDI or MusicXML file that has all parts of the model.
            bars: the first and the last bar to vary, or the only one, numbered as in a score; all by default.
            parts: the names of the parts to vary; all by default.
            keep: the probability that a beat of a part is kept, 0 <= keep < 1.
            **options: ``sampler``, ``seed``, ``condition``, ``ends`` and ``progress``.
        """
        model = require_filling(self.model)
        return vary(model, self._piece(roll), bars, parts=parts, keep=keep, **self._with_layout(options))

    def _piece(self, roll: PianoRoll | str | os.PathLike[str]) -> PianoRoll:
        return roll if isinstance(roll, PianoRoll) else read_piece(roll, self.layout)

    def _with_layout(self, options: FillOptions) -> FillOptions:
        """The options with the layout of the model."""
        return {"layout": self.layout, **options}

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
