"""MIDI and MusicXML files as pieces of the page."""

import math
import threading
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from pianoroll_seq2seq._internal.limits import Limits
from pianoroll_seq2seq.errors import LimitError, MidiError, NoNotesError
from pianoroll_seq2seq.meter import bar_ticks, begins_with_upbeat
from pianoroll_seq2seq.midi_io import read_midi
from pianoroll_seq2seq.musicxml import read_musicxml
from pianoroll_seq2seq.parts import Part, listed
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.signatures import TimeSignature
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.pieces import (
    MAX_BEATS_PER_BAR,
    MAX_BEATS_PER_MINUTE,
    MAX_NAME,
    MAX_PARTS,
    MIN_BEATS_PER_BAR,
    MIN_BEATS_PER_MINUTE,
    Piece,
    PieceNote,
    part_name,
)
from pianoroll_seq2seq.studio.tasks import places_in

_MIN_BEATS = 0.05
_MOST_SILENT_BEATS = 64
"""Longer silence after the last note of a file is left out."""
_ONE_FILE = threading.Lock()
"""Warnings are those of the whole program, so files are read one after another."""
_MIDI_STARTS = (b"MThd", b"RIFF")
_MUSICXML_STARTS = (b"<", b"PK", b"\xef\xbb\xbf<", b"\xff\xfe", b"\xfe\xff")


class OpenedFile(NamedTuple):
    """The piece of a file, and what differs from the file, as sentences."""

    piece: Piece
    changes: list[str]


def open_file(data: bytes, trained: TrainedModel, limits: StudioLimits) -> OpenedFile:
    """Reads a file as a piece, with the parts and the pitches of a model.

    Args:
        data: the file: MIDI or MusicXML, maybe compressed.
        trained: the model.
        limits: bounds on the file and on the piece.

    Raises:
        RequestError: a file that cannot be read, that is too large, or without notes.
    """
    changes: list[str] = []
    score = _read(data, limits, changes)
    if not len(score.notes):
        raise RequestError(422, "file", "there are no notes in this file.")
    beats_per_minute = _tempo(score, changes)
    beats_per_bar, rest = _bar(score, changes)
    piece = Piece(beats_per_minute, beats_per_bar, 0, _parts(score), _notes(score, rest))
    piece = _cut(piece, limits, changes)
    piece = _with_model_parts(piece, trained, changes)
    piece = _in_range(piece, trained, changes)
    silent = (score.end_tick or 0) / score.ticks_per_beat + rest
    beats = silent if piece.end < silent <= piece.end + _MOST_SILENT_BEATS else piece.end
    beats = min(math.ceil(beats / beats_per_bar - 1e-6) * beats_per_bar, limits.most_beats(beats_per_minute))
    return OpenedFile(replace(piece, beats=beats), changes)


def _read(data: bytes, limits: StudioLimits, changes: list[str]) -> Score:
    """The notes of a file. One that is damaged is read up to the damage."""
    bounds = Limits(max_file_bytes=limits.request.max_midi_bytes)
    with _ONE_FILE, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if data.lstrip()[:4].startswith(_MUSICXML_STARTS):
                return read_musicxml(data, unpitched="drop", limits=bounds)
            if not data.startswith(_MIDI_STARTS):
                raise RequestError(400, "file", "this is not a MIDI or MusicXML file.")
            return _read_midi(data, bounds, changes)
        except LimitError as error:
            raise RequestError(413, "file", str(error)) from error
        except NoNotesError as error:
            raise RequestError(422, "file", "there are no notes in this file.") from error
        except MidiError as error:
            raise RequestError(400, "file", f"it cannot be read ({error}).") from error
        finally:
            changes += sorted({str(one.message) for one in caught if issubclass(one.category, UserWarning)})


def _read_midi(data: bytes, limits: Limits, changes: list[str]) -> Score:
    try:
        return read_midi(data, limits=limits)
    except (LimitError, NoNotesError):
        raise
    except MidiError as error:
        score = read_midi(data, on_damage="salvage", limits=limits)
        if not len(score.notes):
            raise error from None
        changes.append("The file is damaged, and is read up to the damage.")
        return score


