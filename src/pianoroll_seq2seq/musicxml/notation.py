"""Notes as they are written: in bars and voices, as note values with dots, tuplets and ties.

Times are whole ticks. A bar of a voice is filled from its beginning to its end with pieces: notes, chords and rests.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import gcd
from typing import NamedTuple

import numpy as np

from pianoroll_seq2seq.errors import LimitError, MusicXMLError
from pianoroll_seq2seq.note_table import NoteTable

_UNITS = 256  # of the shortest note, in a quarter note
_TYPES = [("breve", 8), ("whole", 4), ("half", 2), ("quarter", 1), ("eighth", 1 / 2), ("16th", 1 / 4)]
_TYPES += [(f"{2**power}{'nd' if power == 5 else 'th'}", 4 / 2**power) for power in range(5, 11)]
_VALUES = {
    int(quarters * _UNITS * factor): (name, dots)
    for dots, factor in enumerate((1, 3 / 2, 7 / 4))
    for name, quarters in _TYPES
    if (quarters * _UNITS * factor) % 1 == 0
}
"""The type and the dots of each length that one note can have, in units."""

_LONGEST_FIRST = sorted(_VALUES, reverse=True)
_LARGEST_TUPLET = 15
_MOST_PIECES = 2_000_000


class Chord(NamedTuple):
    """Notes that begin and end together; a grace note or chord if they have no length."""

    onset: int
    end: int
    velocities: dict[int, int]
    """By pitch, lowest first."""


class Segment(NamedTuple):
    """The part of a chord, or of a rest (None), that is in one bar; its times are those in the bar."""

    start: int
    end: int
    chord: Chord | None
    tied_before: bool = False
    tied_after: bool = False


class Piece(NamedTuple):
    """A segment that is one note value, or one of several that are tied."""

    segment: Segment
    length: int
    """In ticks; 0 for a grace note."""
    value: tuple[str, int] | None
    """Type and number of dots; None for the rest of a whole bar."""
    tuplet: tuple[int, int] | None = None
    """So many notes in the time of so many."""
    edges: tuple[str, ...] = ()
    """``start`` and ``stop``, where a tuplet begins or ends."""
    beams: tuple[str, ...] = ()
    """What each of its beams does (``begin``, ``continue``, ``end`` or a hook), the outermost first."""


def voices_of(notes: NoteTable) -> list[list[Chord]]:
    """The notes of a part as chords in as few voices as there are chords at once, the highest first."""
    chords: dict[tuple[int, int], list[dict[int, int]]] = defaultdict(list)
    columns = (notes.onset_tick, notes.end_tick, notes.pitch, notes.velocity)
    for onset, end, pitch, velocity in zip(*(column.tolist() for column in columns), strict=True):
        together = chords[onset, end]
        if not together or pitch in together[-1]:  # the same note twice: in two voices
            together.append({})
        together[-1][pitch] = velocity
    ordered = sorted(
        (Chord(onset, end, one) for (onset, end), together in chords.items() for one in together),
        key=lambda chord: (chord.onset, chord.end > chord.onset, -max(chord.velocities)),
    )
    voices: list[list[Chord]] = []
    free: list[int] = []
    busy: list[tuple[int, int]] = []  # until when, and which voice
    for chord in ordered:
        while busy and busy[0][0] <= chord.onset:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            heapq.heappush(free, len(voices))
            voices.append([])
        voice = heapq.heappop(free)
        voices[voice].append(chord)
        heapq.heappush(busy, (chord.end, voice))
    return sorted(voices, key=lambda voice: -sum(max(chord.velocities) for chord in voice) / len(voice))


def check_size(notes: NoteTable, lines: np.ndarray) -> None:
    """Refuses notes over so many bars that the file would be enormous.

    Raises:
        LimitError: more than two million notes, each of them counted in each bar.
    """
    first, last = _bars_of(notes.onset_tick, notes.end_tick, lines)
    total = int((last - first + 1).sum())
    if total > _MOST_PIECES:
        raise LimitError(
            f"its notes, tied over bar lines, are {total} written notes, over the limit of {_MOST_PIECES}. Cut off "
            f"what comes after the music: score.truncate(seconds=600)."
        )


def segments_of(voice: Sequence[Chord], lines: np.ndarray) -> dict[int, list[Segment]]:
    """The segments of a voice by the index of their bar, without rests."""
    onsets, ends = (np.array([chord[column] for chord in voice], dtype=np.int64) for column in (0, 1))
    firsts, lasts = (column.tolist() for column in _bars_of(onsets, ends, lines))
    bars: dict[int, list[Segment]] = defaultdict(list)
    for chord, first, last in zip(voice, firsts, lasts, strict=True):
        for bar in range(first, last + 1):
            begin = int(lines[bar])
            start, end = max(chord.onset - begin, 0), min(chord.end, int(lines[bar + 1])) - begin
            bars[bar].append(Segment(start, end, chord, bar > first, bar < last))
    return bars


def _bars_of(onset: np.ndarray, end: np.ndarray, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last bar of each note."""
    first = np.searchsorted(lines, onset, side="right") - 1
    return first, np.maximum(np.searchsorted(lines, end, side="left") - 1, first)


