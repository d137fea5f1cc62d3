"""A score of notes whose times are fractions of quarter notes, as notation has them."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.signatures import KeySignature, TimeSignature
from pianoroll_seq2seq.tempo import DEFAULT_TICKS_PER_BEAT, MAX_TICKS_PER_BEAT, TempoMap

DEFAULT_VELOCITY = 90
"""The velocity of notes that have none."""

_FINE_TICKS = 10_080  # 2**5 * 3**2 * 5 * 7: used if no number of ticks is exact


class TimedNote(NamedTuple):
    """A note as it is written, in quarter notes from the beginning of the music."""

    onset: Fraction
    end: Fraction
    pitch: int | None
    """None for an unpitched note whose drum is unknown."""
    velocity: int
    tie: str | None
    """``start``, ``continue`` or ``stop``."""
    voice: str = ""


class Signatures(NamedTuple):
    """Time signatures as numerator and denominator, key signatures as fifths and minor, by their time in beats."""

    times: list[tuple[Fraction, tuple[int, int]]]
    keys: list[tuple[Fraction, tuple[int, bool]]]

    def repeat_after_irregular_bars(self, lines: Sequence[Fraction]) -> None:
        """Adds the time signature again after each bar of another length than it says, such as an upbeat.

        So bar lines are where they are in the music.

        Args:
            lines: the beginnings of all bars.
        """
        begins = dict(self.times)
        changes = sorted(begins)
        running, done = None, 0
        for start, end in pairwise(lines):
            while done < len(changes) and changes[done] <= start:
                running = begins[changes[done]]
                done += 1
            changes_inside = done < len(changes) and changes[done] <= end
            if running and not changes_inside and end - start != Fraction(4 * running[0], running[1]):
                self.times.append((end, running))
        self.times.sort(key=lambda one: one[0])


def without_ties(notes: Iterable[TimedNote]) -> list[TimedNote]:
    """Each chain of tied notes as one note, within a voice if possible; a tie to no other note is ignored."""
    whole: list[TimedNote] = []
    waiting: dict[tuple[int | None, Fraction], list[int]] = defaultdict(list)  # by pitch and end: indices into `whole`
    for note in sorted(notes, key=lambda note: note[:2]):
        tied_to = waiting[note.pitch, note.onset] if note.tie in ("stop", "continue") else []
        if tied_to:
            index = next((one for one in tied_to if whole[one].voice == note.voice), tied_to[-1])
            tied_to.remove(index)
            whole[index] = whole[index]._replace(end=note.end)
        else:
            index = len(whole)
            whole.append(note)
        if note.tie in ("start", "continue"):
            waiting[note.pitch, note.end].append(index)
    return whole


def score_in_ticks(
    notes: Sequence[Sequence[TimedNote]],
    tempi: Sequence[tuple[Fraction, int]],
    signatures: Signatures,
    *,
    parts: tuple[Part, ...],
    name: str,
    end: Fraction,
    ticks_per_beat: int | None = None,
) -> tuple[Score, int]:
    """The score, and how many notes are not exactly on its ticks.

    Args:
        notes: the notes of each part, without ties.
        tempi: microseconds per quarter note, by their times.
        signatures: time and key signatures.
        parts: the parts.
        name: the name of the score.
        end: the end of silence after the last note.
        ticks_per_beat: the ticks per beat, if all times are exactly on them.

    Raises:
        MidiError: values that MIDI cannot store.
    """
    times = {time for voice in notes for note in voice for time in (note.onset, note.end)}
    signed = {time for time, _ in (*signatures.times, *signatures.keys)}
    everything = times | {end} | {time for time, _ in tempi} | signed
    if ticks_per_beat is None or any((time * ticks_per_beat).denominator > 1 for time in everything):
        ticks_per_beat = _exact_ticks_per_beat(everything)
    inexact = {time for time in times if (time * ticks_per_beat).denominator > 1}
    moved = sum(note.onset in inexact or note.end in inexact for voice in notes for note in voice)

    def tick(time: Fraction) -> int:
        return math.floor(time * ticks_per_beat + Fraction(1, 2))

    rows = [
        (tick(note.onset), tick(note.end), note.pitch, note.velocity, index)
        for index, voice in enumerate(notes)
        for note in voice
    ]
    columns = map(list, zip(*rows, strict=True)) if rows else ([], [], [], [], [])
    tempo = TempoMap(ticks_per_beat, [(tick(time), us_per_beat) for time, us_per_beat in tempi])
    meter = Meter(
        [TimeSignature(tick(time), *one) for time, one in signatures.times],
        [KeySignature(tick(time), *one) for time, one in signatures.keys],
    )
    return Score(NoteTable(*columns), tempo, parts, name, tick(end), meter), moved


def _exact_ticks_per_beat(times: Iterable[Fraction]) -> int:
    """480 if that is exact, else its least exact multiple, else the least exact number of at least 480."""
    exact = 1
    for denominator in {time.denominator for time in times}:
        exact = math.lcm(exact, denominator)
        if exact > MAX_TICKS_PER_BEAT:
            return _FINE_TICKS
    multiple = math.lcm(exact, DEFAULT_TICKS_PER_BEAT)
    return multiple if multiple <= MAX_TICKS_PER_BEAT else exact * math.ceil(DEFAULT_TICKS_PER_BEAT / exact)