def _tempo(score: Score, changes: list[str]) -> float:
    """The tempo of the first note, in the range of the page."""
    beats_per_minute = 60e6 / score.tempo.us_per_beat_at(int(score.notes.onset_tick[0]))
    kept = round(min(max(beats_per_minute, MIN_BEATS_PER_MINUTE), MAX_BEATS_PER_MINUTE), 2)
    if len(score.tempo.changes) > 1:
        changes.append(f"The file changes its tempo; the piece keeps {kept:g} beats per minute.")
    elif abs(kept - beats_per_minute) > 0.01:
        changes.append(f"The tempo is {kept:g} instead of {beats_per_minute:.0f} beats per minute.")
    return kept


def _bar(score: Score, changes: list[str]) -> tuple[float, float]:
    """The beats of a bar, and the beats of rest before the music, so that an upbeat ends with a whole bar."""
    signatures = score.meter.time_signatures
    upbeat = 0.0
    first = signatures[0] if signatures else TimeSignature(0)
    if begins_with_upbeat(score.meter, ticks_per_beat=score.ticks_per_beat):
        first = next(one for one in signatures if one.tick > 0)
        lines = bar_ticks(score.meter, ticks_per_beat=score.ticks_per_beat, num_ticks=first.tick + 1)
        upbeat = float(lines[1]) / score.ticks_per_beat
    beats = Fraction(4 * first.numerator, first.denominator)
    if (2 * beats).denominator != 1 or not MIN_BEATS_PER_BAR <= beats <= MAX_BEATS_PER_BAR:
        changes.append(f"The piece has bars of 4 beats instead of {first}.")
        beats = Fraction(4)
    elif len({(one.numerator, one.denominator) for one in signatures if one.tick >= first.tick}) > 1:
        changes.append(f"The file changes its metre; all bars have {float(beats):g} beats.")
    rest = float(beats) - upbeat if 0 < upbeat < beats else 0.0
    if rest:
        changes.append(
            f"The upbeat is at the end of a whole bar, after {rest:g} beat{'' if rest == 1 else 's'} of rest."
        )
    return float(beats), rest


def _parts(score: Score) -> tuple[Part, ...]:
    """The parts, each with a name of its own."""
    named = [part_name(part.name)[: MAX_NAME - 8] or ("drums" if part.drums else "part") for part in score.parts]
    seen, counts, parts = Counter[str](), Counter(named), []
    for name, part in zip(named, score.parts, strict=True):
        seen[name] += 1
        own = f"{name} {seen[name]}" if counts[name] > 1 else name
        parts.append(Part(own, part.program, part.drums))
    return tuple(parts)


def _notes(score: Score, rest: float) -> tuple[PieceNote, ...]:
    """The notes in beats, after some beats of rest. Notes without a length get a short one."""
    notes, scale = score.notes, score.ticks_per_beat
    starts = (notes.onset_tick / scale + rest).round(4)
    lengths = np.maximum(((notes.end_tick - notes.onset_tick) / scale).round(4), _MIN_BEATS)
    columns = (notes.part, notes.pitch, starts, lengths, notes.velocity)
    return tuple(PieceNote(*row) for row in zip(*(column.tolist() for column in columns), strict=True))


def _cut(piece: Piece, limits: StudioLimits, changes: list[str]) -> Piece:
    """A piece of a length and a number of notes and parts that the page may send."""
    most = limits.most_beats(piece.beats_per_minute)
    if piece.end > most:
        changes.append(f"The piece is cut after {most:g} of {piece.end:.0f} beats.")
        kept = [note for note in piece.notes if note.start < most - _MIN_BEATS]
        kept = [replace(note, length=min(note.length, round(most - note.start, 4))) for note in kept]
        piece = replace(piece, notes=tuple(kept))
    if len(piece.notes) > limits.request.max_primer_notes:
        changes.append(f"The piece has the first {limits.request.max_primer_notes} of {len(piece.notes)} notes.")
        piece = replace(piece, notes=piece.notes[: limits.request.max_primer_notes])
    used = sorted({note.part for note in piece.notes})
    if len(used) > MAX_PARTS:
        changes.append(f"The piece has the first {MAX_PARTS} of {len(used)} parts.")
        used = used[:MAX_PARTS]
    return _reordered(piece, [piece.parts[index] for index in used], {index: place for place, index in enumerate(used)})


