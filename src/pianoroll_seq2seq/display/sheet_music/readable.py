"""Music as a reader wants it: on a coarse grid, in a key, without small gaps, and in at most two voices a staff."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from pianoroll_seq2seq.controllers import Controllers
from pianoroll_seq2seq.evaluation.keys import estimate_key
from pianoroll_seq2seq.grid import SIXTEENTHS, BeatGrid
from pianoroll_seq2seq.meter import Meter, begins_with_upbeat
from pianoroll_seq2seq.musicxml.staves import staves_of
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES
from pianoroll_seq2seq.quantize import quantize
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.signatures import KeySignature, TimeSignature
from pianoroll_seq2seq.tempo import TempoMap

_GRIDS = (SIXTEENTHS, BeatGrid(8), BeatGrid(12), BeatGrid(24))
"""The grids of music that says no other, the first on which all of it is."""
_FINEST = 24
"""Frames in a beat of a roll with which it is drawn as it is."""
_VOICES = 2
_LEAST_TEMPO_CHANGE, _LEAST_TEMPO_BEATS = 0.05, 4
"""Smaller changes of tempo are not marked, nor those for fewer beats: a performance has one at every beat."""

_Row = tuple[int, int, int, int]
"""Onset, end, pitch and velocity of a note."""


def readable(music: PianoRoll | Score, grid: BeatGrid | None) -> Score:
    """The notes to engrave, in ticks that are frames of the grid.

    Music without a time signature is in 4/4; music without a key signature is in the key that its notes suggest.

    Args:
        music: a roll or a score.
        grid: where notes may begin and end. By default the grid of the roll, or the coarsest from sixteenths to
            twenty-fourths of a beat on which all notes are; sixteenths if there is none.
    """
    score = music.to_score() if isinstance(music, PianoRoll) else music
    if grid is None and isinstance(music, PianoRoll) and isinstance(music.grid, BeatGrid):
        grid = BeatGrid(music.grid.frames_per_beat) if music.grid.frames_per_beat <= _FINEST else None
    grid = grid or notation_grid(score)
    score = _on_grid(score, grid)
    rows: list[tuple[int, int, int, int, int]] = []
    for index, (part, notes) in enumerate(zip(score.parts, score.notes.by_part(len(score.parts)), strict=True)):
        drawn = _until_the_next(notes, grid.frames_per_beat) if part.drums else notes
        for staff in staves_of(part, drawn):
            rows += ((*row, index) for row in _in_few_voices(staff))
    columns = zip(*rows, strict=True) if rows else ([],) * 5
    notes = NoteTable(*(np.array(column, dtype=np.int64) for column in columns))
    return replace(score, notes=notes, meter=_with_signatures(score))


def notation_grid(score: Score) -> BeatGrid:
    """The coarsest grid from sixteenths to twenty-fourths of a beat on which all notes are, or else sixteenths."""
    times = np.concatenate([score.notes.onset_tick, score.notes.end_tick])
    fitting = (grid for grid in _GRIDS if not (times * grid.frames_per_beat % score.ticks_per_beat).any())
    return next(fitting, SIXTEENTHS)


def _on_grid(score: Score, grid: BeatGrid) -> Score:
    """The score in ticks that are frames, without controllers and small changes of tempo."""
    score = score.on_grid(grid)
    notes, tempo = score.notes, score.tempo
    onset, end = quantize(notes.onset_tick, notes.end_tick, grid=grid, tempo=tempo)
    _, first = np.unique(np.stack([onset, notes.pitch, notes.part]), axis=1, return_index=True)
    columns = (onset, end, notes.pitch, notes.velocity, notes.part)

    def frames_at(ticks: list[int]) -> list[int]:
        return [int(line) for line in grid.lines_at(np.array(ticks, dtype=np.int64), tempo)]

    return replace(
        score,
        notes=NoteTable(*(column[first] for column in columns)),
        tempo=TempoMap(grid.frames_per_beat, _marked(tempo, frames_at)),
        end_tick=frames_at([score.num_ticks])[0],
        meter=score.meter.map_ticks(frames_at),
        controllers=Controllers.empty(),
    )


def _marked(tempo: TempoMap, frames_at: Callable[[list[int]], list[int]]) -> Iterator[tuple[int, int]]:
    """The tempo changes to mark, by frame, in whole beats per minute."""
    marked = None
    least_ticks = _LEAST_TEMPO_BEATS * tempo.ticks_per_beat
    for (tick, us_per_beat), following in zip(tempo.changes, [*tempo.changes[1:], None], strict=True):
        is_short = following is not None and following[0] - tick < least_ticks
        if marked is None or (not is_short and abs(us_per_beat / marked - 1) >= _LEAST_TEMPO_CHANGE):
            marked = us_per_beat
            beats_per_minute = max(round(60_000_000 / us_per_beat), 4)
            yield frames_at([tick])[0], round(60_000_000 / beats_per_minute)


def _with_signatures(score: Score) -> Meter:
    """The signatures, and those at the beginning that are missing."""
    times, keys = score.meter.time_signatures, score.meter.key_signatures
    if not times or times[0].tick > 0:
        times = (TimeSignature(0), *times)
    if begins_with_upbeat(score.meter, ticks_per_beat=score.ticks_per_beat):  # 1/4, then 3/4
        times = (replace(times[1], tick=0), *times[1:])
    if not keys and len(score.without_drums().notes):
        key = estimate_key(PianoRoll.from_score(score, grid=BeatGrid(score.ticks_per_beat), pitches=ALL_PITCHES))
        fifths = (7 * (key.tonic + 3 * key.minor) + 5) % 12 - 5  # from five flats to six sharps
        keys = (KeySignature(0, fifths, minor=key.minor),)
    return Meter(times, keys)


def _until_the_next(notes: NoteTable, frames_per_beat: int) -> NoteTable:
    """Drum notes, whose length says nothing, up to the next drum or beat."""
    onset = notes.onset_tick
    following = np.searchsorted(onset, onset, side="right")
    next_onset = np.append(onset, np.iinfo(np.int64).max)[following]
    end = np.minimum(next_onset, (onset // frames_per_beat + 1) * frames_per_beat)
    return NoteTable(onset, end, notes.pitch, notes.velocity, notes.part)


def _in_few_voices(notes: NoteTable) -> Iterator[_Row]:
    """The notes of a staff in at most two voices, without gaps of one frame.

    Notes that begin together become one chord, or two if some are at least twice as long as others and both voices
    are free. If a third chord would sound, the one that ends first is cut.
    """
    onsets, firsts = np.unique(notes.onset_tick, return_index=True)
    rows = list(zip(notes.end_tick.tolist(), notes.pitch.tolist(), notes.velocity.tolist(), strict=True))
    chords: list[tuple[int, int, list[tuple[int, int, int]]]] = []  # onset, end, and notes
    running: list[int | None] = [None] * _VOICES  # the last chord of each voice
    for onset, (first, last) in zip(onsets.tolist(), pairwise([*firsts.tolist(), len(rows)]), strict=True):
        ends = [-1 if chord is None else chords[chord][1] for chord in running]
        free = sorted((voice for voice in range(_VOICES) if ends[voice] <= onset), key=lambda voice: -ends[voice])
        if not free:
            free = [min(range(_VOICES), key=lambda voice: ends[voice])]
        for voice, together in zip(free, _chords_of(rows[first:last], onset, len(free)), strict=False):
            before = running[voice]
            if before is not None and chords[before][1] >= onset - 1:  # a gap of one frame, or cut
                chords[before] = (chords[before][0], onset, chords[before][2])
            running[voice] = len(chords)
            chords.append((onset, max(end for end, _, _ in together), together))
    for onset, end, together in chords:
        for _, pitch, velocity in together:
            yield onset, end, pitch, velocity


def _chords_of(notes: list[tuple[int, int, int]], onset: int, num_voices: int) -> list[list[tuple[int, int, int]]]:
    """Notes that begin together as one chord, or as two: those of the longest notes, and those at most half as long."""
    longest = max(end for end, _, _ in notes) - onset
    is_long = [2 * (end - onset) > longest for end, _, _ in notes]
    if num_voices == 1 or all(is_long):
        return [notes]
    return [[note for note, long in zip(notes, is_long, strict=True) if long is kind] for kind in (True, False)]
