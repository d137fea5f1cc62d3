"""Pieces of the page as rolls in the layout of a model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from pianoroll_seq2seq.given import Mask
from pianoroll_seq2seq.grid import beats_at
from pianoroll_seq2seq.models.contract import FillingModel
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.sampling.given_pieces import columns_of
from pianoroll_seq2seq.sampling.model_conditions import extended
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.serving.primers import ticks_per_beat_for
from pianoroll_seq2seq.studio.pieces import Piece, PieceNote, note_table, note_ticks
from pianoroll_seq2seq.studio.regions import Region

SILENT_BEATS = 16
"""Silence that a model which only continues reads before it begins."""
CONTEXT_BEATS_BEFORE, CONTEXT_BEATS_AFTER = 128, 64
"""Of a long piece a model reads these many beats before and after what it writes."""


@dataclass(frozen=True)
class PieceRoll:
    """A piece, or a section of it, as a roll.

    Attributes:
        roll: the roll, silent in the beats before the piece and after it.
        first_frame: the frame at which it begins, counted from the beginning of the silence.
        silent_beats: beats of silence before the piece.
        begin: the frame of the roll at which the region begins.
        end: the frame at which it ends.
    """

    roll: PianoRoll
    first_frame: int
    silent_beats: float
    begin: int
    end: int

    def beats(self) -> Float64[np.ndarray, " lines"]:
        """The beat of the piece on each line of the roll."""
        lines = np.arange(self.first_frame, self.first_frame + len(self.roll) + 1)
        tempo = self.roll.tempo  # the same in all beats
        return np.maximum(beats_at(self.roll.grid, lines, tempo) - self.silent_beats, 0)

    def section(self) -> "PieceRoll":
        """The frames that a model reads: those of the region, and some before and after it, in whole bars."""
        bars, beats = self.roll.bar_frames(), self.beats()
        first = beats[self.begin] - CONTEXT_BEATS_BEFORE
        last = beats[self.end] + CONTEXT_BEATS_AFTER
        start = int(bars[np.searchsorted(beats[bars], first, side="right") - 1]) if first > 0 else 0
        stop = min(int(np.searchsorted(beats, last)), len(self.roll))
        return PieceRoll(
            self.roll[start:stop], self.first_frame + start, self.silent_beats, self.begin - start, self.end - start
        )


def given_notes(piece: Piece, placed: Sequence[int | None], region: Region) -> list[PieceNote]:
    """The notes that a model reads: those that are not in the region as a whole.

    Args:
        piece: the piece.
        placed: the part of the model that each part of the piece is.
        region: what is written.
    """
    varied = region.task == "vary"  # some of its notes are given
    return [note for note in piece.notes if placed[note.part] is not None and (varied or not region.holds(note))]


def piece_roll(
    notes: Sequence[PieceNote], piece: Piece, placed: Sequence[int | None], region: Region, trained: TrainedModel
) -> PieceRoll:
    """Notes of a piece as a roll that ends with a whole bar, or with the region.

    Raises:
        RequestError: a note outside of the pitches of its part.
    """
    grid, own = trained.grid, trained.parts
    resolution = ticks_per_beat_for(grid)
    tempo = piece.tempo(resolution)
    indices = [placed[note.part] or 0 for note in notes]
    for note, index in zip(notes, indices, strict=True):
        _check_pitch(note, piece, trained, index)
    bar = piece.beats_per_bar
    last = math.ceil(max((note.end for note in notes), default=0.0) / bar - 1e-9) * bar
    end = region.end if region.task == "continue" else max(last, region.end)

    def line(beats: float) -> int:
        return int(grid.lines_at(np.array([math.floor(beats * resolution + 0.5)]), tempo)[0])

    silent = 0.0
    if not isinstance(trained.model, FillingModel) and not line(region.begin):
        silent = math.ceil(SILENT_BEATS / bar) * bar
    if notes:
        score = Score(note_table(notes, resolution, indices), tempo, own, meter=piece.meter())
        roll = PianoRoll.from_score(score, grid=grid, parts=own)
    else:
        roll = PianoRoll.silent(1, grid=grid, parts=own, tempo=tempo).with_velocity(1)
        roll = replace(roll, meter=piece.meter())
    num_frames = max(line(silent + end), line(silent + region.begin) + 1)
    roll = extended(roll, num_frames - len(roll)) if num_frames > len(roll) else roll[:num_frames]
    return PieceRoll(
        roll, 0, silent, line(silent + region.begin), num_frames if end == region.end else line(region.end)
    )


def note_frames(notes: Sequence[PieceNote], section: PieceRoll) -> list[tuple[int, int]]:
    """The frame of a section in which each note begins, and the frame after its last; at least one."""
    roll = section.roll
    onsets, ends = (
        roll.grid.lines_at(ticks, roll.tempo) - section.first_frame
        for ticks in note_ticks(notes, roll.tempo.ticks_per_beat)
    )
    return list(zip(np.maximum(onsets, 0).tolist(), np.maximum(ends, onsets + 1).tolist(), strict=True))


def given_notes_mask(
    notes: Sequence[PieceNote], placed: Sequence[int | None], region: Region, section: PieceRoll
) -> Mask:
    """The frames and parts of the notes that reach out of a region: they are given as a whole."""
    mask = np.zeros((len(section.roll), len(section.roll.parts)), dtype=bool)
    for note, (onset, end) in zip(notes, note_frames(notes, section), strict=True):
        if not region.holds(note):
            mask[onset:end, placed[note.part] or 0] = True
    return mask


def check_chords(roll: PianoRoll, mask: Mask, beats: np.ndarray, piece: Piece, trained: TrainedModel) -> None:
    """Refuses given notes at once in a part in which the model writes one note at a time.

    Args:
        roll: the roll.
        mask: which parts of it are given, (frames, parts).
        beats: the beat of each of its frames.
        piece: the piece.
        trained: the model.

    Raises:
        RequestError: names the part and the bar.
    """
    import torch

    find_chords = getattr(getattr(trained.model, "head", None), "chords", None)
    if find_chords is None:
        return
    active = roll.active & columns_of(mask, trained.layout)
    frames = np.zeros((1, trained.layout.frame_size), dtype=np.float32)
    for name in find_chords(torch.from_numpy(frames)):
        chords = np.flatnonzero(active[:, trained.layout.columns("active", name)].sum(axis=1) > 1)
        if len(chords):
            bar = piece.bar_of(float(beats[chords[0]]))
            problem = f"several notes at once in bar {bar}; {trained.name} reads one at a time in this part."
            raise RequestError(422, name or "parts", problem)


def _check_pitch(note: PieceNote, piece: Piece, trained: TrainedModel, index: int) -> None:
    part = trained.parts[index]
    if part.pitches.lowest <= note.pitch <= part.pitches.highest:
        return
    lowest, highest = (part.pitches.name_of(place) for place in (0, len(part.pitches) - 1))
    name = piece.parts[note.part].name or "the piece"
    problem = (
        f"{ALL_PITCHES.name_of(note.pitch)} in bar {piece.bar_of(note.start)} is outside of the range of "
        f"{trained.name}, {lowest} to {highest}. Move it, or leave it out."
    )
    raise RequestError(422, name, problem)
