"""A MIDI or MusicXML file as a piece to fill, or as a melody to harmonize."""

import os
import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.errors import MidiError, NoNotesError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.midi_io import read_midi
from pianoroll_seq2seq.midi_io.source import NamedBytes
from pianoroll_seq2seq.musicxml import midi_bytes_of
from pianoroll_seq2seq.part_selection import choose_parts
from pianoroll_seq2seq.parts import Part, listed
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES, PIANO
from pianoroll_seq2seq.pretrained.primers import notes_outside
from pianoroll_seq2seq.sampling.melodies import melody_part, with_missing_parts
from pianoroll_seq2seq.score import Score


def read_piece(
    path: str | os.PathLike[str],
    layout: FrameLayout,
    *,
    missing: Literal["error", "silent"] = "error",
    alone: str | None = None,
    outside: Literal["error", "drop"] = "error",
    on_damage: Literal["error", "salvage"] = "error",
) -> PianoRoll:
    """Reads a file as a piece in the layout of a model, from its beginning to the end of its last note.

    The parts of the model are found by the names of the tracks, or are taken in their order. A model of one part gets
    all parts as one, without drums.

    Args:
        path: the file; a MusicXML file by its ending (``.musicxml``, ``.mxl``, ``.xml``).
        layout: the model's layout.
        missing: what to do about parts of the model that the file lacks: raise an error, or leave them silent. Then
            the others must be found by their names.
        alone: with ``missing="silent"``: the part that a single track with notes is, if no track has the name of a
            part.
        outside: raise an error for notes outside the model's pitches, or leave them out with a warning.
        on_damage: raise an error for a damaged file, or read it up to the damage.

    Raises:
        MidiError: a file that cannot be read, or without the parts of the model.
        NoNotesError: no notes.
        PitchRangeError: notes outside the pitches and ``outside="error"``.
    """
    score = _read(path, layout, on_damage)
    piece = piece_of_score(score, layout, missing=missing, alone=alone, outside=outside).renamed(Path(path).stem)
    if outside == "drop":
        read, parts = _named_parts(score, layout, alone) if missing == "silent" else (score, layout.parts)
        message = notes_outside(read, parts, os.fspath(path))
        if message:
            warnings.warn(f"{message}.", UserWarning, stacklevel=2)
    return piece


def piece_of_score(
    score: Score,
    layout: FrameLayout,
    *,
    missing: Literal["error", "silent"] = "error",
    alone: str | None = None,
    outside: Literal["error", "drop"] = "error",
    limits: Limits = DEFAULT_LIMITS,
) -> PianoRoll:
    """A score as a piece in the layout of a model; see :func:`read_piece`.

    Args:
        score: the notes.
        layout: the model's layout.
        missing: what to do about parts of the model that the score lacks.
        alone: the part that a single track is.
        outside: what to do about notes outside the model's pitches.
        limits: how large the roll may be.
    """
    parts: Sequence[Part] = layout.parts
    if missing == "silent":
        score, parts = _named_parts(score, layout, alone)
    roll = PianoRoll.from_score(score, grid=layout.grid, parts=parts, outside=outside, limits=limits)
    return with_missing_parts(None, roll, layout)


def read_melody(
    path: str | os.PathLike[str],
    layout: FrameLayout,
    *,
    part: str | None = None,
    track: int | str | None = None,
    on_damage: Literal["error", "salvage"] = "error",
) -> PianoRoll:
    """Reads a file as a melody: a roll of one part, of all pitches, on the grid of a model.

    Args:
        path: the file; a MusicXML file by its ending.
        layout: the model's layout.
        part: the part of the model that the melody is; by default the first one that is no drums.
        track: the track of the melody, by its number or name. By default the one that has notes, or if there are
            several, the one with the name of the part.
        on_damage: raise an error for a damaged file, or read it up to the damage.

    Raises:
        MidiError: a file that cannot be read, or with several tracks that may be the melody.
        NoNotesError: no notes but drums.
        SettingsError: no such part of the model.
    """
    chosen, _ = melody_part(None, layout, part)
    score = _read(path, layout, on_damage)
    if track is not None:
        score = score.select(track=track)
    found = _with_notes(score, range(len(score.parts)))
    if len(found) > 1:
        found = [index for index in found if score.parts[index].name.casefold() == chosen.name.casefold()] or found
    if len(found) > 1:
        names = listed([score.parts[index].name for index in found], quoted=True)
        raise MidiError(
            f"{score.name}: {len(found)} tracks have notes, {names}, and none of them is named {chosen.name!r}. Choose "
            f"the melody: track={score.parts[found[0]].name!r}."
        )
    if not found:
        raise NoNotesError(f"{score.name}: no notes but drums, so there is no melody.")
    melody = replace(score, notes=score.notes.where(score.notes.part == found[0]))
    return PianoRoll.from_score(melody, grid=layout.grid, pitches=ALL_PITCHES).renamed(Path(path).stem)


def _read(path: str | os.PathLike[str], layout: FrameLayout, on_damage: Literal["error", "salvage"]) -> Score:
    """The notes of a file, which ends with the last of them."""
    label = os.fspath(path)
    data, _ = midi_bytes_of(path, DEFAULT_LIMITS)
    score = replace(read_midi(NamedBytes(data, label), on_damage=on_damage), name=label).on_grid(layout.grid)
    if not len(score.notes):
        raise NoNotesError(f"{label}: no notes.")
    return replace(score, end_tick=None)


def _with_notes(score: Score, indices: Collection[int]) -> list[int]:
    """The parts that have notes and are no drums."""
    counts = np.bincount(score.notes.part, minlength=len(score.parts))
    return [index for index in indices if counts[index] and not score.parts[index].drums]


def _named_parts(score: Score, layout: FrameLayout, alone: str | None) -> tuple[Score, Sequence[Part]]:
    """The notes of the parts of a layout that a score has, and these parts.

    Raises:
        MidiError: it has none of them.
    """
    try:
        choose_parts(score.parts, layout.parts, pitches=PIANO, drums=None, label=score.name or "the score")
    except MidiError:
        names = [part.name.casefold() for part in score.parts]
        found = {part: names.index(part.name.casefold()) for part in layout.parts if part.name.casefold() in names}
        pitched = _with_notes(score, range(len(score.parts)))
        if not found and len(pitched) == 1:
            found = {part: pitched[0] for part in layout.parts if part.name == alone}
        if not found:
            raise
        kept = np.isin(score.notes.part, list(found.values()))
        named = {index: part.name for part, index in found.items()}
        parts = tuple(replace(part, name=named.get(index, part.name)) for index, part in enumerate(score.parts))
        return replace(score, notes=score.notes.where(kept), parts=parts), tuple(found)
    return score, layout.parts