def _with_model_parts(piece: Piece, trained: TrainedModel, changes: list[str]) -> Piece:
    """The piece with the parts of a model in their order, if it has no others."""
    own = trained.parts
    if len(own) == 1:
        return piece
    if len(piece.parts) > len(own):
        names = listed(part.name for part in own)
        changes.append(
            f"The piece has {len(piece.parts)} parts, and {trained.name} writes {len(own)}: {names}. Remove parts, or "
            f"choose another model, before you ask for notes."
        )
        return piece
    places = dict(enumerate(places_in(own, piece.parts)))
    by_place = {place: index for index, place in places.items()}
    parts = [
        Part(part.name, piece.parts[by_place[place]].program if place in by_place else part.program, part.drums)
        for place, part in enumerate(own)
    ]
    renamed = [
        f"{piece.parts[index].name} is {own[place].name}"
        for index, place in places.items()
        if piece.parts[index].name.casefold() != own[place].name.casefold()
    ]
    if renamed:
        changes.append(f"Parts have the names of the model: {', '.join(renamed)}.")
    return _reordered(piece, parts, places)


def _in_range(piece: Piece, trained: TrainedModel, changes: list[str]) -> Piece:
    """The piece with all parts in the pitches of a model, some octaves higher or lower if that is enough."""
    is_one = len(trained.parts) == 1
    if not is_one and len(piece.parts) != len(trained.parts):
        return piece
    notes: list[PieceNote] = []
    for index, part in enumerate(piece.parts):
        pitches = trained.parts[0 if is_one else index].pitches
        own = [note for note in piece.notes if note.part == index]
        is_read = not is_one or part.drums == trained.parts[0].drums
        notes += _moved(own, pitches, part.name, changes) if is_read else own
    if not notes:
        raise RequestError(422, "file", f"none of its notes are in the range of {trained.name}.")
    return replace(piece, notes=tuple(sorted(notes, key=lambda note: (note.start, note.part, note.pitch))))


def _moved(notes: list[PieceNote], pitches: PitchRange, name: str, changes: list[str]) -> list[PieceNote]:
    """The notes of a part in a range."""
    outside = sum(not pitches.lowest <= note.pitch <= pitches.highest for note in notes)
    if not outside:
        return notes
    lowest, highest = min(note.pitch for note in notes), max(note.pitch for note in notes)
    fitting = (
        octaves
        for octaves in sorted(range(-10, 11), key=abs)
        if pitches.lowest <= lowest + 12 * octaves and highest + 12 * octaves <= pitches.highest
    )
    octaves = next(fitting, 0)
    if octaves:
        distance = "an octave" if abs(octaves) == 1 else f"{abs(octaves)} octaves"
        changes.append(f"{name} is {distance} {'higher' if octaves > 0 else 'lower'}, in the range of the model.")
        return [replace(note, pitch=note.pitch + 12 * octaves) for note in notes]
    between = f"{pitches.name_of(0)} to {pitches.name_of(len(pitches) - 1)}"
    were = "1 note" if outside == 1 else f"{outside} notes"
    changes.append(f"The piece leaves out {were} of {name} outside of the range of the model, {between}.")
    return [note for note in notes if pitches.lowest <= note.pitch <= pitches.highest]


def _reordered(piece: Piece, parts: Sequence[Part], places: dict[int, int]) -> Piece:
    """The piece with other parts, of which each old one is at a new place; the notes of others go out."""
    notes = tuple(replace(note, part=places[note.part]) for note in piece.notes if note.part in places)
    return replace(piece, parts=tuple(parts), notes=notes)