def pieces_of_bar(segments: Sequence[Segment], length: int, ticks_per_beat: int) -> list[Piece]:
    """A bar of a voice as note values and rests.

    A beat that needs a tuplet is a tuplet of its own.

    Raises:
        MusicXMLError: times for which notation has no values.
    """
    if not segments:
        return [Piece(Segment(0, length, None), length, None)]
    filled = list(_with_rests(segments, length))
    tuplets = _tuplets(filled, ticks_per_beat)
    pieces: list[Piece] = []
    for segment in filled:
        if segment.start == segment.end:
            pieces.append(Piece(segment, 0, ("eighth", 0)))
        for part in _split_at_tuplets(segment, tuplets, ticks_per_beat):
            pieces += _values_of(part, tuplets.get(part.start // ticks_per_beat, 1), ticks_per_beat)
    return _with_edges(pieces, ticks_per_beat)


def _with_rests(segments: Sequence[Segment], length: int) -> Iterator[Segment]:
    position = 0
    for segment in segments:
        if segment.start > position:
            yield Segment(position, segment.start, None)
        yield segment
        position = segment.end
    if position < length:
        yield Segment(position, length, None)


def _tuplets(segments: Sequence[Segment], ticks_per_beat: int) -> dict[int, int]:
    """The number of notes of the tuplet in each beat that needs one: 3 for a triplet."""
    tuplets: dict[int, int] = {}
    for time in {time for segment in segments for time in segment[:2]}:
        beat, inside = divmod(time, ticks_per_beat)
        denominator = ticks_per_beat // gcd(inside, ticks_per_beat)
        odd = denominator // (denominator & -denominator)
        if odd > 1:
            before = tuplets.get(beat, 1)
            tuplets[beat] = before * odd // gcd(before, odd)
    return tuplets


def _split_at_tuplets(segment: Segment, tuplets: dict[int, int], ticks_per_beat: int) -> Iterator[Segment]:
    """The parts of a segment inside and outside of tuplets, tied."""
    first, last = segment.start // ticks_per_beat, -(-segment.end // ticks_per_beat)
    around = {edge for beat in tuplets if first <= beat < last for edge in (beat, beat + 1)}
    inner = sorted(edge * ticks_per_beat for edge in around if segment.start < edge * ticks_per_beat < segment.end)
    for start, end in pairwise([segment.start, *inner, segment.end]):
        if start < end:
            yield _part_of(segment, start, end)


def _part_of(segment: Segment, start: int, end: int) -> Segment:
    is_note = segment.chord is not None
    return segment._replace(
        start=start,
        end=end,
        tied_before=segment.tied_before or (is_note and start > segment.start),
        tied_after=segment.tied_after or (is_note and end < segment.end),
    )


def _values_of(segment: Segment, odd: int, ticks_per_beat: int) -> Iterator[Piece]:
    """A segment as tied note values: one if there is one, else first up to the next beat."""
    normal = 1 << (odd.bit_length() - 1)  # 3 in the time of 2, 5 and 7 of 4
    tuplet = (odd, normal) if odd > 1 else None
    if odd > _LARGEST_TUPLET:
        raise _no_value(segment, ticks_per_beat)
    start = segment.start
    while start < segment.end:
        units, inexact = divmod((segment.end - start) * _UNITS * odd, ticks_per_beat * normal)
        if inexact:
            raise _no_value(segment, ticks_per_beat)
        if units not in _VALUES:
            to_beat = -start % ticks_per_beat
            if 0 < to_beat < segment.end - start and not tuplet:
                units = min(units, to_beat * _UNITS // ticks_per_beat)
            units = next(one for one in _LONGEST_FIRST if one <= units)
        length = units * ticks_per_beat * normal // (_UNITS * odd)
        yield Piece(_part_of(segment, start, start + length), length, _VALUES[units], tuplet)
        start += length


def _no_value(segment: Segment, ticks_per_beat: int) -> MusicXMLError:
    return MusicXMLError(
        f"notation has no values for its times, such as {segment.end - segment.start} ticks of {ticks_per_beat} in a "
        f"quarter note. Put the notes on a grid first: PianoRoll.from_score(score, grid=BeatGrid(12)).to_score()."
    )


def _with_edges(pieces: list[Piece], ticks_per_beat: int) -> list[Piece]:
    """The first and the last piece of each tuplet, marked."""
    beats = [piece.segment.start // ticks_per_beat if piece.tuplet and piece.length else None for piece in pieces]
    last_of = {beat: index for index, beat in enumerate(beats) if beat is not None}
    first_of = {beat: index for index, beat in reversed(list(enumerate(beats))) if beat is not None}
    for beat, first in first_of.items():
        pieces[first] = pieces[first]._replace(edges=("start",))
        last = last_of[beat]
        pieces[last] = pieces[last]._replace(edges=(*pieces[last].edges, "stop"))
    return pieces
